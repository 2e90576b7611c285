//! RTMPS and HTTPS: real players, certificates by name, and certificates that change.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use tempfile::{TempDir, tempdir};

use crate::support::certificates::{Certificate, shown};
use crate::support::client::{Client, UNPACED};
use crate::support::haproxy::Haproxy;
use crate::support::metrics::Metrics;
use crate::support::packets::{self, Table};
use crate::support::server::{Server, Setup};
use crate::support::{media, players, seaweed, tools};

/// How long a new certificate may take to be shown. Not a promise: a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server with these certificates.
fn start(certificates: &[&Certificate]) -> Server {
    let entries: String = certificates.iter().map(|it| it.entry()).collect();
    Setup::s3(seaweed::shared()).config(&entries).start()
}

fn with_one() -> (Server, TempDir) {
    let folder = tempdir().expect("a folder");
    let one = Certificate::make(folder.path(), "one", &["films.example.com"]);
    (start(&[&one]), folder)
}

fn url(server: &Server, name: &str) -> String {
    server.url(name).replace("rtmp://", "rtmps://")
}

fn dumped(server: &Server, name: &str, more: &[&str], out: &Path) -> Table {
    let url = format!("rtmps://{}/cfx/st", server.rtmp);
    let out = out.display().to_string();
    let fixed = [
        "--quiet",
        "--timeout",
        "60",
        "-r",
        &url,
        "-a",
        "cfx/st",
        "-y",
        name,
    ];
    let arguments = [&fixed[..], &["-o", &out], more].concat();
    let outcome = players::run(tools::tool("rtmpdump"), &arguments);
    assert!(
        Path::new(&out).is_file(),
        "nothing written: {}",
        outcome.stderr
    );
    packets::messages(&packets::flv_tags(Path::new(&out)))
}

#[test]
fn real_players_play_over_rtmps_as_over_rtmp() {
    let (server, folder) = with_one();
    for (file, name) in [("plain.mp4", "mp4:plain.mp4"), ("index.flv", "index")] {
        let path = media::file(file);
        let source = match name {
            "index" => packets::messages(&packets::flv_tags(&path)),
            _ => packets::source(&path),
        };
        let probed = packets::ffprobe(&url(&server, name), &[]);
        packets::assert_played(&format!("ffmpeg, {name}"), &source, &probed);

        let out = folder.path().join("dumped.flv");
        let whole = dumped(&server, name, &[], &out);
        packets::assert_played(&format!("rtmpdump, {name}"), &source, &whole);

        let out = folder.path().join("streamer.flv");
        let location = url(&server, name);
        let outcome = players::rtmp2src_credulous(&location, &out);
        outcome.good(&format!("rtmp2src, {name}"));
        let received = packets::messages(&packets::flv_tags(&out));
        packets::assert_played(&format!("rtmp2src, {name}"), &source, &received);
    }
}

#[test]
fn ffmpeg_plays_through_the_tunnel_in_tls() {
    let (server, _folder) = with_one();
    let source = packets::source(&media::file("plain.mp4"));
    let url = server.url("mp4:plain.mp4").replace("rtmp://", "rtmpts://");
    packets::assert_played("rtmpts", &source, &packets::ffprobe(&url, &[]));
}

#[test]
fn rtmpdump_seeks_over_rtmps() {
    let (server, folder) = with_one();
    let plain = folder.path().join("plain.flv");
    let address = server.rtmp.to_string();
    let name = "mp4:plain.mp4";
    players::rtmpdump_split(&address, "cfx/st", name, &["--start", "2"], &plain);
    let plain = packets::messages(&packets::flv_tags(&plain));
    let secure = dumped(
        &server,
        name,
        &["--start", "2"],
        &folder.path().join("secure.flv"),
    );
    assert!(plain.len() > 10);
    packets::assert_same("from 2 s on", &plain, &secure);
}

#[test]
fn browsers_get_https_on_every_port() {
    let (server, _folder) = with_one();
    for port in [server.rtmp.port(), server.http.port()] {
        let host = format!("films.example.com:{port}:127.0.0.1");
        let address = format!("https://films.example.com:{port}/crossdomain.xml");
        let arguments = [
            "-sS",
            "-k",
            "-i",
            "--max-time",
            "60",
            "--resolve",
            &host,
            &address,
        ];
        let outcome = players::run(tools::tool("curl"), &arguments).good("curl");
        let said = String::from_utf8_lossy(&outcome.stdout).into_owned();
        assert!(said.starts_with("HTTP/1.1 200 OK\r\n"), "{said}");
        assert!(said.contains("<cross-domain-policy>"), "{said}");
    }
}

