//! Errors of the control API, as its clients know them: a code, a status, an envelope
//! (cloudfront.md, section 5.5).

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use quick_xml::escape::escape;

/// The version that errors are written in where a request names none.
pub const NEWEST: &str = "2020-05-31";

/// One error of the control API.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ApiError {
    /// The HTTP status.
    pub status: StatusCode,
    /// The code that programs look at.
    pub code: &'static str,
    /// What a person reads.
    pub message: String,
}

impl ApiError {
    /// An error.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
        }
    }

    /// The answer to a request of API version `version` (a date) that has the id `request`.
    pub fn response(&self, version: &str, request: &str) -> Response {
        let side = if self.status.is_server_error() {
            "Receiver"
        } else {
            "Sender"
        };
        let body = format!(
            "<?xml version=\"1.0\"?>\n\
             <ErrorResponse xmlns=\"http://cloudfront.amazonaws.com/doc/{version}/\">\
             <Error><Type>{side}</Type><Code>{}</Code><Message>{}</Message></Error>\
             <RequestId>{request}</RequestId></ErrorResponse>\n",
            self.code,
            escape(&self.message),
        );
        let headers = [(header::CONTENT_TYPE, "text/xml")];
        (self.status, headers, body).into_response()
    }
}
