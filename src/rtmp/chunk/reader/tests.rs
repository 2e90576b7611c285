//! Streams of chunks written by hand from RTMP 1.0 section 5.3, and their messages.

use proptest::prelude::*;

use super::super::write_message;
use super::*;
use crate::units::Millis;

const KEEP: ChunkLimits = ChunkLimits {
    discard_media: false,
    ..ChunkLimits::VIEWER
};

fn read(limits: ChunkLimits, pieces: &[&[u8]]) -> Result<Vec<Message>, ChunkError> {
    let mut reader = ChunkReader::new(limits, 0);
    let mut messages = Vec::new();
    for piece in pieces {
        let mut input = *piece;
        while let Some(message) = reader.message(&mut input)? {
            messages.push(message);
        }
        assert!(input.is_empty());
    }
    Ok(messages)
}

fn message(timestamp: u32, type_id: u8, stream: u32, payload: &'static [u8], at: u64) -> Message {
    Message {
        timestamp: Millis(timestamp),
        type_id,
        stream,
        payload: Bytes::from_static(payload),
        at,
    }
}

#[test]
fn all_four_header_formats() {
    let bytes = [
        &[0x08, 0, 3, 0xe8, 0, 0, 1, 18, 1, 0, 0, 0, b'a'][..], // type 0: time 1000, stream 1
        &[0x48, 0, 0, 20, 0, 0, 2, 20, b'b', b'c'], // type 1: 20 later, 2 bytes, type 20
        &[0x88, 0, 0, 5, b'd', b'e'],               // type 2: 5 later
        &[0xc8, b'f', b'g'],                        // type 3: 5 later again
    ]
    .concat();
    let expected = vec![
        message(1000, 18, 1, b"a", 0),
        message(1020, 20, 1, b"bc", 13),
        message(1025, 20, 1, b"de", 23),
        message(1030, 20, 1, b"fg", 29),
    ];
    assert_eq!(read(KEEP, &[&bytes]), Ok(expected));
}

#[test]
fn a_type_3_message_after_type_0_adds_its_timestamp() {
    let bytes = [0x03, 0, 0, 7, 0, 0, 1, 18, 0, 0, 0, 0, b'a', 0xc3, b'b'];
    assert_eq!(
        read(KEEP, &[&bytes]),
        Ok(vec![
            message(7, 18, 0, b"a", 0),
            message(14, 18, 0, b"b", 13)
        ])
    );
}

#[test]
fn messages_of_two_chunk_streams_interleave() {
    let mut bytes = vec![2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 0, 0, 2]; // Set Chunk Size 2
    bytes.extend(b"\x04\x00\x00\x01\x00\x00\x05\x12\x01\x00\x00\x00ab");
    bytes.extend(b"\x00\x00\x00\x00\x02\x00\x00\x03\x14\x01\x00\x00\x00vw"); // csid 64
    bytes.extend(b"\xc4cd\xc0\x00x\xc4e");
    let expected = vec![
        message(2, 20, 1, b"vwx", 30),
        message(1, 18, 1, b"abcde", 16),
    ];
    assert_eq!(read(KEEP, &[&bytes]), Ok(expected));
}

#[test]
fn extended_timestamps_are_on_continuations_too() {
    let mut bytes = vec![2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 0, 0, 2];
    bytes.extend(
        b"\x04\xff\xff\xff\x00\x00\x03\x12\x01\x00\x00\x00\x01\x00\x00\x00ab\xc4\x01\x00\x00\x00c",
    );
    bytes.extend(b"\x84\xff\xff\xff\xff\x00\x00\x01de\xc4\xff\x00\x00\x01f"); // wraps around to 1
    bytes.extend(b"\x84\x00\x00\x02gh\xc4i"); // and no longer extended
    let expected = vec![
        message(0x0100_0000, 18, 1, b"abc", 16),
        message(1, 18, 1, b"def", 40),
        message(3, 18, 1, b"ghi", 56),
    ];
    assert_eq!(read(KEEP, &[&bytes]), Ok(expected));
}

#[test]
fn abort_drops_an_unfinished_message() {
    let mut bytes = vec![2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 0, 0, 4];
    bytes.extend(b"\x04\x00\x00\x01\x00\x00\x05\x12\x01\x00\x00\x00abcd");
    bytes.extend([2, 0, 0, 0, 0, 0, 4, 2, 0, 0, 0, 0, 0, 0, 0, 4]);
    bytes.extend(b"\x04\x00\x00\x01\x00\x00\x01\x12\x01\x00\x00\x00z");
    assert_eq!(read(KEEP, &[&bytes]), Ok(vec![message(1, 18, 1, b"z", 48)]));
}

#[test]
fn empty_messages_are_messages() {
    let bytes = [0x04, 0, 0, 1, 0, 0, 0, 8, 1, 0, 0, 0, 0xc4];
    assert_eq!(
        read(KEEP, &[&bytes]),
        Ok(vec![message(1, 8, 1, b"", 0), message(2, 8, 1, b"", 12)])
    );
}

#[test]
fn aggregates_are_split_and_their_times_shifted() {
    let mut bytes = vec![0x04, 0, 3, 0xe8, 0, 0, 31, 22, 1, 0, 0, 0];
    bytes.extend(b"\x08\x00\x00\x01\x00\x00\x0a\x00\x00\x00\x00A\x00\x00\x00\x0c"); // time 10
    bytes.extend(b"\x09\x00\x00\x00\x00\x00\x1e\x00\x00\x00\x00\x00\x00\x00\x0b"); // time 30, empty
    let expected = vec![message(1000, 8, 1, b"A", 0), message(1020, 9, 1, b"", 0)];
    assert_eq!(read(KEEP, &[&bytes]), Ok(expected));
    let cut = [
        &[0x04, 0, 0, 0, 0, 0, 11, 22, 1, 0, 0, 0][..],
        b"\x08\x00\x00\x09\x00\x00\x0a\x00\x00\x00\x00",
    ]
    .concat();
    assert_eq!(
        read(KEEP, &[&cut]),
        Err(ChunkError::Malformed { type_id: 22, at: 0 })
    );
}

