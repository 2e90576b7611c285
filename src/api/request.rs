//! What every request of the port has: an id, which its answer names, and a version of the API, in
//! which its errors are written.

use std::fmt;
use std::sync::Arc;

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;

use super::error::NEWEST;

/// The header that names a request's id.
const HEADER: HeaderName = HeaderName::from_static("x-amzn-requestid");

/// The id of a request: an extension of each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// A new one, in the form of a random UUID (RFC 9562, section 5.4).
    fn new() -> Self {
        let mut bytes = [0; 16];
        // An id that is not random is still one; nothing is decided by it.
        if let Err(error) = getrandom::fill(&mut bytes) {
            tracing::warn!(%error, "no random bytes for the id of a request");
        }
        let bits = u128::from_be_bytes(bytes);
        let bits = bits & !(0xf << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62;
        let digits = format!("{bits:032x}");
        let (mut rest, mut parts) = (digits.as_str(), Vec::new());
        for length in [8, 4, 4, 4] {
            let (part, behind) = rest.split_at(length);
            parts.push(part);
            rest = behind;
        }
        parts.push(rest);
        Self(Arc::from(parts.join("-")))
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Gives each request an id, and its answer the same.
pub(super) async fn stamp(mut request: Request, next: Next) -> Response {
    let id = RequestId::new();
    let value = HeaderValue::from_str(id.as_str());
    request.extensions_mut().insert(id);
    let mut answer = next.run(request).await;
    if let Ok(value) = value {
        answer.headers_mut().insert(HEADER, value);
    }
    answer
}

/// The version of the API in a path, `/2020-05-31/...`; where there is none, the newest.
pub fn version(path: &str) -> &str {
    let first = path.strip_prefix('/').unwrap_or(path);
    let first = first.split('/').next().unwrap_or_default();
    let digits = |(at, byte): (usize, u8)| match at {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    };
    let is_date = first.len() == NEWEST.len() && first.bytes().enumerate().all(digits);
    if is_date { first } else { NEWEST }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_random_uuids() {
        let (one, other) = (RequestId::new(), RequestId::new());
        assert_ne!(one, other);
        let parts: Vec<&str> = one.as_str().split('-').collect();
        let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert!(parts[2].starts_with('4'), "{one}");
        assert!(parts[3].starts_with(['8', '9', 'a', 'b']), "{one}");
    }

    #[test]
    fn errors_are_written_in_the_version_of_the_path() {
        for (path, expected) in [
            ("/2013-05-12/streaming-distribution", "2013-05-12"),
            ("/2013-05-12", "2013-05-12"),
            ("/cache", NEWEST),
            ("/2013-05-1x/a", NEWEST),
            ("/2013-05-123/a", NEWEST),
            ("/<x>/a", NEWEST),
            ("", NEWEST),
        ] {
            assert_eq!(version(path), expected, "{path}");
        }
    }
}
