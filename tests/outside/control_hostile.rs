//! The control API against those who have a key, or only a connection, and mean ill: each gets a
//! clear refusal, takes nothing from another, and holds nobody up for long.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::TcpStream;
use std::sync::OnceLock;
use std::time::Duration;

use crate::support::distributions::{ALL, Config, Control, Made, member, members};
use crate::support::http::{self, Answer};
use crate::support::media;
use crate::support::server::{Server, Setup};
use crate::support::signing::{Raw, Signer};

const SECRET: &str = "a secret of the tenants";
const BUCKET: &str = "media.s3.amazonaws.com";
/// What all this together may make the server grow by: connections and documents are bounded.
const GROWTH: u64 = 64 << 20;

/// The server that all attack.
fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let key = |number: usize| {
            format!(
                "[[api.key]]\nid = 'TENANT{number}'\nsecret = '{SECRET}'\naccount = '{number:012}'\n"
            )
        };
        let keys: String = (1..=9).map(key).collect();
        Setup::directory(media::folder()).config(&keys).start()
    })
}

/// A tenant of one test.
fn tenant(number: usize) -> Control {
    Control {
        api: server().api,
        signer: Signer::of(&format!("TENANT{number}"), SECRET),
    }
}

/// What is refused, with which code.
fn code(answer: &Answer) -> String {
    let said = answer.text();
    assert!((400..500).contains(&answer.status), "{said}");
    member(&said, "Code")
}

fn ids(control: &Control) -> Vec<String> {
    let list = control.call("GET", ALL, None, "").text();
    let summaries = members(&list, "StreamingDistributionSummary");
    summaries.map(|summary| member(summary, "Id")).collect()
}

#[test]
fn documents_that_are_tricks_are_refused_and_make_nothing() {
    let control = tenant(1);
    let good = Config::new("a trick", BUCKET).xml();
    let comment =
        |text: &str| good.replace("<Comment></Comment>", &format!("<Comment>{text}</Comment>"));
    let before = |text: &str| format!("{text}{good}").into_bytes();
    let wide = |text: &str, high_first: bool| -> Vec<u8> {
        let bytes = |unit: u16| {
            if high_first {
                unit.to_be_bytes()
            } else {
                unit.to_le_bytes()
            }
        };
        text.encode_utf16().flat_map(bytes).collect()
    };
    let bomb = "<!DOCTYPE a [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;'>]>";
    let file = "<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>";
    let mark = "\u{feff}";
    for (name, body, expected) in [
        ("entities in entities", before(bomb), "MalformedXML"),
        (
            "a file as an entity",
            (file.to_owned() + &comment("&x;")).into_bytes(),
            "MalformedXML",
        ),
        (
            "an unknown entity",
            comment("&x;").into_bytes(),
            "MalformedXML",
        ),
        ("no character", comment("&#0;").into_bytes(), "MalformedXML"),
        ("a NUL", comment("\0").into_bytes(), "MalformedXML"),
        (
            "half a pair",
            comment("&#xD800;").into_bytes(),
            "MalformedXML",
        ),
        (
            "open CDATA",
            comment("<![CDATA[").into_bytes(),
            "MalformedXML",
        ),
        ("an instruction", before("<?php evil() ?>"), "MalformedXML"),
        (
            "10,000 deep",
            "<a>".repeat(10_000).into_bytes(),
            "MalformedXML",
        ),
        (
            "16,000 wide",
            format!(
                "<StreamingDistributionConfig>{}</StreamingDistributionConfig>",
                "<a/>".repeat(16_000)
            )
            .into_bytes(),
            "InvalidArgument",
        ),
        (
            "UTF-16, little end first",
            wide(&format!("{mark}{good}"), false),
            "MalformedXML",
        ),
        (
            "UTF-16, big end first",
            wide(&format!("{mark}{good}"), true),
            "MalformedXML",
        ),
        (
            "UTF-16 in words",
            before("<?xml version='1.0' encoding='UTF-16'?>"),
            "MalformedXML",
        ),
        (
            "an unknown element",
            good.replace("<Comment>", "<Evil/><Comment>").into_bytes(),
            "InvalidArgument",
        ),
        (
            "an element twice",
            good.replace("<Comment>", "<Comment>a</Comment><Comment>")
                .into_bytes(),
            "InvalidArgument",
        ),
        (
            "a quantity that lies",
            good.replace("<Quantity>0<", "<Quantity>9<").into_bytes(),
            "InconsistentQuantities",
        ),
        (
            "a quantity below nothing",
            good.replace("<Quantity>0<", "<Quantity>-1<").into_bytes(),
            "InvalidArgument",
        ),
        (
            "more than may be sent",
            before(&format!("<!--{}-->", "x".repeat(1 << 16))),
            "EntityTooLarge",
        ),
    ] {
        let raw = Raw::new(control.api, "POST", ALL).body(&body);
        let answer = control.signer.sign(raw).send(control.api);
        assert_eq!(code(&answer), expected, "{name}: {}", answer.text());
        assert!(!answer.text().contains("root:"), "{name}");
    }
    assert_eq!(ids(&control), Vec::<String>::new());
    server().assert_alive();
}

