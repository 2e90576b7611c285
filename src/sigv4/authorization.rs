//! The Authorization header, both forms.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::error::Refusal;
use super::hex;

/// Digits of an HMAC-SHA256.
const SIGNATURE_DIGITS: usize = 64;

/// What the header says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Authorization<'a> {
    /// `AWS4-HMAC-SHA256 ...`
    Four(Four<'a>),
    /// `AWS KEY:SIGNATURE`
    Legacy {
        /// Whose key.
        key_id: &'a str,
        /// The signature, decoded.
        signature: Vec<u8>,
    },
}

/// The parts of a Signature Version 4.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Four<'a> {
    /// Whose key.
    pub(super) key_id: &'a str,
    /// `YYYYMMDD`, as sent.
    pub(super) date: &'a str,
    /// Any region.
    pub(super) region: &'a str,
    /// The service, as sent.
    pub(super) service: &'a str,
    /// What should be `aws4_request`, as sent.
    pub(super) terminal: &'a str,
    /// Names in lowercase, sorted, none twice.
    pub(super) signed: Vec<&'a str>,
    /// The signature, decoded.
    pub(super) signature: Vec<u8>,
}

impl<'a> Authorization<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, Refusal> {
        let (scheme, rest) = text
            .split_once(' ')
            .ok_or(Refusal::Malformed("has nothing behind its scheme"))?;
        match scheme {
            "AWS4-HMAC-SHA256" => Ok(Self::Four(four(rest)?)),
            "AWS" => legacy(rest),
            _ => Err(Refusal::Malformed("is not of the scheme AWS4-HMAC-SHA256")),
        }
    }
}

fn legacy(rest: &str) -> Result<Authorization<'_>, Refusal> {
    let (key_id, signature) = rest
        .split_once(':')
        .filter(|(key_id, _)| !key_id.is_empty())
        .ok_or(Refusal::Malformed("is not of the form AWS KEY:SIGNATURE"))?;
    let signature = STANDARD
        .decode(signature)
        .map_err(|_| Refusal::Malformed("has a signature that is not Base64"))?;
    Ok(Authorization::Legacy { key_id, signature })
}

fn four(rest: &str) -> Result<Four<'_>, Refusal> {
    let (mut credential, mut signed, mut signature) = (None, None, None);
    for part in rest.split(',') {
        let (name, value) = part
            .trim_matches(' ')
            .split_once('=')
            .ok_or(Refusal::Malformed("has a part without a value"))?;
        let place = match name {
            "Credential" => &mut credential,
            "SignedHeaders" => &mut signed,
            "Signature" => &mut signature,
            _ => return Err(Refusal::Malformed("has a part that is not known")),
        };
        if place.replace(value).is_some() {
            return Err(Refusal::Malformed("has a part twice"));
        }
    }
    let credential = credential.ok_or(Refusal::Malformed("has no Credential"))?;
    let signed = signed.ok_or(Refusal::Malformed("has no SignedHeaders"))?;
    let signature = signature.ok_or(Refusal::Malformed("has no Signature"))?;
    let mut scope = credential.split('/');
    let mut part = || {
        let part = scope.next().filter(|part| !part.is_empty());
        part.ok_or(CREDENTIAL)
    };
    let four = Four {
        key_id: part()?,
        date: part()?,
        region: part()?,
        service: part()?,
        terminal: part()?,
        signed: names(signed)?,
        signature: hex::decode(signature)
            .filter(|_| signature.len() == SIGNATURE_DIGITS)
            .ok_or(Refusal::Malformed(
                "has a Signature that is not 64 hexadecimal digits",
            ))?,
    };
    match scope.next() {
        None => Ok(four),
        Some(_) => Err(CREDENTIAL),
    }
}

const CREDENTIAL: Refusal =
    Refusal::Malformed("has a Credential that is not KEY/DATE/REGION/SERVICE/aws4_request");

