//! Several streams on one connection, and what a viewer can switch off.

use std::collections::HashMap;

use crate::support::amf::Amf;
use crate::support::client::{Client, UNPACED};
use crate::support::message::{Message, assert_end, samples};
use crate::support::{media, packets, server};

/// Two plays at once, each whole and in order; messages of the two alternate whole, which the
/// client's reader asserts for every chunk.
#[test]
fn two_streams_play_at_once() {
    let mut client = Client::open(server::shared().rtmp);
    assert_eq!(client.create_stream(), 1);
    assert_eq!(client.create_stream(), 2);
    let plays = [
        (1, "mp4:bframes.mp4", "bframes.mp4"),
        (2, "index", "index.flv"),
    ];
    for (stream, name, _) in plays {
        client.set_buffer(stream, UNPACED);
        client.play_all(stream, name);
    }
    let mut of: HashMap<u32, Vec<Message>> = HashMap::new();
    let mut open = 2;
    while open > 0 {
        let message = client
            .next()
            .expect("both streams end before the connection does");
        let stops = message
            .status()
            .is_some_and(|status| status.code == "NetStream.Play.Stop");
        open -= usize::from(stops);
        let stream = message
            .control()
            .and_then(|(_, words)| words.first().copied());
        of.entry(stream.unwrap_or(message.stream))
            .or_default()
            .push(message);
    }
    for (stream, name, file) in plays {
        let messages = &of[&stream];
        assert_end(messages, stream);
        let path = media::file(file);
        let source = if file.ends_with("flv") {
            packets::messages(&packets::flv_tags(&path))
        } else {
            packets::source(&path)
        };
        packets::assert_played(name, &source, &packets::messages(messages));
    }
}

/// While both have something to send, neither waits for more than a turn of the other: 64 KiB, and
/// the message that began within them. Whole messages alternate, also those of many chunks (the
/// client's reader fails where a chunk of another chunk stream comes in between).
fn share_the_connection(second: &str) -> [usize; 2] {
    const TURN: usize = 64 << 10;
    // Segments that are rendered only now would make one stream wait for the origin.
    for name in ["mp4:large.mp4", second] {
        let mut warm = Client::unpaced(server::shared().rtmp);
        warm.play_all(1, name);
        warm.until_status("NetStream.Play.Stop");
    }
    let mut client = Client::open(server::shared().rtmp);
    for stream in [1, 2] {
        assert_eq!(client.create_stream(), stream);
        client.set_buffer(stream, UNPACED);
    }
    client.play_all(1, "mp4:large.mp4");
    // Else the bucket may answer for the second first, which then plays alone for a while.
    client.until("media of the first", Message::is_media);
    client.play_all(2, second);
    client.until("media of the second", |m| m.is_media() && m.stream == 2);
    let messages = client.until_status("NetStream.Play.Stop");
    let media: Vec<&Message> = messages.iter().filter(|m| m.is_media()).collect();
    let turns: Vec<&[&Message]> = media.chunk_by(|a, b| a.stream == b.stream).collect();
    for turn in &turns {
        let bytes: usize = turn.iter().map(|message| message.body.len()).sum();
        let last = turn.last().map_or(0, |message| message.body.len());
        assert!(
            bytes - last <= TURN,
            "{} messages and {bytes} B of stream {} at once",
            turn.len(),
            turn[0].stream
        );
    }
    [1, 2].map(|stream| {
        let of = media.iter().filter(|message| message.stream == stream);
        of.map(|message| message.body.len()).sum()
    })
}

#[test]
fn two_streams_share_the_connection() {
    let [first, second] = share_the_connection("large_no_index");
    assert!(
        first.min(second) > first.max(second) / 2,
        "{first} B of stream 1, {second} B of stream 2"
    );
}

/// Four pictures of 600 KB on the second stream: between two of them the first has its turn.
#[test]
fn a_stream_of_huge_frames_leaves_the_other_its_turns() {
    let [first, second] = share_the_connection("mp4:huge_frame.mp4");
    assert!(
        first > 100_000 && second > 2_000_000,
        "{first} B of stream 1, {second} B of stream 2"
    );
}

/// createStream gives the lowest free number (rule 3).
#[test]
fn a_deleted_stream_frees_its_number() {
    let mut client = Client::open(server::shared().rtmp);
    assert_eq!(
        [
            client.create_stream(),
            client.create_stream(),
            client.create_stream()
        ],
        [1, 2, 3]
    );
    client.command(0, "deleteStream", 0.0, &[Amf::Null, Amf::Number(2.0)]);
    assert_eq!(client.create_stream(), 2);
    assert_eq!(client.create_stream(), 4);
}

/// After deleteStream nothing of that stream comes any more; the other one goes on.
#[test]
fn a_deleted_stream_falls_silent() {
    let mut client = Client::open(server::shared().rtmp);
    client.create_stream();
    client.create_stream();
    client.set_buffer(1, 2000);
    client.set_buffer(2, 2000);
    client.play_all(1, "mp4:large.mp4");
    client.play_all(2, "mp4:plain.mp4");
    client.until("media of stream 1", |message| {
        message.is_media() && message.stream == 1
    });
    client.command(0, "deleteStream", 0.0, &[Amf::Null, Amf::Number(1.0)]);
    // The answer to a call behind it says that the server has seen it.
    client.call(
        0,
        "getStreamLength",
        &[Amf::Null, Amf::text("mp4:plain.mp4")],
    );
    client.set_buffer(2, UNPACED);
    let messages = client.until_status("NetStream.Play.Stop");
    assert!(
        messages
            .iter()
            .all(|message| !message.is_media() || message.stream == 2)
    );
    assert!(!samples(&messages).is_empty());
}