#[test]
fn bodies_that_are_framed_to_confuse_make_nothing() {
    let control = tenant(2);
    let body = Config::new("framed", BUCKET).xml();
    let signed = control.request("POST", ALL, None, &body);
    let whole = String::from_utf8(signed.bytes()).expect("text");
    let (head, _) = whole.split_once("\r\n\r\n").expect("a head");
    let length = format!("Content-Length: {}", body.len());
    for (name, framing, sent) in [
        (
            "two lengths",
            "Content-Length: 5\r\nContent-Length: 6",
            body.clone(),
        ),
        ("a length below nothing", "Content-Length: -1", body.clone()),
        (
            "a length beyond numbers",
            "Content-Length: 99999999999999999999999",
            body.clone(),
        ),
        (
            "an unknown coding",
            "Transfer-Encoding: xchunked",
            body.clone(),
        ),
        (
            "a chunk beyond numbers",
            "Transfer-Encoding: chunked",
            "FFFFFFFFFFFFFFFFFF\r\na".to_owned(),
        ),
        (
            "an endless extension",
            "Transfer-Encoding: chunked",
            format!("1;{}", "a".repeat(100_000)),
        ),
        (
            "endless chunks",
            "Transfer-Encoding: chunked",
            "1\r\na\r\n".repeat(70_000),
        ),
    ] {
        let request = format!("{}\r\n\r\n{sent}", head.replace(&length, framing));
        let mut socket = TcpStream::connect(control.api).expect("a connection");
        // It may have heard enough before the end.
        let _ = socket.write_all(request.as_bytes());
        if let Some(answer) = http::try_read(&mut socket) {
            assert!((400..500).contains(&answer.status), "{name}: {answer:?}");
        }
    }
    assert_eq!(ids(&control), Vec::<String>::new());
    // Chunks that are in order are a body like any other.
    let chunks = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    let request = head.replace(&length, "Transfer-Encoding: chunked");
    let mut socket = TcpStream::connect(control.api).expect("a connection");
    let bytes = format!("{request}\r\n\r\n{chunks}");
    socket.write_all(bytes.as_bytes()).expect("sent");
    assert_eq!(http::read(&mut socket).status, 201);
    assert_eq!(ids(&control).len(), 1);
}

#[test]
fn paths_and_versions_that_are_bent_lead_nowhere() {
    let (control, other) = (tenant(3), tenant(4));
    let made = control.create(&Config::new("mine", BUCKET));
    let theirs = other.create(&Config::new("theirs", BUCKET));
    let id = &made.id;
    let below = |path: String| format!("{ALL}/{path}");
    for path in [
        below(theirs.id.clone()),
        below(format!("..%2F{}", theirs.id)),
        below("%2e%2e".to_owned()),
        below("..%2f..%2fcache".to_owned()),
        below(format!("{id}%00")),
        below(format!("{id}%2Fconfig")),
        below(format!("{id}/config/")),
        below(format!("/{id}")),
        below(format!("./{id}")),
        below(id.to_lowercase()),
        below(format!("{id};x")),
        below("%ff".to_owned()),
        below("A".repeat(5_000)),
        format!("/2020-05-31%2fstreaming-distribution/{id}"),
        format!("/2020-05-31/../2020-05-31/streaming-distribution/{id}"),
        format!("//streaming-distribution/{id}"),
    ] {
        for method in ["GET", "DELETE"] {
            let answer = control.call(method, &path, Some(&made.etag), "");
            let said = answer.text();
            assert!(
                matches!(answer.status, 400 | 404),
                "{method} {path}: {said}"
            );
            assert!(!said.contains(&theirs.domain_name), "{path}: {said}");
        }
    }
    let path = below(id.clone());
    let bent = [
        "*",
        "\"",
        "\"\"",
        "W/\"E\"",
        &format!("{0},{0}", made.etag),
        &format!("W/\"{}\"", made.etag),
    ]
    .map(str::to_owned);
    for etag in bent.iter().chain([&made.etag.to_lowercase()]) {
        let answer = control.call("DELETE", &path, Some(etag), "");
        assert_eq!(code(&answer), "InvalidIfMatchVersion", "{etag}");
    }
    assert_eq!(control.get(id).etag, made.etag);
    assert_eq!(other.get(&theirs.id).etag, theirs.etag);
}

