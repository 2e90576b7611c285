//! `crossdomain.xml`: the bucket's own, or one that admits every domain (cloudfront.md 2).
//!
//! Whether the bucket has one that counts is the catalog's to say, which caches it. Where that
//! cannot be said there may well be a restrictive one: then there is no answer (503) rather than a
//! permissive one.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use super::{Own, Site};

/// The policy that admits every domain.
const DEFAULT: &str = include_str!("../../crossdomain/default.xml");

/// Answers `GET /crossdomain.xml`.
pub(super) async fn answer(
    State(site): State<Arc<Site>>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let host = host(&uri, &headers);
    match site.policies.policy_for(host, site.bucket_policy).await {
        Own::NoDistribution => {
            (StatusCode::NOT_FOUND, "no distribution has this name\n").into_response()
        }
        Own::File(file) => policy(file),
        Own::Nothing => policy(Bytes::from_static(DEFAULT.as_bytes())),
        Own::Unknown(cause) => {
            tracing::warn!(
                host,
                cause,
                "crossdomain.xml is not served: whether the bucket has one of its own is not known"
            );
            let said = "the policy cannot be read\n";
            (StatusCode::SERVICE_UNAVAILABLE, said).into_response()
        }
    }
}

/// Whom a request is for: the target itself says so before the header does (RFC 9112, section
/// 3.2.2).
fn host<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> &'a str {
    match uri.authority() {
        Some(authority) => authority.as_str(),
        None => headers
            .get(header::HOST)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default(),
    }
}

fn policy(body: Bytes) -> Response {
    ([(header::CONTENT_TYPE, "text/x-cross-domain-policy")], body).into_response()
}
