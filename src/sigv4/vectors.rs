//! The test vectors that AWS publishes for Signature Version 4, those that sign in headers, as a
//! table of facts: what is signed, and the signature. All are of one key, time, region and service.

use super::*;

const SECRET: &[u8] = b"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const DATE: &str = "20150830T123600Z";
const NOW: i64 = 1_440_938_160;
const HOST: &str = "example.amazonaws.com";
const LETTERS: &str = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const TOKEN: &str = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267";
const LONG_TOKEN: &str = concat!(
    "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSP",
    "fIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7",
    "WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8",
    "FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==",
);

/// Name, method, path, further headers, signature. A path with a space or with letters beyond ASCII
/// stands for what is encoded once.
type Row = (
    &'static str,
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static str,
);

const VANILLA: &str = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";
const POSTED: &str = "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b";
const SPACE: &str = "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741";
const PARAM: &str = "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11";

/// Paths without empty segments and dots, or signed without them.
#[rustfmt::skip]
const NORMAL: &[Row] = &[
    ("get-vanilla", "GET", "/", &[], VANILLA),
    ("get-vanilla-query", "GET", "/", &[], VANILLA),
    ("get-relative-normalized", "GET", "/example/..", &[], VANILLA),
    ("get-relative-relative-normalized", "GET", "/example1/example2/../..", &[], VANILLA),
    ("get-slash-dot-slash-normalized", "GET", "/./", &[], VANILLA),
    ("get-slash-normalized", "GET", "//", &[], VANILLA),
    ("get-slash-pointless-dot-normalized", "GET", "/./example", &[],
     "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5"),
    ("get-slashes-normalized", "GET", "//example//", &[],
     "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"),
    ("get-space-normalized", "GET", "/example space/", &[], SPACE),
    ("get-unreserved", "GET", "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", &[],
     "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"),
    ("get-utf8", "GET", "/\u{1234}", &[],
     "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"),
    ("get-vanilla-empty-query-key", "GET", "/?Param1=value1", &[],
     "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"),
    ("get-vanilla-query-order-encoded", "GET", "/?Param-3=Value3&Param=Value2&%E1%88%B4=Value1", &[],
     "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac"),
    ("get-vanilla-query-order-key-case", "GET", "/?Param2=value2&Param1=value1", &[],
     "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"),
    ("get-vanilla-utf8-query", "GET", "/?\u{1234}=bar", &[],
     "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"),
    ("get-header-key-duplicate", "GET", "/",
     &[("My-Header1", "value2"), ("My-Header1", "value2"), ("My-Header1", "value1")],
     "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"),
    // The lines that go on are what HTTP servers make of them: spaces.
    ("get-header-value-multiline", "GET", "/", &[("My-Header1", "value1   value2      value3")],
     "cfd34249e4b1c8d6b91ef74165d41a32e5fab3306300901bb65a51a73575eefd"),
    ("get-header-value-order", "GET", "/",
     &[("My-Header1", "value4"), ("My-Header1", "value1"), ("My-Header1", "value3"), ("My-Header1", "value2")],
     "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01"),
    ("get-header-value-trim", "GET", "/", &[("My-Header1", " value1"), ("My-Header2", " \"a   b   c\"")],
     "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"),
    ("get-vanilla-with-session-token", "GET", "/", &[("X-Amz-Security-Token", TOKEN)],
     "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8"),
    ("post-vanilla", "POST", "/", &[], POSTED),
    ("post-header-key-case", "POST", "/", &[], POSTED),
    ("post-sts-header-after", "POST", "/", &[], POSTED),
    ("post-sts-header-before", "POST", "/", &[("X-Amz-Security-Token", LONG_TOKEN)],
     "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead"),
    ("post-header-key-sort", "POST", "/", &[("My-Header1", "value1")],
     "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"),
    ("post-header-value-case", "POST", "/", &[("My-Header1", "VALUE1")],
     "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d"),
    ("post-vanilla-empty-query-value", "POST", "/?Param1=value1", &[], PARAM),
    ("post-vanilla-query", "POST", "/?Param1=value1", &[], PARAM),
];

