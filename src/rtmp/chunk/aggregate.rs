//! Aggregate messages: several messages in one (RTMP 1.0 section 7.1.6).

use bytes::Bytes;

use super::ChunkError;
use crate::rtmp::message::{AGGREGATE, Message};
use crate::units::Millis;
use crate::wire::Reader;

/// Type, length, timestamp and message stream of one part.
const PART_HEAD: usize = 11;
/// Its length again, after it.
const PART_TAIL: usize = 4;

/// An aggregate message that is being taken apart, one part at a time.
///
/// Part times are shifted so that the first part has the time of the whole. Parts belong to the
/// message stream of the whole, whatever they say. The last part may lack its tail.
#[derive(Debug, Clone)]
pub(super) struct Aggregate {
    whole: Message,
    rest: Bytes,
    /// What is added to the times of parts; known from the first.
    shift: Option<u32>,
}

impl Aggregate {
    pub(super) fn new(whole: Message) -> Self {
        Self {
            rest: whole.payload.clone(),
            whole,
            shift: None,
        }
    }

    /// The next part; `None` after the last.
    pub(super) fn part(&mut self) -> Result<Option<Message>, ChunkError> {
        while !self.rest.is_empty() {
            let part = self.cut().ok_or(ChunkError::Malformed {
                type_id: AGGREGATE,
                at: self.whole.at,
            })?;
            // One inside another means nothing, and could nest without end.
            if part.type_id != AGGREGATE {
                return Ok(Some(part));
            }
        }
        Ok(None)
    }

    fn cut(&mut self) -> Option<Message> {
        let mut reader = Reader::new(&self.rest);
        let type_id = reader.u8().ok()?;
        let len = usize::try_from(reader.u24().ok()?).ok()?;
        let [a, b, c, high] = reader.array().ok()?;
        let time = u32::from_be_bytes([high, a, b, c]);
        let end = PART_HEAD.saturating_add(len);
        if self.rest.len() < end {
            return None;
        }
        let payload = self.rest.slice(PART_HEAD..end);
        let next = end.saturating_add(PART_TAIL).min(self.rest.len());
        self.rest = self.rest.slice(next..);
        let start = self.whole.timestamp.0;
        let shift = *self.shift.get_or_insert(start.wrapping_sub(time));
        Some(Message {
            timestamp: Millis(time.wrapping_add(shift)),
            type_id,
            stream: self.whole.stream,
            payload,
            at: self.whole.at,
        })
    }
}
