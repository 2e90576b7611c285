//! Building the index: which bytes of the file are read for it, and in how few steps.
//!
//! The top-level boxes are walked by their heads. When the moov box is not at the front, the head
//! behind the media and the file's last MiB are asked for together (all that is behind the media,
//! where that is a few MiB), so that the usual case costs one more read. A fragmented file is read up to its first fragment, which says at which time it
//! begins; where no sidx box was passed on the way, its last bytes tell of an mfra box.

use std::collections::VecDeque;

use super::boxes::{Atom, BoxHead, HEAD_MAX, limit, malformed};
use super::choice::choose;
use super::entries::{Entries, Segments, random_access_size};
use super::fragment::SLOTS;
use super::index::{Fragments, Mp4Index, Start, scaled, tail};
use super::movie::Movie;
use super::opening::Opening;
use crate::media::{Fetched, MediaError, MediaInfo, Step};
use crate::units::{ByteRange, MediaTime};

/// Largest moov box: ten hours of video at 60 frames a second with 48 kHz audio take about 50 MiB.
const MAX_MOOV: u64 = 64 << 20;

/// Largest index box of a fragmented file (sidx, mfra): 19 bytes an entry.
const MAX_INDEX: u64 = 16 << 20;

/// Most boxes before moov and the first fragment. Each may cost a read.
const MAX_BOXES: u32 = 4096;

/// Most sidx boxes that one file's sidx boxes may refer to.
const MAX_NESTED: usize = 1024;

/// How much of the file's end is read in the hope that moov is in it.
const TAIL: u64 = 1 << 20;

/// What is behind the media is read whole, in the hope that it is moov, where it is no more than
/// this: of an hour and a half of film.
const WHOLE_TAIL: u64 = 4 << 20;

/// How much is read for the head of a box that is not at hand: most boxes are short.
const HEAD_READ: u64 = 64 << 10;

/// Builds a [`Mp4Index`] from an object of known size.
#[derive(Debug)]
pub struct Mp4Builder {
    size: u64,
    /// Position of the next top-level box.
    at: u64,
    boxes: u32,
    tail_asked: bool,
    movie: Option<(Movie, ByteRange)>,
    first_moof: Option<u64>,
    entries: Vec<Entries>,
    nested: VecDeque<ByteRange>,
    nested_seen: usize,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Walking the top-level boxes.
    Boxes,
    /// Reading sidx boxes that others refer to.
    Nested,
    /// Looking for an mfra box.
    Tail,
    /// Looking at the first samples of each track.
    First(Box<Opening>),
    /// Looking at the last fragment, for the duration.
    Last(Box<Opening>),
    /// The index was handed over.
    Done,
}

/// One step inside: go on, or wait for bytes.
enum Go {
    On(State),
    Need(State, Vec<ByteRange>),
    Done(Box<Opening>),
}

impl Mp4Builder {
    /// A builder for an object of `size` bytes.
    pub fn new(size: u64) -> Self {
        Self {
            size,
            at: 0,
            boxes: 0,
            tail_asked: false,
            movie: None,
            first_moof: None,
            entries: Vec::new(),
            nested: VecDeque::new(),
            nested_seen: 0,
            state: State::Boxes,
        }
    }

    /// Goes on with what was read.
    ///
    /// # Errors
    /// The file is broken, over a limit, or has no track that can be sent.
    pub fn step(&mut self, fetched: &Fetched) -> Result<Step<Mp4Index>, MediaError> {
        loop {
            let go = match std::mem::replace(&mut self.state, State::Done) {
                State::Boxes => self.boxes(fetched)?,
                State::Nested => self.nested(fetched)?,
                State::Tail => self.tail(fetched)?,
                State::First(mut opening) => match opening.first(fetched)? {
                    Some(range) => Go::Need(State::First(opening), vec![range]),
                    None => Go::On(State::Last(opening)),
                },
                State::Last(mut opening) => {
                    let ranges = opening.last(fetched);
                    if ranges.is_empty() {
                        Go::Done(opening)
                    } else {
                        Go::Need(State::Last(opening), ranges)
                    }
                }
                State::Done => return Err(malformed(0, "its index was built already")),
            };
            match go {
                Go::On(state) => self.state = state,
                Go::Need(state, ranges) => {
                    self.state = state;
                    return Ok(Step::Need(ranges));
                }
                Go::Done(opening) => return Ok(Step::Done(opening.finish())),
            }
        }
    }

