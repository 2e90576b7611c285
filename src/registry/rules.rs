//! What the rules take from the server's settings.

use std::collections::HashSet;

use crate::distribution::host::HostPattern;
use crate::distribution::{AccountId, DEFAULT_SUFFIX};
use crate::store::Kind;

/// What the rules take from the server's settings.
#[derive(Debug, Clone)]
pub struct Rules {
    /// How many of each kind an account may have.
    pub quotas: Quotas,
    /// Accounts that exist because the configuration file has an access key or a public key of
    /// theirs. One that owns something exists too.
    pub accounts: HashSet<AccountId>,
    /// Suffixes of configured S3 servers: see [`crate::distribution::bucket::BucketDomain::parse`].
    pub suffixes: Vec<String>,
    /// What generated domain names end in, without a dot at the start.
    pub domain_suffix: String,
    /// Names of the configuration file's distributions, download ones included.
    pub taken: HashSet<HostPattern>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            quotas: Quotas::default(),
            accounts: HashSet::new(),
            suffixes: Vec::new(),
            domain_suffix: DEFAULT_SUFFIX.to_owned(),
            taken: HashSet::new(),
        }
    }
}

/// How many of each kind an account may have. Distributions of the configuration file do not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the kinds say it")]
pub struct Quotas {
    pub streaming: usize,
    pub identities: usize,
    pub public_keys: usize,
    pub key_groups: usize,
}

impl Default for Quotas {
    /// CloudFront's hundred distributions and identities (cloudfront.md, section 6); the tens are
    /// our choice, as two keys of an account count.
    fn default() -> Self {
        Self {
            streaming: 100,
            identities: 100,
            public_keys: 10,
            key_groups: 10,
        }
    }
}

impl Quotas {
    pub(super) fn of(&self, kind: Kind) -> usize {
        match kind {
            Kind::Streaming => self.streaming,
            Kind::Identity => self.identities,
            Kind::PublicKey => self.public_keys,
            Kind::KeyGroup => self.key_groups,
        }
    }
}
