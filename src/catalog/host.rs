//! Hosts and applications: which distribution a player means when it connects.
//!
//! Pure. On port 1935 the only sign of the distribution is the host in `tcUrl`
//! ([`ConnectTarget`]); names, wildcards and a default lead from it to whatever the caller keeps
//! there ([`HostTable`]). Spec/cloudfront.md, sections 1.2 and 1.5 to 1.7.

use std::collections::HashMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::rtmp::status::Rejection;

/// The application of a streaming distribution, as CloudFront named it: `cfx`, instance `st`.
pub const DEFAULT_APP: &str = "cfx/st";

/// The instance that a player names when it names none: accepted after any application.
const DEFAULT_INSTANCE: &str = "_definst_";

/// The longest name that DNS can carry, in bytes.
const HOST_BYTES_MAX: usize = 253;

/// The address schemes of RTMP and its variants.
const SCHEMES: [&str; 6] = ["rtmp", "rtmpe", "rtmpt", "rtmpte", "rtmps", "rtmpts"];

/// What a `connect` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectTarget {
    /// The host, as [`canonical_host`] writes it; empty when the player sent no `tcUrl`, which
    /// only the default of a [`HostTable`] matches.
    pub host: String,
    /// The configured application that was asked for.
    pub app: String,
    /// What the player put into the application name beyond it: a part of the stream name
    /// ([`super::name::StreamName::parse`]), or nothing.
    pub folder: String,
    /// The query of the application or else of `tcUrl`, without its `?`.
    pub query: Option<String>,
}

impl ConnectTarget {
    /// The host of a `tcUrl`, as [`canonical_host`] writes it: what leads to the distribution, and
    /// so to the applications that [`ConnectTarget::parse`] wants to know. Empty without a `tcUrl`.
    ///
    /// # Errors
    /// [`Rejection::InvalidUri`].
    pub fn host_of(tc_url: Option<&str>) -> Result<String, Rejection> {
        let address = tc_url.map(parse_address).transpose()?;
        Ok(address.map(|(host, _)| host).unwrap_or_default())
    }

    /// Reads `app` and `tcUrl` of a `connect`, where `apps` are the applications there are,
    /// written without a slash at either end.
    ///
    /// # Errors
    /// [`Rejection::InvalidUri`], [`Rejection::InvalidInstance`] or [`Rejection::InvalidApp`].
    pub fn parse(app: &str, tc_url: Option<&str>, apps: &[String]) -> Result<Self, Rejection> {
        let address = tc_url.map(parse_address).transpose()?;
        let (host, address_query) = address.unwrap_or_default();
        let (app, app_query) = split_query(app);
        let (app, folder) = match_app(app, apps)?;
        Ok(Self {
            host,
            app: app.to_owned(),
            folder: folder.to_owned(),
            query: app_query.or(address_query).map(str::to_owned),
        })
    }
}

fn split_query(text: &str) -> (&str, Option<&str>) {
    match text.split_once('?') {
        Some((path, "")) => (path, None),
        Some((path, query)) => (path, Some(query)),
        None => (text, None),
    }
}

// The path is not looked at: the application name that came with it says the same.
fn parse_address(tc_url: &str) -> Result<(String, Option<&str>), Rejection> {
    let (scheme, rest) = tc_url.split_once("://").ok_or(Rejection::InvalidUri)?;
    let known = SCHEMES
        .iter()
        .any(|known| scheme.eq_ignore_ascii_case(known));
    if !known || tc_url.contains(char::is_control) {
        return Err(Rejection::InvalidUri);
    }
    let (rest, query) = split_query(rest);
    let authority = rest.split(['/', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let host = canonical_host(host).ok_or(Rejection::InvalidUri)?;
    Ok((host, query))
}

// The longest application that matches, so that `cfx/st/vod` can stand beside `cfx/st`.
fn match_app<'a>(app: &'a str, apps: &'a [String]) -> Result<(&'a str, &'a str), Rejection> {
    let app = app.strip_prefix('/').unwrap_or(app).trim_end_matches('/');
    let matching = apps.iter().filter_map(|known| {
        let folder = below(app, known)?;
        Some((known.as_str(), folder))
    });
    if let Some((known, folder)) = matching.max_by_key(|(known, _)| known.len()) {
        return Ok((known, below(folder, DEFAULT_INSTANCE).unwrap_or(folder)));
    }
    let name = |app: &'a str| app.split('/').next().filter(|name| !name.is_empty());
    let instance_of = |known: &'a String| name(known).is_some() && name(known) == name(app);
    if apps.iter().any(instance_of) {
        return Err(Rejection::InvalidInstance);
    }
    Err(Rejection::InvalidApp)
}

// What follows `root` in `path`, if `path` is it or lies below it.
fn below<'a>(path: &'a str, root: &str) -> Option<&'a str> {
    let rest = path.strip_prefix(root)?;
    if rest.is_empty() {
        return Some(rest);
    }
    rest.strip_prefix('/')
}

