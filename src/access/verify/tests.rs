//! Names that are signed here, and what becomes of them when anything is changed.

use super::*;
use crate::access::{Hash, alphabet};
use crate::distribution::AccountId;
use proptest::prelude::*;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use rsa::pkcs8::DecodePrivateKey;
use rsa::{Pkcs1v15Sign, RsaPrivateKey};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// A pair of keys for these tests and nothing else.
const RSA: (&str, &str) = (
    "-----BEGIN PRIVATE KEY-----
MIICdQIBADANBgkqhkiG9w0BAQEFAASCAl8wggJbAgEAAoGBALCN8OMNuCqKuUa/
g1Xfl+W46FxvzAwBjCi70FGdAJ5cervYRKh8kMQ892h4sZlSuPsP4ad/nLCRlnrv
QCZsiJtnH7lMTc8VwTcDi5O0ZRQ9VFK8GIh6sYHV24qPkecvRg1GpbAifcO0HXTX
IoeTGR3+Iv1xZxpPFBev/TvjSyYJAgMBAAECgYBEq1Bv31wsH7ykScS5V7fqv5qQ
qWMBoHB1P2ds9tXQwkNyYFGD/r8HtHa+CYN6EPSloa2wyi+VdWrD8d5Pk5MlyN4Q
34eag+ZrAfed4ZXVyHJJSWk9p1aiOBGS6/kYLFQe+tGoDnZBiT3MoC2mkaoJoV0f
/dytj7tl6eVnbcEgSQJBANyokgHezDVFAgOoHo1PUORGZWVbPJOmpjGLITUETBDX
f8ohosKLZzGgz+a5jOROxLDX8H6EvNI9rbW1NWhSKrMCQQDM1QT3ohH3eYGf/X2y
hupkkCteToKC6MalBOrQhRZ+qZK9U/Ty2tcfIGjH5KnIMYoOsldCGRDk+bWMqDm1
enpTAkAqHDV5C+bWx6uhvQTPnPJoDhMtq6K83tHapJ2au440rJujnJWuIOJ5syHZ
+1ErBOk+godP7c8HJGQxSDrABOZHAkB+xWRSowL9qDz6uRe/k1KkNLoynuKVhN3U
qgtuTMBUWj0QYlLar2iuwg83kCUoWsi4OdZZeUwEeyvKxx8YW5ozAkBCKK2VgiMQ
hIHp+kYJzL6K0ld/iLJaALNHHoqGx9HlsrWJTggFWx+UP8V+efXMb8AxZoVxtWQH
TTuun1KJXs5p
-----END PRIVATE KEY-----
",
    "-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCwjfDjDbgqirlGv4NV35fluOhc
b8wMAYwou9BRnQCeXHq72ESofJDEPPdoeLGZUrj7D+Gnf5ywkZZ670AmbIibZx+5
TE3PFcE3A4uTtGUUPVRSvBiIerGB1duKj5HnL0YNRqWwIn3DtB101yKHkxkd/iL9
cWcaTxQXr/0740smCQIDAQAB
-----END PUBLIC KEY-----
",
);
const EC: (&str, &str) = (
    "-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgANQo6N9d2FQIaYzZ
SZxTDU0EqV0yaxFUChcumX0JO1ahRANCAAQM503P1gKs5bBwfLEJIQ+wwzAXneKf
dsBNmLvGnBZv4CS+X3zzHVKeznSpgxe8EV1D+o2bNEm2RlHdZE4Qoh7N
-----END PRIVATE KEY-----
",
    "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEDOdNz9YCrOWwcHyxCSEPsMMwF53i
n3bATZi7xpwWb+Akvl988x1Sns50qYMXvBFdQ/qNmzRJtkZR3WROEKIezQ==
-----END PUBLIC KEY-----
",
);

const NOW: u64 = 1_700_000_000;
const LATER: u64 = NOW + 100;

fn rsa(hash: Hash, text: &[u8]) -> Vec<u8> {
    let der = PrivatePkcs8KeyDer::from_pem_slice(RSA.0.as_bytes()).unwrap();
    let key = RsaPrivateKey::from_pkcs8_der(der.secret_pkcs8_der()).unwrap();
    // RFC 8017, section 9.2, note 1.
    let (digest, prefix) = match hash {
        Hash::Sha1 => (
            Sha1::digest(text).to_vec(),
            &b"\x30\x21\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00\x04\x14"[..],
        ),
        Hash::Sha256 => (
            Sha256::digest(text).to_vec(),
            &b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"[..],
        ),
    };
    let padding = Pkcs1v15Sign {
        hash_len: Some(digest.len()),
        prefix: prefix.into(),
    };
    key.sign(padding, &digest).unwrap()
}

