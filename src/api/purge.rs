//! `DELETE /cache?key=KEY` and `?prefix=PREFIX`, with or without `&distribution=ID`: forgets what is
//! cached of one object or of all whose key begins so. For the operator only, because what is
//! cached is everybody's.

use std::fmt::Debug;
use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use futures_util::future::BoxFuture;
use percent_encoding::percent_decode_str;
use serde::Serialize;

use super::caller::Caller;
use super::error::ApiError;
use super::request::{RequestId, version};
use crate::distribution::AccountId;

/// What the call is called where an access key's rights are listed.
const ACTION: &str = "streamfront:PurgeCache";

/// Which objects are forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// The one with this key.
    Key(String),
    /// Those whose keys begin so; with an empty prefix all.
    Prefix(String),
}

/// What was forgotten.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Purged {
    /// Objects that were played or known and are forgotten.
    pub objects: u64,
    /// Whether it will hold after a restart as well.
    pub durable: bool,
}

/// Who can forget. The server implements it.
pub trait Purge: Send + Sync + Debug {
    /// Forgets these objects of one distribution, or of all. `None`: there is no such distribution.
    fn purge<'a>(
        &'a self,
        distribution: Option<&'a str>,
        what: &'a What,
    ) -> BoxFuture<'a, Option<Purged>>;
}

/// Answers the call.
pub(super) async fn answer(
    State(cache): State<Arc<dyn Purge>>,
    Extension(caller): Extension<Caller>,
    Extension(id): Extension<RequestId>,
    uri: Uri,
) -> Response {
    match purge(&*cache, &caller, uri.query().unwrap_or_default()).await {
        Ok(json) => ([(header::CONTENT_TYPE, "application/json")], json).into_response(),
        Err(error) => error.response(version(uri.path()), id.as_str()),
    }
}

async fn purge(cache: &dyn Purge, caller: &Caller, query: &str) -> Result<String, ApiError> {
    if caller.account != AccountId::operator() || !caller.may(ACTION) {
        let said = format!("the access key {} may not do {ACTION}", caller.key_id);
        return Err(ApiError::new(StatusCode::FORBIDDEN, "AccessDenied", said));
    }
    let wish = Wish::parse(query).map_err(|cause| {
        let status = StatusCode::BAD_REQUEST;
        ApiError::new(status, "InvalidArgument", cause.to_string())
    })?;
    let distribution = wish.distribution.as_deref();
    let Some(purged) = cache.purge(distribution, &wish.what).await else {
        return Err(ApiError::new(
            StatusCode::NOT_FOUND,
            "NoSuchStreamingDistribution",
            "no distribution has this id",
        ));
    };
    tracing::info!(key_id = &*caller.key_id, distribution, what = ?wish.what, ?purged, "purged");
    serde_json::to_string(&purged)
        .map(|json| json + "\n")
        .map_err(|error| {
            tracing::error!(%error, "the counts of a purge cannot be written");
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            ApiError::new(status, "InternalError", "the counts cannot be written")
        })
}

/// What a query asks for.
#[derive(Debug, PartialEq, Eq)]
struct Wish {
    distribution: Option<String>,
    what: What,
}

/// What is wrong with a query.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum WishError {
    #[error("give key=KEY or prefix=PREFIX, and only one of them")]
    What,
    #[error("{0} is given twice")]
    Twice(&'static str),
    #[error("there is no parameter but distribution, key and prefix")]
    Unknown,
    #[error("a value is not UTF-8")]
    Text,
    #[error("a key is not empty; prefix= stands for all objects")]
    Empty,
}

impl Wish {
    fn parse(query: &str) -> Result<Self, WishError> {
        let (mut distribution, mut key, mut prefix) = (None, None, None);
        for part in query.split('&').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let (name, place) = match name {
                "distribution" => ("distribution", &mut distribution),
                "key" => ("key", &mut key),
                "prefix" => ("prefix", &mut prefix),
                _ => return Err(WishError::Unknown),
            };
            if place.replace(text(value)?).is_some() {
                return Err(WishError::Twice(name));
            }
        }
        let what = match (key, prefix) {
            (Some(key), None) if key.is_empty() => return Err(WishError::Empty),
            (Some(key), None) => What::Key(key),
            (None, Some(prefix)) => What::Prefix(prefix),
            _ => return Err(WishError::What),
        };
        Ok(Self { distribution, what })
    }
}

/// A value as tools write it: `+` is a space, and the rest by percent signs.
fn text(value: &str) -> Result<String, WishError> {
    let spaced = value.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8();
    decoded
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| WishError::Text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn queries_say_what_and_where() {
        let wish = |distribution: Option<&str>, what| {
            Ok(Wish {
                distribution: distribution.map(str::to_owned),
                what,
            })
        };
        let key = |key: &str| What::Key(key.to_owned());
        assert_eq!(Wish::parse("key=a/b.mp4"), wish(None, key("a/b.mp4")));
        assert_eq!(
            Wish::parse("distribution=films&key=gr%C3%B6%C3%9Fe+1%2B1%26.mp4"),
            wish(Some("films"), key("größe 1+1&.mp4"))
        );
        assert_eq!(
            Wish::parse("prefix=&distribution=x&"),
            wish(Some("x"), What::Prefix(String::new()))
        );
        for (query, error) in [
            ("", WishError::What),
            ("distribution=x", WishError::What),
            ("key=a&prefix=b", WishError::What),
            ("key=a&key=b", WishError::Twice("key")),
            ("keys=a", WishError::Unknown),
            ("key=%ff", WishError::Text),
            ("key=", WishError::Empty),
            ("key", WishError::Empty),
        ] {
            assert_eq!(Wish::parse(query), Err(error), "{query}");
        }
    }

    proptest! {
        #[test]
        fn every_key_can_be_named(key in "\\PC{1,40}") {
            let query: String = key.bytes().map(|byte| format!("%{byte:02x}")).collect();
            let wish = Wish::parse(&format!("key={query}")).unwrap();
            prop_assert_eq!(wish.what, What::Key(key));
        }

        #[test]
        fn nothing_that_is_sent_is_a_surprise(query in "[a-z=&%+0-9\\PC]{0,60}") {
            let _ = Wish::parse(&query);
        }
    }
}
