//! Host names, and the patterns of them that a distribution answers to (cloudfront.md 1.5).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::DistributionError;

/// The longest host name, in bytes (RFC 1035, section 2.3.4).
const LONGEST_HOST: usize = 253;

/// The longest label of a host name, in bytes (RFC 1035, section 2.3.4).
const LONGEST_LABEL: usize = 63;

/// A host name, or many.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum HostPattern {
    /// This name: lowercase, no port, no trailing dot.
    Exact(String),
    /// Every name that ends in a dot and this one: `*.example.com` is kept as `example.com`.
    Wildcard(String),
    /// Every name and address.
    Any,
}

impl HostPattern {
    /// Reads `name`, `*.name` or `*`; case and a trailing dot do not matter.
    ///
    /// # Errors
    /// [`DistributionError::Host`].
    pub fn parse(text: &str) -> Result<Self, DistributionError> {
        let lower = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        if text == "*" {
            return Ok(Self::Any);
        }
        let (name, pattern): (&str, fn(String) -> Self) = match lower.strip_prefix("*.") {
            Some(name) => (name, Self::Wildcard),
            None => (&lower, Self::Exact),
        };
        if is_host(name) {
            Ok(pattern(name.to_owned()))
        } else {
            Err(DistributionError::Host(text.to_owned()))
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => f.write_str(name),
            Self::Wildcard(parent) => write!(f, "*.{parent}"),
            Self::Any => f.write_str("*"),
        }
    }
}

impl TryFrom<String> for HostPattern {
    type Error = DistributionError;

    fn try_from(text: String) -> Result<Self, DistributionError> {
        Self::parse(&text)
    }
}

impl From<HostPattern> for String {
    fn from(pattern: HostPattern) -> Self {
        pattern.to_string()
    }
}

/// Whether `name` is a host name or an address: labels of letters, digits, `-` and `_`, or an
/// IPv6 address.
fn is_host(name: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= LONGEST_LABEL
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    name.parse::<std::net::Ipv6Addr>().is_ok()
        || (name.len() <= LONGEST_HOST && name.split('.').all(label))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_kept_in_one_form() {
        let exact = HostPattern::parse("Media.Example.COM.").unwrap();
        assert_eq!(exact, HostPattern::Exact("media.example.com".into()));
        let wild = HostPattern::parse("*.Example.com").unwrap();
        assert_eq!(wild, HostPattern::Wildcard("example.com".into()));
        assert_eq!(wild.to_string(), "*.example.com");
        assert_eq!(HostPattern::parse("*").unwrap(), HostPattern::Any);
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for text in [
            "", ".", "*.", "*.*", "a..", "**", "a.*.b", "a*", "a b", "a/b", "a:1935", "a..b",
            "ü.de",
        ] {
            assert!(HostPattern::parse(text).is_err(), "{text:?}");
        }
        assert!(HostPattern::parse(&"a".repeat(64)).is_err());
        assert!(HostPattern::parse(&vec!["a"; 127].join(".")).is_ok());
        assert!(HostPattern::parse(&vec!["a"; 128].join(".")).is_err());
        assert!(HostPattern::parse("::1").is_ok());
    }
}
