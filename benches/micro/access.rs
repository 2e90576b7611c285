//! What a signed name costs at a play: canned (one of the forms was signed: the first, or the last
//! of them), custom, and refused. The peer is the one RSA verification that cannot be done without;
//! the matcher's is the recursion that everybody writes first.

use std::hint::black_box;
use std::process::{Command, Stdio};
use std::sync::Arc;

use criterion::{Criterion, Throughput};
use jiff::Timestamp;
use streamfront::access::pattern::Pattern;
use streamfront::access::{Asked, Hash, SignerKey, SignerKeys, alphabet, policy, verify};

use crate::cpu_time::CpuTime;

const EXPIRES: u64 = 2_000_000_000;

/// What openssl makes of the input.
pub(crate) fn openssl(arguments: &[&str], input: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut child = Command::new("openssl")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("openssl");
    let mut stdin = child.stdin.take().expect("stdin is piped");
    stdin.write_all(input).expect("openssl reads");
    drop(stdin);
    let output = child.wait_with_output().expect("openssl ends");
    assert!(output.status.success(), "openssl {arguments:?}");
    output.stdout
}

/// A key pair of 2048 bits.
pub(crate) struct Pair {
    folder: tempfile::TempDir,
    /// The public key as a file has it.
    pub(crate) pem: String,
    public: SignerKey,
}

impl Pair {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("key.pem").display().to_string();
        let bits = "rsa_keygen_bits:2048";
        openssl(
            &[
                "genpkey",
                "-quiet",
                "-algorithm",
                "RSA",
                "-pkeyopt",
                bits,
                "-out",
                &file,
            ],
            b"",
        );
        let public = openssl(&["pkey", "-in", &file, "-pubout"], b"");
        let pem = String::from_utf8(public).expect("PEM");
        let public = SignerKey::parse(&pem).expect("a public key");
        Self {
            folder,
            pem,
            public,
        }
    }

    fn sign(&self, text: &str) -> Vec<u8> {
        let file = self.folder.path().join("key.pem").display().to_string();
        openssl(&["dgst", "-sha1", "-sign", &file], text.as_bytes())
    }

    /// The query of a name: what is signed, and the signature over `text`.
    pub(crate) fn query(&self, signed: &str, text: &str) -> String {
        let signature = alphabet::encode(&self.sign(text));
        format!("{signed}&Signature={signature}&Key-Pair-Id=K")
    }
}

/// `mp4:dir/film`, all seven keys of which have to be tried.
fn asked() -> Asked {
    let keys = ["", ".mp4", ".m4v", ".f4v", ".mov", ".m4a", ".f4a"];
    Asked {
        name: "dir/film".into(),
        stem: None,
        prefixed: Some("mp4:dir/film".into()),
        keys: keys.map(|extension| format!("dir/film{extension}")).into(),
    }
}

fn slow(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => {
            slow(rest, text)
                || text
                    .split_first()
                    .is_some_and(|(_, text)| slow(pattern, text))
        }
        (Some((b'?', pattern)), Some((_, text))) => slow(pattern, text),
        (Some((a, pattern)), Some((b, text))) => a == b && slow(pattern, text),
        _ => false,
    }
}

/// Times it.
pub fn bench(criterion: &mut Criterion<CpuTime>) {
    let pair = Pair::new();
    let canned = |resource: &str| {
        let text = policy::canned(resource, EXPIRES);
        pair.query(&format!("Expires={EXPIRES}"), &text)
    };
    let text = policy::canned("dir/*", EXPIRES);
    let custom = pair.query(
        &format!("Policy={}", alphabet::encode(text.as_bytes())),
        &text,
    );
    let keys = SignerKeys {
        trusted: [("K".to_owned(), Arc::new(pair.public.clone()))].into(),
        ..SignerKeys::default()
    };
    let (asked, now) = (
        asked(),
        Timestamp::from_second(1_700_000_000).expect("a time"),
    );
    let plays = |query: &str| verify(&asked, Some(query), &keys, now, None).is_ok();
    let mut group = criterion.benchmark_group("access: a play of a signed name");
    group.throughput(Throughput::Elements(1));
    for (name, query, accepted) in [
        ("canned, first form", canned("dir/film"), true),
        ("canned, last form", canned("dir/film.f4a"), true),
        ("canned, refused", canned("dir/else"), false),
        ("custom", custom, true),
        ("not signed", String::new(), false),
    ] {
        assert_eq!(plays(&query), accepted, "{name}");
        group.bench_function(name, |bencher| bencher.iter(|| plays(black_box(&query))));
    }
    let signature = pair.sign(&text);
    let verified = || {
        pair.public
            .verifies(Hash::Sha1, black_box(text.as_bytes()), &signature)
    };
    assert!(verified());
    group.bench_function("one verification", |bencher| bencher.iter(verified));
    group.finish();

    let mut group = criterion.benchmark_group("access: a pattern");
    group.throughput(Throughput::Elements(1));
    let (pattern, text) = (
        "training/*/lesson-??/*.mp4",
        "training/2012/spring/lesson-07/part/2.mp4",
    );
    let ours = Pattern::new(pattern);
    let peer = || slow(black_box(pattern).as_bytes(), black_box(text).as_bytes());
    assert!(ours.matches(text) && peer());
    group.bench_function("ours", |bencher| {
        bencher.iter(|| ours.matches(black_box(text)))
    });
    group.bench_function("recursive", |bencher| bencher.iter(peer));
    group.finish();
}
