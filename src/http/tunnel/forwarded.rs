//! Whom a request is from, where a proxy stands before the server.
//!
//! Each proxy writes the address that it was asked from at the end of `X-Forwarded-For`. Only what a
//! trusted proxy wrote is believed: from the peer back, the first address that is no trusted proxy's
//! is the viewer's. What stands before it anybody may have made up.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;

use crate::net::proxy::TrustedProxies;

const HEADER: &str = "x-forwarded-for";

/// The viewer's address; without a port where a proxy told it.
pub(super) fn viewer(
    peer: SocketAddr,
    headers: &HeaderMap,
    trusted: &TrustedProxies,
) -> SocketAddr {
    if !trusted.contains(peer.ip()) {
        return peer;
    }
    let lines = headers.get_all(HEADER).into_iter().rev();
    let told = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
    let mut viewer = peer;
    for address in told {
        let Some(address) = parse(address) else {
            break;
        };
        viewer = SocketAddr::new(address, 0);
        if !trusted.contains(address) {
            break;
        }
    }
    viewer
}

/// An address, alone or with a port.
fn parse(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?.trim();
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let alone = bare.unwrap_or(text).parse();
    let address = alone.or_else(|_| text.parse().map(|address: SocketAddr| address.ip()));
    address.ok().map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn told(peer: &str, lines: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(HEADER, HeaderValue::from_str(line).unwrap());
        }
        let tens = vec!["10.0.0.0/8".to_owned()].try_into().unwrap();
        viewer(peer.parse().unwrap(), &headers, &tens).to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        assert_eq!(told("192.0.2.1:5", &["198.51.100.1"]), "192.0.2.1:5");
        assert_eq!(told("10.0.0.1:5", &[]), "10.0.0.1:5");
        assert_eq!(told("10.0.0.1:5", &["198.51.100.1"]), "198.51.100.1:0");
        let forged = "203.0.113.9, 198.51.100.1 ,10.0.0.2";
        assert_eq!(told("10.0.0.1:5", &[forged]), "198.51.100.1:0");
        let lines = ["203.0.113.9", "198.51.100.1", "10.0.0.2, 10.0.0.3"];
        assert_eq!(told("10.0.0.1:5", &lines), "198.51.100.1:0");
        assert_eq!(told("10.0.0.1:5", &["10.0.0.3, 10.0.0.2"]), "10.0.0.3:0");
    }

    #[test]
    fn addresses_of_every_form() {
        for (line, address) in [
            ("198.51.100.1:4711", "198.51.100.1:0"),
            ("2001:db8::1", "[2001:db8::1]:0"),
            ("[2001:db8::1]", "[2001:db8::1]:0"),
            ("[2001:db8::1]:4711", "[2001:db8::1]:0"),
            ("::ffff:198.51.100.1", "198.51.100.1:0"),
        ] {
            assert_eq!(told("10.0.0.1:5", &[line]), address, "{line}");
        }
        // What cannot be read hides whoever is behind it.
        for line in [
            "198.51.100.1, unknown",
            "198.51.100.1,",
            "198.51.100.1, 1.2.3",
        ] {
            assert_eq!(told("10.0.0.1:5", &[line]), "10.0.0.1:5", "{line}");
        }
        assert_eq!(told("10.0.0.1:5", &["_x, 10.0.0.4"]), "10.0.0.4:0");
    }
}
