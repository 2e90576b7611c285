//! The index of a file of the MP4 family: tracks, and for a fragmented file where it can be
//! entered.

use super::cursor::{Mp4Cursor, Peek, Place};
use super::description::Description;
use super::entries::Entries;
use super::fragment::{FragmentCursor, SLOTS, Slot};
use super::tables::Entry;
use super::track::{Track, acceptable};
use crate::media::demux::walk_by_next;
use crate::media::{
    Demux, Fetched, Found, Heads, MediaError, MediaInfo, Next, Sample, Step, Walked,
};
use crate::units::{ByteRange, MediaTime};

/// The index of an MP4, M4V, F4V, MOV or M4A file.
#[derive(Debug)]
pub struct Mp4Index {
    pub(super) info: MediaInfo,
    pub(super) size: u64,
    /// Video first.
    pub(super) tracks: [Option<Track>; SLOTS],
    /// Where a fragmented file has its fragments.
    pub(super) fragments: Option<Fragments>,
    /// Length of the moov box, all of which the tables keep in memory.
    pub(super) held: usize,
}

/// A sidx box that ends so near to the end of the file covers all of it: behind the last fragment
/// there may be an mfra box and padding.
const REMAINDER: u64 = 64 << 10;

/// How fragments are found.
#[derive(Debug, Default)]
pub(super) struct Fragments {
    /// The two tracks, as fragments name them.
    pub slots: [Slot; SLOTS],
    /// Starts of the groups, in order; at least one, the start of the file.
    pub starts: Vec<Start>,
    /// Where known entries end; beyond, fragments must be looked for.
    pub covered: u64,
    /// Bytes a second, for a guess, where it is known.
    pub rate: Option<u64>,
}

/// The start of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Start {
    /// Position at or before its first moof box.
    pub at: u64,
    /// Decoding time of its first entry, ticks of the leading track.
    pub dts: i64,
}

impl Mp4Index {
    /// Bytes of memory that it holds, roughly.
    pub fn weight(&self) -> usize {
        let starts = self.fragments.as_ref().map_or(0, |all| all.starts.len());
        let starts = starts.saturating_mul(size_of::<Start>());
        let tracks = self.tracks.iter().flatten();
        let descriptions = tracks.fold(0, |sum: usize, track| {
            sum.saturating_add(track.descriptions.len())
        });
        let descriptions = descriptions.saturating_mul(size_of::<Description>());
        size_of::<Self>()
            .saturating_add(self.held)
            .saturating_add(starts)
            .saturating_add(descriptions)
    }

    /// The track whose samples decide where decoding can begin: video, or audio alone.
    pub(super) fn lead(&self) -> Option<(usize, &Track)> {
        self.tracks
            .iter()
            .enumerate()
            .find_map(|(slot, track)| Some((slot, track.as_ref()?)))
    }

    fn lead_time(&self, dts: i64) -> MediaTime {
        self.lead()
            .map_or(MediaTime::ZERO, |(_, track)| track.timeline.time(dts))
    }

    /// A cursor at position `at`, among the fragments, at about `dts` of the leading track.
    fn among_fragments(&self, at: u64, end: u64, dts: i64) -> Mp4Cursor {
        let lead_scale = self
            .lead()
            .map_or(1, |(_, track)| track.timeline.timescale());
        self.cursor(|track| {
            let dts = scaled(dts, lead_scale, track.timeline.timescale());
            let place = FragmentCursor::new(at, end, dts, true);
            let description = track.defaults.description.saturating_sub(1);
            (Place::Fragments(place), description)
        })
    }

    fn cursor(&self, place: impl Fn(&Track) -> (Place, u32)) -> Mp4Cursor {
        let of = |track: &Option<Track>| track.as_ref().map_or((Place::End, 0), &place);
        let [video, audio] = &self.tracks;
        let (video, audio) = (of(video), of(audio));
        Mp4Cursor {
            places: [video.0, audio.0],
            descriptions: [video.1, audio.1],
        }
    }

    /// Where group `group` ends.
    fn group_end(&self, group: usize) -> u64 {
        self.fragments
            .as_ref()
            .and_then(|fragments| fragments.starts.get(group.saturating_add(1)))
            .map_or(self.size, |next| next.at)
    }

    /// What stands at the place of track `slot`. Enters fragments on the way, which does not move
    /// the cursor over any sample.
    pub(super) fn peek(
        &self,
        slot: usize,
        cursor: &mut Mp4Cursor,
        fetched: &Fetched,
    ) -> Result<Peek, MediaError> {
        let Some(track) = self.track(slot) else {
            return Ok(Peek::End);
        };
        loop {
            match cursor.places.get_mut(slot) {
                Some(Place::Tables(place)) => match track.entry(place) {
                    Ok(Some(entry)) => return Ok(Peek::Entry(entry)),
                    Err(error) => return Ok(Peek::Broken(place.dts, error)),
                    Ok(None) => {
                        let dts = place.dts;
                        let next = self.behind_tables(dts);
                        set(&mut cursor.places, slot, next);
                    }
                },
                Some(Place::Fragments(place)) => {
                    if let Some(entry) = place.entry(slot) {
                        return Ok(self.checked(entry, place.sent));
                    }
                    let slots = self.slots();
                    if let Some(peek) = cursor.load(slot, &slots, fetched)? {
                        return Ok(peek);
                    }
                }
                Some(Place::End) | None => return Ok(Peek::End),
            }
        }
    }

