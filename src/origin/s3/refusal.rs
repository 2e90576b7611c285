//! What an S3 server's refusal means ("Error responses", Amazon S3 API reference).

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::GetObjectError;

use super::super::OriginError;
use super::super::error::{chain, one_line};

/// The SDK's error for a read.
pub(super) type GetError = SdkError<GetObjectError>;

/// What a failed read comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// 304: still the version that was named.
    NotModified,
    /// No such bucket.
    NoBucket,
    /// The credentials are wrong or out of date; the cause in one line.
    BadCredentials(String),
    /// No credentials were found; the cause in one line.
    NoCredentials(String),
    /// An error of the read itself.
    Read(OriginError),
}

impl Refusal {
    /// What `error` means.
    pub(super) fn of(error: &GetError) -> Self {
        match error.raw_response() {
            Some(answer) => {
                let region = answer.headers().get("x-amz-bucket-region");
                Self::of_answer(
                    answer.status().as_u16(),
                    error.code(),
                    error.message(),
                    region,
                )
            }
            None => Self::of_silence(error),
        }
    }

    fn of_answer(
        status: u16,
        code: Option<&str>,
        message: Option<&str>,
        region: Option<&str>,
    ) -> Self {
        let code = code.unwrap_or_default();
        let cause = cause(status, code, message);
        match (status, code) {
            (304, _) => Self::NotModified,
            (_, "NoSuchBucket" | "InvalidBucketName") => Self::NoBucket,
            (
                400 | 401 | 403,
                "InvalidAccessKeyId"
                | "SignatureDoesNotMatch"
                | "InvalidToken"
                | "ExpiredToken"
                | "TokenRefreshRequired"
                | "InvalidSecurity"
                | "NotSignedUp"
                | "AccountProblem"
                | "AuthorizationHeaderMalformed",
            ) => Self::BadCredentials(cause),
            // Nobody's key is wrong, but a clock is.
            (403, "RequestTimeTooSkewed") => Self::BadCredentials(cause),
            (400, "RequestTimeout") => Self::Read(OriginError::unavailable(cause)),
            (400, "KeyTooLongError" | "InvalidURI") | (404 | 410, _) => {
                Self::Read(OriginError::NotFound)
            }
            (401 | 403, _) => Self::Read(OriginError::Forbidden),
            (412, _) => Self::Read(OriginError::Changed),
            (416, _) => Self::Read(OriginError::OutOfRange),
            (408 | 425 | 429 | 500..=599, _) => Self::Read(OriginError::unavailable(cause)),
            (301 | 307 | 400, _) if region.is_some() => {
                let region = region.unwrap_or_default();
                Self::Read(OriginError::misconfigured(format!(
                    "the bucket is in the region {region}: set AWS_REGION={region}"
                )))
            }
            (300..=499, _) => Self::Read(OriginError::misconfigured(cause)),
            // A success that could not be understood.
            _ => Self::Read(OriginError::unavailable(cause)),
        }
    }

    /// There is no answer: nobody there, too slow, or nothing was sent for want of credentials.
    fn of_silence(error: &GetError) -> Self {
        let cause = bare(&chain(error));
        // The SDK has no type for this that can be reached through its error.
        let no_credentials = match error {
            SdkError::DispatchFailure(failure) => failure.is_other(),
            SdkError::ConstructionFailure(_) => true,
            _ => false,
        } && cause.contains("credential");
        if no_credentials {
            Self::NoCredentials(cause)
        } else {
            Self::Read(OriginError::unavailable(cause))
        }
    }

    /// As the error of a read; `None` where it is none.
    pub(super) fn into_error(self) -> Option<OriginError> {
        match self {
            Self::NotModified => None,
            Self::NoBucket => Some(OriginError::misconfigured("the bucket does not exist")),
            Self::BadCredentials(cause) => Some(OriginError::misconfigured(format!(
                "the credentials are refused: {cause}"
            ))),
            Self::NoCredentials(cause) => Some(OriginError::misconfigured(format!(
                "there are no credentials: {cause}"
            ))),
            Self::Read(error) => Some(error),
        }
    }
}

/// A cause without the layers of the SDK that it came through.
fn bare(cause: &str) -> String {
    const LAYERS: [&str; 4] = [
        "dispatch failure: ",
        "io error: ",
        "other: ",
        "client error (Connect): ",
    ];
    let bare = LAYERS.iter().fold(cause, |cause, layer| {
        cause.strip_prefix(layer).unwrap_or(cause)
    });
    bare.to_owned()
}

fn cause(status: u16, code: &str, message: Option<&str>) -> String {
    let message = message.unwrap_or_default();
    let mut line = format!("the origin answered {status}");
    if !code.is_empty() {
        line.push(' ');
        line.push_str(code);
    }
    if !message.is_empty() {
        line.push_str(": ");
        line.push_str(message);
    }
    one_line(&line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, code: &str) -> Refusal {
        let code = Some(code).filter(|code| !code.is_empty());
        Refusal::of_answer(status, code, None, None)
    }

    #[test]
    fn each_answer_has_its_meaning() {
        assert_eq!(of(304, ""), Refusal::NotModified);
        assert_eq!(of(404, "NoSuchKey"), Refusal::Read(OriginError::NotFound));
        assert_eq!(of(404, ""), Refusal::Read(OriginError::NotFound));
        assert_eq!(of(404, "NoSuchBucket"), Refusal::NoBucket);
        assert_eq!(
            of(403, "AccessDenied"),
            Refusal::Read(OriginError::Forbidden)
        );
        assert_eq!(of(403, ""), Refusal::Read(OriginError::Forbidden));
        assert!(matches!(
            of(403, "InvalidAccessKeyId"),
            Refusal::BadCredentials(_)
        ));
        assert!(matches!(
            of(403, "SignatureDoesNotMatch"),
            Refusal::BadCredentials(_)
        ));
        assert_eq!(
            of(412, "PreconditionFailed"),
            Refusal::Read(OriginError::Changed)
        );
        assert_eq!(
            of(416, "InvalidRange"),
            Refusal::Read(OriginError::OutOfRange)
        );
        for status in [408, 429, 500, 503, 599] {
            let error = of(status, "").into_error().unwrap();
            assert!(error.is_retryable(), "{status}");
        }
        for status in [301, 400, 405, 451] {
            let error = of(status, "").into_error().unwrap();
            assert!(
                matches!(error, OriginError::Misconfigured { .. }),
                "{status}"
            );
        }
    }

    #[test]
    fn the_cause_is_said_in_one_line() {
        let refusal = Refusal::of_answer(503, Some("SlowDown"), Some("Please\nreduce"), None);
        let error = refusal.into_error().unwrap();
        assert_eq!(
            error.to_string(),
            "the origin answered 503 SlowDown: Please reduce"
        );
        let refusal = Refusal::of_answer(301, Some("PermanentRedirect"), None, Some("eu-west-1"));
        assert_eq!(
            refusal.into_error().unwrap().to_string(),
            "the bucket is in the region eu-west-1: set AWS_REGION=eu-west-1"
        );
    }
}
