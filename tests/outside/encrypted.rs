//! RTMPE and RTMPTE: every byte behind the handshake is enciphered, and every packet arrives.

use tempfile::tempdir;

use crate::support::distributions::{Config, Control, member};
use crate::support::metrics::Metrics;
use crate::support::packets::{self, Table};
use crate::support::server::{Server, Setup};
use crate::support::{media, players, seaweed, server};

/// What rtmpdump got of `name` by `scheme`, and what it said.
fn dump(server: &Server, scheme: &str, name: &str, more: &[&str]) -> (Option<Table>, String) {
    let folder = tempdir().expect("a temporary folder");
    let out = folder.path().join("dumped.flv");
    let address = server.rtmp.to_string();
    let outcome = players::rtmpdump_by(scheme, &address, "cfx/st", name, more, &out);
    let dumped = std::fs::metadata(&out).is_ok_and(|file| file.len() > 13);
    let table = dumped.then(|| packets::messages(&packets::flv_tags(&out)));
    (table, outcome.stderr)
}

fn plays(scheme: &str) {
    let server = server::shared();
    for (file, name) in [
        ("plain.mp4", "mp4:plain.mp4"),
        ("index.flv", "index"),
        ("large.mp4", "mp4:large.mp4"),
    ] {
        let path = media::file(file);
        let source = match file.ends_with(".flv") {
            true => packets::messages(&packets::flv_tags(&path)),
            false => packets::source(&path),
        };
        let (received, said) = dump(server, scheme, name, &[]);
        let received = received.unwrap_or_else(|| panic!("{scheme}, {name}: {said}"));
        packets::assert_played(&format!("rtmpdump by {scheme}, {name}"), &source, &received);
    }
    server.assert_alive();
}

#[test]
fn rtmpdump_plays_by_rtmpe() {
    plays("rtmpe");
}

#[test]
fn rtmpdump_plays_by_rtmpte() {
    plays("rtmpte");
}

#[test]
fn rtmpdump_seeks_by_rtmpe_and_rtmpte() {
    let server = server::shared();
    let more = ["--start", "20"];
    let (plain, said) = dump(server, "rtmp", "mp4:large.mp4", &more);
    let plain = plain.expect(&said);
    for scheme in ["rtmpe", "rtmpte"] {
        let (received, said) = dump(server, scheme, "mp4:large.mp4", &more);
        let received = received.unwrap_or_else(|| panic!("{scheme}: {said}"));
        packets::assert_same(&format!("rtmpdump by {scheme}"), &plain, &received);
    }
}

/// Pauses and small buffers: librtmp switches its stream on and off in the middle.
#[test]
fn rtmpdump_at_a_small_buffer_loses_nothing() {
    let server = server::shared();
    let (received, said) = dump(server, "rtmpe", "mp4:plain.mp4", &["--buffer", "1500"]);
    let source = packets::source(&media::file("plain.mp4"));
    packets::assert_played("rtmpe --buffer 1500", &source, &received.expect(&said));
}

/// Two distributions, one of them without.
fn two() -> Server {
    let folder = media::folder().display();
    Setup::directory(media::folder())
        .config(&format!(
            "[[distribution]]\nid = 'plain'\nbucket = '{folder}'\n\
             hosts = ['plain.example.com']\nencrypted = false\n"
        ))
        .start()
}

#[test]
fn a_distribution_may_be_without() {
    let server = two();
    let tc_url = ["-t", "rtmpe://plain.example.com/cfx/st"];
    let (received, _) = dump(&server, "rtmpe", "mp4:plain.mp4", &tc_url);
    assert!(received.is_none(), "switched off");
    let metrics = Metrics::of(server.api);
    let refused = "streamfront_connections_refused_total{reason=\"encryption\"}";
    assert_eq!(metrics.get(refused), 1.0);
    // Plain RTMP to the same, and RTMPE to the other.
    let plain = dump(&server, "rtmp", "mp4:plain.mp4", &tc_url);
    assert!(plain.0.is_some(), "{}", plain.1);
    let other = dump(&server, "rtmpe", "mp4:plain.mp4", &[]);
    assert!(other.0.is_some(), "{}", other.1);
}

#[test]
fn without_any_the_handshake_is_refused() {
    let server = Setup::directory(media::folder())
        .config("[rtmp]\nencrypted = false\n")
        .start();
    let (received, _) = dump(&server, "rtmpe", "mp4:plain.mp4", &[]);
    assert!(received.is_none());
    let (received, said) = dump(&server, "rtmp", "mp4:plain.mp4", &[]);
    assert!(received.is_some(), "{said}");
}

/// A distribution of the API has no field for it, but a tag.
#[test]
fn a_tag_switches_it_off_and_on() {
    let server = Setup::s3(seaweed::shared()).with_key().start();
    let control = Control::operator(server.api);
    let identity = control.identity("tagged");
    let config = Config::new("tagged", "media.s3.amazonaws.com").identity(&identity);
    let made = control.serve(&config);
    let path = format!("/2020-05-31/streaming-distribution/{}", made.id);
    let arn = member(&control.call("GET", &path, None, "").text(), "ARN");
    let path = format!(
        "/2020-05-31/tagging?Operation=Tag&Resource={}",
        arn.replace(':', "%3A").replace('/', "%2F")
    );
    let tc_url = format!("rtmpe://{}/cfx/st", made.domain_name);
    let plays = || {
        dump(&server, "rtmpe", "mp4:plain.mp4", &["-t", &tc_url])
            .0
            .is_some()
    };
    assert!(plays(), "before");
    for (value, expected) in [("off", false), ("on", true)] {
        let tag = format!(
            "<Tags><Items><Tag><Key>streamfront:rtmpe</Key><Value>{value}</Value></Tag></Items></Tags>"
        );
        let answer = control.call("POST", &path, None, &tag);
        assert_eq!(answer.status, 204, "{}", answer.text());
        assert!((0..100).any(|_| plays() == expected), "{value}");
    }
}