fn ec(text: &[u8]) -> Vec<u8> {
    let der = PrivatePkcs8KeyDer::from_pem_slice(EC.0.as_bytes()).unwrap();
    let random = SystemRandom::new();
    let der = der.secret_pkcs8_der();
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, der, &random).unwrap();
    key.sign(&random, text).unwrap().as_ref().to_vec()
}

fn query_of(signed: &str, signature: &[u8]) -> String {
    let signature = alphabet::encode(signature);
    format!("{signed}&Signature={signature}&Key-Pair-Id=KRSA")
}

fn canned_query(resource: &str) -> String {
    let text = policy::canned(resource, LATER);
    query_of(
        &format!("Expires={LATER}"),
        &rsa(Hash::Sha1, text.as_bytes()),
    )
}

fn custom_query(text: &str) -> String {
    let signature = rsa(Hash::Sha1, text.as_bytes());
    query_of(
        &format!("Policy={}", alphabet::encode(text.as_bytes())),
        &signature,
    )
}

fn policy_of(resource: &str, more: &str) -> String {
    format!(
        "{{ \"Statement\": [{{\"Resource\":\"{resource}\",\"Condition\":{{{more}\"DateLessThan\":\
         {{\"AWS:EpochTime\":{LATER}}}}}}}]}}"
    )
}

fn keys() -> SignerKeys {
    let trusted = [("KRSA", RSA.1), ("KEC", EC.1)];
    let trusted =
        trusted.map(|(id, pem)| (id.to_owned(), Arc::new(SignerKey::parse(pem).unwrap())));
    let other = AccountId::parse("123456789012").unwrap();
    SignerKeys {
        trusted: trusted.into(),
        owners: Arc::new([("KOTHER".to_owned(), other)].into()),
        strict: false,
    }
}

/// `mp4:dir/x`, which leads to `dir/x.mov`.
fn asked() -> Asked {
    Asked {
        name: "dir/x".into(),
        stem: None,
        prefixed: Some("mp4:dir/x".into()),
        keys: ["dir/x", "dir/x.mp4", "dir/x.mov"]
            .map(str::to_owned)
            .into(),
    }
}

fn check(query: &str, keys: &SignerKeys) -> Result<Grant, Refusal> {
    let peer = "192.0.2.7".parse().ok();
    verify(&asked(), Some(query), keys, policy::at(NOW), peer)
}

/// The whole of a play: name and object.
fn plays(query: &str, keys: &SignerKeys, key: &str) -> Result<(), Refusal> {
    check(query, keys)?.covers(key)
}

#[test]
fn each_form_of_a_name_may_have_been_signed() {
    for (resource, plays_strictly, plays_leniently) in [
        ("dir/x", true, true),
        ("dir/x.mov", true, true),
        // It would be the object that the name leads to, if there were one.
        ("dir/x.mp4", false, false),
        ("mp4:dir/x", false, true),
        ("dir/x?own=1", false, true),
        ("dir/x.mov?own=1", false, true),
        ("dir/y", false, false),
        ("dir/*", false, false),
        ("x", false, false),
    ] {
        let query = format!("own=1&{}", canned_query(resource));
        let strict = SignerKeys {
            strict: true,
            ..keys()
        };
        assert_eq!(
            plays(&query, &strict, "dir/x.mov").is_ok(),
            plays_strictly,
            "{resource}"
        );
        assert_eq!(
            plays(&query, &keys(), "dir/x.mov").is_ok(),
            plays_leniently,
            "{resource}"
        );
    }
}

/// Where an object was signed and not the name, another one that the name leads to is not played.
#[test]
fn an_object_that_was_signed_must_be_the_one_that_is_played() {
    let refused = plays(&canned_query("dir/x.mov"), &keys(), "dir/x.m4v");
    let (signed, asked) = ("dir/x.mov".to_owned(), "dir/x.m4v".to_owned());
    assert_eq!(refused, Err(Refusal::Resource { signed, asked }));
    let pattern = custom_query(&policy_of("*.mov", ""));
    assert_eq!(plays(&pattern, &keys(), "dir/x.mov"), Ok(()));
    assert!(plays(&pattern, &keys(), "dir/x.m4v").is_err());
}

