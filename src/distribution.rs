//! Distributions: the link from an origin to the names that viewers connect to. Pure.
//!
//! This is the model and its rules: what a distribution is, which host names it answers to, and
//! what may not stand side by side (cloudfront.md, sections 1.2 and 1.5). Which distribution a
//! connection gets is decided by the catalog, from these.

// Pure code that reads what viewers and files control: what could panic does not compile.
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation
    )
)]

use std::collections::HashSet;
use std::num::{NonZeroU32, NonZeroU64};
use std::time::Duration;

use crate::distribution::host::HostPattern;
use crate::distribution::streaming::Logging;

pub mod account;
pub mod bucket;
pub mod host;
pub mod origin;
pub mod record;
pub mod streaming;

pub use account::AccountId;
pub use origin::{Access, Keys, OriginSpec, S3Bucket};
pub use streaming::{Signer, StreamingConfig};

/// The application that CloudFront's streaming distributions had: application `cfx`, instance `st`.
pub const DEFAULT_APP: &str = "cfx/st";

/// How long an object is believed to be what it was, unless it says so itself (cloudfront.md,
/// section 6).
pub const DEFAULT_TTL: Duration = Duration::from_secs(24 * 3600);

/// What generated domain names end in until a suffix is configured.
pub const DEFAULT_SUFFIX: &str = "streamfront.localhost";

/// The longest id, in bytes: ids become parts of file names and cache keys.
const LONGEST_ID: usize = 64;

/// The longest application name, in bytes; it has to fit into a short AMF string with room to
/// spare.
const LONGEST_APP: usize = 256;

/// What a distribution is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Plays over RTMP.
    Streaming,
    /// Gives files over HTTP; a player that connects to it by RTMP gets DistributionTypeMismatch.
    Download,
}

/// One distribution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distribution {
    /// Its id: letters, digits, `-` and `_`.
    pub id: String,
    /// What it is for.
    pub kind: Kind,
    /// Its own name, lowercase. Unique.
    pub domain_name: String,
    /// Further names that it answers to (CNAMEs). Each belongs to one distribution only.
    pub aliases: Vec<HostPattern>,
    /// Whether viewers are let in.
    pub enabled: bool,
    /// Where its objects are.
    pub origin: OriginSpec,
    /// The applications that may be connected to, `app/instance`, without slashes at the ends.
    pub apps: Vec<String>,
    /// RTMP connections at once; none: no limit of its own.
    pub max_connections: Option<NonZeroU32>,
    /// Bytes a second that one viewer may be sent; none: no cap.
    pub max_rate: Option<NonZeroU64>,
    /// Whether players may connect by RTMPE.
    pub encrypted: bool,
    /// How long an object is believed to be what it was, unless it says so itself; `None`: the
    /// origin is asked at each play.
    pub ttl: Option<Duration>,
    /// Who may sign names; where there is anybody, every name must be signed.
    pub trusted_signers: Vec<Signer>,
    /// Where its access logs go, if anywhere.
    pub logging: Option<Logging>,
}

impl Distribution {
    /// An enabled streaming distribution with application [`DEFAULT_APP`] and a generated name.
    pub fn new(id: impl Into<String>, origin: OriginSpec) -> Self {
        let id = id.into();
        Self {
            kind: Kind::Streaming,
            domain_name: format!("{}.{DEFAULT_SUFFIX}", id.to_ascii_lowercase()),
            aliases: Vec::new(),
            enabled: true,
            origin,
            apps: vec![DEFAULT_APP.to_owned()],
            max_connections: None,
            max_rate: None,
            encrypted: true,
            ttl: Some(DEFAULT_TTL),
            trusted_signers: Vec::new(),
            logging: None,
            id,
        }
    }

    /// The distribution of a server that was given a bucket and nothing else: any host, and the
    /// origin is asked at each play.
    pub fn default_for(origin: OriginSpec) -> Self {
        Self {
            aliases: vec![HostPattern::Any],
            ttl: None,
            ..Self::new("default", origin)
        }
    }

    /// Whether it holds what its fields promise.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn validate(&self) -> Result<(), DistributionError> {
        let id = &self.id;
        let sound = !id.is_empty()
            && id.len() <= LONGEST_ID
            && id
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if !sound {
            return Err(DistributionError::Id(id.clone()));
        }
        match HostPattern::parse(&self.domain_name) {
            Ok(HostPattern::Exact(name)) if name == self.domain_name => {}
            _ => return Err(DistributionError::Host(self.domain_name.clone())),
        }
        if self.apps.is_empty() {
            return Err(DistributionError::NoApp(id.clone()));
        }
        self.apps.iter().try_for_each(|app| check_app(app))
    }
}

