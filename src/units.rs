//! Small types for the numbers that are easiest to confuse: times and byte ranges.
//!
//! Every time inside the server is a [`MediaTime`]: signed 64-bit milliseconds on the timeline of
//! one object, never wrapping. Only at the wire does it become a [`Millis`]: the 32-bit wrapping
//! millisecond count of an RTMP message (RTMP 1.0 section 5.3.1.2).

// Pure code that reads what viewers and files control: what could panic does not compile.
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation
    )
)]

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};
/// A time on the timeline of one object, in milliseconds. Does not wrap.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct MediaTime(i64);

impl MediaTime {
    /// The start of the timeline.
    pub const ZERO: Self = Self(0);
    /// Later than every time that a file can hold.
    pub const MAX: Self = Self(i64::MAX);

    /// A time of so many milliseconds.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// A time from ticks of a media timescale (ticks a second), rounded to the nearest
    /// millisecond, halves up. Computed from the absolute tick count, so that errors never add up.
    /// A timescale of 0 counts as 1.
    pub fn from_ticks(ticks: i64, timescale: u32) -> Self {
        // Planning a file does this three times a sample, and a wide division is the dearest step
        // of it; below 2^53 ticks the narrow one does.
        Self::from_few_ticks(ticks, timescale)
            .unwrap_or_else(|| Self::from_any_ticks(ticks, timescale))
    }

    fn from_few_ticks(ticks: i64, timescale: u32) -> Option<Self> {
        let scale = i64::from(timescale.max(1));
        let doubled = ticks.checked_mul(2000)?.checked_add(scale)?;
        Some(Self(doubled.div_euclid(scale.saturating_mul(2))))
    }

    fn from_any_ticks(ticks: i64, timescale: u32) -> Self {
        let scale = i128::from(timescale.max(1));
        let doubled = i128::from(ticks).saturating_mul(2000).saturating_add(scale);
        let rounded = doubled.div_euclid(scale.saturating_mul(2));
        Self(i64::try_from(rounded).unwrap_or(if rounded < 0 { i64::MIN } else { i64::MAX }))
    }

    /// Milliseconds since the start of the timeline.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Seconds since the start of the timeline, as players want them in metadata.
    pub fn seconds(self) -> f64 {
        // Exact below 2^53 ms, which is 285,000 years.
        #[allow(clippy::cast_precision_loss)]
        let millis = self.0 as f64;
        millis / 1000.0
    }

    /// This time moved by `millis`, clamped at the ends of the range.
    #[must_use]
    pub const fn plus(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Milliseconds from `earlier` to this time; negative when `earlier` is the later one.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The timestamp of an RTMP message at this time: modulo 2^32.
    pub fn wire(self) -> Millis {
        Millis(u32::try_from(self.0.rem_euclid(1 << 32)).unwrap_or_default())
    }
}

impl fmt::Display for MediaTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.0)
    }
}

/// The timestamp field of an RTMP message: milliseconds modulo 2^32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Millis(pub u32);

impl Millis {
    /// The time nearest to `near` that has this timestamp: how a wrapping 32-bit count is unrolled.
    pub fn unroll(self, near: MediaTime) -> MediaTime {
        let ahead = self.0.wrapping_sub(near.wire().0);
        // A difference of up to 2^31 is taken as forward, a larger one as backward.
        let delta = i64::from(i32::from_ne_bytes(ahead.to_ne_bytes()));
        near.plus(delta)
    }
}

/// A half-open range of byte positions in an object: `start` is in it, `end` is not.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct ByteRange {
    /// Position of the first byte.
    pub start: u64,
    /// Position after the last byte; never below `start`.
    pub end: u64,
}

impl ByteRange {
    /// The range from `start` to before `end`; empty when `end` is not above `start`.
    pub const fn new(start: u64, end: u64) -> Self {
        let end = if end < start { start } else { end };
        Self { start, end }
    }

    /// The range of `len` bytes from `start`.
    pub const fn at(start: u64, len: u64) -> Self {
        Self {
            start,
            end: start.saturating_add(len),
        }
    }

    /// How many bytes.
    pub const fn len(self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    /// Whether there is no byte in it.
    pub const fn is_empty(self) -> bool {
        self.end <= self.start
    }

    /// Whether every byte of `other` is in this range.
    pub const fn covers(self, other: Self) -> bool {
        other.is_empty() || (self.start <= other.start && other.end <= self.end)
    }

    /// What is left of this range in an object of `size` bytes.
    #[must_use]
    pub const fn clamp_to(self, size: u64) -> Self {
        let end = if self.end > size { size } else { self.end };
        Self::new(if self.start > size { size } else { self.start }, end)
    }

    /// As a range of the standard library.
    pub const fn as_range(self) -> Range<u64> {
        self.start..self.end
    }
}

impl fmt::Debug for ByteRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.start, self.end)
    }
}

impl fmt::Display for ByteRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bytes {}..{}", self.start, self.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ticks_round_to_the_nearest_millisecond() {
        assert_eq!(MediaTime::from_ticks(1024, 44_100).millis(), 23);
        assert_eq!(MediaTime::from_ticks(-1024, 44_100).millis(), -23);
        assert_eq!(MediaTime::from_ticks(1, 2000).millis(), 1);
        assert_eq!(MediaTime::from_ticks(i64::MAX, 1).millis(), i64::MAX);
        assert_eq!(MediaTime::from_ticks(5, 0).millis(), 5000);
    }

    #[test]
    fn wire_time_is_modulo_two_to_the_32() {
        assert_eq!(MediaTime::from_millis((1 << 32) + 7).wire(), Millis(7));
        assert_eq!(MediaTime::from_millis(-1).wire(), Millis(u32::MAX));
    }

    proptest! {
        #[test]
        fn unrolling_undoes_wrapping(near in 0i64..1 << 40, delta in -(1i64 << 31) + 1..(1i64 << 31)) {
            let time = MediaTime::from_millis(near + delta);
            prop_assert_eq!(time.wire().unroll(MediaTime::from_millis(near)), time);
        }

        #[test]
        fn few_ticks_are_rounded_as_any(
            ticks in prop_oneof![any::<i64>(), -(1i64 << 40)..1 << 40, -9_000i64..9_000],
            scale: u32,
        ) {
            let few = MediaTime::from_few_ticks(ticks, scale);
            let any = MediaTime::from_any_ticks(ticks, scale);
            prop_assert_eq!(few.unwrap_or(any), any);
            prop_assert_eq!(MediaTime::from_ticks(ticks, scale), any);
        }

        #[test]
        fn clamped_ranges_stay_inside(start: u64, end: u64, size: u64) {
            let range = ByteRange::new(start, end).clamp_to(size);
            prop_assert!(range.start <= range.end && range.end <= size);
        }
    }
}
