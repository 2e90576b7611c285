//! Boxes: the tree of which every file of the family is made (ISO/IEC 14496-12 section 4.2).
//!
//! Positions are bytes from the start of the object, so that errors and sample ranges need no
//! translation. Children that claim to be longer than their parent are cut to it, as every player
//! does: a damaged table then simply ends early.

use bytes::Bytes;

use crate::media::{Container, MediaError};
use crate::units::ByteRange;
use crate::wire::{Reader, Truncated};

/// Longest head of a box: size, type, 64-bit size.
pub(super) const HEAD_MAX: u64 = 16;

/// The head of a box at a known position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BoxHead {
    /// The four characters that say what it is.
    pub kind: [u8; 4],
    /// The whole box, head included; cut to the object where its size is 0 ("to the end").
    pub range: ByteRange,
    /// Position of its body.
    pub body_at: u64,
}

impl BoxHead {
    /// Reads the head at position `at` of an object (or parent) that ends at `end`. `bytes` are
    /// what stands there, at least [`HEAD_MAX`] of them unless the end is nearer. `None` where no
    /// box can be: fewer than 8 bytes, or a size below that of the head.
    pub fn read(bytes: &[u8], at: u64, end: u64) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let short = reader.u32().ok()?;
        let kind = reader.array().ok()?;
        let size = match short {
            0 => end.checked_sub(at)?,
            1 => reader.u64().ok()?,
            size => u64::from(size),
        };
        let head = u64::try_from(reader.position()).ok()?;
        (size >= head).then(|| Self {
            kind,
            range: ByteRange::at(at, size),
            body_at: at.saturating_add(head),
        })
    }
}

/// A box that has been read whole.
#[derive(Debug, Clone)]
pub(super) struct Atom {
    /// The four characters that say what it is.
    pub kind: [u8; 4],
    /// Position of its body in the object.
    pub body_at: u64,
    /// Its body.
    pub body: Bytes,
}

impl Atom {
    /// The boxes in its body from byte `skip` of the body on.
    pub fn children(&self, skip: usize) -> Children {
        let skip = skip.min(self.body.len());
        Children {
            at: self.body_at.saturating_add(length(skip)),
            rest: self.body.slice(skip..),
        }
    }

    /// The first child of that kind.
    pub fn child(&self, kind: &[u8; 4]) -> Option<Atom> {
        self.children(0).find(|child| child.kind == *kind)
    }

    /// The first descendant along a path of kinds.
    pub fn descend(&self, path: &[&[u8; 4]]) -> Option<Atom> {
        path.iter()
            .try_fold(self.clone(), |atom, kind| atom.child(kind))
    }

    /// A reader of its body behind the version and flags of a full box (section 4.2.2).
    pub fn full(&self) -> Result<(u8, u32, Reader<'_>), MediaError> {
        let mut reader = Reader::new(&self.body);
        let version = reader.u8().map_err(|error| self.cut(error))?;
        let flags = reader.u24().map_err(|error| self.cut(error))?;
        Ok((version, flags, reader))
    }

    /// The error of a body that ends too early.
    pub fn cut(&self, error: Truncated) -> MediaError {
        self.broken(error.at, "it ends too early")
    }

    /// The error of a body that is wrong at byte `at` of it.
    pub fn broken(&self, at: usize, what: &str) -> MediaError {
        let kind = crate::media::codec::printable(&self.kind);
        malformed(self.position(at), format!("in box {kind}: {what}"))
    }

    /// Position in the object of byte `at` of the body.
    pub fn position(&self, at: usize) -> u64 {
        self.body_at.saturating_add(length(at))
    }

    /// Where its whole body is in the object.
    pub fn body_range(&self) -> ByteRange {
        ByteRange::at(self.body_at, length(self.body.len()))
    }
}

/// Boxes that stand one behind the other. Ends where no box can be (QuickTime closes some lists
/// with four zero bytes).
#[derive(Debug, Clone)]
pub(super) struct Children {
    at: u64,
    rest: Bytes,
}

impl Iterator for Children {
    type Item = Atom;

    fn next(&mut self) -> Option<Atom> {
        let end = self.at.saturating_add(length(self.rest.len()));
        let head = BoxHead::read(&self.rest, self.at, end)?;
        let size = usize::try_from(head.range.len()).unwrap_or(usize::MAX);
        let whole = self.rest.split_to(size.min(self.rest.len()));
        let skip = usize::try_from(head.body_at.saturating_sub(self.at)).ok()?;
        self.at = self.at.saturating_add(length(whole.len()));
        Some(Atom {
            kind: head.kind,
            body_at: head.body_at,
            body: whole.slice(skip.min(whole.len())..),
        })
    }
}

/// A [`MediaError::Malformed`] of this container.
pub(super) fn malformed(at: u64, what: impl Into<std::borrow::Cow<'static, str>>) -> MediaError {
    MediaError::malformed(Container::Mp4, at, what)
}

/// A [`MediaError::Limit`] of this container.
pub(super) fn limit(what: &'static str, limit: u64) -> MediaError {
    MediaError::Limit {
        container: Container::Mp4,
        what: what.into(),
        limit,
    }
}

/// A length in memory as a number of bytes of an object.
pub(super) fn length(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn atom(bytes: &'static [u8]) -> Atom {
        Atom {
            kind: *b"test",
            body_at: 100,
            body: Bytes::from_static(bytes),
        }
    }

    #[test]
    fn heads_have_short_long_and_open_sizes() {
        let short = BoxHead::read(b"\0\0\0\x14free....", 5, 1000).unwrap();
        assert_eq!((short.range, short.body_at), (ByteRange::new(5, 25), 13));
        let long = BoxHead::read(b"\0\0\0\x01mdat\0\0\0\x02\0\0\0\0", 10, 1000).unwrap();
        assert_eq!((long.range.len(), long.body_at), (0x2_0000_0000, 26));
        let open = BoxHead::read(b"\0\0\0\0mdat", 10, 1000).unwrap();
        assert_eq!(open.range, ByteRange::new(10, 1000));
        assert_eq!(BoxHead::read(b"\0\0\0\x07free", 0, 1000), None);
        assert_eq!(
            BoxHead::read(b"\0\0\0\x01mdat\0\0\0\0\0\0\0\x0f", 0, 1000),
            None
        );
        assert_eq!(BoxHead::read(b"\0\0\0\x09fre", 0, 1000), None);
    }

    #[test]
    fn children_are_cut_to_their_parent_and_end_at_padding() {
        let kinds = |atom: &Atom| {
            atom.children(0)
                .map(|child| (child.kind, child.body_at, child.body))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            kinds(&atom(b"\0\0\0\x0aaaaa12\0\0\0\x08bbbb\0\0\0\0")),
            [
                (*b"aaaa", 108, Bytes::from_static(b"12")),
                (*b"bbbb", 118, Bytes::new())
            ]
        );
        assert_eq!(
            kinds(&atom(b"\0\0\0\xffaaaa123")),
            [(*b"aaaa", 108, Bytes::from_static(b"123"))]
        );
    }

    proptest! {
        #[test]
        fn children_stay_inside_and_end(bytes: Vec<u8>) {
            let atom = Atom { kind: *b"test", body_at: 7, body: Bytes::from(bytes) };
            let mut at = atom.body_at;
            for child in atom.children(0) {
                prop_assert!(child.body_at >= at + 8);
                prop_assert!(atom.body_range().covers(child.body_range()));
                at = child.body_range().end;
            }
        }
    }
}
