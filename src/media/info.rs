//! What is known of a file once its index is built.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::amf::Value;
use crate::media::codec::{AudioCodec, VideoCodec};
use crate::media::stored;
use crate::units::MediaTime;

/// The codec heads (sequence headers) in force at some place of a file, as whole FLV tag bodies
/// ready to be sent. `None` where the codec has none or none has come yet.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Heads {
    /// Body of a video message.
    #[serde(with = "stored::maybe_bytes")]
    pub video: Option<Bytes>,
    /// Body of an audio message.
    #[serde(with = "stored::maybe_bytes")]
    pub audio: Option<Bytes>,
}

/// What a player and the log want to know of a file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MediaInfo {
    /// Play time from the start of the timeline to its end; `None` where only reading the whole
    /// file would tell.
    pub duration: Option<MediaTime>,
    /// The one video track that is sent.
    pub video: Option<VideoCodec>,
    /// The one audio track that is sent.
    pub audio: Option<AudioCodec>,
    /// The properties of onMetaData, in order, as they are sent: without `keyframes.filepositions`
    /// and other positions in the file, which mean nothing to a player of a stream.
    pub metadata: Vec<(String, Value)>,
}
