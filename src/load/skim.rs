//! The skimming chunk reader: walks the chunks of any legal stream and passes over media.
//!
//! Of a media message it looks at the headers and two bytes of payload (is it a codec's head, or
//! something to play?). Other messages are kept up to [`BODY_MAX`] bytes. It takes all four forms
//! of header, extended timestamps on continuations, interleaved messages and any chunk size
//! (RTMP 1.0 section 5.3.1); Set Chunk Size and Abort are obeyed here. Payload that need not be
//! looked at can be thrown away where it is, in the kernel: [`Skimmer::skippable`].
//!
//! Times are milliseconds modulo 2^32, lengths bytes. What it holds is bounded by
//! [`STREAMS_MAX`] times [`BODY_MAX`].

// Pure code that reads what servers control: what could panic does not compile.
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation
    )
)]

use crate::rtmp::chunk::DEFAULT_CHUNK_SIZE;
use crate::rtmp::chunk::header::{Fields, Gathered, Header};
use crate::rtmp::message::{ABORT, AGGREGATE, AUDIO, SET_CHUNK_SIZE, VIDEO};
use crate::units::Millis;
use crate::wire::Reader;

/// Bytes of a command, data or control message that are kept; what follows is passed over. A
/// status has less than 1 KiB; metadata with a long keyframe table loses the table's end.
pub const BODY_MAX: usize = 16 * 1024;

/// Chunk streams of one connection. The busiest server known uses 8.
pub const STREAMS_MAX: usize = 64;

/// Bytes at the start of a media message that tell what it is.
const PEEK: usize = 2;

/// A message that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// Audio, video or several of them together.
    Media(Media),
    /// Any other message.
    Message(Message),
}

/// A media message: everything but its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Media {
    /// When it is to be played.
    pub time: Millis,
    /// Bytes of payload.
    pub len: u32,
    /// Whether there is something to play in it, rather than the head of a codec.
    pub plays: bool,
}

/// A message of the protocol, a command or data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its type, a constant of [`crate::rtmp::message`] or any other.
    pub type_id: u8,
    /// The message stream.
    pub stream: u32,
    /// Its first [`BODY_MAX`] bytes.
    pub body: Vec<u8>,
}

/// Why bytes are no chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SkimError {
    /// A header relies on one before it, and there was none.
    #[error("the first chunk of chunk stream {0} has no length")]
    NoHeader(u32),
    /// A message begins inside another of the same chunk stream.
    #[error("a message of chunk stream {0} begins inside another")]
    Interrupted(u32),
    /// More chunk streams than [`STREAMS_MAX`].
    #[error("chunk stream {0} is one more than {STREAMS_MAX}")]
    Streams(u32),
    /// Set Chunk Size with a size that is not allowed.
    #[error("chunk size {0} is not between 1 and 2147483647")]
    ChunkSize(u32),
    /// Set Chunk Size or Abort without its number.
    #[error("a control message of type {0} is cut")]
    Cut(u8),
}

/// Takes the chunks of one direction of a connection apart.
#[derive(Debug, Clone)]
pub struct Skimmer {
    chunk_size: u32,
    streams: Vec<Stream>,
    gathered: Gathered,
    /// The chunk whose payload is next: its stream, and bytes of it still to come.
    chunk: Option<(usize, u32)>,
    playing: u64,
}

/// What is remembered of a chunk stream.
#[derive(Debug, Clone, Default)]
struct Stream {
    csid: u32,
    timestamp: u32,
    delta: u32,
    len: u32,
    type_id: u8,
    stream: u32,
    extended: bool,
    /// Whether a message has begun and not ended.
    open: bool,
    received: u32,
    peek: [u8; PEEK],
    plays: bool,
    body: Vec<u8>,
}

impl Default for Skimmer {
    fn default() -> Self {
        Self::new()
    }
}

impl Skimmer {
    /// A skimmer at the first byte after the handshake.
    pub const fn new() -> Self {
        Self {
            chunk_size: DEFAULT_CHUNK_SIZE,
            streams: Vec::new(),
            gathered: Gathered::new(),
            chunk: None,
            playing: 0,
        }
    }

