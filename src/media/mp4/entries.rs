//! Where a fragmented file can be entered: the sidx box (ISO/IEC 14496-12 section 8.16.3) and the
//! tfra boxes at the file's tail (section 8.8.10).
//!
//! Times are kept as distances from the first entry. What a file writes there may be composition
//! or decoding times, with or without its edit list; the distance is the same in all, and the
//! first fragment itself says what the first entry stands at.

use super::boxes::{Atom, length, limit};
use super::movie::short_or_long;
use crate::media::MediaError;
use crate::units::ByteRange;
use crate::wire::{Reader, Truncated};

/// Most entries that are kept: twelve days of four-second fragments, 4 MiB.
const MAX_ENTRIES: usize = 1 << 18;

/// A place where decoding can begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    /// Position of the moof box, or of what stands right before it.
    pub at: u64,
    /// Ticks of the index's own timescale.
    pub ticks: u64,
}

/// The entries of one track, in order.
#[derive(Debug, Clone, Default)]
pub(super) struct Entries {
    /// track_ID.
    pub track: u32,
    /// Ticks a second; `None`: those of the track.
    pub timescale: Option<u32>,
    /// In order of position and time.
    pub list: Vec<Entry>,
    /// Position behind the last of them: what is beyond has no index. `None`: they reach to the end.
    pub covered: Option<u64>,
    /// Time at which the last one ends, where it is told.
    pub end: Option<u64>,
}

impl Entries {
    fn push(&mut self, entry: Entry) -> Result<(), MediaError> {
        let later = self
            .list
            .last()
            .is_none_or(|last| last.at < entry.at && last.ticks <= entry.ticks);
        if later {
            if self.list.len() >= MAX_ENTRIES {
                return Err(limit("fragments in an index", length(MAX_ENTRIES)));
            }
            self.list.push(entry);
        }
        Ok(())
    }

    /// Adds the subsegments of a sidx box that ends at `anchor`. Answers the ranges of further
    /// sidx boxes that it refers to.
    pub fn add_segments(
        &mut self,
        segments: &Segments<'_>,
        anchor: u64,
    ) -> Result<Vec<ByteRange>, MediaError> {
        let mut nested = Vec::new();
        let marked = segments.is_marked();
        let mut reader = segments.references;
        let mut at = anchor.saturating_add(segments.first_offset);
        let mut ticks = segments.earliest;
        for _ in 0..segments.count {
            let Ok((size, duration, access)) = reference(&mut reader) else {
                break;
            };
            let range = ByteRange::at(at, u64::from(size & 0x7FFF_FFFF));
            if size & 0x8000_0000 != 0 {
                nested.push(range);
            } else if !marked || starts_with_access_point(access) {
                self.push(Entry { at, ticks })?;
            }
            at = range.end;
            ticks = ticks.saturating_add(u64::from(duration));
        }
        self.covered = self.covered.max(Some(at));
        self.end = self.end.max(Some(ticks));
        Ok(nested)
    }

    /// Reads a tfra box.
    pub fn of_random_access(tfra: &Atom) -> Result<Self, MediaError> {
        let (version, _, mut reader) = tfra.full()?;
        let mut head = || -> Result<(u32, u32, u32), Truncated> {
            Ok((reader.u32()?, reader.u32()?, reader.u32()?))
        };
        let (track, lengths, count) = head().map_err(|error| tfra.cut(error))?;
        let rest = [lengths >> 4 & 3, lengths >> 2 & 3, lengths & 3];
        let rest = rest.iter().sum::<u32>().saturating_add(3);
        let rest = usize::try_from(rest).unwrap_or(usize::MAX);
        let mut entries = Self {
            track,
            ..Self::default()
        };
        for _ in 0..count {
            let mut entry = || -> Result<Entry, Truncated> {
                let ticks = short_or_long(&mut reader, version)?;
                let at = short_or_long(&mut reader, version)?;
                reader.skip(rest)?;
                Ok(Entry { at, ticks })
            };
            let Ok(entry) = entry() else { break };
            entries.push(entry)?;
        }
        Ok(entries)
    }
}

/// A sidx box.
#[derive(Debug)]
pub(super) struct Segments<'a> {
    /// track_ID, by convention.
    pub track: u32,
    /// Ticks a second.
    pub timescale: u32,
    earliest: u64,
    first_offset: u64,
    count: u16,
    references: Reader<'a>,
}

impl<'a> Segments<'a> {
    /// Reads a sidx box.
    pub fn read(sidx: &'a Atom) -> Result<Self, MediaError> {
        let (version, _, mut reader) = sidx.full()?;
        let mut read = || -> Result<Self, Truncated> {
            let (track, timescale) = (reader.u32()?, reader.u32()?);
            let earliest = short_or_long(&mut reader, version)?;
            let first_offset = short_or_long(&mut reader, version)?;
            reader.skip(2)?;
            Ok(Segments {
                track,
                timescale,
                earliest,
                first_offset,
                count: reader.u16()?,
                references: reader,
            })
        };
        read().map_err(|error| sidx.cut(error))
    }

