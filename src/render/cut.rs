//! Where one segment ends and the next begins.
//!
//! The rule looks only at the samples since the segment's own start, so that a segment is the same
//! whoever renders it and whatever was rendered before. A message larger than the limit is a segment
//! of its own. A segment is empty only where so much is passed over that is not sent.

use super::segment::{Group, Rendering, SegmentId};
use crate::media::Sample;
use crate::units::MediaTime;

/// Bytes of a segment: large enough that a step of sendfile is cheap for each byte (256 KiB and
/// up, spec/performance.md C), small enough that a seek renders little that is not watched.
pub const SEGMENT_BYTES: u64 = 512 * 1024;

/// Bytes of the first segment of an object: what one small read brings, for a quick cold start.
pub const FIRST_SEGMENT_BYTES: u64 = 128 * 1024;

/// Media time of a segment, milliseconds: bounds what a seek in a low-rate object reads for nothing.
pub const SEGMENT_MILLIS: i64 = 8_000;

/// Messages of a segment: bounds its table of cues, and the ranges of a hostile layout.
pub const SEGMENT_MESSAGES: u32 = 4_096;

/// Bytes of samples that are passed over in a segment, because their track is not sent. In a file
/// without an index they are read all the same, so without a bound a file whose one track ends
/// early would be read to its end, and held, for one segment. Above 8 s of 8 Mbit/s video.
pub const SEGMENT_PASSED_BYTES: u64 = 8 * 1024 * 1024;

/// What a chunk header adds to a message, roughly; only the size of segments depends on it.
const HEADER_BYTES: u64 = 16;

/// Watches the samples of one segment go by and says when it is full.
#[derive(Debug)]
pub struct Cut {
    limit: u64,
    bytes: u64,
    passed: u64,
    messages: u32,
    first: Option<MediaTime>,
}

impl Cut {
    /// An empty segment of that name.
    pub fn new(id: SegmentId) -> Self {
        let limit = if id == SegmentId::start_of(Group::Indexed(0)) {
            FIRST_SEGMENT_BYTES
        } else {
            SEGMENT_BYTES
        };
        Self {
            limit,
            bytes: 0,
            passed: 0,
            messages: 0,
            first: None,
        }
    }

    /// Takes a sample into the segment, or passes over it where it is not sent. `false`: the
    /// segment is full, and the sample begins the next one.
    pub fn goes_on(&mut self, rendering: Rendering, sample: &Sample) -> bool {
        if rendering.takes(sample.kind) {
            self.take(sample)
        } else {
            self.pass(sample)
        }
    }

    fn take(&mut self, sample: &Sample) -> bool {
        let bytes = self
            .bytes
            .saturating_add(sample.message_len())
            .saturating_add(HEADER_BYTES);
        let first = *self.first.get_or_insert(sample.time);
        let full = self.messages > 0
            && (bytes > self.limit
                || self.messages >= SEGMENT_MESSAGES
                || sample.time.since(first) >= SEGMENT_MILLIS);
        if !full {
            self.bytes = bytes;
            self.messages = self.messages.saturating_add(1);
        }
        !full
    }

    fn pass(&mut self, sample: &Sample) -> bool {
        let full = self.passed >= SEGMENT_PASSED_BYTES;
        if !full {
            self.passed = self
                .passed
                .saturating_add(sample.message_len())
                .saturating_add(HEADER_BYTES);
        }
        !full
    }

    /// How many more bytes it has room for.
    pub fn room(&self) -> u64 {
        self.limit.saturating_sub(self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;
    use crate::media::{Kind, Prefix};

    const LATER: SegmentId = SegmentId::FIRST.following();

    /// Takes audio of these times and payload lengths; answers how many the segment holds.
    fn holds(id: SegmentId, samples: impl IntoIterator<Item = (i64, u64)>) -> usize {
        let mut cut = Cut::new(id);
        let mut taken = |(time, len)| cut.goes_on(BOTH, &sample(Kind::Audio, time, len));
        samples
            .into_iter()
            .take_while(|sample| taken(*sample))
            .count()
    }

    #[test]
    fn a_segment_holds_512_kib_and_the_first_of_an_object_128() {
        // Each message counts its header, 16 bytes.
        let kib = 1024 - 16;
        assert_eq!(holds(LATER, vec![(0, kib); 600]), 512);
        assert_eq!(holds(SegmentId::FIRST, vec![(0, kib); 600]), 128);
        assert_eq!(
            holds(SegmentId::start_of(Group::Indexed(1)), vec![(0, kib); 600]),
            512
        );
        assert_eq!(
            holds(SegmentId::start_of(Group::Found(0)), vec![(0, kib); 600]),
            512
        );
        assert_eq!(holds(LATER, [(0, 512 * 1024 - 16 - 17), (0, 1)]), 2);
        assert_eq!(holds(LATER, [(0, 512 * 1024 - 16 - 16), (0, 1)]), 1);
    }

    #[test]
    fn a_prefix_counts() {
        let mut cut = Cut::new(LATER);
        let mut one = sample(Kind::Audio, 0, 512 * 1024 - 16 - 8);
        one.prefix = Prefix::new(&[0; 8]);
        assert!(cut.goes_on(BOTH, &one));
        assert_eq!(cut.room(), 0);
    }

    #[test]
    fn a_segment_is_shorter_than_8_seconds() {
        assert_eq!(holds(LATER, [(5, 1), (8_004, 1), (8_005, 1)]), 2);
        assert_eq!(
            holds(LATER, [(5, 1), (2, 1), (8_005, 1)]),
            2,
            "from its first message"
        );
    }

    #[test]
    fn a_message_of_any_length_is_taken_alone() {
        assert_eq!(holds(LATER, [(0, 16_000_000), (0, 0)]), 1);
        assert_eq!(holds(LATER, [(0, 0), (0, 16_000_000)]), 1);
    }

    #[test]
    fn what_is_not_sent_takes_no_room_but_not_without_end() {
        let audio = Rendering {
            video: false,
            audio: true,
        };
        let mut cut = Cut::new(LATER);
        let passed = (0..)
            .take_while(|n| cut.goes_on(audio, &key(n * 1_000, 1 << 20)))
            .count();
        assert_eq!(passed, 8);
        assert_eq!(cut.room(), 512 * 1024);
        assert!(cut.goes_on(audio, &sample(Kind::Audio, 9_000_000, 1)));
    }
}
