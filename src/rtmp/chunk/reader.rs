//! The chunk reader: bytes in, whole messages out.
//!
//! It holds the header that is being gathered and the unfinished messages, nothing else: the
//! caller keeps the input, and can stop between messages. Buffers grow with the bytes that
//! arrive, never by the length that a header claims. Set Chunk Size and Abort are obeyed here and
//! not reported; aggregate messages are reported as their parts.

use bytes::Bytes;

use super::aggregate::Aggregate;
use super::header::{Fields, Gathered, Header};
use super::stream::{ChunkStream, Partial};
use super::{ChunkError, ChunkLimits, DEFAULT_CHUNK_SIZE};
use crate::rtmp::message::{ABORT, AGGREGATE, AUDIO, Message, SET_CHUNK_SIZE, VIDEO};
use crate::wire::Reader;

/// Takes the chunks of one direction of one connection apart.
#[derive(Debug, Clone)]
pub struct ChunkReader {
    limits: ChunkLimits,
    chunk_size: u32,
    streams: Vec<ChunkStream>,
    header: Gathered,
    /// The chunk whose payload is being read: index of its stream, bytes still to come.
    chunk: Option<(usize, u32)>,
    aggregate: Option<Aggregate>,
    /// Bytes of unfinished messages that are held.
    buffered: usize,
    /// Bytes of the connection read so far.
    position: u64,
}

impl ChunkReader {
    /// A reader whose first byte is at `position` of the connection: after the handshake.
    pub const fn new(limits: ChunkLimits, position: u64) -> Self {
        Self {
            limits,
            chunk_size: DEFAULT_CHUNK_SIZE,
            streams: Vec::new(),
            header: Gathered::new(),
            chunk: None,
            aggregate: None,
            buffered: 0,
            position,
        }
    }

    /// Bytes of the connection read so far, those before the first chunk counted.
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// Bytes of unfinished messages that are held.
    pub const fn buffered(&self) -> usize {
        self.buffered
    }

    /// Takes bytes from `input` up to the end of the next message; `None` when they are used up
    /// before. After an error the reader is of no further use.
    pub fn message(&mut self, input: &mut &[u8]) -> Result<Option<Message>, ChunkError> {
        loop {
            if let Some(part) = self.part()? {
                return Ok(Some(part));
            }
            let finished = match self.chunk {
                Some((index, left)) => self.payload(input, index, left)?,
                None => self.head(input)?,
            };
            match finished {
                Progress::Starved => return Ok(None),
                Progress::Some => {}
                Progress::Finished(index) => {
                    if let Some(message) = self.finish(index)? {
                        return Ok(Some(message));
                    }
                }
            }
        }
    }

    /// The next part of an aggregate message.
    fn part(&mut self) -> Result<Option<Message>, ChunkError> {
        let Some(aggregate) = &mut self.aggregate else {
            return Ok(None);
        };
        let part = aggregate.part()?;
        if part.is_none() {
            self.aggregate = None;
        }
        Ok(part)
    }

    fn head(&mut self, input: &mut &[u8]) -> Result<Progress, ChunkError> {
        let at = self.position.saturating_sub(count(self.header.len()));
        let before = input.len();
        let streams = &self.streams;
        let extends = |csid| {
            streams
                .iter()
                .any(|stream| stream.csid == csid && stream.extended)
        };
        let header = self.header.take(input, extends);
        self.advance(before.saturating_sub(input.len()));
        let Some(header) = header else {
            return Ok(Progress::Starved);
        };
        let index = self.stream(header, at)?;
        let left = self.begin(index, header, at)?;
        if left == 0 {
            return Ok(Progress::Finished(index));
        }
        self.chunk = Some((index, left));
        Ok(Progress::Some)
    }

    /// The place of a chunk stream, a new one where this is its first chunk.
    fn stream(&mut self, header: Header, at: u64) -> Result<usize, ChunkError> {
        let csid = header.csid;
        let known = self.streams.iter().position(|stream| stream.csid == csid);
        if let Some(index) = known {
            return Ok(index);
        }
        if !ChunkStream::may_begin_with(header.fields) {
            return Err(ChunkError::NoHeader { csid, at });
        }
        let limit = self.limits.streams;
        if self.streams.len() >= limit {
            return Err(ChunkError::Streams { csid, limit, at });
        }
        self.streams.push(ChunkStream::new(csid));
        Ok(self.streams.len().saturating_sub(1))
    }

