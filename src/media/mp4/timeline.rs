//! From the ticks of a track to the milliseconds at which its samples are sent (design.md rules 7
//! and 8).
//!
//! A sample has a *decoding time* (dts) and a *composition time* (cts = dts + offset), both in
//! ticks of the media. The edit list moves both; then they become milliseconds, each from its
//! absolute tick count, so that rounding never adds up.
//!
//! What is sent of an edited track, compared with FFmpeg, whose packets our messages are checked
//! against (it delivers everything here and marks what is not to be shown with a discard flag):
//!
//! - Video begins at the last sync sample whose cts is at or before the edit's start. What must be
//!   decoded before the first picture shown is sent at the time of that picture ([`Timeline::floor`]),
//!   and that picture is shown at the edit's start even where its own time is a little later: an
//!   edit that begins between two pictures begins with the second ([`Timeline::gap`]; FFmpeg does
//!   the same, for the tables of the moov box, not for fragments).
//! - Audio: a start of up to [`PRIMING_MS`] is the codec's own delay, and all of it is sent, with
//!   the times that put it before 0 (as FFmpeg does for AAC's 1024 samples and Opus' 312). A later
//!   start is a cut, and so is any in a file whose video begins in mid-GOP: what lies wholly before
//!   it is dropped. (FFmpeg would deliver up to a second of it, marked as discarded.)
//! - Both end at the edit's end: audio with the sample that reaches it, video where both dts and
//!   cts are past it, so that reordered pictures keep what they refer to.

use super::edit::Edit;
use super::rate::Rate;
use super::tables::Entry;
use crate::media::Kind;
use crate::units::MediaTime;

/// Longest start of an audio edit that is taken for encoder delay, milliseconds. AAC has 1024 or
/// 2112 samples, HE-AAC up to about 5200, which at 32 kHz is 160 ms; Opus 80 ms at most.
const PRIMING_MS: i64 = 200;

/// How the times of one track are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Timeline {
    kind: Kind,
    rate: Rate,
    edit: Edit,
    /// Ticks by which decoding times are moved to the front, because the file's composition
    /// offsets are negative (ctts and trun of version 1): players want none below 0, and so does
    /// FFmpeg count. Composition times are not touched.
    pub reorder: i64,
    /// Decoding time (ticks) of the first picture that is shown: none is sent earlier.
    pub floor: Option<i64>,
    /// Ticks by which the first picture that is shown comes after the edit's start.
    pub gap: i64,
    /// Whether what is before the edit was cut off, or is the codec's own delay.
    pub cut: bool,
    /// The object's one constant, milliseconds (rule 7).
    pub offset: i64,
}

impl Timeline {
    /// The timeline of a track. `reorder`, `floor` and `offset` are found by looking at samples.
    pub fn new(kind: Kind, timescale: u32, edit: Edit) -> Self {
        let rate = Rate::new(timescale);
        let start = rate.time(edit.start);
        Self {
            kind,
            rate,
            edit,
            reorder: 0,
            floor: None,
            gap: 0,
            cut: start.millis() > PRIMING_MS,
            offset: 0,
        }
    }

    /// When a sample with this decoding time is sent.
    pub fn time(&self, dts: i64) -> MediaTime {
        self.placed(self.sent(dts))
    }

    /// Ticks by which it is sent.
    fn sent(&self, dts: i64) -> i64 {
        let dts = self.floor.map_or(dts, |floor| dts.max(floor));
        dts.saturating_sub(self.reorder)
    }

    /// When a track whose first sample is `entry` begins to be sent.
    pub fn begins(&self, entry: &Entry) -> MediaTime {
        if self.is_cut_off(entry) {
            return self.time(self.edit.start.saturating_sub(entry.duration.into()));
        }
        self.time(entry.dts)
    }

    /// When a sample with this composition time is shown.
    pub fn shown(&self, cts: i64) -> MediaTime {
        self.placed(cts)
    }

    fn placed(&self, ticks: i64) -> MediaTime {
        let moved = ticks
            .saturating_add(self.edit.delay)
            .saturating_sub(self.edit.start)
            .saturating_sub(self.gap);
        self.rate.time(moved).plus(self.offset)
    }

