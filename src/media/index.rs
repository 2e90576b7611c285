//! The index of a file of any container.

use super::flv::{FlvBuilder, FlvCursor, FlvIndex};
use super::mp3::{Mp3Builder, Mp3Cursor, Mp3Index};
use super::mp4::{Mp4Builder, Mp4Cursor, Mp4Index};
use super::{
    Container, Demux, Fetched, Found, Heads, MediaError, MediaInfo, Next, Sample, Step, Walked,
    probe,
};
use crate::units::MediaTime;
use serde::{Deserialize, Serialize};

/// An index being built.
#[derive(Debug)]
pub enum IndexBuilder {
    /// See [`FlvBuilder`].
    Flv(FlvBuilder),
    /// See [`Mp4Builder`].
    Mp4(Mp4Builder),
    /// See [`Mp3Builder`].
    Mp3(Mp3Builder),
}

impl IndexBuilder {
    /// A builder for the object of `size` bytes whose name and first bytes these are.
    ///
    /// # Errors
    /// [`MediaError::Unknown`]: it is no container that this server reads.
    pub fn new(name: &str, head: &[u8], size: u64) -> Result<Self, MediaError> {
        match probe::detect(name, head) {
            Some(Container::Flv) => Ok(Self::Flv(FlvBuilder::new(size))),
            Some(Container::Mp4) => Ok(Self::Mp4(Mp4Builder::new(size))),
            Some(Container::Mp3) => Ok(Self::Mp3(Mp3Builder::new(size))),
            None => Err(MediaError::Unknown),
        }
    }

    /// Goes on with what has been read so far.
    ///
    /// # Errors
    /// The file is broken, over a limit, or has no track that can be sent.
    pub fn step(&mut self, fetched: &Fetched) -> Result<Step<Index>, MediaError> {
        fn wrap<T>(step: Step<T>, index: impl FnOnce(T) -> Index) -> Step<Index> {
            match step {
                Step::Need(ranges) => Step::Need(ranges),
                Step::Done(done) => Step::Done(index(done)),
            }
        }
        Ok(match self {
            Self::Flv(builder) => wrap(builder.step(fetched)?, Index::Flv),
            Self::Mp4(builder) => wrap(builder.step(fetched)?, Index::Mp4),
            Self::Mp3(builder) => wrap(builder.step(fetched)?, Index::Mp3),
        })
    }
}

/// The index of one file.
// Indexes live behind one Arc each, never in an array.
#[allow(clippy::large_enum_variant)]
#[derive(Debug)]
pub enum Index {
    /// Of an FLV file.
    Flv(FlvIndex),
    /// Of a file of the MP4 family.
    Mp4(Mp4Index),
    /// Of an MP3 file.
    Mp3(Mp3Index),
}

/// A cursor in a file of any container. Good only for the index that it came from.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Cursor {
    /// In an FLV file.
    Flv(FlvCursor),
    /// In a file of the MP4 family.
    Mp4(Mp4Cursor),
    /// In an MP3 file.
    Mp3(Mp3Cursor),
}

/// Calls the same method on whichever index it is.
macro_rules! each {
    ($self:ident, $index:ident => $call:expr) => {
        match $self {
            Index::Flv($index) => $call,
            Index::Mp4($index) => $call,
            Index::Mp3($index) => $call,
        }
    };
}

impl Demux for Index {
    type Cursor = Cursor;

    fn info(&self) -> &MediaInfo {
        each!(self, index => index.info())
    }

    fn groups(&self) -> u32 {
        each!(self, index => index.groups())
    }

    fn open(&self, group: u32) -> Option<Cursor> {
        match self {
            Self::Flv(index) => index.open(group).map(Cursor::Flv),
            Self::Mp4(index) => index.open(group).map(Cursor::Mp4),
            Self::Mp3(index) => index.open(group).map(Cursor::Mp3),
        }
    }

    fn group_at(&self, time: MediaTime) -> u32 {
        each!(self, index => index.group_at(time))
    }

    fn next(&self, cursor: &mut Cursor, fetched: &Fetched) -> Result<Next, MediaError> {
        match (self, cursor) {
            (Self::Flv(index), Cursor::Flv(cursor)) => index.next(cursor, fetched),
            (Self::Mp4(index), Cursor::Mp4(cursor)) => index.next(cursor, fetched),
            (Self::Mp3(index), Cursor::Mp3(cursor)) => index.next(cursor, fetched),
            // A cursor of another container: nothing of this file stands there.
            _ => Ok(Next::End),
        }
    }

    fn walk(
        &self,
        cursor: &mut Cursor,
        fetched: &Fetched,
        take: impl FnMut(&Sample) -> bool,
    ) -> Result<Walked, MediaError> {
        match (self, cursor) {
            (Self::Flv(index), Cursor::Flv(cursor)) => index.walk(cursor, fetched, take),
            (Self::Mp4(index), Cursor::Mp4(cursor)) => index.walk(cursor, fetched, take),
            (Self::Mp3(index), Cursor::Mp3(cursor)) => index.walk(cursor, fetched, take),
            _ => Ok(Walked::End),
        }
    }

    fn heads(&self, cursor: &Cursor) -> Heads {
        match (self, cursor) {
            (Self::Flv(index), Cursor::Flv(cursor)) => index.heads(cursor),
            (Self::Mp4(index), Cursor::Mp4(cursor)) => index.heads(cursor),
            (Self::Mp3(index), Cursor::Mp3(cursor)) => index.heads(cursor),
            _ => Heads::default(),
        }
    }

    fn is_complete(&self) -> bool {
        each!(self, index => index.is_complete())
    }

    fn guess(&self, time: MediaTime) -> Option<u64> {
        each!(self, index => index.guess(time))
    }

    fn resync(
        &self,
        from: u64,
        fetched: &Fetched,
    ) -> Result<Step<Option<Found<Cursor>>>, MediaError> {
        fn wrap<C>(
            step: Step<Option<Found<C>>>,
            cursor: impl FnOnce(C) -> Cursor,
        ) -> Step<Option<Found<Cursor>>> {
            match step {
                Step::Need(ranges) => Step::Need(ranges),
                Step::Done(found) => Step::Done(found.map(|found| Found {
                    cursor: cursor(found.cursor),
                    position: found.position,
                    time: found.time,
                })),
            }
        }
        Ok(match self {
            Self::Flv(index) => wrap(index.resync(from, fetched)?, Cursor::Flv),
            Self::Mp4(index) => wrap(index.resync(from, fetched)?, Cursor::Mp4),
            Self::Mp3(index) => wrap(index.resync(from, fetched)?, Cursor::Mp3),
        })
    }
}