/// Whether `app` can be an application name: not empty, no empty part, no control character.
fn check_app(app: &str) -> Result<(), DistributionError> {
    let sound = app.len() <= LONGEST_APP
        && !app.contains(['?', '&', ':'])
        && !app.chars().any(char::is_control)
        && app.split('/').all(|part| !part.is_empty());
    if sound {
        Ok(())
    } else {
        Err(DistributionError::App(app.to_owned()))
    }
}

/// Whether `all` may be served side by side: each sound, no id twice, no name twice.
///
/// # Errors
/// The first rule that is broken.
pub fn validate(all: &[Distribution]) -> Result<(), DistributionError> {
    let mut ids = HashSet::new();
    let mut names = HashSet::new();
    for distribution in all {
        distribution.validate()?;
        // Compared without case: the generated domain name is lowercase.
        if !ids.insert(distribution.id.to_ascii_lowercase()) {
            return Err(DistributionError::IdTwice(distribution.id.clone()));
        }
        let own = HostPattern::Exact(distribution.domain_name.clone());
        for name in std::iter::once(&own).chain(&distribution.aliases) {
            if !names.insert(name.clone()) {
                return Err(DistributionError::HostTwice(name.to_string()));
            }
        }
    }
    Ok(())
}

/// What is wrong with a distribution. The operator is to blame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DistributionError {
    /// The id has other characters than letters, digits, `-` and `_`, or is empty or too long.
    #[error("the id {0:?} must be 1 to 64 letters, digits, - or _")]
    Id(String),
    /// Its logs go to no bucket.
    #[error("{0}")]
    Logging(String),
    /// Two distributions have one id.
    #[error("there are two distributions with the id {0}")]
    IdTwice(String),
    /// Not a host name, nor `*.` and a host name, nor `*`.
    #[error("{0:?} is not a host name")]
    Host(String),
    /// A name that two distributions, or one twice, answer to.
    #[error("the host {0} is given twice; a name can belong to one distribution only")]
    HostTwice(String),
    /// No application at all.
    #[error("distribution {0} has no application")]
    NoApp(String),
    /// Not an application name.
    #[error("{0:?} is not an application name such as cfx/st")]
    App(String),
    /// Not a signer.
    #[error("the trusted signer {0:?} is neither \"self\" nor an account number of 12 digits")]
    Signer(String),
    /// Not a bucket or a directory.
    #[error("the bucket {0:?} is neither s3://NAME, nor s3://NAME/PREFIX, nor a directory")]
    Bucket(String),
    /// Not an address of an S3 server.
    #[error("the endpoint {0:?} must start with http:// or https://")]
    Endpoint(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn distribution(id: &str, hosts: &[&str]) -> Distribution {
        Distribution {
            aliases: hosts
                .iter()
                .map(|host| HostPattern::parse(host).unwrap())
                .collect(),
            ..Distribution::new(id, OriginSpec::parse("media").unwrap())
        }
    }

    #[test]
    fn the_default_answers_any_host() {
        let it = Distribution::default_for(OriginSpec::parse("s3://b").unwrap());
        assert_eq!(validate(std::slice::from_ref(&it)), Ok(()));
        assert_eq!(it.aliases, [HostPattern::Any]);
        assert_eq!(it.domain_name, "default.streamfront.localhost");
        assert_eq!(it.apps, ["cfx/st"]);
    }

    #[test]
    fn a_name_belongs_to_one_distribution() {
        let a = distribution("a", &["media.example.com", "*.example.com"]);
        let b = distribution("b", &["Media.Example.com."]);
        assert_eq!(
            validate(&[a.clone(), b]),
            Err(DistributionError::HostTwice("media.example.com".into()))
        );
        let own = distribution("b", &["a.streamfront.localhost"]);
        assert!(validate(&[a.clone(), own]).is_err());
        assert_eq!(
            validate(&[a.clone(), distribution("b", &["www.example.com"])]),
            Ok(())
        );
        assert_eq!(
            validate(&[a, distribution("A", &[])]),
            Err(DistributionError::IdTwice("A".into()))
        );
    }

    #[test]
    fn ids_and_apps_are_checked() {
        for id in ["", "a/b", "..", "a b", &"x".repeat(65)] {
            assert!(distribution(id, &[]).validate().is_err(), "{id:?}");
        }
        for app in ["", "/cfx", "cfx/", "a//b", "a?b", "mp4:a"] {
            let mut it = distribution("a", &[]);
            it.apps = vec![app.to_owned()];
            assert_eq!(it.validate(), Err(DistributionError::App(app.into())));
        }
        let mut it = distribution("a", &[]);
        it.apps.clear();
        assert!(it.validate().is_err());
    }
}
