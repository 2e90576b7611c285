//! Finding a fragment in the middle of a file, by the shape of its first boxes.
//!
//! A place counts when a moof box of sane size begins with an mfhd box and a traf box, lies in the
//! object, and has a sync sample of the leading track at a time that its tfdt box tells. Chance
//! finds in compressed data would need sixteen bytes to be right.

use super::boxes::Atom;
use super::fragment::{FragmentCursor, MAX_MOOF, Moof, SLOTS, Slot};
use crate::media::Fetched;
use crate::units::ByteRange;
use crate::wire::Reader;

/// Sizes of the first and the largest piece in which a search reads.
const FIRST_PIECE: u64 = 64 << 10;
const LARGEST_PIECE: u64 = 1 << 20;

/// How far a search goes: eighty seconds of video at 6 Mbit/s. Each step looks through all pieces
/// before it again, so that there must be an end.
const FARTHEST: u64 = 64 << 20;

/// How many boxes that look like a fragment, but are none, one search takes a close look at: a
/// hostile file could nest thousands of large ones.
const MOST_TRIES: u32 = 32;

/// Bytes that tell a moof box: its own head, a whole mfhd box, the head of a traf box.
const SHAPE: u64 = 32;

/// What a search came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Hit {
    /// This must be read.
    Need(ByteRange),
    /// A fragment at `at`; `dts` of its first sync sample, ticks of the leading track.
    Entry {
        /// Position of the moof box.
        at: u64,
        /// Ticks.
        dts: i64,
    },
    /// There is none.
    None,
}

/// Looks for a fragment at or after byte `from`.
pub(super) fn search(from: u64, lead: usize, slots: &[Slot; SLOTS], fetched: &Fetched) -> Hit {
    let end = fetched.size().min(from.saturating_add(FARTHEST));
    let mut piece = FIRST_PIECE;
    let mut tries = MOST_TRIES;
    let mut at = from;
    while at.saturating_add(SHAPE) <= end {
        // The overlap lets a shape begin at the last byte of a piece.
        let range = ByteRange::at(at, piece.saturating_add(SHAPE)).clamp_to(end);
        let Some(bytes) = fetched.slice(range) else {
            return Hit::Need(fetched.missing(range).unwrap_or(range));
        };
        let mut skip_to = at;
        for candidate in shapes(&bytes) {
            let position = at.saturating_add(super::boxes::length(candidate.at));
            if position < skip_to {
                continue;
            }
            let moof = ByteRange::at(position, candidate.size);
            if moof.end > fetched.size() {
                continue;
            }
            let Some(whole) = fetched.slice(moof) else {
                return Hit::Need(fetched.missing(moof).unwrap_or(moof));
            };
            let Some(left) = tries.checked_sub(1) else {
                return Hit::None;
            };
            match entry(&whole, moof, lead, slots) {
                Look::Entry(dts) => return Hit::Entry { at: position, dts },
                Look::Sound => skip_to = moof.end,
                Look::Broken => tries = left,
            }
        }
        at = at.saturating_add(piece).max(skip_to);
        piece = piece.saturating_mul(2).min(LARGEST_PIECE);
    }
    Hit::None
}

struct Candidate {
    at: usize,
    size: u64,
}

/// Where a moof box may begin.
fn shapes(bytes: &[u8]) -> impl Iterator<Item = Candidate> {
    bytes
        .windows(4)
        .enumerate()
        .filter_map(move |(found, word)| {
            (word == b"moof").then_some(())?;
            let at = found.checked_sub(4)?;
            let mut reader = Reader::new(bytes.get(at..)?);
            let size = u64::from(reader.u32().ok()?);
            reader.skip(4).ok()?;
            let mfhd = reader.u32().ok()? == 16 && reader.array::<4>().ok()? == *b"mfhd";
            reader.skip(12).ok()?;
            let traf = reader.array::<4>().ok()? == *b"traf";
            (mfhd && traf && (SHAPE..=MAX_MOOF).contains(&size)).then_some(Candidate { at, size })
        })
}

/// What a close look at a moof box came to.
enum Look {
    /// Decoding can begin in it, at this time.
    Entry(i64),
    /// It is one, but decoding cannot begin in it.
    Sound,
    /// It is none.
    Broken,
}

fn entry(whole: &bytes::Bytes, range: ByteRange, lead: usize, slots: &[Slot; SLOTS]) -> Look {
    let atom = Atom {
        kind: *b"moof",
        body_at: range.start.saturating_add(8),
        body: whole.slice(8.min(whole.len())..),
    };
    let Ok(moof) = Moof::read(&atom, range, range.start, slots) else {
        return Look::Broken;
    };
    let timed = moof
        .runs
        .get(lead)
        .and_then(|runs| runs.first())
        .is_some_and(|run| run.start.is_some());
    if !timed {
        return Look::Sound;
    }
    let mut cursor = FragmentCursor::new(range.start, range.end, 0, true);
    cursor.enter(std::sync::Arc::new(moof), lead);
    while let Some(sample) = cursor.entry(lead) {
        if sample.sync || lead != 0 {
            return Look::Entry(sample.dts);
        }
        cursor.advance(lead, &sample);
    }
    Look::Sound
}