    /// Where a track goes on behind the samples of the moov box.
    fn behind_tables(&self, dts: i64) -> Place {
        let first = self.fragments.as_ref().and_then(|all| all.starts.first());
        match first {
            Some(start) => {
                let end = self.group_end(0);
                Place::Fragments(FragmentCursor::new(start.at, end, dts, false))
            }
            None => Place::End,
        }
    }

    /// A sample of a fragment, if it can be sent. Those of the moov box were all looked at once.
    fn checked(&self, entry: Entry, sent: u64) -> Peek {
        let total = sent.saturating_add(u64::from(entry.size));
        match acceptable(&entry, self.size, total) {
            Ok(()) => Peek::Entry(entry),
            Err(error) => Peek::Broken(entry.dts, error),
        }
    }

    pub(super) fn track(&self, slot: usize) -> Option<&Track> {
        self.tracks.get(slot)?.as_ref()
    }

    fn slots(&self) -> [Slot; SLOTS] {
        self.fragments
            .as_ref()
            .map(|all| all.slots)
            .unwrap_or_default()
    }

    /// Sends (or passes over) `entry`, which stands at the place of track `slot`. `None`: it is
    /// passed over.
    fn take(&self, slot: usize, cursor: &mut Mp4Cursor, entry: &Entry) -> Option<Next> {
        let track = self.track(slot)?;
        let description = track.playable(entry.description);
        let known = cursor.descriptions.get_mut(slot)?;
        if let Some(description) = description.filter(|_| *known != entry.description) {
            *known = entry.description;
            if let Some(head) = track.head(entry, description) {
                return Some(Next::Sample(head));
            }
        }
        let passed_over = match cursor.places.get_mut(slot)? {
            Place::Tables(place) => {
                track.tables.advance(place, entry);
                false
            }
            Place::Fragments(_) if track.timeline.is_past(entry) => {
                set(&mut cursor.places, slot, Place::End);
                true
            }
            Place::Fragments(place) => {
                place.advance(slot, entry);
                track.timeline.is_cut_off(entry)
            }
            Place::End => true,
        };
        let description = description.filter(|_| !passed_over)?;
        Some(Next::Sample(track.sample(entry, description)))
    }

    /// The description of the next sample of a track.
    fn description(&self, slot: usize, cursor: &Mp4Cursor) -> Option<u32> {
        let known = cursor.descriptions.get(slot).copied();
        let next = match cursor.places.get(slot)? {
            Place::Tables(place) => {
                let entry = self.track(slot)?.tables.entry(place);
                entry.map(|entry| entry.description)
            }
            Place::Fragments(place) => place.description(slot),
            Place::End => None,
        };
        next.or(known)
    }

    fn head(&self, slot: usize, cursor: &Mp4Cursor) -> Option<bytes::Bytes> {
        let track = self.track(slot)?;
        self.description(slot, cursor)
            .and_then(|index| track.playable(index))
            .or_else(|| track.first_playable())?
            .head()
    }

    /// When what stands at the place of track `slot` would be sent.
    fn time_of(&self, slot: usize, peek: &Peek) -> Option<MediaTime> {
        let dts = match peek {
            Peek::Entry(entry) => entry.dts,
            Peek::Broken(dts, _) => *dts,
            Peek::Need(_) | Peek::Wait | Peek::End => return None,
        };
        Some(self.track(slot)?.timeline.time(dts))
    }
}

impl Demux for Mp4Index {
    type Cursor = Mp4Cursor;

    fn info(&self) -> &MediaInfo {
        &self.info
    }

    fn groups(&self) -> u32 {
        let count = self.fragments.as_ref().map_or(1, |all| all.starts.len());
        u32::try_from(count).unwrap_or(u32::MAX).max(1)
    }

    fn open(&self, group: u32) -> Option<Mp4Cursor> {
        let index = usize::try_from(group).ok()?;
        if index == 0 {
            return Some(self.cursor(|track| {
                let start = track.survey.start;
                let entry = track.tables.entry(&start);
                let default = track.defaults.description.saturating_sub(1);
                let description = entry.map_or(default, |entry| entry.description);
                (Place::Tables(start), description)
            }));
        }
        let start = self.fragments.as_ref()?.starts.get(index)?;
        Some(self.among_fragments(start.at, self.group_end(index), start.dts))
    }

    fn group_at(&self, time: MediaTime) -> u32 {
        let Some(fragments) = &self.fragments else {
            return 0;
        };
        let later = fragments
            .starts
            .partition_point(|start| self.lead_time(start.dts) <= time);
        u32::try_from(later.saturating_sub(1)).unwrap_or(0)
    }

