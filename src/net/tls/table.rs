//! Which certificate is shown to whom.

use std::collections::HashMap;
use std::sync::Arc;

use rustls::SignatureScheme;
use rustls::sign::CertifiedKey;

use super::certificate::Certificate;
use super::follow::Followed;
use crate::distribution::host::HostPattern;

/// Certificates for one name: several where their keys are of several kinds.
type Shelf = Vec<Arc<CertifiedKey>>;

/// All certificates by name.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// For names, lowercase.
    exact: HashMap<String, Shelf>,
    /// For names with one more label in front. A wildcard of certificates goes no deeper (RFC
    /// 6125, section 6.4.3), other than that of a distribution.
    wildcard: HashMap<String, Shelf>,
    /// For all others.
    rest: Shelf,
}

impl Table {
    /// The table of these.
    pub(super) fn of(followed: &[Followed]) -> Self {
        Self::new(followed.iter().map(Followed::certificate))
    }

    /// The first one is for all names that none has, unless some are for `*`.
    fn new<'a>(certificates: impl Iterator<Item = &'a Arc<Certificate>>) -> Self {
        let mut table = Self::default();
        let mut first = None;
        for certificate in certificates {
            let key = certificate.key();
            first.get_or_insert(key);
            for name in certificate.names() {
                let shelf = match name.clone() {
                    HostPattern::Exact(name) => table.exact.entry(name).or_default(),
                    HostPattern::Wildcard(parent) => table.wildcard.entry(parent).or_default(),
                    HostPattern::Any => &mut table.rest,
                };
                shelf.push(Arc::clone(key));
            }
        }
        if table.rest.is_empty() {
            table.rest.extend(first.cloned());
        }
        table
    }

    /// The certificate for who asks for this name, in lowercase, and can verify these signatures.
    pub(super) fn choose(
        &self,
        name: Option<&str>,
        schemes: &[SignatureScheme],
    ) -> Option<Arc<CertifiedKey>> {
        let shelf = name.and_then(|name| self.named(name)).unwrap_or(&self.rest);
        let usable = |key: &&Arc<CertifiedKey>| key.key.choose_scheme(schemes).is_some();
        shelf.iter().find(usable).or(shelf.first()).cloned()
    }

    fn named(&self, name: &str) -> Option<&Shelf> {
        self.exact.get(name).or_else(|| {
            let (_, parent) = name.split_once('.')?;
            self.wildcard.get(parent)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rustls::SignatureScheme::{ECDSA_NISTP256_SHA256, ED25519};
    use rustls::crypto::ring;

    use super::super::testing::Authority;
    use super::*;

    fn load(
        folder: &Path,
        name: &str,
        kind: &'static rcgen::SignatureAlgorithm,
    ) -> Arc<Certificate> {
        let mut files = Authority::make().issue_with(folder, name, &["a.example"], kind);
        if name == "any" {
            files.hosts = vec![HostPattern::Any];
        }
        Arc::new(Certificate::load(&files, &ring::default_provider()).unwrap())
    }

    #[test]
    fn of_two_kinds_the_one_that_the_client_can_verify_is_shown() {
        let folder = tempfile::tempdir().unwrap();
        let ecdsa = load(folder.path(), "ecdsa", &rcgen::PKCS_ECDSA_P256_SHA256);
        let ed = load(folder.path(), "ed", &rcgen::PKCS_ED25519);
        let table = Table::new([&ecdsa, &ed].into_iter());
        let shown = |schemes: &[_]| table.choose(Some("a.example"), schemes).unwrap();
        assert!(Arc::ptr_eq(
            &shown(&[ECDSA_NISTP256_SHA256, ED25519]),
            ecdsa.key()
        ));
        assert!(Arc::ptr_eq(&shown(&[ED25519]), ed.key()));
        // The handshake then says why it fails.
        assert!(Arc::ptr_eq(&shown(&[]), ecdsa.key()));
    }

    #[test]
    fn one_for_all_names_goes_before_the_first_one() {
        let folder = tempfile::tempdir().unwrap();
        let first = load(folder.path(), "first", &rcgen::PKCS_ED25519);
        let any = load(folder.path(), "any", &rcgen::PKCS_ED25519);
        let table = Table::new([&first, &any].into_iter());
        for (name, shown) in [(Some("a.example"), &first), (Some("b"), &any), (None, &any)] {
            assert!(Arc::ptr_eq(
                &table.choose(name, &[ED25519]).unwrap(),
                shown.key()
            ));
        }
        assert!(Table::default().choose(None, &[]).is_none());
    }
}
