//! Random bytes for a connection, from the few that its owner hands in.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// 32 random bytes, new for each connection: everything random in it is derived from them.
///
/// A handshake needs 3 KB of filling and a connection some ids; asking the system for 32 bytes
/// and spreading them is cheaper, and the core stays free of randomness of its own.
#[derive(Clone, PartialEq, Eq)]
pub struct Seed(pub [u8; 32]);

impl Seed {
    /// Fills `out` with bytes that differ for each `purpose`.
    pub fn fill(&self, purpose: &str, out: &mut [u8]) {
        // Keyed once: the key is half of the work.
        let keyed = Keyed::new(&self.0);
        for (count, chunk) in (0u32..).zip(out.chunks_mut(32)) {
            let block = keyed.sign(&[purpose.as_bytes(), &count.to_be_bytes()]);
            for (to, from) in chunk.iter_mut().zip(block) {
                *to = from;
            }
        }
    }
}

impl std::fmt::Debug for Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seed(..)")
    }
}

/// HMAC-SHA256 of `parts`, one after another.
pub(super) fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    Keyed::new(key).sign(parts)
}

/// HMAC-SHA256 with a key. Every length of key is valid for HMAC, so there always is one.
struct Keyed(Option<Hmac<Sha256>>);

impl Keyed {
    fn new(key: &[u8]) -> Self {
        Self(Hmac::new_from_slice(key).ok())
    }

    fn sign(&self, parts: &[&[u8]]) -> [u8; 32] {
        let Some(mut mac) = self.0.clone() else {
            return [0; 32];
        };
        parts.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hmac_matches_rfc_4231() {
        // Test case 2.
        let mac = hmac(b"Jefe", &[b"what do ya want ", b"for nothing?"]);
        let hex: String = mac.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hex,
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn purposes_and_seeds_give_different_bytes() {
        let fill = |seed, purpose| {
            let mut out = [0; 100];
            Seed([seed; 32]).fill(purpose, &mut out);
            out
        };
        assert_ne!(fill(1, "a"), fill(1, "b"));
        assert_ne!(fill(1, "a"), fill(2, "a"));
        assert_eq!(fill(1, "a"), fill(1, "a"));
        assert_ne!(fill(1, "a")[..32], fill(1, "a")[32..64]);
    }
}
