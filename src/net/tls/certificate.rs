//! One certificate with its key: read from PEM files, its names, and when it ends.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::crypto::CryptoProvider;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde::Deserialize;
use tracing::warn;
use x509_cert::certificate::{CertificateInner, Raw};
use x509_cert::der::{self, Decode};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use super::TlsError;
use crate::distribution::host::HostPattern;

/// A certificate should have been renewed when so little of its life is left: two weeks, for those
/// of 90 days are renewed with 30 to go.
const SOON: Duration = Duration::from_secs(14 * 24 * 3600);

/// Of those that live for days only, this part of their life.
const SOON_PART: u32 = 4;

/// Where a certificate is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateFiles {
    /// PEM file with the certificates, the server's own first.
    pub chain: PathBuf,
    /// PEM file with its private key.
    pub private_key: PathBuf,
    /// The names that it is shown for; none: those that stand in it. `*` in the place of the first
    /// label stands for one label, as in certificates; alone, for all names that no other has.
    #[serde(default)]
    pub hosts: Vec<HostPattern>,
}

impl CertificateFiles {
    /// A certificate that is shown for the names in it.
    pub fn new(chain: impl Into<PathBuf>, private_key: impl Into<PathBuf>) -> Self {
        Self {
            chain: chain.into(),
            private_key: private_key.into(),
            hosts: Vec::new(),
        }
    }
}

/// A certificate that can be shown.
#[derive(Debug)]
pub(super) struct Certificate {
    key: Arc<CertifiedKey>,
    names: Vec<HostPattern>,
    from: SystemTime,
    until: SystemTime,
}

impl Certificate {
    /// Reads the files.
    pub(super) fn load(
        files: &CertificateFiles,
        provider: &CryptoProvider,
    ) -> Result<Self, TlsError> {
        let chain =
            read_chain(&files.chain).map_err(unreadable("the certificate", &files.chain))?;
        let key = PrivateKeyDer::from_pem_file(&files.private_key)
            .map_err(unreadable("the private key", &files.private_key))?;
        let own = chain.first().map_or(&[][..], AsRef::as_ref);
        let read = Parsed::read(own).map_err(|cause| TlsError::Parse {
            path: files.chain.clone(),
            cause,
        })?;
        let key = CertifiedKey::from_der(chain, key, provider).map_err(|cause| TlsError::Use {
            path: files.chain.clone(),
            cause,
        })?;
        let names = match &*files.hosts {
            [] => read.names,
            hosts => hosts.to_vec(),
        };
        Ok(Self {
            key: Arc::new(key),
            names,
            from: read.from,
            until: read.until,
        })
    }

    /// What is shown, and the key that proves it.
    pub(super) fn key(&self) -> &Arc<CertifiedKey> {
        &self.key
    }

    /// The names that it is shown for.
    pub(super) fn names(&self) -> &[HostPattern] {
        &self.names
    }

    /// The names, for people.
    pub(super) fn shown_names(&self) -> String {
        let names: Vec<_> = self.names.iter().map(ToString::to_string).collect();
        names.join(" ")
    }

    /// When it ends.
    pub(super) fn until(&self) -> SystemTime {
        self.until
    }

    /// Warns where no client will believe it, or soon none will.
    pub(super) fn warn_of_times(&self, now: SystemTime) {
        let (names, until) = (self.shown_names(), http_date(self.until));
        match self.age(now) {
            Age::Fresh => {}
            Age::Early => warn!(names, "a certificate is not valid yet"),
            Age::Soon => warn!(names, until, "a certificate ends soon"),
            Age::Over => warn!(names, until, "a certificate has ended"),
        }
    }

    fn age(&self, now: SystemTime) -> Age {
        if now < self.from {
            return Age::Early;
        }
        let life = self.until.duration_since(self.from).unwrap_or_default();
        match self.until.duration_since(now) {
            Err(_) => Age::Over,
            Ok(left) if left < SOON.min(life / SOON_PART) => Age::Soon,
            Ok(_) => Age::Fresh,
        }
    }
}

/// Where a certificate is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Age {
    Early,
    Fresh,
    Soon,
    Over,
}

fn http_date(time: SystemTime) -> String {
    httpdate::fmt_http_date(time)
}

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, pem::Error> {
    let chain: Vec<_> = CertificateDer::pem_file_iter(path)?.collect::<Result<_, _>>()?;
    match chain.is_empty() {
        true => Err(pem::Error::NoItemsFound),
        false => Ok(chain),
    }
}

fn unreadable(purpose: &'static str, path: &Path) -> impl FnOnce(pem::Error) -> TlsError {
    let path = path.to_owned();
    move |cause| TlsError::Read {
        purpose,
        path,
        cause,
    }
}

/// What stands in a certificate.
#[derive(Debug)]
pub(super) struct Parsed {
    /// Its names in DNS.
    pub(super) names: Vec<HostPattern>,
    from: SystemTime,
    until: SystemTime,
}

impl Parsed {
    /// Reads DER.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, der::Error> {
        // `Raw` takes serial numbers and times that older authorities made.
        let certificate = CertificateInner::<Raw>::from_der(bytes)?;
        let certificate = certificate.tbs_certificate();
        let names = certificate.get_extension::<SubjectAltName>()?;
        let names = names.map(|(_, names)| names.0).unwrap_or_default();
        let host = |name: &GeneralName| match name {
            GeneralName::DnsName(name) => HostPattern::parse(name.as_str()).ok(),
            _ => None,
        };
        let validity = certificate.validity();
        Ok(Self {
            names: names.iter().filter_map(host).collect(),
            from: validity.not_before.to_system_time(),
            until: validity.not_after.to_system_time(),
        })
    }
}

#[cfg(test)]
mod tests {
    use rustls::crypto::ring;

    use super::super::testing::{Authority, LIFE, begin};
    use super::*;

    fn load(files: &CertificateFiles) -> Certificate {
        Certificate::load(files, &ring::default_provider()).unwrap()
    }

    #[test]
    fn its_names_are_its_own_unless_others_are_listed() {
        let folder = tempfile::tempdir().unwrap();
        let names = ["a.example", "*.b.example", "192.0.2.1"];
        let mut files = Authority::make().issue(folder.path(), "one", &names);
        assert_eq!(load(&files).shown_names(), "a.example *.b.example");
        files.hosts = vec![HostPattern::parse("C.example.").unwrap()];
        assert_eq!(load(&files).shown_names(), "c.example");
    }

    #[test]
    fn its_life_is_told_in_time() {
        let folder = tempfile::tempdir().unwrap();
        let files = Authority::make().issue(folder.path(), "one", &["a.example"]);
        let mut certificate = load(&files);
        assert_eq!(certificate.until().duration_since(begin()).unwrap(), LIFE);
        let (begin, end) = (begin(), begin() + LIFE);
        let second = Duration::from_secs(1);
        for (now, age) in [
            (begin - second, Age::Early),
            (begin, Age::Fresh),
            (end - SOON, Age::Fresh),
            (end - SOON + second, Age::Soon),
            (end, Age::Soon),
            (end + second, Age::Over),
        ] {
            assert_eq!(certificate.age(now), age);
        }
        certificate.from = end - Duration::from_secs(6 * 24 * 3600);
        assert_eq!(certificate.age(end - 2 * 24 * 3600 * second), Age::Fresh);
        assert_eq!(certificate.age(end - 24 * 3600 * second), Age::Soon);
    }
}