/// Paths signed as they were sent.
#[rustfmt::skip]
const AS_SENT: &[Row] = &[
    ("get-relative-unnormalized", "GET", "/example/..", &[],
     "eca7ead57bb5aa5c8e28007acd4ff04e1ff9a0ff3b237ec1554a184887ff9282"),
    ("get-relative-relative-unnormalized", "GET", "/example1/example2/../..", &[],
     "dc33e0856fd4baca4d7aa2146c38958283844764f38c74252a333df5e613003b"),
    ("get-slash-dot-slash-unnormalized", "GET", "/./", &[],
     "68714168e6557f8f2de0ef956fc24dc2593a4bd2961f8df51898d8a134695145"),
    ("get-slash-unnormalized", "GET", "//", &[],
     "c88bcd3d312d75078c0cd961d6deae3f4c754924b01669efcfcb439fd5e5b76e"),
    ("get-slash-pointless-dot-unnormalized", "GET", "/./example", &[],
     "beb03f223f7deae4146464f06e29eebbee9c8afbe15c290cf07aa8b119e14cff"),
    ("get-slashes-unnormalized", "GET", "//example//", &[],
     "87cca117541a147f6df867677d98a7d80dff226d2bfca9e4ffa899665623c7e5"),
    ("get-space-unnormalized", "GET", "/example space/", &[], SPACE),
];

/// Both post this body and sign its length and hash.
const FORM: &[u8] = b"Param1=value1";
const FORM_HASH: &str = "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e";
const FORMS: &[(&str, &str)] = &[
    (
        "application/x-www-form-urlencoded",
        "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b",
    ),
    (
        "application/x-www-form-urlencoded; charset=utf-8",
        "328d1b9eaadca9f5818ef05e8392801e091653bafec24fcab71e7344e7f51422",
    ),
];

/// What is read of a request that all its headers of which are signed.
fn claim(
    (method, target): (&str, &str),
    more: &[(&str, &str)],
    body: &[u8],
    path: PathForm,
    signature: &str,
) -> Result<Claim, Refusal> {
    let mut pairs = vec![("Host", HOST), ("X-Amz-Date", DATE)];
    pairs.extend(more);
    let mut names: Vec<String> = pairs.iter().map(|(name, _)| name.to_lowercase()).collect();
    names.sort();
    names.dedup();
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
         SignedHeaders={}, Signature={signature}",
        names.join(";")
    );
    pairs.push(("Authorization", &authorization));
    let headers: Vec<(&str, &[u8])> = pairs.iter().map(|(n, v)| (*n, v.as_bytes())).collect();
    let (target, query) = target.split_once('?').unwrap_or((target, ""));
    let request = Request {
        method,
        path: target,
        query,
        headers: &headers,
        body,
        now: NOW,
    };
    let rules = Rules {
        service: "service",
        path,
        legacy: false,
    };
    let four = match Authorization::parse(&authorization)? {
        Authorization::Four(four) => four,
        Authorization::Legacy { .. } => panic!("version 4"),
    };
    // The vectors with session tokens are of requests that are refused for them; what is signed in
    // them is a vector like the others.
    claim::read(&request, Headers(&headers), &four, &rules)
}

fn check(rows: &[Row], path: PathForm) {
    for (name, method, target, more, signature) in rows {
        let claim = claim((method, target), more, b"", path, signature).unwrap();
        assert_eq!(claim.verify(SECRET), Ok(()), "{name}");
        assert_eq!(claim.verify(b"wrong"), Err(Refusal::Mismatch), "{name}");
    }
}

#[test]
fn the_vectors_with_normal_paths_verify() {
    check(NORMAL, PathForm::Normal);
}

#[test]
fn the_vectors_with_paths_as_sent_verify() {
    check(AS_SENT, PathForm::AsSent);
}

#[test]
fn the_vector_with_every_letter_in_the_query_verifies() {
    let target = format!("/?{LETTERS}={LETTERS}");
    let signature = "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197";
    let claim = claim(("GET", &target), &[], b"", PathForm::Normal, signature).unwrap();
    assert_eq!(claim.verify(SECRET), Ok(()));
}

#[test]
fn the_vectors_with_bodies_verify() {
    for (kind, signature) in FORMS {
        let more = [
            ("Content-Type", *kind),
            ("Content-Length", "13"),
            ("X-Amz-Content-Sha256", FORM_HASH),
        ];
        let target = ("POST", "/");
        let claim = claim(target, &more, FORM, PathForm::Normal, signature).unwrap();
        assert_eq!(claim.verify(SECRET), Ok(()), "{kind}");
    }
}

#[test]
fn the_vectors_of_paths_that_are_encoded_twice_agree() {
    for (sent, signed) in [
        (
            "/test/@connections/JBDvjfGEIAMCERw%3D",
            "/test/%40connections/JBDvjfGEIAMCERw%253D",
        ),
        (
            "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-west-2%3A892717189312%3Afunction%3Amy-rusty-fun/invocations",
            "/2015-03-31/functions/arn%253Aaws%253Alambda%253Aus-west-2%253A892717189312%253Afunction%253Amy-rusty-fun/invocations",
        ),
    ] {
        assert_eq!(path::canonical(sent, PathForm::Normal), signed);
    }
}
