//! Hostile viewers and hostile files: the process lives, its memory stays bounded, and another
//! viewer plays on.

use std::time::Duration;

use crate::support::client::Client;
use crate::support::message::{Message, chunks};
use crate::support::packets;
use crate::support::server::{Server, Setup};
use crate::support::{media, seaweed};

/// What a hostile deed may make the server grow by. The cache is warm before it is measured, so
/// this is for connections and half-read messages alone.
const GROWTH: u64 = 64 << 20;

/// A server of its own with a viewer in the middle of a paced play.
struct Stage {
    server: Server,
    viewer: Client,
    seen: Vec<Message>,
    resident: u64,
}

impl Stage {
    fn set() -> Self {
        let server = Setup::s3(seaweed::shared()).start();
        let mut viewer = Client::open(server.rtmp);
        viewer.create_stream();
        viewer.set_buffer(1, 1_000);
        viewer.play_all(1, "mp4:plain.mp4");
        let seen = viewer.until("media", Message::is_media);
        let resident = server.resident();
        Self {
            server,
            viewer,
            seen,
            resident,
        }
    }

    /// The viewer's play is whole, and the server lives within its bounds.
    fn strike(mut self) {
        self.server.assert_alive();
        let grown = self.server.resident().saturating_sub(self.resident);
        assert!(grown < GROWTH, "grown by {} MiB", grown >> 20);
        self.viewer.set_buffer(1, crate::support::client::UNPACED);
        self.seen
            .extend(self.viewer.until_status("NetStream.Play.Stop"));
        let source = packets::source(&media::file("plain.mp4"));
        packets::assert_played("the other viewer", &source, &packets::messages(&self.seen));
    }
}

fn message(kind: u8, body: Vec<u8>) -> Message {
    Message {
        chunk_stream: 3,
        kind,
        time: 0,
        stream: 0,
        body,
    }
}

/// `connect` with a value nested as deep as 41 kB allow and deeper: what overflows a stack.
#[test]
fn amf_nested_100_000_deep() {
    let stage = Stage::set();
    for (open, count) in [
        (&[3, 0, 1, b'a'][..], 100_000),
        (&[10, 0, 0, 0, 1][..], 100_000),
        (&[8, 0, 0, 0, 1, 0, 1, b'a'][..], 8_000),
    ] {
        let mut client = Client::shake(stage.server.rtmp);
        let mut body = b"\x02\x00\x07connect\x00\x3F\xF0\0\0\0\0\0\0".to_vec();
        for _ in 0..count {
            body.extend(open);
        }
        let _ = client.try_send(&message(20, body));
        client.finish();
        client.until_closed();
    }
    stage.strike();
}

/// Arrays that claim four billion items, strings that claim four billion letters.
#[test]
fn amf_that_claims_four_billion() {
    let stage = Stage::set();
    for value in [
        &[10, 255, 255, 255, 255][..],
        &[12, 255, 255, 255, 255, 1],
        &[8, 255, 255, 255, 255, 0, 0, 9],
    ] {
        let mut client = Client::shake(stage.server.rtmp);
        let mut body = b"\x02\x00\x07connect\x00\x3F\xF0\0\0\0\0\0\0".to_vec();
        body.extend(value);
        let _ = client.try_send(&message(20, body));
        client.finish();
        client.until_closed();
    }
    stage.strike();
}

/// A begun message on each of 65,000 chunk streams, each claiming 16 MB.
#[test]
fn chunks_on_65_000_chunk_streams() {
    let stage = Stage::set();
    let mut client = Client::shake(stage.server.rtmp);
    let mut bytes = Vec::new();
    for id in 64..65_600_u32 {
        let number = id - 64;
        bytes.extend([1, (number & 0xFF) as u8, (number >> 8) as u8]);
        bytes.extend([0, 0, 0, 0xFF, 0xFF, 0xFF, 20, 0, 0, 0, 0]);
        bytes.extend([0; 128]);
    }
    let _ = client.write(&bytes);
    client.finish();
    client.until_closed();
    stage.strike();
}

