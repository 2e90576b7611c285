//! Movie fragments: the moof box (ISO/IEC 14496-12 section 8.8), parsed once and shared by all
//! cursors that stand in it, and the place of one track's cursor in it.
//!
//! Runs of samples stay slices of the box. Times in it are ticks of each track.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::boxes::{Atom, limit};
use super::movie::{Defaults, short_or_long};
use super::tables::{Entry, delta};
use crate::media::{MediaError, stored};
use crate::units::ByteRange;
use crate::wire::{Reader, Truncated};

/// Largest moof box. A sample takes at most 16 bytes in it; ten minutes in one fragment at 60
/// frames a second with audio are 1 MiB.
pub(super) const MAX_MOOF: u64 = 8 << 20;

/// Most samples that one fragment may claim. Runs need not write anything for each sample, so that
/// the size of the box is no bound.
const MAX_SAMPLES: u32 = 1 << 18;

/// Most runs in one fragment: writers that interleave begin one for every chunk, a few hundred.
const MAX_RUNS: usize = 1 << 14;

/// The two tracks that are sent, video first.
pub(super) const SLOTS: usize = 2;

/// One fragment.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Moof {
    /// From where on it is known to be the first: the end of the one before.
    pub from: u64,
    /// Where the box is.
    pub range: ByteRange,
    /// Runs of the two tracks.
    pub runs: [Vec<Run>; SLOTS],
}

/// A run of samples that lie one behind the other: a trun box.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Run {
    flags: u32,
    defaults: Defaults,
    first_flags: Option<u32>,
    count: u32,
    #[serde(with = "stored::bytes")]
    entries: Bytes,
    /// Position of its first sample in the object.
    offset: u64,
    /// Decoding time of its first sample, where tfdt gives it: else it follows the run before.
    pub start: Option<i64>,
}

/// A track as fragments name it.
pub(super) type Slot = Option<(u32, Defaults)>;

impl Moof {
    /// Reads a moof box. `slots`: the tracks that are wanted.
    pub fn read(
        moof: &Atom,
        range: ByteRange,
        from: u64,
        slots: &[Slot; SLOTS],
    ) -> Result<Self, MediaError> {
        let mut read = Self {
            from,
            range,
            runs: [Vec::new(), Vec::new()],
        };
        let mut budget = Budget {
            samples: MAX_SAMPLES,
            runs: MAX_RUNS,
        };
        // Where data goes on: each track's behind that of the track before it, unless it says
        // otherwise (section 8.8.7.1).
        let mut data = range.start;
        for traf in moof.children(0).filter(|child| child.kind == *b"traf") {
            data = read.track(&traf, data, slots, &mut budget)?;
        }
        Ok(read)
    }

    /// Reads a traf box; answers where its data end.
    fn track(
        &mut self,
        traf: &Atom,
        data: u64,
        slots: &[Slot; SLOTS],
        budget: &mut Budget,
    ) -> Result<u64, MediaError> {
        let Some(tfhd) = traf.child(b"tfhd") else {
            return Ok(data);
        };
        let head = TrackHead::read(&tfhd)?;
        let known = slots.iter().zip(&mut self.runs).find_map(|(slot, runs)| {
            let (_, defaults) = slot.filter(|(id, _)| *id == head.id)?;
            Some((defaults, runs))
        });
        let (defaults, mut runs) = match known {
            Some((defaults, runs)) => (defaults, Some(runs)),
            None => (Defaults::default(), None),
        };
        let defaults = head.over(defaults);
        let base = match head.base {
            Some(base) => base,
            None if head.base_is_moof => self.range.start,
            None => data,
        };
        let mut start = decode_time(traf);
        let mut data = base;
        for trun in traf.children(0).filter(|child| child.kind == *b"trun") {
            budget.take_run()?;
            let mut run = Run::read(&trun, defaults, base, data)?;
            budget.take_samples(run.count)?;
            run.start = start.take();
            data = run.offset.saturating_add(run.bytes());
            if let Some(runs) = &mut runs {
                runs.push(run);
            }
        }
        Ok(data)
    }
}

