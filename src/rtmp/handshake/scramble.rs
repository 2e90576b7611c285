//! What the types 8 and 9 of the encrypted handshake do more than type 6: the signature of an
//! answer is put through a block cipher, eight bytes at a time, under one of fifteen keys that
//! everybody has. It adds nothing but that the peer must know it.

mod keys;

use blowfish::BlowfishLE;
use blowfish::cipher::{BlockCipherEncrypt, KeyInit};
use xtea::Xtea;

/// How the signatures of answers are scrambled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scramble {
    /// Not at all: type 6.
    None,
    /// By XTEA: type 8.
    Xtea,
    /// By Blowfish: type 9.
    Blowfish,
}

impl Scramble {
    /// Scrambles a signature that was made with `key`, whose bytes 0, 8, 16 and 24 choose the keys.
    /// Numbers in both ciphers are little-endian.
    pub(super) fn apply(self, signature: &mut [u8; 32], key: &[u8; 32]) {
        let (groups, _) = signature.as_chunks_mut::<8>();
        for (group, choice) in groups.iter_mut().zip(key.iter().step_by(8)) {
            let choice = usize::from(*choice % keys::COUNT);
            match self {
                Self::None => {}
                Self::Xtea => encrypt::<Xtea>(keys::xtea(choice).as_flattened(), group),
                Self::Blowfish => {
                    encrypt::<BlowfishLE>(keys::blowfish(choice).as_flattened(), group)
                }
            }
        }
    }
}

fn encrypt<C>(key: &[u8], group: &mut [u8; 8])
where
    C: KeyInit + BlockCipherEncrypt<BlockSize = blowfish::cipher::consts::U8>,
{
    // The keys have the lengths that the ciphers want, so this is never refused.
    if let Ok(cipher) = C::new_from_slice(key) {
        cipher.encrypt_block(group.into());
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn scrambled(scramble: Scramble, key: [u8; 32]) -> [u8; 32] {
        let mut signature = std::array::from_fn(|at| at as u8);
        scramble.apply(&mut signature, &key);
        signature
    }

    /// XTEA: the vector for a key and block of zeros, with its words turned. Blowfish: the second
    /// of Eric Young's set, with the words of block and result turned.
    #[test]
    fn the_ciphers_match_published_vectors() {
        let mut group = [0; 8];
        encrypt::<Xtea>(&[0; 16], &mut group);
        assert_eq!(hex(&group), "d8d4e9ded91e13f7");
        let mut group = [0xff; 8];
        encrypt::<BlowfishLE>(&[0xff; 8], &mut group);
        // 51866fd5 b85ecb8a
        assert_eq!(hex(&group), "d56f86518acb5eb8");
    }

    /// Made by a Python program of this project's that knows XTEA and Blowfish by their definitions
    /// (Blowfish's tables being the digits of pi) and the two tables of keys, which were found byte
    /// for byte in librtmp 2.4.
    #[test]
    fn each_group_has_the_key_that_its_byte_chooses() {
        let key = std::array::from_fn(|at| at as u8);
        assert_eq!(scrambled(Scramble::None, key), key);
        assert_eq!(
            hex(&scrambled(Scramble::Xtea, key)),
            "c7c82aca95daa419bcd305cbdc6229e8ea2b67c4f29c7c0000bd48c390e2165f"
        );
        assert_eq!(
            hex(&scrambled(Scramble::Blowfish, key)),
            "a031fb6d807be57daa2b0f0da9dd10a0941081a798c6f21f3892ac3257cdf50c"
        );
    }

    /// From the same program: the hash of what each of the fifteen keys makes.
    #[test]
    fn all_keys_are_right() {
        let all = |scramble| {
            let hash = (0..keys::COUNT).fold(Sha256::new(), |hash, choice| {
                hash.chain_update(scrambled(scramble, [choice; 32]))
            });
            hex(&hash.finalize())
        };
        assert_eq!(
            all(Scramble::Xtea),
            "2f9cd7aef9fd8dc9f69545f9e0ea420a6b04faba449abab2259677bfe612b262"
        );
        assert_eq!(
            all(Scramble::Blowfish),
            "43768b6ea714ba57910efa421c79264ff204d0f54c5986d21802f3a39a137e4c"
        );
    }
}
