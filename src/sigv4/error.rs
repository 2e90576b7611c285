//! Why a signature does not count.

/// Why a request is not believed to come from whom it says. The caller is to blame. The text is
/// meant for the caller, and holds nothing of the secret or of the right signature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No Authorization header.
    #[error("the request is not signed: it has no Authorization header")]
    Missing,
    /// A signature in the query.
    #[error("presigned requests are not served: sign with an Authorization header")]
    Presigned,
    /// An Authorization header that cannot be read.
    #[error("the Authorization header {0}")]
    Malformed(&'static str),
    /// A header that may be given once only.
    #[error("the header {0} is given more than once")]
    Twice(String),
    /// A header that is not plain text.
    #[error("the header {0} has control characters or is not UTF-8")]
    NotText(String),
    /// Neither X-Amz-Date nor Date.
    #[error("the request is not dated: it has neither an X-Amz-Date nor a Date header")]
    NoDate,
    /// A date that cannot be read.
    #[error("the header {0} is not a date")]
    BadDate(&'static str),
    /// Too old, or from the future.
    #[error("the request was signed at {sent}, and it is {now}: more than {allowed} minutes apart")]
    Skew {
        /// When it says that it was signed.
        sent: String,
        /// The time now.
        now: String,
        /// How far apart the two may be, minutes.
        allowed: i64,
    },
    /// Made for another service.
    #[error("the credential must be scoped to the service {0}")]
    Service(String),
    /// Made on another day than it is dated.
    #[error("the date in the credential's scope is not that of the request")]
    ScopeDate,
    /// The scope does not end as it must.
    #[error("the credential's scope must end in aws4_request")]
    Terminal,
    /// A signed header that is not there.
    #[error("the signed header {0} is not in the request")]
    Absent(String),
    /// A header that must be signed and is not.
    #[error("the header {0} must be among the signed headers")]
    Unsigned(String),
    /// A body that is not signed, or signed in pieces.
    #[error("the body must be signed: {0} is not served")]
    Payload(&'static str),
    /// Another body than X-Amz-Content-Sha256 says.
    #[error("X-Amz-Content-Sha256 is not the hash of the body")]
    PayloadHash,
    /// Temporary credentials.
    #[error("this server issues no session tokens, so it accepts none")]
    SessionToken,
    /// The older signature where it does not count.
    #[error("signatures over the Date alone are switched off here: use AWS4-HMAC-SHA256")]
    LegacyOff,
    /// The secret does not give this signature.
    #[error(
        "the signature is not that of the request: check the secret access key and the signing method"
    )]
    Mismatch,
}
