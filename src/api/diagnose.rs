//! `GET /diagnose?host=HOST&app=APP&name=NAME`: what the server makes of a play, step by step.
//!
//! For the command `streamfront diagnose`: a player is told of a failure in one word at best, and
//! the operator wants to know which of distribution, bucket, object, container or access it was.

use std::fmt::Debug;
use std::sync::Arc;

use axum::extract::State;
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use futures_util::future::BoxFuture;

use super::caller::Caller;
use super::error::{ApiError, NEWEST};
use super::query::{Query, argument};
use super::request::RequestId;

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
    Extension(id): Extension<RequestId>,
    uri: Uri,
) -> Response {
    let asked = permit(&caller).and_then(|()| Question::parse(uri.query().unwrap_or_default()));
    let question = match asked {
        Ok(question) => question,
        Err(error) => return error.response(NEWEST, id.as_str()),
    };
    Json(server.diagnose(&caller, &question).await).into_response()
}

fn permit(caller: &Caller) -> Result<(), ApiError> {
    if caller.may(ACTION) {
        return Ok(());
    }
    Err(ApiError::denied(&caller.key_id, ACTION))
}

impl Question {
    fn parse(query: &str) -> Result<Self, ApiError> {
        let query = Query::parse(query)?;
        query.only(&["host", "app", "name"])?;
        let get = |name| query.get(name).unwrap_or_default().to_owned();
        let question = Self {
            host: get("host"),
            app: get("app"),
            name: get("name"),
        };
        if question.name.is_empty() {
            return Err(argument("give name=NAME: the stream that does not play"));
        }
        Ok(question)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_names_a_stream() {
        let question = Question::parse("host=a.example&app=cfx%2Fst&name=mp4%3Aa+b").unwrap();
        assert_eq!(question.host, "a.example");
        assert_eq!((&*question.app, &*question.name), ("cfx/st", "mp4:a b"));
        for query in ["", "host=a", "name=a&x=1", "name=%ff"] {
            assert_eq!(Question::parse(query).unwrap_err().code, "InvalidArgument");
        }
    }
}
