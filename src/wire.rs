//! A bounds-checked cursor over big-endian bytes: the only way in which layer 1 reads input.
//!
//! Nothing here panics or allocates. A read past the end is an error that says at which byte of
//! the slice it happened; the caller adds what it was reading.

// Pure code that reads what viewers and files control: what could panic does not compile.
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation
    )
)]

/// A read wanted more bytes than there were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{wanted} bytes wanted at byte {at}, {left} left")]
pub struct Truncated {
    /// Position in the slice where the read began.
    pub at: usize,
    /// How many bytes it wanted.
    pub wanted: usize,
    /// How many were left.
    pub left: usize,
}

/// A position in a slice of bytes, moved forward by each read.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// A reader at the first byte of `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How many bytes have been read.
    pub const fn position(&self) -> usize {
        self.at
    }

    /// How many bytes are left.
    pub const fn remaining(&self) -> usize {
        self.bytes.len().saturating_sub(self.at)
    }

    /// Whether all bytes have been read.
    pub const fn is_empty(&self) -> bool {
        self.remaining() == 0
    }

    /// The bytes that are left, without reading them.
    pub fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// The next byte, without reading it.
    pub fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Reads `len` bytes.
    pub fn take(&mut self, len: usize) -> Result<&'a [u8], Truncated> {
        let end = self.at.saturating_add(len);
        let taken = self.bytes.get(self.at..end).ok_or(Truncated {
            at: self.at,
            wanted: len,
            left: self.remaining(),
        })?;
        self.at = end;
        Ok(taken)
    }

    /// Passes over `len` bytes.
    pub fn skip(&mut self, len: usize) -> Result<(), Truncated> {
        self.take(len).map(drop)
    }

    /// Reads exactly `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Truncated> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    /// Reads an unsigned 8-bit integer.
    pub fn u8(&mut self) -> Result<u8, Truncated> {
        self.array::<1>().map(u8::from_be_bytes)
    }

    /// Reads an unsigned 16-bit integer.
    pub fn u16(&mut self) -> Result<u16, Truncated> {
        self.array().map(u16::from_be_bytes)
    }

    /// Reads a signed 16-bit integer.
    pub fn i16(&mut self) -> Result<i16, Truncated> {
        self.array().map(i16::from_be_bytes)
    }

    /// Reads an unsigned 24-bit integer.
    pub fn u24(&mut self) -> Result<u32, Truncated> {
        let [a, b, c] = self.array()?;
        Ok(u32::from_be_bytes([0, a, b, c]))
    }

    /// Reads an unsigned 32-bit integer.
    pub fn u32(&mut self) -> Result<u32, Truncated> {
        self.array().map(u32::from_be_bytes)
    }

    /// Reads an unsigned 32-bit little-endian integer: RTMP's message stream id.
    pub fn u32_le(&mut self) -> Result<u32, Truncated> {
        self.array().map(u32::from_le_bytes)
    }

    /// Reads a signed 32-bit integer.
    pub fn i32(&mut self) -> Result<i32, Truncated> {
        self.array().map(i32::from_be_bytes)
    }

    /// Reads an unsigned 64-bit integer.
    pub fn u64(&mut self) -> Result<u64, Truncated> {
        self.array().map(u64::from_be_bytes)
    }

    /// Reads a signed 64-bit integer.
    pub fn i64(&mut self) -> Result<i64, Truncated> {
        self.array().map(i64::from_be_bytes)
    }

    /// Reads a 64-bit floating-point number.
    pub fn f64(&mut self) -> Result<f64, Truncated> {
        self.array().map(f64::from_be_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_integers_of_every_width() {
        let mut reader = Reader::new(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        assert_eq!(reader.u8(), Ok(1));
        assert_eq!(reader.u24(), Ok(0x02_03_04));
        assert_eq!(reader.u16(), Ok(0x05_06));
        assert_eq!(reader.u32_le(), Ok(0x0a_09_08_07));
        assert_eq!(
            reader.u8(),
            Err(Truncated {
                at: 10,
                wanted: 1,
                left: 0
            })
        );
    }

    proptest! {
        #[test]
        fn never_reads_past_the_end(bytes: Vec<u8>, wants in proptest::collection::vec(any::<usize>(), 0..20)) {
            let mut reader = Reader::new(&bytes);
            for want in wants {
                let before = reader.position();
                match reader.take(want) {
                    Ok(taken) => prop_assert_eq!(taken, &bytes[before..before + want]),
                    Err(error) => prop_assert_eq!((error.at, error.left), (before, bytes.len() - before)),
                }
                prop_assert_eq!(reader.position() + reader.remaining(), bytes.len());
            }
        }
    }
}