    /// How many messages with something to play have begun so far.
    pub const fn begun(&self) -> u64 {
        self.playing
    }

    /// Takes bytes from `input` up to the end of the next message; `None` when they are used up
    /// before. After an error it is of no further use.
    pub fn next(&mut self, input: &mut &[u8]) -> Result<Option<Seen>, SkimError> {
        loop {
            let (index, left) = match self.chunk {
                Some(chunk) => chunk,
                None => match self.header(input) {
                    Some(head) => self.begin(head)?,
                    None => return Ok(None),
                },
            };
            let left = self.payload(input, index, left);
            if left > 0 {
                self.chunk = Some((index, left));
                return Ok(None);
            }
            self.chunk = None;
            if let Some(seen) = self.finish(index)? {
                return Ok(Some(seen));
            }
        }
    }

    /// How many of the bytes that come next may be thrown away unseen.
    pub fn skippable(&self) -> usize {
        let Some((index, left)) = self.chunk else {
            return 0;
        };
        let seen = |stream: &&Stream| is_media(stream.type_id) && stream.has_peeked();
        let skips = self.streams.get(index).filter(seen).is_some();
        if skips { size(left) } else { 0 }
    }

    /// Tells that so many of them were thrown away; a message that ends with them is told by the
    /// next [`Skimmer::next`].
    pub fn skipped(&mut self, len: usize) {
        let Some((index, left)) = self.chunk else {
            return;
        };
        let len = u32::try_from(len).unwrap_or(u32::MAX).min(left);
        if let Some(stream) = self.streams.get_mut(index) {
            stream.received = stream.received.saturating_add(len);
        }
        self.chunk = Some((index, left.saturating_sub(len)));
    }

    /// Takes a header from `input`, once it is whole.
    fn header(&mut self, input: &mut &[u8]) -> Option<Header> {
        let streams = &self.streams;
        let extends = |csid| {
            let mut known = streams.iter();
            known.any(|stream| stream.csid == csid && stream.extended)
        };
        self.gathered.take(input, extends)
    }

    /// Begins a message or goes on with one; returns its chunk stream and the length of this chunk.
    fn begin(&mut self, head: Header) -> Result<(usize, u32), SkimError> {
        let csid = head.csid;
        let known = self.streams.iter().position(|stream| stream.csid == csid);
        let index = match known {
            Some(index) => index,
            None => self.open(head)?,
        };
        let chunk_size = self.chunk_size;
        let Some(stream) = self.streams.get_mut(index) else {
            return Err(SkimError::NoHeader(csid));
        };
        if !stream.open {
            stream.begin(head);
        } else if head.fields != Fields::Nothing {
            return Err(SkimError::Interrupted(csid));
        }
        Ok((index, stream.missing().min(chunk_size)))
    }

    fn open(&mut self, head: Header) -> Result<usize, SkimError> {
        if matches!(head.fields, Fields::TimeOnly { .. } | Fields::Nothing) {
            return Err(SkimError::NoHeader(head.csid));
        }
        let index = self.streams.len();
        if index >= STREAMS_MAX {
            return Err(SkimError::Streams(head.csid));
        }
        self.streams.push(Stream {
            csid: head.csid,
            ..Stream::default()
        });
        Ok(index)
    }

    /// Takes what there is of a chunk's payload; returns how much of it is still to come.
    fn payload(&mut self, input: &mut &[u8], index: usize, left: u32) -> u32 {
        let (part, rest) = input.split_at(size(left).min(input.len()));
        *input = rest;
        if let Some(stream) = self.streams.get_mut(index)
            && stream.take(part)
        {
            self.playing = self.playing.saturating_add(1);
        }
        left.saturating_sub(u32::try_from(part.len()).unwrap_or(left))
    }

    /// Ends a chunk; tells the message that ends with it, unless it is one for the skimmer itself.
    fn finish(&mut self, index: usize) -> Result<Option<Seen>, SkimError> {
        let Some(stream) = self.streams.get_mut(index) else {
            return Ok(None);
        };
        if stream.missing() > 0 {
            return Ok(None);
        }
        stream.open = false;
        if is_media(stream.type_id) {
            return Ok(Some(Seen::Media(Media {
                time: Millis(stream.timestamp),
                len: stream.len,
                plays: stream.plays,
            })));
        }
        let message = Message {
            type_id: stream.type_id,
            stream: stream.stream,
            body: std::mem::take(&mut stream.body),
        };
        match message.type_id {
            SET_CHUNK_SIZE => self.set_chunk_size(number(&message)?)?,
            ABORT => self.abort(number(&message)?),
            _ => return Ok(Some(Seen::Message(message))),
        }
        Ok(None)
    }

