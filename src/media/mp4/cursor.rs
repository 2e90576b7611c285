//! A place in a file: one place for each of the two tracks, walked apart and merged by time.
//!
//! Walking the tracks apart is what makes a badly interleaved file (or one with a fragment for each
//! track) come out well interleaved. In a fragmented file a track may look a few fragments ahead of
//! the other for its next sample ([`AHEAD`]), never through the whole file.

use std::sync::Arc;

use super::boxes::{Atom, BoxHead, HEAD_MAX, limit};
use super::fragment::{FragmentCursor, MAX_MOOF, Moof, SLOTS, Slot};
use super::tables::{Entry, TableCursor};
use crate::media::{Fetched, MediaError};
use crate::units::ByteRange;
use serde::{Deserialize, Serialize};

/// How many fragments without a sample of it a track passes over before the other goes on alone.
/// Files with a fragment for each track alternate, or have a few short ones of one for a long one
/// of the other.
const AHEAD: u8 = 8;

/// How much is read for the head of a box, in the hope that it is a whole moof box (a second of
/// audio and video takes about 1 KiB).
const HEAD_READ: u64 = 4096;

/// A place in a file. Cheap to clone: below 200 bytes and two reference counts.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Mp4Cursor {
    pub(super) places: [Place; SLOTS],
    /// Descriptions whose heads the viewer has.
    pub(super) descriptions: [u32; SLOTS],
}

/// The place of one track.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Place {
    /// Among the samples of the moov box.
    Tables(TableCursor),
    /// Among the fragments.
    Fragments(FragmentCursor),
    /// Behind the last sample; or there is no such track.
    End,
}

/// What stands at the place of one track.
#[derive(Debug)]
pub(super) enum Peek {
    /// A sample.
    Entry(Entry),
    /// Something that cannot be sent, at that decoding time.
    Broken(i64, MediaError),
    /// This must be read first.
    Need(ByteRange),
    /// Nothing near: the other track goes on.
    Wait,
    /// Nothing more.
    End,
}

impl Mp4Cursor {
    /// Moves the place of track `slot` to the next fragment. `None`: it may be looked at now.
    pub(super) fn load(
        &mut self,
        slot: usize,
        slots: &[Slot; SLOTS],
        fetched: &Fetched,
    ) -> Result<Option<Peek>, MediaError> {
        let [video, audio] = &mut self.places;
        let (mine, other) = match slot {
            0 => (video, &*audio),
            _ => (audio, &*video),
        };
        let Place::Fragments(place) = mine else {
            return Ok(Some(Peek::End));
        };
        if !may_load(place, other) {
            return Ok(Some(Peek::Wait));
        }
        if let Some(moof) = shared(place, other) {
            place.enter(moof, slot);
            return Ok(None);
        }
        match next_moof(place.at, place.from, place.end, slots, fetched)? {
            Search::Moof(moof) => {
                place.enter(Arc::new(moof), slot);
                Ok(None)
            }
            Search::Need { at, range } => {
                place.at = at;
                Ok(Some(Peek::Need(range)))
            }
            Search::End => {
                *mine = Place::End;
                Ok(Some(Peek::End))
            }
        }
    }
}

/// Whether a track without a sample at hand looks into the next fragment: while it is not ahead of
/// the other, or not far.
fn may_load(place: &FragmentCursor, other: &Place) -> bool {
    match other {
        Place::End => true,
        Place::Fragments(other) => place.from <= other.from || place.barren < AHEAD,
        Place::Tables(_) => place.barren < AHEAD,
    }
}

/// The fragment in which the other track stands, if it is the next of this one.
fn shared(place: &FragmentCursor, other: &Place) -> Option<Arc<Moof>> {
    let Place::Fragments(other) = other else {
        return None;
    };
    let moof = other.moof.as_ref()?;
    let is_next = moof.from <= place.from && place.from <= moof.range.start;
    (is_next && moof.range.start < place.end).then(|| Arc::clone(moof))
}

/// What looking for a fragment came to.
pub(super) enum Search {
    /// The next one.
    Moof(Moof),
    /// This must be read; the boxes before `at` were passed.
    Need {
        /// Position of the box that is looked at.
        at: u64,
        /// What to read.
        range: ByteRange,
    },
    /// There is none.
    End,
}

/// Looks for the first moof box from `at` to before `end`. What is cut off or no box ends the
/// file: it was still being written.
pub(super) fn next_moof(
    mut at: u64,
    from: u64,
    end: u64,
    slots: &[Slot; SLOTS],
    fetched: &Fetched,
) -> Result<Search, MediaError> {
    let size = fetched.size();
    while at < end.min(size) {
        let need = |len| {
            let wanted = ByteRange::at(at, len).clamp_to(size);
            let range = fetched.missing(wanted).unwrap_or(wanted);
            Ok(Search::Need { at, range })
        };
        let Some(bytes) = fetched.slice(ByteRange::at(at, HEAD_MAX).clamp_to(size)) else {
            return need(HEAD_READ);
        };
        let head = BoxHead::read(&bytes, at, size).filter(|head| head.range.end <= size);
        let Some(head) = head else {
            return Ok(Search::End);
        };
        if head.kind == *b"moof" {
            if head.range.len() > MAX_MOOF {
                return Err(limit("bytes of a moof box", MAX_MOOF));
            }
            // The head of what follows comes with it: one read a fragment.
            let Some(body) = fetched.slice(ByteRange::new(head.body_at, head.range.end)) else {
                return need(head.range.len().saturating_add(HEAD_MAX));
            };
            let atom = Atom {
                kind: head.kind,
                body_at: head.body_at,
                body,
            };
            return Moof::read(&atom, head.range, from, slots).map(Search::Moof);
        }
        at = head.range.end;
    }
    Ok(Search::End)
}