/// What one fragment may still have.
struct Budget {
    samples: u32,
    runs: usize,
}

impl Budget {
    fn take_run(&mut self) -> Result<(), MediaError> {
        let left = self.runs.checked_sub(1);
        self.runs =
            left.ok_or_else(|| limit("runs of a fragment", super::boxes::length(MAX_RUNS)))?;
        Ok(())
    }

    fn take_samples(&mut self, count: u32) -> Result<(), MediaError> {
        let left = self.samples.checked_sub(count);
        self.samples =
            left.ok_or_else(|| limit("samples of a fragment", u64::from(MAX_SAMPLES)))?;
        Ok(())
    }
}

/// The tfhd box.
struct TrackHead {
    id: u32,
    base: Option<u64>,
    base_is_moof: bool,
    description: Option<u32>,
    duration: Option<u32>,
    size: Option<u32>,
    flags: Option<u32>,
}

impl TrackHead {
    fn read(tfhd: &Atom) -> Result<Self, MediaError> {
        let (_, flags, mut reader) = tfhd.full()?;
        let mut read = || -> Result<Self, Truncated> {
            let id = reader.u32()?;
            let base = (flags & 1 != 0).then(|| reader.u64()).transpose()?;
            let mut word = |flag| (flags & flag != 0).then(|| reader.u32()).transpose();
            Ok(Self {
                id,
                base,
                base_is_moof: flags & 0x2_0000 != 0,
                description: word(0x02)?,
                duration: word(0x08)?,
                size: word(0x10)?,
                flags: word(0x20)?,
            })
        };
        read().map_err(|error| tfhd.cut(error))
    }

    fn over(&self, defaults: Defaults) -> Defaults {
        Defaults {
            description: self.description.unwrap_or(defaults.description),
            duration: self.duration.unwrap_or(defaults.duration),
            size: self.size.unwrap_or(defaults.size),
            flags: self.flags.unwrap_or(defaults.flags),
        }
    }
}

/// The box of Smooth Streaming files that says what tfdt says elsewhere (MS-SSTR 2.2.4.4).
const TFXD: [u8; 16] = *b"\x6d\x1d\x9b\x05\x42\xd5\x44\xe6\x80\xe2\x14\x1d\xaf\xf7\x57\xb2";

/// When the first sample of a traf box is decoded, where it says so.
fn decode_time(traf: &Atom) -> Option<i64> {
    let time = match traf.child(b"tfdt") {
        Some(tfdt) => {
            let (version, _, mut reader) = tfdt.full().ok()?;
            short_or_long(&mut reader, version).ok()?
        }
        None => {
            let uuid = traf
                .children(0)
                .find(|child| child.body.starts_with(&TFXD))?;
            let mut reader = Reader::new(uuid.body.get(TFXD.len()..)?);
            let version = reader.u8().ok()?;
            reader.skip(3).ok()?;
            short_or_long(&mut reader, version).ok()?
        }
    };
    i64::try_from(time).ok()
}

/// Fields that a run may have for each sample.
const DURATION: u32 = 0x100;
const SIZE: u32 = 0x200;
const FLAGS: u32 = 0x400;
const COMPOSITION: u32 = 0x800;

impl Run {
    fn read(trun: &Atom, defaults: Defaults, base: u64, data: u64) -> Result<Self, MediaError> {
        let (_, flags, mut reader) = trun.full()?;
        let mut head = || -> Result<(u32, Option<i32>, Option<u32>), Truncated> {
            let count = reader.u32()?;
            let offset = (flags & 1 != 0).then(|| reader.i32()).transpose()?;
            let first = (flags & 4 != 0).then(|| reader.u32()).transpose()?;
            Ok((count, offset, first))
        };
        let (count, offset, first_flags) = head().map_err(|error| trun.cut(error))?;
        let entries = trun.body.slice(reader.position()..);
        let mut run = Self {
            flags,
            defaults,
            first_flags,
            count,
            entries,
            offset: offset.map_or(data, |offset| base.saturating_add_signed(offset.into())),
            start: None,
        };
        // A run that is cut ends early, as a table would.
        if let Some(written) = run.entries.len().checked_div(run.stride()) {
            run.count = count.min(u32::try_from(written).unwrap_or(u32::MAX));
        }
        Ok(run)
    }

