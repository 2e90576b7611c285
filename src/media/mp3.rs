//! MP3 files: MPEG audio frames one after another (ISO/IEC 11172-3 section 2.4 and 13818-3;
//! "MPEG 2.5" is the same with half the rates), layer III and II, with the tags that other programs
//! put around them (ID3, APE, Lyrics3) and the encoder's own first frame (Xing, Info, VBRI), which
//! holds no sound and is not sent.
//!
//! The file says nothing of time: frame `n` is at `n` times the samples of a frame. So the start of
//! the file is the only place whose time is known, and a file is one group. Elsewhere
//! [`Mp3Index::resync`](crate::media::Demux::resync) enters it at a frame whose number is estimated:
//! by the average bit rate, which is exact for constant rates, or by the table of the first frame.
//! A frame may use bits of the frames before it (the reservoir), so that the first one or two after
//! an entry may be silent.
//!
//! # What is passed over
//! Bytes between frames that are no frame, up to 1 MiB at a time (ID3 tags, of any length); frames
//! then begin where two heads in a row agree. Bytes behind the last frame end the file. A last
//! frame that is cut off is sent as far as it goes, as ffmpeg does. Free format, whose frames do not
//! tell their length, is refused: nothing produces it.
//!
//! Positions are bytes, rates samples a second.

mod builder;
mod cursor;
#[cfg(test)]
pub(crate) mod fixture;
mod frame;
mod index;
mod pace;
mod sync;
mod tags;

pub use builder::Mp3Builder;
pub use cursor::Mp3Cursor;
pub use index::Mp3Index;

pub(crate) use frame::FrameHead;
pub(crate) use tags::leading as leading_tag;

use bytes::Bytes;

use super::{Container, Fetched, MediaError};
use crate::units::ByteRange;

/// How much is read at a time where frames are walked or looked for: a few seconds of sound.
const PIECE: u64 = 64 << 10;

/// The bytes of a range, or the range itself as what must be read.
fn get(fetched: &Fetched, range: ByteRange) -> Result<Bytes, ByteRange> {
    fetched.slice(range).ok_or(range)
}

fn malformed(at: u64, what: &'static str) -> MediaError {
    MediaError::malformed(Container::Mp3, at, what)
}
