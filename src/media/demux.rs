//! What every container's index can do.

use std::fmt::Debug;

use super::{Fetched, Heads, MediaError, MediaInfo, Sample};
use crate::units::{ByteRange, MediaTime};

/// One step of pure work over bytes that somebody else reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step<T> {
    /// These ranges must be read (and put into the [`Fetched`]) before the next step. Never
    /// empty, never wholly read already, never past the end of the object.
    Need(Vec<ByteRange>),
    /// The work is done.
    Done(T),
}

/// What stands at a cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// A sample; the cursor now stands behind it.
    Sample(Sample),
    /// This range must be read first; the cursor has not moved. Not the payload: only what tells
    /// where samples are (a tag head, a frame head, a moof box).
    Need(ByteRange),
    /// The end of the group; the cursor stays there. Where the group is the last, or the cursor
    /// came from [`Demux::resync`], the end of the file.
    End,
}

/// Why a walk stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Walked {
    /// A sample was refused; the cursor stands before it.
    Refused,
    /// As [`Next::Need`]: nothing is wrong, go on when this has been read.
    Need(ByteRange),
    /// As [`Next::End`].
    End,
}

/// A place found by looking at the bytes themselves.
#[derive(Debug, Clone)]
pub struct Found<C> {
    /// A cursor at it, good until the end of the file.
    pub cursor: C,
    /// Position in the object, bytes: its identity.
    pub position: u64,
    /// Time of the first sample there at which decoding can begin. Exact where the container
    /// writes times (FLV, fragmented MP4), an estimate where it does not (MP3).
    pub time: MediaTime,
}

/// The index of one file.
///
/// A file is a sequence of *groups*: stretches whose start is known without reading what is before
/// them (a keyframe in an FLV keyframe table, a subsegment in a sidx box). There is at least one,
/// number 0, the start of the file. Inside a group samples are found by walking a cursor.
pub trait Demux: Debug + Send + Sync {
    /// A place in the file: everything that is needed to go on from there, cheap to clone
    /// (well below 200 bytes, or shared).
    type Cursor: Clone + Debug + Send + Sync;

    /// What is known of the file as a whole.
    fn info(&self) -> &MediaInfo;

    /// How many groups there are; at least 1.
    fn groups(&self) -> u32;

    /// A cursor at the start of group `group`, or `None` where there is no such group.
    fn open(&self, group: u32) -> Option<Self::Cursor>;

    /// The last group whose first entry is at or before `time`, else 0.
    fn group_at(&self, time: MediaTime) -> u32;

    /// Moves `cursor` past the next sample.
    ///
    /// # Errors
    /// The file is broken at the cursor. Never panics, whatever the bytes are; does bounded work
    /// for each call.
    fn next(&self, cursor: &mut Self::Cursor, fetched: &Fetched) -> Result<Next, MediaError>;

    /// Shows `take` one sample after the other, as [`Demux::next`] would tell them, until it
    /// refuses one by answering `false`: how many samples in a row are gone through. A container
    /// that can do so quicker than by `next` does.
    ///
    /// # Errors
    /// The file is broken where the cursor then stands.
    fn walk(
        &self,
        cursor: &mut Self::Cursor,
        fetched: &Fetched,
        take: impl FnMut(&Sample) -> bool,
    ) -> Result<Walked, MediaError> {
        walk_by_next(self, cursor, fetched, take)
    }

    /// The codec heads in force at `cursor`: those of the samples that come next.
    fn heads(&self, cursor: &Self::Cursor) -> Heads;

    /// Whether walking never answers [`Next::Need`], so that the whole segment plan can be made at
    /// once, without reading.
    fn is_complete(&self) -> bool;

    /// Where, in bytes, `time` would be if the file were spread evenly: where a search begins.
    /// `None` where the file cannot be entered there at all, or every entry is known already.
    fn guess(&self, time: MediaTime) -> Option<u64>;

    /// Looks for a place at or after byte `from` where decoding can begin. `Done(None)` where
    /// there is none before the end of the file. Reads forward in pieces of about 64 KiB.
    ///
    /// # Errors
    /// As [`Demux::next`].
    fn resync(
        &self,
        from: u64,
        fetched: &Fetched,
    ) -> Result<Step<Option<Found<Self::Cursor>>>, MediaError>;
}

/// [`Demux::walk`] for any container, one [`Demux::next`] a sample.
pub(super) fn walk_by_next<D: Demux + ?Sized>(
    index: &D,
    cursor: &mut D::Cursor,
    fetched: &Fetched,
    mut take: impl FnMut(&Sample) -> bool,
) -> Result<Walked, MediaError> {
    loop {
        let before = cursor.clone();
        match index.next(cursor, fetched) {
            Ok(Next::Sample(sample)) if take(&sample) => {}
            Ok(Next::Sample(_)) => {
                *cursor = before;
                return Ok(Walked::Refused);
            }
            Ok(Next::Need(range)) => return Ok(Walked::Need(range)),
            Ok(Next::End) => return Ok(Walked::End),
            Err(error) => {
                *cursor = before;
                return Err(error);
            }
        }
    }
}
