//! FLV files (Adobe, Video File Format Specification 10.1, annex E; Enhanced RTMP v2 tags too).
//!
//! An FLV tag body is an RTMP message body already, so every tag passes untouched: a sample is a
//! range of the file. What is built is only what a player needs before the first tag (metadata,
//! codec heads, duration) and, where the file has a keyframe table, where it can be entered.
//!
//! # Nothing is believed
//! The keyframe table of a file is a list of *claims*. Its entries become the starts of groups,
//! but a group begins only where one fixed question about the bytes there is answered with yes
//! (in `claim`): does a key frame tag stand here, at about the claimed time? A cursor that opens the
//! group and a cursor that comes walking from the group before ask the same question about the same
//! bytes, and a walking cursor never passes a place where the answer is yes. So a claim that is
//! wrong makes its group empty, the group before it runs on to the next claim that is right, and
//! every tag is yielded exactly once, whatever the table says.
//!
//! # What is passed over
//! Tags without a body (there is nothing to send; ffmpeg does the same), encrypted tags (the filter
//! bit; nobody without the licence server could decode them), and tags of unknown types. Bytes that
//! are no tag at all are passed over up to 64 KiB at a time, where a run of consistent tags follows;
//! beyond that the file is malformed. A last tag that is cut off is left out.
//!
//! Times are milliseconds, 32 bits and wrapping in the file, unrolled here. Positions are bytes.

mod builder;
mod chain;
mod claim;
mod cursor;
#[cfg(test)]
pub(crate) mod fixture;
mod index;
mod prologue;
mod resync;
mod script;
mod tag;
mod tail;
mod walk;

pub use builder::FlvBuilder;
pub use cursor::FlvCursor;
pub use index::FlvIndex;

use bytes::Bytes;

use super::{Container, Fetched, MediaError};
use crate::units::ByteRange;

/// How much a search reads at a time, and how far garbage between tags is passed over: the size of
/// a small ranged read, which costs hardly more than the request itself.
const PIECE: u64 = 64 << 10;

/// The bytes of a range, or the range itself as what must be read.
fn get(fetched: &Fetched, range: ByteRange) -> Result<Bytes, ByteRange> {
    fetched.slice(range).ok_or(range)
}

fn malformed(at: u64, what: &'static str) -> MediaError {
    MediaError::malformed(Container::Flv, at, what)
}