/// The list must be in order, so that there is one text only that a signature can stand for.
fn names(list: &str) -> Result<Vec<&str>, Refusal> {
    let names: Vec<&str> = list.split(';').collect();
    if !names.iter().all(|name| is_name(name)) {
        return Err(Refusal::Malformed(
            "has SignedHeaders that are not names in lowercase",
        ));
    }
    if !names.is_sorted_by(|one, next| one < next) {
        return Err(Refusal::Malformed(
            "has SignedHeaders that are not sorted, or one twice",
        ));
    }
    Ok(names)
}

/// Whether `name` is a header's name, in lowercase (RFC 9110, section 5.6.2).
fn is_name(name: &str) -> bool {
    let sign = |byte| b"!#$%&'*+-.^_`|~".contains(&byte);
    let sound = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || sign(byte);
    !name.is_empty() && name.bytes().all(sound)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SIGNATURE: &str = "00000000000000000000000000000000000000000000000000000000000000ff";

    fn parse(credential: &str, signed: &str, signature: &str) -> Result<(), Refusal> {
        let text = format!(
            "AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={signed}, Signature={signature}"
        );
        Authorization::parse(&text).map(drop)
    }

    #[test]
    fn the_parts_may_stand_in_any_order_with_or_without_spaces() {
        for text in [
            "Credential=K/20260101/r/s/aws4_request, SignedHeaders=a;host, Signature=SIG",
            "Credential=K/20260101/r/s/aws4_request,SignedHeaders=a;host,Signature=SIG",
            "Signature=SIG,  SignedHeaders=a;host , Credential=K/20260101/r/s/aws4_request",
        ] {
            let text = format!("AWS4-HMAC-SHA256 {}", text.replace("SIG", SIGNATURE));
            let Authorization::Four(four) = Authorization::parse(&text).unwrap() else {
                panic!("{text}");
            };
            assert_eq!(
                (four.key_id, four.date, four.region),
                ("K", "20260101", "r")
            );
            assert_eq!((four.service, four.terminal), ("s", "aws4_request"));
            assert_eq!(four.signed, ["a", "host"]);
            assert_eq!(four.signature.last(), Some(&0xff));
        }
    }

    #[test]
    fn what_is_not_whole_or_not_in_order_is_refused() {
        let credential = "K/20260101/r/s/aws4_request";
        assert_eq!(parse(credential, "a;b", SIGNATURE), Ok(()));
        for list in ["", "b;a", "a;a", "A;b", "a;", "a b", "a;;b", "ä"] {
            assert!(parse(credential, list, SIGNATURE).is_err(), "{list}");
        }
        for credential in ["", "K", "K/1/r/s", "K/1/r/s/t/u", "/1/r/s/t", "K//r/s/t"] {
            assert!(parse(credential, "a", SIGNATURE).is_err(), "{credential}");
        }
        let upper = SIGNATURE.to_uppercase();
        for signature in ["", "00", &SIGNATURE[2..], &upper] {
            assert!(parse(credential, "a", signature).is_err(), "{signature}");
        }
        for text in [
            "",
            "AWS4-HMAC-SHA256",
            "AWS4-HMAC-SHA256 ",
            "aws4-hmac-sha256 Credential=a",
            "AWS4-ECDSA-P256-SHA256 Credential=a",
            "Basic YTpi",
            "AWS4-HMAC-SHA256 Credential=K/1/r/s/t, Credential=K/1/r/s/t",
            "AWS4-HMAC-SHA256 Credential=K/1/r/s/t, More=1",
            "AWS K",
            "AWS :AAAA",
            "AWS K:!",
        ] {
            assert!(Authorization::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_older_form_is_a_key_and_base64() {
        let read = Authorization::parse("AWS K:AAEC").unwrap();
        let expected = Authorization::Legacy {
            key_id: "K",
            signature: vec![0, 1, 2],
        };
        assert_eq!(read, expected);
    }

    proptest! {
        #[test]
        fn nothing_that_is_sent_is_a_surprise(text in "(AWS|AWS4-HMAC-SHA256) [CredentialSignatureHeaders=/,;: a-f0-9\\PC]{0,120}") {
            let _ = Authorization::parse(&text);
        }
    }
}