/// A host in the one form in which hosts are compared: lower case, without port and trailing dot,
/// an IPv6 address in its canonical form without brackets. `None` for what is no host.
pub fn canonical_host(host: &str) -> Option<String> {
    if let Ok(address) = host.parse::<Ipv6Addr>() {
        return Some(address.to_string());
    }
    if let Some(bracketed) = host.strip_prefix('[') {
        let (address, port) = bracketed.split_once(']')?;
        let port = port.strip_prefix(':').or(port.is_empty().then_some(""))?;
        let address = address.parse::<Ipv6Addr>().ok()?;
        return is_port(port).then(|| address.to_string());
    }
    let (name, port) = host.split_once(':').unwrap_or((host, ""));
    let name = name.strip_suffix('.').unwrap_or(name).to_lowercase();
    let valid = !name.is_empty()
        && name.len() <= HOST_BYTES_MAX
        && name.split('.').all(is_label)
        && is_port(port);
    valid.then_some(name)
}

fn is_port(port: &str) -> bool {
    port.is_empty() || (port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok())
}

// More than DNS allows, for hosts files: underscores, and letters of any script.
fn is_label(label: &str) -> bool {
    !label.is_empty()
        && label
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '-' | '_'))
}

/// Whether a canonical host says nothing of a distribution: it is an address, this machine, or
/// empty.
fn is_local(host: &str) -> bool {
    host.is_empty()
        || host == "localhost"
        || host.parse::<Ipv4Addr>().is_ok()
        || host.parse::<Ipv6Addr>().is_ok()
}

/// A pattern that is neither a host name nor `*.` before one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{pattern:?} is neither a host name nor a wildcard of the form *.example.com")]
pub struct BadPattern {
    /// The pattern.
    pub pattern: String,
}

/// Hosts and what they lead to: exact names before wildcards, longer wildcards before shorter
/// ones, then the default of hosts that name nobody (addresses, this machine), and last a default
/// for all. What a lookup costs depends on the labels of the host, not on how many hosts the table
/// has.
///
/// An exact name hides the wildcards that match it whatever it leads to: a disabled distribution
/// stays in the table, so that nobody else answers for its names (spec/cloudfront.md 1.5).
#[derive(Debug, Clone)]
pub struct HostTable<T> {
    exact: HashMap<String, T>,
    below: HashMap<String, T>,
    local: Option<T>,
    default: Option<T>,
}

impl<T> Default for HostTable<T> {
    fn default() -> Self {
        Self {
            exact: HashMap::new(),
            below: HashMap::new(),
            local: None,
            default: None,
        }
    }
}

impl<T> HostTable<T> {
    /// A table without hosts.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets `pattern`, a host name or `*.` and a host name, lead to `value`. Returns what it led to
    /// before: a name belongs to one distribution, and the caller decides what two of them mean.
    ///
    /// # Errors
    /// [`BadPattern`].
    pub fn insert(&mut self, pattern: &str, value: T) -> Result<Option<T>, BadPattern> {
        let (map, name) = match pattern.strip_prefix("*.") {
            Some(name) => (&mut self.below, name),
            None => (&mut self.exact, pattern),
        };
        let host = canonical_host(name).ok_or_else(|| BadPattern {
            pattern: pattern.to_owned(),
        })?;
        Ok(map.insert(host, value))
    }

