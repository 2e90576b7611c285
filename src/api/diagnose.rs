//! `GET /diagnose?host=HOST&app=APP&name=NAME`: what the server makes of a play, step by step.
//!
//! For the command `streamfront diagnose`: a player is told of a failure in one word at best, and
//! the operator wants to know which of distribution, bucket, object, container or access it was.

use std::fmt::Debug;
use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use futures_util::future::BoxFuture;

use super::caller::{Caller, RequestId};
use super::error::{ApiError, NEWEST};
use super::query;

mod finding;

pub use finding::{Finding, Verdict};

/// What has to be allowed.
const ACTION: &str = "streamfront:Diagnose";

/// A play that is asked about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Question {
    /// The host that the player was told to connect to.
    pub host: String,
    /// The application in its connect.
    pub app: String,
    /// The stream name.
    pub name: String,
}

/// Who can tell. The server implements it.
pub trait Diagnose: Send + Sync + Debug {
    /// Walks from the host to the access check; what lies behind a step that does not hold is not
    /// looked at. Distributions of other accounts are not told about, except to the operator's.
    fn diagnose<'a>(
        &'a self,
        caller: &'a Caller,
        question: &'a Question,
    ) -> BoxFuture<'a, Vec<Finding>>;
}

/// Answers the call.
pub(super) async fn answer(
    State(server): State<Arc<dyn Diagnose>>,
    Extension(caller): Extension<Caller>,
    Extension(request): Extension<RequestId>,
    uri: Uri,
) -> Response {
    if !caller.may(ACTION) {
        return ApiError::denied(ACTION).response(NEWEST, &request.0);
    }
    let question = match Question::parse(uri.query().unwrap_or_default()) {
        Ok(question) => question,
        Err(cause) => {
            let error = ApiError::new(StatusCode::BAD_REQUEST, "InvalidArgument", cause);
            return error.response(NEWEST, &request.0);
        }
    };
    let findings = server.diagnose(&caller, &question).await;
    let json = serde_json::to_string(&findings).unwrap_or_default();
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (kind, json + "\n").into_response()
}

impl Question {
    fn parse(text: &str) -> Result<Self, String> {
        let mut question = Self::default();
        for (name, value) in query::pairs(text)? {
            match &*name {
                "host" => question.host = value,
                "app" => question.app = value,
                "name" => question.name = value,
                _ => return Err(format!("there is no parameter {name:?}")),
            }
        }
        if question.name.is_empty() {
            return Err("name= is missing".to_owned());
        }
        Ok(question)
    }
}
