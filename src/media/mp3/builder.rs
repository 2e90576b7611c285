//! Building the index of an MP3 file: its two ends, and the first frames.

use super::frame::FrameHead;
use super::index::{self, Mp3Index};
use super::pace::{self, Note, Pace};
use super::sync::{self, Frame, Search};
use super::{PIECE, malformed, tags};
use crate::amf::Value;
use crate::media::{Fetched, MediaError, MediaInfo, Step};
use crate::units::{ByteRange, MediaTime};

/// The first read, where nothing was read before.
const FIRST_READ: u64 = 128 << 10;

/// The last read: the tags at the end of most files.
const LAST_READ: u64 = 4 << 10;

/// How many frames are looked at to tell whether the bit rate is constant, or what it is on
/// average: five seconds of the usual 44,100 Hz, at most 370 KB.
const SAMPLE: u64 = 200;

/// Makes an [`Mp3Index`] from what is read of a file.
///
/// Its duration is that of the frames that the encoder's first frame counts, where that can be
/// true; else exact where the bit rate is constant; else an estimate from the first 200 frames.
#[derive(Debug, Clone)]
pub struct Mp3Builder {
    size: u64,
}

impl Mp3Builder {
    /// For a file of `size` bytes.
    pub fn new(size: u64) -> Self {
        Self { size }
    }

    /// Goes on with what has been read.
    ///
    /// # Errors
    /// There are no frames, or they are of free format.
    pub fn step(&mut self, fetched: &Fetched) -> Result<Step<Mp3Index>, MediaError> {
        // The two ends are read at once.
        let end = tags::end(fetched).map_err(|range| self.last_read(range));
        let start = tags::start(fetched).map_err(|range| self.first_read(range));
        let media = match (start, end) {
            (Ok(start), Ok(end)) => ByteRange::new(start, end),
            (Err(first), Err(last)) if !first.covers(last) => {
                return Ok(Step::Need(vec![first, last]));
            }
            (Err(range), _) | (_, Err(range)) => return Ok(Step::Need(vec![range])),
        };
        match build(media, fetched) {
            Ok(index) => index.map(Step::Done),
            Err(range) => Ok(Step::Need(vec![self.first_read(range)])),
        }
    }

    fn first_read(&self, range: ByteRange) -> ByteRange {
        let end = range.start.saturating_add(FIRST_READ).max(range.end);
        ByteRange::new(range.start, end).clamp_to(self.size)
    }

    fn last_read(&self, range: ByteRange) -> ByteRange {
        ByteRange::new(
            range.end.saturating_sub(LAST_READ).min(range.start),
            range.end,
        )
    }
}

/// From the sound; the outer error is what must be read first.
fn build(media: ByteRange, fetched: &Fetched) -> Result<Result<Mp3Index, MediaError>, ByteRange> {
    let found = match sync::find(media.start, None, media, fetched)? {
        Search::Frame(frame) => frame,
        _ => return refuse(media, fetched).map(Err),
    };
    let whole = ByteRange::at(found.at, found.head.len).clamp_to(media.end);
    let frame = fetched.slice(whole).ok_or(whole)?;
    let note = pace::note(&found.head, &frame);
    let start = if note.is_some() {
        whole.end
    } else {
        whole.start
    };
    let sound = ByteRange::new(start, media.end);
    let like = if note.is_some() {
        match first_sound(sound, &found, fetched)? {
            Some(head) => head,
            None => {
                return Ok(Err(malformed(
                    start,
                    "the file ends before its first frame of sound",
                )));
            }
        }
    } else {
        found.head
    };
    let pace = match note.and_then(|note| trusted(note, sound, found.at)) {
        Some(pace) => pace,
        None => measured(sound, like, fetched)?,
    };
    Ok(Ok(finish(like, pace)))
}

/// The head of the frame behind the encoder's own, where it is one of the same stream.
fn first_sound(
    sound: ByteRange,
    own: &Frame,
    fetched: &Fetched,
) -> Result<Option<FrameHead>, ByteRange> {
    if sound.len() < super::frame::HEAD {
        return Ok(None);
    }
    let bytes = sync::head_bytes(sound.start, sound, fetched)?;
    let head = FrameHead::parse(&bytes).filter(|head| head.is_like(&own.head));
    Ok(Some(head.unwrap_or(own.head)))
}

