//! Where objects are written: the other way of an origin, for what this server has to say.

use std::fmt::Debug;

use bytes::Bytes;
use futures_util::future::BoxFuture;

/// Why an object was not written. The message is one line, and never shows a credential.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The server does not answer, or not as it should; whether the object was written is not
    /// known. The server is to blame.
    #[error("{0}")]
    Unavailable(String),
    /// It does not take it: the bucket is gone, or the credentials do not allow it. The operator is
    /// to blame.
    #[error("{0}")]
    Refused(String),
}

/// A bucket that objects are written to.
pub trait Bucket: Send + Sync + Debug {
    /// Writes an object, in the place of one with the same key. One try. Ends well only when the
    /// server says that it has the whole object.
    fn put<'a>(
        &'a self,
        key: &'a str,
        content_type: &'a str,
        body: Bytes,
    ) -> BoxFuture<'a, Result<(), WriteError>>;
}
