//! What a run of media is made of: a segment that all viewers share, or a patched copy.

use std::sync::Arc;

use super::player::Cued;
use super::sender::Media;
use crate::catalog::Segment;
use crate::media::Heads;
use crate::render::{Cue, Patched, SegmentId};

/// The media of a run.
#[derive(Debug, Clone)]
pub enum RunMedia {
    /// Bytes that are the same for every viewer, sent from the segment's own file.
    Shared(Arc<Segment>),
    /// Bytes for this viewer only.
    Copy(Patched),
}

impl RunMedia {
    /// The number of the cue whose message begins at `offset`, a message start of this run.
    pub fn cue_from(&self, offset: u32) -> u32 {
        match self {
            Self::Shared(segment) => segment.cue_from(offset),
            Self::Copy(copy) => copy.cue_from(offset),
        }
    }
}

impl Media for RunMedia {
    fn message_end(&self, offset: u32) -> u32 {
        match self {
            Self::Shared(segment) => segment.message_end(offset),
            Self::Copy(copy) => copy.message_end(offset),
        }
    }
}

impl Cued for Segment {
    fn cues(&self) -> &[Cue] {
        Self::cues(self)
    }

    fn len(&self) -> u32 {
        Self::len(self)
    }

    fn next(&self) -> Option<SegmentId> {
        Self::next(self)
    }

    fn heads_at(&self, cue: u32) -> Heads {
        Self::heads_at(self, cue)
    }
}
