//! Reads the ranges that pure work asks for.

use std::sync::Arc;

use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::PlayError;
use crate::media::{Fetched, Step};
use crate::origin::{Condition, ETag, Origin, OriginError, Read};
use crate::units::ByteRange;

/// Ranges of one step that are read at the same time: a poorly interleaved file needs two or
/// three, and more would only queue at the origin.
const PARALLEL: usize = 8;

/// Largest single read, bytes. One that fails begins anew, and all tries together have 10 s: the
/// index of a ten-hour file, 40 MiB, would need 4 MB/s in one piece.
const PIECE: u64 = 4 * 1024 * 1024;

/// Most steps that one piece of work may take: each reads something new, so only a hostile file
/// (a chain of a million tiny boxes) comes near.
const MAX_STEPS: usize = 100_000;

/// One version of one object.
#[derive(Debug, Clone)]
pub struct Reader {
    /// Where it is.
    pub origin: Arc<dyn Origin>,
    /// Its key there.
    pub key: Arc<str>,
    /// Its version: every read is bound to it.
    pub etag: ETag,
}

impl Reader {
    /// Steps `work` until it is done, reading what it asks for in between.
    ///
    /// # Errors
    /// Those of the work and of the origin; [`OriginError::Changed`] when the object is no longer
    /// this version.
    pub async fn run<T, E: Into<PlayError>>(
        &self,
        fetched: &mut Fetched,
        mut work: impl FnMut(&Fetched) -> Result<Step<T>, E>,
    ) -> Result<T, PlayError> {
        for _ in 0..MAX_STEPS {
            match work(fetched).map_err(Into::into)? {
                Step::Done(done) => return Ok(done),
                Step::Need(ranges) => self.read(fetched, &ranges).await?,
            }
        }
        Err(PlayError::Internal(
            "the file takes too many reads to understand".into(),
        ))
    }

    /// Reads ranges into `fetched`.
    ///
    /// # Errors
    /// As [`Reader::run`].
    pub async fn read(&self, fetched: &mut Fetched, ranges: &[ByteRange]) -> Result<(), PlayError> {
        let wanted = ranges.iter().flat_map(|range| fetched.gaps(*range));
        let pieces: Vec<_> = wanted.flat_map(pieces).collect();
        let parts: Vec<_> = stream::iter(pieces)
            .map(|range| self.read_one(range))
            .buffer_unordered(PARALLEL)
            .try_collect()
            .await?;
        for part in parts {
            fetched.insert(part.range.start, part.bytes);
        }
        Ok(())
    }

    async fn read_one(&self, range: ByteRange) -> Result<crate::origin::Object, OriginError> {
        let condition = Condition::Match(&self.etag);
        match self.origin.read(&self.key, range, condition).await? {
            Read::Bytes(object) => Ok(object),
            // Only an answer to If-None-Match, which was not asked.
            Read::NotModified => Err(OriginError::unavailable(
                "the origin answered 304 to a request without If-None-Match",
            )),
        }
    }
}

/// Cuts a long range into pieces that each can be read within the time that a read may take.
fn pieces(range: ByteRange) -> impl Iterator<Item = ByteRange> {
    let step = usize::try_from(PIECE).unwrap_or(usize::MAX);
    range
        .as_range()
        .step_by(step)
        .map(move |start| ByteRange::new(start, range.end.min(start.saturating_add(PIECE))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_range_is_cut_into_pieces_that_join() {
        let of = |start, end| pieces(ByteRange::new(start, end)).collect::<Vec<_>>();
        assert_eq!(of(5, 105), [ByteRange::new(5, 105)]);
        let long = of(7, 7 + 2 * PIECE + 1);
        let expected = [
            ByteRange::at(7, PIECE),
            ByteRange::at(7 + PIECE, PIECE),
            ByteRange::at(7 + 2 * PIECE, 1),
        ];
        assert_eq!(long, expected);
    }
}
