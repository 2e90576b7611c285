//! What an operation answers.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::api::version::Version;

/// Where CloudFront says that resources are.
const ENDPOINT: &str = "https://cloudfront.amazonaws.com";

/// What an operation answers.
#[derive(Debug)]
pub(super) struct Reply {
    status: StatusCode,
    headers: Vec<(HeaderName, String)>,
    document: Option<String>,
}

impl Reply {
    /// Done, with nothing to show.
    pub(super) fn nothing() -> Self {
        Self {
            status: StatusCode::NO_CONTENT,
            headers: Vec::new(),
            document: None,
        }
    }

    /// A document.
    pub(super) fn document(document: String) -> Self {
        Self {
            status: StatusCode::OK,
            headers: vec![(header::CONTENT_TYPE, "text/xml".to_owned())],
            document: Some(document),
        }
    }

    /// A document that has a version.
    pub(super) fn versioned(document: String, etag: &str) -> Self {
        let mut reply = Self::document(document);
        reply.headers.push((header::ETAG, etag.to_owned()));
        reply
    }

    /// The document of what was created below `path`.
    pub(super) fn created(self, version: Version, path: &str, id: &str) -> Self {
        let mut reply = self;
        reply.status = StatusCode::CREATED;
        let location = format!("{ENDPOINT}/{version}/{path}/{id}");
        reply.headers.push((header::LOCATION, location));
        reply
    }

    /// The answer.
    pub(super) fn response(self) -> Response {
        let mut response = self.document.unwrap_or_default().into_response();
        response.headers_mut().remove(header::CONTENT_TYPE);
        *response.status_mut() = self.status;
        for (name, value) in self.headers {
            // Ids and ETags are letters and digits.
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}