#[test]
fn a_viewers_media_is_passed_over() {
    let mut bytes = Vec::new();
    for type_id in [AUDIO, VIDEO, AGGREGATE] {
        write_message(
            &mut bytes,
            DEFAULT_CHUNK_SIZE,
            4,
            Millis(0),
            type_id,
            1,
            &[1; 1 << 20],
        );
    }
    write_message(&mut bytes, DEFAULT_CHUNK_SIZE, 4, Millis(9), 20, 1, b"x");
    let messages = read(ChunkLimits::VIEWER, &[&bytes]).unwrap();
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].payload, &b"x"[..]);
}

#[test]
fn what_is_over_a_limit_says_where() {
    let long = [3, 0, 0, 0, 1, 0, 1, 20, 0, 0, 0, 0];
    assert_eq!(
        read(KEEP, &[&long]),
        Err(ChunkError::Message {
            len: 65_537,
            limit: 65_536,
            at: 0
        })
    );
    assert_eq!(
        read(KEEP, &[&[0xc3]]),
        Err(ChunkError::NoHeader { csid: 3, at: 0 })
    );
    assert_eq!(
        read(KEEP, &[&[0x83, 0, 0, 0]]),
        Err(ChunkError::NoHeader { csid: 3, at: 0 })
    );
    for size in [0u32, 0x8000_0000, u32::MAX] {
        let mut bytes = vec![2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0];
        bytes.extend(size.to_be_bytes());
        assert_eq!(
            read(KEEP, &[&bytes]),
            Err(ChunkError::ChunkSize { size, at: 0 })
        );
    }
    let mut many = Vec::new();
    for csid in 2..=18 {
        write_message(&mut many, 128, csid, Millis(0), 18, 0, b"");
    }
    assert_eq!(
        read(KEEP, &[&many]),
        Err(ChunkError::Streams {
            csid: 18,
            limit: 16,
            at: 16 * 12
        })
    );
    let again = [
        [4, 0, 0, 0, 0, 0, 200, 20, 0, 0, 0, 0].as_slice(),
        &[0; 128],
        &[0x44, 0, 0, 0, 0, 0, 1, 20],
    ]
    .concat();
    assert_eq!(
        read(KEEP, &[&again]),
        Err(ChunkError::Interrupted { csid: 4, at: 140 })
    );
}

#[test]
fn unfinished_messages_are_bounded_together() {
    let mut bytes = vec![2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 0, 0xff, 0xff]; // Set Chunk Size 65535
    for csid in 3..8 {
        let mut message = Vec::new();
        write_message(&mut message, 65_535, csid, Millis(0), 18, 0, &[0; 65_536]);
        bytes.extend(&message[..12 + 65_535]);
    }
    let result = read(KEEP, &[&bytes]);
    assert!(
        matches!(result, Err(ChunkError::Buffered { limit: 262_144, .. })),
        "{result:?}"
    );
}

fn any_message() -> impl Strategy<Value = (u32, u32, u8, u32, Vec<u8>)> {
    let timestamp = prop_oneof![any::<u32>(), 0xff_fff0u32..0x100_0010];
    let csid = prop_oneof![2u32..6, 60u32..70, 315u32..325, Just(65_599)];
    let type_id = prop_oneof![Just(8u8), Just(9), Just(18), Just(20), Just(17)];
    (
        csid,
        timestamp,
        type_id,
        any::<u32>(),
        proptest::collection::vec(any::<u8>(), 0..700),
    )
}

proptest! {
    /// What our writer writes comes back, with any chunk size and the bytes cut anywhere.
    #[test]
    fn written_messages_come_back(
        messages in proptest::collection::vec(any_message(), 0..8),
        chunk_size in 1u32..300,
        cuts in proptest::collection::vec(1usize..100, 1..6),
    ) {
        let mut bytes = Vec::new();
        crate::rtmp::message::set_chunk_size(&mut bytes, chunk_size);
        let mut expected = Vec::new();
        for (csid, timestamp, type_id, stream, payload) in messages {
            let at = bytes.len() as u64;
            write_message(&mut bytes, chunk_size, csid, Millis(timestamp), type_id, stream, &payload);
            expected.push(Message { timestamp: Millis(timestamp), type_id, stream, payload: payload.into(), at });
        }
        let mut pieces = Vec::new();
        let mut rest = bytes.as_slice();
        for cut in cuts.into_iter().cycle() {
            let (piece, after) = rest.split_at(cut.min(rest.len()));
            pieces.push(piece);
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(read(KEEP, &pieces), Ok(expected));
    }

    /// No bytes make it panic, hold more than it may, or lose count.
    #[test]
    fn any_bytes_are_bounded(bytes in proptest::collection::vec(prop_oneof![0u8..8, any::<u8>()], 0..2000)) {
        let mut reader = ChunkReader::new(ChunkLimits { buffered: 500, ..KEEP }, 0);
        let mut input = bytes.as_slice();
        while let Ok(Some(_)) = reader.message(&mut input) {}
        prop_assert_eq!(reader.position(), (bytes.len() - input.len()) as u64);
        prop_assert!(reader.buffered() <= 500 + bytes.len());
    }
}
