//! Public keys that names are signed for: PEM, `BEGIN PUBLIC KEY`, and in it RSA of 1024 to 4096
//! bits or EC P-256 (RFC 5280, section 4.1; RFC 8017, appendix A.1.1; RFC 5480).
//!
//! The envelope is read with rustls-pki-types; the DER inside by hand, because all that is asked is
//! whether five values stand where they must. Signatures are verified by ring. Nothing in it is
//! secret, neither key nor signature nor text, so that a time that depends on them tells nothing.

use std::ops::RangeInclusive;

use ring::signature::{
    ECDSA_P256_SHA256_ASN1, RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY,
    RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, UnparsedPublicKey, VerificationAlgorithm,
};
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject;

/// The longest PEM text, bytes: a key of 4096 bits has 800.
const PEM_BYTES: usize = 4096;

/// The longest modulus, bits; longer ones only cost time.
const RSA_BITS: RangeInclusive<usize> = 1024..=4096;

/// The longest exponent, bytes. 65537 has three.
const EXPONENT_BYTES: usize = 4;

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;

/// OID 1.2.840.113549.1.1.1 and NULL.
const RSA: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";

/// OID 1.2.840.10045.2.1 and OID 1.2.840.10045.3.1.7.
const P256: &[u8] = b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";

/// Bytes of an uncompressed point, and what it begins with.
const POINT: (usize, u8) = (65, 4);

/// Why a text is no public key. Whoever sent it is to blame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The text is longer than any key.
    #[error("it has more than {PEM_BYTES} bytes")]
    Long,
    /// No PEM, or more than one block.
    #[error("it must be one PEM block that begins with -----BEGIN PUBLIC KEY-----")]
    Pem,
    /// Another kind of key, or another size.
    #[error("it must be an RSA key of 1024 to 4096 bits, or an EC key on P-256")]
    Key,
}

/// What the text of a policy is hashed with before an RSA key signs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Hash {
    /// What CloudFront's streaming distributions knew.
    #[default]
    Sha1,
    /// Where the name says so.
    Sha256,
}

/// Bytes of a P-256 signature in DER (RFC 3279, section 2.2.3): a sequence of two positive numbers
/// of 1 to 32 bytes, and a zero before each that would look negative.
const P256_SIGNATURE: RangeInclusive<usize> = 8..=72;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Algorithm {
    Rsa {
        /// Bytes of the modulus, and so of each signature (RFC 8017, section 8.2.1).
        modulus: usize,
    },
    P256,
}

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignerKey {
    algorithm: Algorithm,
    /// RSAPublicKey, or the point.
    key: Box<[u8]>,
}

impl SignerKey {
    /// Reads a public key.
    ///
    /// # Errors
    /// It is none, or more than one; or one that names cannot be signed for.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let text = text.trim();
        if text.len() > PEM_BYTES {
            return Err(KeyError::Long);
        }
        // Only one block, so that nobody's private key is kept by mistake.
        if !text.starts_with("-----BEGIN PUBLIC KEY-----")
            || text.matches("-----BEGIN").count() != 1
        {
            return Err(KeyError::Pem);
        }
        let der =
            SubjectPublicKeyInfoDer::from_pem_slice(text.as_bytes()).map_err(|_| KeyError::Pem)?;
        let (algorithm, key) = parts(&der).ok_or(KeyError::Key)?;
        let algorithm = match algorithm {
            RSA => modulus(key).map(|modulus| Algorithm::Rsa { modulus }),
            P256 if key.len() == POINT.0 && key.first() == Some(&POINT.1) => Some(Algorithm::P256),
            _ => None,
        };
        let algorithm = algorithm.ok_or(KeyError::Key)?;
        Ok(Self {
            algorithm,
            key: key.into(),
        })
    }

    /// Whether a signature of it can have so many bytes. Costs nothing, unlike a verification.
    pub fn may_have_made(&self, signature: &[u8]) -> bool {
        match self.algorithm {
            Algorithm::Rsa { modulus } => signature.len() == modulus,
            Algorithm::P256 => P256_SIGNATURE.contains(&signature.len()),
        }
    }

    /// Whether it made `signature` over `text`. EC keys hash with SHA-256, whatever `hash` says.
    pub fn verifies(&self, hash: Hash, text: &[u8], signature: &[u8]) -> bool {
        let algorithm: &dyn VerificationAlgorithm = match (self.algorithm, hash) {
            (Algorithm::Rsa { .. }, Hash::Sha1) => &RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY,
            (Algorithm::Rsa { .. }, Hash::Sha256) => {
                &RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY
            }
            (Algorithm::P256, _) => &ECDSA_P256_SHA256_ASN1,
        };
        let key = UnparsedPublicKey::new(algorithm, &self.key);
        key.verify(text, signature).is_ok()
    }
}

