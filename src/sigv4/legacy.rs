//! The signature of the years before Version 4: over the Date header's value and nothing else.

use super::claim::{Claim, Method};
use super::date::Date;
use super::error::Refusal;
use super::headers::Headers;
use super::{LEGACY_SKEW, Request};

/// Bytes of an HMAC-SHA1.
const SHA1_BYTES: usize = 20;

/// Bytes of an HMAC-SHA256.
const SHA256_BYTES: usize = 32;

/// Reads the claim of such a signature. Tools used either hash; the length tells which.
pub(super) fn read(
    request: &Request<'_>,
    headers: Headers<'_>,
    key_id: &str,
    signature: Vec<u8>,
) -> Result<Claim, Refusal> {
    let method = match signature.len() {
        SHA1_BYTES => Method::Sha1,
        SHA256_BYTES => Method::Sha256,
        _ => {
            return Err(Refusal::Malformed(
                "has a signature that is neither an HMAC-SHA1 nor an HMAC-SHA256",
            ));
        }
    };
    let date = Date::of(headers, ["date", "x-amz-date"])?;
    date.check(request.now, LEGACY_SKEW)?;
    Ok(Claim::new(key_id, date.sent.to_owned(), signature, method))
}
