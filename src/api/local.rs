//! Whether a request comes from this machine, and from a program rather than a web page.
//!
//! A page in a browser of this machine cannot send a DELETE to another origin without asking first
//! (a preflight), which is never granted here. What it can do is make its own host name lead to
//! 127.0.0.1 and so be of this origin; then the Host header names that host. So a host that is a
//! name, other than localhost, is refused.

use std::net::IpAddr;

use axum::http::{HeaderMap, Uri, header};

use crate::http::port::Peer;

/// Whether the peer may change something.
///
/// # Errors
/// Why not, in one sentence.
pub(super) fn check(peer: Peer, uri: &Uri, headers: &HeaderMap) -> Result<(), &'static str> {
    if !peer.0.ip().to_canonical().is_loopback() {
        return Err("only a program on the server's own machine may do this");
    }
    let host = uri
        .authority()
        .map(|authority| authority.as_str())
        .or_else(|| {
            headers
                .get(header::HOST)
                .map(|host| host.to_str().unwrap_or("?"))
        });
    if host.is_none_or(is_plain) {
        Ok(())
    } else {
        Err("the Host must be an address or localhost, so that no web page can do this")
    }
}

/// Whether a host (with or without a port) is an address or localhost.
fn is_plain(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn allowed(peer: &str, host: Option<&'static str>) -> bool {
        let mut headers = HeaderMap::new();
        if let Some(host) = host {
            headers.insert(header::HOST, HeaderValue::from_static(host));
        }
        let peer = Peer(peer.parse().unwrap());
        check(peer, &Uri::from_static("/cache"), &headers).is_ok()
    }

    #[test]
    fn only_this_machine_and_no_web_page() {
        for peer in [
            "127.0.0.1:1",
            "127.9.9.9:1",
            "[::1]:1",
            "[::ffff:127.0.0.1]:1",
        ] {
            assert!(allowed(peer, Some("127.0.0.1:8081")), "{peer}");
        }
        for peer in ["10.0.0.1:1", "[2001:db8::1]:1", "[::ffff:10.0.0.1]:1"] {
            assert!(!allowed(peer, Some("127.0.0.1:8081")), "{peer}");
        }
        for host in [
            "localhost",
            "LocalHost:8081",
            "[::1]:8081",
            "[::1]",
            "10.0.0.1",
        ] {
            assert!(allowed("127.0.0.1:1", Some(host)), "{host}");
        }
        for host in [
            "evil.example:8081",
            "localhost.evil.example",
            "",
            "127.0.0.1.evil.example",
        ] {
            assert!(!allowed("127.0.0.1:1", Some(host)), "{host}");
        }
        assert!(allowed("127.0.0.1:1", None), "HTTP/1.0 without a Host");
    }
}
