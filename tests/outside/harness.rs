//! The harness checks itself, without the server: a broken ruler measures nothing.

use std::io::Write;
use std::net::TcpListener;

use crate::support::amf::{Amf, read_all};
use crate::support::client::Client;
use crate::support::message::{Message, chunks};
use crate::support::packets::{self, Kind};
use crate::support::proxy::{Mood, Proxy};
use crate::support::{media, seaweed};

/// The committed tables are what rules 7 and 8 make of ffprobe's tables.
#[test]
fn the_six_written_tables_agree_with_their_files() {
    for name in [
        "plain.mp4",
        "cut.mp4",
        "fragmented.mp4",
        "no_index.flv",
        "vbr.mp3",
        "poorly_interleaved.mp4",
    ] {
        let table = packets::expected(&packets::source(&media::six(name)));
        let written = packets::written(&media::six(&format!("{name}.expected")));
        assert_eq!(table.len(), written.len(), "{name}");
        for kind in [Kind::Audio, Kind::Video] {
            let made = table.iter().filter(|packet| packet.kind == kind);
            let written = written.iter().filter(|line| line.0 == kind);
            for (packet, line) in made.zip(written) {
                let head = match kind {
                    Kind::Video => 5,
                    Kind::Audio if name.ends_with("mp3") => 1,
                    Kind::Audio => 2,
                };
                assert_eq!(packet.size + head, line.2, "{name}");
                assert!(
                    (packet.dts - line.1 as f64).abs() <= 1.0,
                    "{name}: {packet:?} {line:?}"
                );
            }
        }
    }
}

#[test]
fn ffprobe_and_pyav_read_the_same_packets() {
    for name in [
        "bframes.mp4",
        "index.flv",
        "cbr_id3.mp3",
        "two_audio.mp4",
        "vbr_xing.mp3",
    ] {
        let file = media::file(name);
        let path = file.display().to_string();
        packets::assert_same(name, &packets::source(&file), &packets::pyav(&path));
    }
}

#[test]
fn the_tags_of_a_file_are_the_packets_of_its_source() {
    for (file, from) in [
        ("index.flv", "bframes.mp4"),
        ("past_2_32.flv", "at_zero.flv"),
    ] {
        let tags = packets::messages(&packets::flv_tags(&media::file(file)));
        let mut source = packets::source(&media::file(from));
        let least = source.iter().map(|packet| packet.dts).fold(0.0, f64::min);
        for packet in &mut source {
            packet.dts -= least + if file == "past_2_32.flv" { 4000.0 } else { 0.0 };
        }
        packets::assert_same(file, &source, &tags);
    }
}

#[test]
#[should_panic(expected = "Video differs at packet 7")]
fn a_lost_picture_is_seen() {
    let source = packets::source(&media::file("bframes.mp4"));
    let mut received = packets::expected(&source);
    let seventh = received
        .iter()
        .enumerate()
        .filter(|(_, p)| p.kind == Kind::Video)
        .nth(7);
    let at = seventh.expect("many pictures").0;
    received.remove(at);
    packets::assert_played("bframes.mp4", &source, &received);
}

#[test]
#[should_panic(expected = "times are off by")]
fn a_late_sound_is_seen() {
    let source = packets::source(&media::file("bframes.mp4"));
    let mut received = packets::expected(&source);
    for packet in received
        .iter_mut()
        .filter(|packet| packet.kind == Kind::Audio)
        .skip(100)
    {
        packet.dts += 3.0;
    }
    packets::assert_played("bframes.mp4", &source, &received);
}

/// The shared S3 server has the media, refuses a wrong secret, and the proxy counts and misbehaves.
#[test]
fn the_s3_server_and_the_proxy_work() {
    let seaweed = seaweed::shared();
    let proxy = Proxy::start(seaweed.address);
    let get = |path: &str| http_get(proxy.address, path);
    assert!(
        get("/media/plain.mp4").starts_with("HTTP/1.1 403"),
        "no anonymous reads"
    );
    assert_eq!(proxy.requests("plain.mp4").len(), 1);
    proxy.set(Mood::Unavailable);
    assert!(get("/media/plain.mp4").starts_with("HTTP/1.1 503"));
    seaweed.put("harness/one", vec![1]);
    seaweed.delete("harness/one");
}

