//! The sample tables of a track (ISO/IEC 14496-12 sections 8.6 and 8.7), kept as slices of the
//! file, and the cursor that walks them.
//!
//! A cursor carries its place in every table, so that a step costs the same wherever it is: tables
//! are run-length coded and nothing is expanded. `walk` moves it. Runs of length 0 are passed over once, on the way.
//! Tables that disagree end the track with the shortest. Times are ticks of the track's timescale.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::boxes::Atom;
use crate::media::MediaError;
use crate::wire::Reader;
pub(super) use walk::TableWalk;

mod walk;

/// The tables, without their heads.
#[derive(Debug, Clone, Default)]
pub(super) struct Tables {
    /// stts: pairs of sample count and delta.
    durations: Bytes,
    /// ctts: pairs of sample count and composition offset.
    offsets: Bytes,
    /// stsc: triples of first chunk, samples a chunk, description.
    layout: Bytes,
    chunks: Chunks,
    sizes: Sizes,
    /// stss: numbers of the sync samples, from 1. `None`: every sample is one.
    syncs: Option<Bytes>,
}

/// Positions of chunks.
#[derive(Debug, Clone)]
enum Chunks {
    /// stco.
    Short(Bytes),
    /// co64.
    Long(Bytes),
}

impl Default for Chunks {
    fn default() -> Self {
        Self::Short(Bytes::new())
    }
}

/// Sizes of samples.
#[derive(Debug, Clone)]
enum Sizes {
    /// stsz with one size for all. The count is only a claim: the walk is bounded by the others.
    Constant { size: u32, count: u32 },
    /// stsz and stz2: entries of 4, 8, 16 or 32 bits.
    Each { bits: u8, count: u32, table: Bytes },
}

impl Default for Sizes {
    fn default() -> Self {
        Self::Constant { size: 0, count: 0 }
    }
}

/// One sample as the tables tell of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    /// Decoding time, ticks of the media, before any edit.
    pub dts: i64,
    /// Ticks to the next sample.
    pub duration: u32,
    /// Composition offset, ticks.
    pub composition: i32,
    /// Position in the object.
    pub offset: u64,
    /// Bytes.
    pub size: u32,
    /// Whether decoding can begin here.
    pub sync: bool,
    /// Index of its sample description, from 0.
    pub description: u32,
}

/// A place between two samples. `Copy`, and small, because a viewer holds one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct TableCursor {
    /// Number of the next sample, from 0.
    pub sample: u32,
    /// Its decoding time.
    pub dts: i64,
    /// Its position, if a chunk is open.
    offset: u64,
    durations: Run,
    offsets: Run,
    /// Run of `layout` that is in force.
    layout: u32,
    description: u32,
    /// Chunk to open next.
    chunk: u32,
    /// Samples left in the open chunk.
    in_chunk: u32,
    /// First entry of `syncs` that is not behind.
    sync: u32,
}

/// A place in a table of pairs: samples left in the run, its value, and the next entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Run {
    left: u32,
    value: u32,
    next: u32,
}

impl Run {
    /// Opens runs until one has samples; `false` at the end of the table.
    fn settle(&mut self, table: &Bytes) -> bool {
        while self.left == 0 {
            let Some([count, value]) = pair(table, self.next) else {
                return false;
            };
            (self.left, self.value) = (count, value);
            self.next = self.next.saturating_add(1);
        }
        true
    }
}

impl Tables {
    /// The tables of an stbl box.
    pub fn read(stbl: &Atom) -> Result<Self, MediaError> {
        let mut tables = Self::default();
        for child in stbl.children(0) {
            match &child.kind {
                b"stts" => tables.durations = entries(&child)?,
                b"ctts" => tables.offsets = entries(&child)?,
                b"stsc" => tables.layout = entries(&child)?,
                b"stco" => tables.chunks = Chunks::Short(entries(&child)?),
                b"co64" => tables.chunks = Chunks::Long(entries(&child)?),
                b"stss" => tables.syncs = Some(entries(&child)?),
                b"stsz" => tables.sizes = sizes(&child)?,
                b"stz2" => tables.sizes = compact_sizes(&child)?,
                _ => {}
            }
        }
        Ok(tables)
    }

    /// The sample at the cursor; `None` where one of the tables has ended.
    pub fn entry(&self, cursor: &TableCursor) -> Option<Entry> {
        TableWalk::new(self, *cursor).entry()
    }

    /// Moves past `entry`, which must be that at the cursor.
    pub fn advance(&self, cursor: &mut TableCursor, entry: &Entry) {
        let mut walk = TableWalk::new(self, *cursor);
        walk.advance(entry);
        *cursor = walk.cursor();
    }

