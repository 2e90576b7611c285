//! A segment as it is kept: its bytes in a file or on the heap, and the table of its messages.

use std::io;

use crate::cache::{SegmentFile, Weigh};
use crate::media::{Cursor, Heads};
use crate::render::{Cue, RENDER_VERSION, Rendered, Rendering, SegmentId};
use crate::rtmp::chunk::CHUNK_SIZE;
use crate::units::MediaTime;

/// What names the bytes of a segment: two plays that agree in all of it get the same bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SegmentKey {
    /// Id of the distribution, key of the object in its bucket, and the object's version.
    pub object: super::ObjectKey,
    /// Which tracks are in it.
    pub rendering: Rendering,
    /// Which segment of the rendering.
    pub id: SegmentId,
    /// Version of the muxer.
    pub version: u32,
    /// Chunk size, bytes.
    pub chunk_size: u32,
}

impl SegmentKey {
    /// The key of a segment made by this version of the muxer.
    pub fn new(object: super::ObjectKey, rendering: Rendering, id: SegmentId) -> Self {
        Self {
            object,
            rendering,
            id,
            version: RENDER_VERSION,
            chunk_size: CHUNK_SIZE,
        }
    }
}

/// One rendered segment.
#[derive(Debug)]
pub struct Segment {
    /// Its bytes.
    pub file: SegmentFile,
    cues: Box<[Cue]>,
    heads: Box<[(u32, Heads)]>,
    next: Option<(SegmentId, Option<Cursor>)>,
    first_entry: Option<MediaTime>,
}

impl Segment {
    /// Puts what was rendered into a file.
    ///
    /// # Errors
    /// There is no memory left for it.
    pub fn new(rendered: Rendered<Cursor>) -> io::Result<Self> {
        Ok(Self {
            file: SegmentFile::new(&rendered.bytes)?,
            first_entry: rendered.first_entry(),
            cues: rendered.cues.into(),
            heads: rendered.heads.into(),
            next: rendered.next,
        })
    }

    /// One cue for each message.
    pub fn cues(&self) -> &[Cue] {
        &self.cues
    }

    /// Time of the first message at which a viewer may enter.
    pub fn first_entry(&self) -> Option<MediaTime> {
        self.first_entry
    }

    /// Length in bytes.
    pub fn len(&self) -> u32 {
        u32::try_from(self.file.len()).unwrap_or(u32::MAX)
    }

    /// Whether it has no bytes: only at the end of an object that holds nothing more.
    pub fn is_empty(&self) -> bool {
        self.file.is_empty()
    }

    /// The segment after it.
    pub fn next(&self) -> Option<SegmentId> {
        self.next.as_ref().map(|(id, _)| *id)
    }

    /// A cursor at the start of the segment after it, where that is of the same group.
    pub fn next_cursor(&self) -> Option<(SegmentId, Cursor)> {
        let (id, cursor) = self.next.as_ref()?;
        Some((*id, cursor.clone()?))
    }

    /// The codec heads in force at a cue.
    pub fn heads_at(&self, cue: u32) -> Heads {
        self.heads
            .iter()
            .take_while(|(from, _)| *from <= cue)
            .last()
            .map(|(_, heads)| heads.clone())
            .unwrap_or_default()
    }

    /// Where the message ends that holds the byte at `offset`; `offset` itself at a message start.
    pub fn message_end(&self, offset: u32) -> u32 {
        let after = self.cues.partition_point(|cue| cue.offset < offset);
        self.cues.get(after).map_or(self.len(), |cue| cue.offset)
    }

    /// The number of the first cue at or after a byte.
    pub fn cue_from(&self, offset: u32) -> u32 {
        let cue = self.cues.partition_point(|cue| cue.offset < offset);
        u32::try_from(cue).unwrap_or(u32::MAX)
    }
}

impl Weigh for Segment {
    fn weight(&self) -> usize {
        self.file
            .weight()
            .saturating_add(self.cues.len().saturating_mul(size_of::<Cue>()))
            .saturating_add(size_of::<Self>())
    }

    fn descriptors(&self) -> usize {
        self.file.descriptors()
    }
}