/// The algorithm with its parameters, and the key.
fn parts(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let whole = only(SEQUENCE, der)?;
    let (algorithm, rest) = value(SEQUENCE, whole)?;
    // The first byte says how many bits of the last one do not count.
    let (0, key) = only(BIT_STRING, rest)?.split_first()? else {
        return None;
    };
    Some((algorithm, key))
}

/// Bytes of the modulus of an RSA key that names may be signed for.
fn modulus(key: &[u8]) -> Option<usize> {
    let key = only(SEQUENCE, key)?;
    let (modulus, rest) = value(INTEGER, key)?;
    let modulus = positive(modulus)?;
    let exponent = positive(only(INTEGER, rest)?)?;
    let zeros = usize::try_from(modulus.first()?.leading_zeros()).ok()?;
    let bits = modulus.len().checked_mul(8)?.checked_sub(zeros)?;
    let odd = |number: &[u8]| number.last().is_some_and(|last| last % 2 == 1);
    let sound = RSA_BITS.contains(&bits)
        && odd(modulus)
        && odd(exponent)
        && exponent.len() <= EXPONENT_BYTES
        && exponent != [1];
    sound.then_some(modulus.len())
}

/// The digits of a positive number, shortest form.
fn positive(digits: &[u8]) -> Option<&[u8]> {
    match digits {
        [0, rest @ ..] if rest.first().is_some_and(|first| *first >= 0x80) => Some(rest),
        [first, ..] if (1..0x80).contains(first) => Some(digits),
        _ => None,
    }
}

/// The content of a value with this tag that fills `bytes`.
fn only(tag: u8, bytes: &[u8]) -> Option<&[u8]> {
    let (content, rest) = value(tag, bytes)?;
    rest.is_empty().then_some(content)
}