    /// Asks for what is missing of a range.
    fn need(&self, state: State, range: ByteRange, fetched: &Fetched) -> Go {
        let range = range.clamp_to(self.size);
        Go::Need(state, vec![fetched.missing(range).unwrap_or(range)])
    }

    fn is_fragmented(&self) -> bool {
        self.movie
            .as_ref()
            .is_some_and(|(movie, _)| movie.fragments.is_some())
    }

    /// Whether the walk has seen all that it looks for.
    fn is_walked(&self) -> bool {
        self.movie.is_some() && (!self.is_fragmented() || self.first_moof.is_some())
    }

    fn boxes(&mut self, fetched: &Fetched) -> Result<Go, MediaError> {
        while !self.is_walked() && self.at.saturating_add(8) <= self.size {
            let wanted = ByteRange::at(self.at, HEAD_MAX).clamp_to(self.size);
            let Some(bytes) = fetched.slice(wanted) else {
                return Ok(self.need_head(fetched));
            };
            let Some(head) = BoxHead::read(&bytes, self.at, self.size) else {
                // Behind the movie header nothing is needed: what follows may be garbage.
                if self.movie.is_some() {
                    break;
                }
                return Err(malformed(self.at, "no box where one should be"));
            };
            if let Some(range) = self.visit(&head, fetched)? {
                return Ok(self.need(State::Boxes, range, fetched));
            }
            self.at = head.range.end;
            self.boxes = self.boxes.saturating_add(1);
            if self.boxes > MAX_BOXES {
                return Err(limit("boxes before the first media", u64::from(MAX_BOXES)));
            }
        }
        if self.movie.is_none() {
            return Err(malformed(self.at.min(self.size), "no moov box in the file"));
        }
        Ok(Go::On(State::Nested))
    }

    /// The head of the next box is not at hand: asks for it, and once for the tail too.
    fn need_head(&mut self, fetched: &Fetched) -> Go {
        let head = ByteRange::at(self.at, HEAD_READ).clamp_to(self.size);
        let end = tail(TAIL, self.size);
        if self.tail_asked || self.movie.is_some() {
            return self.need(State::Boxes, head, fetched);
        }
        self.tail_asked = true;
        let rest = self.size.saturating_sub(self.at);
        let wanted = if end.start <= head.end || rest <= WHOLE_TAIL {
            vec![ByteRange::new(self.at, self.size)]
        } else {
            vec![head, end]
        };
        let missing = wanted.iter().filter_map(|range| fetched.missing(*range));
        Go::Need(State::Boxes, missing.collect())
    }

    /// Looks into a top-level box, if it matters; answers what must be read for that.
    fn visit(
        &mut self,
        head: &BoxHead,
        fetched: &Fetched,
    ) -> Result<Option<ByteRange>, MediaError> {
        match &head.kind {
            b"moov" if self.movie.is_none() => {
                let moov = match whole(head, MAX_MOOV, "bytes of the moov box", self.size, fetched)?
                {
                    Ok(moov) => moov,
                    Err(range) => return Ok(Some(range)),
                };
                self.movie = Some((Movie::read(&moov)?, head.range));
            }
            b"moof" if self.first_moof.is_none() => self.first_moof = Some(head.range.start),
            b"sidx" => {
                let sidx = match whole(head, MAX_INDEX, "bytes of a sidx box", self.size, fetched)?
                {
                    Ok(sidx) => sidx,
                    Err(range) => return Ok(Some(range)),
                };
                self.segments(&sidx, head.range.end)?;
            }
            _ => {}
        }
        Ok(None)
    }

    /// Takes in a sidx box that ends at `anchor`.
    fn segments(&mut self, sidx: &Atom, anchor: u64) -> Result<(), MediaError> {
        let segments = Segments::read(sidx)?;
        let known = self
            .entries
            .iter()
            .position(|one| one.track == segments.track);
        let index = known.unwrap_or(self.entries.len());
        if known.is_none() {
            self.entries.push(Entries {
                track: segments.track,
                timescale: Some(segments.timescale),
                ..Entries::default()
            });
        }
        let Some(entries) = self.entries.get_mut(index) else {
            return Ok(());
        };
        let nested = entries.add_segments(&segments, anchor)?;
        self.nested_seen = self.nested_seen.saturating_add(nested.len());
        if self.nested_seen > MAX_NESTED {
            return Err(limit("sidx boxes", super::boxes::length(MAX_NESTED)));
        }
        self.nested.extend(nested);
        Ok(())
    }

