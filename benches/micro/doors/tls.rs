//! TLS as a player speaks it who comes for the first time: no session is resumed, and the
//! certificate is verified.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
};

use crate::access::openssl;

/// A certificate of the server for one name, and its key, in files.
pub(super) struct Certificate {
    host: &'static str,
    chain: PathBuf,
    key: PathBuf,
    der: CertificateDer<'static>,
}

impl Certificate {
    /// With a key as openssl makes it when it is told `kind`.
    pub(super) fn new(folder: &Path, host: &'static str, kind: [&str; 2]) -> Self {
        let (chain, key) = (folder.join(host), folder.join(format!("{host}.key")));
        let [algorithm, option] = kind;
        let out = key.display().to_string();
        let asked = ["genpkey", "-quiet", "-algorithm", algorithm, "-pkeyopt"];
        openssl(&[&asked[..], &[option, "-out", &out]].concat(), b"");
        let pair = std::fs::read_to_string(&key).expect("a key");
        let pair = KeyPair::from_pem(&pair).expect("a key of a usual kind");
        let own = CertificateParams::new([host.to_owned()]).expect("a name");
        let own = own.self_signed(&pair).expect("a certificate");
        std::fs::write(&chain, own.pem()).expect("a file");
        let der = own.der().clone();
        Self {
            host,
            chain,
            key,
            der,
        }
    }

    /// Its lines of the configuration.
    pub(super) fn entry(&self) -> String {
        let Self {
            host, chain, key, ..
        } = self;
        let (chain, key) = (chain.display(), key.display());
        format!("[[certificate]]\nchain = '{chain}'\nprivate_key = '{key}'\nhosts = ['{host}']\n")
    }

    /// A player that speaks this version and asks for this certificate.
    pub(super) fn client(&self, version: &'static SupportedProtocolVersion) -> Client {
        let mut roots = RootCertStore::empty();
        roots.add(self.der.clone()).expect("a certificate");
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[version])
            .expect("a version")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.resumption = Resumption::disabled();
        Client {
            config: Arc::new(config),
            name: ServerName::try_from(self.host).expect("a name"),
        }
    }
}

/// How a player speaks TLS.
pub(super) struct Client {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Client {
    /// Bytes through TLS; the handshake comes with the first of them.
    pub(super) fn over(&self, socket: TcpStream) -> StreamOwned<ClientConnection, TcpStream> {
        let tls = ClientConnection::new(Arc::clone(&self.config), self.name.clone());
        StreamOwned::new(tls.expect("a client"), socket)
    }
}