fn http_get(address: std::net::SocketAddr, path: &str) -> String {
    use std::io::Read;
    let mut socket = std::net::TcpStream::connect(address).expect("a connection");
    write!(
        socket,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )
    .expect("sent");
    socket
        .set_read_timeout(Some(std::time::Duration::from_secs(10)))
        .expect("a timeout");
    let mut head = vec![0; 512];
    let count = socket.read(&mut head).expect("an answer");
    String::from_utf8_lossy(&head[..count]).into_owned()
}

/// The client's reader against bytes written by hand: two chunk streams interleaved, all four kinds
/// of chunk heads, extended timestamps, a changed chunk size (RTMP 1.0, 5.3).
#[test]
fn the_client_reads_chunks() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let writer = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().expect("a connection");
        let mut bytes = vec![2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 0, 0, 4];
        bytes.extend([4, 0, 0, 10, 0, 0, 6, 9, 1, 0, 0, 0, 1, 2, 3, 4]);
        bytes.extend([
            6, 0xFF, 0xFF, 0xFF, 0, 0, 5, 8, 1, 0, 0, 0, 1, 0, 0, 0, 21, 22, 23, 24,
        ]);
        bytes.extend([0xC4, 5, 6]);
        bytes.extend([0xC6, 1, 0, 0, 0, 25]);
        bytes.extend([0x44, 0, 0, 5, 0, 0, 1, 9, 7]);
        bytes.extend([0x84, 0, 0, 7, 8]);
        bytes.extend([0xC4, 9]);
        socket.write_all(&bytes).expect("sent");
    });
    let mut client = Client::raw(address).expect("a connection");
    let seen = client.until_closed();
    writer.join().expect("it has written");
    let short: Vec<(u8, u32, Vec<u8>)> = seen
        .into_iter()
        .map(|message| (message.kind, message.time, message.body))
        .collect();
    let wanted = [
        (1, 0, vec![0, 0, 0, 4]),
        (9, 10, vec![1, 2, 3, 4, 5, 6]),
        (8, 0x0100_0000, vec![21, 22, 23, 24, 25]),
        (9, 15, vec![7]),
        (9, 22, vec![8]),
        (9, 29, vec![9]),
    ];
    assert_eq!(short, wanted);
}

/// Chunks of two messages that alternate are legal RTMP, and not what this server sends (rule 1).
#[test]
#[should_panic(expected = "in the middle of a message of another")]
fn messages_that_interleave_are_seen() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().expect("the client");
        let whole = |chunk_stream| Message {
            chunk_stream,
            kind: 9,
            time: 0,
            stream: 1,
            body: vec![7; 200],
        };
        // The first 128 bytes of one, then the other.
        let bytes = [&chunks(&whole(6), 128)[..140], &chunks(&whole(4), 128)].concat();
        socket.write_all(&bytes).expect("the client reads");
    });
    let mut client = Client::raw(address).expect("a connection");
    client.expect_whole_messages();
    client.next();
}

#[test]
fn the_client_writes_chunks_and_amf() {
    let message = Message {
        chunk_stream: 3,
        kind: 20,
        time: 7,
        stream: 1,
        body: vec![9; 5],
    };
    let wanted = [3, 0, 0, 7, 0, 0, 5, 20, 1, 0, 0, 0, 9, 9, 9, 0xC3, 9, 9].to_vec();
    assert_eq!(chunks(&message, 3), wanted);
    let value = Amf::Object(vec![(
        "a".to_owned(),
        Amf::List(vec![Amf::Number(1.5), Amf::Null]),
    )]);
    let mut bytes = Vec::new();
    value.write(&mut bytes);
    assert_eq!(bytes[..5], [3, 0, 1, b'a', 10]);
    assert_eq!(read_all(&bytes), [value]);
}
