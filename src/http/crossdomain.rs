//! `crossdomain.xml`: the bucket's own, or one that admits every domain (cloudfront.md 2).
//!
//! The default is served where the bucket has none that may be read: S3 answers 403 for a missing
//! object too, to those who may not list the bucket, and a policy had to be publicly readable to
//! count. Where the origin does not answer there may well be a restrictive one: then there is no
//! answer (503) rather than a permissive one.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use super::Site;
use crate::origin::{Condition, Origin, OriginError, Read};
use crate::units::ByteRange;

/// The policy that admits every domain.
const DEFAULT: &str = include_str!("../../crossdomain/default.xml");

/// The key of a bucket's own policy.
const KEY: &str = "crossdomain.xml";

/// The largest policy that is served, bytes: a thousand domains fit.
pub(super) const LARGEST: usize = 64 * 1024;

/// Answers `GET /crossdomain.xml`.
pub(super) async fn answer(
    State(site): State<Arc<Site>>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let host = host(&uri, &headers);
    let Some(origin) = site.policies.origin_for(host) else {
        return (StatusCode::NOT_FOUND, "no distribution has this name\n").into_response();
    };
    if !site.bucket_policy {
        return policy(Bytes::from_static(DEFAULT.as_bytes()));
    }
    match own(origin.as_ref()).await {
        Ok(Some(own)) => policy(own),
        Ok(None) => policy(Bytes::from_static(DEFAULT.as_bytes())),
        Err(cause) => {
            tracing::warn!(
                host,
                cause,
                "crossdomain.xml is not served: whether the bucket has one of its own is not known"
            );
            (
                StatusCode::SERVICE_UNAVAILABLE,
                "the policy cannot be read\n",
            )
                .into_response()
        }
    }
}

/// Whom a request is for: the target itself says so before the header does (RFC 9112, section 3.2.2).
fn host<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> &'a str {
    match uri.authority() {
        Some(authority) => authority.as_str(),
        None => headers
            .get(header::HOST)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default(),
    }
}

/// The bucket's own policy, if it has one; else why that cannot be said.
async fn own(origin: &dyn Origin) -> Result<Option<Bytes>, String> {
    let all = ByteRange::new(0, LARGEST as u64);
    match origin.read(KEY, all, Condition::None).await {
        Ok(Read::Bytes(object)) if object.size > LARGEST as u64 => {
            Err(format!("it is larger than {LARGEST} bytes"))
        }
        Ok(Read::Bytes(object)) if object.bytes.len() as u64 == object.size => {
            Ok(Some(object.bytes))
        }
        Ok(_) => Err("the origin sent a part of it only".to_owned()),
        Err(OriginError::NotFound | OriginError::Forbidden) => Ok(None),
        // There is one, of no bytes: it admits nobody.
        Err(OriginError::OutOfRange) => Ok(Some(Bytes::new())),
        Err(error) => Err(error.to_string()),
    }
}

fn policy(body: Bytes) -> Response {
    ([(header::CONTENT_TYPE, "text/x-cross-domain-policy")], body).into_response()
}
