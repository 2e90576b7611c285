//! S0, S1 and S2.

use super::digest::{self, DIGEST, Signer};
use super::group::Value;
use super::{BLOCK, Block, REPLY, Scheme, Seed, Version};

/// First bytes of the version in a signed block: that of Flash Media Server 3.5.7. Players take
/// 3 or more as a promise of signatures.
const SERVER_VERSION: [u8; 4] = [3, 5, 7, 1];

/// What a signed C1 says of how to answer it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Hello {
    /// Where its signature stands.
    pub(super) scheme: Scheme,
    /// Its signature.
    pub(super) digest: [u8; DIGEST],
}

impl Hello {
    /// Of this C1; `None` where it is not signed.
    pub(super) fn read(hello: &Block) -> Option<Self> {
        let (scheme, digest) = digest::find(hello, Signer::Player)?;
        Some(Self { scheme, digest })
    }
}

/// The answer to a client that echoes.
pub(super) fn plain(hello: &Block, seed: &Seed, out: &mut Vec<u8>) {
    out.push(Version::Plain.byte());
    // Our time and version are 0.
    out.extend_from_slice(&filled(seed));
    out.extend_from_slice(hello);
}

/// The answer to a client that signs: in its scheme, with `value` where it asks for encryption.
pub(super) fn signed(
    version: Version,
    hello: &Hello,
    value: Option<&Value>,
    seed: &Seed,
) -> Vec<u8> {
    let mut block = filled(seed);
    for (to, from) in block.iter_mut().skip(4).zip(SERVER_VERSION) {
        *to = from;
    }
    if let Some(value) = value {
        hello.scheme.set_value(&mut block, value);
    }
    digest::sign(&mut block, hello.scheme, Signer::Server);
    let mut answer = [0; BLOCK];
    seed.fill("S2", &mut answer);
    digest::sign_answer(
        &mut answer,
        &hello.digest,
        Signer::Server,
        version.scramble(),
    );
    let mut out = Vec::with_capacity(REPLY);
    out.push(version.byte());
    out.extend_from_slice(&block);
    out.extend_from_slice(&answer);
    out
}

/// S1 before it is signed: random behind the time and the version.
fn filled(seed: &Seed) -> Block {
    let mut block = [0; BLOCK];
    let (_, filling) = block.split_at_mut(8);
    seed.fill("S1", filling);
    block
}
