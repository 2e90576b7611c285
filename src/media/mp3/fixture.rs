//! MP3 files for tests, put together frame by frame.

use super::{Mp3Builder, Mp3Index};
pub(crate) use crate::media::fixture::{feed, walk};
use crate::media::{Fetched, MediaError, Sample, fixture};
use crate::units::ByteRange;

/// MPEG 1 layer III, 44,100 Hz, stereo: 128 kbit/s, 417 bytes; 64 kbit/s, 208 bytes.
pub(crate) const CBR: [u8; 4] = [0xff, 0xfb, 0x90, 0];
pub(crate) const HALF: [u8; 4] = [0xff, 0xfb, 0x50, 0];
/// MPEG 2 layer III, 64 kbit/s, 24,000 Hz, mono: 192 bytes.
pub(crate) const OTHER: [u8; 4] = [0xff, 0xf3, 0x84, 0xc0];

/// One frame of `len` bytes; its body cannot be taken for heads.
pub(crate) fn frame(head: [u8; 4], len: usize) -> Vec<u8> {
    let mut bytes = head.to_vec();
    bytes.resize(len, 0x55);
    bytes
}

/// Frames of 128 kbit/s at 44,100 Hz: every one with padding but each 25th, so that their average
/// is that of the rate to one part in 20,000.
pub(crate) fn constant(count: usize) -> Vec<u8> {
    let frames = (0..count).map(|n| match n % 25 {
        0 => frame(CBR, 417),
        _ => frame([0xff, 0xfb, 0x92, 0], 418),
    });
    frames.collect::<Vec<_>>().concat()
}

/// An Info or Xing frame of [`CBR`] with its counts.
pub(crate) fn note(frames: u32, bytes: u32) -> Vec<u8> {
    let mut body = vec![0; 32];
    body.extend_from_slice(b"Info\0\0\0\x03");
    body.extend_from_slice(&frames.to_be_bytes());
    body.extend_from_slice(&bytes.to_be_bytes());
    let mut whole = frame(CBR, 417);
    whole[4..4 + body.len()].copy_from_slice(&body);
    whole
}

/// The index of a file, and what was read for it, beginning with nothing.
pub(crate) fn build(file: &[u8]) -> Result<(Mp3Index, Fetched, Vec<Vec<ByteRange>>), MediaError> {
    let mut builder = Mp3Builder::new(u64::try_from(file.len()).unwrap());
    fixture::build(file, |fetched| builder.step(fetched))
}

/// All samples of a file.
pub(crate) fn samples(file: &[u8]) -> Result<Vec<Sample>, MediaError> {
    let (index, mut fetched, _) = build(file)?;
    fixture::all_groups(&index, file, &mut fetched)
}