    /// Lets addresses, `localhost` and players that name no host lead to `value`, unless the
    /// address itself was inserted.
    pub fn set_local(&mut self, value: T) {
        self.local = Some(value);
    }

    /// Lets every other host, and players that name none, lead to `value`.
    pub fn set_default(&mut self, value: T) {
        self.default = Some(value);
    }

    /// What `host` leads to. Port, case and a trailing dot do not matter.
    pub fn lookup(&self, host: &str) -> Option<&T> {
        let host = canonical_host(host).or_else(|| host.is_empty().then(String::new));
        host.and_then(|host| {
            self.named(&host)
                .or(self.local.as_ref().filter(|_| is_local(&host)))
        })
        .or(self.default.as_ref())
    }

    fn named(&self, host: &str) -> Option<&T> {
        if let Some(value) = self.exact.get(host) {
            return Some(value);
        }
        let mut rest = host;
        while let Some((_, parent)) = rest.split_once('.') {
            if let Some(value) = self.below.get(parent) {
                return Some(value);
            }
            rest = parent;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn apps(apps: &[&str]) -> Vec<String> {
        apps.iter().map(|app| (*app).to_owned()).collect()
    }

    fn target(app: &str, tc_url: &str) -> Result<ConnectTarget, Rejection> {
        ConnectTarget::parse(app, Some(tc_url), &apps(&[DEFAULT_APP]))
    }

    fn folder(app: &str) -> Result<String, Rejection> {
        let tc_url = format!("rtmp://h/{app}");
        target(app, &tc_url).map(|target| target.folder)
    }

    fn host(tc_url: &str) -> Result<String, Rejection> {
        target(DEFAULT_APP, tc_url).map(|target| target.host)
    }

    #[test]
    fn a_plain_connect() {
        let expected = ConnectTarget {
            host: "s5c39gqb8ow64r.cloudfront.net".into(),
            app: "cfx/st".into(),
            folder: String::new(),
            query: None,
        };
        let tc_url = "rtmp://s5c39gqb8ow64r.cloudfront.net/cfx/st";
        assert_eq!(target("cfx/st", tc_url), Ok(expected));
    }

    #[test]
    fn what_librtmp_leaves_in_the_app_is_the_folder() {
        assert_eq!(folder("cfx/st/mp4:dir"), Ok("mp4:dir".into()));
        assert_eq!(folder("cfx/st/videos"), Ok("videos".into()));
        assert_eq!(folder("cfx/st/a/b c/d/"), Ok("a/b c/d".into()));
    }

    #[test]
    fn slashes_and_the_default_instance_mean_nothing() {
        for app in [
            "cfx/st",
            "cfx/st/",
            "cfx/st//",
            "/cfx/st",
            "cfx/st/_definst_",
            "cfx/st/_definst_/",
        ] {
            assert_eq!(folder(app), Ok(String::new()), "{app}");
        }
        assert_eq!(folder("cfx/st/_definst_/mp4:dir"), Ok("mp4:dir".into()));
        assert_eq!(folder("cfx/st/_definst_x"), Ok("_definst_x".into()));
    }

    #[test]
    fn queries_are_split_off() {
        let query = |app, tc_url| target(app, tc_url).unwrap().query;
        assert_eq!(
            query("cfx/st?key=value", "rtmp://h/cfx/st"),
            Some("key=value".into())
        );
        assert_eq!(
            query("cfx/st", "rtmp://h/cfx/st?a=/b?c"),
            Some("a=/b?c".into())
        );
        assert_eq!(query("cfx/st?x", "rtmp://h/cfx/st?y"), Some("x".into()));
        assert_eq!(query("cfx/st?", "rtmp://h?"), None);
        assert_eq!(folder("cfx/st/?a=b"), Ok(String::new()));
        assert_eq!(folder("cfx/st/dir?a=b"), Ok("dir".into()));
    }

    #[test]
    fn other_instances_and_apps_are_rejected() {
        for app in [
            "cfx",
            "cfx/",
            "cfx/live",
            "cfx/stt",
            "cfx/_definst_",
            "cfx/st2/mp4:dir",
        ] {
            assert_eq!(folder(app), Err(Rejection::InvalidInstance), "{app}");
        }
        for app in [
            "",
            "/",
            "vod",
            "live/st",
            "st",
            "CFX/st",
            "cfxx/st",
            "//cfx/st",
            "videos/cfx/st",
        ] {
            assert_eq!(folder(app), Err(Rejection::InvalidApp), "{app}");
        }
    }

    #[test]
    fn the_longest_app_wins() {
        let apps = apps(&["vod", "cfx/st", "cfx/st/hd"]);
        let parse = |app| {
            let target = ConnectTarget::parse(app, None, &apps)?;
            Ok((target.app, target.folder))
        };
        assert_eq!(parse("vod/a/b"), Ok(("vod".into(), "a/b".into())));
        assert_eq!(parse("vod/_definst_/a"), Ok(("vod".into(), "a".into())));
        assert_eq!(parse("cfx/st/hd/x"), Ok(("cfx/st/hd".into(), "x".into())));
        assert_eq!(parse("cfx/st/hdx"), Ok(("cfx/st".into(), "hdx".into())));
        assert_eq!(parse("cfx/x"), Err(Rejection::InvalidInstance));
        assert_eq!(parse("vodx"), Err(Rejection::InvalidApp));
    }

    #[test]
    fn hosts_are_read_from_every_kind_of_address() {
        let name = || Ok("example.com".to_owned());
        for tc_url in [
            "rtmp://example.com/cfx/st",
            "rtmp://example.com:1935/cfx/st",
            "RTMPE://EXAMPLE.com./cfx/st",
            "rtmpt://user:pass@example.com:80/x",
            "rtmps://example.com",
            "rtmpte://example.com:/",
            "rtmp://example.com?a=b",
            "rtmp://example.com/cfx/st/mp4:a b",
            "rtmpts://a@b@example.com",
            "rtmp://example.com/x@y:z",
        ] {
            assert_eq!(host(tc_url), name(), "{tc_url}");
        }
        assert_eq!(host("rtmp://127.0.0.1:1935/cfx/st"), Ok("127.0.0.1".into()));
        assert_eq!(
            host("rtmp://[2001:DB8:0::1]:1935/cfx/st"),
            Ok("2001:db8::1".into())
        );
        assert_eq!(host("rtmp://[::1]/cfx/st"), Ok("::1".into()));
        assert_eq!(
            host("rtmp://bücher.Example/cfx/st"),
            Ok("bücher.example".into())
        );
        assert_eq!(host("rtmp://my_host/cfx/st"), Ok("my_host".into()));
    }

    #[test]
    fn malformed_addresses_are_rejected() {
        for tc_url in [
            "",
            "example.com",
            "rtmp:/example.com",
            "rtmp://",
            "rtmp:///cfx/st",
            "http://example.com/cfx/st",
            "://example.com",
            "rtmp://exa mple.com/",
            "rtmp://example.com:port/",
            "rtmp://example.com:99999/",
            "rtmp://example.com:+80/",
            "rtmp://[::1/cfx/st",
            "rtmp://[::g]/",
            "rtmp://[::1]x/",
            "rtmp://[::1]80/",
            "rtmp://İ/",
            "rtmp://a..b/",
            "rtmp://.example.com/",
            "rtmp://./",
            "rtmp://*.example.com/",
            "rtmp://user@/cfx/st",
            "rtmp://example.com/\0",
            "rtmp://exa%6dple.com/",
        ] {
            assert_eq!(host(tc_url), Err(Rejection::InvalidUri), "{tc_url:?}");
        }
        let long = format!("rtmp://{}/cfx/st", "a".repeat(254));
        assert_eq!(host(&long), Err(Rejection::InvalidUri));
    }

    #[test]
    fn a_player_without_address_has_no_host() {
        let target = ConnectTarget::parse("cfx/st", None, &apps(&["cfx/st"])).unwrap();
        assert_eq!(target.host, "");
        let mut table = HostTable::new();
        table.insert("example.com", 1).unwrap();
        assert_eq!(table.lookup(&target.host), None);
        table.set_default(2);
        assert_eq!(table.lookup(&target.host), Some(&2));
    }

    #[test]
    fn who_names_nobody_comes_to_the_local_default() {
        let mut table = HostTable::new();
        table.insert("192.0.2.1", "address").unwrap();
        table.set_local("local");
        let lookup = |table: &HostTable<&'static str>, host| table.lookup(host).copied();
        for host in [
            "",
            "127.0.0.1",
            "203.0.113.9:1935",
            "[::1]:1935",
            "2001:db8::1",
            "LocalHost.",
        ] {
            assert_eq!(lookup(&table, host), Some("local"), "{host}");
        }
        assert_eq!(lookup(&table, "192.0.2.1:80"), Some("address"));
        for host in ["example.com", "a.localhost", "1.2.3", "not a host"] {
            assert_eq!(lookup(&table, host), None, "{host}");
        }
        table.set_default("any");
        assert_eq!(lookup(&table, "example.com"), Some("any"));
        assert_eq!(lookup(&table, "::1"), Some("local"));
    }

    #[test]
    fn the_more_specific_host_wins() {
        let mut table = HostTable::new();
        for pattern in [
            "www.example.com",
            "*.example.com",
            "*.a.example.com",
            "*.com",
            "[::1]",
        ] {
            table.insert(pattern, pattern).unwrap();
        }
        let lookup = |host| table.lookup(host).copied();
        assert_eq!(lookup("WWW.Example.com.:1935"), Some("www.example.com"));
        assert_eq!(lookup("x.example.com"), Some("*.example.com"));
        assert_eq!(lookup("x.y.example.com"), Some("*.example.com"));
        assert_eq!(lookup("a.example.com"), Some("*.example.com"));
        assert_eq!(lookup("x.a.example.com"), Some("*.a.example.com"));
        assert_eq!(lookup("example.com"), Some("*.com"));
        assert_eq!(lookup("com"), None);
        assert_eq!(lookup("example.org"), None);
        assert_eq!(lookup("[0:0::1]:80"), Some("[::1]"));
        assert_eq!(lookup("not a host"), None);
    }

    #[test]
    fn patterns_are_hosts_or_wildcards() {
        let mut table = HostTable::new();
        assert_eq!(table.insert("Example.com.", 1), Ok(None));
        assert_eq!(table.insert("example.com", 2), Ok(Some(1)));
        assert_eq!(table.insert("*.example.com", 3), Ok(None));
        for pattern in ["", "*", "*.", "a.*.com", "*a.com", "**.com", "a b", "a/b"] {
            let error = table.insert(pattern, 0).unwrap_err();
            assert_eq!(error.pattern, pattern);
        }
        assert_eq!(table.lookup("example.com"), Some(&2));
    }

    proptest! {
        #[test]
        fn reading_never_panics_and_hosts_are_canonical(app: String, tc_url: String, authority: String) {
            let _ = target(&app, &tc_url);
            if let Ok(target) = target(DEFAULT_APP, &format!("rtmp://{authority}/cfx/st")) {
                prop_assert_eq!(canonical_host(&target.host), Some(target.host.clone()));
            }
        }

        #[test]
        fn a_host_is_found_however_it_is_written(
            labels in proptest::collection::vec("[a-z0-9-]{1,10}", 2..6),
            cut in 1usize..5,
            port: u16,
        ) {
            let host = labels.join(".");
            let mut table = HostTable::new();
            table.insert(&host, 0).unwrap();
            let written = format!("{}.:{port}", host.to_uppercase());
            prop_assert_eq!(table.lookup(&written), Some(&0));

            let parent = labels[cut.min(labels.len() - 1)..].join(".");
            let mut table = HostTable::new();
            table.insert(&format!("*.{parent}"), 1).unwrap();
            prop_assert_eq!(table.lookup(&written), Some(&1));
            prop_assert_eq!(table.lookup(&parent), None);
        }
    }
}
