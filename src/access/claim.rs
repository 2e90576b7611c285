//! What a name says about itself: the parameters of its query (cloudfront.md, section 3.2).
//!
//! They may stand in any order, with others between them. Where there is a policy, it alone counts,
//! whatever `Expires` says.

use super::Refusal;
use super::alphabet;
use super::key::Hash;
use super::policy::LATEST;

/// The longest query, bytes: a signature of 4096 bits has 684, a policy some 400. It bounds
/// whatever is read of it: policy, signature, own parameters.
pub const QUERY_BYTES: usize = 4096;

/// The longest id of a key, bytes. CloudFront's have 14 to 21.
const ID_BYTES: usize = 64;

/// What was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signed {
    /// The policy with the fixed text, which ends at this second since 1970.
    Canned(u64),
    /// The text of this policy.
    Custom(Vec<u8>),
}

/// A name's claim that it may be played.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// What was signed.
    pub signed: Signed,
    /// The signature.
    pub signature: Vec<u8>,
    /// Id of the key.
    pub key: String,
    /// How it was hashed.
    pub hash: Hash,
    /// The other parameters, in their order, joined by `&`: the operator's own.
    pub own: String,
}

/// The parameters as they stand there.
#[derive(Debug, Default)]
struct Parameters<'a> {
    expires: Option<&'a str>,
    policy: Option<&'a str>,
    signature: Option<&'a str>,
    key: Option<&'a str>,
    hash: Option<&'a str>,
    own: Vec<&'a str>,
}

impl Claim {
    /// Reads the query of a name, without its `?`.
    ///
    /// # Errors
    /// The name is not signed, or not so that it can be read.
    pub fn parse(query: &str) -> Result<Self, Refusal> {
        if query.len() > QUERY_BYTES {
            return Err(malformed("its query is too long"));
        }
        let it = Parameters::read(query)?;
        if it
            .expires
            .or(it.policy)
            .or(it.signature)
            .or(it.key)
            .is_none()
        {
            return Err(Refusal::Missing);
        }
        let signature = it
            .signature
            .ok_or_else(|| malformed("it has no Signature"))?;
        let key = it.key.ok_or_else(|| malformed("it has no Key-Pair-Id"))?;
        let signed = match (it.policy, it.expires) {
            (Some(policy), _) => Signed::Custom(
                alphabet::decode(policy).ok_or_else(|| malformed("its Policy is no base64"))?,
            ),
            (None, Some(expires)) => Signed::Canned(seconds(expires)?),
            (None, None) => return Err(malformed("it has neither Expires nor Policy")),
        };
        let signature =
            alphabet::decode(signature).ok_or_else(|| malformed("its Signature is no base64"))?;
        let hash = match it.hash {
            None | Some("SHA1") => Hash::Sha1,
            Some("SHA256") => Hash::Sha256,
            Some(_) => return Err(malformed("its Hash-Algorithm is neither SHA1 nor SHA256")),
        };
        Ok(Self {
            signed,
            signature,
            key: id(key)?,
            hash,
            own: it.own.join("&"),
        })
    }
}

impl<'a> Parameters<'a> {
    fn read(query: &'a str) -> Result<Self, Refusal> {
        let mut it = Self::default();
        for parameter in query.split('&').filter(|it| !it.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let place = match name {
                "Expires" => &mut it.expires,
                "Policy" => &mut it.policy,
                "Signature" => &mut it.signature,
                "Key-Pair-Id" => &mut it.key,
                "Hash-Algorithm" => &mut it.hash,
                _ => {
                    it.own.push(parameter);
                    continue;
                }
            };
            if place.replace(value).is_some() {
                return Err(malformed(&format!("it has {name} twice")));
            }
        }
        Ok(it)
    }
}

/// A time as it stands in the fixed text, where there is one way to write it.
fn seconds(text: &str) -> Result<u64, Refusal> {
    let seconds = text.parse().ok().filter(|it: &u64| it.to_string() == text);
    seconds
        .filter(|seconds| *seconds <= LATEST)
        .ok_or_else(|| malformed("its Expires is no time in seconds since 1970"))
}

/// An id goes into logs: only what ids are made of.
fn id(text: &str) -> Result<String, Refusal> {
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if text.is_empty() || text.len() > ID_BYTES || !text.bytes().all(sound) {
        return Err(malformed("its Key-Pair-Id is none"));
    }
    Ok(text.to_owned())
}

pub(super) fn malformed(what: &str) -> Refusal {
    Refusal::Malformed(what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parameters_in_any_order_with_others_between() {
        let canned = Claim {
            signed: Signed::Canned(1_893_456_000),
            signature: vec![0xfb],
            key: "APKA1".into(),
            hash: Hash::Sha1,
            own: String::new(),
        };
        for (query, own) in [
            ("Expires=1893456000&Signature=-w__&Key-Pair-Id=APKA1", ""),
            ("Signature=-w&Key-Pair-Id=APKA1&Expires=1893456000", ""),
            (
                "a=1&Expires=1893456000&b&Signature=-w__&Key-Pair-Id=APKA1&expires=x",
                "a=1&b&expires=x",
            ),
        ] {
            let own = own.to_owned();
            let expected = Claim {
                own,
                ..canned.clone()
            };
            assert_eq!(Claim::parse(query), Ok(expected), "{query}");
        }
        let custom = Claim {
            signed: Signed::Custom(b"{}".to_vec()),
            hash: Hash::Sha256,
            ..canned
        };
        let query = "Expires=no&Policy=e30_&Hash-Algorithm=SHA256&Signature=-w__&Key-Pair-Id=APKA1";
        assert_eq!(Claim::parse(query), Ok(custom));
    }

    #[test]
    fn what_is_not_signed_is_told_from_what_cannot_be_read() {
        for query in ["", "a=1", "&", "Hash-Algorithm=SHA256", "expires=1"] {
            assert_eq!(Claim::parse(query), Err(Refusal::Missing), "{query}");
        }
        let long = format!("Policy={}", "e".repeat(QUERY_BYTES));
        for query in [
            "Expires=1",
            "Expires=1&Signature=-w__",
            "Signature=-w__&Key-Pair-Id=K",
            "Expires=1&Expires=1&Signature=-w__&Key-Pair-Id=K",
            "Expires=01&Signature=-w__&Key-Pair-Id=K",
            "Expires=+1&Signature=-w__&Key-Pair-Id=K",
            "Expires=1893456000000&Signature=-w__&Key-Pair-Id=K",
            "Expires=1&Signature=*&Key-Pair-Id=K",
            "Expires=1&Signature=-w__&Key-Pair-Id=",
            "Expires=1&Signature=-w__&Key-Pair-Id=a%0ab",
            "Policy=*&Signature=-w__&Key-Pair-Id=K",
            "Expires=1&Signature=-w__&Key-Pair-Id=K&Hash-Algorithm=MD5",
            &long,
        ] {
            let answer = Claim::parse(query);
            assert!(
                matches!(answer, Err(Refusal::Malformed(_))),
                "{query} {answer:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_query_is_a_surprise(
            query in "((Expires|Policy|Signature|Key-Pair-Id|Hash-Algorithm|a)=?[0-9A-Za-z_~%-]{0,9}&?){0,6}",
            any in "\\PC{0,60}",
        ) {
            let _ = Claim::parse(&query);
            let _ = Claim::parse(&any);
        }
    }
}