    /// Composition minus sending time (`time`, which is that of the sample), milliseconds. Not
    /// below 0 for what is not shown.
    pub fn composition(&self, entry: &Entry, time: MediaTime) -> i32 {
        let cts = cts(entry);
        // All audio, and video without reordered pictures.
        if cts == self.sent(entry.dts) {
            return 0;
        }
        let millis = self.shown(cts).since(time);
        let early = self.floor.is_some_and(|floor| entry.dts < floor);
        let millis = if early { millis.max(0) } else { millis };
        i32::try_from(millis).unwrap_or(if millis < 0 { i32::MIN } else { i32::MAX })
    }

    /// Whether the sample is shown at all, or only decoded.
    pub fn is_shown(&self, entry: &Entry) -> bool {
        cts(entry) >= self.edit.start
    }

    /// Whether decoding may begin with the sample so that nothing shown is missing.
    pub fn may_begin_at(&self, entry: &Entry) -> bool {
        entry.sync && cts(entry) <= self.edit.start
    }

    /// Whether the sample is audio that was cut off.
    pub fn is_cut_off(&self, entry: &Entry) -> bool {
        let end = cts(entry).saturating_add(i64::from(entry.duration));
        self.kind == Kind::Audio && self.cut && end <= self.edit.start
    }

    /// Whether the sample and all after it are behind the edit's end.
    pub fn is_past(&self, entry: &Entry) -> bool {
        self.edit
            .end
            .is_some_and(|end| entry.dts >= end && cts(entry) >= end)
    }

    /// The end of a stretch that ends at `ticks` of composition time, as the edit allows.
    pub fn end(&self, ticks: i64) -> MediaTime {
        self.shown(self.edit.end.map_or(ticks, |end| end.min(ticks)))
    }

    /// Composition time at which an edit begins, where there is one.
    pub fn edit_start(&self) -> Option<i64> {
        self.edit.begun.then_some(self.edit.start)
    }

    /// Ticks a second.
    pub fn timescale(&self) -> u32 {
        self.rate.timescale()
    }
}

/// Composition time, ticks.
pub(super) fn cts(entry: &Entry) -> i64 {
    entry.dts.saturating_add(i64::from(entry.composition))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(dts: i64, composition: i32) -> Entry {
        Entry {
            dts,
            duration: 1024,
            composition,
            offset: 0,
            size: 1,
            sync: true,
            description: 0,
        }
    }

    fn timeline(kind: Kind, start: i64, end: Option<i64>) -> Timeline {
        let edit = Edit {
            delay: 0,
            start,
            end,
            begun: true,
        };
        Timeline::new(kind, 44_100, edit)
    }

    fn composition(timeline: &Timeline, entry: Entry) -> i32 {
        timeline.composition(&entry, timeline.time(entry.dts))
    }

    #[test]
    fn priming_stays_and_a_cut_goes() {
        let primed = timeline(Kind::Audio, 1024, None);
        assert!(!primed.is_cut_off(&entry(0, 0)));
        assert_eq!(primed.time(0).millis(), -23);
        // 16506 ticks are 374 ms: sixteen whole frames and a part of the next.
        let cut = timeline(Kind::Audio, 16_506, None);
        assert!(cut.is_cut_off(&entry(15 * 1024, 0)));
        assert!(!cut.is_cut_off(&entry(16 * 1024, 0)));
        assert_eq!(cut.time(16 * 1024).millis(), -3);
    }

    #[test]
    fn what_is_only_decoded_is_sent_with_the_first_picture_shown() {
        let mut video = timeline(Kind::Video, 44_100, None);
        video.floor = Some(43_659);
        assert_eq!(video.time(0).millis(), -10);
        assert_eq!(composition(&video, entry(0, 882)), 0);
        assert_eq!(composition(&video, entry(43_659, 441)), 10);
        assert_eq!(composition(&video, entry(44_100, 882)), 20);
    }

    #[test]
    fn negative_offsets_move_decoding_times_only() {
        let mut video = timeline(Kind::Video, 0, None);
        video.reorder = 4410;
        assert_eq!(video.time(4410).millis(), 0);
        assert_eq!(composition(&video, entry(4410, -4410)), 0);
        assert_eq!(composition(&video, entry(0, 0)), 100);
    }

    #[test]
    fn the_end_keeps_what_reordered_pictures_need() {
        let video = timeline(Kind::Video, 0, Some(10_000));
        assert!(!video.is_past(&entry(9_999, 2000)));
        assert!(!video.is_past(&entry(10_000, -1)));
        assert!(video.is_past(&entry(10_000, 0)));
        assert_eq!(video.end(44_100).millis(), 227);
    }
}
