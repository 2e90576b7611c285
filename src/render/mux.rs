//! The muxer: samples and their payloads become the chunk bytes of a segment, with its cues.

use super::render_one::RenderError;
use super::segment::{Cue, Rendering};
use crate::media::{Fetched, Heads, Kind, Sample};
use crate::rtmp::chunk;
use bytes::Bytes;

/// The largest message there can be: its length has 24 bits.
pub const MAX_MESSAGE: u64 = 0xFF_FFFF;

/// The message stream id that segments are muxed for.
pub const STREAM_ID: u32 = 1;

/// The chunk stream that each kind of media goes on.
pub const fn chunk_stream(kind: Kind) -> u32 {
    match kind {
        Kind::Audio => chunk::CSID_AUDIO,
        Kind::Video => chunk::CSID_VIDEO,
        Kind::Data => chunk::CSID_DATA,
    }
}

/// A segment being muxed.
#[derive(Debug, Default)]
pub struct Mux {
    /// The chunk bytes so far.
    pub bytes: Vec<u8>,
    /// One for each message so far.
    pub cues: Vec<Cue>,
    /// The codec heads in force from each cue on, where they change.
    pub heads: Vec<(u32, Heads)>,
}

impl Mux {
    /// An empty segment at whose start these heads are in force.
    pub fn new(heads: Heads, capacity: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(capacity),
            cues: Vec::new(),
            heads: vec![(0, heads)],
        }
    }

    /// Adds one message.
    ///
    /// # Errors
    /// The message is larger than any can be, or its payload was not fetched.
    pub fn push(
        &mut self,
        rendering: Rendering,
        sample: &Sample,
        fetched: &Fetched,
    ) -> Result<(), RenderError> {
        check_len(sample)?;
        let payload = fetched
            .slice(sample.payload)
            .ok_or(RenderError::Unread(sample.payload))?;
        let offset = u32::try_from(self.bytes.len()).map_err(|_| RenderError::MessageTooLarge {
            at: sample.payload.start,
            len: sample.message_len(),
        })?;
        self.cues.push(Cue {
            time: sample.time,
            offset,
            kind: sample.kind,
            entry: rendering.enters(sample),
            head: sample.head,
        });
        write_chunks(&mut self.bytes, sample, &payload);
        if sample.head {
            self.change_heads(sample, &payload);
        }
        Ok(())
    }

    fn change_heads(&mut self, sample: &Sample, payload: &[u8]) {
        // Always a copy: a slice of what was read would keep all of that alive with the segment.
        let body = Bytes::from([sample.prefix.as_slice(), payload].concat());
        let mut heads = self
            .heads
            .last()
            .map(|(_, heads)| heads.clone())
            .unwrap_or_default();
        match sample.kind {
            Kind::Video => heads.video = Some(body),
            Kind::Audio => heads.audio = Some(body),
            Kind::Data => return,
        }
        let from = u32::try_from(self.cues.len()).unwrap_or(u32::MAX);
        self.heads.push((from, heads));
    }
}

/// Whether a message can be as long as this sample makes it.
///
/// # Errors
/// It cannot.
pub fn check_len(sample: &Sample) -> Result<(), RenderError> {
    let len = sample.message_len();
    if len > MAX_MESSAGE {
        let at = sample.payload.start;
        return Err(RenderError::MessageTooLarge { at, len });
    }
    Ok(())
}

/// Writes one message as chunks: a type 0 header, and a type 3 header every [`chunk::CHUNK_SIZE`]
/// bytes of prefix and payload together.
fn write_chunks(out: &mut Vec<u8>, sample: &Sample, payload: &[u8]) {
    let csid = chunk_stream(sample.kind);
    let timestamp = sample.time.wire();
    let len = u32::try_from(sample.message_len()).unwrap_or(u32::MAX);
    chunk::message_head(out, csid, timestamp, len, sample.kind.type_id(), STREAM_ID);
    let size = usize::try_from(chunk::CHUNK_SIZE).unwrap_or(usize::MAX);
    let prefix = sample.prefix.as_slice();
    out.extend_from_slice(prefix);
    let (first, rest) = payload.split_at(payload.len().min(size.saturating_sub(prefix.len())));
    out.extend_from_slice(first);
    for chunk in rest.chunks(size) {
        chunk::continuation_head(out, csid, timestamp);
        out.extend_from_slice(chunk);
    }
}
