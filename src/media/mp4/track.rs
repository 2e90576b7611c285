//! A track that is sent: its descriptions, its sample tables, and what one walk over them found.
//!
//! The walk ([`Track::survey`]) is the only place where the tables are gone through as a whole. It
//! settles where the track begins and ends, so that later steps need to look at one sample only.

use super::boxes::{limit, malformed};
use super::description::Description;
use super::movie::{Defaults, Trak};
use super::tables::{Entry, TableCursor, TableWalk, Tables};
use super::timeline::{Timeline, cts};
use crate::media::{Kind, MediaError, Sample};
use crate::units::{ByteRange, MediaTime};

/// Most samples a track may have: more than a week of video at 50 frames a second or of AAC at
/// 48 kHz. Walking so many takes about half a second.
const MAX_SAMPLES: u32 = 1 << 25;

/// Longest access unit: an RTMP message is below 2^24 bytes, and up to 8 are the tag's.
const MAX_ACCESS_UNIT: u32 = 0xFF_FFFF - 8;

/// One track that is sent.
#[derive(Debug)]
pub(super) struct Track {
    /// Audio or video.
    pub kind: Kind,
    /// track_ID.
    pub id: u32,
    /// Its sample descriptions; at least one is playable.
    pub descriptions: Vec<Description>,
    /// How its times are made.
    pub timeline: Timeline,
    /// How its fragments begin, where the file has fragments.
    pub defaults: Defaults,
    /// The samples of the moov box.
    pub tables: Tables,
    /// What is known of them.
    pub survey: Survey,
}

/// What a walk over the sample tables found.
#[derive(Debug, Clone, Default)]
pub(super) struct Survey {
    /// The first sample that is sent.
    pub start: TableCursor,
    /// Number of the first sample that is not sent any more.
    pub end: u32,
    /// Why the track ends there, if the file is broken there.
    pub broken: Option<MediaError>,
    /// Largest composition time at which a sent sample ends, ticks.
    pub end_cts: i64,
    /// Bytes of all sent samples.
    pub bytes: u64,
}

impl Survey {
    /// The track begins here, and nothing before it counts.
    fn begin(&mut self, start: TableCursor) {
        self.start = start;
        self.bytes = 0;
        self.end_cts = 0;
    }
}

impl Track {
    /// The track of a trak box, whose samples lie in an object of `size` bytes. `cut`: the other
    /// track is known to have been cut.
    pub fn new(
        trak: Trak,
        kind: Kind,
        defaults: Defaults,
        size: u64,
        cut: bool,
    ) -> Result<Self, MediaError> {
        let mut track = Self {
            kind,
            id: trak.id,
            timeline: Timeline::new(kind, trak.timescale, trak.edit),
            descriptions: trak.descriptions,
            defaults,
            tables: trak.tables,
            survey: Survey::default(),
        };
        track.timeline.cut |= cut;
        track.survey(size)?;
        Ok(track)
    }

    fn survey(&mut self, size: u64) -> Result<(), MediaError> {
        let mut found = Survey::default();
        let mut search = Search::default();
        let mut total = 0u64;
        let mut walk = TableWalk::start(&self.tables);
        found.start = walk.cursor();
        while let Some(entry) = walk.entry() {
            if self.timeline.is_past(&entry) {
                break;
            }
            total = total.saturating_add(u64::from(entry.size));
            if let Err(error) = acceptable(&entry, size, total) {
                found.broken = Some(error);
                break;
            }
            if walk.sample() >= MAX_SAMPLES {
                return Err(limit("samples of a track", u64::from(MAX_SAMPLES)));
            }
            let begins = search.begins(&self.timeline, self.kind, &entry);
            if begins && self.kind == Kind::Audio {
                walk.advance(&entry);
                found.begin(walk.cursor());
                continue;
            }
            if begins {
                found.begin(walk.cursor());
            }
            walk.advance(&entry);
            found.bytes = found.bytes.saturating_add(u64::from(entry.size));
            found.end_cts = found.end_cts.max(end_cts(&entry));
        }
        found.end = walk.sample();
        self.timeline.reorder = search.reorder();
        self.timeline.floor = search.floor;
        self.timeline.gap = search.gap(&self.timeline);
        self.survey = found;
        Ok(())
    }

    /// Whether there is something that is decoded and not shown: the track was cut in mid-GOP.
    pub fn begins_in_mid_gop(&self) -> bool {
        let first = self.tables.entry(&self.survey.start);
        first.is_some_and(|first| self.kind == Kind::Video && !self.timeline.is_shown(&first))
    }

