//! The costly part of an encrypted handshake, as a job of its own: two powers of numbers of 1024
//! bits and, for type 9, four keys of Blowfish. It takes most of a millisecond (`benches/micro`,
//! "handshake"), which a thread that delivers to others has not got.

use super::cipher::Ciphers;
use super::group::{EXPONENT, Exponent, Member, Value};
use super::reply::{self, Hello};
use super::{HandshakeError, Scramble, Seed, Version};

/// How many exponents are looked at until one gives a secret that every player writes the same
/// way; see [`choose`]. One in 256 does not, so one client in 2^32 is turned away.
const EXPONENTS: usize = 4;

/// What is to be computed before the handshake can go on. It needs nothing but itself.
#[derive(Debug, Clone, PartialEq)]
pub struct KeyAgreement {
    pub(super) hello: Hello,
    pub(super) scramble: Scramble,
    /// The public value of the client, as it came.
    pub(super) theirs: Box<Value>,
    pub(super) seed: Seed,
}

/// What was computed, for the handshake that asked for it and no other.
#[derive(Debug)]
pub struct KeyAgreed(pub(super) Result<Agreed, HandshakeError>);

#[derive(Debug)]
pub(super) struct Agreed {
    /// S0, S1 and S2.
    pub(super) reply: Vec<u8>,
    pub(super) ciphers: Ciphers,
}

impl KeyAgreement {
    /// Does the work. To be called where a millisecond of computing is in nobody's way.
    pub fn compute(self) -> KeyAgreed {
        KeyAgreed(self.agree())
    }

    fn agree(&self) -> Result<Agreed, HandshakeError> {
        let member = Member::new(&self.theirs).ok_or(HandshakeError::PublicValue)?;
        let (exponent, secret) = choose(&self.seed, &member).ok_or(HandshakeError::PublicValue)?;
        let ours = Member::GENERATOR.raise(&exponent);
        let version = Version::Encrypted(self.scramble);
        Ok(Agreed {
            reply: reply::signed(version, &self.hello, Some(&ours), &self.seed),
            ciphers: Ciphers::new(&secret, &ours, &self.theirs),
        })
    }
}

/// An exponent and the secret that it gives with `theirs`: the first of a few whose secret has no
/// zero in front. Players disagree on those: librtmp with GnuTLS keeps the zero, ffmpeg and
/// librtmp with OpenSSL move the rest into its place.
fn choose(seed: &Seed, theirs: &Member) -> Option<(Exponent, Value)> {
    let mut bytes = [0; EXPONENT * EXPONENTS];
    seed.fill("exponent", &mut bytes);
    let (exponents, _) = bytes.as_chunks::<EXPONENT>();
    let mut tried = exponents.iter().map(|it| (*it, theirs.raise(it)));
    tried.find(|(_, secret)| secret.first() != Some(&0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The seed was found by the Python program of `known_answers.rs`: of all that count up from
    /// zero it is the first whose first exponent and that program's client give a secret with a
    /// zero in front. The expected value is that of its second exponent.
    #[test]
    fn a_secret_with_a_zero_in_front_is_not_taken() {
        let theirs = Member::GENERATOR.raise(&std::array::from_fn(|at| at as u8 + 1));
        let mut seed = [0; 32];
        seed[31] = 6;
        let theirs = Member::new(&theirs).unwrap();
        let (exponent, secret) = choose(&Seed(seed), &theirs).unwrap();
        let ours = Member::GENERATOR.raise(&exponent);
        assert_eq!(
            ours[..16],
            0x1244_3f7e_b682_c369_70fe_a1e8_0d92_66b9_u128.to_be_bytes()
        );
        assert_ne!(secret[0], 0);
    }
}
