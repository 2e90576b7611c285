//! Private keys, from PEM files.

use std::path::Path;

use anyhow::{Context, anyhow, bail};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use rsa::pkcs1::DecodeRsaPrivateKey;
use rsa::pkcs8::DecodePrivateKey;
use rsa::{Pkcs1v15Sign, RsaPrivateKey};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::access::Hash;

/// What stands before a hash in an RSA signature (RFC 8017, section 9.2, note 1). Written out, for
/// the hashes of this package are of a newer generation than those that the crate knows.
const SHA1: &[u8] = b"\x30\x21\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00\x04\x14";
const SHA256: &[u8] =
    b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20";

/// A private key.
pub(super) enum PrivateKey {
    Rsa(Box<RsaPrivateKey>),
    P256(Box<EcdsaKeyPair>),
}

impl PrivateKey {
    /// Reads a key.
    pub(super) fn read(file: &Path) -> anyhow::Result<Self> {
        let shown = file.display();
        let text = std::fs::read(file).with_context(|| format!("cannot read {shown}"))?;
        let der = PrivateKeyDer::from_pem_slice(&text)
            .map_err(|error| anyhow!("{shown} holds no private key in PEM: {error}"))?;
        let key = match &der {
            PrivateKeyDer::Pkcs1(der) => RsaPrivateKey::from_pkcs1_der(der.secret_pkcs1_der())
                .map(rsa)
                .ok(),
            PrivateKeyDer::Pkcs8(der) => {
                let der = der.secret_pkcs8_der();
                let ours = RsaPrivateKey::from_pkcs8_der(der).map(rsa).ok();
                ours.or_else(|| p256(der))
            }
            _ => bail!("{shown} must be in PKCS#8: openssl pkcs8 -topk8 -nocrypt -in {shown}"),
        };
        key.ok_or_else(|| anyhow!("{shown} is neither an RSA key nor an EC key on P-256"))
    }

    /// How it hashes: EC keys know one way.
    pub(super) fn hash(&self, sha256: bool) -> Hash {
        match self {
            Self::Rsa(_) if !sha256 => Hash::Sha1,
            _ => Hash::Sha256,
        }
    }

    /// The signature over a text.
    pub(super) fn sign(&self, hash: Hash, text: &[u8]) -> anyhow::Result<Vec<u8>> {
        Ok(match (self, hash) {
            (Self::Rsa(key), Hash::Sha1) => key.sign(padding(SHA1), &Sha1::digest(text))?,
            (Self::Rsa(key), Hash::Sha256) => key.sign(padding(SHA256), &Sha256::digest(text))?,
            (Self::P256(key), _) => {
                let signature = key.sign(&SystemRandom::new(), text);
                signature
                    .map_err(|_| anyhow!("the key cannot sign"))?
                    .as_ref()
                    .to_vec()
            }
        })
    }
}

fn padding(prefix: &[u8]) -> Pkcs1v15Sign {
    Pkcs1v15Sign {
        // The last byte says how long it is.
        hash_len: prefix.last().map(|length| usize::from(*length)),
        prefix: prefix.into(),
    }
}

fn rsa(key: RsaPrivateKey) -> PrivateKey {
    PrivateKey::Rsa(Box::new(key))
}

fn p256(der: &[u8]) -> Option<PrivateKey> {
    let random = SystemRandom::new();
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, der, &random);
    key.map(|key| PrivateKey::P256(Box::new(key))).ok()
}
