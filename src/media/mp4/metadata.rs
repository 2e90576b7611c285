//! The properties of onMetaData (Adobe, Video File Format Specification, annex E.5), in the order
//! in which FFmpeg writes them.

use super::description::Description;
use super::track::Track;
use crate::amf::Value;
use crate::media::Kind;
use crate::units::MediaTime;

/// What a file tells of itself, as a player is told. `rates`: whether the moov box has all samples,
/// so that data rates can be told from it.
pub(super) fn properties(
    tracks: &[Option<Track>],
    duration: Option<MediaTime>,
    rates: bool,
) -> Vec<(String, Value)> {
    let mut list = List(Vec::new());
    if let Some(duration) = duration {
        list.number("duration", duration.seconds());
    }
    for track in tracks.iter().flatten() {
        match track.first_playable() {
            Some(Description::Video {
                codec,
                width,
                height,
                ..
            }) => {
                list.number("width", f64::from(*width));
                list.number("height", f64::from(*height));
                list.rate(track, duration, rates);
                if let Some(ticks) = track.tables.constant_duration() {
                    let rate = f64::from(track.timeline.timescale()) / f64::from(ticks);
                    list.number("framerate", rate);
                }
                list.number("videocodecid", codec.classic_id());
            }
            Some(Description::Audio {
                codec,
                rate,
                channels,
                ..
            }) => {
                list.rate(track, duration, rates);
                if *rate > 0 {
                    list.number("audiosamplerate", f64::from(*rate));
                }
                list.number("audiosamplesize", 16.0);
                list.push("stereo", (*channels >= 2).into());
                list.number("audiocodecid", codec.classic_id());
            }
            Some(Description::Unplayable(_)) | None => {}
        }
    }
    list.0
}

struct List(Vec<(String, Value)>);

impl List {
    fn push(&mut self, name: &str, value: Value) {
        self.0.push((name.to_owned(), value));
    }

    fn number(&mut self, name: &str, value: f64) {
        self.push(name, value.into());
    }

    /// Kilobits a second, over the whole of the file.
    fn rate(&mut self, track: &Track, duration: Option<MediaTime>, known: bool) {
        let name = match track.kind {
            Kind::Audio => "audiodatarate",
            _ => "videodatarate",
        };
        let Some(duration) = duration.filter(|time| known && *time > MediaTime::ZERO) else {
            return;
        };
        // Exact below 2^53 bytes (eight petabytes) and milliseconds. A bit a millisecond is a
        // kilobit a second.
        #[allow(clippy::cast_precision_loss)]
        let (bytes, millis) = (track.survey.bytes as f64, duration.millis() as f64);
        self.number(name, bytes * 8.0 / millis);
    }
}
