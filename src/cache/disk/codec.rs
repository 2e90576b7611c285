//! How a value lies on the disk: a head, a description, the payload and a digest over all of it
//! and the key.
//!
//! The store below has a checksum of its own (64 bits, over one entry). The digest here is what a
//! viewer's bytes rest on: SHA-256 over the format's version, the whole key, and every byte of the
//! value. A block that was cut, flipped, left over from another key or another version of this
//! program does not open. It costs about 0.3 ms for a segment of 512 KiB (1.5 ms on a processor
//! without SHA instructions), beside a read of the disk or the origin.
//!
//! Numbers are little-endian; lengths are bytes.

use std::io::{self, Write};
use std::ops::Range;
use std::sync::Arc;

use sha2::{Digest, Sha256};

/// Changed whenever the bytes below, or what a description holds, change their meaning.
const FORMAT: u32 = 0x5346_4301;

/// Format, length of the description, length of the payload.
const HEAD: usize = 12;

/// Length of the digest.
const DIGEST: usize = 32;

/// How much of a payload is copied at once.
const PIECE: usize = 64 * 1024;

/// The largest description: that of a segment of 4,096 messages is below 64 KiB, but a cursor in
/// a fragmented file carries the tables of its fragment.
const DESCRIPTION_MAX: usize = 256 * 1024;

/// The largest value that goes to the disk: eight ordinary segments. A single message of up to
/// 16 MiB would take more buffer than all others together.
pub const VALUE_MAX: usize = 4 << 20;

/// A key that names a value on the disk, also after a restart.
pub trait StoredKey {
    /// Writes its name: two keys that differ have names that differ.
    fn write_name(&self, name: &mut Vec<u8>);
}

/// A value that can be put on a disk and taken up again.
pub trait Stored: Sized {
    /// How many bytes its payload has.
    fn payload_len(&self) -> usize;

    /// Copies a part of the payload into `buffer`, in place of what was in it.
    ///
    /// # Errors
    /// The bytes cannot be had.
    fn read_payload(&self, range: Range<usize>, buffer: &mut Vec<u8>) -> io::Result<()>;

    /// Everything but the payload, in few bytes. `None`: it cannot be stored.
    fn describe(&self) -> Option<Vec<u8>>;

    /// The value that was described so. `None`: that is no description.
    fn restore(description: &[u8], payload: &[u8]) -> Option<Self>;
}

impl<T: Stored> Stored for Arc<T> {
    fn payload_len(&self) -> usize {
        T::payload_len(self)
    }

    fn read_payload(&self, range: Range<usize>, buffer: &mut Vec<u8>) -> io::Result<()> {
        T::read_payload(self, range, buffer)
    }

    fn describe(&self) -> Option<Vec<u8>> {
        T::describe(self)
    }

    fn restore(description: &[u8], payload: &[u8]) -> Option<Self> {
        T::restore(description, payload).map(Self::new)
    }
}

/// The description of a value, and how many bytes it takes with it; `None` where that is too much,
/// or it cannot be stored.
pub(super) fn describe(value: &impl Stored) -> Option<(Vec<u8>, usize)> {
    let bare = value.payload_len().checked_add(HEAD + DIGEST)?;
    if bare > VALUE_MAX {
        return None;
    }
    let description = value.describe()?;
    let size = bare.checked_add(description.len())?;
    let fits = size <= VALUE_MAX && description.len() <= DESCRIPTION_MAX;
    fits.then_some((description, size))
}

/// Writes `value`, the value of the key called `name`, with its description.
pub(super) fn seal(
    value: &impl Stored,
    description: &[u8],
    name: &[u8],
    to: &mut impl Write,
) -> io::Result<()> {
    let wrong = || io::Error::from(io::ErrorKind::InvalidData);
    let mut head = [0; HEAD];
    let lengths = [description.len(), value.payload_len()];
    let words = [
        Ok(FORMAT),
        u32::try_from(lengths[0]),
        u32::try_from(lengths[1]),
    ];
    for (slot, word) in head.chunks_exact_mut(4).zip(words) {
        slot.copy_from_slice(&word.map_err(|_| wrong())?.to_le_bytes());
    }
    let mut digest = digest_of(name);
    let mut put = |bytes: &[u8]| {
        digest.update(bytes);
        to.write_all(bytes)
    };
    put(&head)?;
    put(description)?;
    let mut piece = Vec::new();
    for start in (0..lengths[1]).step_by(PIECE) {
        value.read_payload(start..lengths[1].min(start + PIECE), &mut piece)?;
        put(&piece)?;
    }
    let sum = digest.finalize();
    to.write_all(&sum)
}

