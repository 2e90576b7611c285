//! What a server answers to a ranged read, checked against what was asked.
//!
//! Servers differ: some ignore If-Match, some send the whole object for a range, some stop early.
//! None of that may become a wrong byte or unbounded memory: a body is read up to the end of
//! the range and no further, what stands before the range is dropped as it comes, and every piece
//! has its own time limit, for the SDK's covers only the head of the answer.

use std::time::Duration;

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_smithy_types::byte_stream::ByteStream;
use bytes::{Bytes, BytesMut};
use tokio::time::timeout;

use super::super::error::chain;
use super::super::{Condition, ETag, Object, OriginError};
use crate::units::ByteRange;

/// From a server that sends the whole object for a range, at most so many bytes before the range
/// are read and dropped. Beyond that the server is no use: each segment would cost the object.
const LONGEST_SKIP: u64 = 8 * 1024 * 1024;

/// No buffer begins larger than this on the word of a server; it grows with what arrives.
const FIRST_BUFFER: u64 = 1024 * 1024;

/// Reads the answer to a request for `asked`.
pub(super) async fn receive(
    answer: GetObjectOutput,
    asked: ByteRange,
    condition: Condition<'_>,
    idle: Duration,
) -> Result<Object, OriginError> {
    let etag = version(&answer, condition)?;
    let sent = Sent::of(&answer)?;
    let range = asked.clamp_to(sent.size);
    if range.is_empty() {
        return Err(OriginError::OutOfRange);
    }
    let skip = sent.skip_to(range)?;
    let bytes = body(answer.body, skip, range.len(), idle).await?;
    Ok(Object {
        size: sent.size,
        etag,
        content_type: answer.content_type,
        cache_control: answer.cache_control,
        expires: answer.expires_string,
        range,
        bytes,
    })
}

fn version(answer: &GetObjectOutput, condition: Condition<'_>) -> Result<ETag, OriginError> {
    let etag = answer
        .e_tag
        .as_deref()
        .ok_or_else(|| OriginError::unavailable("the origin's answer has no ETag"))?;
    match condition {
        Condition::Match(wanted) if wanted.as_str() != etag => Err(OriginError::Changed),
        _ => Ok(ETag::new(etag)),
    }
}

/// What the head of an answer says that its body holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sent {
    range: ByteRange,
    size: u64,
}

impl Sent {
    fn of(answer: &GetObjectOutput) -> Result<Self, OriginError> {
        match &answer.content_range {
            Some(text) => Self::parse(text).ok_or_else(|| {
                OriginError::unavailable(format!("the origin sent Content-Range {text:?}"))
            }),
            // No range: the whole object.
            None => {
                let size = answer
                    .content_length
                    .and_then(|len| u64::try_from(len).ok());
                let size = size.ok_or_else(|| {
                    OriginError::unavailable("the origin's answer does not tell its length")
                })?;
                Ok(Self {
                    range: ByteRange::new(0, size),
                    size,
                })
            }
        }
    }

    /// Reads `bytes FIRST-LAST/SIZE` (RFC 9110, section 14.4).
    fn parse(text: &str) -> Option<Self> {
        let rest = text.trim().strip_prefix("bytes ")?;
        let (span, size) = rest.split_once('/')?;
        let (first, last) = span.split_once('-')?;
        let (first, last, size) = (number(first)?, number(last)?, number(size)?);
        (first <= last && last < size).then(|| Self {
            range: ByteRange::new(first, last.saturating_add(1)),
            size,
        })
    }

    /// How many bytes of the body come before `wanted`.
    fn skip_to(self, wanted: ByteRange) -> Result<u64, OriginError> {
        if !self.range.covers(wanted) {
            return Err(OriginError::unavailable(format!(
                "the origin sent {} where {wanted} was asked for",
                self.range
            )));
        }
        let skip = wanted.start - self.range.start;
        if skip > LONGEST_SKIP {
            return Err(OriginError::unavailable(
                "the origin sends whole objects where a range is asked for",
            ));
        }
        Ok(skip)
    }
}

