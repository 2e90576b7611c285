//! What can be wrong with a file, and where in it.

use std::borrow::Cow;
use std::fmt;

/// The containers that this server reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Container {
    /// Flash Video (Adobe, Video File Format Specification 10.1, annex E).
    Flv,
    /// ISO base media file format and QuickTime: MP4, M4V, F4V, MOV, M4A (ISO/IEC 14496-12).
    Mp4,
    /// MPEG audio, layer III, with or without ID3 tags.
    Mp3,
}

impl fmt::Display for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Flv => "FLV",
            Self::Mp4 => "MP4",
            Self::Mp3 => "MP3",
        })
    }
}

/// Why a file cannot be played. The operator is to blame: it is their file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MediaError {
    /// The bytes are not what the container's specification asks for.
    #[error("{container} file is broken at byte {at}: {what}")]
    Malformed {
        /// Which container it was read as.
        container: Container,
        /// Position in the object, in bytes.
        at: u64,
        /// What was wrong there.
        what: Cow<'static, str>,
    },
    /// The file is larger, in some dimension, than this server is willing to hold.
    #[error("{container} file is over a limit: {what} (at most {limit})")]
    Limit {
        /// Which container it was read as.
        container: Container,
        /// Which of its parts is too large.
        what: Cow<'static, str>,
        /// The largest that is accepted.
        limit: u64,
    },
    /// Neither the name nor the first bytes tell of a container that this server reads.
    #[error("neither an FLV, nor an MP4, nor an MP3 file")]
    Unknown,
    /// The file is sound, but no track in it can be sent.
    #[error("no track of the file can be sent: {0}")]
    NoTrack(Cow<'static, str>),
}

impl MediaError {
    /// A [`MediaError::Malformed`].
    pub fn malformed(container: Container, at: u64, what: impl Into<Cow<'static, str>>) -> Self {
        Self::Malformed {
            container,
            at,
            what: what.into(),
        }
    }
}