/// Reads what was written for the key called `name`; `None` for anything else.
pub(super) fn open<V: Stored>(bytes: &[u8], name: &[u8]) -> Option<V> {
    let (sealed, sum) = bytes.split_at_checked(bytes.len().checked_sub(DIGEST)?)?;
    let (head, body) = sealed.split_at_checked(HEAD)?;
    let word = |at: usize| Some(u32::from_le_bytes(head.get(at..at + 4)?.try_into().ok()?));
    let length = |at| usize::try_from(word(at)?).ok();
    let (description, payload) = (length(4)?, length(8)?);
    let whole = description.checked_add(payload)? == body.len();
    if word(0)? != FORMAT || !whole || description > DESCRIPTION_MAX {
        return None;
    }
    if digest_of(name).chain_update(sealed).finalize().as_slice() != sum {
        return None;
    }
    let (description, payload) = body.split_at_checked(description)?;
    V::restore(description, payload)
}

/// A digest that has taken in the key; its length first, so that key and value cannot be shifted
/// against each other.
fn digest_of(name: &[u8]) -> Sha256 {
    Sha256::new()
        .chain_update((name.len() as u64).to_le_bytes())
        .chain_update(name)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A value that is nothing but bytes.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Blob {
        pub description: Vec<u8>,
        pub payload: Vec<u8>,
    }

    impl Stored for Blob {
        fn payload_len(&self) -> usize {
            self.payload.len()
        }

        fn read_payload(&self, range: Range<usize>, buffer: &mut Vec<u8>) -> io::Result<()> {
            buffer.clear();
            let part = self.payload.get(range);
            buffer.extend_from_slice(part.ok_or(io::ErrorKind::UnexpectedEof)?);
            Ok(())
        }

        fn describe(&self) -> Option<Vec<u8>> {
            Some(self.description.clone())
        }

        fn restore(description: &[u8], payload: &[u8]) -> Option<Self> {
            Some(Self {
                description: description.to_vec(),
                payload: payload.to_vec(),
            })
        }
    }

    fn sealed(blob: &Blob, name: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let (description, size) = describe(blob).unwrap();
        seal(blob, &description, name, &mut bytes).unwrap();
        assert_eq!(bytes.len(), size);
        bytes
    }

    fn blob() -> impl Strategy<Value = Blob> {
        let bytes = |most| proptest::collection::vec(any::<u8>(), 0..most);
        (bytes(200), bytes(3 * PIECE)).prop_map(|(description, payload)| Blob {
            description,
            payload,
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_was_sealed_opens_under_its_name_alone(
            blob in blob(), name: Vec<u8>, other: Vec<u8>,
        ) {
            let bytes = sealed(&blob, &name);
            prop_assert_eq!(open::<Blob>(&bytes, &name), Some(blob));
            if name != other {
                prop_assert_eq!(open::<Blob>(&bytes, &other), None);
            }
        }

        #[test]
        fn a_changed_byte_a_cut_and_an_addition_are_rejected(
            blob in blob(), name: Vec<u8>, at: prop::sample::Index, flip in 1u8..,
        ) {
            let whole = sealed(&blob, &name);
            let place = at.index(whole.len());
            let mut bytes = whole.clone();
            bytes[place] ^= flip;
            prop_assert_eq!(open::<Blob>(&bytes, &name), None);
            prop_assert_eq!(open::<Blob>(&whole[..place], &name), None);
            let mut bytes = whole;
            bytes.push(flip);
            prop_assert_eq!(open::<Blob>(&bytes, &name), None);
        }

        #[test]
        fn anything_else_is_rejected(bytes: Vec<u8>, name: Vec<u8>) {
            prop_assert_eq!(open::<Blob>(&bytes, &name), None);
        }
    }

    #[test]
    fn what_is_too_large_is_not_stored() {
        let blob = |description: usize, payload: usize| Blob {
            description: vec![0; description],
            payload: vec![0; payload],
        };
        let most = VALUE_MAX - HEAD - DIGEST;
        assert!(describe(&blob(0, most)).is_some());
        assert!(describe(&blob(0, most + 1)).is_none());
        assert!(describe(&blob(1, most)).is_none());
        assert!(describe(&blob(DESCRIPTION_MAX, 0)).is_some());
        assert!(describe(&blob(DESCRIPTION_MAX + 1, 0)).is_none());
    }
}
