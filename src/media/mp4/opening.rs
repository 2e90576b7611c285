//! The last part of building an index: what the first samples of the file (and the last fragment
//! of a fragmented one) tell of its times.
//!
//! In a fragmented file this is the first time that a sample is seen: when the file begins, and
//! how its pictures are reordered, stands in the first fragment and not in the moov box.

use super::cursor::{Mp4Cursor, Peek, Place};
use super::entries::Entries;
use super::fragment::{FragmentCursor, SLOTS};
use super::index::Mp4Index;
use super::metadata::properties;
use super::tables::Entry;
use super::timeline::cts;
use super::track::{Search, end_cts};
use super::{boxes::malformed, description::Description};
use crate::media::{Demux, Fetched, Kind, MediaError};
use crate::units::{ByteRange, MediaTime};

/// An index whose times are not settled yet.
#[derive(Debug)]
pub(super) struct Opening {
    index: Mp4Index,
    cursor: Mp4Cursor,
    entries: Vec<Entries>,
    /// Cursors at groups that are looked at before the index in the file is believed.
    probes: Vec<Mp4Cursor>,
}

/// The samples of one track in one fragment.
#[derive(Debug, Clone, Copy, Default)]
struct Span {
    /// Ticks.
    first_dts: i64,
    first_cts: i64,
    end_dts: i64,
    end_cts: i64,
    bytes: u64,
}

impl Span {
    /// Looks at all samples that are left in the fragment at `place`: at most 2^18.
    fn of(place: &FragmentCursor, slot: usize, mut each: impl FnMut(&Entry)) -> Self {
        let mut place = place.clone();
        let mut span: Option<Self> = None;
        while let Some(entry) = place.entry(slot) {
            each(&entry);
            place.advance(slot, &entry);
            let span = span.get_or_insert(Self {
                first_dts: entry.dts,
                first_cts: cts(&entry),
                end_cts: i64::MIN,
                ..Self::default()
            });
            span.end_dts = place.dts;
            span.end_cts = span.end_cts.max(end_cts(&entry));
            span.bytes = span.bytes.saturating_add(entry.size.into());
        }
        span.unwrap_or_default()
    }
}

impl Opening {
    /// Begins with an index that lacks its times.
    pub fn new(index: Mp4Index, entries: Vec<Entries>) -> Result<Self, MediaError> {
        let cursor = index
            .open(0)
            .ok_or_else(|| malformed(0, "nothing to play"))?;
        Ok(Self {
            index,
            cursor,
            entries,
            probes: Vec::new(),
        })
    }

    /// Looks at the first sample of each track; answers what must be read for that.
    pub fn first(&mut self, fetched: &Fetched) -> Result<Option<ByteRange>, MediaError> {
        let mut firsts = [None; SLOTS];
        for (slot, first) in firsts.iter_mut().enumerate() {
            match self.index.peek(slot, &mut self.cursor, fetched)? {
                Peek::Need(range) => return Ok(Some(range)),
                Peek::Entry(entry) => *first = Some(entry),
                Peek::Broken(..) | Peek::Wait | Peek::End => {}
            }
        }
        let spans = self.spans();
        self.settle_offset(&firsts);
        self.settle_groups(&spans);
        self.choose_probes();
        Ok(None)
    }

    /// Settles what the first fragment tells of each track that begins in one.
    fn spans(&mut self) -> [Option<Span>; SLOTS] {
        let mut spans = [None; SLOTS];
        let mut cut = false;
        let tracks = self.index.tracks.iter_mut();
        for (slot, (track, span)) in tracks.zip(&mut spans).enumerate() {
            let (Some(track), Some(Place::Fragments(place))) =
                (track, self.cursor.places.get(slot))
            else {
                continue;
            };
            track.timeline.cut |= cut;
            let mut search = Search::default();
            *span = Some(Span::of(place, slot, |entry| {
                search.begins(&track.timeline, track.kind, entry);
            }));
            track.timeline.reorder = search.reorder();
            track.timeline.floor = search.floor;
            let first = place.entry(slot);
            cut = first.is_some_and(|first| !track.timeline.is_shown(&first));
        }
        spans
    }

    /// The one constant of the object: minus the smallest time, where that is negative.
    fn settle_offset(&mut self, firsts: &[Option<Entry>; SLOTS]) {
        let earliest = firsts
            .iter()
            .zip(&self.index.tracks)
            .filter_map(|(first, track)| Some(track.as_ref()?.timeline.begins(first.as_ref()?)))
            .min();
        let offset = earliest.map_or(0, |time| time.millis().min(0).saturating_neg());
        for track in self.index.tracks.iter_mut().flatten() {
            track.timeline.offset = offset;
        }
        self.index.info.duration = self.index.info.duration.map(|time| time.plus(offset));
    }