    /// Bytes that each sample has in the box.
    fn stride(&self) -> usize {
        let fields = (self.flags & (DURATION | SIZE | FLAGS | COMPOSITION)).count_ones();
        usize::try_from(fields).unwrap_or(0).saturating_mul(4)
    }

    /// Sizes of all its samples together.
    fn bytes(&self) -> u64 {
        if self.flags & SIZE == 0 {
            return u64::from(self.count).saturating_mul(u64::from(self.defaults.size));
        }
        (0..self.count)
            .filter_map(|index| self.entry(index, 0, 0))
            .fold(0, |sum, entry| sum.saturating_add(u64::from(entry.size)))
    }

    /// The sample `index`, which is at `dts` and at `offset` of the object.
    fn entry(&self, index: u32, dts: i64, offset: u64) -> Option<Entry> {
        (index < self.count).then_some(())?;
        let at = usize::try_from(index).ok()?.checked_mul(self.stride())?;
        let mut reader = Reader::new(self.entries.get(at..)?);
        let mut field = |flag, default| match self.flags & flag {
            0 => Some(default),
            _ => reader.u32().ok(),
        };
        let duration = field(DURATION, self.defaults.duration)?;
        let size = field(SIZE, self.defaults.size)?;
        let flags = field(FLAGS, self.defaults.flags)?;
        let composition = field(COMPOSITION, 0)?;
        let flags = match self.first_flags {
            Some(first) if index == 0 => first,
            _ => flags,
        };
        Some(Entry {
            dts,
            duration: delta(duration),
            // Signed in version 0 too, as in ctts.
            composition: i32::from_ne_bytes(composition.to_ne_bytes()),
            offset,
            size,
            sync: is_sync(flags),
            description: self.description(),
        })
    }

    /// Index of its sample description, from 0.
    fn description(&self) -> u32 {
        self.defaults.description.saturating_sub(1)
    }
}

/// Neither "not a sync sample" nor "depends on others" (section 8.8.3.1).
fn is_sync(flags: u32) -> bool {
    flags & 0x1_0000 == 0 && flags & 0x0300_0000 != 0x0100_0000
}

/// The place of one track's cursor among the fragments.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct FragmentCursor {
    /// The fragment it stands in.
    #[serde(with = "stored::shared")]
    pub moof: Option<Arc<Moof>>,
    /// Position where the next fragment is looked for: the end of the last one...
    pub from: u64,
    /// ...and how far that has been looked at.
    pub at: u64,
    /// Where its group ends.
    pub end: u64,
    /// Decoding time of the next sample.
    pub dts: i64,
    /// Position of the next sample, once its run is open.
    offset: u64,
    /// Bytes of the samples behind it.
    pub sent: u64,
    run: u32,
    sample: u32,
    /// Fragments since the last sample.
    pub barren: u8,
    /// Whether `dts` is only what an index says, so that the fragment knows better.
    fresh: bool,
}

impl FragmentCursor {
    /// A place before the first fragment at or after `at`. The track goes on at `dts`, unless that
    /// is only a guess (`fresh`) and the fragment tells better.
    pub fn new(at: u64, end: u64, dts: i64, fresh: bool) -> Self {
        Self {
            moof: None,
            from: at,
            at,
            end,
            dts,
            offset: 0,
            sent: 0,
            run: 0,
            sample: 0,
            barren: 0,
            fresh,
        }
    }

    /// Enters a fragment, for track `slot`.
    pub fn enter(&mut self, moof: Arc<Moof>, slot: usize) {
        self.from = moof.range.end;
        self.at = moof.range.end;
        self.moof = Some(moof);
        self.run = 0;
        self.sample = 0;
        self.barren = self.barren.saturating_add(1);
        self.open_run(slot);
    }

