//! Files of each container, cut short and bit-flipped, through the library: the index is built,
//! every group walked and searched, and segments rendered. Thousands of them, where `hostile` plays
//! a few over the network. Held for each: no panic; only bytes of the object are asked for, none
//! again, so that no more than the object is read or held; a segment is no larger than it may be;
//! the work ends.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use streamfront::media::{Cursor, Demux, Fetched, Index, IndexBuilder, Next, Step};
use streamfront::render::{Group, Render, Rendering, SegmentId};
use streamfront::units::{ByteRange, MediaTime};

use crate::support::media;
use crate::support::random::Random;

/// Bytes of a segment of more than one message, and of an object's first (design.md).
const SEGMENT: usize = 512 << 10;
const FIRST_SEGMENT: usize = 128 << 10;
/// Room for the chunk headers that the limit does not count.
const HEADERS: usize = 1 << 10;
/// Messages of a segment.
const MESSAGES: usize = 4_096;
/// What prefix and chunk headers can add to the only message of a segment of its own.
const ONE_MESSAGE: usize = 64 << 10;
/// What the server's own reader allows one piece of work.
const MOST_STEPS: usize = 100_000;
/// Samples walked of a group, and segments rendered: tables may describe 2^25 of no bytes.
const MOST_SAMPLES: usize = 20_000;
const MOST_GROUPS: u32 = 20;
const MOST_SEGMENTS: usize = 60;

/// An object, and what was read of it.
struct Reading {
    object: Bytes,
    fetched: Fetched,
}

impl Reading {
    fn new(object: &Bytes, probe: usize) -> Self {
        let mut fetched = Fetched::new(object.len() as u64);
        fetched.insert(0, object.slice(..probe.min(object.len())));
        Self {
            object: object.clone(),
            fetched,
        }
    }

    /// Reads what is missing of these, as the server's own reader does.
    fn read(&mut self, ranges: &[ByteRange]) {
        let size = self.fetched.size();
        let mut missing = Vec::new();
        for range in ranges {
            assert!(
                !range.is_empty() && range.end <= size,
                "{range} asked for of {size} B"
            );
            let part = self.fetched.missing(*range);
            missing.push(part.unwrap_or_else(|| panic!("{range} asked for again")));
        }
        for range in missing {
            let at = |at: u64| usize::try_from(at).expect("the object is in memory");
            let bytes = self.object.slice(at(range.start)..at(range.end));
            self.fetched.insert(range.start, bytes);
        }
        // Head and tail of a small file may overlap in one step; else nothing is read twice.
        assert!(
            self.fetched.held() <= 2 * size,
            "{} B read of {size}",
            self.fetched.held()
        );
    }

    /// Steps `work` until it is done or fails.
    fn run<T, E>(
        &mut self,
        what: &str,
        mut work: impl FnMut(&Fetched) -> Result<Step<T>, E>,
    ) -> Option<T> {
        for _ in 0..MOST_STEPS {
            match work(&self.fetched).ok()? {
                Step::Done(done) => return Some(done),
                Step::Need(ranges) => {
                    assert!(!ranges.is_empty(), "{what} needs nothing and is not done");
                    self.read(&ranges);
                }
            }
        }
        panic!("{what} never ends");
    }
}

/// Everything that the server does with a file; how many messages it would play, from the start.
fn exercise(name: &str, object: &Bytes, probe: usize) -> usize {
    let head = object.slice(..probe.min(object.len()));
    let Ok(mut builder) = IndexBuilder::new(name, &head, object.len() as u64) else {
        return 0;
    };
    let mut reading = Reading::new(object, probe);
    let Some(index) = reading.run("the index", |fetched| builder.step(fetched)) else {
        return 0;
    };
    assert!(index.groups() >= 1, "there is a group");
    let groups = index.groups();
    let chosen = (0..groups).filter(|group| *group < MOST_GROUPS || *group + 1 == groups);
    for group in chosen {
        walk(&index, group, object);
    }
    assert!(index.open(groups).is_none(), "a group past the last");
    for time in [0, 1_000, 7_777, i64::from(u32::MAX), i64::MAX] {
        let time = MediaTime::from_millis(time);
        assert!(index.group_at(time) < groups);
        if let Some(from) = index.guess(time) {
            search(&index, from, object);
        }
    }
    let ways = [(false, true), (true, false), (true, true)];
    let messages = ways.map(|(video, audio)| render(&index, Rendering { video, audio }, object));
    messages[2]
}

fn walk(index: &Index, group: u32, object: &Bytes) {
    let mut reading = Reading::new(object, 0);
    let mut cursor = index.open(group).expect("a group of the index");
    for _ in 0..MOST_SAMPLES {
        index.heads(&cursor);
        match index.next(&mut cursor, &reading.fetched) {
            Ok(Next::Sample(sample)) => {
                assert!(
                    sample.payload.end <= reading.fetched.size(),
                    "{sample:?} lies outside"
                );
                assert!(
                    sample.message_len() < 1 << 24,
                    "{sample:?} is no RTMP message"
                );
            }
            Ok(Next::Need(range)) => reading.read(&[range]),
            Ok(Next::End) | Err(_) => return,
        }
    }
}

fn search(index: &Index, from: u64, object: &Bytes) {
    let mut reading = Reading::new(object, 0);
    let found = reading.run("the search", |fetched| index.resync(from, fetched));
    if let Some(Some(found)) = found {
        assert!(
            found.position >= from && found.position < reading.fetched.size(),
            "found at {}",
            found.position
        );
    }
}

