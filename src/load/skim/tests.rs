use proptest::prelude::*;

use super::*;
use crate::rtmp::chunk::{ChunkLimits, ChunkReader, write_message};

/// A message as a test writes it.
#[derive(Debug, Clone)]
struct Written {
    csid: u32,
    step: u32,
    type_id: u8,
    stream: u32,
    body: Vec<u8>,
}

fn written() -> impl Strategy<Value = Written> {
    let csid = prop_oneof![
        3u32..8,
        Just(63),
        Just(64),
        Just(319),
        Just(320),
        Just(65_599)
    ];
    let step = prop_oneof![
        0u32..100,
        Just(0xff_fffe),
        Just(0xff_ffff),
        Just(0x0100_0005)
    ];
    let type_id = prop_oneof![Just(8u8), Just(9), Just(18), Just(20), Just(4), Just(99)];
    let body = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..6),
        proptest::collection::vec(any::<u8>(), 0..900),
    ];
    (csid, step, type_id, 0u32..3, body).prop_map(|(csid, step, type_id, stream, body)| Written {
        csid,
        step,
        type_id,
        stream,
        body,
    })
}

/// What a writer that saves all it can remembers of a chunk stream.
#[derive(Debug, Clone, Copy, Default)]
struct Last {
    time: u32,
    delta: u32,
    len: usize,
    type_id: u8,
    stream: u32,
}

/// Writes messages with the shortest header that says them, as nginx-rtmp does.
#[derive(Debug, Default)]
struct Thrifty {
    last: std::collections::HashMap<u32, Last>,
    out: Vec<u8>,
}

impl Thrifty {
    fn basic(&mut self, format: u8, csid: u32) {
        match csid {
            ..64 => self.out.push(format << 6 | csid as u8),
            64..320 => self.out.extend([format << 6, (csid - 64) as u8]),
            _ => {
                self.out.push(format << 6 | 1);
                self.out.extend(((csid - 64) as u16).to_le_bytes());
            }
        }
    }

    fn write(&mut self, message: &Written, chunk_size: usize) {
        let len = message.body.len();
        let before = self.last.get(&message.csid).copied();
        let same = before.filter(|last| last.stream == message.stream);
        let (format, field) = match same {
            None => (0, message.step),
            Some(last) if (last.len, last.type_id) != (len, message.type_id) => (1, message.step),
            Some(last) if last.delta != message.step => (2, message.step),
            Some(_) => (3, message.step),
        };
        let time = same.map_or(message.step, |last| last.time.wrapping_add(message.step));
        self.basic(format, message.csid);
        if format < 3 {
            self.out.extend(&field.min(0xff_ffff).to_be_bytes()[1..]);
        }
        if format < 2 {
            self.out.extend(&(len as u32).to_be_bytes()[1..]);
            self.out.push(message.type_id);
        }
        if format == 0 {
            self.out.extend(message.stream.to_le_bytes());
        }
        let extended = field >= 0xff_ffff;
        if extended {
            self.out.extend(field.to_be_bytes());
        }
        for (index, chunk) in message.body.chunks(chunk_size).enumerate() {
            if index > 0 {
                self.basic(3, message.csid);
                if extended {
                    self.out.extend(field.to_be_bytes());
                }
            }
            self.out.extend(chunk);
        }
        let last = Last {
            time,
            delta: message.step,
            len,
            type_id: message.type_id,
            stream: message.stream,
        };
        self.last.insert(message.csid, last);
    }
}

/// A stream of messages: full headers or thrifty ones, in chunks of `chunk_size`.
fn stream(messages: &[Written], chunk_size: u32, thrifty: bool) -> Vec<u8> {
    let mut writer = Thrifty::default();
    crate::rtmp::message::set_chunk_size(&mut writer.out, chunk_size);
    for message in messages {
        if thrifty {
            writer.write(message, chunk_size as usize);
        } else {
            write_message(
                &mut writer.out,
                chunk_size,
                message.csid,
                Millis(message.step),
                message.type_id,
                message.stream,
                &message.body,
            );
        }
    }
    writer.out
}

/// What the whole chunk reader makes of it, in the skimmer's words.
fn expected(bytes: &[u8]) -> Result<Vec<Seen>, crate::rtmp::chunk::ChunkError> {
    let mut reader = ChunkReader::new(ChunkLimits::PLAYER, 0);
    let mut input = bytes;
    let mut seen = Vec::new();
    while let Some(message) = reader.message(&mut input)? {
        let body = message.payload.to_vec();
        seen.push(if is_media(message.type_id) {
            let peek = body.get(..2).map(|peek| [peek[0], peek[1]]);
            Seen::Media(Media {
                time: message.timestamp,
                len: body.len() as u32,
                plays: peek.is_some_and(|peek| plays(message.type_id, peek)),
            })
        } else {
            Seen::Message(Message {
                type_id: message.type_id,
                stream: message.stream,
                body,
            })
        });
    }
    Ok(seen)
}

/// What the skimmer makes of it when it gets it in pieces of these lengths, one after another, and
/// throws away unseen what it may.
fn skimmed(
    bytes: &[u8],
    pieces: &[usize],
    discard: bool,
) -> (Result<(), SkimError>, Vec<Seen>, u64) {
    let mut skimmer = Skimmer::new();
    let mut seen = Vec::new();
    let mut at = 0;
    for piece in pieces.iter().cycle() {
        if at >= bytes.len() {
            break;
        }
        let skip = skimmer.skippable().min(bytes.len() - at).min(*piece);
        let mut input = if discard && skip > 0 {
            skimmer.skipped(skip);
            at += skip;
            &[][..]
        } else {
            let end = (at + piece).min(bytes.len());
            let input = &bytes[at..end];
            at = end;
            input
        };
        loop {
            match skimmer.next(&mut input) {
                Ok(Some(one)) => seen.push(one),
                Ok(None) => break,
                Err(error) => return (Err(error), seen, skimmer.begun()),
            }
        }
        assert!(input.is_empty());
    }
    (Ok(()), seen, skimmer.begun())
}

