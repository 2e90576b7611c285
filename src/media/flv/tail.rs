//! The time of the last tag, from the end of the file (design.md, rule 19): the last four bytes
//! are the size of the last tag, so that its head is found without reading what is before it.

use super::chain::{self, Chain};
use super::tag::{HEAD, TRAILER, TagHead};
use super::walk::{self, Look};
use super::{PIECE, get};
use crate::media::{Fetched, Kind, MediaError};
use crate::units::{ByteRange, Millis};
use crate::wire::Reader;

/// How many tags are gone back over to find one of audio or video: some writers end a file with
/// script tags, and their timestamps mean nothing.
const BACK: usize = 8;

/// What must be read first: most last tags are in it whole.
pub(super) fn range(media: ByteRange) -> ByteRange {
    ByteRange::new(media.start.max(media.end.saturating_sub(PIECE)), media.end)
}

/// The timestamp of the last tag of audio or video in `media` (which ends with the file), or `None`
/// where the end of the file does not tell.
///
/// # Errors
/// What must be read first.
pub(super) fn last_time(media: ByteRange, fetched: &Fetched) -> Result<Option<Millis>, ByteRange> {
    get(fetched, range(media))?;
    match backward(media, fetched)? {
        Some(millis) => Ok(Some(millis)),
        None => forward(media, fetched),
    }
}

/// From the size field at the very end.
fn backward(media: ByteRange, fetched: &Fetched) -> Result<Option<Millis>, ByteRange> {
    let mut end = media.end;
    for _ in 0..BACK {
        let field = ByteRange::new(end.saturating_sub(TRAILER), end);
        if field.start < media.start {
            return Ok(None);
        }
        let whole = Reader::new(&get(fetched, field)?)
            .u32()
            .map_or(0, u64::from);
        let at = field.start.saturating_sub(whole);
        if whole < HEAD || at < media.start {
            return Ok(None);
        }
        let head = TagHead::parse(&get(fetched, ByteRange::at(at, HEAD))?);
        match head {
            Ok(head) if head.sane && head.whole() == whole => {
                if head.kind != Some(Kind::Data) && head.size > 0 {
                    return Ok(Some(head.millis));
                }
            }
            _ => return Ok(None),
        }
        end = at;
    }
    Ok(None)
}

/// The end is cut off or followed by something else: along the tags of the last piece.
fn forward(media: ByteRange, fetched: &Fetched) -> Result<Option<Millis>, ByteRange> {
    let piece = range(media);
    let mut at = match chain::find(piece.start, piece.end, fetched) {
        Chain::At(at) => at,
        Chain::Need(ranges) => match ranges.first() {
            Some(range) => return Err(*range),
            None => return Ok(None),
        },
        Chain::None => return Ok(None),
    };
    let mut last = None;
    loop {
        match walk::look(at, fetched) {
            Ok(Look::Tag(tag)) => {
                if tag.kind != Kind::Data {
                    last = Some(tag.millis);
                }
                at = tag.end;
            }
            Ok(Look::Pass(to)) => at = to,
            Ok(Look::Need(range)) => return Err(range),
            Ok(Look::End) | Err(MediaError::Malformed { .. }) | Err(_) => return Ok(last),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::flv::fixture::Flv;

    fn last(bytes: &[u8]) -> Option<u32> {
        let fetched = Fetched::whole(bytes.to_vec().into());
        let media = ByteRange::new(13, fetched.size());
        last_time(media, &fetched).unwrap().map(|millis| millis.0)
    }

    #[test]
    fn the_last_tag_tells() {
        assert_eq!(last(&Flv::movie(40).bytes), Some(39 * 40 + 10));
    }

    #[test]
    fn script_tags_at_the_end_do_not() {
        let mut file = Flv::movie(40);
        file.tag(18, 0, b"\x02\0\x01x");
        file.tag(18, 0, b"\x02\0\x01y");
        assert_eq!(last(&file.bytes), Some(39 * 40 + 10));
    }

    #[test]
    fn a_file_cut_anywhere_ends_with_its_last_whole_tag() {
        let file = Flv::movie(40);
        // The last tags are the frame of 1,560 ms and its sound, after the sound of 1,530 ms.
        let &[.., frame, next] = &file.starts[..] else {
            panic!()
        };
        for end in frame..next - 4 {
            let cut = &file.bytes[..usize::try_from(end).unwrap()];
            assert_eq!(last(cut), Some(38 * 40 + 10), "cut at {end}");
        }
    }

    #[test]
    fn bytes_that_are_no_tags_tell_nothing() {
        assert_eq!(last(&[0; 100]), None);
        assert_eq!(last(&[0xff; 100_000]), None);
        assert_eq!(last(b"FLV\x01\x05\0\0\0\x09\0\0\0\0"), None);
    }

    #[test]
    fn only_the_end_is_read() {
        let mut file = Flv::movie(10);
        file.frame(4_000, true, 200_000);
        let at = *file.starts.last().unwrap();
        let media = ByteRange::new(13, file.len());
        let mut fetched = Fetched::new(file.len());
        let mut asked = Vec::new();
        let found = loop {
            match last_time(media, &fetched) {
                Ok(found) => break found,
                Err(range) => {
                    let span =
                        usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
                    fetched.insert(range.start, file.bytes[span].to_vec().into());
                    asked.push(range);
                }
            }
        };
        assert_eq!(found, Some(Millis(4_000)));
        assert_eq!(asked, [range(media), ByteRange::at(at, 11)]);
    }
}
