//! Finding a time in a file that has no index, by looking at its bytes here and there.
//!
//! A few reads of 64 KiB instead of reading all that is before the time: interpolation between
//! places whose time is known, until one is found shortly before the time. Playing on from there
//! finds the exact entry.

use crate::media::{Demux, Fetched, Found, MediaError, Step};
use crate::units::{ByteRange, MediaTime};

/// A place at most this long before the time is near enough: it is walked from there,
/// milliseconds.
const NEAR_MILLIS: i64 = 10_000;

/// Aimed this much before the time, because a search finds the next place and not the last one,
/// milliseconds.
const AIM_BEFORE_MILLIS: i64 = 3_000;

/// Most places looked at. Interpolation needs two or three; halving a terabyte down to 64 KiB, 24.
const MAX_PROBES: u32 = 24;

/// Most bytes read. A look reads on to the next place at which decoding can begin, and where there
/// is none that is the rest of the file: this leaves several looks over a key frame interval of 10 s
/// at 8 Mbit/s, and bounds what one seek in a hostile file holds in memory.
const MAX_READ: u64 = 64 * 1024 * 1024;

/// How often a read may double within one look: to 4 MiB.
const MAX_DOUBLINGS: u32 = 6;

/// A search for one time.
#[derive(Debug)]
pub struct Search<'a, D: Demux> {
    index: &'a D,
    time: MediaTime,
    /// Byte that is looked at now.
    at: u64,
    /// The last place known to be at or before the time.
    low: (u64, MediaTime),
    /// The first byte known to be behind the time, and its time.
    high: Option<(u64, MediaTime)>,
    best: Option<Found<D::Cursor>>,
    probes: u32,
    /// How often this look has asked for more.
    pieces: u32,
    /// Bytes asked for.
    read: u64,
    /// There is no place left to look at.
    stuck: bool,
}

impl<'a, D: Demux> Search<'a, D> {
    /// A search for `time`; `None` where the file cannot be searched.
    pub fn new(index: &'a D, time: MediaTime) -> Option<Self> {
        let at = index.guess(time.plus(AIM_BEFORE_MILLIS.saturating_neg()))?;
        Some(Self {
            index,
            time,
            at,
            low: (0, MediaTime::ZERO),
            high: None,
            best: None,
            probes: 0,
            pieces: 0,
            read: 0,
            stuck: false,
        })
    }

    /// Goes on with what has been read so far. Done with the best place at or before the time, or
    /// with nothing where the start of the file is as good.
    ///
    /// # Errors
    /// As [`Demux::resync`].
    pub fn step(
        &mut self,
        fetched: &Fetched,
    ) -> Result<Step<Option<Found<D::Cursor>>>, MediaError> {
        while !self.is_over() {
            let found = match self.index.resync(self.at, fetched)? {
                Step::Done(found) => found,
                Step::Need(ranges) => {
                    let ranges = self.widen(ranges, fetched);
                    let bytes = ranges.iter().map(|range| range.len());
                    self.read = bytes.fold(self.read, u64::saturating_add);
                    if self.read > MAX_READ {
                        break;
                    }
                    return Ok(Step::Need(ranges));
                }
            };
            self.probes = self.probes.saturating_add(1);
            self.pieces = 0;
            self.narrow(found);
            self.aim(fetched.size());
        }
        Ok(Step::Done(self.best.take()))
    }

    /// Reads further at once the longer a look goes on: a key frame interval of 10 MB in a handful
    /// of requests, not in one for every 64 KiB.
    fn widen(&mut self, mut ranges: Vec<ByteRange>, fetched: &Fetched) -> Vec<ByteRange> {
        if let Some(last) = ranges.last_mut() {
            let grown = last
                .len()
                .saturating_mul(1 << self.pieces.min(MAX_DOUBLINGS));
            let wide = ByteRange::at(last.start, grown).clamp_to(fetched.size());
            *last = fetched.missing(wide).unwrap_or(*last);
        }
        self.pieces = self.pieces.saturating_add(1);
        ranges
    }

    fn is_over(&self) -> bool {
        let near = self.time.since(self.low.1) <= NEAR_MILLIS;
        near || self.stuck || self.probes >= MAX_PROBES
    }

    /// Takes in what was found at `at`.
    fn narrow(&mut self, found: Option<Found<D::Cursor>>) {
        match found {
            Some(found) if found.time <= self.time => {
                self.low = (found.position, found.time);
                self.best = Some(found);
            }
            Some(found) => self.high = Some((self.at, found.time)),
            None => self.high = Some((self.at, MediaTime::MAX)),
        }
    }

