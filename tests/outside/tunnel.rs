//! RTMPT: players who are let through by HTTP only, and what they, proxies and the hostile do to a
//! tunnel.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::tempdir;

use crate::support::client::{Client, UNPACED};
use crate::support::message::{Message, assert_end};
use crate::support::metrics::Metrics;
use crate::support::nginx::Nginx;
use crate::support::packets::{self, Table};
use crate::support::server::{Server, Setup};
use crate::support::signing::request;
use crate::support::tunnel::{Manners, Wire, bridge};
use crate::support::{media, players, server};

/// Long enough that a server that had not stopped would have sent more.
const QUIET: Duration = Duration::from_millis(800);

/// Half-open tunnels.
const CROWD: usize = 10_000;

/// What each of them may make the server grow by: as much as one on plain TCP.
const EACH: u64 = 20 * 1024;

fn source(file: &str) -> Table {
    let path = media::file(file);
    if file.ends_with(".flv") {
        packets::messages(&packets::flv_tags(&path))
    } else {
        packets::source(&path)
    }
}

/// What rtmpdump gets of `name`.
fn dump(address: SocketAddr, scheme: &str, name: &str, more: &[&str]) -> Table {
    let folder = tempdir().expect("a temporary folder");
    let out = folder.path().join("dumped.flv");
    let outcome = players::rtmpdump_by(scheme, &address.to_string(), "cfx/st", name, more, &out);
    assert!(out.is_file(), "{name}: nothing written: {}", outcome.stderr);
    packets::messages(&packets::flv_tags(&out))
}

/// rtmpdump and ffmpeg play through `address`, whatever stands there.
fn plays(what: &str, address: SocketAddr, films: &[(&str, &str)]) {
    for (file, name) in films {
        let wanted = source(file);
        let dumped = dump(address, "rtmpt", name, &[]);
        packets::assert_played(&format!("rtmpdump, {what}, {name}"), &wanted, &dumped);
        let probed = packets::ffprobe(&format!("rtmpt://{address}/cfx/st/{name}"), &[]);
        packets::assert_played(&format!("ffmpeg, {what}, {name}"), &wanted, &probed);
    }
}

const FILMS: &[(&str, &str)] = &[
    ("plain.mp4", "mp4:plain.mp4"),
    ("index.flv", "index"),
    ("large.mp4", "mp4:large.mp4"),
];

/// A client that plays through a tunnel.
fn tunnelled(server: &Server, manners: Manners) -> Client {
    Client::open(bridge(server.http, manners))
}

#[test]
fn players_play_on_either_port() {
    let server = server::shared();
    plays("port of RTMP", server.rtmp, FILMS);
    plays("port of HTTP", server.http, &FILMS[..1]);
    server.assert_alive();
}

#[test]
fn rtmpdump_seeks() {
    let server = server::shared();
    let more = ["--start", "20"];
    let plain = dump(server.rtmp, "rtmp", "mp4:large.mp4", &more);
    let tunnelled = dump(server.rtmp, "rtmpt", "mp4:large.mp4", &more);
    packets::assert_same("rtmpdump --start", &plain, &tunnelled);
}

#[test]
fn ffmpeg_seeks() {
    let server = server::shared();
    let folder = tempdir().expect("a temporary folder");
    let tables = ["rtmp", "rtmpt"].map(|scheme| {
        let out = folder.path().join(format!("{scheme}.flv"));
        let url = format!("{scheme}://{}/cfx/st/mp4:large.mp4", server.rtmp);
        players::ffmpeg(&url, &["-ss", "20"], &out).good(scheme);
        packets::messages(&packets::flv_tags(&out))
    });
    packets::assert_same("ffmpeg -ss", &tables[0], &tables[1]);
}

/// librtmp pauses and unpauses by itself while it plays; ffmpeg plays at the pace of the media.
#[test]
fn small_buffers_lose_nothing() {
    let server = server::shared();
    let wanted = source("plain.mp4");
    let more = ["--buffer", "1500"];
    let dumped = dump(server.rtmp, "rtmpt", "mp4:plain.mp4", &more);
    packets::assert_played("rtmpdump --buffer 1500", &wanted, &dumped);
    let url = format!("rtmpt://{}/cfx/st/mp4:plain.mp4", server.rtmp);
    let probed = packets::ffprobe(&url, &["-rtmp_buffer", "1000"]);
    packets::assert_played("ffmpeg -rtmp_buffer 1000", &wanted, &probed);
}

/// Plays all, whatever the manners.
fn plays_with(manners: Manners) {
    let mut client = tunnelled(server::shared(), manners);
    client.create_stream();
    client.set_buffer(1, UNPACED);
    client.play_all(1, "mp4:large.mp4");
    let messages = client.until_status("NetStream.Play.Stop");
    assert_end(&messages, 1);
    let received = packets::messages(&messages);
    packets::assert_played(&format!("{manners:?}"), &source("large.mp4"), &received);
}

