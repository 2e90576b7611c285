//! TLS: certificates from files, chosen by the name that a client asks for (SNI), and exchanged
//! while players play.
//!
//! One [`ServerConfig`] for as long as the server runs. What changes is the table of certificates
//! behind it, so a handshake takes the one of its moment and connections that are there never
//! notice. TLS 1.2 and 1.3; of names, the exact one counts before a wildcard, and the first
//! certificate answers who names none or one that is not known (RTMP players often name none).
//!
//! Sessions of TLS 1.2 are resumed by tickets: what a client needs to come again is with the
//! client, sealed with keys that change every six hours, and costs no memory here. TLS 1.3 sends
//! its tickets behind the handshake, where librtmp takes one for the end of the connection; so
//! there are none. HTTP clients that ask are told `http/1.1`; RTMP has no word for itself, and those
//! who ask for nothing are as welcome.

mod certificate;
mod follow;
mod table;
#[cfg(test)]
pub mod testing;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, ring};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem;
use tokio_util::task::AbortOnDropHandle;

pub use self::certificate::CertificateFiles;

use self::follow::Followed;
use self::table::Table;

/// Why a certificate cannot be used. The operator is to blame.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file that cannot be read, or is not PEM.
    #[error("{purpose} in {} cannot be read: {cause}", path.display())]
    Read {
        /// What should be in the file.
        purpose: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: pem::Error,
    },
    /// The certificate is none.
    #[error("the certificate in {} cannot be understood: {cause}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: x509_cert::der::Error,
    },
    /// Certificate and key do not belong together, or cannot be used.
    #[error("the certificate in {} and its key cannot be used: {cause}", path.display())]
    Use {
        /// The certificate's file.
        path: PathBuf,
        /// What is wrong with it.
        cause: rustls::Error,
    },
    /// TLS cannot be set up at all.
    #[error("TLS cannot be set up: {0}")]
    Start(#[from] rustls::Error),
}

/// Some certificates, and what is needed to shake hands with them.
#[derive(Debug, Clone)]
pub struct Tls {
    config: Arc<ServerConfig>,
    shown: Arc<Shown>,
}

/// The certificates that are shown now.
#[derive(Debug)]
struct Shown(ArcSwap<State>);

/// One moment's certificates.
#[derive(Debug)]
struct State {
    followed: Vec<Followed>,
    table: Arc<Table>,
}

impl Tls {
    /// Reads the certificates; there is one at least.
    ///
    /// # Errors
    /// The first [`TlsError`] there is.
    pub fn load(files: &[CertificateFiles]) -> Result<Self, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let followed = files
            .iter()
            .map(|files| Followed::load(files, &provider))
            .collect::<Result<Vec<_>, _>>()?;
        let table = Arc::new(Table::of(&followed));
        let state = State { followed, table };
        let shown = Arc::new(Shown(ArcSwap::from_pointee(state)));
        let config = Arc::new(config(provider, Arc::clone(&shown))?);
        Ok(Self { config, shown })
    }

    /// What a handshake needs.
    pub fn config(&self) -> &Arc<ServerConfig> {
        &self.config
    }

    /// Follows the files, and reads all of them at SIGHUP, until the handle is dropped. What cannot
    /// be used then is refused with a warning, and the certificate that was there stays.
    ///
    /// # Errors
    /// The system has no signal handler to give.
    pub fn follow(&self) -> io::Result<AbortOnDropHandle<()>> {
        let task = follow::task(Arc::clone(&self.shown), self.provider())?;
        Ok(AbortOnDropHandle::new(tokio::spawn(task)))
    }

    /// How long it is until the first of the certificates ends; nothing where it has.
    pub fn left(&self) -> Duration {
        let state = self.shown.0.load();
        let ends = state.followed.iter().map(|it| it.certificate().until());
        let end = ends.min().unwrap_or(SystemTime::UNIX_EPOCH);
        end.duration_since(SystemTime::now()).unwrap_or_default()
    }

    fn provider(&self) -> Arc<CryptoProvider> {
        Arc::clone(self.config.crypto_provider())
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let state = self.0.load();
        let name = hello.server_name();
        state.table.choose(name, hello.signature_schemes())
    }
}

