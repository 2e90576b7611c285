//! The shared bytes: what sendfile sends (message stream 1) and what the patched copy sends (any
//! other) are the same messages, from any start and after any seek, read by our own reader and by
//! rml_rtmp's.

use std::ops::Range;

use rml_rtmp::chunk_io::ChunkDeserializer;

use crate::support::client::{Client, UNPACED};
use crate::support::message::Message;
use crate::support::random::Random;
use crate::support::server;

/// Objects with many kinds of segments, and the times that are tried of them, ms: several groups,
/// one growing group, sound alone, a frame of many chunks, Enhanced RTMP, times past 2^24.
const OBJECTS: [(&str, Range<usize>); 7] = [
    ("mp4:bframes.mp4", 0..9_900),
    ("mp4:fragmented_sidx.mp4", 0..9_900),
    ("no_index", 0..9_900),
    ("mp3:vbr_xing", 0..19_900),
    ("mp4:huge_frame.mp4", 0..700),
    ("mp4:vp9_opus.mp4", 0..3_900),
    ("past_2_24", 16_773_000..16_780_900),
];

/// A connection with streams 1 and 2, whose every byte is kept.
fn connection() -> Client {
    let mut client = Client::shake(server::shared().rtmp);
    client.record();
    client.connect("cfx/st");
    for stream in [1, 2] {
        assert_eq!(client.create_stream(), stream);
        client.set_buffer(stream, UNPACED);
    }
    client
}

fn any_of(random: &mut Random, times: &Range<usize>) -> f64 {
    let time = times.start + random.below(times.len());
    f64::from(u32::try_from(time).expect("small"))
}

/// What must be the same on any stream: media and data messages, but for the stream they are on.
fn unnumbered(messages: &[Message]) -> Vec<Message> {
    let media = messages
        .iter()
        .filter(|message| matches!(message.kind, 8 | 9 | 18));
    media
        .map(|message| Message {
            stream: 0,
            ..message.clone()
        })
        .collect()
}

fn assert_same(what: &str, shared: &[Message], copied: &[Message]) {
    let (shared, copied) = (unnumbered(shared), unnumbered(copied));
    let differs = shared.iter().zip(&copied).position(|(a, b)| a != b);
    if let Some(at) = differs {
        panic!(
            "{what}: message {at} differs: {:?} by sendfile, {:?} by copy",
            shared[at], copied[at]
        );
    }
    assert_eq!(
        shared.len(),
        copied.len(),
        "{what}: by sendfile and by copy"
    );
    assert!(shared.iter().any(Message::is_media), "{what}: no media");
}

/// All that came on a connection, by rml_rtmp's reader.
fn by_rml(bytes: &[u8]) -> Vec<(u8, u32, u32, Vec<u8>)> {
    let mut reader = ChunkDeserializer::new();
    let mut messages = Vec::new();
    let mut input = bytes;
    while let Some(message) = reader
        .get_next_message(input)
        .expect("chunks that it reads")
    {
        input = &[];
        if message.type_id == 1 {
            let size = message.data[..4].try_into().expect("4");
            let size = usize::try_from(u32::from_be_bytes(size)).expect("small");
            reader.set_max_chunk_size(size).expect("a chunk size");
        }
        messages.push((
            message.type_id,
            message.timestamp.value,
            message.message_stream_id,
            message.data.to_vec(),
        ));
    }
    messages
}

fn assert_rml_agrees(what: &str, ours: &[Message], bytes: &[u8]) {
    let theirs = by_rml(bytes);
    // Answers to createStream and the like were dropped by our client, so the streams' own.
    let of_streams = theirs.iter().filter(|(_, _, stream, _)| *stream > 0);
    let theirs: Vec<_> = of_streams.collect();
    let ours: Vec<&Message> = ours.iter().filter(|message| message.stream > 0).collect();
    assert_eq!(ours.len(), theirs.len(), "{what}: read by us and by rml");
    for (number, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
        let Message {
            kind,
            time,
            stream,
            body,
            ..
        } = ours;
        let same = (*kind, *time, *stream) == (theirs.0, theirs.1, theirs.2) && *body == theirs.3;
        assert!(
            same,
            "{what}: message {number} is {ours:?} to us, type {} at {} stream {}, {} B to rml",
            theirs.0,
            theirs.1,
            theirs.2,
            theirs.3.len()
        );
    }
}

/// Plays from `start` on both streams, one after the other.
#[test]
fn any_start_gives_the_same_messages() {
    let mut random = Random::new(0x00D1_5EA5_ED0C_EA11);
    for (name, times) in OBJECTS {
        let mut client = connection();
        let mut all = Vec::new();
        for case in 0..6 {
            let start = match case {
                0 => 0.0,
                _ => any_of(&mut random, &times),
            };
            let mut of = [1, 2].map(|stream| {
                client.play(stream, name, start, -1.0, true);
                client.until_status("NetStream.Play.Stop")
            });
            assert_same(&format!("{name} from {start} ms"), &of[0], &of[1]);
            of.iter_mut().for_each(|messages| all.append(messages));
        }
        assert_rml_agrees(name, &all, client.recorded());
    }
}

/// Seeks in both, to the same place; what comes behind Seek.Notify is compared.
#[test]
fn any_seek_gives_the_same_messages() {
    let mut random = Random::new(0x5EE4_5EE4_5EE4_5EE4);
    for (name, times) in OBJECTS {
        let mut client = connection();
        let mut all = Vec::new();
        for _ in 0..4 {
            let time = any_of(&mut random, &times);
            let of = [1, 2].map(|stream| {
                client.play_all(stream, name);
                all.extend(client.until("media", Message::is_media));
                client.seek(stream, time);
                all.extend(client.until_status("NetStream.Seek.Notify"));
                let after = client.until_status("NetStream.Play.Stop");
                all.extend(after.iter().cloned());
                // The bytes of a stretch that ended before the seek count in Play.Complete: how
                // far it came is a matter of time.
                let complete =
                    |message: &Message| message.name().as_deref() == Some("onPlayStatus");
                let after = after.into_iter().filter(|message| !complete(message));
                after.collect::<Vec<_>>()
            });
            assert_same(&format!("{name}, seek to {time} ms"), &of[0], &of[1]);
        }
        assert_rml_agrees(name, &all, client.recorded());
    }
}