/// Without video all of the sound comes, without sound all pictures; times are untouched.
#[test]
fn receive_audio_and_video_switch_kinds_off() {
    let source = packets::source(&media::file("bframes.mp4"));
    for (command, kept) in [
        ("receiveVideo", packets::Kind::Audio),
        ("receiveAudio", packets::Kind::Video),
    ] {
        let mut client = Client::unpaced(server::shared().rtmp);
        client.receive(1, command, false);
        client.play_all(1, "mp4:bframes.mp4");
        let messages = client.until_status("NetStream.Play.Stop");
        let wanted = packets::expected(&source)
            .into_iter()
            .filter(|p| p.kind == kept)
            .collect();
        packets::assert_same(command, &wanted, &packets::messages(&messages));
    }
}

/// Video that is switched on again comes back at a key frame (rule 11).
#[test]
fn video_comes_back_at_a_key_frame() {
    let mut client = Client::open(server::shared().rtmp);
    client.create_stream();
    client.set_buffer(1, 1000);
    client.play_all(1, "mp4:bframes.mp4");
    client.until("a picture", |message| {
        message.kind == 9 && !message.is_head()
    });
    client.receive(1, "receiveVideo", false);
    // Behind the switch: a call answered after it.
    client.call(
        0,
        "getStreamLength",
        &[Amf::Null, Amf::text("mp4:bframes.mp4")],
    );
    client.until("sound without pictures", |message| {
        message.kind == 8 && message.time > 2_200
    });
    client.receive(1, "receiveVideo", true);
    client.set_buffer(1, UNPACED);
    let messages = client.until_status("NetStream.Play.Stop");
    let first = samples(&messages)
        .into_iter()
        .find(|message| message.kind == 9);
    let first = first.expect("pictures again");
    assert!(first.is_key(), "{first:?}");
}

/// A second play on a stream replaces the first.
#[test]
fn a_new_play_replaces_the_old() {
    let mut client = Client::open(server::shared().rtmp);
    client.create_stream();
    client.set_buffer(1, 1000);
    client.play_all(1, "mp4:large.mp4");
    client.until("media", Message::is_media);
    client.set_buffer(1, UNPACED);
    client.play_all(1, "mp4:plain.mp4");
    let messages = client.until_status("NetStream.Play.Stop");
    let start = messages
        .iter()
        .position(|m| m.status().is_some_and(|s| s.code == "NetStream.Play.Start"))
        .expect("Play.Start of the second");
    let source = packets::source(&media::file("plain.mp4"));
    packets::assert_played(
        "the second play",
        &source,
        &packets::messages(&messages[start..]),
    );
}

/// With sound and pictures switched off a play has nothing to wait for: commands are answered all
/// the same, and its end comes.
#[test]
fn a_play_with_everything_switched_off_leaves_commands_their_turn() {
    // Once its segments are cached such a play waits for nothing at all.
    let mut warm = Client::unpaced(server::shared().rtmp);
    warm.play_all(1, "mp4:large.mp4");
    warm.until_status("NetStream.Play.Stop");
    let begin = || {
        let mut client = Client::unpaced(server::shared().rtmp);
        client.at_once(|client| {
            client.receive(1, "receiveAudio", false);
            client.receive(1, "receiveVideo", false);
            client.play_all(1, "mp4:large.mp4");
        });
        client
    };
    // The end comes without a word of the viewer that would wake the server.
    assert_end(&begin().until_status("NetStream.Play.Stop"), 1);
    let mut client = begin();
    let mut messages = client.until_status("NetStream.Play.Start");
    client.at_once(|client| {
        client.send(&Message {
            chunk_stream: 2,
            kind: 4,
            time: 0,
            stream: 0,
            body: vec![0, 6, 0, 0, 0x12, 0x34],
        });
        client.command(0, "createStream", 77.0, &[Amf::Null]);
    });
    // The play may end before, but neither answer waits for anything else to be said.
    let is_pong = |message: &Message| message.control() == Some((7, vec![0x1234]));
    let is_answer = |message: &Message| {
        let values = message.command();
        values.is_some_and(|values| values.get(1) == Some(&Amf::Number(77.0)))
    };
    let is_stop = |message: &Message| {
        let status = message.status();
        status.is_some_and(|status| status.code == "NetStream.Play.Stop")
    };
    while ![&is_pong as &dyn Fn(&Message) -> bool, &is_answer, &is_stop]
        .iter()
        .all(|what| messages.iter().any(what))
    {
        messages.push(client.next().expect("all three come"));
    }
    assert_end(&messages, 1);
    assert_eq!(
        samples(&messages).len(),
        0,
        "nothing of what is switched off"
    );
}
