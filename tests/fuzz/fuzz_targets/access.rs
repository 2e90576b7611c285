//! Any name is accepted only where what was signed is untouched: queries, policies, patterns and
//! addresses are read without a surprise, and nothing is granted without a signature.

#![no_main]

use libfuzzer_sys::fuzz_target;
use streamfront::access::addresses::Addresses;
use streamfront::access::pattern::Pattern;
use streamfront::access::policy::{Unverified, at};
use streamfront::access::{Asked, Claim, SignerKey, SignerKeys, alphabet, verify};

/// A public key whose private one nobody has kept.
const KEY: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEUQ4k/sDvCDbQ5KyV8NsuTVwpxCaA
crIEmQg9R1qcLm0AcFctj11hamGFHlgxpBPu7jO0Udkh99p5dSsHXNrEUA==
-----END PUBLIC KEY-----";

fn keys() -> SignerKeys {
    let key = SignerKey::parse(KEY).expect("a key");
    SignerKeys {
        trusted: [("K".to_owned(), key.into())].into(),
        ..SignerKeys::default()
    }
}

fuzz_target!(|data: &[u8]| {
    let _ = Unverified::read(data).map(Unverified::verified);
    let read = alphabet::decode(&alphabet::encode(data));
    assert_eq!(read.as_deref(), Some(data));
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let _ = SignerKey::parse(text);
    if let Ok(addresses) = text.parse::<Addresses>() {
        let again: Addresses = addresses
            .to_string()
            .parse()
            .expect("what we write is read");
        assert_eq!(again, addresses);
    }
    let (name, query) = text.split_once('?').unwrap_or((text, text));
    assert!(Pattern::new("*").matches(text));
    assert!(Pattern::new(&format!("*{}*", "?".repeat(text.chars().count()))).matches(text));
    let _ = Pattern::new(name).matches(query);
    let asked = Asked {
        name: name.to_owned(),
        keys: vec![name.to_owned()],
        ..Asked::default()
    };
    let signed = format!("{query}&Key-Pair-Id=K");
    for query in [query, &signed] {
        let claim = Claim::parse(query);
        let granted = verify(&asked, Some(query), &keys(), at(1), None);
        assert!(
            granted.is_err(),
            "nobody signed {query:?}, which claims {claim:?}"
        );
    }
});