    fn current(&self, slot: usize) -> Option<&Run> {
        let runs = self.moof.as_ref()?.runs.get(slot)?;
        runs.get(usize::try_from(self.run).ok()?)
    }

    /// Takes time and position from the run that begins, over those that are empty.
    fn open_run(&mut self, slot: usize) {
        while let Some((start, offset, count)) = self
            .current(slot)
            .map(|run| (run.start, run.offset, run.count))
        {
            // A time before that of the samples behind it (files joined end to end) is not
            // believed: the track goes on instead.
            self.dts = match start {
                Some(start) if self.fresh => start,
                Some(start) => start.max(self.dts),
                None => self.dts,
            };
            self.offset = offset;
            if count > 0 {
                return;
            }
            self.run = self.run.saturating_add(1);
        }
    }

    /// The sample at the cursor; `None` where the fragment has no more.
    pub fn entry(&self, slot: usize) -> Option<Entry> {
        self.current(slot)?
            .entry(self.sample, self.dts, self.offset)
    }

    /// Moves past `entry`, which must be that at the cursor.
    pub fn advance(&mut self, slot: usize, entry: &Entry) {
        self.dts = self.dts.saturating_add(i64::from(entry.duration));
        self.offset = self.offset.saturating_add(u64::from(entry.size));
        self.sent = self.sent.saturating_add(u64::from(entry.size));
        self.sample = self.sample.saturating_add(1);
        self.barren = 0;
        self.fresh = false;
        let more = self
            .current(slot)
            .is_some_and(|run| self.sample < run.count);
        if !more {
            self.run = self.run.saturating_add(1);
            self.sample = 0;
            self.open_run(slot);
        }
    }