    fn next(&self, cursor: &mut Mp4Cursor, fetched: &Fetched) -> Result<Next, MediaError> {
        loop {
            let video = self.peek(0, cursor, fetched)?;
            let audio = self.peek(1, cursor, fetched)?;
            for peek in [&video, &audio] {
                if let Peek::Need(range) = peek {
                    return Ok(Next::Need(*range));
                }
            }
            let (slot, peek) = match (self.time_of(0, &video), self.time_of(1, &audio)) {
                (Some(at), Some(other)) if at <= other => (0, video),
                (Some(_), None) => (0, video),
                (_, Some(_)) => (1, audio),
                (None, None) if matches!((&video, &audio), (Peek::End, Peek::End)) => {
                    return Ok(Next::End);
                }
                // Both wait for each other: the one that is behind may go on now.
                (None, None) => continue,
            };
            match peek {
                Peek::Entry(entry) => {
                    if let Some(next) = self.take(slot, cursor, &entry) {
                        return Ok(next);
                    }
                }
                Peek::Broken(_, error) => return Err(error),
                Peek::Need(_) | Peek::Wait | Peek::End => {}
            }
        }
    }

    fn walk(
        &self,
        cursor: &mut Mp4Cursor,
        fetched: &Fetched,
        take: impl FnMut(&Sample) -> bool,
    ) -> Result<Walked, MediaError> {
        match &self.fragments {
            None => super::walk::walk(self, cursor, take),
            Some(_) => walk_by_next(self, cursor, fetched, take),
        }
    }

    fn heads(&self, cursor: &Mp4Cursor) -> Heads {
        Heads {
            video: self.head(0, cursor),
            audio: self.head(1, cursor),
        }
    }

    fn is_complete(&self) -> bool {
        self.fragments.is_none()
    }

    fn guess(&self, time: MediaTime) -> Option<u64> {
        let fragments = self.fragments.as_ref()?;
        if fragments.covered >= self.size {
            return None;
        }
        let last = fragments.starts.last()?;
        let ahead = time.since(self.lead_time(last.dts));
        let ahead = u64::try_from(ahead).unwrap_or(0);
        let bytes = u128::from(ahead).saturating_mul(fragments.rate?.into());
        let bytes = u64::try_from(bytes.checked_div(1000)?).unwrap_or(u64::MAX);
        Some(last.at.saturating_add(bytes).min(self.size))
    }

    fn resync(
        &self,
        from: u64,
        fetched: &Fetched,
    ) -> Result<Step<Option<Found<Mp4Cursor>>>, MediaError> {
        let Some(fragments) = &self.fragments else {
            return Ok(Step::Done(None));
        };
        let Some((slot, _)) = self.lead() else {
            return Ok(Step::Done(None));
        };
        match super::resync::search(from, slot, &fragments.slots, fetched) {
            super::resync::Hit::Need(range) => Ok(Step::Need(vec![range])),
            super::resync::Hit::None => Ok(Step::Done(None)),
            super::resync::Hit::Entry { at, dts } => Ok(Step::Done(Some(Found {
                cursor: self.among_fragments(at, self.size, dts),
                position: at,
                time: self.lead_time(dts),
            }))),
        }
    }
}

fn set(places: &mut [Place; SLOTS], slot: usize, place: Place) {
    if let Some(old) = places.get_mut(slot) {
        *old = place;
    }
}

/// Ticks of one timescale, of either sign, in another.
pub(super) fn scaled(ticks: i64, from: u32, to: u32) -> i64 {
    let magnitude = super::edit::rescale(ticks.unsigned_abs(), from, to);
    if ticks < 0 {
        magnitude.saturating_neg()
    } else {
        magnitude
    }
}

impl Fragments {
    /// Makes the groups of `entries`, in a file whose first fragment is at `moof`. `dts`: the time
    /// of the first sample of the leading track, if it is in a fragment; `timescale`: that of the
    /// leading track. Answers the length of all, ticks of the leading track, where it is told.
    pub fn enter(
        &mut self,
        entries: &Entries,
        moof: u64,
        dts: Option<i64>,
        timescale: u32,
        size: u64,
    ) -> Option<i64> {
        let first = entries.list.first()?;
        let scale = entries.timescale.unwrap_or(timescale);
        let ticks = |ticks: u64| super::edit::rescale(ticks, scale, timescale);
        let base = match dts {
            Some(dts) if first.at <= moof => dts.saturating_sub(ticks(first.ticks)),
            _ => 0,
        };
        for entry in &entries.list {
            let beyond = entry.at > moof || (dts.is_none() && entry.at >= moof);
            if beyond && entry.at < size {
                self.starts.push(Start {
                    at: entry.at,
                    dts: base.saturating_add(ticks(entry.ticks)),
                });
            }
        }
        self.covered = entries
            .covered
            .filter(|covered| covered.saturating_add(REMAINDER) < size)
            .unwrap_or(size);
        let length = entries.end?.checked_sub(first.ticks)?;
        (self.covered == size).then_some(ticks(length))
    }
}

/// The last `len` bytes of an object.
pub(super) fn tail(len: u64, size: u64) -> ByteRange {
    ByteRange::new(size.saturating_sub(len), size)
}
