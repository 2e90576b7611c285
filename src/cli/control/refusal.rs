//! What the API says when it does not do what it was asked.

use hyper::StatusCode;

use super::distributions::child;
use crate::api::xml;

/// Characters of an answer that is no document of the API: somebody else's server.
const SHOWN: usize = 200;

/// An answer that is an error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} ({code})")]
pub(in crate::cli) struct Refusal {
    /// The HTTP status.
    pub(in crate::cli) status: StatusCode,
    /// The code, such as `CNAMEAlreadyExists`.
    pub(in crate::cli) code: String,
    /// The sentence beside it.
    pub(in crate::cli) message: String,
}

impl Refusal {
    /// Reads the error document; what is none is shown as it is, cut.
    pub(super) fn read(status: StatusCode, body: &[u8]) -> Self {
        Self::told(status, body).unwrap_or_else(|| Self {
            status,
            code: status.as_str().to_owned(),
            message: String::from_utf8_lossy(body)
                .trim()
                .chars()
                .take(SHOWN)
                .collect(),
        })
    }

    fn told(status: StatusCode, body: &[u8]) -> Option<Self> {
        let tree = xml::read(body).ok()?;
        let error = child(&tree, "Error")?;
        Some(Self {
            status,
            code: child(error, "Code")?.text.clone(),
            message: child(error, "Message")?.text.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_document_or_whatever_came() {
        let body = "<ErrorResponse xmlns=\"urn:x\"><Error><Type>Sender</Type><Code>AccessDenied</Code>\
            <Message>No &amp; never</Message></Error><RequestId>1</RequestId></ErrorResponse>";
        let refusal = Refusal::read(StatusCode::FORBIDDEN, body.as_bytes());
        assert_eq!(refusal.to_string(), "No & never (AccessDenied)");
        let other = Refusal::read(StatusCode::BAD_GATEWAY, "x".repeat(900).as_bytes());
        assert_eq!((other.code.as_str(), other.message.len()), ("502", SHOWN));
    }
}
