//! The texts that are signed: the canonical request, and the string to sign that holds its hash.

use sha2::{Digest, Sha256};

use super::error::Refusal;
use super::headers::Headers;
use super::{PathForm, Request, hex, path, query};

/// SHA-256, in hexadecimal.
pub(super) fn hash(bytes: &[u8]) -> String {
    hex::encode(&Sha256::digest(bytes))
}

/// The request with these headers, in the one form that both sides can write. `payload` is the hash
/// of the body.
pub(super) fn request(
    request: &Request<'_>,
    form: PathForm,
    signed: &[&str],
    payload: &str,
) -> Result<String, Refusal> {
    let headers = Headers(request.headers);
    let lines = signed.iter().map(|name| headers.canonical(name));
    Ok(format!(
        "{}\n{}\n{}\n{}\n{}\n{payload}",
        request.method,
        path::canonical(request.path, form),
        query::canonical(request.query),
        lines.collect::<Result<String, _>>()?,
        signed.join(";"),
    ))
}

/// What the key signs. `scope` is the credential's, without the key.
pub(super) fn string_to_sign(date: &str, scope: &str, request: &str) -> String {
    let request = hash(request.as_bytes());
    format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{request}")
}
