//! Certificates for tests, and a client that looks at what it is shown.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, ProtocolVersion, ServerConfig,
    ServerConnection, SignatureScheme, SupportedProtocolVersion,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::CertificateFiles;
use super::certificate::Parsed;

/// How long certificates live that are made here.
pub const LIFE: Duration = Duration::from_secs(90 * 24 * 3600);

/// When their life begins: some days ago, at a whole second.
pub fn begin() -> SystemTime {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let days = now.unwrap().as_secs() / (24 * 3600) - 3;
    SystemTime::UNIX_EPOCH + Duration::from_secs(days * 24 * 3600)
}

/// Issues certificates.
#[derive(Debug)]
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    /// One of its own.
    pub fn make() -> Self {
        let mut own = CertificateParams::new(Vec::new()).unwrap();
        own.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(own, key).unwrap())
    }

    /// Writes `name.pem` and `name.key`.
    pub fn issue(&self, folder: &Path, name: &str, hosts: &[&str]) -> CertificateFiles {
        self.issue_with(folder, name, hosts, &rcgen::PKCS_ECDSA_P256_SHA256)
    }

    /// With a key of this kind.
    pub fn issue_with(
        &self,
        folder: &Path,
        name: &str,
        hosts: &[&str],
        kind: &'static rcgen::SignatureAlgorithm,
    ) -> CertificateFiles {
        let hosts: Vec<_> = hosts.iter().map(ToString::to_string).collect();
        let mut own = CertificateParams::new(hosts).unwrap();
        own.not_before = begin().into();
        own.not_after = (begin() + LIFE).into();
        let key = KeyPair::generate_for(kind).unwrap();
        let certificate = own.signed_by(&key, &self.0).unwrap();
        let chain = folder.join(format!("{name}.pem"));
        let private_key = folder.join(format!("{name}.key"));
        std::fs::write(&chain, certificate.pem() + &self.0.pem()).unwrap();
        std::fs::write(&private_key, key.serialize_pem()).unwrap();
        CertificateFiles::new(chain, private_key)
    }
}

/// What a client found.
#[derive(Debug)]
pub struct Shaken {
    /// The names of the certificate.
    pub names: Vec<String>,
    /// The version that was agreed on.
    pub version: ProtocolVersion,
    /// The protocol that was agreed on.
    pub alpn: Option<Vec<u8>>,
}

/// Shakes hands in memory as a client that speaks this version and asks for this name.
pub fn handshake(
    server: &Arc<ServerConfig>,
    version: &'static SupportedProtocolVersion,
    name: Option<&str>,
    alpn: &[&[u8]],
) -> Shaken {
    let mut server = ServerConnection::new(Arc::clone(server)).unwrap();
    let mut client = client(version, name, alpn);
    while server.is_handshaking() || client.is_handshaking() {
        let (mut out, mut back) = (Vec::new(), Vec::new());
        client.write_tls(&mut out).unwrap();
        server.read_tls(&mut &*out).unwrap();
        server.process_new_packets().unwrap();
        server.write_tls(&mut back).unwrap();
        client.read_tls(&mut &*back).unwrap();
        client.process_new_packets().unwrap();
    }
    let names = Parsed::read(&client.peer_certificates().unwrap()[0])
        .unwrap()
        .names;
    Shaken {
        names: names.iter().map(ToString::to_string).collect(),
        version: client.protocol_version().unwrap(),
        alpn: client.alpn_protocol().map(<[u8]>::to_vec),
    }
}

/// A client that asks for this name.
fn client(
    version: &'static SupportedProtocolVersion,
    name: Option<&str>,
    alpn: &[&[u8]],
) -> ClientConnection {
    let mut config = client_config(version, alpn);
    config.enable_sni = name.is_some();
    let name = name.unwrap_or("unnamed.example").to_owned();
    let name = ServerName::try_from(name).unwrap();
    ClientConnection::new(Arc::new(config), name).unwrap()
}

/// A client that believes every certificate.
pub fn client_config(version: &'static SupportedProtocolVersion, alpn: &[&[u8]]) -> ClientConfig {
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Credulous(ring::default_provider())))
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|it| it.to_vec()).collect();
    config
}

#[derive(Debug)]
struct Credulous(CryptoProvider);

impl ServerCertVerifier for Credulous {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