#[test]
fn requests_over_several_connections() {
    plays_with(Manners {
        wires: 5,
        ..Manners::GOOD
    });
}

#[test]
fn requests_that_overtake_each_other() {
    plays_with(Manners {
        wires: 4,
        swaps: true,
        ..Manners::GOOD
    });
}

#[test]
fn requests_that_are_sent_twice() {
    plays_with(Manners {
        wires: 2,
        repeats: true,
        ..Manners::GOOD
    });
}

#[test]
fn requests_that_are_sent_twice_and_overtake_each_other() {
    plays_with(Manners {
        wires: 6,
        swaps: true,
        repeats: true,
        ..Manners::GOOD
    });
}

#[test]
fn a_pause_holds_and_loses_nothing() {
    let mut client = tunnelled(server::shared(), Manners::GOOD);
    client.create_stream();
    client.set_buffer(1, 1000);
    client.play_all(1, "mp4:bframes.mp4");
    let mut messages = client.until("a second of media", |message| {
        message.is_media() && message.time > 900
    });
    client.pause(1, true, 900.0);
    messages.extend(client.until_status("NetStream.Pause.Notify"));
    while let Some(message) = client.next_within(QUIET) {
        assert!(!message.is_media(), "media while paused: {message:?}");
        messages.push(message);
    }
    client.set_buffer(1, UNPACED);
    client.pause(1, false, 0.0);
    messages.extend(client.until_status("NetStream.Play.Stop"));
    assert_end(&messages, 1);
    let received = packets::messages(&messages);
    packets::assert_played("pause", &source("bframes.mp4"), &received);
}

#[test]
fn a_seek_while_it_plays_leaves_nothing_old_behind() {
    let mut client = tunnelled(server::shared(), Manners::GOOD);
    client.create_stream();
    client.set_buffer(1, 1000);
    client.play_all(1, "mp4:large.mp4");
    client.until("media", |message| message.is_media() && !message.is_head());
    client.seek(1, 20_000.0);
    client.until_status("NetStream.Seek.Notify");
    client.set_buffer(1, UNPACED);
    let messages = client.until_status("NetStream.Play.Stop");
    let media = messages.iter().filter(|it| it.is_media() && !it.is_head());
    let earliest = media.map(|it| it.time).min().expect("media");
    assert!(earliest > 10_000, "media of {earliest} ms after the seek");
    let received = packets::messages(&messages);
    let composed = packets::expected(&source("large.mp4"));
    packets::assert_part("seek", &composed, &received);
}

/// A paced viewer is never sent more than their lead before real time, message by message.
#[test]
fn pacing_holds() {
    let mut client = tunnelled(server::shared(), Manners::GOOD);
    client.create_stream();
    client.set_buffer(1, 1000);
    let begin = Instant::now();
    client.play_all(1, "mp4:large.mp4");
    // Buffer and a second (rule 6), and a step of the pacer.
    let lead = Duration::from_millis(2_500);
    while begin.elapsed() < Duration::from_secs(5) {
        let message = client.next().expect("the play goes on");
        let due = begin.elapsed() + lead;
        let time = Duration::from_millis(message.time.into());
        assert!(
            !message.is_media() || time <= due,
            "{time:?} where {due:?} is due"
        );
    }
}

#[test]
fn foreign_and_senseless_requests_do_no_harm() {
    let server = server::shared();
    let mut player = tunnelled(server, Manners::GOOD);
    let mut wire = Wire::new(server.http);
    let id = wire.open();
    let other = wire.open();
    assert_ne!(id, other);
    let foreign: String = id.chars().rev().collect();
    for (path, body, status) in [
        ("/fcs/ident2".to_owned(), &[0][..], 404),
        (format!("/idle/{foreign}/0"), &[0], 404),
        (format!("/send/{id}/9"), b"x", 409),
        (format!("/send/{id}/4294967295"), b"x", 409),
        (format!("/close/{foreign}"), &[0], 404),
        (format!("/idle/{id}/0"), &[0], 200),
        (format!("/idle/{id}/0"), &[0], 200),
    ] {
        let reply = wire.post(&path, body);
        assert_eq!(reply.status, status, "{path}: {reply:?}");
    }
    for path in ["/send/x/0", "/open/one", "/send//", "/idle/%00/1", "/close"] {
        assert_eq!(Wire::new(server.http).post(path, &[]).status, 404, "{path}");
    }
    let large = Wire::new(server.http).post(&format!("/send/{id}/1"), &[3; 70_000]);
    assert_eq!(large.status, 413);
    // Not RTMP: that session ends, and no other.
    let reply = wire.post(&format!("/send/{id}/1"), &[0x42; 5_000]);
    assert!([200, 404].contains(&reply.status), "{reply:?}");
    let mut gone = Wire::new(server.http);
    assert_eq!(gone.post(&format!("/idle/{id}/2"), &[0]).status, 404);
    assert_eq!(gone.post(&format!("/idle/{other}/0"), &[0]).status, 200);
    assert_eq!(gone.post(&format!("/close/{other}/1"), &[0]).status, 200);
    player.create_stream();
    player.set_buffer(1, UNPACED);
    player.play_all(1, "mp4:plain.mp4");
    let messages = player.until_status("NetStream.Play.Stop");
    let received = packets::messages(&messages);
    packets::assert_played("the other", &source("plain.mp4"), &received);
}

