//! What stands at a position of the file: the one place that reads tags.

use bytes::Bytes;

use super::chain::{self, Chain};
use super::tag::{HEAD, HEAD_LEN, LEAD, Lead, TRAILER, TagHead};
use super::{PIECE, get, malformed};
use crate::media::{Fetched, Kind, MediaError};
use crate::units::{ByteRange, Millis};
use crate::wire::Reader;

/// A tag that can be sent.
#[derive(Debug, Clone)]
pub(super) struct Tag {
    pub(super) kind: Kind,
    pub(super) millis: Millis,
    /// Where the body is. Never empty, inside the file.
    pub(super) body: ByteRange,
    /// The first bytes of the body, at most [`LEAD`].
    pub(super) first: Bytes,
    /// What they tell.
    pub(super) lead: Lead,
    /// Where the next tag should be.
    pub(super) end: u64,
}

/// What stands at a position.
#[derive(Debug, Clone)]
pub(super) enum Look {
    /// A tag.
    Tag(Tag),
    /// Nothing to send; go on at this position, which is further on.
    Pass(u64),
    /// This must be read to tell.
    Need(ByteRange),
    /// The end of what can be read.
    End,
}

/// Looks at position `at` of a file, where a tag should begin.
pub(super) fn look(at: u64, fetched: &Fetched) -> Result<Look, MediaError> {
    match try_look(at, fetched) {
        Ok(look) => look,
        Err(range) => Ok(Look::Need(range)),
    }
}

type Tried<T> = Result<T, ByteRange>;

fn try_look(at: u64, fetched: &Fetched) -> Tried<Result<Look, MediaError>> {
    let size = fetched.size();
    if at.saturating_add(HEAD) > size {
        return Ok(Ok(Look::End));
    }
    let range = ByteRange::at(at, HEAD.saturating_add(LEAD)).clamp_to(size);
    let bytes = get(fetched, range)?;
    let Ok(head) = TagHead::parse(&bytes) else {
        return Ok(Ok(Look::End));
    };
    let body = ByteRange::at(at.saturating_add(HEAD), head.size);
    let fits = body.end <= size;
    if !(fits && (head.sane || trailer_agrees(&head, body.end, fetched)?)) {
        return lost(at, head.sane, fetched);
    }
    let end = body.end.saturating_add(TRAILER);
    let Some(kind) = head.kind.filter(|_| !head.filtered && !body.is_empty()) else {
        return Ok(Ok(Look::Pass(end)));
    };
    let keep = usize::try_from(head.whole()).unwrap_or(usize::MAX);
    let first = bytes.slice(HEAD_LEN..bytes.len().min(keep).max(HEAD_LEN));
    Ok(Ok(Look::Tag(Tag {
        kind,
        millis: head.millis,
        body,
        lead: Lead::of(kind, &first),
        first,
        end,
    })))
}

/// Whether the size field behind a tag repeats its size. False where the file ends before it.
fn trailer_agrees(head: &TagHead, at: u64, fetched: &Fetched) -> Tried<bool> {
    let range = ByteRange::at(at, TRAILER);
    if range.end > fetched.size() {
        return Ok(false);
    }
    let bytes = get(fetched, range)?;
    Ok(Reader::new(&bytes).u32().map(u64::from) == Ok(head.whole()))
}

/// At `at` there is no tag, or (`sane`) one that the file is too short for: passes over at most
/// [`PIECE`].
fn lost(at: u64, sane: bool, fetched: &Fetched) -> Tried<Result<Look, MediaError>> {
    let size = fetched.size();
    let from = at.saturating_add(1);
    let to = from.saturating_add(PIECE).min(size);
    Ok(match chain::find(from, to, fetched) {
        Chain::At(found) => Ok(Look::Pass(found)),
        Chain::Need(ranges) => Ok(ranges.first().map_or(Look::End, |range| Look::Need(*range))),
        Chain::None if sane || to >= size => Ok(Look::End),
        Chain::None => Err(malformed(
            at,
            "no tag stands here, and none within the next 64 KiB",
        )),
    })
}
