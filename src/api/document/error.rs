//! What is wrong with a document.

use crate::api::xml::XmlError;

/// What is wrong with a document. Who sent it is to blame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// There is none.
    #[error("the request needs a document, and has no body")]
    Empty,
    /// It is no XML as the API has it.
    #[error("the document is not XML that can be read: {0}")]
    Xml(#[from] XmlError),
    /// It is another document.
    #[error("the document is a {found}, and should be a {expected}")]
    Root {
        /// What the operation takes.
        expected: &'static str,
        /// What was sent.
        found: String,
    },
    /// An element that does not belong there.
    #[error("{0}: there is no such element in this version")]
    Unknown(String),
    /// An element that may be there once.
    #[error("{0}: it is there more than once")]
    Twice(String),
    /// An element that has to be there.
    #[error("{0}: it is missing")]
    Missing(String),
    /// A value that cannot be.
    #[error("{path}: {cause}")]
    Value {
        /// Where.
        path: String,
        /// Why.
        cause: String,
    },
    /// Quantity says something else than there is.
    #[error("{path}: Quantity says {quantity}, and there are {items} Items")]
    Quantity {
        /// Where.
        path: String,
        /// What it says.
        quantity: u32,
        /// What there is.
        items: usize,
    },
    /// An origin access identity that is not written as one.
    #[error("{0}: write origin-access-identity/cloudfront/ID, or nothing")]
    Identity(String),
    /// Tags that cannot be.
    #[error("{0}")]
    Tagging(String),
}