    /// Chooses where to look next. Interpolation alone creeps where the bytes a second differ much
    /// within a file, so every other look halves what is left.
    fn aim(&mut self, size: u64) {
        let (high, high_time) = self.high.unwrap_or((size, MediaTime::MAX));
        let (low, low_time) = self.low;
        self.at = if high_time == MediaTime::MAX || self.probes.is_multiple_of(2) {
            middle(low, high)
        } else {
            let aim = self.time.plus(AIM_BEFORE_MILLIS.saturating_neg());
            interpolate((low, low_time), (high, high_time), aim)
        };
        // No byte between the two is left to look at.
        self.stuck = self.at <= low || self.at >= high;
    }
}

fn middle(low: u64, high: u64) -> u64 {
    low.saturating_add(high.saturating_sub(low) / 2)
}

/// The byte at which `time` would be between two known places, never nearer to either end than a
/// sixteenth, so that a skewed file still halves.
fn interpolate(low: (u64, MediaTime), high: (u64, MediaTime), time: MediaTime) -> u64 {
    let bytes = i128::from(high.0.saturating_sub(low.0));
    let span = i128::from(high.1.since(low.1).max(1));
    let ahead = i128::from(time.since(low.1).max(0));
    let margin = bytes / 16;
    let offset = bytes
        .saturating_mul(ahead)
        .checked_div(span)
        .unwrap_or_default()
        .max(margin)
        .min(bytes.saturating_sub(margin));
    low.0
        .saturating_add(u64::try_from(offset).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{Heads, MediaInfo, Next};
    use bytes::Bytes;
    use proptest::prelude::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    const PIECE: u64 = 64 * 1024;
    /// The most that one request may ask for.
    const MOST: usize = 4 << 20;
    static ZEROS: [u8; MOST] = [0; MOST];

    /// A file that is nothing but the places where decoding can begin.
    #[derive(Debug, Default)]
    struct Timeline {
        size: u64,
        duration: i64,
        /// Position and time, milliseconds.
        entries: Vec<(u64, i64)>,
        probes: AtomicU32,
        info: MediaInfo,
    }

    impl Demux for Timeline {
        type Cursor = u64;

        fn info(&self) -> &MediaInfo {
            &self.info
        }

        fn groups(&self) -> u32 {
            1
        }

        fn open(&self, _: u32) -> Option<u64> {
            Some(0)
        }

        fn group_at(&self, _: MediaTime) -> u32 {
            0
        }

        fn next(&self, _: &mut u64, _: &Fetched) -> Result<Next, MediaError> {
            Ok(Next::End)
        }

        fn heads(&self, _: &u64) -> Heads {
            Heads::default()
        }

        fn is_complete(&self) -> bool {
            false
        }

        fn guess(&self, time: MediaTime) -> Option<u64> {
            let share = i128::from(self.size) * i128::from(time.millis().max(0));
            let at = share / i128::from(self.duration.max(1));
            Some((at as u64).min(self.size))
        }

        fn resync(
            &self,
            from: u64,
            fetched: &Fetched,
        ) -> Result<Step<Option<Found<u64>>>, MediaError> {
            let found = self
                .entries
                .partition_point(|(position, _)| *position < from);
            let found = self.entries.get(found).copied();
            let until = found.map_or(self.size, |(position, _)| (position + 20).min(self.size));
            if let Some(gap) = fetched.missing(ByteRange::new(from, until)) {
                let piece = ByteRange::at(gap.start, PIECE).clamp_to(self.size);
                return Ok(Step::Need(vec![piece]));
            }
            self.probes.fetch_add(1, Ordering::Relaxed);
            Ok(Step::Done(found.map(|(position, time)| Found {
                cursor: position,
                position,
                time: MediaTime::from_millis(time),
            })))
        }
    }

    impl Timeline {
        /// Stretches of so many seconds at so many bytes a second, with an entry every so many
        /// milliseconds.
        fn of(stretches: &[(u32, u32, u32)]) -> Self {
            let mut line = Self {
                size: 13,
                ..Self::default()
            };
            for (seconds, rate, gap) in stretches {
                let millis = i64::from(*seconds) * 1_000;
                for entry in (0..millis).step_by(*gap as usize) {
                    let at = line.size + entry as u64 * u64::from(*rate) / 1_000;
                    // Each entry needs a byte of its own.
                    let at = at.max(line.entries.last().map_or(0, |(last, _)| last + 1));
                    line.entries.push((at, line.duration + entry));
                }
                line.size += millis as u64 * u64::from(*rate) / 1_000;
                line.duration += millis;
            }
            line.size = line
                .size
                .max(line.entries.last().map_or(0, |(last, _)| last + 100));
            line
        }

        /// The time of the place found (`None`: the start), and how much was read.
        fn find(&self, time: i64) -> (Option<i64>, u64) {
            let time = MediaTime::from_millis(time);
            let mut fetched = Fetched::new(self.size);
            let mut search = Search::new(self, time).unwrap();
            let mut read = 0;
            self.probes.store(0, Ordering::Relaxed);
            for _ in 0..400 {
                match search.step(&fetched).unwrap() {
                    Step::Done(found) => {
                        assert!(self.probes() <= 24, "{} places looked at", self.probes());
                        if let Some(found) = &found {
                            assert!(found.time <= time, "{} is behind {time}", found.time);
                            assert!(
                                self.entries
                                    .contains(&(found.position, found.time.millis()))
                            );
                        }
                        return (found.map(|found| found.time.millis()), read);
                    }
                    Step::Need(ranges) => {
                        for range in ranges {
                            read += range.len();
                            let bytes = Bytes::from_static(&ZEROS[..range.len() as usize]);
                            fetched.insert(range.start, bytes);
                        }
                    }
                }
            }
            panic!("never done");
        }

        fn probes(&self) -> u32 {
            self.probes.load(Ordering::Relaxed)
        }
    }

    /// Stretches whose bytes a second differ by up to four orders of magnitude.
    fn stretches(gap: impl Strategy<Value = u32>) -> impl Strategy<Value = Vec<(u32, u32, u32)>> {
        let rate = prop_oneof![500u32..5_000, 5_000u32..500_000, 500_000u32..1_000_000];
        prop::collection::vec((1u32..3_000, rate, gap), 1..5)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn dense_entries_are_found_shortly_before_the_time(
            stretches in stretches(500u32..2_000),
            share in 0f64..1.1,
        ) {
            let line = Timeline::of(&stretches);
            let time = (line.duration as f64 * share) as i64;
            let (found, read) = line.find(time);
            let behind = time.min(line.duration) - found.unwrap_or(0);
            prop_assert!(behind <= 10_000, "{} ms away", behind);
            prop_assert!(read <= 64 << 20, "{} bytes read", read);
        }

        #[test]
        fn any_file_is_searched_with_a_bound(
            stretches in stretches(prop_oneof![100u32..1_000, 5_000u32..2_000_000]),
            share in 0f64..1.5,
        ) {
            let line = Timeline::of(&stretches);
            let (_, read) = line.find((line.duration as f64 * share) as i64);
            prop_assert!(read <= 64 << 20, "{} bytes read", read);
        }

        #[test]
        fn times_that_make_no_sense_end_the_search_too(
            size in 0u64..1 << 42,
            mut entries in prop::collection::vec((0u64..1 << 42, any::<i64>()), 0..50),
            time: i64,
            duration: i64,
        ) {
            entries.sort_unstable();
            entries.retain(|(position, _)| *position < size);
            let line = Timeline { size, duration, entries, ..Timeline::default() };
            let (_, read) = line.find(time);
            prop_assert!(read <= 64 << 20, "{} bytes read", read);
        }
    }

    #[test]
    fn an_even_file_takes_a_few_looks() {
        let line = Timeline::of(&[(36_000, 250_000, 2_000)]);
        for time in (0..36_000_000).step_by(1_234_567) {
            let (found, _) = line.find(time);
            assert!(time - found.unwrap_or(0) <= 10_000);
            assert!(line.probes() <= 3, "{} looks for {time}", line.probes());
        }
    }

    #[test]
    fn an_uneven_file_takes_a_few_more() {
        let (film, still) = ((3_000, 1_000_000, 2_000), (30_000, 1_000, 2_000));
        for stretches in [
            [film, still, still],
            [still, film, still],
            [still, still, film],
        ] {
            let line = Timeline::of(&stretches);
            for time in (0..line.duration).step_by(1_234_567) {
                let (found, _) = line.find(time);
                assert!(time - found.unwrap_or(0) <= 10_000);
                assert!(line.probes() <= 18, "{} looks for {time}", line.probes());
            }
        }
    }

    #[test]
    fn what_is_found_is_never_behind_the_time() {
        let line = Timeline::of(&[(3_600, 100_000, 2_000)]);
        for time in (20_000..3_600_000).step_by(33_333) {
            let (found, _) = line.find(time);
            assert!(found.is_some_and(|found| found <= time));
        }
        // The only entries there are: 50 ms behind the time, and at it.
        let line = |time| Timeline {
            size: 1 << 20,
            duration: 60_000,
            entries: vec![(400_000, time)],
            ..Timeline::default()
        };
        assert_eq!(line(30_001).find(30_000).0, None);
        assert_eq!(line(30_000).find(30_000).0, Some(30_000));
        // Nothing stands behind it, so that the first looks find nothing.
        let early = line(15_000);
        assert_eq!(early.find(50_000).0, Some(15_000));
    }

    #[test]
    fn the_start_of_the_file_is_near_enough_for_the_first_seconds() {
        let line = Timeline::of(&[(36_000, 250_000, 2_000)]);
        assert_eq!(line.find(9_000).1, 0, "nothing is read to find the start");
    }

    #[test]
    fn a_file_that_cannot_be_entered_is_not_read_to_its_end() {
        let line = Timeline {
            size: 1 << 40,
            duration: 1 << 30,
            ..Timeline::default()
        };
        let (found, read) = line.find(1 << 29);
        assert_eq!(found, None);
        assert!(read <= 64 << 20, "{read} bytes read");
    }
}