/// The content of the value with this tag at the start of `bytes`, and what follows it.
fn value(tag: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let (length, rest) = match rest {
        [short, rest @ ..] if *short < 0x80 => (usize::from(*short), rest),
        [0x81, length, rest @ ..] if *length >= 0x80 => (usize::from(*length), rest),
        [0x82, high, low, rest @ ..] if *high > 0 => {
            (usize::from(u16::from_be_bytes([*high, *low])), rest)
        }
        _ => return None,
    };
    (*first == tag).then_some(())?;
    rest.split_at_checked(length)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    /// RSA, 1024 bits.
    pub(crate) const RSA_KEY: &str = "-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC9JT1ZAquI6ieCmqrT3w2/DKcP
BOC3+X+Ty2Ss3dkY5b0w8crlTbY3dGTT8atVGWa+N98Q9T1CSRyC219+nFStw5ju
ATQWyKI0H3DB7HWp1EXEnNfOQryAOiUEEQgoqOvhPMnZdNw+5sEs+E+n6+59vX7b
cE25brif774FVcy8dQIDAQAB
-----END PUBLIC KEY-----
";
    const EC_KEY: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEUQ4k/sDvCDbQ5KyV8NsuTVwpxCaA
crIEmQg9R1qcLm0AcFctj11hamGFHlgxpBPu7jO0Udkh99p5dSsHXNrEUA==
-----END PUBLIC KEY-----";
    const ED_KEY: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEA5x99Xw4qDqV1C+EIpBZz+b3dbezvKa7nCtKrdRu8ROA=
-----END PUBLIC KEY-----";

    fn check(text: &str) -> Result<(), KeyError> {
        SignerKey::parse(text).map(drop)
    }

    fn wrap(der: &[u8]) -> String {
        let text = STANDARD.encode(der);
        format!("-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n")
    }

    fn put(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len()).unwrap();
        let mut bytes = vec![tag];
        match length {
            0..0x80 => bytes.push(length as u8),
            0x80..0x100 => bytes.extend([0x81, length as u8]),
            _ => bytes.extend([&[0x82][..], &length.to_be_bytes()].concat()),
        }
        [bytes, content.to_vec()].concat()
    }

    /// The PEM of an RSA key with these numbers.
    fn rsa(modulus: &[u8], exponent: &[u8]) -> String {
        let numbers = [put(INTEGER, modulus), put(INTEGER, exponent)].concat();
        let key = [vec![0], put(SEQUENCE, &numbers)].concat();
        wrap(&put(
            SEQUENCE,
            &[put(SEQUENCE, RSA), put(BIT_STRING, &key)].concat(),
        ))
    }

    /// An odd number of so many bits.
    fn number(bits: usize) -> Vec<u8> {
        let mut digits = vec![0xff; bits.div_ceil(8)];
        digits[0] = 0xff >> ((8 - bits % 8) % 8);
        if digits[0] >= 0x80 {
            digits.insert(0, 0);
        }
        digits
    }

    #[test]
    fn keys_as_openssl_writes_them() {
        for key in [
            RSA_KEY,
            EC_KEY,
            RSA_KEY.trim(),
            &RSA_KEY.replace('\n', "\r\n"),
        ] {
            assert_eq!(check(key), Ok(()), "{key}");
        }
        assert_eq!(check(ED_KEY), Err(KeyError::Key));
    }

    #[test]
    fn the_size_of_an_rsa_key_has_bounds() {
        let e = [1, 0, 1];
        for bits in [1024, 1025, 2048, 4095, 4096] {
            assert_eq!(check(&rsa(&number(bits), &e)), Ok(()), "{bits}");
        }
        for bits in [8, 512, 1023, 4097, 8192] {
            assert_eq!(check(&rsa(&number(bits), &e)), Err(KeyError::Key), "{bits}");
        }
        for exponent in [&[1][..], &[], &[4], &[0x81], &[0, 3], &[1, 0, 0, 0, 1]] {
            let key = rsa(&number(2048), exponent);
            assert_eq!(check(&key), Err(KeyError::Key), "{exponent:?}");
        }
        assert_eq!(
            check(&rsa(&[0xff; 256], &e)),
            Err(KeyError::Key),
            "negative"
        );
    }

    #[test]
    fn the_length_of_a_signature_tells_whose_it_cannot_be() {
        let lengths = |text: &str| {
            let key = SignerKey::parse(text).unwrap();
            let all = 0..600_usize;
            all.filter(|length| key.may_have_made(&vec![1; *length]))
                .collect::<Vec<_>>()
        };
        assert_eq!(lengths(RSA_KEY), [128]);
        assert_eq!(lengths(&rsa(&number(1025), &[1, 0, 1])), [129]);
        assert_eq!(lengths(&rsa(&number(4096), &[1, 0, 1])), [512]);
        assert_eq!(lengths(EC_KEY), (8..=72).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let private =
            format!("{RSA_KEY}-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----");
        let half = &RSA_KEY[..RSA_KEY.len() - 30];
        for text in [
            "",
            "ssh-rsa AAAA",
            &RSA_KEY.replace("PUBLIC", "RSA PUBLIC"),
            &private,
            half,
        ] {
            assert_eq!(check(text), Err(KeyError::Pem), "{text}");
        }
        assert_eq!(check(&"x".repeat(PEM_BYTES + 1)), Err(KeyError::Long));
        let mut der = SubjectPublicKeyInfoDer::from_pem_slice(RSA_KEY.as_bytes())
            .unwrap()
            .to_vec();
        der.push(0);
        assert_eq!(check(&wrap(&der)), Err(KeyError::Key), "more behind it");
    }

    proptest! {
        #[test]
        fn no_text_is_a_surprise(text in "\\PC{0,200}", bytes: Vec<u8>) {
            let _ = check(&text);
            prop_assert!(check(&wrap(&bytes)).is_err());
        }

        #[test]
        fn no_key_that_is_cut_is_one(end in 0_usize..162) {
            let der = SubjectPublicKeyInfoDer::from_pem_slice(RSA_KEY.as_bytes()).unwrap();
            prop_assert!(check(&wrap(&der[..end])).is_err());
        }
    }
}
