//! The certificate that the port shows.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem};

/// Why the port cannot be served by TLS. The operator is to blame.
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
    /// Certificate and key do not belong together, or cannot be used.
    #[error("the certificate in {} and its key cannot be used: {cause}", path.display())]
    Use {
        /// The certificate's file.
        path: PathBuf,
        /// What is wrong with it.
        cause: rustls::Error,
    },
}

/// TLS 1.2 and 1.3 with the certificates (the server's own first) and the key in these PEM files.
///
/// # Errors
/// [`TlsError`].
pub fn load(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    let unreadable = |purpose, path: &Path| {
        let path = path.to_owned();
        move |cause| TlsError::Read {
            purpose,
            path,
            cause,
        }
    };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .and_then(|chain| match chain.is_empty() {
            true => Err(pem::Error::NoItemsFound),
            false => Ok(chain),
        })
        .map_err(unreadable("the certificate", certificate))?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(unreadable("the private key", key))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|cause| TlsError::Use {
            path: certificate.to_owned(),
            cause,
        })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_missing_or_no_pem_is_named() {
        let gone = load(Path::new("/nowhere.pem"), Path::new("/none.key")).unwrap_err();
        let said = gone.to_string();
        assert!(
            said.starts_with("the certificate in /nowhere.pem"),
            "{said}"
        );
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("empty.pem");
        std::fs::write(&file, "not PEM").unwrap();
        let empty = load(&file, &file).unwrap_err().to_string();
        assert!(empty.contains("empty.pem cannot be read"), "{empty}");
    }
}
