//! Where things stand in a signed block: each place is told by the sum of four bytes of the block.
//! Offsets: spec/rtmp.md section 5.

use super::group::{VALUE, Value};
use super::{BLOCK, Block};

/// In which half of a block its signature is. The public value of an encrypted handshake is in the
/// other half, so they never overlap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// The signature is in the first half.
    First,
    /// The signature is in the second half.
    Second,
}

impl Scheme {
    /// Where the signature of `block` stands.
    pub(super) fn digest_at(self, block: &Block) -> usize {
        match self {
            Self::First => told(block, 8, 12, 728),
            Self::Second => told(block, 772, 776, 728),
        }
    }

    /// Where the public value in `block` stands.
    pub(super) fn value_at(self, block: &Block) -> usize {
        match self {
            Self::First => told(block, 1532, 772, 632),
            Self::Second => told(block, 768, 8, 632),
        }
    }

    /// The public value in `block`.
    pub(super) fn value(self, block: &Block) -> Value {
        let mut value = [0; VALUE];
        let found = block.iter().skip(self.value_at(block));
        for (to, from) in value.iter_mut().zip(found) {
            *to = *from;
        }
        value
    }

    /// Puts a public value into `block`. To be done before the block is signed.
    pub(super) fn set_value(self, block: &mut Block, value: &Value) {
        let at = self.value_at(block);
        for (to, from) in block.iter_mut().skip(at).zip(value) {
            *to = *from;
        }
    }
}

/// A place that the four bytes at `told_at` tell: one of the `spread` from `first` on.
fn told(block: &[u8; BLOCK], told_at: usize, first: usize, spread: u32) -> usize {
    let bytes = block.iter().skip(told_at).take(4);
    let sum = bytes.fold(0u32, |sum, byte| sum.saturating_add(u32::from(*byte)));
    let offset = sum.checked_rem(spread).unwrap_or(0);
    first.saturating_add(usize::try_from(offset).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_told_by_four_bytes() {
        let mut block = [0; BLOCK];
        assert_eq!(Scheme::First.digest_at(&block), 12);
        assert_eq!(Scheme::First.value_at(&block), 772);
        assert_eq!(Scheme::Second.digest_at(&block), 776);
        assert_eq!(Scheme::Second.value_at(&block), 8);
        block[8..12].copy_from_slice(&[255, 255, 255, 255]); // 1020 % 728 = 292
        block[772..776].copy_from_slice(&[255, 255, 217, 0]); // 727: the last place
        block[1532..].copy_from_slice(&[255, 255, 255, 255]); // 1020 % 632 = 388
        block[768..772].copy_from_slice(&[255, 255, 121, 0]); // 631: the last place
        assert_eq!(Scheme::First.digest_at(&block), 304);
        assert_eq!(Scheme::First.value_at(&block), 1160);
        assert_eq!(Scheme::Second.digest_at(&block), 1503);
        assert_eq!(Scheme::Second.value_at(&block), 639);
    }

    #[test]
    fn the_last_place_of_a_value_ends_before_the_bytes_that_tell() {
        let mut block = [0; BLOCK];
        block[768..772].copy_from_slice(&[255, 255, 121, 0]);
        block[1532..].copy_from_slice(&[255, 255, 121, 0]);
        let value = std::array::from_fn(|at| at as u8 ^ 0x55);
        for scheme in [Scheme::First, Scheme::Second] {
            let mut with = block;
            scheme.set_value(&mut with, &value);
            assert_eq!(scheme.value(&with), value);
            assert_eq!(with[768..772], block[768..772]);
            assert_eq!(with[1532..], block[1532..]);
        }
    }
}