proptest! {
    #[test]
    fn it_sees_what_the_whole_reader_sees_however_the_bytes_are_cut(
        messages in proptest::collection::vec(written(), 0..30),
        chunk_size in prop_oneof![1u32..20, Just(128), Just(4096), Just(65_536)],
        pieces in proptest::collection::vec(1usize..400, 1..10),
        thrifty: bool,
        discard: bool,
    ) {
        let bytes = stream(&messages, chunk_size, thrifty);
        let wanted = expected(&bytes).unwrap();
        prop_assert_eq!(wanted.len(), messages.len());
        let (end, seen, begun) = skimmed(&bytes, &pieces, discard);
        prop_assert_eq!(end, Ok(()));
        let playing = seen.iter().filter(|one| matches!(one, Seen::Media(Media { plays: true, .. })));
        prop_assert_eq!(begun, playing.count() as u64);
        prop_assert_eq!(seen, wanted);
    }

    #[test]
    fn of_any_bytes_it_makes_the_same_as_the_whole_reader(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..200),
        pieces in proptest::collection::vec(1usize..9, 1..10),
    ) {
        // Few chunk streams and short messages, or hardly any would end.
        for (at, byte) in bytes.iter_mut().enumerate() {
            if at % 3 == 0 { *byte &= 0xc3; }
            if at % 5 == 0 { *byte = 0; }
        }
        let (end, seen, _) = skimmed(&bytes, &pieces, false);
        let aggregate = bytes.contains(&AGGREGATE);
        match expected(&bytes) {
            _ if aggregate => {}
            Ok(wanted) => prop_assert_eq!((end, seen), (Ok(()), wanted)),
            Err(_) => prop_assert!(end.is_err()),
        }
    }
}

#[test]
fn interleaved_messages_of_two_chunk_streams_are_told_apart() {
    let mut bytes = b"\x06\x00\x00\x10\x00\x00\x82\x09\x01\x00\x00\x00\x17\x01".to_vec();
    bytes.extend([7; 126]);
    bytes.extend(b"\x04\x00\x00\x11\x00\x00\x03\x08\x01\x00\x00\x00\xaf\x01x");
    bytes.extend(b"\xc6yz");
    let (_, seen, _) = skimmed(&bytes, &[1000], false);
    let media = |time, len| {
        Seen::Media(Media {
            time: Millis(time),
            len,
            plays: true,
        })
    };
    assert_eq!(seen, [media(17, 3), media(16, 130)]);
}

#[test]
fn heads_of_codecs_are_nothing_to_play() {
    for (type_id, peek, wanted) in [
        (VIDEO, [0x17, 0], false),
        (VIDEO, [0x17, 1], true),
        (VIDEO, [0x27, 1], true),
        (VIDEO, [0x17, 2], false),
        (VIDEO, [0x22, 9], true),
        (VIDEO, [0x57, 0], false),
        (VIDEO, [0x90, b'h'], false),
        (VIDEO, [0x91, b'h'], true),
        (VIDEO, [0xa3, b'h'], true),
        (VIDEO, [0x94, b'h'], false),
        (AUDIO, [0xaf, 0], false),
        (AUDIO, [0xaf, 1], true),
        (AUDIO, [0x2f, 0], true),
        (AUDIO, [0x90, b'O'], false),
        (AUDIO, [0x91, b'O'], true),
        (AGGREGATE, [9, 0], true),
    ] {
        assert_eq!(plays(type_id, peek), wanted, "{type_id} {peek:x?}");
    }
}

#[test]
fn a_long_message_is_kept_in_part() {
    let mut bytes = Vec::new();
    write_message(
        &mut bytes,
        128,
        5,
        Millis(0),
        18,
        1,
        &vec![3; BODY_MAX + 500],
    );
    write_message(&mut bytes, 128, 5, Millis(0), 18, 1, &[4]);
    let (_, seen, _) = skimmed(&bytes, &[777], false);
    let body = |body: Vec<u8>| {
        Seen::Message(Message {
            type_id: 18,
            stream: 1,
            body,
        })
    };
    assert_eq!(seen, [body(vec![3; BODY_MAX]), body(vec![4])]);
}

#[test]
fn what_is_no_chunk_stream_is_an_error() {
    let error = |bytes: &[u8]| skimmed(bytes, &[50], false).0;
    assert_eq!(error(&[0xc5]), Err(SkimError::NoHeader(5)));
    assert_eq!(
        error(&[2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 0, 0, 0]),
        Err(SkimError::ChunkSize(0))
    );
    assert_eq!(
        error(&[2, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 9]),
        Err(SkimError::Cut(1))
    );
    let mut many = Vec::new();
    for csid in 3..70 {
        write_message(&mut many, 128, csid, Millis(0), 8, 1, &[]);
    }
    assert_eq!(error(&many), Err(SkimError::Streams(67)));
    let mut twice = vec![6, 0, 0, 0, 0, 1, 0, 9, 1, 0, 0, 0];
    twice.extend([0; 128]);
    twice.extend([6, 0, 0, 0, 0, 1, 0, 9, 1, 0, 0, 0]);
    assert_eq!(
        skimmed(&twice, &[3000], false).0,
        Err(SkimError::Interrupted(6))
    );
}