#[test]
fn policies_of_their_own() {
    for (resource, plays) in [
        ("*", true),
        ("dir/*", true),
        ("dir/?", true),
        ("dir/??", false),
        ("http://*", false),
        ("rtmp://host/cfx/st/dir/x", false),
    ] {
        let query = custom_query(&policy_of(resource, ""));
        assert_eq!(check(&query, &keys()).is_ok(), plays, "{resource}");
        // Whatever Expires says.
        let both = format!("Expires=1&{query}");
        assert_eq!(check(&both, &keys()).is_ok(), plays, "{resource}");
    }
    let here = r#""IpAddress":{"AWS:SourceIp":"192.0.2.0/24"},"#;
    assert!(check(&custom_query(&policy_of("*", here)), &keys()).is_ok());
    let there = here.replace(".2.0", ".3.0");
    let refused = check(&custom_query(&policy_of("*", &there)), &keys());
    assert!(
        matches!(refused, Err(Refusal::Address { .. })),
        "{refused:?}"
    );
    let from = format!(r#""DateGreaterThan":{{"AWS:EpochTime":{NOW}}},"#);
    let refused = check(&custom_query(&policy_of("*", &from)), &keys());
    assert_eq!(
        refused,
        Err(Refusal::NotYet {
            from: policy::at(NOW)
        })
    );
}

#[test]
fn every_reason() {
    let good = canned_query("dir/x");
    assert_eq!(check("", &keys()), Err(Refusal::Missing));
    let unknown = check(&good.replace("KRSA", "KNONE"), &keys());
    assert_eq!(unknown, Err(Refusal::UnknownKey("KNONE".into())));
    let untrusted = check(&good.replace("KRSA", "KOTHER"), &keys());
    assert!(matches!(untrusted, Err(Refusal::UntrustedKey { .. })));
    // The id of another key, which is of another kind.
    let wrong = check(&good.replace("KRSA", "KEC"), &keys());
    assert!(matches!(wrong, Err(Refusal::Signature { .. })));
    let late = verify(&asked(), Some(&good), &keys(), policy::at(LATER), None);
    assert_eq!(
        late,
        Err(Refusal::Expired {
            at: policy::at(LATER)
        })
    );
    // No policy is believed that is not signed.
    let forged = |text: &str| {
        let text = alphabet::encode(text.as_bytes());
        check(&query_of(&format!("Policy={text}"), &[1; 128]), &keys())
    };
    let wide = forged(&policy_of("*", ""));
    assert!(matches!(wide, Err(Refusal::Signature { .. })), "{wide:?}");
    for none in [
        forged("no policy at all"),
        check(&custom_query("no policy at all"), &keys()),
    ] {
        assert!(matches!(none, Err(Refusal::Malformed(_))), "{none:?}");
    }
}

/// What needs no verification is told first, whatever the signature is worth: so that is how most
/// bogus names end.
#[test]
fn a_bogus_name_that_cannot_be_played_anyway_is_not_verified() {
    let bogus = |query: &str, now: u64| {
        let query = query.replace("Signature=", "Signature=AAAA");
        let peer = "192.0.2.7".parse().ok();
        verify(&asked(), Some(&query), &keys(), policy::at(now), peer)
    };
    let cut = |query: &str| {
        let (text, _) = query.split_once("Signature=").unwrap();
        query_of(text.trim_end_matches('&'), &[1; 128])
    };
    let canned = canned_query("dir/x");
    let custom = custom_query(&policy_of("*", ""));
    for query in [&canned, &custom] {
        let late = verify(
            &asked(),
            Some(&cut(query)),
            &keys(),
            policy::at(LATER),
            None,
        );
        assert!(matches!(late, Err(Refusal::Expired { .. })), "{late:?}");
        // Of a length that no signature of this key has: even before the time is looked at.
        let long = bogus(query, LATER);
        assert!(matches!(long, Err(Refusal::Signature { .. })), "{long:?}");
    }
    let elsewhere = r#""IpAddress":{"AWS:SourceIp":"192.0.3.0/24"},"#;
    let elsewhere = cut(&custom_query(&policy_of("*", elsewhere)));
    let refused = check(&elsewhere, &keys());
    assert!(
        matches!(refused, Err(Refusal::Address { .. })),
        "{refused:?}"
    );
}

#[test]
fn no_name_is_verified_more_often_than_it_says() {
    let form = |number: usize| format!("dir/{number}");
    let asked = Asked {
        keys: (0..=VERIFICATIONS_MAX).map(form).collect(),
        name: form(0),
        ..Asked::default()
    };
    let plays = |number: usize| {
        let query = canned_query(&form(number));
        verify(&asked, Some(&query), &keys(), policy::at(NOW), None).is_ok()
    };
    assert!(plays(VERIFICATIONS_MAX - 1) && !plays(VERIFICATIONS_MAX));
}

#[test]
fn keys_of_other_kinds_and_hashes() {
    let text = policy::canned("dir/x", LATER);
    let expires = format!("Hash-Algorithm=SHA256&Expires={LATER}");
    let query = query_of(&expires, &rsa(Hash::Sha256, text.as_bytes()));
    assert!(check(&query, &keys()).is_ok());
    // What the name says is how it was hashed.
    assert!(check(&query.replace("SHA256", "SHA1"), &keys()).is_err());
    let query = query_of(&expires, &ec(text.as_bytes())).replace("KRSA", "KEC");
    assert!(check(&query, &keys()).is_ok());
    assert!(check(&query.replace("Hash-Algorithm=SHA256&", ""), &keys()).is_ok());
}

#[test]
fn what_plays_is_checked_again_without_its_signature() {
    let grant = check(&canned_query("dir/x"), &keys()).unwrap();
    assert_eq!(grant.check(&keys(), policy::at(NOW), None), Ok(()));
    let late = grant.check(&keys(), policy::at(LATER), None);
    assert!(matches!(late, Err(Refusal::Expired { .. })));
    let mut fewer = keys();
    let ec = fewer.trusted.remove("KEC").unwrap();
    fewer.trusted.remove("KRSA");
    let gone = Err(Refusal::UnknownKey("KRSA".into()));
    assert_eq!(grant.check(&fewer, policy::at(NOW), None), gone);
    fewer.trusted.insert("KRSA".into(), ec);
    assert_eq!(
        grant.check(&fewer, policy::at(NOW), None),
        gone,
        "another key of that id"
    );
}

/// Anywhere in what is signed or signs it: resource, times, policy, signature, id of the key, and
/// the names of the parameters. Every bit is tried.
#[test]
fn one_flipped_bit_anywhere_is_refused() {
    for query in [canned_query("dir/x"), custom_query(&policy_of("dir/x", ""))] {
        assert!(check(&query, &keys()).is_ok());
        let whole = format!("dir/x?{query}").into_bytes();
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            // What is no text is no name.
            let Ok(flipped) = String::from_utf8(bytes) else {
                continue;
            };
            let (name, query) = flipped.split_once('?').unwrap_or((&flipped, ""));
            let asked = Asked {
                name: name.to_owned(),
                keys: vec![name.to_owned()],
                ..Asked::default()
            };
            let answer = verify(&asked, Some(query), &keys(), policy::at(NOW), None);
            assert!(answer.is_err(), "{flipped}");
        }
    }
}

