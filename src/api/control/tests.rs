use super::*;
use axum::http::HeaderValue;

fn headers(values: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in values {
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        headers.append(header::IF_MATCH, value);
    }
    headers
}

#[test]
fn if_match_is_an_etag_with_or_without_quotes() {
    let found = |values: &[&str]| if_match(&headers(values));
    assert_eq!(found(&[]), None);
    assert_eq!(
        found(&["E2QWRUHAPOMQZL"]).as_deref(),
        Some("E2QWRUHAPOMQZL")
    );
    assert_eq!(
        found(&["\"E2QWRUHAPOMQZL\""]).as_deref(),
        Some("E2QWRUHAPOMQZL")
    );
    assert_eq!(found(&["\"E2"]).as_deref(), Some("\"E2"));
    assert_eq!(found(&["E1", "E2"]).as_deref(), Some(""));
    assert_eq!(found(&["é"]).as_deref(), Some(""));
}

#[test]
fn a_path_begins_with_a_version() {
    let path = |path| {
        let (version, rest) = split(path);
        (version.map(|version| version.to_string()), rest)
    };
    let version = || Some("2013-05-12".to_owned());
    assert_eq!(path("/2013-05-12/a/b"), (version(), "a/b"));
    assert_eq!(path("/2013-05-12/"), (version(), ""));
    assert_eq!(path("/2013-05-12"), (version(), ""));
    assert_eq!(path("//2013-05-12/a"), (None, "2013-05-12/a"));
    assert_eq!(path("/favicon.ico"), (None, ""));
}