    /// Begins or goes on with a message; returns how many bytes this chunk holds.
    fn begin(&mut self, index: usize, header: Header, at: u64) -> Result<u32, ChunkError> {
        let limits = self.limits;
        let Some(stream) = self.streams.get_mut(index) else {
            return Ok(0);
        };
        if stream.partial.is_none() {
            stream.begin(header.fields, header.extended);
            let discard = limits.discard_media && is_media(stream.type_id);
            let (len, limit) = (stream.len, limits.message);
            if len > limit && !discard {
                return Err(ChunkError::Message { len, limit, at });
            }
            stream.partial = Some(Partial {
                discard,
                at,
                ..Partial::default()
            });
        } else if header.fields != Fields::Nothing {
            return Err(ChunkError::Interrupted {
                csid: header.csid,
                at,
            });
        }
        Ok(stream.missing().min(self.chunk_size))
    }

    fn payload(
        &mut self,
        input: &mut &[u8],
        index: usize,
        left: u32,
    ) -> Result<Progress, ChunkError> {
        let len = input.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        if len == 0 {
            return Ok(Progress::Starved);
        }
        let (taken, rest) = input.split_at(len);
        *input = rest;
        self.advance(len);
        let received = u32::try_from(len).unwrap_or(left);
        let left = left.saturating_sub(received);
        self.chunk = (left > 0).then_some((index, left));
        let Some(stream) = self.streams.get_mut(index) else {
            return Ok(Progress::Some);
        };
        if let Some(partial) = &mut stream.partial {
            partial.received = partial.received.saturating_add(received);
            if !partial.discard {
                self.buffered = self.buffered.saturating_add(len);
                if self.buffered > self.limits.buffered {
                    let (limit, at) = (self.limits.buffered, self.position);
                    return Err(ChunkError::Buffered { limit, at });
                }
                partial.payload.extend_from_slice(taken);
            }
        }
        let whole = stream.missing() == 0;
        Ok(if whole {
            Progress::Finished(index)
        } else {
            Progress::Some
        })
    }

    /// Ends the message of a chunk stream; `None` where it is nothing to report.
    fn finish(&mut self, index: usize) -> Result<Option<Message>, ChunkError> {
        let Some(stream) = self.streams.get_mut(index) else {
            return Ok(None);
        };
        let partial = stream.partial.take().unwrap_or_default();
        self.buffered = self.buffered.saturating_sub(partial.payload.len());
        if partial.discard {
            return Ok(None);
        }
        let message = Message {
            timestamp: stream.time(),
            type_id: stream.type_id,
            stream: stream.stream,
            payload: Bytes::from(partial.payload),
            at: partial.at,
        };
        match message.type_id {
            SET_CHUNK_SIZE => self.set_chunk_size(&message)?,
            ABORT => self.abort(&message)?,
            AGGREGATE => self.aggregate = Some(Aggregate::new(message)),
            _ => return Ok(Some(message)),
        }
        Ok(None)
    }

    fn set_chunk_size(&mut self, message: &Message) -> Result<(), ChunkError> {
        let size = control_number(message)?;
        if size == 0 || size > 0x7fff_ffff {
            return Err(ChunkError::ChunkSize {
                size,
                at: message.at,
            });
        }
        self.chunk_size = size;
        Ok(())
    }

    fn abort(&mut self, message: &Message) -> Result<(), ChunkError> {
        let csid = control_number(message)?;
        let aborted = self.streams.iter_mut().find(|stream| stream.csid == csid);
        if let Some(partial) = aborted.and_then(|stream| stream.partial.take()) {
            self.buffered = self.buffered.saturating_sub(partial.payload.len());
        }
        Ok(())
    }

    fn advance(&mut self, len: usize) {
        self.position = self.position.saturating_add(count(len));
    }
}

/// What became of a piece of input.
enum Progress {
    /// The input is used up.
    Starved,
    /// There is more to do.
    Some,
    /// The message of this chunk stream is whole.
    Finished(usize),
}

const fn is_media(type_id: u8) -> bool {
    matches!(type_id, AUDIO | VIDEO | AGGREGATE)
}

/// The number that a protocol control message carries.
fn control_number(message: &Message) -> Result<u32, ChunkError> {
    let malformed = ChunkError::Malformed {
        type_id: message.type_id,
        at: message.at,
    };
    Reader::new(&message.payload).u32().map_err(|_| malformed)
}

fn count(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