    fn set_chunk_size(&mut self, size: u32) -> Result<(), SkimError> {
        if !(1..=0x7fff_ffff).contains(&size) {
            return Err(SkimError::ChunkSize(size));
        }
        self.chunk_size = size;
        Ok(())
    }

    fn abort(&mut self, csid: u32) {
        let aborted = self.streams.iter_mut().find(|stream| stream.csid == csid);
        if let Some(stream) = aborted {
            stream.open = false;
            stream.body = Vec::new();
        }
    }
}

impl Stream {
    /// Takes over what the first header of a message says.
    fn begin(&mut self, head: Header) {
        self.open = true;
        self.received = 0;
        self.plays = false;
        self.body.clear();
        let extended = head.extended;
        match head.fields {
            Fields::Full {
                time,
                len,
                type_id,
                stream,
            } => {
                (self.len, self.type_id, self.stream) = (len, type_id, stream);
                self.timestamp = extended.unwrap_or(time);
                // RTMP 1.0, 5.3.1.2.4: a type 3 after a type 0 adds that one's timestamp.
                self.delta = self.timestamp;
            }
            Fields::SameStream { time, len, type_id } => {
                (self.len, self.type_id) = (len, type_id);
                self.advance(extended.unwrap_or(time));
            }
            Fields::TimeOnly { time } => self.advance(extended.unwrap_or(time)),
            Fields::Nothing => self.advance(self.delta),
        }
        self.extended = extended.is_some();
    }

    fn advance(&mut self, delta: u32) {
        self.delta = delta;
        self.timestamp = self.timestamp.wrapping_add(delta);
    }

    /// Takes a part of the payload; tells whether it is now known to be something to play.
    fn take(&mut self, part: &[u8]) -> bool {
        let before = size(self.received);
        let len = u32::try_from(part.len()).unwrap_or(u32::MAX);
        self.received = self.received.saturating_add(len);
        if !is_media(self.type_id) {
            let room = BODY_MAX.saturating_sub(self.body.len());
            self.body
                .extend_from_slice(part.get(..room).unwrap_or(part));
            return false;
        }
        if before >= PEEK {
            return false;
        }
        for (slot, byte) in self.peek.iter_mut().skip(before).zip(part) {
            *slot = *byte;
        }
        self.plays = self.has_peeked() && plays(self.type_id, self.peek);
        self.plays
    }

    const fn missing(&self) -> u32 {
        self.len.saturating_sub(self.received)
    }

    fn has_peeked(&self) -> bool {
        size(self.received) >= PEEK
    }
}

const fn is_media(type_id: u8) -> bool {
    matches!(type_id, AUDIO | VIDEO | AGGREGATE)
}

/// Whether a media message that starts like this has something to play: no codec's head, no end of
/// a sequence, no metadata or command (FLV tags E.4.2 and E.4.3; Enhanced RTMP).
const fn plays(type_id: u8, [first, second]: [u8; PEEK]) -> bool {
    let (high, low) = (first >> 4, first & 0x0f);
    let enhanced = !matches!(low, 0 | 2 | 4);
    match type_id {
        VIDEO if first & 0x80 != 0 => enhanced,
        VIDEO if high == 5 => false,
        // AVC, and the HEVC that was never in the specification.
        VIDEO if matches!(low, 7 | 12) => second == 1,
        AUDIO if high == 9 => enhanced,
        // AAC.
        AUDIO if high == 10 => second != 0,
        _ => true,
    }
}

/// The number that a protocol control message carries.
fn number(message: &Message) -> Result<u32, SkimError> {
    let number = Reader::new(&message.body).u32();
    number.map_err(|_| SkimError::Cut(message.type_id))
}

fn size(len: u32) -> usize {
    usize::try_from(len).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
