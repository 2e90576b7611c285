//! Finding frames among other bytes: where heads in a row agree.

use bytes::Bytes;

use super::frame::{FrameHead, HEAD};
use super::tags;
use super::{PIECE, get};
use crate::media::Fetched;
use crate::units::ByteRange;

/// How far a frame is looked for, bytes; tags that tell their length do not count.
const LONGEST: u64 = 1 << 20;

/// How many heads must agree: two where they continue a stream that is known, more where they begin
/// one, for two alike come about by chance once in some megabytes.
const KNOWN: usize = 2;
const NEW: usize = 4;

/// A frame and where it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) at: u64,
    pub(super) head: FrameHead,
}

/// What a search found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Search {
    Frame(Frame),
    /// Nothing up to the end.
    End,
    /// Nothing for longer than is searched.
    Lost,
}

/// The first frame from `from` on in `media`. `like`: a frame of the stream so far.
///
/// # Errors
/// What must be read first.
pub(super) fn find(
    from: u64,
    like: Option<&FrameHead>,
    media: ByteRange,
    fetched: &Fetched,
) -> Result<Search, ByteRange> {
    let mut at = from;
    let mut searched = 0u64;
    while searched < LONGEST {
        // With what a chain of heads from the last position needs.
        let piece = ByteRange::new(at, at.saturating_add(PIECE)).clamp_to(media.end);
        if piece.len() < HEAD {
            return Ok(Search::End);
        }
        let bytes = get(fetched, piece)?;
        match in_piece(at, &bytes, like, media, fetched)? {
            Hit::Frame(frame) => return Ok(Search::Frame(frame)),
            Hit::Tag(end) => at = end,
            Hit::None if piece.end == media.end => return Ok(Search::End),
            // Heads may lie across the border of two pieces.
            Hit::None => at = piece.end.saturating_sub(HEAD.saturating_sub(1)),
        }
        searched = searched.saturating_add(PIECE);
    }
    Ok(Search::Lost)
}

enum Hit {
    Frame(Frame),
    /// A tag ends there.
    Tag(u64),
    None,
}

fn in_piece(
    from: u64,
    bytes: &Bytes,
    like: Option<&FrameHead>,
    media: ByteRange,
    fetched: &Fetched,
) -> Result<Hit, ByteRange> {
    for (window, offset) in bytes.windows(4).zip(0usize..) {
        match window {
            [0xff, second, ..] if *second >= 0xe0 => {}
            [b'I', b'D', b'3', _] => {
                let tag = tags::leading(bytes.get(offset..).unwrap_or_default());
                if let Some(len) = tag {
                    return Ok(Hit::Tag(
                        from.saturating_add(position(offset)).saturating_add(len),
                    ));
                }
                continue;
            }
            _ => continue,
        }
        let Some(head) = FrameHead::parse(window) else {
            continue;
        };
        let frame = Frame {
            at: from.saturating_add(position(offset)),
            head,
        };
        let wanted = if like.is_some_and(|like| like.is_like(&head)) {
            KNOWN
        } else {
            NEW
        };
        if follows(frame, wanted, media, fetched)? {
            return Ok(Hit::Frame(frame));
        }
    }
    Ok(Hit::None)
}

fn position(offset: usize) -> u64 {
    u64::try_from(offset).unwrap_or(u64::MAX)
}

/// Whether `wanted` heads in a row begin with `frame`, or at least two of them up to the end.
fn follows(
    frame: Frame,
    wanted: usize,
    media: ByteRange,
    fetched: &Fetched,
) -> Result<bool, ByteRange> {
    let mut last = frame;
    for counted in 1..wanted {
        let at = last.at.saturating_add(last.head.len);
        if at.saturating_add(HEAD) > media.end {
            // The last frame alone, where the stream is known or this is all there is of it.
            let alone = at == media.end && (wanted == KNOWN || frame.at == media.start);
            return Ok(counted >= KNOWN || alone);
        }
        match FrameHead::parse(&head_bytes(at, media, fetched)?) {
            Some(head) if head.is_like(&frame.head) => last = Frame { at, head },
            _ => return Ok(false),
        }
    }
    Ok(true)
}

/// The four bytes at `at`; where they were not read, what is read next along with them.
pub(super) fn head_bytes(at: u64, media: ByteRange, fetched: &Fetched) -> Result<Bytes, ByteRange> {
    fetched
        .slice(ByteRange::at(at, HEAD))
        .ok_or(ByteRange::at(at, PIECE).clamp_to(media.end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::mp3::fixture::{CBR, OTHER, constant, frame};

    fn found(file: &[u8], like: Option<[u8; 4]>) -> Option<u64> {
        let fetched = Fetched::whole(file.to_vec().into());
        let media = ByteRange::new(0, fetched.size());
        let like = like.and_then(|like| FrameHead::parse(&like));
        match find(0, like.as_ref(), media, &fetched).unwrap() {
            Search::Frame(frame) => Some(frame.at),
            Search::End | Search::Lost => None,
        }
    }

    #[test]
    fn one_head_alone_is_none() {
        let alone = frame(CBR, 500);
        let file = [&alone[..], &constant(10)].concat();
        assert_eq!(found(&file, Some(CBR)), Some(500));
        assert_eq!(found(&file, None), Some(500));
    }

    #[test]
    fn more_heads_begin_a_stream_than_go_on_with_one() {
        let two = [frame(OTHER, 192), frame(OTHER, 192), vec![0; 100]].concat();
        assert_eq!(found(&two, Some(OTHER)), Some(0));
        assert_eq!(found(&two, Some(CBR)), None);
        let four = [frame(OTHER, 192).repeat(4), vec![0; 100]].concat();
        assert_eq!(found(&four, Some(CBR)), Some(0));
    }

    #[test]
    fn a_stream_may_be_one_frame() {
        assert_eq!(found(&frame(CBR, 417), None), Some(0));
        assert_eq!(found(&frame(CBR, 416), None), None);
        let last = [vec![0; 70_000], frame(CBR, 417)].concat();
        assert_eq!(found(&last, Some(CBR)), Some(70_000));
        assert_eq!(found(&last, None), None);
    }

    #[test]
    fn heads_across_pieces_are_found() {
        for before in 65_530..65_540 {
            let file = [vec![0; before], constant(10)].concat();
            assert_eq!(found(&file, None), Some(u64::try_from(before).unwrap()));
        }
    }
}