/// Why there is nothing to play.
fn refuse(media: ByteRange, fetched: &Fetched) -> Result<MediaError, ByteRange> {
    let range = ByteRange::at(media.start, PIECE).clamp_to(media.end);
    let bytes = fetched.slice(range).ok_or(range)?;
    let free = FrameHead::is_free_format(&bytes);
    Ok(malformed(
        media.start,
        if free {
            "frames of free format, which do not tell their length"
        } else {
            "no MPEG audio frames begin here"
        },
    ))
}

/// What a note at `at` says, where it can be true: frames of the lengths that frames can have.
fn trusted(note: Note, sound: ByteRange, at: u64) -> Option<Pace> {
    let frames = note.frames?;
    let here = sound.end.saturating_sub(at);
    let noted = note.bytes.unwrap_or(here);
    if noted.abs_diff(here) <= here / SLACK {
        return possible(sound, frames).then(|| Pace::noted(sound, frames, at, &note));
    }
    // The file was cut, or another joined to it, after the note was written: it plays as long as
    // the same average makes it.
    let share = u128::from(frames)
        .saturating_mul(u128::from(here))
        .checked_div(noted.into())?;
    let frames = u64::try_from(share).ok()?;
    possible(sound, frames).then(|| Pace::even(sound, frames))
}

/// How far a file may be from the size in its note: one part in so many. Some writers count tags.
const SLACK: u64 = 16;

/// Whether so many frames can be in so many bytes.
fn possible(sound: ByteRange, frames: u64) -> bool {
    let average = sound.len().checked_div(frames);
    average.is_some_and(|average| (SHORTEST..=LONGEST).contains(&average))
}

/// The shortest and the longest that frames can be, bytes: MPEG 2.5 layer III of 8 kbit/s at 12,000
/// Hz; layer II of 384 kbit/s at 32,000 Hz with padding.
const SHORTEST: u64 = 24;
const LONGEST: u64 = 1_729;

/// From the first frames: even, and exactly so where they all have one bit rate.
fn measured(sound: ByteRange, like: FrameHead, fetched: &Fetched) -> Result<Pace, ByteRange> {
    let mut at = sound.start;
    let mut count = 0u64;
    let mut constant = true;
    while count < SAMPLE && at.saturating_add(super::frame::HEAD) <= sound.end {
        let bytes = sync::head_bytes(at, sound, fetched)?;
        let Some(head) = FrameHead::parse(&bytes).filter(|head| head.is_like(&like)) else {
            break;
        };
        constant &= head.bitrate == like.bitrate;
        at = at.saturating_add(head.len);
        count = count.saturating_add(1);
    }
    let read = at.min(sound.end).saturating_sub(sound.start);
    // Bytes to frames: by the bit rate itself where it is constant, since lengths are rounded.
    let (frames, bytes) = if constant {
        let bits = u64::from(like.samples).saturating_mul(u64::from(like.bitrate));
        (u64::from(like.rate).saturating_mul(8), bits)
    } else {
        (count, read)
    };
    let whole = u128::from(sound.len()).saturating_mul(u128::from(frames));
    let half = u128::from(bytes / 2);
    let frames = whole
        .saturating_add(half)
        .checked_div(u128::from(bytes))
        .unwrap_or(count.into());
    Ok(Pace::even(sound, u64::try_from(frames).unwrap_or(u64::MAX)))
}

fn finish(first: FrameHead, pace: Pace) -> Mp3Index {
    let samples = pace.frames.saturating_mul(u64::from(first.samples));
    let duration = MediaTime::from_ticks(i64::try_from(samples).unwrap_or(i64::MAX), first.rate);
    let audio = index::codec(&first);
    let number = |name: &str, value: f64| (name.to_owned(), Value::Number(value));
    let metadata = vec![
        number("duration", duration.seconds()),
        number("audiocodecid", audio.classic_id()),
        number("audiodatarate", kilobits(&pace, duration)),
        number("audiosamplerate", f64::from(first.rate)),
        ("stereo".to_owned(), Value::Boolean(first.channels > 1)),
    ];
    Mp3Index {
        info: MediaInfo {
            duration: Some(duration),
            video: None,
            audio: Some(audio),
            metadata,
        },
        first,
        pace,
    }
}

