//! Requests that an independent implementation signs, and what must not pass for one.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use proptest::prelude::*;
use sha1::Sha1;

use super::testing::Signing;
use super::*;

const NOW: i64 = 1_700_000_000;
const RULES: Rules<'static> = Rules {
    service: "cloudfront",
    path: PathForm::Normal,
    legacy: true,
};

/// A request that owns what it is made of.
#[derive(Debug, Clone)]
struct Sent {
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

impl Sent {
    fn new(method: &str, path: &str, query: &str, body: &[u8]) -> Self {
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: vec![("host".to_owned(), b"localhost:8081".to_vec())],
            body: body.to_vec(),
        }
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.headers
            .push((name.to_owned(), value.as_bytes().to_vec()));
        self
    }

    /// Signed by Amazon's own signer at `time`, for any service.
    fn signed_for(mut self, service: &str, time: i64, secret: &str) -> Self {
        let signing = Signing {
            key_id: "AKID",
            secret,
            service,
            time,
        };
        let url = format!("http://localhost:8081{}?{}", self.path, self.query);
        for (name, value) in signing.headers(&self.method, &url, &self.headers, &self.body) {
            self = self.with(&name, &value);
        }
        self
    }

    fn signed(self) -> Self {
        self.signed_for("cloudfront", NOW, "secret")
    }

    /// Changes the value of a header.
    fn edit(mut self, name: &str, edit: impl FnOnce(String) -> String) -> Self {
        let found = self.headers.iter_mut().find(|(sent, _)| sent == name);
        let (_, value) = found.unwrap();
        *value = edit(String::from_utf8(value.clone()).unwrap()).into_bytes();
        self
    }

    fn verify_as(&self, rules: &Rules<'_>, now: i64, secret: &[u8]) -> Result<(), Refusal> {
        let headers: Vec<(&str, &[u8])> = self
            .headers
            .iter()
            .map(|(name, value)| (&name[..], &value[..]))
            .collect();
        let request = Request {
            method: &self.method,
            path: &self.path,
            query: &self.query,
            headers: &headers,
            body: &self.body,
            now,
        };
        read(&request, rules)?.verify(secret)
    }

    fn verify(&self) -> Result<(), Refusal> {
        self.verify_as(&RULES, NOW, b"secret")
    }
}

fn get() -> Sent {
    Sent::new(
        "GET",
        "/2020-05-31/streaming-distribution",
        "MaxItems=1",
        b"",
    )
}

#[test]
fn what_was_signed_counts_for_as_long_as_clocks_may_differ() {
    let sent = get().signed();
    assert_eq!(sent.verify(), Ok(()));
    for (now, counts) in [
        (SKEW, true),
        (-SKEW, true),
        (SKEW + 1, false),
        (-SKEW - 1, false),
    ] {
        let verified = sent.verify_as(&RULES, NOW + now, b"secret");
        assert_eq!(verified.is_ok(), counts, "{now}");
    }
}

#[test]
fn a_wrong_secret_is_a_mismatch() {
    let sent = get().signed();
    assert_eq!(
        sent.verify_as(&RULES, NOW, b"other"),
        Err(Refusal::Mismatch)
    );
}

#[test]
fn the_scope_must_be_of_this_service_and_day_and_complete() {
    let other = get().signed_for("s3", NOW, "secret");
    assert_eq!(other.verify(), Err(Refusal::Service("cloudfront".into())));
    let edit = |from: &'static str, to: &'static str| {
        let edited = get().signed();
        let edited = edited.edit("authorization", |text| text.replace(from, to));
        edited.verify().unwrap_err()
    };
    assert_eq!(edit("/20231114/", "/20231115/"), Refusal::ScopeDate);
    assert_eq!(edit("aws4_request", "aws4_answer"), Refusal::Terminal);
    assert_eq!(edit("eu-west-1", "us-east-1"), Refusal::Mismatch);
}