fn config(provider: Arc<CryptoProvider>, shown: Arc<Shown>) -> Result<ServerConfig, TlsError> {
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(shown);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.ticketer = ring::Ticketer::new()?;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::path::Path;

    use super::testing::{Authority, handshake};
    use super::*;

    fn said(chain: &Path, private_key: &Path) -> String {
        let files = CertificateFiles::new(chain, private_key);
        Tls::load(&[files]).unwrap_err().to_string()
    }

    #[test]
    fn a_file_that_is_missing_or_holds_something_else_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::make();
        let one = authority.issue(folder.path(), "one", &["a.example"]);
        let two = authority.issue(folder.path(), "two", &["a.example"]);
        let none = Path::new("/nowhere.pem");
        let text = folder.path().join("text.pem");
        std::fs::write(&text, "not PEM").unwrap();
        let broken = folder.path().join("broken.pem");
        let block = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        std::fs::write(&broken, block).unwrap();
        for (chain, key, words) in [
            (
                none,
                &*one.private_key,
                "the certificate in /nowhere.pem cannot be read: ",
            ),
            (
                &one.chain,
                none,
                "the private key in /nowhere.pem cannot be read: ",
            ),
            (&text, &one.private_key, "text.pem cannot be read: "),
            (
                &one.private_key,
                &one.private_key,
                "one.key cannot be read: ",
            ),
            (
                &broken,
                &one.private_key,
                "broken.pem cannot be understood: ",
            ),
            (
                &one.chain,
                &two.private_key,
                "one.pem and its key cannot be used: ",
            ),
        ] {
            let said = said(chain, key);
            assert!(said.contains(words) && !said.contains('\n'), "{said}");
        }
    }

    #[test]
    fn both_versions_choose_by_name_and_the_first_is_for_all_others() {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::make();
        let tls = Tls::load(&[
            authority.issue(folder.path(), "first", &["first.example"]),
            authority.issue(folder.path(), "wild", &["*.example", "wild.example.org"]),
            authority.issue(folder.path(), "exact", &["cdn.example"]),
        ]);
        let tls = tls.unwrap();
        for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
            for (name, shown) in [
                (Some("first.example"), "first.example"),
                (Some("cdn.example"), "cdn.example"),
                (Some("CDN.example"), "cdn.example"),
                (Some("other.example"), "*.example"),
                (Some("wild.example.org"), "*.example"),
                (Some("a.b.example"), "first.example"),
                (Some("elsewhere.test"), "first.example"),
                (None, "first.example"),
            ] {
                let shaken = handshake(tls.config(), version, name, &[]);
                assert_eq!(shaken.names[0], shown, "{name:?}");
                assert_eq!(shaken.version, version.version);
            }
        }
    }

    #[test]
    fn http_is_agreed_on_with_those_who_ask() {
        let folder = tempfile::tempdir().unwrap();
        let files = Authority::make().issue(folder.path(), "one", &["a.example"]);
        let tls = Tls::load(&[files]).unwrap();
        let alpn = |offered| handshake(tls.config(), &rustls::version::TLS13, None, offered).alpn;
        assert_eq!(
            alpn(&[b"h2", b"http/1.1"]).as_deref(),
            Some(&b"http/1.1"[..])
        );
        assert_eq!(alpn(&[]), None);
    }

    #[test]
    fn keys_in_all_usual_forms_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let files = Authority::make().issue(folder.path(), "one", &["a.example"]);
        // A file may hold the key beside the chain, as HAProxy has it.
        let both = folder.path().join("both.pem");
        let mut file = std::fs::File::create(&both).unwrap();
        for part in [&files.private_key, &files.chain] {
            file.write_all(&std::fs::read(part).unwrap()).unwrap();
        }
        let tls = Tls::load(&[CertificateFiles::new(&both, &both)]).unwrap();
        let left = tls.left();
        assert!(left > Duration::ZERO && left <= testing::LIFE, "{left:?}");
    }
}
