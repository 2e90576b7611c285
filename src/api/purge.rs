//! `DELETE /cache?key=KEY` and `?prefix=PREFIX`, with or without `&distribution=ID`: forgets what
//! is cached of one object or of all whose key begins so. For the operator only, because what is
//! cached is everybody's.

use std::fmt::Debug;
use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use futures_util::future::BoxFuture;
use serde::Serialize;

use super::caller::Caller;
use super::error::ApiError;
use super::query::{Query, argument};
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
        return Err(ApiError::denied(&caller.key_id, ACTION));
    }
    let wish = Wish::parse(query)?;
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

impl Wish {
    fn parse(query: &str) -> Result<Self, ApiError> {
        let query = Query::parse(query)?;
        query.only(&["distribution", "key", "prefix"])?;
        let what = match (query.get("key"), query.get("prefix")) {
            (Some(""), None) => {
                let said = "a key is not empty; prefix= stands for all objects";
                return Err(argument(said));
            }
            (Some(key), None) => What::Key(key.to_owned()),
            (None, Some(prefix)) => What::Prefix(prefix.to_owned()),
            _ => {
                let said = "give key=KEY or prefix=PREFIX, and only one of them";
                return Err(argument(said));
            }
        };
        Ok(Self {
            distribution: query.get("distribution").map(str::to_owned),
            what,
        })
    }
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
        for query in [
            "",
            "distribution=x",
            "key=a&prefix=b",
            "key=a&key=b",
            "keys=a",
            "key=%ff",
            "key=",
            "key",
        ] {
            let error = Wish::parse(query).unwrap_err();
            assert_eq!(error.code, "InvalidArgument", "{query}");
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
