//! Signatures inside handshake blocks. Offsets and keys: spec/rtmp.md section 5.

use super::seed::hmac;
use super::{BLOCK, Block};

/// Length of a signature.
const DIGEST: usize = 32;

/// Where a block's signature may stand at the latest, relative to the first place of its scheme.
const SPREAD: u32 = 728;

const PLAYER_KEY: &[u8] = b"Genuine Adobe Flash Player 001";
const SERVER_KEY: &[u8] = b"Genuine Adobe Flash Media Server 001";

/// What is appended to either key to sign an answer.
const KEY_TAIL: [u8; 32] = [
    0xf0, 0xee, 0xc2, 0x4a, 0x80, 0x68, 0xbe, 0xe8, 0x2e, 0x00, 0xd0, 0xd1, 0x02, 0x9e, 0x7e, 0x57,
    0x6e, 0xec, 0x5d, 0x2d, 0x29, 0x80, 0x6f, 0xab, 0x93, 0xb8, 0xe6, 0x36, 0xcf, 0xeb, 0x31, 0xae,
];

/// In which half of a block its signature is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// In the first half: the place is told by bytes 8 to 11.
    First,
    /// In the second half: the place is told by bytes 772 to 775.
    Second,
}

/// Who signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signer {
    Player,
    Server,
}

impl Signer {
    const fn key(self) -> &'static [u8] {
        match self {
            Self::Player => PLAYER_KEY,
            Self::Server => SERVER_KEY,
        }
    }
}

/// Where the signature of `block` stands in `scheme`.
fn place(block: &Block, scheme: Scheme) -> usize {
    let told_at: usize = match scheme {
        Scheme::First => 8,
        Scheme::Second => 772,
    };
    let told = block.iter().skip(told_at).take(4);
    let sum = told.fold(0u32, |sum, byte| sum.saturating_add(u32::from(*byte)));
    // The signature may stand right after the four bytes that tell, or up to 727 further on.
    let offset = usize::try_from(sum.checked_rem(SPREAD).unwrap_or(0)).unwrap_or(0);
    told_at.saturating_add(4).saturating_add(offset)
}

/// The block before, in and after its signature.
fn split(block: &Block, scheme: Scheme) -> (&[u8], &[u8], &[u8]) {
    let (before, rest) = block.split_at(place(block, scheme));
    let (digest, after) = rest.split_at(DIGEST.min(rest.len()));
    (before, digest, after)
}

/// Writes the signature of `block` into it, and returns it.
pub(super) fn sign(block: &mut Block, scheme: Scheme, signer: Signer) -> [u8; DIGEST] {
    let at = place(block, scheme);
    let (before, _, after) = split(block, scheme);
    let digest = hmac(signer.key(), &[before, after]);
    for (to, from) in block.iter_mut().skip(at).zip(digest) {
        *to = from;
    }
    digest
}

/// The signature of `block`, where it is there and right, and its scheme.
pub(super) fn find(block: &Block, signer: Signer) -> Option<(Scheme, [u8; DIGEST])> {
    [Scheme::First, Scheme::Second]
        .into_iter()
        .find_map(|scheme| {
            let (before, found, after) = split(block, scheme);
            let digest = hmac(signer.key(), &[before, after]);
            (found == digest).then_some((scheme, digest))
        })
}

/// The signature at the end of an answer: of `filling`, the bytes before it, for the block that
/// was signed with `digest`.
fn answer_digest(filling: &[u8], digest: &[u8; DIGEST], signer: Signer) -> [u8; DIGEST] {
    let key = [signer.key(), KEY_TAIL.as_slice()].concat();
    hmac(&hmac(&key, &[digest]), &[filling])
}

/// Signs an answer in its last 32 bytes.
pub(super) fn sign_answer(answer: &mut Block, digest: &[u8; DIGEST], signer: Signer) {
    let (filling, signature) = answer.split_at_mut(BLOCK.saturating_sub(DIGEST));
    signature.copy_from_slice(&answer_digest(filling, digest, signer));
}

/// Whether an answer is signed rightly.
pub(super) fn verify_answer(answer: &Block, digest: &[u8; DIGEST], signer: Signer) -> bool {
    let (filling, signature) = answer.split_at(BLOCK.saturating_sub(DIGEST));
    signature == answer_digest(filling, digest, signer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_told_by_four_bytes() {
        let mut block = [0; BLOCK];
        assert_eq!(place(&block, Scheme::First), 12);
        assert_eq!(place(&block, Scheme::Second), 776);
        block[8..12].copy_from_slice(&[255, 255, 255, 255]); // 1020 % 728 = 292
        block[772..776].copy_from_slice(&[255, 255, 217, 0]); // 727: the last place
        assert_eq!(place(&block, Scheme::First), 304);
        assert_eq!(place(&block, Scheme::Second), 1503);
    }

    #[test]
    fn a_signed_block_is_recognised_and_a_changed_one_is_not() {
        for scheme in [Scheme::First, Scheme::Second] {
            let mut block = [0xa5; BLOCK];
            let digest = sign(&mut block, scheme, Signer::Player);
            assert_eq!(find(&block, Signer::Player), Some((scheme, digest)));
            assert_eq!(find(&block, Signer::Server), None);
            block[1535] ^= 1;
            assert_eq!(find(&block, Signer::Player), None);
        }
    }
}