/// Messages of 16 MB, before and after connect, on many connections at once.
#[test]
fn huge_messages() {
    let stage = Stage::set();
    let mut clients: Vec<Client> = (0..20).map(|_| Client::shake(stage.server.rtmp)).collect();
    for client in &mut clients {
        let head = [3, 0, 0, 0, 0xFF, 0xFF, 0xFF, 20, 0, 0, 0, 0];
        let _ = client.write(&head);
        for number in 0..20_000 {
            let mark: &[u8] = if number == 0 { &[] } else { &[0xC3] };
            if client.write(&[mark, &[0; 128]].concat()).is_err() {
                break;
            }
        }
    }
    let grown = stage.server.resident().saturating_sub(stage.resident);
    assert!(
        grown < GROWTH,
        "grown by {} MiB while they hold on",
        grown >> 20
    );
    drop(clients);
    stage.strike();
}

/// Broken chunk heads, message lengths and types; each ends its own connection at most.
#[test]
fn random_bytes_after_the_handshake() {
    let stage = Stage::set();
    let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
    for _ in 0..60 {
        let mut client = Client::shake(stage.server.rtmp);
        let mut bytes = Vec::new();
        for _ in 0..4_000 {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            bytes.push((seed >> 32) as u8);
        }
        let _ = client.write(&bytes);
        client.finish();
        client.until_closed();
    }
    stage.strike();
}

/// What made a well-known stack panic or break: short commands, chunk size 0, an abort of nothing,
/// interleaved messages, a delta before any full head.
#[test]
fn odd_but_short_messages() {
    let stage = Stage::set();
    let oddities: Vec<Vec<u8>> = vec![
        chunks(&message(20, vec![]), 128),
        chunks(&message(20, b"\x02\x00\x01a".to_vec()), 128),
        chunks(&message(17, vec![]), 128),
        chunks(&message(17, b"\x00\x02\x00\x07connect".to_vec()), 128),
        chunks(&message(1, vec![0, 0, 0, 0]), 128),
        chunks(&message(1, vec![0xFF; 4]), 128),
        chunks(&message(2, vec![0, 0, 0xFF, 0xFF]), 128),
        chunks(&message(4, vec![0]), 128),
        chunks(&message(4, vec![0, 3, 0, 0]), 128),
        chunks(&message(3, vec![0xFF; 4]), 128),
        chunks(
            &message(22, vec![9, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 0, 0, 0]),
            128,
        ),
        chunks(&message(255, vec![1; 1000]), 128),
        vec![0x43, 0, 0, 1, 0, 0, 1, 20, 0],
        vec![0xC3, 0, 0, 1, 0, 0, 1, 20, 0],
        vec![0x83, 0, 0, 1, 0],
    ];
    for oddity in oddities {
        let mut client = Client::shake(stage.server.rtmp);
        let _ = client.write(&oddity);
        let _ = client.write(&oddity);
        client.finish();
        client.until_closed();
    }
    stage.strike();
}

