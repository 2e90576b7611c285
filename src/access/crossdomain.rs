//! Cross-domain policies: `crossdomain.xml`, as Adobe's "Cross Domain Policy File Specification"
//! describes it (spec/cloudfront.md, section 2).
//!
//! Only what decides about a host is read: `allow-access-from` and a `site-control` that permits
//! none. Ports, headers and certificates mean nothing to a stream. A file that cannot be read
//! admits nobody: whoever wrote it wanted to restrict.

use std::net::Ipv6Addr;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// Domains of one file; a longer list is read so far.
const DOMAINS_MAX: usize = 10_000;

/// Whom a cross-domain policy admits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    domains: Vec<Domain>,
}

/// Whom one `allow-access-from` admits.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Domain {
    /// Everybody.
    Any,
    /// This host, lowercase.
    Exact(String),
    /// This host and all below it: `*.example.com` admits `example.com` too.
    Below(String),
}

impl Policy {
    /// Reads the file; what cannot be read admits nobody.
    pub fn parse(file: &[u8]) -> Self {
        Self {
            domains: domains(file).unwrap_or_default(),
        }
    }

    /// Whether it admits everybody: then nothing needs to be looked at.
    pub fn is_open(&self) -> bool {
        self.domains.contains(&Domain::Any)
    }

    /// Whether it admits what was loaded from this URL. A URL without a host (`file:`, `app:`) is
    /// admitted by `*` alone.
    pub fn admits_url(&self, url: &str) -> bool {
        self.is_open() || host(url).is_some_and(|host| self.admits(&host))
    }

    fn admits(&self, host: &str) -> bool {
        self.domains.iter().any(|domain| match domain {
            Domain::Any => true,
            Domain::Exact(name) => host == name,
            Domain::Below(parent) => host
                .strip_suffix(parent.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.')),
        })
    }
}

/// The domains of a file. `None`: it is no policy, or it is broken.
fn domains(file: &[u8]) -> Option<Vec<Domain>> {
    let mut reader = Reader::from_reader(file);
    let mut domains = Vec::new();
    let mut depth = 0_usize;
    let mut seen_root = false;
    loop {
        let event = reader.read_event().ok()?;
        let (element, opens) = match &event {
            Event::Start(element) => (element, true),
            Event::Empty(element) => (element, false),
            Event::End(_) => {
                depth = depth.checked_sub(1)?;
                continue;
            }
            Event::Eof => return (seen_root && depth == 0).then_some(domains),
            _ => continue,
        };
        match (depth, element.local_name().as_ref()) {
            (0, "cross-domain-policy") if !seen_root => seen_root = true,
            (0, _) => return None,
            (1, "allow-access-from") if domains.len() < DOMAINS_MAX => {
                domains.extend(attribute(element, "domain")?.and_then(|it| Domain::parse(&it)));
            }
            (1, "site-control") => {
                let permitted = attribute(element, "permitted-cross-domain-policies")?;
                if permitted.as_deref() == Some("none") {
                    return Some(Vec::new());
                }
            }
            _ => {}
        }
        if opens {
            depth = depth.saturating_add(1);
        }
    }
}

/// An attribute's value; the outer `None`: the element is broken.
fn attribute(element: &BytesStart<'_>, name: &str) -> Option<Option<String>> {
    for attribute in element.attributes() {
        let attribute = attribute.ok()?;
        if attribute.key.as_ref() == name {
            return Some(Some(attribute.value.into_owned()));
        }
    }
    Some(None)
}

impl Domain {
    /// `*`, `*.NAME`, a name or an address; anything else admits nobody.
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        if text == "*" {
            return Some(Self::Any);
        }
        let (name, make): (&str, fn(String) -> Self) = match text.strip_prefix("*.") {
            Some(parent) => (parent, Self::Below),
            None => (&text, Self::Exact),
        };
        let name = name.strip_suffix('.').unwrap_or(name);
        let sound = !name.is_empty() && !name.contains(['*', '/', '@']);
        sound.then(|| make(name.to_owned()))
    }
}