proptest! {
    #[test]
    fn no_query_is_a_surprise(
        query in "((Expires=17|Policy=|Signature=|Key-Pair-Id=KRSA|&)[0-9A-Za-z_~%-]{0,40}){0,6}",
    ) {
        prop_assert!(check(&query, &keys()).is_err());
    }
}

/// The parameters are the viewer's to choose: no wildcard runs over them.
#[test]
fn own_parameters_widen_no_pattern() {
    use crate::access::pattern::Pattern;
    use crate::access::policy::Resource;
    let covers = |pattern: &str, name: &str, own: &str| {
        Resource::Pattern(Pattern::new(pattern)).covers(name, own)
    };
    assert!(covers(
        "users/42/*/preview.mp4",
        "users/42/a/preview.mp4",
        ""
    ));
    for own in ["x=/preview.mp4", "/preview.mp4", "a=b?c/preview.mp4"] {
        assert!(
            !covers("users/42/*/preview.mp4", "users/42/full/film.mp4", own),
            "{own}"
        );
        assert!(
            !covers("*/preview.mp4", "users/42/full/film.mp4", own),
            "{own}"
        );
        assert!(!covers("*", "film.mp4", own), "{own}");
    }
    assert!(covers("dir/*?a=1", "dir/film.mp4", "a=1"));
    assert!(!covers("dir/*?a=1", "dir/film.mp4", "a=2"));
    assert!(
        !covers("dir/*?a=*", "dir/film.mp4", "a=1"),
        "as it stands there"
    );
}