    /// Index of the sample description of the next sample.
    pub fn description(&self, slot: usize) -> Option<u32> {
        self.current(slot).map(Run::description)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{boxed, full, tree, words};
    use super::*;

    const TREX: Defaults = Defaults {
        description: 1,
        duration: 40,
        size: 7,
        flags: 0,
    };

    fn read(trafs: &[Vec<u8>]) -> Result<Moof, MediaError> {
        let whole = tree(b"moof", trafs);
        let range = ByteRange::at(1000, super::super::boxes::length(whole.len()));
        let atom = Atom {
            kind: *b"moof",
            body_at: 1008,
            body: whole[8..].to_vec().into(),
        };
        Moof::read(&atom, range, 900, &[Some((1, TREX)), Some((2, TREX))])
    }

    fn walk(moof: Moof, slot: usize) -> Vec<Entry> {
        let mut cursor = FragmentCursor::new(0, 5000, 3, true);
        cursor.enter(Arc::new(moof), slot);
        let mut all = Vec::new();
        while let Some(entry) = cursor.entry(slot) {
            cursor.advance(slot, &entry);
            all.push(entry);
        }
        all
    }

    fn places(moof: Moof, slot: usize) -> Vec<(i64, u64, u32)> {
        let all = walk(moof, slot);
        all.iter()
            .map(|entry| (entry.dts, entry.offset, entry.size))
            .collect()
    }

    fn track(tfhd: (u32, &[u32]), rest: &[Vec<u8>]) -> Vec<u8> {
        let mut children = vec![full(b"tfhd", 0, tfhd.0, &words(tfhd.1))];
        children.extend_from_slice(rest);
        tree(b"traf", &children)
    }

    #[test]
    fn without_offsets_data_follow_one_another_from_the_start_of_the_box() {
        let build = || {
            read(&[
                track((0, &[9]), &[full(b"trun", 0, 0x200, &words(&[1, 100]))]),
                track(
                    (0, &[2]),
                    &[
                        full(b"trun", 0, 0, &words(&[2])),
                        full(b"trun", 0, 0x200, &words(&[1, 5])),
                    ],
                ),
                track((0x10, &[1, 3]), &[full(b"trun", 0, 0, &words(&[1]))]),
            ])
            .unwrap()
        };
        // No tfdt: the time is that of the cursor. The track that is not sent counts too: its
        // size is told in the run, that of its defaults is not known.
        assert_eq!(
            places(build(), 1),
            [(3, 1100, 7), (43, 1107, 7), (83, 1114, 5)]
        );
        assert_eq!(places(build(), 0), [(3, 1119, 3)]);
    }

    #[test]
    fn bases_and_offsets_are_taken_as_they_are_told() {
        let run = |offset: u32| full(b"trun", 0, 1, &words(&[1, offset]));
        let minus_four = u32::MAX - 3;
        let explicit = track((1, &[1, 0, 2000]), &[run(8), run(minus_four)]);
        assert_eq!(
            places(read(&[explicit]).unwrap(), 0),
            [(3, 2008, 7), (43, 1996, 7)]
        );
        let first = track((0, &[1]), &[full(b"trun", 0, 0x200, &words(&[1, 50]))]);
        let second = track((0x2_0000, &[2]), &[run(8)]);
        assert_eq!(places(read(&[first, second]).unwrap(), 1), [(3, 1008, 7)]);
    }

    #[test]
    fn every_field_of_a_run_and_its_first_flags() {
        let entries = [10, 5, 0x1_0000, u32::MAX, 20, 6, 0x100_0000, 8, 30, 7, 0, 0];
        let head = [3, 0x200_0000];
        let run = full(b"trun", 1, 0xF04, &words(&[&head[..], &entries].concat()));
        let time = full(b"tfdt", 1, 0, &words(&[1, 0]));
        let all = walk(read(&[track((0x2, &[1, 4]), &[time, run])]).unwrap(), 0);
        let seen: Vec<_> = all
            .iter()
            .map(|e| {
                (
                    e.dts - (1 << 32),
                    e.size,
                    e.composition,
                    e.sync,
                    e.description,
                )
            })
            .collect();
        assert_eq!(
            seen,
            [
                (0, 5, -1, true, 3),
                (10, 6, 8, false, 3),
                (30, 7, 0, true, 3)
            ]
        );
    }

    #[test]
    fn several_boxes_for_one_track_and_times_that_go_back() {
        let part = |time| {
            let tfdt = full(b"tfdt", 0, 0, &words(&[time]));
            track((0, &[1]), &[tfdt, full(b"trun", 0, 0, &words(&[1]))])
        };
        let moof = read(&[part(100), part(500), part(200)]).unwrap();
        let times: Vec<i64> = places(moof, 0).iter().map(|place| place.0).collect();
        assert_eq!(times, [100, 500, 540]);
    }

    #[test]
    fn the_smooth_streaming_box_tells_the_time_where_tfdt_does_not() {
        let tfxd = boxed(
            b"uuid",
            &[&TFXD[..], &[1, 0, 0, 0], &words(&[0, 77, 0, 1])].concat(),
        );
        let moof = read(&[track((0, &[1]), &[full(b"trun", 0, 0, &words(&[1])), tfxd])]).unwrap();
        assert_eq!(places(moof, 0), [(77, 1000, 7)]);
    }

    #[test]
    fn runs_that_claim_too_much_are_refused_or_cut() {
        let run = |flags, list: &[u32]| track((0, &[1]), &[full(b"trun", 0, flags, &words(list))]);
        assert!(matches!(
            read(&[run(0, &[u32::MAX])]),
            Err(MediaError::Limit { .. })
        ));
        let cut = read(&[run(0x200, &[u32::MAX, 1, 2])]).unwrap();
        assert_eq!(places(cut, 0).len(), 2);
        let many: Vec<Vec<u8>> = (0..=MAX_RUNS)
            .map(|_| full(b"trun", 0, 0, &words(&[0])))
            .collect();
        assert!(matches!(
            read(&[track((0, &[1]), &many)]),
            Err(MediaError::Limit { .. })
        ));
    }
}
