//! Who signed a request: AWS Signature Version 4 as services other than S3 verify it, and the older
//! signature over the Date alone that tools of 2010 to 2013 send (cloudfront.md, section 5.1).
//! Pure.
//!
//! Reading and proving are two steps. [`read`] holds all that can be said of a request without a
//! secret: that it is well formed, is meant for this service, is of now, and signs what it must. It
//! yields a [`Claim`]: whose key is said to have signed which text. [`Claim::verify`] takes the
//! secret and says whether it did, in constant time. So whoever looks a key up can do the same work
//! for a key that does not exist.
//!
//! What must be signed: the host, the date, and every `x-amz-` header that is there (but
//! `x-amz-user-agent`, which signers leave out). Not the content type nor If-Match, which some
//! tools leave out. The older signature covers neither the path nor the body, so whoever overhears
//! one can use it for anything as long as its date counts; therefore it can be refused.
//!
//! Times are seconds since 1970.

// Pure code that reads what anybody may send: what could panic does not compile.
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation
    )
)]

mod authorization;
mod canonical;
mod claim;
mod date;
mod error;
mod headers;
mod hex;
mod legacy;
mod path;
mod query;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;

pub use claim::Claim;
pub use error::Refusal;
pub use path::PathForm;

use authorization::Authorization;
use headers::Headers;

/// How far the clock of a signer may be off, either way: what AWS allows.
pub const SKEW: i64 = 5 * 60;

/// The same for the older signature: what S3 allowed when it was in use.
pub const LEGACY_SKEW: i64 = 15 * 60;

/// A request, as it came.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The method.
    pub method: &'a str,
    /// The path, percent signs and all.
    pub path: &'a str,
    /// What stands behind the `?`; empty where there is none.
    pub query: &'a str,
    /// Names in any case, and values, in the order in which they came.
    pub headers: &'a [(&'a str, &'a [u8])],
    /// The body.
    pub body: &'a [u8],
    /// The time now.
    pub now: i64,
}

/// What a verifier asks of signatures.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// The service that they must be made for.
    pub service: &'a str,
    /// How the path is signed.
    pub path: PathForm,
    /// Whether the older signature counts.
    pub legacy: bool,
}

/// Reads the signature of a request: everything but whether the secret was known.
///
/// # Errors
/// Whatever speaks against the request; the caller is to blame.
pub fn read(request: &Request<'_>, rules: &Rules<'_>) -> Result<Claim, Refusal> {
    let headers = Headers(request.headers);
    if query::is_presigned(request.query) {
        return Err(Refusal::Presigned);
    }
    let sent = headers.single("authorization")?.ok_or(Refusal::Missing)?;
    headers.refuse_doubles()?;
    if headers.has("x-amz-security-token") {
        return Err(Refusal::SessionToken);
    }
    match Authorization::parse(sent)? {
        Authorization::Legacy { .. } if !rules.legacy => Err(Refusal::LegacyOff),
        Authorization::Legacy { key_id, signature } => {
            legacy::read(request, headers, key_id, signature)
        }
        Authorization::Four(parts) => claim::read(request, headers, &parts, rules),
    }
}
