//! What reads of an object brought beyond what they were for, kept until somebody needs it.
//!
//! A read for a segment brings bytes of its neighbours: in an interleaved file the border between
//! two segments is not one place, and a file that is walked is read in steps that fit no segment.
//! They are kept by position, so that they serve whoever comes to that place, and given up once they
//! were rendered. Without them every border would be read twice.
//!
//! Two kinds are told apart. What was read for the index (the probe above all, which holds the
//! first segment) is kept as long as the object, for its tables are slices of it anyway. What is
//! left of media reads is bounded, the oldest given up first. Sizes are bytes.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::media::Fetched;
use crate::render::cut;
use crate::units::ByteRange;

/// Most bytes left over from media reads: what two viewers at different places of a walked file
/// leave (a read beyond a segment is 516 KiB there).
pub const LEFTOVER_BYTES: u64 = 2 * (cut::SEGMENT_BYTES + (32 << 10));

/// Most pieces: at the border of two segments lie some dozens of audio frames.
const PIECES: usize = 256;

/// A part that was read for an index and is longer than this is a table of samples: only its end
/// can be media.
const INDEX_PART: u64 = (1 << 20) + (64 << 10);

/// Less than this is not worth keeping: heads and trailers between payloads.
const LEAST: u64 = 16;

/// Bytes of an object, by position.
#[derive(Debug, Default)]
pub struct Leftovers {
    /// Read for the index.
    index: Vec<(u64, Bytes)>,
    /// Left over from segments, the oldest first.
    media: VecDeque<(u64, Bytes)>,
}

impl Leftovers {
    /// Begins with what was read for an index, of which `behind` bytes at the end of a long part
    /// may be media.
    pub fn of_index(read: &Fetched, behind: u64) -> Self {
        let kept = |(at, part): (u64, &Bytes)| {
            if len(part) <= INDEX_PART {
                return (at, part.clone());
            }
            let skip = len(part).saturating_sub(behind);
            let tail = part.slice(usize::try_from(skip).unwrap_or(part.len())..);
            (at.saturating_add(skip), Bytes::copy_from_slice(&tail))
        };
        Self {
            index: read.parts().map(kept).collect(),
            media: VecDeque::new(),
        }
    }

    /// All of it, to begin to render with: sharing it costs nothing.
    pub fn all(&self, size: u64) -> Fetched {
        let mut fetched = Fetched::new(size);
        for (at, part) in self.index.iter().chain(&self.media) {
            fetched.insert(*at, part.clone());
        }
        fetched
    }

    /// Keeps of `fetched` what ends behind `from` and was not `used`, and gives up what was used.
    /// To be followed by [`Leftovers::bound`], once the reader of `fetched` lets go of it.
    pub fn keep(&mut self, fetched: &Fetched, used: Vec<ByteRange>, from: u64) {
        let used = &merged(used)[..];
        let is_old = |at: u64, part: &Bytes| {
            let mut old = self.index.iter().chain(&self.media);
            old.any(|(start, known)| *start == at && known.len() == part.len())
        };
        let parts = fetched.parts();
        let fresh: Vec<(u64, Bytes)> = parts
            .filter(|(at, part)| !is_old(*at, part))
            .flat_map(|(at, part)| unused(at, part, used))
            .collect();
        let touched = |(at, part): &(u64, Bytes)| {
            let range = ByteRange::at(*at, len(part));
            used.iter()
                .any(|used| used.start < range.end && range.start < used.end)
        };
        if self.media.iter().any(touched) {
            let old = std::mem::take(&mut self.media);
            let rest = old
                .into_iter()
                .flat_map(|(at, part)| unused(at, &part, used));
            self.media = rest.collect();
        }
        for (at, part) in fresh {
            let end = at.saturating_add(len(&part));
            let covered = self.media.iter().any(|(start, known)| {
                ByteRange::at(*start, len(known)).covers(ByteRange::new(at, end))
            });
            if end > from && !covered {
                self.media.push_back((at, part));
            }
        }
    }

    /// Gives up the oldest beyond the bound.
    pub fn bound(&mut self) {
        let mut held: u64 = self.media.iter().map(|(_, part)| len(part)).sum();
        while held > LEFTOVER_BYTES || self.media.len() > PIECES {
            let Some((_, part)) = self.media.pop_front() else {
                return;
            };
            held = held.saturating_sub(len(&part));
        }
    }
}

