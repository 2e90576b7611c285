//! Errors of the control API, as its clients know them: a code, a status, an envelope
//! (cloudfront.md, section 5.5).

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::xml::{self, Element};

/// The version that errors are written in where a request names none.
pub const NEWEST: &str = "2020-05-31";

/// The longest message, characters: messages repeat what was sent, which can be long.
const MAX_MESSAGE: usize = 400;

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
        let mut message = message.into();
        if let Some((end, _)) = message.char_indices().nth(MAX_MESSAGE) {
            message.truncate(end);
            message.push('…');
        }
        Self {
            status,
            code,
            message,
        }
    }

    /// The refusal of something that an access key may not do.
    pub fn denied(key_id: &str, action: &str) -> Self {
        let said = format!("the access key {key_id} may not do {action}");
        Self::new(StatusCode::FORBIDDEN, "AccessDenied", said)
    }

    /// The answer to a request of API version `version` (a date) that has the id `request`.
    pub fn response(&self, version: &str, request: &str) -> Response {
        let side = if self.status.is_server_error() {
            "Receiver"
        } else {
            "Sender"
        };
        let error = Element::node(
            "Error",
            [
                Element::text("Type", side),
                Element::text("Code", self.code),
                Element::text("Message", &self.message),
            ],
        );
        let id = Element::text("RequestId", request);
        let namespace = format!("http://cloudfront.amazonaws.com/doc/{version}/");
        let body = xml::write(&Element::node("ErrorResponse", [error, id]), &namespace);
        let headers = [(header::CONTENT_TYPE, "text/xml")];
        (self.status, headers, body).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn text(error: &ApiError) -> (StatusCode, String) {
        let answer = error.response("2013-05-12", "an-id");
        let kind = answer.headers().get(header::CONTENT_TYPE).unwrap();
        assert_eq!(kind, "text/xml");
        let status = answer.status();
        let body = axum::body::to_bytes(answer.into_body(), 10_000).await;
        let text = String::from_utf8(body.unwrap().to_vec()).unwrap();
        (status, text)
    }

    #[tokio::test]
    async fn an_error_has_its_envelope() {
        let error = ApiError::new(StatusCode::CONFLICT, "CNAMEAlreadyExists", "a < b & \u{1}");
        let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
            <ErrorResponse xmlns=\"http://cloudfront.amazonaws.com/doc/2013-05-12/\"><Error>\
            <Type>Sender</Type><Code>CNAMEAlreadyExists</Code>\
            <Message>a &lt; b &amp; \u{fffd}</Message></Error>\
            <RequestId>an-id</RequestId></ErrorResponse>\n";
        assert_eq!(
            text(&error).await,
            (StatusCode::CONFLICT, expected.to_owned())
        );
        let ours = ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", "");
        assert!(text(&ours).await.1.contains("<Type>Receiver</Type>"));
    }

    #[test]
    fn a_message_does_not_repeat_all_that_was_sent() {
        let error = ApiError::new(StatusCode::BAD_REQUEST, "X", "é".repeat(10_000));
        assert_eq!(error.message.chars().count(), MAX_MESSAGE + 1);
    }
}