    /// Makes groups of the file's index, and what else the leading track tells.
    fn settle_groups(&mut self, spans: &[Option<Span>; SLOTS]) {
        let Some((lead, track)) = self.index.lead() else {
            return;
        };
        let (id, timeline) = (track.id, track.timeline);
        let span = spans.get(lead).copied().flatten();
        let moof = match self.cursor.places.get(lead) {
            Some(Place::Fragments(place)) => place.moof.as_ref().map(|moof| moof.range),
            _ => None,
        };
        let size = self.index.size;
        let Some(fragments) = &mut self.index.fragments else {
            return;
        };
        if let (Some(span), Some(first)) = (span, fragments.starts.first_mut()) {
            first.dts = span.first_dts;
        }
        let known = |entries: &&Entries| {
            fragments
                .slots
                .iter()
                .flatten()
                .all(|(id, _)| *id != entries.track)
        };
        let mine = self.entries.iter().find(|entries| entries.track == id);
        // Some writers number the only sidx box as they please.
        let stray = self
            .entries
            .iter()
            .find(known)
            .filter(|one| one.timescale.is_some());
        let mut end_cts = None;
        if let Some(entries) = mine.or(stray) {
            let at = moof.map_or(0, |moof| moof.start);
            let dts = span.map(|span| span.first_dts);
            let scale = timeline.timescale();
            let length = fragments.enter(entries, at, dts, scale, size);
            end_cts = length
                .zip(span)
                .map(|(ticks, span)| span.first_cts.saturating_add(ticks));
        }
        let told = end_cts.map(|ticks| timeline.end(ticks));
        fragments.rate = moof.and_then(|moof| rate(moof, spans, lead, timeline.timescale()));
        self.index.info.duration = self.index.info.duration.or(told);
    }

    /// An mfra box may list fragments that begin with any picture (FFmpeg lists all it writes). So
    /// the last fragment, which also tells the duration, and one in the middle are looked at.
    fn choose_probes(&mut self) {
        let groups = self.index.groups();
        let from_sidx = self
            .entries
            .iter()
            .any(|entries| entries.timescale.is_some());
        if groups > 1 && !from_sidx {
            let last = groups.saturating_sub(1);
            let middle = groups.div_ceil(2).min(last);
            self.probes.extend(self.index.open(last));
            self.probes
                .extend(self.index.open(middle).filter(|_| middle != last));
        }
    }

    /// Looks at the chosen groups; answers what must be read for that.
    pub fn last(&mut self, fetched: &Fetched) -> Vec<ByteRange> {
        let Some((slot, track)) = self.index.lead() else {
            return Vec::new();
        };
        let timeline = track.timeline;
        let mut need = Vec::new();
        let mut believed = true;
        let mut end = None;
        for (number, probe) in self.probes.iter_mut().enumerate() {
            match self.index.peek(slot, probe, fetched) {
                Ok(Peek::Need(range)) => need.push(range),
                Ok(Peek::Entry(entry)) => {
                    believed &= entry.sync || track.kind == Kind::Audio;
                    if let (0, Some(Place::Fragments(place))) = (number, probe.places.get(slot)) {
                        end = Some(timeline.end(Span::of(place, slot, |_| {}).end_cts));
                    }
                }
                // What is wrong there shows when it is played.
                _ => {}
            }
        }
        if need.is_empty() {
            let info = &mut self.index.info;
            info.duration = info.duration.or(end);
            if let Some(fragments) = self.index.fragments.as_mut().filter(|_| !believed) {
                fragments.starts.truncate(1);
                fragments.covered = 0;
            }
        }
        need.sort_unstable();
        need.dedup();
        need
    }

    /// The index.
    pub fn finish(self) -> Mp4Index {
        let mut index = self.index;
        if index.fragments.is_none() {
            index.info.duration = index
                .tracks
                .iter()
                .flatten()
                .map(|track| track.timeline.end(track.survey.end_cts))
                .max();
        }
        let duration = index.info.duration.filter(|time| *time > MediaTime::ZERO);
        index.info.duration = duration;
        if let Some(fragments) = &mut index.fragments {
            let start = fragments.starts.first().map_or(0, |start| start.at);
            let whole = index.size.saturating_sub(start);
            let overall = duration.and_then(|time| per_second(whole, time.millis()));
            fragments.rate = overall.or(fragments.rate);
        }
        for track in index.tracks.iter().flatten() {
            match track.first_playable() {
                Some(Description::Video { codec, .. }) => index.info.video = Some(codec.clone()),
                Some(Description::Audio { codec, .. }) => index.info.audio = Some(codec.clone()),
                Some(Description::Unplayable(_)) | None => {}
            }
        }
        index.info.metadata = properties(&index.tracks, duration, index.fragments.is_none());
        index
    }
}

/// Bytes a second of the first fragment: where to look for later times, while nothing better is
/// known.
fn rate(moof: ByteRange, spans: &[Option<Span>; SLOTS], lead: usize, scale: u32) -> Option<u64> {
    let span = spans.get(lead).copied().flatten()?;
    let millis = MediaTime::from_ticks(span.end_dts.saturating_sub(span.first_dts), scale).millis();
    let payload = spans.iter().flatten().map(|span| span.bytes);
    let bytes = payload.fold(moof.len(), u64::saturating_add);
    per_second(bytes, millis)
}

fn per_second(bytes: u64, millis: i64) -> Option<u64> {
    bytes
        .saturating_mul(1000)
        .checked_div(u64::try_from(millis).ok()?)
}