/// Digits only: `parse` of the standard library takes a sign too.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// Reads `len` bytes of `stream` after the first `skip`. What comes after them is not read: the
/// connection is closed instead.
async fn body(
    mut stream: ByteStream,
    mut skip: u64,
    len: u64,
    idle: Duration,
) -> Result<Bytes, OriginError> {
    let mut gathered = Gathered::new(len);
    while gathered.missing() > 0 {
        let piece = timeout(idle, stream.next()).await.map_err(|_| {
            OriginError::unavailable(format!(
                "the origin stopped sending in the middle of a body for {} ms",
                idle.as_millis()
            ))
        })?;
        let Some(piece) = piece else {
            return Err(OriginError::unavailable(format!(
                "the origin's body ended {} bytes early",
                gathered.missing()
            )));
        };
        let mut piece = piece.map_err(|error| OriginError::unavailable(chain(&error)))?;
        let dropped = skip.min(piece.len() as u64);
        skip -= dropped;
        let _ = piece.split_to(usize::try_from(dropped).unwrap_or(usize::MAX));
        gathered.add(piece);
    }
    Ok(gathered.finish())
}

/// Bytes as they arrive, up to a length. One piece that is everything is not copied.
struct Gathered {
    len: u64,
    first: Bytes,
    rest: BytesMut,
}

impl Gathered {
    fn new(len: u64) -> Self {
        Self {
            len,
            first: Bytes::new(),
            rest: BytesMut::new(),
        }
    }

    fn missing(&self) -> u64 {
        self.len - (self.first.len() + self.rest.len()) as u64
    }

    fn add(&mut self, mut piece: Bytes) {
        piece.truncate(usize::try_from(self.missing()).unwrap_or(usize::MAX));
        if self.first.is_empty() && self.rest.is_empty() {
            self.first = piece;
            return;
        }
        if self.rest.is_empty() {
            let first = std::mem::take(&mut self.first);
            let start = self.len.min(FIRST_BUFFER);
            self.rest
                .reserve(usize::try_from(start).unwrap_or_default().max(first.len()));
            self.rest.extend_from_slice(&first);
        }
        self.rest.extend_from_slice(&piece);
    }

    fn finish(self) -> Bytes {
        if self.rest.is_empty() {
            self.first
        } else {
            self.rest.freeze()
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn content_range_is_read_strictly() {
        let sent = Sent::parse("bytes 5-9/100").unwrap();
        assert_eq!((sent.range, sent.size), (ByteRange::new(5, 10), 100));
        for text in [
            "",
            "bytes",
            "bytes 5-9",
            "bytes */100",
            "bytes 9-5/100",
            "bytes 5-100/100",
            "bytes 5-9/*",
            "bytes +5-9/100",
            "5-9/100",
            "bytes 5-9/99999999999999999999",
        ] {
            assert_eq!(Sent::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn an_answer_must_cover_what_was_asked() {
        let sent = Sent {
            range: ByteRange::new(0, 100_000_000),
            size: 100_000_000,
        };
        assert_eq!(sent.skip_to(ByteRange::new(1000, 2000)), Ok(1000));
        assert!(sent.skip_to(ByteRange::at(LONGEST_SKIP + 1, 1)).is_err());
        let part = Sent {
            range: ByteRange::new(10, 20),
            size: 100,
        };
        assert!(part.skip_to(ByteRange::new(5, 20)).is_err());
        assert!(part.skip_to(ByteRange::new(10, 21)).is_err());
        assert_eq!(part.skip_to(ByteRange::new(10, 20)), Ok(0));
    }

    proptest! {
        #[test]
        fn gathered_bytes_are_the_first_ones(
            pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..50), 0..10),
            len in 0u64..200,
        ) {
            let all: Vec<u8> = pieces.concat();
            let mut gathered = Gathered::new(len);
            for piece in pieces {
                gathered.add(Bytes::from(piece));
            }
            let wanted = all.len().min(usize::try_from(len).unwrap());
            prop_assert_eq!(gathered.missing(), len - wanted as u64);
            prop_assert_eq!(&gathered.finish()[..], &all[..wanted]);
        }
    }
}