    /// The duration that all samples have, where stts is a single run (a last, shorter one aside).
    pub fn constant_duration(&self) -> Option<u32> {
        let [count, value] = pair(&self.durations, 0)?;
        let tail = pair(&self.durations, 1).is_none_or(|[count, _]| count == 1);
        (tail && pair(&self.durations, 2).is_none() && count > 0 && value > 0).then_some(value)
    }

    /// Whether there is no sample at all: the moov box of a fragmented file.
    pub fn is_empty(&self) -> bool {
        TableWalk::start(self).entry().is_none()
    }
}

impl Chunks {
    fn get(&self, index: u32) -> Option<u64> {
        match self {
            Self::Short(table) => word(table, index).map(u64::from),
            Self::Long(table) => {
                let [high, low] = pair(table, index)?;
                Some((u64::from(high) << 32) | u64::from(low))
            }
        }
    }
}

impl Sizes {
    fn get(&self, index: u32) -> Option<u32> {
        match self {
            Self::Constant { size, count } => (index < *count).then_some(*size),
            Self::Each { count, .. } if index >= *count => None,
            Self::Each { bits, table, .. } => {
                let index = usize::try_from(index).ok()?;
                match bits {
                    4 => {
                        let byte = *table.get(index.checked_div(2)?)?;
                        let high = index & 1 == 0;
                        Some(u32::from(if high { byte >> 4 } else { byte & 15 }))
                    }
                    8 => table.get(index).map(|size| u32::from(*size)),
                    16 => {
                        let at = index.checked_mul(2)?;
                        Reader::new(table.get(at..)?).u16().ok().map(u32::from)
                    }
                    _ => word(table, u32::try_from(index).ok()?),
                }
            }
        }
    }
}

/// A delta above 2^31 is a negative one, from writers that tried to go back in time; like other
/// players we take it for one tick.
pub(super) fn delta(value: u32) -> u32 {
    if i32::try_from(value).is_ok() {
        value
    } else {
        1
    }
}

/// The entries of a full box that begins with their count. The count itself is not needed: the
/// box says how much there is.
fn entries(atom: &Atom) -> Result<Bytes, MediaError> {
    let (_, _, mut reader) = atom.full()?;
    let count = reader.u32().map_err(|error| atom.cut(error))?;
    let width = match &atom.kind {
        b"stsc" => 12u64,
        b"stts" | b"ctts" | b"co64" => 8,
        _ => 4,
    };
    let claimed = u64::from(count).saturating_mul(width);
    let there = usize::try_from(claimed)
        .unwrap_or(usize::MAX)
        .min(reader.remaining());
    let rest = atom.body.slice(reader.position()..);
    Ok(rest.slice(..there))
}

fn sizes(atom: &Atom) -> Result<Sizes, MediaError> {
    let (_, _, mut reader) = atom.full()?;
    let mut read =
        || -> Result<(u32, u32), crate::wire::Truncated> { Ok((reader.u32()?, reader.u32()?)) };
    let (size, count) = read().map_err(|error| atom.cut(error))?;
    if size != 0 {
        return Ok(Sizes::Constant { size, count });
    }
    let table = atom.body.slice(reader.position()..);
    Ok(Sizes::Each {
        bits: 32,
        count,
        table,
    })
}

fn compact_sizes(atom: &Atom) -> Result<Sizes, MediaError> {
    let (_, _, mut reader) = atom.full()?;
    let mut read = || -> Result<(u32, u32), crate::wire::Truncated> {
        Ok((reader.u32()? & 0xFF, reader.u32()?))
    };
    let (bits, count) = read().map_err(|error| atom.cut(error))?;
    let bits = match bits {
        4 => 4,
        8 => 8,
        16 => 16,
        _ => return Err(atom.broken(7, "a field size other than 4, 8 and 16")),
    };
    let table = atom.body.slice(reader.position()..);
    Ok(Sizes::Each { bits, count, table })
}

fn words<const N: usize>(table: &[u8], index: u32) -> Option<[u32; N]> {
    let (words, _) = table.as_chunks::<4>();
    let (entries, _) = words.as_chunks::<N>();
    let entry = entries.get(usize::try_from(index).ok()?)?;
    Some(entry.map(u32::from_be_bytes))
}

fn word(table: &[u8], index: u32) -> Option<u32> {
    words::<1>(table, index).map(|[word]| word)
}

fn pair(table: &[u8], index: u32) -> Option<[u32; 2]> {
    words(table, index)
}

