//! Chunks to messages: the media that a server sends (chunks of 64 KiB), and commands as a viewer
//! sends them (chunks of 128 bytes). Peer: rml_rtmp's deserializer.

use bytes::Bytes;
use criterion::{Criterion, Throughput};
use rml_rtmp::chunk_io::ChunkDeserializer;
use streamfront::rtmp::chunk::{
    CHUNK_SIZE, ChunkLimits, ChunkReader, DEFAULT_CHUNK_SIZE, write_message,
};
use streamfront::units::Millis;

use crate::amf;
use crate::cpu_time::CpuTime;
use crate::muxer::Source;

/// Time, type, stream and payload of a message.
type Plain = (u32, u8, u32, Bytes);

fn ours(bytes: &[u8]) -> Vec<Plain> {
    let mut reader = ChunkReader::new(ChunkLimits::PLAYER, 0);
    let mut rest = bytes;
    let mut found = Vec::new();
    while let Some(message) = reader.message(&mut rest).expect("chunks") {
        let time = message.timestamp.0;
        found.push((time, message.type_id, message.stream, message.payload));
    }
    found
}

fn rml(bytes: &[u8]) -> Vec<Plain> {
    let mut reader = ChunkDeserializer::new();
    let mut found = Vec::new();
    let mut input = bytes;
    while let Some(message) = reader.get_next_message(input).expect("chunks") {
        input = &[];
        if message.type_id == 1 {
            reader
                .set_max_chunk_size(CHUNK_SIZE as usize)
                .expect("a size");
            continue;
        }
        let time = message.timestamp.value;
        found.push((
            time,
            message.type_id,
            message.message_stream_id,
            message.data,
        ));
    }
    found
}

/// A segment behind the message that announces its chunk size.
fn media() -> Vec<u8> {
    let mut bytes = Vec::new();
    let size = CHUNK_SIZE.to_be_bytes();
    write_message(&mut bytes, DEFAULT_CHUNK_SIZE, 2, Millis(0), 1, 0, &size);
    bytes.extend(Source::new().render().bytes);
    bytes
}

/// A hundred connects: several chunks each.
fn commands() -> Vec<u8> {
    let connect = amf::encoded(&amf::connect());
    let mut bytes = Vec::new();
    for time in 0..100 {
        write_message(
            &mut bytes,
            DEFAULT_CHUNK_SIZE,
            3,
            Millis(time),
            20,
            0,
            &connect,
        );
    }
    bytes
}

/// Times it.
pub fn bench(criterion: &mut Criterion<CpuTime>) {
    for (name, bytes) in [
        ("chunk reader: media", media()),
        ("chunk reader: commands", commands()),
    ] {
        assert_eq!(ours(&bytes), rml(&bytes), "{name}");
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function("ours", |bencher| bencher.iter(|| ours(&bytes)));
        group.bench_function("rml_rtmp", |bencher| bencher.iter(|| rml(&bytes)));
        group.finish();
    }
}
