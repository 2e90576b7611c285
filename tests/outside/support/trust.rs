//! TLS of our own making: a certificate for the server, and a client that believes it.

use std::net::TcpStream;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::crypto::ring;
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use rustls_pki_types::CertificateDer;

/// The name in the certificate.
const NAME: &str = "cdn.example.com";

/// The one certificate of all tests here.
fn pair() -> &'static CertifiedKey<rcgen::KeyPair> {
    static PAIR: OnceLock<CertifiedKey<rcgen::KeyPair>> = OnceLock::new();
    PAIR.get_or_init(|| generate_simple_self_signed([NAME.to_owned()]).expect("a certificate"))
}

/// Writes the certificate and its key there; the lines for the config file.
pub fn certificate(folder: &Path) -> String {
    let (chain, key) = (folder.join("cdn.pem"), folder.join("cdn.key"));
    std::fs::write(&chain, pair().cert.pem()).expect("a file");
    std::fs::write(&key, pair().signing_key.serialize_pem()).expect("a file");
    format!(
        "[[certificate]]\nchain = \"{}\"\nprivate_key = \"{}\"\n",
        chain.display(),
        key.display()
    )
}

/// A client that has said nothing yet.
pub fn client() -> ClientConnection {
    static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    let config = CONFIG.get_or_init(|| {
        let mut roots = RootCertStore::empty();
        let own = CertificateDer::from(pair().cert.der().to_vec());
        roots.add(own).expect("a certificate");
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Arc::new(config)
    });
    let name = NAME.try_into().expect("a name");
    ClientConnection::new(Arc::clone(config), name).expect("a client")
}

/// The whole handshake.
pub fn shake(tls: &mut ClientConnection, socket: &mut TcpStream) {
    while tls.is_handshaking() || tls.wants_write() {
        tls.complete_io(socket).expect("a handshake");
    }
}
