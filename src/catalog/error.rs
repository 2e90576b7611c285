//! Why a name cannot be played, and what the player is told.

use std::sync::Arc;

use crate::access::Refusal;
use crate::cache;
use crate::media::MediaError;
use crate::origin::{Blame, OriginError};
use crate::render::RenderError;

/// Why a play fails. Cheap to clone: one failed render may end many plays.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PlayError {
    /// No object has this name.
    #[error("no object has this name")]
    NotFound,
    /// The origin does not give the bytes.
    #[error("the origin fails: {0}")]
    Origin(#[source] OriginError),
    /// The file cannot be read, or nothing in it can be sent.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// A segment of it cannot be rendered.
    #[error(transparent)]
    Render(RenderError),
    /// The distribution was disabled or deleted since the viewer connected.
    #[error("the distribution is disabled")]
    Disabled,
    /// Names of the distribution must be signed, and this one is not so that it holds.
    #[error(transparent)]
    Refused(Arc<Refusal>),
    /// This server is at fault, or out of memory, or stopping.
    #[error("{0}")]
    Internal(Arc<str>),
}

/// What the player is told: the classes of failure that have a status of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// NetStream.Play.StreamNotFound.
    StreamNotFound,
    /// NetStream.Play.FileStructureInvalid.
    FileStructureInvalid,
    /// NetStream.Play.NoSupportedTrackFound.
    NoSupportedTrackFound,
    /// NetStream.Play.Failed.
    Failed,
}

impl PlayError {
    /// What the player is told.
    pub fn failure(&self) -> Failure {
        match self {
            // What the origin refuses looks to the viewer like what is not there.
            Self::NotFound
            | Self::Origin(
                OriginError::NotFound | OriginError::Forbidden | OriginError::Misconfigured { .. },
            ) => Failure::StreamNotFound,
            Self::Media(MediaError::NoTrack(_)) => Failure::NoSupportedTrackFound,
            Self::Media(_) | Self::Render(_) | Self::Origin(OriginError::OutOfRange) => {
                Failure::FileStructureInvalid
            }
            // Nobody is told what is wrong with their signature.
            Self::Origin(_) | Self::Disabled | Self::Refused(_) | Self::Internal(_) => {
                Failure::Failed
            }
        }
    }

    /// Who has to do something about it.
    pub fn blame(&self) -> Blame {
        match self {
            Self::NotFound | Self::Disabled | Self::Refused(_) => Blame::Viewer,
            Self::Origin(error) => error.blame(),
            Self::Media(_) | Self::Render(_) => Blame::Operator,
            Self::Internal(_) => Blame::Us,
        }
    }
}

impl From<Refusal> for PlayError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Arc::new(refusal))
    }
}

impl From<OriginError> for PlayError {
    fn from(error: OriginError) -> Self {
        match error {
            OriginError::NotFound => Self::NotFound,
            error => Self::Origin(error),
        }
    }
}

impl From<RenderError> for PlayError {
    fn from(error: RenderError) -> Self {
        match error {
            RenderError::Media(error) => Self::Media(error),
            error => Self::Render(error),
        }
    }
}

impl From<cache::RenderError<PlayError>> for PlayError {
    fn from(error: cache::RenderError<PlayError>) -> Self {
        match error {
            cache::RenderError::Failed(error) => error,
            error => Self::Internal(error.to_string().into()),
        }
    }
}
