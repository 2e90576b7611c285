//! What a reader remembers of one chunk stream.

use super::header::Fields;
use crate::units::Millis;

/// The last header of a chunk stream, and its unfinished message.
#[derive(Debug, Clone, Default)]
pub(super) struct ChunkStream {
    pub(super) csid: u32,
    pub(super) timestamp: u32,
    /// What a type 3 chunk that begins a message adds to the timestamp.
    delta: u32,
    pub(super) len: u32,
    pub(super) type_id: u8,
    pub(super) stream: u32,
    /// Whether type 3 chunks repeat an extended timestamp.
    pub(super) extended: bool,
    /// The message that has begun and not ended.
    pub(super) partial: Option<Partial>,
}

/// A message of which not all has arrived.
#[derive(Debug, Clone, Default)]
pub(super) struct Partial {
    pub(super) payload: Vec<u8>,
    /// Bytes that have arrived; they are not in `payload` where media is discarded.
    pub(super) received: u32,
    pub(super) discard: bool,
    /// Where its first header begins.
    pub(super) at: u64,
}

impl ChunkStream {
    pub(super) fn new(csid: u32) -> Self {
        Self {
            csid,
            ..Self::default()
        }
    }

    /// Whether a header of this form can be the first of a chunk stream. One of type 1 lacks only
    /// the message stream, and librtmp begins chunk streams with it for stream 0.
    pub(super) const fn may_begin_with(fields: Fields) -> bool {
        matches!(fields, Fields::Full { .. } | Fields::SameStream { .. })
    }

    /// Takes over what the header of a message's first chunk says.
    pub(super) fn begin(&mut self, fields: Fields, extended: Option<u32>) {
        match fields {
            Fields::Full {
                len,
                type_id,
                stream,
                ..
            } => {
                (self.len, self.type_id, self.stream) = (len, type_id, stream);
            }
            Fields::SameStream { len, type_id, .. } => (self.len, self.type_id) = (len, type_id),
            Fields::TimeOnly { .. } | Fields::Nothing => {}
        }
        match fields {
            Fields::Full { time, .. } => {
                self.timestamp = extended.unwrap_or(time);
                // RTMP 1.0, 5.3.1.2.4: a type 3 after a type 0 adds that one's timestamp.
                self.delta = self.timestamp;
            }
            Fields::SameStream { time, .. } | Fields::TimeOnly { time } => {
                self.delta = extended.unwrap_or(time);
                self.timestamp = self.timestamp.wrapping_add(self.delta);
            }
            Fields::Nothing => self.timestamp = self.timestamp.wrapping_add(self.delta),
        }
        self.extended = extended.is_some();
    }

    pub(super) const fn time(&self) -> Millis {
        Millis(self.timestamp)
    }

    /// Bytes of the unfinished message that are still to come.
    pub(super) fn missing(&self) -> u32 {
        let received = self.partial.as_ref().map_or(0, |partial| partial.received);
        self.len.saturating_sub(received)
    }
}
