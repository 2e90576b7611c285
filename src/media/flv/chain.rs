//! Finding tags in the middle of bytes: by a chain of tags each of which is followed by its own
//! size and the next one. Inside media data such a chain does not come about by chance.

use super::get;
use super::tag::{HEAD, HEAD_LEN, TRAILER, TagHead};
use crate::media::Fetched;
use crate::units::ByteRange;
use crate::wire::Reader;

/// How many tags in a row must agree. One alone has 28 fixed bits and 32 of its size: enough
/// against chance; four also stand against files inside files (an FLV that carries pieces of one).
const LINKS: usize = 4;

/// How many positions with a plausible head are followed up in one search; what looks like more
/// is made to look so, and each may cost a read.
const CANDIDATES: usize = 256;

/// How many reads are asked for at once.
const READS: usize = 8;

/// What a search found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Chain {
    /// The first position where a chain of tags begins.
    At(u64),
    /// These must be read to tell; never empty.
    Need(Vec<ByteRange>),
    /// None begins in the range.
    None,
}

/// The first chain of tags that begins in `from..to`, which must be inside the file.
pub(super) fn find(from: u64, to: u64, fetched: &Fetched) -> Chain {
    let window = ByteRange::new(from, to.saturating_add(HEAD)).clamp_to(fetched.size());
    let bytes = match get(fetched, window) {
        Ok(bytes) => bytes,
        Err(range) => return Chain::Need(vec![range]),
    };
    let mut reads = Vec::new();
    let candidates = heads(&bytes).take(CANDIDATES);
    for (offset, head) in candidates {
        let at = from.saturating_add(offset);
        if at >= to {
            break;
        }
        match follow(at, head, fetched) {
            Ok(true) if reads.is_empty() => return Chain::At(at),
            Ok(_) => {}
            Err(range) if reads.contains(&range) => {}
            Err(range) => reads.push(range),
        }
        if reads.len() >= READS {
            break;
        }
    }
    if reads.is_empty() {
        Chain::None
    } else {
        Chain::Need(reads)
    }
}

/// The offsets in `bytes` where a sane tag head stands that has a body.
fn heads(bytes: &[u8]) -> impl Iterator<Item = (u64, TagHead)> {
    bytes
        .windows(HEAD_LEN)
        .zip(0u64..)
        .filter(|(window, _)| {
            matches!(
                window,
                [
                    8 | 9 | 18 | 0x28 | 0x29 | 0x32,
                    _,
                    _,
                    _,
                    _,
                    _,
                    _,
                    _,
                    0,
                    0,
                    0
                ]
            )
        })
        .filter_map(|(window, offset)| Some((offset, TagHead::parse(window).ok()?)))
        .filter(|(_, head)| head.sane && head.size > 0)
}

/// Whether a chain begins with the tag `head` at `at`: [`LINKS`] tags, or fewer up to the very end
/// of the file.
fn follow(mut at: u64, mut head: TagHead, fetched: &Fetched) -> Result<bool, ByteRange> {
    let size = fetched.size();
    for _ in 0..LINKS {
        let end = at.saturating_add(head.whole());
        let next = end.saturating_add(TRAILER);
        if next > size {
            return Ok(false);
        }
        let link = ByteRange::new(end, next.saturating_add(HEAD)).clamp_to(size);
        let bytes = get(fetched, link)?;
        let mut reader = Reader::new(&bytes);
        if reader.u32().map(u64::from) != Ok(head.whole()) {
            return Ok(false);
        }
        match TagHead::parse(reader.rest()) {
            Ok(following) if following.sane => head = following,
            Ok(_) => return Ok(false),
            // Too few bytes for another tag: the file ends with this one.
            Err(_) => return Ok(true),
        }
        at = next;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::flv::fixture::Flv;
    use bytes::Bytes;

    #[test]
    fn finds_the_next_tag_from_any_byte() {
        let file = Flv::movie(40);
        let fetched = Fetched::whole(file.bytes.clone().into());
        let size = fetched.size();
        for from in 13..size {
            let expected = file.starts.iter().copied().find(|start| *start >= from);
            let found = match find(from, size, &fetched) {
                Chain::At(at) => Some(at),
                Chain::None => None,
                Chain::Need(ranges) => panic!("everything is read: {ranges:?}"),
            };
            assert_eq!(found, expected, "from {from}");
        }
    }

    #[test]
    fn a_chain_that_a_wrong_size_breaks_is_not_one() {
        let mut file = Flv::movie(40);
        // The size behind the second tag: neither the first nor the second begins a chain now.
        let trailer = usize::try_from(file.starts[2]).unwrap() - 1;
        file.bytes[trailer] ^= 1;
        let fetched = Fetched::whole(file.bytes.into());
        assert_eq!(
            find(file.starts[0], fetched.size(), &fetched),
            Chain::At(file.starts[2])
        );
    }

    #[test]
    fn asks_for_the_window_then_for_what_is_behind_it() {
        let file = Flv::movie(40);
        let bytes = Bytes::from(file.bytes);
        let mut fetched = Fetched::new(u64::try_from(bytes.len()).unwrap());
        let at = file.starts[5];
        let window = ByteRange::new(at, at + 1 + HEAD);
        assert_eq!(find(at, at + 1, &fetched), Chain::Need(vec![window]));
        let mut steps = 0;
        while let Chain::Need(ranges) = find(at, at + 1, &fetched) {
            for range in ranges {
                let span =
                    usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
                fetched.insert(range.start, bytes.slice(span));
            }
            steps += 1;
        }
        assert_eq!(steps, 1 + LINKS);
        assert_eq!(find(at, at + 1, &fetched), Chain::At(at));
    }

    #[test]
    fn an_earlier_tag_that_is_not_read_yet_comes_first() {
        // A tag of 50,000 bytes that holds a file.
        let mut file = Flv::new(1);
        let inner = Flv::movie(40);
        let mut body = inner.bytes.clone();
        body.resize(50_000, 0xff);
        file.tag(9, 0, &body);
        file.film(0, 10, 90);
        let mut fetched = Fetched::new(file.len());
        fetched.insert(0, Bytes::copy_from_slice(&file.bytes[..20_000]));
        let link = ByteRange::new(13 + 11 + 50_000, 13 + 11 + 50_000 + 15);
        assert_eq!(find(13, 10_000, &fetched), Chain::Need(vec![link]));
        let fetched = Fetched::whole(file.bytes.into());
        assert_eq!(find(13, 10_000, &fetched), Chain::At(13));
        assert_eq!(find(14, 10_000, &fetched), Chain::At(24 + 13));
    }
}