/// Ranges in order, those that touch or overlap as one.
fn merged(mut ranges: Vec<ByteRange>) -> Vec<ByteRange> {
    ranges.sort_unstable();
    let mut merged: Vec<ByteRange> = Vec::new();
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

/// The stretches of a part that were not used.
fn unused(at: u64, part: &Bytes, used: &[ByteRange]) -> Vec<(u64, Bytes)> {
    let whole = ByteRange::at(at, len(part));
    let first = used.partition_point(|range| range.end <= whole.start);
    let mut stretches = Vec::new();
    let mut from = whole.start;
    for range in used.iter().skip(first) {
        if range.start >= whole.end {
            break;
        }
        stretches.push(ByteRange::new(from, range.start.max(from)));
        from = range.end.max(from);
    }
    stretches.push(ByteRange::new(from.min(whole.end), whole.end));
    let long = stretches.into_iter().filter(|range| range.len() >= LEAST);
    long.filter_map(|range| Some((range.start, cut(part, range, at)?)))
        .collect()
}

/// A stretch of a part that begins at `at`. Copied where it is a small part of it, which it would
/// else keep from being freed.
fn cut(part: &Bytes, range: ByteRange, at: u64) -> Option<Bytes> {
    let start = usize::try_from(range.start.checked_sub(at)?).ok()?;
    let end = usize::try_from(range.end.checked_sub(at)?).ok()?;
    let stretch = part.get(start..end)?;
    Some(if stretch.len() < part.len() / 2 {
        Bytes::copy_from_slice(stretch)
    } else {
        part.slice_ref(stretch)
    })
}

fn len(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SIZE: u64 = 4_000;

    fn object(range: ByteRange) -> Bytes {
        range.as_range().map(|at| (at % 251) as u8).collect()
    }

    fn fetched(ranges: &[(u64, u64)]) -> Fetched {
        let mut fetched = Fetched::new(SIZE);
        for (start, end) in ranges {
            fetched.insert(*start, object(ByteRange::new(*start, *end)));
        }
        fetched
    }

    fn used(ranges: &[(u64, u64)]) -> Vec<ByteRange> {
        ranges.iter().map(|(s, e)| ByteRange::new(*s, *e)).collect()
    }

    fn held(leftovers: &Leftovers) -> Vec<(u64, u64)> {
        let media = leftovers.media.iter();
        media.map(|(at, part)| (*at, at + len(part))).collect()
    }

    #[test]
    fn what_a_segment_did_not_use_waits_for_the_next() {
        let mut leftovers = Leftovers::default();
        leftovers.keep(
            &fetched(&[(100, 1_000)]),
            used(&[(100, 600), (700, 900)]),
            0,
        );
        assert_eq!(held(&leftovers), [(600, 700), (900, 1_000)]);
        let mut next = leftovers.all(SIZE);
        assert_eq!(next.gaps(ByteRange::new(600, 700)), []);
        next.insert(1_000, object(ByteRange::new(1_000, 2_000)));
        leftovers.keep(&next, used(&[(600, 700), (900, 1_800)]), 0);
        assert_eq!(held(&leftovers), [(1_800, 2_000)]);
    }

    #[test]
    fn the_oldest_goes_first_and_the_index_stays() {
        let mut leftovers = Leftovers::of_index(&fetched(&[(0, 50)]), 10);
        let mut most = Fetched::new(1 << 40);
        for part in 0..40_u64 {
            most.insert(part << 20, vec![7; 60 << 10].into());
        }
        leftovers.keep(&most, Vec::new(), 0);
        leftovers.bound();
        let bytes: u64 = held(&leftovers).iter().map(|(s, e)| e - s).sum();
        assert!(
            bytes <= LEFTOVER_BYTES && bytes > LEFTOVER_BYTES - (60 << 10),
            "{bytes}"
        );
        assert_eq!(leftovers.media.back().unwrap().0, 39 << 20);
        assert_eq!(leftovers.all(SIZE).gaps(ByteRange::new(0, 50)), []);
    }

    #[test]
    fn of_a_long_table_the_end_is_kept() {
        let mut read = Fetched::new(1 << 30);
        read.insert(1_000, vec![0; 3 << 20].into());
        let leftovers = Leftovers::of_index(&read, 500);
        let end = 1_000 + (3 << 20);
        let all = leftovers.all(1 << 30);
        assert_eq!(
            (all.held(), all.missing(ByteRange::new(end - 500, end))),
            (500, None)
        );
    }

    proptest! {
        #[test]
        fn what_is_kept_is_right_and_not_used(
            reads in proptest::collection::vec((0u64..3_000, 1u64..900), 1..5),
            uses in proptest::collection::vec((0u64..3_500, 1u64..400), 0..8),
        ) {
            let reads: Vec<_> = reads.iter().map(|(at, len)| (*at, at + len)).collect();
            let uses: Vec<_> = uses.iter().map(|(at, len)| (*at, at + len)).collect();
            let uses = used(&uses);
            let read = fetched(&reads);
            let mut leftovers = Leftovers::default();
            leftovers.keep(&read, uses.clone(), 0);
            for (at, part) in &leftovers.media {
                prop_assert_eq!(part, &object(ByteRange::at(*at, len(part))));
            }
            let all = leftovers.all(SIZE);
            for at in 0..SIZE {
                let byte = ByteRange::at(at, 1);
                let is_used = uses.iter().any(|range| range.covers(byte));
                let kept = all.missing(byte).is_none();
                prop_assert!(!(kept && is_used), "{} was used", at);
                prop_assert!(!kept || read.missing(byte).is_none());
            }
            for stretch in read.gaps(ByteRange::new(0, SIZE)) {
                prop_assert!(!all.gaps(stretch).is_empty());
            }
        }
    }
}
