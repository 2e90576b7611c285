//! The gate: nothing behind it is reached without a valid signature.
//!
//! The body is read here, within bounds, because its hash is signed. Handlers get the same bytes,
//! and the [`Caller`] as an extension. For a key that does not exist the
//! same work is done as for one that does, so that the time taken tells nothing about which keys
//! there are.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::caller::Caller;
use super::error::ApiError;
use super::keys::Keys;
use super::refusals::Refusals;
use super::request::{RequestId, version};
use crate::http::port::Peer;
use crate::sigv4::{self, PathForm, Refusal, Rules};

/// The largest body: a document with every member at its limit is a third of it.
const BODY_MAX: usize = 64 * 1024;

/// For a body to arrive: clients send it in one go.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// What stands for the secret of a key that does not exist; whatever it verifies is refused.
const NO_SECRET: &[u8] = b"0000000000000000000000000000000000000000";

/// Who is let through.
#[derive(Debug)]
pub(super) struct Gate {
    keys: Keys,
    legacy: bool,
    refusals: Refusals,
}

impl Gate {
    /// `legacy`: whether signatures over the Date alone count.
    pub(super) fn new(keys: Keys, legacy: bool) -> Self {
        Self {
            keys,
            legacy,
            refusals: Refusals::default(),
        }
    }

    fn admit(&self, parts: &Parts, body: &[u8]) -> Result<Caller, ApiError> {
        let headers = parts.headers.iter();
        let headers: Vec<_> = headers
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
            .collect();
        let request = sigv4::Request {
            method: parts.method.as_str(),
            path: parts.uri.path(),
            query: parts.uri.query().unwrap_or_default(),
            headers: &headers,
            body,
            now: now(),
        };
        let rules = Rules {
            service: "cloudfront",
            path: PathForm::Normal,
            legacy: self.legacy,
        };
        let peer = parts.extensions.get::<Peer>();
        let claim = sigv4::read(&request, &rules).map_err(|refusal| {
            self.refusals.note(peer, "", &refusal);
            error(&refusal)
        })?;
        let key = self.keys.get(claim.key_id());
        let secret = key.map_or(NO_SECRET, |key| key.secret.bytes());
        match (claim.verify(secret), key) {
            (Ok(()), Some(key)) => Ok(key.caller.clone()),
            (Err(refusal), Some(_)) => {
                self.refusals.note(peer, claim.key_id(), &refusal);
                Err(error(&refusal))
            }
            (_, None) => {
                self.refusals.note_unknown(peer, claim.key_id());
                Err(forbidden(
                    "InvalidClientTokenId",
                    "there is no access key with this id",
                ))
            }
        }
    }
}

/// Lets a request through if it is signed.
pub(super) async fn check(State(gate): State<Arc<Gate>>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let admitted = match read(body).await {
        Ok(body) => gate.admit(&parts, &body).map(|caller| (caller, body)),
        Err(error) => Err(error),
    };
    match admitted {
        Ok((caller, body)) => {
            parts.extensions.insert(caller);
            next.run(Request::from_parts(parts, Body::from(body))).await
        }
        Err(error) => answer(&error, &parts),
    }
}

/// An error as the answer to a request.
fn answer(error: &ApiError, parts: &Parts) -> Response {
    let id = parts.extensions.get::<RequestId>();
    let id = id.map(RequestId::as_str).unwrap_or_default();
    error.response(version(parts.uri.path()), id)
}

async fn read(body: Body) -> Result<Bytes, ApiError> {
    let whole = Limited::new(body, BODY_MAX).collect();
    match tokio::time::timeout(BODY_TIMEOUT, whole).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(cause)) if cause.is::<LengthLimitError>() => Err(ApiError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "EntityTooLarge",
            format!("the body is larger than {BODY_MAX} bytes"),
        )),
        Ok(Err(_)) => Err(ApiError::new(
            StatusCode::BAD_REQUEST,
            "IncompleteBody",
            "the body did not arrive whole",
        )),
        Err(_) => Err(ApiError::new(
            StatusCode::REQUEST_TIMEOUT,
            "RequestTimeout",
            format!("the body did not arrive within {BODY_TIMEOUT:?}"),
        )),
    }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    })
}

/// A refusal as clients know it (cloudfront.md, section 5.5).
fn error(refusal: &Refusal) -> ApiError {
    let said = refusal.to_string();
    match refusal {
        Refusal::Missing | Refusal::Presigned => forbidden("MissingAuthenticationToken", said),
        Refusal::SessionToken => forbidden("InvalidClientTokenId", said),
        Refusal::LegacyOff => forbidden("AccessDenied", said),
        Refusal::Malformed(_)
        | Refusal::Twice(_)
        | Refusal::NotText(_)
        | Refusal::NoDate
        | Refusal::BadDate(_) => {
            ApiError::new(StatusCode::BAD_REQUEST, "IncompleteSignature", said)
        }
        Refusal::Skew { .. } => ApiError::new(StatusCode::BAD_REQUEST, "RequestExpired", said),
        Refusal::Service(_)
        | Refusal::ScopeDate
        | Refusal::Terminal
        | Refusal::Absent(_)
        | Refusal::Unsigned(_)
        | Refusal::Payload(_)
        | Refusal::PayloadHash
        | Refusal::Mismatch => forbidden("SignatureDoesNotMatch", said),
    }
}

fn forbidden(code: &'static str, message: impl Into<String>) -> ApiError {
    ApiError::new(StatusCode::FORBIDDEN, code, message)
}