/// The average bit rate, kilobits a second (bits a millisecond), to the nearest.
fn kilobits(pace: &Pace, duration: MediaTime) -> f64 {
    let bits = pace.media.len().saturating_mul(8);
    let millis = duration.millis().unsigned_abs().max(1);
    let rounded = bits.saturating_add(millis / 2).checked_div(millis);
    f64::from(
        rounded
            .and_then(|rate| u32::try_from(rate).ok())
            .unwrap_or(u32::MAX),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Demux;
    use crate::media::mp3::fixture::{CBR, HALF, build, constant, frame, note};

    fn millis(file: &[u8]) -> i64 {
        build(file).unwrap().0.info().duration.unwrap().millis()
    }

    #[test]
    fn both_ends_are_read_at_once() {
        let file = constant(2_000);
        let size = u64::try_from(file.len()).unwrap();
        let (_, _, reads) = build(&file).unwrap();
        assert_eq!(
            reads,
            [[
                ByteRange::new(0, 131_072),
                ByteRange::new(size - 4_096, size)
            ]]
        );
        let art = [&b"ID3\x04\0\0\0\x7f\0\0"[..], &vec![0; 127 << 14], &file].concat();
        let (_, _, reads) = build(&art).unwrap();
        assert_eq!(reads.len(), 2, "{reads:?}");
    }

    #[test]
    fn a_constant_rate_gives_its_duration() {
        // 1,000 frames of 1152 samples at 44,100 Hz are 26,122.4 ms.
        assert_eq!(millis(&constant(1_000)), 26_122);
    }

    #[test]
    fn a_note_gives_the_duration_where_it_can_be_true() {
        let sound = [constant(500), frame(HALF, 208).repeat(500)].concat();
        let bytes = u32::try_from(sound.len() + 417).unwrap();
        let with = |frames, bytes| millis(&[note(frames, bytes), sound.clone()].concat());
        assert_eq!(with(1_000, bytes), 26_122);
        assert_eq!(with(1_000, 0), 26_122, "no size is no reason for doubt");
        // Not counts of frames that fit: estimated from the first 200, which are the large ones.
        let estimate = 313_476 * 8 / 128;
        for frames in [1, 0xffff_ffff] {
            let told = with(frames, bytes);
            assert!(
                (told - estimate).abs() < 300,
                "{frames}: {told}, not about {estimate}"
            );
        }
        // Half of the file is missing.
        let half = with(2_000, bytes * 2);
        assert!((half - 26_122).abs() <= 27, "{half}");
    }

    #[test]
    fn without_a_note_the_first_frames_are_averaged() {
        let pair = [frame(CBR, 417), frame(HALF, 208)].concat();
        let told = millis(&pair.repeat(500));
        assert!((told - 26_122).abs() <= 27, "{told}");
    }

    #[test]
    fn metadata_is_what_players_ask_for() {
        let (index, ..) = build(&constant(1_000)).unwrap();
        let expected = [
            ("duration", Value::Number(26.122)),
            ("audiocodecid", Value::Number(2.0)),
            ("audiodatarate", Value::Number(128.0)),
            ("audiosamplerate", Value::Number(44_100.0)),
            ("stereo", Value::Boolean(true)),
        ];
        assert_eq!(
            index.info().metadata,
            expected.map(|(name, value)| (name.to_owned(), value))
        );
    }

    #[test]
    fn what_is_no_mp3_is_refused() {
        let refused = |file: &[u8]| build(file).unwrap_err().to_string();
        let none = "MP3 file is broken at byte 0: no MPEG audio frames begin here";
        assert_eq!(refused(b""), none);
        assert_eq!(refused(&[0; 5_000]), none);
        assert_eq!(refused(&vec![0; 3 << 20]), none);
        assert_eq!(
            refused(&frame([0xff, 0xfb, 0x90, 0], 500)),
            none,
            "one frame in 500 bytes"
        );
        assert_eq!(
            refused(&frame([0xff, 0xfb, 0, 0], 500).repeat(9)),
            "MP3 file is broken at byte 0: frames of free format, which do not tell their length"
        );
        assert!(refused(&note(10, 0)).contains("before its first frame of sound"));
    }
}
