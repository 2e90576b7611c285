//! Whose key is said to have signed what, and whether it did.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::Sha256;

use super::authorization::Four;
use super::date::Date;
use super::error::Refusal;
use super::headers::Headers;
use super::{Request, Rules, SKEW, canonical};

/// What ends every scope.
const TERMINAL: &str = "aws4_request";

/// Bytes of `YYYYMMDD`, with which a date of the basic form begins.
const DAY: usize = 8;

/// Whose key is said to have signed which text. Obtained from [`super::read`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    key_id: String,
    text: String,
    signature: Vec<u8>,
    method: Method,
}

/// How the text was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Method {
    /// Version 4: by a key that is derived from the secret through these, one after another.
    Derived([String; 4]),
    /// By the secret itself, with SHA-1.
    Sha1,
    /// By the secret itself, with SHA-256.
    Sha256,
}

impl Claim {
    pub(super) fn new(key_id: &str, text: String, signature: Vec<u8>, method: Method) -> Self {
        Self {
            key_id: key_id.to_owned(),
            text,
            signature,
            method,
        }
    }

    /// The id of the key that is said to have signed.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// Whether `secret` made the signature; takes as long for a wrong one as for the right one.
    ///
    /// # Errors
    /// [`Refusal::Mismatch`].
    pub fn verify(&self, secret: &[u8]) -> Result<(), Refusal> {
        let text = self.text.as_bytes();
        let verified = match &self.method {
            Method::Derived(steps) => {
                let key = derive(secret, steps)?;
                sha256(&key, text)?.verify_slice(&self.signature)
            }
            Method::Sha256 => sha256(secret, text)?.verify_slice(&self.signature),
            Method::Sha1 => {
                let mut mac =
                    Hmac::<Sha1>::new_from_slice(secret).map_err(|_| Refusal::Mismatch)?;
                mac.update(text);
                mac.verify_slice(&self.signature)
            }
        };
        verified.map_err(|_| Refusal::Mismatch)
    }
}

/// The key of one day, region and service.
pub(super) fn derive(secret: &[u8], steps: &[String; 4]) -> Result<Vec<u8>, Refusal> {
    let mut key = [b"AWS4", secret].concat();
    for step in steps {
        key = sha256(&key, step.as_bytes())?
            .finalize()
            .into_bytes()
            .to_vec();
    }
    Ok(key)
}

/// Every length of key is valid for HMAC, so the error never comes about.
pub(super) fn sha256(key: &[u8], text: &[u8]) -> Result<Hmac<Sha256>, Refusal> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|_| Refusal::Mismatch)?;
    mac.update(text);
    Ok(mac)
}

/// Reads the claim of a Signature Version 4.
pub(super) fn read(
    request: &Request<'_>,
    headers: Headers<'_>,
    four: &Four<'_>,
    rules: &Rules<'_>,
) -> Result<Claim, Refusal> {
    if four.terminal != TERMINAL {
        return Err(Refusal::Terminal);
    }
    if four.service != rules.service {
        return Err(Refusal::Service(rules.service.to_owned()));
    }
    let date = Date::of(headers, ["x-amz-date", "date"])?;
    date.check(request.now, SKEW)?;
    let at = date.basic();
    if at.get(..DAY) != Some(four.date) {
        return Err(Refusal::ScopeDate);
    }
    headers.check_signed(&four.signed, date.header)?;
    let payload = canonical::hash(request.body);
    check_payload(headers, &payload)?;
    let scope = [four.date, four.region, four.service, four.terminal];
    let whole = canonical::request(request, rules.path, &four.signed, &payload)?;
    let text = canonical::string_to_sign(&at, &scope.join("/"), &whole);
    let method = Method::Derived(scope.map(str::to_owned));
    Ok(Claim::new(
        four.key_id,
        text,
        four.signature.clone(),
        method,
    ))
}

/// What a request says of its body must be so; that it says anything is not needed.
fn check_payload(headers: Headers<'_>, hash: &str) -> Result<(), Refusal> {
    match headers.single("x-amz-content-sha256")? {
        None => Ok(()),
        Some(said) if said == hash => Ok(()),
        Some("UNSIGNED-PAYLOAD") => Err(Refusal::Payload("UNSIGNED-PAYLOAD")),
        Some(said) if said.starts_with("STREAMING-") => Err(Refusal::Payload("a streamed body")),
        Some(_) => Err(Refusal::PayloadHash),
    }
}
