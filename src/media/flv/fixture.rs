//! FLV files for tests, put together tag by tag as annex E says.

use super::{FlvBuilder, FlvIndex};
pub(crate) use crate::media::fixture::{all_groups, feed, walk};
use crate::media::{Fetched, MediaError, fixture};
use crate::units::ByteRange;

/// A file under construction, and what is true of it.
#[derive(Debug, Clone)]
pub(crate) struct Flv {
    /// The file.
    pub(crate) bytes: Vec<u8>,
    /// Where each tag begins.
    pub(crate) starts: Vec<u64>,
    /// Position and time of every key frame of video.
    pub(crate) keys: Vec<(u64, i64)>,
}

impl Flv {
    /// The header: `flags` 1 video, 4 audio.
    pub(crate) fn new(flags: u8) -> Self {
        Self {
            bytes: vec![b'F', b'L', b'V', 1, flags, 0, 0, 0, 9, 0, 0, 0, 0],
            starts: Vec::new(),
            keys: Vec::new(),
        }
    }

    /// How long it is.
    pub(crate) fn len(&self) -> u64 {
        u64::try_from(self.bytes.len()).unwrap()
    }

    /// Adds a tag and the size field behind it.
    pub(crate) fn tag(&mut self, kind: u8, millis: u32, body: &[u8]) {
        self.starts.push(self.len());
        let size = u32::try_from(body.len()).unwrap();
        let time = millis.to_be_bytes();
        self.bytes.push(kind);
        self.bytes.extend_from_slice(&size.to_be_bytes()[1..]);
        self.bytes
            .extend_from_slice(&[time[1], time[2], time[3], time[0], 0, 0, 0]);
        self.bytes.extend_from_slice(body);
        self.bytes.extend_from_slice(&(size + 11).to_be_bytes());
    }

    /// Adds an H.264 frame of `len` bytes behind its 5 bytes of tag head.
    pub(crate) fn frame(&mut self, millis: u32, key: bool, len: usize) {
        if key {
            self.keys.push((self.len(), i64::from(millis)));
        }
        let mut body = vec![if key { 0x17 } else { 0x27 }, 1, 0, 0, 0];
        body.extend(noise(millis, len));
        self.tag(9, millis, &body);
    }

    /// Adds an AAC frame of `len` bytes behind its 2 bytes of tag head.
    pub(crate) fn sound(&mut self, millis: u32, len: usize) {
        let mut body = vec![0xaf, 1];
        body.extend(noise(millis ^ 0x5555, len));
        self.tag(8, millis, &body);
    }

    /// Adds the H.264 and AAC heads.
    pub(crate) fn heads(&mut self) {
        self.tag(9, 0, AVC_HEAD);
        self.tag(8, 0, AAC_HEAD);
    }

    /// A film with sound without metadata: `frames` frames of video, 40 ms apart, every tenth a key
    /// frame, each with a frame of audio.
    pub(crate) fn movie(frames: u32) -> Self {
        let mut flv = Self::new(5);
        flv.heads();
        flv.film(0, frames, 90);
        flv
    }

    /// Adds `frames` frames as [`Flv::movie`] does, from frame `first` on, of about `len` bytes.
    pub(crate) fn film(&mut self, first: u32, frames: u32, len: usize) {
        for n in first..first + frames {
            let key = n % 10 == 0;
            self.frame(n * 40, key, if key { len * 3 } else { len });
            self.sound(n * 40 + 10, len / 3);
        }
    }
}

/// Body of an H.264 sequence header.
pub(crate) const AVC_HEAD: &[u8] = &[0x17, 0, 0, 0, 0, 1, 0x64, 0, 0x1f, 0xff];
/// Body of an AAC sequence header: AAC-LC, 44,100 Hz, stereo.
pub(crate) const AAC_HEAD: &[u8] = &[0xaf, 0, 0x12, 0x10];

/// Bytes that look like media: a fixed function of `seed`.
pub(crate) fn noise(seed: u32, len: usize) -> impl Iterator<Item = u8> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_be_bytes()[1]
    })
    .take(len)
}

/// AMF0 (section 2 of its specification) of a few kinds of values, written here by hand so that the
/// decoder is not tested with itself.
pub(crate) mod amf0 {
    /// A property name, or the text of a string.
    pub(crate) fn name(text: &str) -> Vec<u8> {
        let mut bytes = u16::try_from(text.len()).unwrap().to_be_bytes().to_vec();
        bytes.extend_from_slice(text.as_bytes());
        bytes
    }

    /// A string.
    pub(crate) fn string(text: &str) -> Vec<u8> {
        [vec![2], name(text)].concat()
    }

    /// A number.
    pub(crate) fn number(value: f64) -> Vec<u8> {
        [vec![0], value.to_be_bytes().to_vec()].concat()
    }

    /// A strict array of numbers.
    pub(crate) fn numbers(values: impl IntoIterator<Item = f64>) -> Vec<u8> {
        let values: Vec<Vec<u8>> = values.into_iter().map(number).collect();
        let count = u32::try_from(values.len()).unwrap().to_be_bytes();
        [vec![10], count.to_vec(), values.concat()].concat()
    }

    fn properties(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (key, value) in entries {
            bytes.extend(name(key));
            bytes.extend_from_slice(value);
        }
        bytes.extend_from_slice(&[0, 0, 9]);
        bytes
    }

    /// An object.
    pub(crate) fn object(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
        [vec![3], properties(entries)].concat()
    }

    /// An ECMA array.
    pub(crate) fn ecma(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
        let count = u32::try_from(entries.len()).unwrap().to_be_bytes();
        [vec![8], count.to_vec(), properties(entries)].concat()
    }

    /// The body of an onMetaData tag.
    pub(crate) fn on_metadata(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
        [string("onMetaData"), ecma(entries)].concat()
    }
}

/// The index of a file, and the ranges that were read for it, beginning with nothing.
pub(crate) fn build(file: &[u8]) -> Result<(FlvIndex, Fetched, Vec<Vec<ByteRange>>), MediaError> {
    let mut builder = FlvBuilder::new(u64::try_from(file.len()).unwrap());
    fixture::build(file, |fetched| builder.step(fetched))
}