    /// Whether it says of any subsegment that it begins with an access point. Where it does, the
    /// others do not; where it never does, the writer did not care.
    fn is_marked(&self) -> bool {
        let mut reader = self.references;
        (0..self.count)
            .map_while(|_| reference(&mut reader).ok())
            .any(|(_, _, access)| starts_with_access_point(access))
    }
}

/// Type and size in one word, duration, and access point, of the next reference.
fn reference(reader: &mut Reader<'_>) -> Result<(u32, u32, u32), Truncated> {
    Ok((reader.u32()?, reader.u32()?, reader.u32()?))
}

/// starts_with_SAP, of a type after which everything can be decoded (annex I).
fn starts_with_access_point(access: u32) -> bool {
    access & 0x8000_0000 != 0 && (1..=3).contains(&(access >> 28 & 7))
}

/// The size of the mfra box, if `tail`, the last bytes of a file, end in an mfro box (8.8.11).
pub(super) fn random_access_size(tail: &[u8]) -> Option<u64> {
    let (_, last) = tail.split_at_checked(tail.len().checked_sub(16)?)?;
    let mut reader = Reader::new(last);
    (reader.u32().ok()? == 16 && reader.array::<4>().ok()? == *b"mfro").then_some(())?;
    reader.skip(4).ok()?;
    reader.u32().ok().map(u64::from)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{boxed, full, words};
    use super::*;

    fn atom(raw: &[u8]) -> Atom {
        Atom {
            kind: [0; 4],
            body_at: 8,
            body: raw[8..].to_vec().into(),
        }
    }

    #[test]
    fn segments_follow_one_another() {
        let references = words(&[100, 40, 0, 0x8000_0000 | 50, 10, 0, 200, 60, 0]);
        let head = words(&[7, 1000, 5, 12, 3]);
        let sidx = atom(&full(b"sidx", 0, 0, &[head, references].concat()));
        let segments = Segments::read(&sidx).unwrap();
        assert_eq!((segments.track, segments.timescale), (7, 1000));
        let mut entries = Entries::default();
        let nested = entries.add_segments(&segments, 1000).unwrap();
        assert_eq!(nested, [ByteRange::new(1112, 1162)]);
        let e = |at, ticks| Entry { at, ticks };
        assert_eq!(entries.list, [e(1012, 5), e(1162, 55)]);
        assert_eq!((entries.covered, entries.end), (Some(1362), Some(115)));
    }

    #[test]
    fn where_access_points_are_marked_only_they_are_entries() {
        let references = words(&[100, 40, 0x9000_0000, 50, 10, 0, 200, 60, 0xB000_0005]);
        let head = words(&[7, 1000, 0, 0, 3]);
        let sidx = atom(&full(b"sidx", 0, 0, &[head, references].concat()));
        let mut entries = Entries::default();
        entries
            .add_segments(&Segments::read(&sidx).unwrap(), 0)
            .unwrap();
        let at: Vec<u64> = entries.list.iter().map(|entry| entry.at).collect();
        assert_eq!(at, [0, 150]);
    }

    #[test]
    fn random_access_points_of_one_fragment_are_one_entry() {
        let list = words(&[
            0,
            500,
            0x0101_0100,
            10,
            500,
            0x0101_0200,
            30,
            900,
            0x0101_0100,
        ]);
        let short: Vec<u8> = list
            .chunks(12)
            .flat_map(|entry| entry[..11].to_vec())
            .collect();
        let tfra = atom(&full(b"tfra", 0, 0, &[words(&[2, 0, 3]), short].concat()));
        let entries = Entries::of_random_access(&tfra).unwrap();
        let e = |at, ticks| Entry { at, ticks };
        assert_eq!(
            (entries.track, entries.list),
            (2, vec![e(500, 0), e(900, 30)])
        );
        let lying = atom(&full(b"tfra", 1, 0, &words(&[2, 0x3F, u32::MAX, 0, 1])));
        assert_eq!(Entries::of_random_access(&lying).unwrap().list, []);
    }

    #[test]
    fn the_tail_tells_how_long_the_random_access_box_is() {
        let mfro = full(b"mfro", 0, 0, &words(&[0x64]));
        assert_eq!(
            random_access_size(&[b"abc", &mfro[..]].concat()),
            Some(0x64)
        );
        assert_eq!(random_access_size(&boxed(b"free", &[0; 8])), None);
        assert_eq!(random_access_size(b"mfro"), None);
    }
}
