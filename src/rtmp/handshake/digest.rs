//! Signatures inside handshake blocks. Keys: spec/rtmp.md section 5.

use super::seed::hmac;
use super::{BLOCK, Block, Scheme, Scramble};

/// Length of a signature.
pub(super) const DIGEST: usize = 32;

const PLAYER_KEY: &[u8] = b"Genuine Adobe Flash Player 001";
const SERVER_KEY: &[u8] = b"Genuine Adobe Flash Media Server 001";

/// What is appended to either key to sign an answer.
const KEY_TAIL: [u8; 32] = [
    0xf0, 0xee, 0xc2, 0x4a, 0x80, 0x68, 0xbe, 0xe8, 0x2e, 0x00, 0xd0, 0xd1, 0x02, 0x9e, 0x7e, 0x57,
    0x6e, 0xec, 0x5d, 0x2d, 0x29, 0x80, 0x6f, 0xab, 0x93, 0xb8, 0xe6, 0x36, 0xcf, 0xeb, 0x31, 0xae,
];

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

/// The block before, in and after its signature.
fn split(block: &Block, scheme: Scheme) -> (&[u8], &[u8], &[u8]) {
    let (before, rest) = block.split_at(scheme.digest_at(block));
    let (digest, after) = rest.split_at(DIGEST.min(rest.len()));
    (before, digest, after)
}

/// Writes the signature of `block` into it, and returns it.
pub(super) fn sign(block: &mut Block, scheme: Scheme, signer: Signer) -> [u8; DIGEST] {
    let at = scheme.digest_at(block);
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
fn answer_digest(
    filling: &[u8],
    digest: &[u8; DIGEST],
    signer: Signer,
    scramble: Scramble,
) -> [u8; DIGEST] {
    let key = hmac(&[signer.key(), KEY_TAIL.as_slice()].concat(), &[digest]);
    let mut signature = hmac(&key, &[filling]);
    scramble.apply(&mut signature, &key);
    signature
}

/// Signs an answer in its last 32 bytes.
pub(super) fn sign_answer(
    answer: &mut Block,
    digest: &[u8; DIGEST],
    signer: Signer,
    scramble: Scramble,
) {
    let (filling, signature) = answer.split_at_mut(BLOCK.saturating_sub(DIGEST));
    signature.copy_from_slice(&answer_digest(filling, digest, signer, scramble));
}

/// Whether an answer is signed rightly.
pub(super) fn verify_answer(
    answer: &Block,
    digest: &[u8; DIGEST],
    signer: Signer,
    scramble: Scramble,
) -> bool {
    let (filling, signature) = answer.split_at(BLOCK.saturating_sub(DIGEST));
    signature == answer_digest(filling, digest, signer, scramble)
}

#[cfg(test)]
mod tests {
    use super::*;

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