#[test]
fn pages_are_whole_whatever_the_marker() {
    let control = tenant(5);
    let made = control.create(&Config::new("listed", BUCKET));
    let list = |query: &str| control.call("GET", &format!("{ALL}?{query}"), None, "");
    for (query, lists_it) in [
        ("Marker=&MaxItems=1", true),
        ("Marker=%00", true),
        ("Marker=~~~~&MaxItems=99999999999999999999999999999", false),
        ("Marker=%3C%2FMarker%3E%3CItems%3E%26", true),
        ("MaxItems=101", true),
    ] {
        let answer = list(query);
        let said = answer.text();
        assert_eq!(answer.status, 200, "{query}: {said}");
        assert_eq!(
            members(&said, "StreamingDistributionSummary").count(),
            usize::from(lists_it)
        );
        assert!(!said.contains('\0'), "{query}");
        assert_eq!(said.contains(&made.id), lists_it, "{query}");
        assert_eq!(
            said.matches("</Marker>").count(),
            usize::from(!said.contains("<Marker/>")),
            "{said}"
        );
    }
    for query in [
        "MaxItems=0",
        "MaxItems=-1",
        "MaxItems=",
        "MaxItems=1&MaxItems=2",
        "MaxItems=%EF%BC%91",
    ] {
        assert_eq!(code(&list(query)), "InvalidArgument", "{query}");
    }
}

/// How often each outcome came of `count` requests at once.
fn at_once(
    control: &Control,
    count: usize,
    config: impl Fn(usize) -> Config + Sync,
) -> BTreeMap<String, usize> {
    let create = |number: usize| {
        let answer = control.call("POST", ALL, None, &config(number).xml());
        if answer.status == 201 {
            drop(Made::read(&answer));
            return "made".to_owned();
        }
        code(&answer)
    };
    let mut outcomes = BTreeMap::new();
    std::thread::scope(|scope| {
        let create = &create;
        let all: Vec<_> = (0..count)
            .map(|number| scope.spawn(move || create(number)))
            .collect();
        for one in all {
            *outcomes.entry(one.join().expect("an answer")).or_default() += 1;
        }
    });
    outcomes
}

fn outcomes(pairs: &[(&str, usize)]) -> BTreeMap<String, usize> {
    pairs
        .iter()
        .map(|(name, count)| ((*name).to_owned(), *count))
        .collect()
}

#[test]
fn of_fifty_who_want_the_same_at_once_one_gets_it() {
    let control = tenant(6);
    let hot =
        |number: usize| Config::new(&format!("hot {number}"), BUCKET).aliases(&["hot.example.com"]);
    let expected = outcomes(&[("made", 1), ("CNAMEAlreadyExists", 49)]);
    assert_eq!(at_once(&control, 50, hot), expected);
    let same = |_| Config::new("the same", BUCKET);
    let expected = outcomes(&[("made", 1), ("StreamingDistributionAlreadyExists", 49)]);
    assert_eq!(at_once(&control, 50, same), expected);
    let more = |number: usize| Config::new(&format!("more {number}"), BUCKET);
    let expected = outcomes(&[("made", 98), ("TooManyStreamingDistributions", 22)]);
    assert_eq!(at_once(&control, 120, more), expected);
    assert_eq!(ids(&control).len(), 100);
    // Of one account; another has its own hundred.
    tenant(7).create(&Config::new("mine", BUCKET));
}

/// More connections than there are places, by those who send nothing, half a request, or a line now
/// and then. A call waits until their time is over, and no longer.
#[test]
fn who_holds_connections_holds_nobody_up_for_ever() {
    let server = Setup::directory(media::folder()).with_key().start();
    let control = Control::operator(server.api);
    let resident = server.resident();
    let mut held = Vec::new();
    for number in 0..300 {
        let body = Config::new(&format!("half {number}"), BUCKET).xml();
        let request = control.request("POST", ALL, None, &body).bytes();
        let begun = match number % 3 {
            0 => Vec::new(),
            1 => request[..request.len() - 50].to_vec(),
            _ => b"GET / HTTP/1.1\r\nX-Line: 1\r\n".to_vec(),
        };
        let mut socket = TcpStream::connect(server.api).expect("a connection");
        socket
            .set_write_timeout(Some(Duration::from_secs(30)))
            .expect("a timeout");
        socket.write_all(&begun).expect("sent");
        held.push(socket);
    }
    // The one of the command line.
    assert_eq!(ids(&control), ["default"]);
    let grown = server.resident().saturating_sub(resident);
    assert!(grown < GROWTH, "grown by {} MiB", grown >> 20);
    drop(held);
    control.create(&Config::new("whole", BUCKET));
}

/// An account is known by its key, whether or not it owns anything; no other can be trusted.
#[test]
fn only_accounts_that_there_are_can_be_trusted_signers() {
    let control = tenant(8);
    let trusting = |account: &str| {
        let mut config = Config::new(account, BUCKET);
        config.signers = vec![account.to_owned()];
        config.xml()
    };
    let made = control.call("POST", ALL, None, &trusting("000000000009"));
    assert_eq!(made.status, 201, "{}", made.text());
    let refused = control.call("POST", ALL, None, &trusting("000000000010"));
    assert_eq!(code(&refused), "TrustedSignerDoesNotExist");
}