/// Handshakes that never end, byte by byte, and connections that say nothing at all.
#[test]
fn slow_handshakes_and_half_open_connections() {
    let stage = Stage::set();
    let mut slow: Vec<Client> = (0..100)
        .map(|_| Client::raw(stage.server.rtmp).expect("a connection"))
        .collect();
    for step in 0..10 {
        for client in slow.iter_mut().take(50) {
            let _ = client.write(if step == 0 { &[3] } else { &[0] });
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    // A handshake that is no RTMP: refused without waiting for 1536 bytes more.
    let mut http = Client::raw(stage.server.rtmp).expect("a connection");
    let _ = http.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    http.finish();
    http.until_closed();
    stage.strike();
}

/// More streams than a connection may have, and thousands of plays and seeks in a row.
#[test]
fn more_of_everything_than_is_sensible() {
    let stage = Stage::set();
    use crate::support::amf::Amf;
    let mut client = Client::open(stage.server.rtmp);
    for number in 0..2_000 {
        let body = {
            let mut body = Vec::new();
            Amf::text("createStream").write(&mut body);
            Amf::Number(f64::from(number)).write(&mut body);
            Amf::Null.write(&mut body);
            body
        };
        if client.try_send(&message(20, body)).is_err() {
            break;
        }
    }
    client.finish();
    client.until_closed();

    let mut client = Client::unpaced(stage.server.rtmp);
    for number in 0..2_000 {
        let mut body = Vec::new();
        Amf::text(if number % 2 == 0 { "play" } else { "seek" }).write(&mut body);
        Amf::Number(0.0).write(&mut body);
        Amf::Null.write(&mut body);
        if number % 2 == 0 {
            Amf::text("mp4:large.mp4").write(&mut body);
        } else {
            Amf::Number(f64::from(number) * 20.0).write(&mut body);
        }
        let message = Message {
            stream: 1,
            ..message(20, body)
        };
        if client.try_send(&message).is_err() {
            break;
        }
    }
    drop(client);
    // Numbers that are none, and far out.
    let mut client = Client::unpaced(stage.server.rtmp);
    client.play(1, "mp4:plain.mp4", f64::NAN, f64::INFINITY, true);
    for time in [
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        -1.0,
        1e300,
        4_294_967_296.0,
    ] {
        client.seek(1, time);
        client.pause(1, true, time);
        client.pause(1, false, time);
    }
    client.set_buffer(1, u32::MAX);
    client.set_buffer(77, 0);
    client.finish();
    client.until_closed();
    stage.strike();
}

/// Uploads that are cut short or bit-flipped, of each container: an error or a shorter play, never
/// the end of the server.
#[test]
fn broken_files_of_each_container() {
    let stage = Stage::set();
    let seaweed = seaweed::shared();
    let mut seed = 0x2545_F491_4F6C_DD1D_u64;
    let mut random = move |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed >> 33).expect("31 bits") % below.max(1)
    };
    for (file, prefix) in [
        ("bframes.mp4", "mp4:"),
        ("moov_last.mp4", "mp4:"),
        ("fragmented_sidx.mp4", "mp4:"),
        ("fragmented_mfra.mp4", "mp4:"),
        ("index.flv", ""),
        ("no_index.flv", ""),
        ("vbr_xing.mp3", "mp3:"),
        ("cbr_id3.mp3", "mp3:"),
    ] {
        let whole = std::fs::read(media::file(file)).expect("a file");
        for number in 0..6 {
            let mut bytes = whole.clone();
            if number < 2 {
                bytes.truncate(random(whole.len()));
            } else {
                for _ in 0..=number * 4 {
                    // Heads and tables stand in the first kilobytes, or in the last.
                    let near = random(4_000.min(whole.len()));
                    let at = if number % 2 == 0 {
                        near
                    } else {
                        whole.len() - 1 - near
                    };
                    bytes[at] ^= 1 << random(8);
                }
            }
            try_play(
                &stage,
                seaweed,
                &format!("broken/{number}-{file}"),
                prefix,
                bytes,
            );
        }
    }
    stage.strike();
}

/// Plays whatever `bytes` are, to an end or an error of any kind.
fn try_play(
    stage: &Stage,
    seaweed: &seaweed::Seaweed,
    key: &str,
    prefix: &str,
    bytes: Vec<u8>,
) -> Option<String> {
    seaweed.put(key, bytes);
    let mut client = Client::unpaced(stage.server.rtmp);
    client.play_all(1, &format!("{prefix}{key}"));
    let mut end = None;
    while end.is_none() {
        let Some(message) = client.next() else { break };
        end = message.status().and_then(|status| {
            let ends = status.code == "NetStream.Play.Stop" || status.level == "error";
            ends.then_some(status.code)
        });
    }
    stage.server.assert_alive();
    assert!(end.is_some(), "{key}: the connection closed without a word");
    end
}