#[test]
fn the_name_that_is_asked_for_chooses_the_certificate() {
    let folder = tempdir().expect("a folder");
    let make = |name, hosts: &[&str]| Certificate::make(folder.path(), name, hosts);
    let first = make("first", &["first.example.com"]);
    let wild = make("wild", &["*.example.com"]);
    let films = make("films", &["films.example.com"]);
    let server = start(&[&first, &wild, &films]);
    for (flag, version) in [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")] {
        for (name, subject) in [
            ("films.example.com", "films"),
            ("first.example.com", "first"),
            ("other.example.com", "wild"),
            ("a.b.example.com", "first"),
            ("elsewhere.test", "first"),
        ] {
            let seen = shown(server.rtmp, &["-servername", name, flag]);
            assert_eq!(seen, (subject.to_owned(), version.to_owned()), "{name}");
        }
        let (subject, _) = shown(server.http, &["-noservername", flag]);
        assert_eq!(subject, "first");
    }
}

/// Waits until the server shows the certificate with this common name.
fn wait_until_shown(server: &Server, subject: &str) {
    let end = Instant::now() + PATIENCE;
    while shown(server.rtmp, &[]).0 != subject {
        assert!(
            Instant::now() < end,
            "{subject} is not shown:\n{}",
            server.log()
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_certificate_is_exchanged_while_a_viewer_plays() {
    let folder = tempdir().expect("a folder");
    let old = Certificate::make(folder.path(), "old", &["films.example.com"]);
    let server = start(&[&old]);
    assert_eq!(shown(server.rtmp, &[]).0, "old");
    // What speaks TLS for our own client, which can stop in the middle.
    let front = Haproxy::start(server.rtmp, "ssl verify none");
    let mut client = Client::open(front.address);
    let stream = client.create_stream();
    client.set_buffer(stream, 1000);
    client.play_all(stream, "mp4:plain.mp4");
    let mut messages = client.until("media", |message| message.is_media());
    client.pause(stream, true, 0.0);
    messages.extend(client.until_status("NetStream.Pause.Notify"));

    let new = Certificate::make(folder.path(), "new", &["films.example.com"]);
    fs::rename(&new.key, &old.key).expect("moved");
    fs::rename(&new.chain, &old.chain).expect("moved");
    wait_until_shown(&server, "new");
    // What cannot be used changes nothing.
    fs::write(&old.chain, "garbage").expect("written");
    server.hang_up();
    let end = Instant::now() + PATIENCE;
    while !server.log().contains("a certificate was refused") {
        assert!(Instant::now() < end, "{}", server.log());
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(shown(server.rtmp, &[]).0, "new");

    client.set_buffer(stream, UNPACED);
    client.pause(stream, false, 0.0);
    messages.extend(client.until_status("NetStream.Play.Stop"));
    let source = packets::source(&media::file("plain.mp4"));
    packets::assert_played("through the change", &source, &packets::messages(&messages));
}

#[test]
fn a_certificate_that_cannot_be_used_is_one_line_at_the_start() {
    let folder = tempdir().expect("a folder");
    let one = Certificate::make(folder.path(), "one", &["a.example"]);
    let two = Certificate::make(folder.path(), "two", &["b.example"]);
    let mixed = Certificate {
        key: two.key,
        ..one
    };
    let setup = Setup::s3(seaweed::shared()).config(&mixed.entry());
    let refusal = setup.try_start().expect_err("it cannot start");
    let said = refusal.stderr.lines().last().unwrap_or_default();
    assert!(
        said.contains("[[certificate]]: the certificate in "),
        "{said}"
    );
    assert!(
        said.contains("one.pem and its key cannot be used"),
        "{said}"
    );
}

#[test]
fn what_is_left_of_a_certificate_is_a_metric_and_none_is_no_tls() {
    let (server, _folder) = with_one();
    let left = Metrics::of(server.api).get("streamfront_certificate_expiry_seconds");
    let day = 24.0 * 3600.0;
    assert!(left > 89.0 * day && left <= 90.0 * day, "{left}");
    let bare = Setup::s3(seaweed::shared()).start();
    let address = format!("https://{}/healthz", bare.http);
    let outcome = players::run(tools::tool("curl"), &["-sS", "-k", &address]);
    assert!(!outcome.status.success());
}
