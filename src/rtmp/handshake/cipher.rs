//! RC4, which hides what follows an encrypted handshake: a stream of bytes for each direction, one
//! for each byte sent.
//!
//! RC4 is broken. It is here because players ask for it, and it keeps nothing from anybody who
//! wants to know. It is our own because, making eight bytes at a time, it is a third faster than
//! the `rc4` crate (`benches/micro/handshake.rs`), and it runs over all that such a viewer gets.

use super::BLOCK;
use super::group::Value;
use super::seed::hmac;

/// Length of a key.
const KEY: usize = 16;

/// The keystream of one direction. What is sent goes through it once, in the order sent.
pub struct Cipher {
    /// On the heap: a plain connection has the place for a cipher, and no cipher.
    table: Box<[u8; 256]>,
    i: u8,
    j: u8,
}

/// The keystreams of a connection, past the bytes that nobody uses.
#[derive(Debug)]
pub struct Ciphers {
    /// Of what is received.
    pub input: Cipher,
    /// Of what is sent.
    pub output: Cipher,
}

impl Ciphers {
    /// The keystreams of the side that sent `ours`. What goes to a peer has the key that is made
    /// of the secret and the peer's public value. The first bytes of each stream, as many as a
    /// block has, are thrown away.
    pub(super) fn new(secret: &Value, ours: &Value, theirs: &Value) -> Self {
        let towards = |value: &Value| {
            let mut cipher = Cipher::new(&key(secret, value));
            cipher.apply(&mut [0; BLOCK]);
            cipher
        };
        Self {
            input: towards(ours),
            output: towards(theirs),
        }
    }
}

/// The key of what goes to the side that sent `value`.
pub(super) fn key(secret: &Value, value: &Value) -> [u8; KEY] {
    let mut key = [0; KEY];
    for (to, from) in key.iter_mut().zip(hmac(secret, &[value])) {
        *to = from;
    }
    key
}

impl Cipher {
    /// The keystream of `key`, from its first byte. Keys have up to 256 bytes.
    pub fn new(key: &[u8]) -> Self {
        let mut table = Box::new([0; 256]);
        for (slot, value) in table.iter_mut().zip(0..=u8::MAX) {
            *slot = value;
        }
        let mut j = 0u8;
        for (i, byte) in (0..=u8::MAX).zip(key.iter().cycle()) {
            j = j.wrapping_add(get(&table, i)).wrapping_add(*byte);
            table.swap(usize::from(i), usize::from(j));
        }
        Self { table, i: 0, j: 0 }
    }

    /// Enciphers or deciphers `bytes` in place: both are the same.
    pub fn apply(&mut self, bytes: &mut [u8]) {
        // The two counters are copied out and back, so that they are kept in registers.
        let (table, mut i, mut j) = (&mut *self.table, self.i, self.j);
        let mut next = || {
            i = i.wrapping_add(1);
            let at_i = get(table, i);
            j = j.wrapping_add(at_i);
            let at_j = get(table, j);
            set(table, i, at_j);
            set(table, j, at_i);
            get(table, at_i.wrapping_add(at_j))
        };
        let (words, rest) = bytes.as_chunks_mut::<8>();
        for word in words {
            let stream: [u8; 8] = std::array::from_fn(|_| next());
            *word = (u64::from_ne_bytes(*word) ^ u64::from_ne_bytes(stream)).to_ne_bytes();
        }
        for byte in rest {
            *byte ^= next();
        }
        (self.i, self.j) = (i, j);
    }
}

impl std::fmt::Debug for Cipher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cipher(..)")
    }
}

// No byte is beyond a table of 256: these two compile to plain reads and writes.

fn get(table: &[u8; 256], at: u8) -> u8 {
    table.get(usize::from(at)).copied().unwrap_or_default()
}

fn set(table: &mut [u8; 256], at: u8, value: u8) {
    if let Some(slot) = table.get_mut(usize::from(at)) {
        *slot = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stream(key: &[u8], skipped: usize) -> [u8; 16] {
        let mut cipher = Cipher::new(key);
        cipher.apply(&mut vec![0; skipped]);
        let mut out = [0; 16];
        cipher.apply(&mut out);
        out
    }

    /// RFC 6229 section 2: keys of 40, 128 and 256 bits, at the offsets in the comments.
    #[test]
    fn streams_match_rfc_6229() {
        let key: Vec<u8> = (1..=32).collect();
        let vectors: [(usize, usize, u128); 5] = [
            (5, 0, 0xb239_6305_f03d_c027_ccc3_524a_0a11_18a8),
            (16, 0, 0x9ac7_cc9a_609d_1ef7_b293_2899_cde4_1b97),
            (16, 1536, 0xffa0_b514_647e_c04f_6306_b892_ae66_1181),
            (16, 4096, 0xa36a_4c30_1ae8_ac13_610c_cbc1_2256_cacc),
            (32, 0, 0xeaa6_bd25_880b_f93d_3f5d_1e4c_a261_1d91),
        ];
        for (len, skipped, expected) in vectors {
            let found = u128::from_be_bytes(stream(&key[..len], skipped));
            assert_eq!(found, expected, "{len} bytes, at {skipped}");
        }
    }

    proptest! {
        /// It makes no difference how the bytes are cut.
        #[test]
        fn a_stream_goes_on_where_it_stopped(
            key: [u8; 16],
            bytes in proptest::collection::vec(any::<u8>(), 0..100),
            cuts in proptest::collection::vec(1usize..20, 1..4),
        ) {
            let mut whole = bytes.clone();
            Cipher::new(&key).apply(&mut whole);
            let mut cipher = Cipher::new(&key);
            let mut pieces = bytes;
            let mut rest = pieces.as_mut_slice();
            for cut in cuts.into_iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (piece, after) = rest.split_at_mut(cut.min(rest.len()));
                cipher.apply(piece);
                rest = after;
            }
            prop_assert_eq!(pieces, whole);
        }
    }
}