/// Tables and boxes that claim four billion entries or bytes: bounded by what is really there.
#[test]
fn files_that_claim_four_billion() {
    let stage = Stage::set();
    let seaweed = seaweed::shared();
    let whole = std::fs::read(media::file("bframes.mp4")).expect("a file");
    for name in [
        "stsz", "stco", "stts", "stsc", "ctts", "stss", "elst", "avcC", "stsd", "trak", "mdat",
        "mvhd",
    ] {
        let Some(at) = whole
            .windows(4)
            .position(|window| window == name.as_bytes())
        else {
            panic!("bframes.mp4 has no {name}");
        };
        for (offset, value) in [(8, u32::MAX), (8, u32::MAX / 16), (12, u32::MAX), (0, 0)] {
            let mut bytes = whole.clone();
            // Offset 0 stands for the size in front of the name.
            let place = if offset == 0 { at - 4 } else { at + offset };
            let claim = if offset == 0 { u32::MAX } else { value };
            bytes[place..place + 4].copy_from_slice(&claim.to_be_bytes());
            let key = format!("claims/{name}-{offset}-{value}.mp4");
            try_play(&stage, seaweed, &key, "mp4:", bytes);
        }
    }
    let mut flv = std::fs::read(media::file("index.flv")).expect("a file");
    flv[14..17].copy_from_slice(&[0xFF; 3]);
    try_play(&stage, seaweed, "claims/tag.flv", "", flv.clone());
    flv[5..9].copy_from_slice(&[0xFF; 4]);
    try_play(&stage, seaweed, "claims/head.flv", "", flv);
    let mut mp3 = b"ID3\x03\0\0\x7F\x7F\x7F\x7F".to_vec();
    mp3.extend(std::fs::read(media::file("cbr_bare.mp3")).expect("a file"));
    try_play(&stage, seaweed, "claims/id3.mp3", "mp3:", mp3);
    stage.strike();
}

/// Files that are not what their name says, or nothing at all.
#[test]
fn files_that_are_something_else() {
    let stage = Stage::set();
    let seaweed = seaweed::shared();
    let flv = std::fs::read(media::file("index.flv")).expect("a file");
    for (key, prefix, bytes) in [
        ("odd/empty.mp4", "mp4:", Vec::new()),
        ("odd/empty.flv", "", Vec::new()),
        ("odd/empty.mp3", "mp3:", Vec::new()),
        ("odd/one.mp4", "mp4:", vec![0]),
        ("odd/zeros.mp4", "mp4:", vec![0; 3 << 20]),
        ("odd/zeros.mp3", "mp3:", vec![0; 3 << 20]),
        (
            "odd/ones.flv",
            "",
            [&b"FLV\x01\x05\0\0\0\x09\0\0\0\0"[..], &vec![0xFF; 3 << 20]].concat(),
        ),
        ("odd/text.mp4", "mp4:", b"this is no film".repeat(1_000)),
    ] {
        let code = try_play(&stage, seaweed, key, prefix, bytes);
        assert_ne!(
            code.as_deref(),
            Some("NetStream.Play.StreamNotFound"),
            "{key} is there"
        );
    }
    // An FLV by the name of an MP4 is recognised by what it is.
    let code = try_play(&stage, seaweed, "odd/really.mp4", "mp4:", flv);
    assert_eq!(code.as_deref(), Some("NetStream.Play.Stop"));
    stage.strike();
}

/// Who is too slow to shake hands is closed, and the log says that this was why.
#[test]
fn a_slow_handshake_is_closed_and_the_log_says_why() {
    let server = Setup::directory(media::folder())
        .config("[limits]\nhandshake_timeout = \"1s\"\n")
        .start();
    let mut slow = Client::raw(server.rtmp).expect("a connection");
    slow.write(&[3, 0, 0]).expect("a connection");
    assert_eq!(slow.until_closed(), [], "not a word");
    let why = "no connect within 1s";
    for _ in 0..300 {
        if server.log().contains(why) {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("the log does not say {why:?}");
}