/// The host of an `http` or `https` URL, lowercase, without port and trailing dot.
fn host(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return None;
    }
    // Browsers read a backslash as a slash.
    let authority = rest.split(['/', '?', '#', '\\']).next()?;
    let place = authority.rsplit('@').next()?;
    if let Some(bracketed) = place.strip_prefix('[') {
        let (address, _) = bracketed.split_once(']')?;
        return address.parse::<Ipv6Addr>().ok().map(|it| it.to_string());
    }
    let name = place.split(':').next()?;
    let name = name.strip_suffix('.').unwrap_or(name);
    (!name.is_empty()).then(|| name.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEAD: &str = "<?xml version=\"1.0\"?>\n<!DOCTYPE cross-domain-policy SYSTEM \
        \"http://www.adobe.com/xml/dtds/cross-domain-policy.dtd\">\n<cross-domain-policy>";

    fn policy(inner: &str) -> Policy {
        Policy::parse(format!("{HEAD}{inner}</cross-domain-policy>").as_bytes())
    }

    #[test]
    fn the_default_admits_all() {
        let default = Policy::parse(include_bytes!("../../crossdomain/default.xml"));
        assert!(default.is_open());
        assert!(default.admits_url("file:///x.swf"));
    }

    #[test]
    fn names_and_names_below() {
        let it = policy(
            "<allow-access-from domain=\"www.example.com\"/>\
             <allow-access-from domain=\" *.Example.ORG \" secure=\"false\"></allow-access-from>\
             <allow-access-from domain=\"10.0.0.1\" to-ports=\"80\"/>",
        );
        assert!(!it.is_open());
        for url in [
            "http://www.example.com/player.swf",
            "HTTPS://WWW.EXAMPLE.COM.:8443/a?b",
            "http://user@www.example.com/",
            "http://example.org/",
            "http://a.b.example.org",
            "http://10.0.0.1/x",
        ] {
            assert!(it.admits_url(url), "{url}");
        }
        for url in [
            "http://example.com/",
            "http://xwww.example.com/",
            "http://www.example.com.evil.net/",
            "http://evilexample.org/",
            "http://evil.net/www.example.com",
            "http://evil.net\\@www.example.com/",
            "http://www.example.com@evil.net/",
            "http://evil.net/?http://www.example.com",
            "rtmp://www.example.com/",
            "www.example.com",
            "file:///www.example.com",
            "",
            "http://",
        ] {
            assert!(!it.admits_url(url), "{url}");
        }
    }

    #[test]
    fn what_admits_nobody() {
        let nobody = Policy { domains: vec![] };
        assert_eq!(policy(""), nobody);
        assert_eq!(policy("<!-- <allow-access-from domain=\"*\"/> -->"), nobody);
        assert_eq!(policy("<x><allow-access-from domain=\"*\"/></x>"), nobody);
        assert_eq!(policy("<allow-access-from domain=\"*\"/><broken"), nobody);
        let none = "<allow-access-from domain=\"*\"/>\
            <site-control permitted-cross-domain-policies=\"none\"/>";
        assert_eq!(policy(none), nobody);
        assert_eq!(policy("<allow-access-from domain=\"a*\"/>"), nobody);
        for file in ["", "no xml", "<other/>", "<cross-domain-policy>"] {
            assert_eq!(Policy::parse(file.as_bytes()), nobody, "{file}");
        }
    }

    proptest! {
        #[test]
        fn no_file_is_a_surprise(file: Vec<u8>, url in "\\PC{0,60}") {
            let _ = Policy::parse(&file).admits_url(&url);
        }

        #[test]
        fn only_what_ends_in_the_domain_is_admitted(host in "[a-z.-]{1,20}") {
            let it = policy("<allow-access-from domain=\"*.b.c\"/>");
            let expected = host.trim_end_matches('.') == "b.c"
                || host.strip_suffix('.').unwrap_or(&host).ends_with(".b.c");
            let host = format!("http://{host}/");
            prop_assume!(!host.contains("..") && !host.contains("//."));
            prop_assert_eq!(it.admits_url(&host), expected);
        }
    }
}