#[test]
fn what_must_be_signed_and_is_not_is_named() {
    let later = get().signed().with("X-Amz-Meta", "1");
    assert_eq!(later.verify(), Err(Refusal::Unsigned("x-amz-meta".into())));
    for (name, without) in [("host", "x-amz-date"), ("x-amz-date", "host")] {
        let sent = get().signed().edit("authorization", |text| {
            text.replace(
                "SignedHeaders=host;x-amz-date",
                &format!("SignedHeaders={without}"),
            )
        });
        assert_eq!(sent.verify(), Err(Refusal::Unsigned(name.into())));
    }
    let absent = get()
        .signed()
        .edit("authorization", |text| text.replace("=host;", "=host;via;"));
    assert_eq!(absent.verify(), Err(Refusal::Absent("via".into())));
    // What proxies add may change.
    assert_eq!(
        get().signed().with("x-amz-user-agent", "a").verify(),
        Ok(())
    );
    assert_eq!(
        get().signed().with("Content-Type", "text/xml").verify(),
        Ok(())
    );
}

#[test]
fn a_header_that_means_something_once_is_refused_twice() {
    for name in [
        "authorization",
        "host",
        "x-amz-date",
        "content-type",
        "If-Match",
    ] {
        let sent = get()
            .with("content-type", "a")
            .with("if-match", "b")
            .signed();
        assert_eq!(sent.verify(), Ok(()));
        let doubled = sent.with(name, "c").verify();
        assert_eq!(doubled, Err(Refusal::Twice(name.to_lowercase())));
    }
}

#[test]
fn what_is_said_of_the_body_must_be_so() {
    let hash = canonical::hash(b"body");
    let post = |said: &str| {
        let sent = Sent::new("POST", "/", "", b"body");
        sent.with("x-amz-content-sha256", said).signed().verify()
    };
    assert_eq!(post(&hash), Ok(()));
    assert_eq!(post(&canonical::hash(b"")), Err(Refusal::PayloadHash));
    assert_eq!(
        post("UNSIGNED-PAYLOAD"),
        Err(Refusal::Payload("UNSIGNED-PAYLOAD"))
    );
    let streamed = post("STREAMING-AWS4-HMAC-SHA256-PAYLOAD");
    assert_eq!(streamed, Err(Refusal::Payload("a streamed body")));
}

#[test]
fn what_is_never_served_is_said_plainly() {
    assert_eq!(get().verify(), Err(Refusal::Missing));
    let mut presigned = get();
    presigned.query = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=00".to_owned();
    assert_eq!(presigned.verify(), Err(Refusal::Presigned));
    let token = get().with("X-Amz-Security-Token", "t").signed();
    assert_eq!(token.verify(), Err(Refusal::SessionToken));
}

#[test]
fn a_date_header_dates_where_there_is_no_other() {
    // As a signer without X-Amz-Date writes it; made with the pieces that the vectors hold.
    let date = "Tue, 14 Nov 2023 22:13:20 GMT";
    let scope = ["20231114", "r", "cloudfront", "aws4_request"];
    let mut sent = get().with("date", date);
    let pairs: Vec<(&str, &[u8])> = sent.headers.iter().map(|(n, v)| (&n[..], &v[..])).collect();
    let request = Request {
        method: "GET",
        path: &sent.path,
        query: &sent.query,
        headers: &pairs,
        body: b"",
        now: NOW,
    };
    let payload = canonical::hash(b"");
    let whole =
        canonical::request(&request, PathForm::Normal, &["date", "host"], &payload).unwrap();
    let text = canonical::string_to_sign("20231114T221320Z", &scope.join("/"), &whole);
    let key = claim::derive(b"secret", &scope.map(str::to_owned)).unwrap();
    let mac = claim::sha256(&key, text.as_bytes()).unwrap().finalize();
    let signature = hex::encode(&mac.into_bytes());
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential=K/{}, SignedHeaders=date;host, Signature={signature}",
        scope.join("/")
    );
    sent = sent.with("authorization", &authorization);
    assert_eq!(sent.verify(), Ok(()));
}

fn legacy(date: &str, signature: &[u8]) -> Sent {
    let authorization = format!("AWS AKID:{}", STANDARD.encode(signature));
    get()
        .with("Date", date)
        .with("Authorization", &authorization)
}