    /// The sample that stands at `cursor` in the tables, or why there is none.
    pub fn entry(&self, cursor: &TableCursor) -> Result<Option<Entry>, MediaError> {
        if cursor.sample < self.survey.end {
            return Ok(self.tables.entry(cursor));
        }
        match &self.survey.broken {
            Some(error) => Err(error.clone()),
            None => Ok(None),
        }
    }

    /// The description with that index, if its samples can be sent.
    pub fn playable(&self, index: u32) -> Option<&Description> {
        self.descriptions
            .get(usize::try_from(index).ok()?)
            .filter(|description| description.is_playable())
    }

    /// The first description that can be sent.
    pub fn first_playable(&self) -> Option<&Description> {
        self.descriptions
            .iter()
            .find(|description| description.is_playable())
    }

    /// `entry` as it is sent, under the description `description`.
    pub fn sample(&self, entry: &Entry, description: &Description) -> Sample {
        self.sample_at(self.timeline.time(entry.dts), entry, description)
    }

    /// The same, where it is known when it is sent.
    pub fn sample_at(&self, time: MediaTime, entry: &Entry, description: &Description) -> Sample {
        let sync = entry.sync || self.kind == Kind::Audio;
        let composition = self.timeline.composition(entry, time);
        Sample {
            kind: self.kind,
            time,
            sync,
            head: false,
            prefix: description.prefix(sync, composition),
            payload: ByteRange::at(entry.offset, u64::from(entry.size)),
        }
    }

    /// The codec head of `description`, sent before `entry`, where it is a slice of the object.
    pub fn head(&self, entry: &Entry, description: &Description) -> Option<Sample> {
        let (prefix, payload) = description.head_in_place()?;
        Some(Sample {
            kind: self.kind,
            time: self.timeline.time(entry.dts),
            sync: false,
            head: true,
            prefix,
            payload,
        })
    }
}

/// Whether a sample can be sent: it lies in the object of `size` bytes, fits into a message, and
/// all samples so far (`total` bytes) are together no longer than the object, so that a few bytes
/// of tables cannot make a small file an endless one.
pub(super) fn acceptable(entry: &Entry, size: u64, total: u64) -> Result<(), MediaError> {
    let end = entry.offset.checked_add(u64::from(entry.size));
    let what = if end.is_none_or(|end| end > size) {
        "a sample goes past the end of the file"
    } else if entry.size > MAX_ACCESS_UNIT {
        "a sample is too long for a message"
    } else if total > size {
        "samples overlap: together they are longer than the file"
    } else {
        return Ok(());
    };
    Err(malformed(entry.offset.min(size), what))
}

/// Composition time at which a sample ends, ticks.
pub(super) fn end_cts(entry: &Entry) -> i64 {
    cts(entry).saturating_add(i64::from(entry.duration))
}

/// What is looked for while samples pass in order: where to begin, and what to move.
#[derive(Debug, Default)]
pub(super) struct Search {
    least: i32,
    /// See [`Timeline::floor`].
    pub floor: Option<i64>,
    first_shown: Option<i64>,
}

impl Search {
    /// Takes the next sample; whether the track begins at it (video) or after it (audio), rather
    /// than where it was thought to begin before.
    pub fn begins(&mut self, timeline: &Timeline, kind: Kind, entry: &Entry) -> bool {
        self.least = self.least.min(entry.composition);
        if kind == Kind::Audio {
            return timeline.is_cut_off(entry);
        }
        let begins = timeline.may_begin_at(entry);
        if begins {
            self.floor = None;
            self.first_shown = None;
        }
        if timeline.is_shown(entry) {
            self.floor = self.floor.or(Some(entry.dts));
            let first = self
                .first_shown
                .map_or(cts(entry), |first| first.min(cts(entry)));
            self.first_shown = Some(first);
        }
        begins
    }

    /// See [`Timeline::gap`].
    pub fn gap(&self, timeline: &Timeline) -> i64 {
        let (start, shown) = (timeline.edit_start(), self.first_shown);
        start
            .zip(shown)
            .map_or(0, |(start, shown)| shown.saturating_sub(start))
    }

    /// See [`Timeline::reorder`].
    pub fn reorder(&self) -> i64 {
        i64::from(self.least).saturating_neg()
    }
}
