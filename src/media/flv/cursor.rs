//! A place in an FLV file.

use crate::media::Heads;
use crate::units::MediaTime;
use serde::{Deserialize, Serialize};

/// Where a walk along the tags stands. About a hundred bytes; heads are shared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlvCursor {
    /// Where the next tag begins.
    pub(super) at: u64,
    /// Time of the last tag of audio or video as the file counts, unrolled; at first what the next
    /// one should be near to.
    pub(super) near: MediaTime,
    /// The next claim that may end this walk.
    pub(super) claim: usize,
    /// Whether the cursor was opened at claim `claim - 1`, and it is still to be asked whether that
    /// holds.
    pub(super) opening: bool,
    /// The codec heads in force.
    pub(super) heads: Heads,
}
