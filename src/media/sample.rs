//! A sample: one access unit of one track, as it will be sent, without its payload.

use crate::units::{ByteRange, MediaTime};
use serde::{Deserialize, Serialize};

/// What a message carries, by its RTMP message type (RTMP 1.0 section 7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// Message type 8.
    Audio,
    /// Message type 9.
    Video,
    /// Message type 18: AMF0 data, from the script tags of an FLV file.
    Data,
}

impl Kind {
    /// The RTMP message type id, which is also the FLV tag type.
    pub const fn type_id(self) -> u8 {
        match self {
            Self::Audio => 8,
            Self::Video => 9,
            Self::Data => 18,
        }
    }
}

/// The bytes that go before a payload to make an FLV tag body: at most 8 of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Prefix {
    bytes: [u8; 8],
    len: u8,
}

impl Prefix {
    /// No bytes: the payload is a tag body already.
    pub const EMPTY: Self = Self {
        bytes: [0; 8],
        len: 0,
    };

    /// A prefix of these bytes; those after the eighth are left out.
    pub fn new(bytes: &[u8]) -> Self {
        let mut prefix = Self::EMPTY;
        for (slot, byte) in prefix.bytes.iter_mut().zip(bytes) {
            *slot = *byte;
            prefix.len = prefix.len.saturating_add(1);
        }
        prefix
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

/// One access unit (or script tag) in the order in which it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// Which kind of message it becomes.
    pub kind: Kind,
    /// Decoding time on the object's timeline, milliseconds; the message's timestamp before it is
    /// taken modulo 2^32. The composition time offset is inside `prefix` (or the tag itself).
    pub time: MediaTime,
    /// Whether decoding can begin here: a key frame of video, any access unit of audio, never data.
    pub sync: bool,
    /// Whether this is a codec head (sequence header) rather than media.
    pub head: bool,
    /// What goes before the payload to make an FLV tag body.
    pub prefix: Prefix,
    /// Where the payload is in the object. May be empty.
    pub payload: ByteRange,
}

impl Sample {
    /// Length of the RTMP message in bytes: prefix and payload.
    pub fn message_len(&self) -> u64 {
        self.payload
            .len()
            .saturating_add(u64::from(self.prefix.len))
    }
}
