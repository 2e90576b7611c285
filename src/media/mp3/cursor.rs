//! A place in an MP3 file.

use super::frame::FrameHead;
use crate::units::MediaTime;
use serde::{Deserialize, Serialize};

/// Where a walk along the frames stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mp3Cursor {
    /// Where the next frame begins.
    pub(super) at: u64,
    /// A frame of the stream.
    pub(super) like: FrameHead,
    /// How many frames of that stream are before the next one.
    pub(super) number: u64,
    /// The time of frame 0 of it: not 0 where the sample rate changed in mid-file.
    pub(super) base: MediaTime,
}

impl Mp3Cursor {
    /// The time of the next frame. From the frame count, so that errors never add up.
    pub(super) fn time(&self) -> MediaTime {
        let samples = self.number.saturating_mul(u64::from(self.like.samples));
        let ticks = i64::try_from(samples).unwrap_or(i64::MAX);
        self.base
            .plus(MediaTime::from_ticks(ticks, self.like.rate).millis())
    }
}
