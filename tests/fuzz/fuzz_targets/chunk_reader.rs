//! How the input is cut makes no difference, what is held is bounded, and messages survive being
//! written and read.

#![no_main]

use libfuzzer_sys::fuzz_target;
use streamfront::rtmp::chunk::{ChunkError, ChunkLimits, ChunkReader, write_message};
use streamfront::rtmp::message::{Message, set_chunk_size};

fn read<'a>(
    limits: ChunkLimits,
    pieces: impl Iterator<Item = &'a [u8]>,
) -> (Vec<Message>, Result<(), ChunkError>) {
    let mut reader = ChunkReader::new(limits, 0);
    let mut messages = Vec::new();
    for mut piece in pieces {
        loop {
            match reader.message(&mut piece) {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(error) => return (messages, Err(error)),
            }
            assert!(reader.buffered() <= limits.buffered);
        }
        assert!(piece.is_empty());
    }
    (messages, Ok(()))
}

fuzz_target!(|bytes: &[u8]| {
    let Some(([cut, chunk_size, media], bytes)) = bytes.split_first_chunk() else {
        return;
    };
    let limits = ChunkLimits {
        discard_media: media & 1 == 1,
        ..ChunkLimits::VIEWER
    };
    let whole = read(limits, std::iter::once(bytes));
    assert_eq!(read(limits, bytes.chunks(usize::from(*cut).max(1))), whole);

    let chunk_size = u32::from(*chunk_size).max(1);
    let mut out = Vec::new();
    set_chunk_size(&mut out, chunk_size);
    for message in &whole.0 {
        let Message {
            timestamp,
            type_id,
            stream,
            payload,
            ..
        } = message;
        write_message(
            &mut out, chunk_size, 4, *timestamp, *type_id, *stream, payload,
        );
    }
    let (again, result) = read(
        ChunkLimits {
            discard_media: false,
            ..limits
        },
        std::iter::once(out.as_slice()),
    );
    // The parts of an aggregate message may be protocol control, which a reader obeys instead of
    // reporting; nothing else is lost.
    if whole
        .0
        .iter()
        .all(|message| ![1, 2, 22].contains(&message.type_id))
    {
        assert_eq!(result, Ok(()));
        assert_eq!(again.len(), whole.0.len());
        for (again, message) in again.iter().zip(&whole.0) {
            assert_eq!(
                again,
                &Message {
                    at: again.at,
                    ..message.clone()
                }
            );
        }
    }
});