fn triple(table: &[u8], index: u32) -> Option<[u32; 3]> {
    words(table, index)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{boxed, full, table, words};
    use super::*;
    use proptest::prelude::*;

    fn tables(boxes: &[Vec<u8>]) -> Tables {
        Tables::read(&Atom {
            kind: *b"stbl",
            body_at: 0,
            body: boxes.concat().into(),
        })
        .unwrap()
    }

    /// In one walk, and in one that is begun anew at every sample.
    fn walk(tables: &Tables, most: usize) -> Vec<Entry> {
        let mut walk = TableWalk::start(tables);
        let mut all = Vec::new();
        while let Some(entry) = walk.entry().filter(|_| all.len() < most) {
            let mut cursor = walk.cursor();
            assert_eq!(tables.entry(&cursor), Some(entry));
            tables.advance(&mut cursor, &entry);
            walk.advance(&entry);
            assert_eq!(walk.cursor(), cursor);
            all.push(entry);
        }
        all
    }

    /// Six samples in three chunks, as the standard's own tables would be written.
    fn six() -> Vec<Vec<u8>> {
        vec![
            table(b"stts", 2, &[4, 10, 0, 99, 2, 20]),
            table(b"ctts", 2, &[1, 5, 2, u32::MAX, 3, 0]),
            table(b"stsc", 3, &[1, 2, 1, 2, 1, 2, 3, 3, 1]),
            table(b"stco", 1, &[1000, 2000, 3000]),
            table(b"stss", 1, &[1, 4]),
            full(b"stsz", 0, 0, &words(&[0, 6, 7, 8, 9, 10, 11, 12])),
        ]
    }

    #[test]
    fn six_samples_by_hand() {
        let e = |dts, duration, composition, offset, size, sync, description| Entry {
            dts,
            duration,
            composition,
            offset,
            size,
            sync,
            description,
        };
        assert_eq!(
            walk(&tables(&six()), 100),
            [
                e(0, 10, 5, 1000, 7, true, 0),
                e(10, 10, -1, 1007, 8, false, 0),
                e(20, 10, -1, 2000, 9, false, 1),
                e(30, 10, 0, 3000, 10, true, 0),
                e(40, 20, 0, 3010, 11, false, 0),
                e(60, 20, 0, 3021, 12, false, 0),
            ]
        );
    }

    #[test]
    fn the_shortest_table_ends_the_track() {
        let count = |replaced: Vec<u8>| {
            let mut boxes = six();
            boxes.push(replaced);
            walk(&tables(&boxes), 100).len()
        };
        assert_eq!(count(table(b"stts", 2, &[5, 10])), 5);
        assert_eq!(count(table(b"stco", 1, &[1000])), 2);
        assert_eq!(count(full(b"stsz", 0, 0, &words(&[0, 6, 7]))), 1);
        assert_eq!(count(full(b"stsz", 0, 0, &words(&[7, u32::MAX]))), 6);
        assert_eq!(count(full(b"stsz", 0, 0, &words(&[7, 0]))), 0);
        assert_eq!(count(table(b"stsc", 3, &[])), 0);
        assert_eq!(count(table(b"ctts", 2, &[])), 6);
        assert_eq!(count(table(b"co64", 2, &[1, 0, 2, 0])), 3);
    }

    #[test]
    fn sizes_of_four_eight_and_sixteen_bits() {
        let sized = |bits: u32, count, raw: &[u8]| {
            let mut boxes = six();
            boxes.push(full(
                b"stz2",
                0,
                0,
                &[&words(&[bits, count])[..], raw].concat(),
            ));
            walk(&tables(&boxes), 100)
                .iter()
                .map(|entry| entry.size)
                .collect::<Vec<_>>()
        };
        assert_eq!(sized(4, 3, &[0x12, 0x3F]), [1, 2, 3]);
        assert_eq!(sized(8, 2, &[200, 100]), [200, 100]);
        assert_eq!(sized(16, 2, &[1, 0, 0, 9]), [256, 9]);
        let odd = Atom {
            kind: *b"stbl",
            body_at: 0,
            body: full(b"stz2", 0, 0, &words(&[5, 1])).into(),
        };
        assert!(Tables::read(&odd).is_err());
    }

    #[test]
    fn a_negative_delta_is_one_tick_and_a_last_run_of_one_keeps_the_rate_constant() {
        let with = |entries: &[u32]| {
            let mut boxes = six();
            boxes.push(table(b"stts", 2, entries));
            tables(&boxes)
        };
        let dts: Vec<i64> = walk(&with(&[6, u32::MAX]), 9)
            .iter()
            .map(|e| e.dts)
            .collect();
        assert_eq!(dts, [0, 1, 2, 3, 4, 5]);
        assert_eq!(with(&[5, 512, 1, 100]).constant_duration(), Some(512));
        assert_eq!(with(&[3, 512, 3, 100]).constant_duration(), None);
    }

    /// What the tables say, expanded the simple way.
    fn naive(
        stts: &[(u32, u32)],
        ctts: &[(u32, i32)],
        stsc: &[(u32, u32)],
        chunks: &[u64],
        sizes: &[u32],
        syncs: &[u32],
    ) -> Vec<(i64, i32, u64, u32, bool)> {
        let spread = |(count, value): &(u32, u32)| vec![*value; usize::try_from(*count).unwrap()];
        let durations: Vec<u32> = stts.iter().flat_map(spread).collect();
        let offsets: Vec<i32> = ctts
            .iter()
            .flat_map(|(count, value)| vec![*value; usize::try_from(*count).unwrap()])
            .collect();
        let mut all = Vec::new();
        let mut dts = 0;
        for (index, chunk) in chunks.iter().enumerate() {
            let number = u32::try_from(index + 1).unwrap();
            let run = stsc
                .iter()
                .rev()
                .find(|(first, _)| *first <= number)
                .unwrap();
            let mut at = *chunk;
            for _ in 0..run.1 {
                let n = all.len();
                let (Some(duration), Some(size)) = (durations.get(n), sizes.get(n)) else {
                    return all;
                };
                let sync = syncs.contains(&u32::try_from(n + 1).unwrap());
                all.push((dts, offsets.get(n).copied().unwrap_or(0), at, *size, sync));
                dts += i64::from(*duration);
                at += u64::from(*size);
            }
        }
        all
    }

    proptest! {
        #[test]
        fn walking_agrees_with_a_naive_expansion(
            stts in proptest::collection::vec((0u32..6, 0u32..1000), 0..6),
            ctts in proptest::collection::vec((0u32..6, -50i32..50), 0..6),
            steps in proptest::collection::vec((1u32..4, 0u32..5), 1..5),
            chunks in proptest::collection::vec(0u64..1 << 40, 0..12),
            sizes in proptest::collection::vec(0u32..100_000, 0..40),
            syncs in proptest::collection::btree_set(1u32..40, 0..10),
        ) {
            let mut first = 1;
            let stsc: Vec<(u32, u32)> = steps.iter().enumerate().map(|(index, (step, samples))| {
                if index > 0 { first += step; }
                (first, *samples)
            }).collect();
            let syncs: Vec<u32> = syncs.into_iter().collect();
            let flat = |pairs: &[(u32, u32)]| pairs.iter().flat_map(|(a, b)| [*a, *b]).collect::<Vec<_>>();
            let signed: Vec<u32> = ctts.iter().flat_map(|(n, v)| [*n, u32::from_ne_bytes(v.to_ne_bytes())]).collect();
            let long: Vec<u32> = chunks.iter().flat_map(|at| [u32::try_from(at >> 32).unwrap(), u32::try_from(at & 0xFFFF_FFFF).unwrap()]).collect();
            let layout: Vec<u32> = stsc.iter().flat_map(|(first, samples)| [*first, *samples, 1]).collect();
            let count = u32::try_from(sizes.len()).unwrap();
            let built = tables(&[
                table(b"stts", 2, &flat(&stts)),
                table(b"ctts", 2, &signed),
                table(b"stsc", 3, &layout),
                full(b"co64", 0, 0, &[words(&[u32::try_from(chunks.len()).unwrap()]), words(&long)].concat()),
                full(b"stsz", 0, 0, &[words(&[0, count]), words(&sizes)].concat()),
                table(b"stss", 1, &syncs),
            ]);
            let walked: Vec<_> = walk(&built, 1000).iter()
                .map(|e| (e.dts, e.composition, e.offset, e.size, e.sync)).collect();
            prop_assert_eq!(walked, naive(&stts, &ctts, &stsc, &chunks, &sizes, &syncs));
        }

        #[test]
        fn random_tables_never_panic(
            bodies in proptest::collection::vec((0usize..8, proptest::collection::vec(any::<u8>(), 0..80)), 0..9),
        ) {
            let kinds = [b"stts", b"ctts", b"stsc", b"stco", b"co64", b"stss", b"stsz", b"stz2"];
            let boxes: Vec<u8> = bodies.iter().flat_map(|(kind, body)| boxed(kinds[*kind], body)).collect();
            let stbl = Atom { kind: *b"stbl", body_at: 0, body: boxes.into() };
            if let Ok(tables) = Tables::read(&stbl) {
                let all = walk(&tables, 500);
                prop_assert!(all.is_sorted_by_key(|entry| entry.dts));
            }
        }
    }
}
