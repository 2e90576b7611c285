//! The proxies that are believed.

use std::net::IpAddr;

use serde::Deserialize;

use crate::access::addresses::{Addresses, BadAddresses};

/// Addresses whose connections begin with a PROXY header: those of load balancers, never of
/// viewers, for whoever connects from one may give any address as their own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct TrustedProxies(Vec<Addresses>);

/// An entry that is no range of addresses. The operator is to blame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{entry:?}: {cause}")]
pub struct BadProxy {
    entry: String,
    cause: BadAddresses,
}

impl TrustedProxies {
    /// Whether connections from this address begin with a header. An IPv4 address is the same
    /// where an IPv6 socket shows it (`::ffff:192.0.2.1`).
    pub fn contains(&self, peer: IpAddr) -> bool {
        self.0.iter().any(|range| range.admit(peer))
    }
}

impl TryFrom<Vec<String>> for TrustedProxies {
    type Error = BadProxy;

    fn try_from(entries: Vec<String>) -> Result<Self, BadProxy> {
        let range = |entry: String| match entry.parse() {
            Ok(range) => Ok(range),
            Err(cause) => Err(BadProxy { entry, cause }),
        };
        entries
            .into_iter()
            .map(range)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(entries: &[&str]) -> Result<TrustedProxies, BadProxy> {
        let entries: Vec<_> = entries.iter().map(ToString::to_string).collect();
        entries.try_into()
    }

    #[test]
    fn listed_addresses_and_no_others() {
        let listed = list(&["10.0.0.0/8", "::1"]).unwrap();
        for (peer, is_listed) in [
            ("10.9.8.7", true),
            ("::ffff:10.9.8.7", true),
            ("11.0.0.1", false),
            ("::1", true),
            ("::2", false),
            ("127.0.0.1", false),
        ] {
            assert_eq!(listed.contains(peer.parse().unwrap()), is_listed, "{peer}");
        }
        let nobody = TrustedProxies::default();
        assert!(!nobody.contains(IpAddr::from([127, 0, 0, 1])));
    }

    #[test]
    fn what_is_no_address_is_named() {
        let said = list(&["::1", "balancer.example"]).unwrap_err().to_string();
        assert!(
            said.starts_with("\"balancer.example\": the address must"),
            "{said}"
        );
    }
}