#[test]
fn where_there_is_no_place_a_tunnel_is_refused() {
    let server = Setup::directory(media::folder())
        .config("[limits]\nmax_connections = 1\nhandshake_timeout = \"10m\"\n")
        .start();
    let mut wire = Wire::new(server.http);
    let _inside = wire.open();
    // As on plain TCP, so many are told why in the words of RTMP.
    let told = (0..).map(|_| wire.post("/open/1", &[0]).status);
    let told = told.take_while(|status| *status == 200).count();
    assert_eq!(told, 256);
    assert_eq!(wire.post("/open/1", &[0]).status, 503);
}

/// Opened and no more, or in the middle of a handshake; some with a connection that they keep.
#[test]
fn ten_thousand_half_open_tunnels() {
    let server = Setup::directory(media::folder())
        .config("[limits]\nhandshake_timeout = \"10m\"\n")
        .start();
    let mut viewer = Client::open(server.rtmp);
    viewer.create_stream();
    viewer.set_buffer(1, 1_000);
    viewer.play_all(1, "mp4:plain.mp4");
    let mut seen = viewer.until("media", Message::is_media);
    let mut wire = Wire::new(server.http);
    wire.open();
    let before = server.anonymous();
    let mut kept = Vec::new();
    let mut wires: Vec<Wire> = (0..32).map(|_| Wire::new(server.http)).collect();
    let mut asked = 0;
    for number in 1..CROWD {
        if number % 20 == 0 {
            let mut own = Wire::new(server.http);
            own.open();
            kept.push(own);
            continue;
        }
        let id = wire.open();
        if number % 2 == 0 {
            // Nothing is said to half a hello, so that each of them is waited with.
            let turn = asked % wires.len();
            if asked >= wires.len() {
                assert_eq!(wires[turn].reply().status, 200);
            }
            wires[turn].ask(&format!("/send/{id}/0"), &[3; 1000]);
            asked += 1;
        }
    }
    for wire in &mut wires {
        assert_eq!(wire.reply().status, 200);
    }
    let metrics = Metrics::of(server.api);
    let open = metrics.get("streamfront_connections_open");
    assert!(open > CROWD as f64, "only {open} are open");
    let grown = server.anonymous().saturating_sub(before);
    let bound = EACH * CROWD as u64;
    assert!(grown < bound, "grown by {} KiB", grown >> 10);
    eprintln!(
        "each of {CROWD} half-open tunnels takes {} bytes",
        grown / CROWD as u64
    );
    // Both ways in are still open, and whoever plays plays on.
    plays("beside the crowd", server.http, &FILMS[..1]);
    viewer.set_buffer(1, UNPACED);
    seen.extend(viewer.until_status("NetStream.Play.Stop"));
    let received = packets::messages(&seen);
    packets::assert_played("the other viewer", &source("plain.mp4"), &received);
    drop(kept);
}

/// The addresses of those who are connected.
fn peers(server: &Server) -> Vec<String> {
    let answer = request(server.api, "GET", "/sessions");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let page: Value = serde_json::from_str(&answer.text()).expect("JSON");
    let sessions = page["sessions"].as_array().expect("a list");
    let peers = sessions.iter().map(|it| it["peer"].as_str().expect("text"));
    peers.map(str::to_owned).collect()
}

/// As nginx asks by default, HTTP/1.0 and a connection for each request, and as it should be told.
fn plays_behind_nginx(keeps: bool) {
    let server = Setup::directory(media::folder())
        .with_key()
        .config("[proxy]\nforwarded = [\"127.0.0.1\"]\n")
        .start();
    let nginx = Nginx::proxy(server.http, keeps);
    plays("nginx", nginx.address, FILMS);
    // Whom nginx saw is the viewer.
    let manners = Manners {
        from: "127.0.0.2".parse().expect("an address"),
        ..Manners::GOOD
    };
    let _viewer = Client::open(bridge(nginx.address, manners));
    let seen = peers(&server);
    assert!(seen.contains(&"127.0.0.2:0".to_owned()), "{seen:?}");
}

#[test]
fn nginx_that_asks_by_http_1_0() {
    plays_behind_nginx(false);
}

#[test]
fn nginx_that_keeps_connections() {
    plays_behind_nginx(true);
}