/// Renders from the first segment on, as a play from the start does.
fn render(index: &Index, rendering: Rendering, object: &Bytes) -> usize {
    let mut messages = 0;
    let mut at = index.open(0).map(|cursor| (SegmentId::FIRST, cursor));
    for _ in 0..MOST_SEGMENTS {
        let Some((id, cursor)) = at.take() else {
            break;
        };
        let mut reading = Reading::new(object, 0);
        let mut render = Render::new(index, rendering, id, cursor);
        let Some(segment) = reading.run("a segment", |fetched| render.step(fetched)) else {
            break;
        };
        let (bytes, cues) = (segment.bytes.len(), segment.cues.len());
        let most = match (cues, id) {
            (0 | 1, _) => object.len() + ONE_MESSAGE,
            (_, SegmentId::FIRST) => FIRST_SEGMENT + HEADERS,
            _ => SEGMENT + HEADERS,
        };
        assert!(bytes <= most, "segment {id}: {bytes} B in {cues} messages");
        assert!(cues <= MESSAGES, "segment {id}: {cues} messages");
        let inside = |cue: &streamfront::render::Cue| (cue.offset as usize) < bytes;
        assert!(
            segment.cues.iter().all(inside),
            "segment {id}: a cue outside"
        );
        messages += cues;
        at = segment.next.and_then(|next| following(index, next));
    }
    messages
}

fn following(index: &Index, next: (SegmentId, Option<Cursor>)) -> Option<(SegmentId, Cursor)> {
    match next {
        (id, Some(cursor)) => Some((id, cursor)),
        (id, None) => match id.group {
            Group::Indexed(group) => Some((id, index.open(group)?)),
            Group::Found(_) => None,
        },
    }
}

/// One way to break a file; what was done, for the failure.
fn break_it(bytes: &mut Vec<u8>, random: &mut Random) -> String {
    let size = bytes.len();
    // Heads and tables stand near the beginning or the end, so most damage is done there.
    let place = |random: &mut Random| match random.below(4) {
        0 => random.below(size),
        1 => size - 1 - random.below(8_000.min(size)),
        _ => random.below(4_000.min(size)),
    };
    match random.below(6) {
        0 => {
            bytes.truncate(random.below(size));
            format!("cut to {}", bytes.len())
        }
        1 | 2 => {
            let flips = 1 + random.below(24);
            for _ in 0..flips {
                let at = place(random);
                bytes[at] ^= 1 << random.below(8);
            }
            format!("{flips} bits flipped")
        }
        3 => {
            let at = place(random).min(size.saturating_sub(4));
            let claims = [0, 1, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFF0, u32::MAX];
            let claim = claims[random.below(claims.len())];
            bytes[at..at + 4].copy_from_slice(&claim.to_be_bytes());
            format!("{claim:#x} at {at}")
        }
        4 => {
            let (at, length) = (place(random), 1 + random.below(5_000));
            let end = (at + length).min(size);
            bytes.drain(at..end);
            format!("{at} to {end} left out")
        }
        _ => {
            let (from, to) = (place(random), place(random));
            let piece = bytes[from..(from + 1 + random.below(3_000)).min(size)].to_vec();
            let length = piece.len();
            bytes.splice(to..to, piece);
            format!("{length} B of {from} repeated at {to}")
        }
    }
}

/// Breaks `file` in `cases` ways, each by one to three damages.
fn breaks(file: &str, cases: usize) {
    let whole = std::fs::read(media::file(file)).expect("a file");
    let seed = file.bytes().fold(0xCBF2_9CE4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    });
    let mut random = Random::new(seed);
    let sound = exercise(file, &Bytes::from(whole.clone()), 144 << 10);
    assert!(sound > 10, "{file} itself plays {sound} messages");
    let mut playable = 0;
    for case in 0..cases {
        let mut bytes = whole.clone();
        let mut damages = Vec::new();
        for _ in 0..1 + random.below(3) {
            if bytes.len() > 16 {
                damages.push(break_it(&mut bytes, &mut random));
            }
        }
        let probe = [64, 4 << 10, 144 << 10][random.below(3)];
        let object = Bytes::from(bytes);
        let outcome = catch_unwind(AssertUnwindSafe(|| exercise(file, &object, probe)));
        let Ok(messages) = outcome else {
            panic!(
                "{file}, case {case} ({}), {probe} B probed",
                damages.join(", ")
            );
        };
        playable += usize::from(messages > 0);
    }
    // Else nothing but the head of the file would be tested.
    assert!(
        playable >= cases / 10,
        "of {cases} broken files {playable} play at all"
    );
}

macro_rules! breaks {
    ($($test:ident: $($file:literal)*;)*) => {$(
        #[test]
        fn $test() {
            for file in [$($file),*] {
                breaks(file, 200);
            }
        }
    )*};
}

breaks! {
    broken_mp4_survives: "plain.mp4" "bframes.mp4" "moov_last.mp4" "edit_list.mp4" "two_audio.mp4"
        "wide_offsets.mp4" "poorly_interleaved.mp4" "huge_frame.mp4" "song.m4a" "quicktime.mov";
    broken_mp4_in_fragments_survives: "fragmented_bare.mp4" "fragmented_sidx.mp4"
        "fragmented_mfra.mp4" "fragmented_dash.mp4";
    broken_mp4_of_newer_codecs_survives: "hevc_aac.mp4" "av1_opus.mp4" "vp9_opus.mp4"
        "h264_flac.mp4" "h264_ac3.mp4" "h264_eac3.mp4" "h264_mp3.mp4";
    broken_flv_survives: "index.flv" "no_index.flv" "audio_only.flv" "sorenson_mp3.flv"
        "speex.flv" "past_2_32.flv";
    broken_mp3_survives: "cbr_bare.mp3" "cbr_id3.mp3" "vbr_xing.mp3" "vbr_bare.mp3"
        "mpeg2_mono.mp3";
}
