//! The bytes of an object that have been read so far.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};

use crate::units::ByteRange;

/// Parts of one object, by position. Parts may touch and overlap; reads go across them.
///
/// Holding a part costs its bytes and a map entry; slices of a single part share its memory.
#[derive(Debug, Clone, Default)]
pub struct Fetched {
    size: u64,
    parts: BTreeMap<u64, Bytes>,
}

impl Fetched {
    /// Nothing yet of an object of `size` bytes.
    pub fn new(size: u64) -> Self {
        Self {
            size,
            parts: BTreeMap::new(),
        }
    }

    /// A whole object.
    pub fn whole(bytes: Bytes) -> Self {
        let mut fetched = Self::new(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        fetched.insert(0, bytes);
        fetched
    }

    /// Length of the whole object in bytes, read or not.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Bytes held, overlaps counted twice.
    pub fn held(&self) -> u64 {
        self.parts.values().map(|part| len(part)).sum()
    }

    /// What is held, by position: each part as it was put in.
    pub fn parts(&self) -> impl Iterator<Item = (u64, &Bytes)> {
        self.parts.iter().map(|(at, part)| (*at, part))
    }

    /// Adds what was read at position `at`. A shorter part at the same place is replaced.
    pub fn insert(&mut self, at: u64, bytes: Bytes) {
        let known = self.parts.get(&at).map_or(0, |part| part.len());
        if bytes.len() > known {
            self.parts.insert(at, bytes);
        }
    }

    /// The bytes of `range`, or `None` while any of them is missing. Shares memory where one part
    /// covers the range, and copies where it takes several.
    pub fn slice(&self, range: ByteRange) -> Option<Bytes> {
        if range.is_empty() {
            return Some(Bytes::new());
        }
        let first = self.part_at(range.start)?;
        if len(&first) >= range.len() {
            let wanted = usize::try_from(range.len()).ok()?;
            return Some(first.slice(..wanted));
        }
        let mut whole = BytesMut::new();
        let mut at = range.start;
        while at < range.end {
            let part = self.part_at(at)?;
            let left = usize::try_from(range.end.saturating_sub(at)).unwrap_or(usize::MAX);
            let take = part.get(..left.min(part.len()))?;
            whole.extend_from_slice(take);
            at = at.saturating_add(len(take));
        }
        Some(whole.freeze())
    }

    /// The first stretch of `range` that has not been read, or `None` when all of it has.
    pub fn missing(&self, range: ByteRange) -> Option<ByteRange> {
        let mut at = range.start;
        while at < range.end {
            match self.part_at(at) {
                Some(part) => at = at.saturating_add(len(&part)),
                None => {
                    let next = self
                        .parts
                        .range(at..)
                        .next()
                        .map_or(u64::MAX, |(start, _)| *start);
                    return Some(ByteRange::new(at, next.min(range.end)));
                }
            }
        }
        None
    }

    /// Every stretch of `range` that has not been read, in order.
    pub fn gaps(&self, range: ByteRange) -> Vec<ByteRange> {
        let mut gaps = Vec::new();
        let mut rest = range;
        while let Some(gap) = self.missing(rest) {
            rest.start = gap.end;
            gaps.push(gap);
        }
        gaps
    }

    /// What is held from `at` on without a gap within one part; longest part first. Never empty.
    fn part_at(&self, at: u64) -> Option<Bytes> {
        self.parts
            .range(..=at)
            .rev()
            .filter_map(|(start, part)| {
                let skip = usize::try_from(at.saturating_sub(*start)).ok()?;
                (skip < part.len()).then(|| part.slice(skip..))
            })
            // Parts are few (a handful for an index, a run of ranges for a segment), but a long
            // run before `at` must not be walked for every byte: the nearest that covers it is it.
            .next()
    }
}

fn len(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_slice_of_one_part_shares_its_memory() {
        let bytes = Bytes::from_static(b"0123456789");
        let mut fetched = Fetched::new(100);
        fetched.insert(20, bytes.clone());
        let slice = fetched.slice(ByteRange::new(22, 25)).unwrap();
        assert_eq!(&slice[..], b"234");
        assert_eq!(slice.as_ptr(), bytes[2..].as_ptr());
        assert_eq!(fetched.slice(ByteRange::new(18, 22)), None);
        assert_eq!(
            fetched.missing(ByteRange::new(10, 40)),
            Some(ByteRange::new(10, 20))
        );
        assert_eq!(
            fetched.missing(ByteRange::new(25, 40)),
            Some(ByteRange::new(30, 40))
        );
    }

    proptest! {
        #[test]
        fn slices_and_gaps_agree_with_a_plain_map(
            parts in proptest::collection::vec((0u64..60, 0usize..20), 0..8),
            start in 0u64..80,
            len in 0u64..40,
        ) {
            let object: Vec<u8> = (0..100).collect();
            let mut known = [false; 100];
            let mut fetched = Fetched::new(100);
            for (at, len) in parts {
                let from = usize::try_from(at).unwrap();
                fetched.insert(at, Bytes::copy_from_slice(&object[from..from + len]));
                known[from..from + len].fill(true);
            }
            let range = ByteRange::at(start, len).clamp_to(100);
            let span = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
            let complete = known[span.clone()].iter().all(|known| *known);
            match fetched.slice(range) {
                Some(bytes) => prop_assert_eq!(&bytes[..], &object[span.clone()]),
                None => prop_assert!(!complete),
            }
            match fetched.missing(range) {
                Some(gap) => {
                    prop_assert!(!gap.is_empty() && range.covers(gap));
                    prop_assert!(gap.as_range().all(|at| !known[usize::try_from(at).unwrap()]));
                }
                None => prop_assert!(complete),
            }
            prop_assert_eq!(complete, fetched.slice(range).is_some());
            let unread = range.as_range().filter(|at| !known[usize::try_from(*at).unwrap()]);
            let gaps = fetched.gaps(range);
            let in_gaps: Vec<u64> = gaps.iter().flat_map(|gap| gap.as_range()).collect();
            prop_assert_eq!(in_gaps, unread.collect::<Vec<_>>());
        }
    }
}
