//! What can go wrong at an origin, whose fault it is, and whether asking again can help.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

/// Who has to do something about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Blame {
    /// The viewer: asked for what is not there.
    Viewer,
    /// The origin: broken, slow, or out of reach.
    Origin,
    /// The operator: a setting, a right or a file.
    Operator,
    /// This program.
    Us,
}

/// Why a read gave no bytes. Cheap to clone, for one failed read may end many plays.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// There is no such object, or the key cannot be one.
    #[error("no such object")]
    NotFound,
    /// The object may not be read with these credentials. S3 says this of a missing object too,
    /// to those who may not list the bucket.
    #[error("access to the object is denied")]
    Forbidden,
    /// The object is no longer the version that was asked for.
    #[error("the object has changed")]
    Changed,
    /// The range starts at or past the end of the object.
    #[error("the range is past the end of the object")]
    OutOfRange,
    /// The origin cannot be read as it is set up: the bucket is gone, the credentials are missing
    /// or refused. Asking again does not help.
    #[error("{cause}")]
    Misconfigured {
        /// What the origin said, in one line.
        cause: Arc<str>,
    },
    /// The origin does not answer, or not as it should. Asking again may help.
    #[error("{cause}")]
    Unavailable {
        /// What happened, in one line.
        cause: Arc<str>,
    },
}

impl OriginError {
    /// An [`OriginError::Unavailable`].
    pub fn unavailable(cause: impl AsRef<str>) -> Self {
        Self::Unavailable {
            cause: one_line(cause.as_ref()).into(),
        }
    }

    /// An [`OriginError::Misconfigured`].
    pub fn misconfigured(cause: impl AsRef<str>) -> Self {
        Self::Misconfigured {
            cause: one_line(cause.as_ref()).into(),
        }
    }

    /// Whether the same read may succeed a moment later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }

    /// Who has to do something about it.
    pub fn blame(&self) -> Blame {
        match self {
            Self::NotFound | Self::OutOfRange => Blame::Viewer,
            Self::Forbidden | Self::Changed | Self::Misconfigured { .. } => Blame::Operator,
            Self::Unavailable { .. } => Blame::Origin,
        }
    }
}

/// Why an origin cannot be used at all; found out at start. Each is one line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// The directory cannot be opened.
    #[error("cannot read the directory {}: {cause}", path.display())]
    Directory {
        /// Which.
        path: PathBuf,
        /// What the system said.
        cause: String,
    },
    /// There is no such bucket.
    #[error("there is no bucket {bucket} at {endpoint}")]
    NoBucket {
        /// Its name.
        bucket: String,
        /// Where it was looked for.
        endpoint: String,
    },
    /// The credentials are wrong, or out of date.
    #[error("the credentials are refused for bucket {bucket} at {endpoint}: {cause}")]
    Refused {
        /// The bucket's name.
        bucket: String,
        /// Who refused.
        endpoint: String,
        /// The code of the answer and its text.
        cause: String,
    },
    /// No credentials were found.
    #[error(
        "no credentials for bucket {bucket}: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a \
         profile or a role, or read it without any (origin.anonymous = true): {cause}"
    )]
    NoCredentials {
        /// The bucket's name.
        bucket: String,
        /// What the search said.
        cause: String,
    },
    /// Nothing answers there, or not as S3 does.
    #[error("cannot read bucket {bucket} at {endpoint}: {cause}")]
    Unreachable {
        /// The bucket's name.
        bucket: String,
        /// Where it was looked for.
        endpoint: String,
        /// What happened.
        cause: String,
    },
}

/// An error and what caused it, in one line; parts that repeat what was said are left out.
pub(super) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut line = one_line(&error.to_string());
    let mut next = error.source();
    while let Some(cause) = next {
        let text = one_line(&cause.to_string());
        if !text.is_empty() && !line.contains(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        next = cause.source();
    }
    line
}

/// `text` on one line, whatever an origin put into it, and of bounded length: it goes to the log.
pub(super) fn one_line(text: &str) -> String {
    /// Longer answers are HTML pages.
    const LONGEST: usize = 300;
    let mut line = String::new();
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()) {
        if word.is_empty() {
            continue;
        }
        if line.len().saturating_add(word.len()) > LONGEST {
            line.push_str(" ...");
            break;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_one_line_and_bounded() {
        let error = OriginError::unavailable("a\n\tb\u{1b}[31m  c");
        assert_eq!(error.to_string(), "a b [31m c");
        assert!(one_line(&"word ".repeat(1000)).len() < 310);
    }

    #[test]
    fn only_an_origin_out_of_reach_is_asked_again() {
        assert!(OriginError::unavailable("x").is_retryable());
        for error in [
            OriginError::NotFound,
            OriginError::Forbidden,
            OriginError::Changed,
            OriginError::OutOfRange,
            OriginError::misconfigured("x"),
        ] {
            assert!(!error.is_retryable(), "{error}");
        }
        assert_eq!(OriginError::NotFound.blame(), Blame::Viewer);
        assert_eq!(OriginError::unavailable("x").blame(), Blame::Origin);
        assert_eq!(OriginError::misconfigured("x").blame(), Blame::Operator);
    }

    #[test]
    fn a_chain_says_each_cause_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("{0}")]
        struct Link(&'static str, #[source] Option<Box<Link>>);
        let error = Link(
            "dispatch failure",
            Some(Box::new(Link(
                "io error",
                Some(Box::new(Link(
                    "io error",
                    Some(Box::new(Link("refused", None))),
                ))),
            ))),
        );
        assert_eq!(chain(&error), "dispatch failure: io error: refused");
    }
}