fn sha1(secret: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

#[test]
fn the_older_signature_is_over_the_date_with_either_hash() {
    let date = "Tue, 14 Nov 2023 22:13:20 GMT";
    let sha256 = claim::sha256(b"secret", date.as_bytes())
        .unwrap()
        .finalize();
    for signature in [sha1(b"secret", date), sha256.into_bytes().to_vec()] {
        let sent = legacy(date, &signature);
        assert_eq!(sent.verify(), Ok(()));
        assert_eq!(sent.verify_as(&RULES, NOW + LEGACY_SKEW, b"secret"), Ok(()));
        let late = sent.verify_as(&RULES, NOW + LEGACY_SKEW + 1, b"secret");
        assert!(matches!(late, Err(Refusal::Skew { .. })), "{late:?}");
        assert_eq!(
            sent.verify_as(&RULES, NOW, b"other"),
            Err(Refusal::Mismatch)
        );
        let other = sent.edit("Date", |date| date.replace(":20 ", ":21 "));
        assert_eq!(other.verify(), Err(Refusal::Mismatch));
    }
    let short = legacy(date, b"short").verify();
    assert!(matches!(short, Err(Refusal::Malformed(_))), "{short:?}");
    let off = Rules {
        legacy: false,
        ..RULES
    };
    let sent = legacy(date, &sha1(b"secret", date));
    assert_eq!(
        sent.verify_as(&off, NOW, b"secret"),
        Err(Refusal::LegacyOff)
    );
}

/// One bit of a text is another; what is no text any more stays as it was.
fn flip(text: &mut String, at: usize) {
    let mut bytes = std::mem::take(text).into_bytes();
    let index = (at / 7) % bytes.len();
    bytes[index] ^= 1 << (at % 7);
    *text = String::from_utf8(bytes).unwrap();
}

fn any_request() -> impl Strategy<Value = Sent> {
    let path = "(/[a-z0-9-]{2,9}){1,4}";
    let query = "([A-Z][a-z]{1,5}=[a-z0-9]{1,9}(&[A-Z][a-z]{1,5}=[a-z0-9]{1,9}){0,3})?";
    let value = "[!-~]([ -~]{0,20}[!-~])?";
    let body = prop::collection::vec(any::<u8>(), 1..64);
    ("GET|PUT|POST|DELETE", path, query, value, body).prop_map(
        |(method, path, query, value, body)| {
            Sent::new(&method, &path, &query, &body).with("x-amz-meta", &value)
        },
    )
}

proptest! {
    #[test]
    fn what_amazons_signer_signs_verifies(sent in any_request(), path in "(/([a-z0-9.@~!-]|%[2-7][0-9A-F]){0,9}){1,4}", query in "([a-zA-Z0-9=&+.~-]|%[2-7][0-9A-F]){0,40}") {
        prop_assert_eq!(sent.clone().signed().verify(), Ok(()));
        let sent = Sent { path, query, ..sent };
        prop_assert_eq!(sent.signed().verify(), Ok(()));
    }

    #[test]
    fn one_bit_that_differs_is_refused(sent in any_request(), what in 0_usize..7, at in any::<usize>()) {
        let mut sent = sent.signed();
        let mut secret = "secret".to_owned();
        match what {
            0 => flip(&mut sent.method, at),
            1 => flip(&mut sent.path, at),
            2 if sent.query.is_empty() => sent.query.push('a'),
            2 => flip(&mut sent.query, at),
            // The last letter of the value: a space in its place would be trimmed.
            3 => sent = sent.edit("x-amz-meta", |mut value| { value.push('!'); value }),
            4 => { let index = at % sent.body.len(); sent.body[index] ^= 1 << (at % 8); }
            5 => sent = sent.edit("authorization", |mut text| {
                let start = text.len() - 64;
                let mut signature = text.split_off(start);
                flip(&mut signature, at);
                text + &signature
            }),
            _ => flip(&mut secret, at),
        }
        prop_assert!(sent.verify_as(&RULES, NOW, secret.as_bytes()).is_err());
    }

    #[test]
    fn nothing_that_is_sent_is_a_surprise(
        texts in prop::collection::vec("\\PC{0,40}", 3),
        values in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 6),
        authorization in "AWS(4-HMAC-SHA256)? [A-Za-z0-9=/,;:+ ]{0,200}",
        now in any::<i64>(),
    ) {
        let names = ["host", "x-amz-date", "date", "x-amz-content-sha256", "x-amz-x", "if-match"];
        let mut sent = Sent::new(&texts[0], &texts[1], &texts[2], b"");
        sent.headers = names.iter().map(|name| (*name).to_owned()).zip(values).collect();
        let _ = sent.verify_as(&RULES, now, b"");
        let _ = sent.with("authorization", &authorization).verify_as(&RULES, now, b"");
    }
}