    fn nested(&mut self, fetched: &Fetched) -> Result<Go, MediaError> {
        while let Some(range) = self.nested.front().copied() {
            let size = self.size;
            let Some(bytes) = fetched.slice(range.clamp_to(size)) else {
                return Ok(self.need(State::Nested, range, fetched));
            };
            self.nested.pop_front();
            let head = BoxHead::read(&bytes, range.start, size);
            if let Some(head) = head.filter(|head| head.kind == *b"sidx") {
                match whole(&head, MAX_INDEX, "bytes of a sidx box", size, fetched)? {
                    Ok(sidx) => self.segments(&sidx, head.range.end)?,
                    Err(missing) => {
                        self.nested.push_front(range);
                        return Ok(self.need(State::Nested, missing, fetched));
                    }
                }
            }
        }
        let indexed = self.entries.iter().any(|entries| !entries.list.is_empty());
        if self.is_fragmented() && !indexed {
            Ok(Go::On(State::Tail))
        } else {
            self.index()
        }
    }

    /// Looks for the mfra box, whose length the file's last 16 bytes tell.
    fn tail(&mut self, fetched: &Fetched) -> Result<Go, MediaError> {
        let end = tail(HEAD_MAX, self.size);
        let Some(bytes) = fetched.slice(end) else {
            return Ok(self.need(State::Tail, tail(HEAD_READ, self.size), fetched));
        };
        let len = random_access_size(&bytes);
        let range = len
            .filter(|len| (8..=MAX_INDEX.min(self.size)).contains(len))
            .map(|len| tail(len, self.size));
        let Some(range) = range else {
            return self.index();
        };
        let Some(bytes) = fetched.slice(range) else {
            return Ok(self.need(State::Tail, range, fetched));
        };
        let head = BoxHead::read(&bytes, range.start, self.size);
        if head.is_some_and(|head| head.kind == *b"mfra") {
            let mfra = Atom {
                kind: *b"mfra",
                body_at: range.start.saturating_add(8),
                body: bytes.slice(8.min(bytes.len())..),
            };
            for tfra in mfra
                .children(0)
                .filter(|child| child.kind == *b"tfra")
                .take(SLOTS)
            {
                self.entries.push(Entries::of_random_access(&tfra)?);
            }
        }
        self.index()
    }

    /// Makes the index, but for what the first samples tell.
    fn index(&mut self) -> Result<Go, MediaError> {
        let Some((movie, moov)) = self.movie.take() else {
            return Err(malformed(0, "no moov box in the file"));
        };
        let extends = movie
            .fragments
            .as_ref()
            .map(|all| (all.duration, movie.timescale));
        let tracks = choose(movie, self.size)?;
        let slots = tracks
            .each_ref()
            .map(|track| track.as_ref().map(|track| (track.id, track.defaults)));
        let first = self.first_moof.unwrap_or(self.size);
        // Where fragments come before the moov box, they are not behind it.
        let start = Start {
            at: first.min(moov.end),
            dts: 0,
        };
        let mut index = Mp4Index {
            info: MediaInfo::default(),
            size: self.size,
            tracks,
            held: usize::try_from(moov.len()).unwrap_or(usize::MAX),
            fragments: extends.map(|_| Fragments {
                slots,
                starts: vec![start],
                ..Fragments::default()
            }),
        };
        if let Some((Some(ticks), scale)) = extends {
            let millis = scaled(i64::try_from(ticks).unwrap_or(i64::MAX), scale, 1000);
            index.info.duration = Some(MediaTime::from_millis(millis));
        }
        let entries = std::mem::take(&mut self.entries);
        let opening = Opening::new(index, entries)?;
        Ok(Go::On(State::First(Box::new(opening))))
    }
}

/// A whole box, or what must be read for it.
fn whole(
    head: &BoxHead,
    most: u64,
    what: &'static str,
    size: u64,
    fetched: &Fetched,
) -> Result<Result<Atom, ByteRange>, MediaError> {
    if head.range.len() > most {
        return Err(limit(what, most));
    }
    if head.range.end > size {
        return Err(malformed(
            head.range.start,
            "a box goes past the end of the file",
        ));
    }
    let range = ByteRange::new(head.body_at, head.range.end);
    Ok(fetched
        .slice(range)
        .map(|body| Atom {
            kind: head.kind,
            body_at: head.body_at,
            body,
        })
        .ok_or(range))
}
