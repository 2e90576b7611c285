//! Plain or TLS connections to the API: certificates of the system's authorities, or of a file.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

/// For a TCP connection to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// What connects to `http://` and `https://` addresses.
///
/// # Errors
/// The file of authorities cannot be read.
pub(super) fn connector(
    authorities: Option<&Path>,
) -> anyhow::Result<HttpsConnector<HttpConnector>> {
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_connect_timeout(Some(CONNECT_TIMEOUT));
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots(authorities)?)
        .with_no_client_auth();
    Ok(HttpsConnectorBuilder::new()
        .with_tls_config(config)
        .https_or_http()
        .enable_http1()
        .wrap_connector(http))
}

/// The system's authorities (where there are none, no certificate will be believed), and those of
/// a file.
fn roots(file: Option<&Path>) -> anyhow::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let Some(file) = file else { return Ok(roots) };
    let shown = file.display();
    let before = roots.len();
    let certificates = CertificateDer::pem_file_iter(file)
        .with_context(|| format!("cannot read the certificates in {shown}"))?;
    for certificate in certificates {
        let certificate =
            certificate.with_context(|| format!("{shown} holds a broken certificate"))?;
        roots
            .add(certificate)
            .with_context(|| format!("{shown} holds a certificate that cannot be used"))?;
    }
    if roots.len() == before {
        bail!("{shown} holds no certificate");
    }
    Ok(roots)
}
