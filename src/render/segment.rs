//! What a segment is called, and the table of its messages.

use std::fmt;

use crate::media::{Kind, Sample};
use crate::units::MediaTime;
use serde::{Deserialize, Serialize};

/// Where a run of segments begins that can be rendered without those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Group {
    /// A group of the index, by number ([`crate::media::Demux::open`]).
    Indexed(u32),
    /// A place that was found by looking at the bytes, by its position in the object. Its own
    /// name, because its times may be guesses: it never shares a key with an exact segment.
    Found(u64),
}

/// The name of a segment within its object and rendering.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SegmentId {
    /// The group it belongs to.
    pub group: Group,
    /// Its number within the group, from 0.
    pub part: u32,
}

impl SegmentId {
    /// The first segment of an object.
    pub const FIRST: Self = Self::start_of(Group::Indexed(0));

    /// The first segment of a group.
    pub const fn start_of(group: Group) -> Self {
        Self { group, part: 0 }
    }

    /// The segment after this one in the same group.
    #[must_use]
    pub const fn following(self) -> Self {
        Self {
            group: self.group,
            part: self.part.saturating_add(1),
        }
    }
}

impl fmt::Display for SegmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.group {
            Group::Indexed(group) => write!(f, "{group}.{}", self.part),
            Group::Found(position) => write!(f, "@{position}.{}", self.part),
        }
    }
}

/// Which tracks of an object are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rendering {
    /// Its video.
    pub video: bool,
    /// Its audio.
    pub audio: bool,
}

impl Rendering {
    /// Whether a sample belongs to this rendering. Data always does.
    pub const fn takes(self, kind: Kind) -> bool {
        match kind {
            Kind::Video => self.video,
            Kind::Audio => self.audio,
            Kind::Data => true,
        }
    }

    /// Whether a viewer may enter at this sample: a key frame, or any audio where there is no video.
    pub const fn enters(self, sample: &Sample) -> bool {
        let kind = if self.video { Kind::Video } else { Kind::Audio };
        sample.sync && !sample.head && sample.kind as u8 == kind as u8
    }
}

/// One message of a segment: where its bytes begin, its time, what it is. 16 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cue {
    /// Time of the message on the object's timeline.
    pub time: MediaTime,
    /// Where its first chunk header begins in the segment, bytes. It ends where the next begins.
    pub offset: u32,
    /// Audio, video or data.
    pub kind: Kind,
    /// Whether a viewer may enter here.
    pub entry: bool,
    /// Whether it is a codec head.
    pub head: bool,
}
