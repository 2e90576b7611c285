//! Where the API is: a URL, or an address as `--api` of `serve` takes it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// `http://HOST:PORT` or `https://HOST:PORT`, without a slash at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Address(String);

impl Address {
    /// What a path is put behind.
    pub(in crate::cli) fn base(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // What a server listens on is where it can be reached from this machine.
        if let Ok(address) = text.parse::<SocketAddr>() {
            let ip = match address.ip() {
                ip if !ip.is_unspecified() => ip,
                IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            };
            return Ok(Self(format!(
                "http://{}",
                SocketAddr::new(ip, address.port())
            )));
        }
        let told = || format!("{text:?} is neither http(s)://HOST[:PORT] nor HOST:PORT");
        if !text.contains("://") && text.contains(':') {
            return format!("http://{text}").parse().map_err(|_| told());
        }
        let (scheme, rest) = text.split_once("://").ok_or_else(told)?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let sound = matches!(scheme, "http" | "https")
            && !rest.is_empty()
            && !rest.contains(|c: char| c.is_whitespace() || "/?#@".contains(c));
        sound
            .then(|| Self(format!("{scheme}://{rest}")))
            .ok_or_else(told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_or_what_a_server_listens_on() {
        let read = |text: &str| text.parse::<Address>().map(|address| address.0);
        for (text, expected) in [
            ("http://a.example:8081", "http://a.example:8081"),
            ("https://a.example/", "https://a.example"),
            ("127.0.0.1:8081", "http://127.0.0.1:8081"),
            ("localhost:8081", "http://localhost:8081"),
            ("0.0.0.0:1", "http://127.0.0.1:1"),
            ("[::]:1", "http://[::1]:1"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(expected), "{text}");
        }
        for text in [
            "",
            "a.example",
            "8081",
            "ftp://a",
            "http://",
            "http://a/b",
            "http://a b",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
