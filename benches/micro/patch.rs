//! The copy for a viewer on another message stream. Peer: reading the chunks and writing them
//! again, which needs no table of cues.

use criterion::{Criterion, Throughput};
use streamfront::media::Kind;
use streamfront::render::patch;
use streamfront::rtmp::chunk::{CHUNK_SIZE, CSID_AUDIO, CSID_VIDEO, write_message};

use crate::cpu_time::CpuTime;
use crate::muxer::{Source, messages};

/// The message stream that it is copied for.
const STREAM: u32 = 3;

fn naive(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for message in messages(bytes) {
        let csid = if message.type_id == Kind::Video.type_id() {
            CSID_VIDEO
        } else {
            CSID_AUDIO
        };
        let (time, kind) = (message.timestamp, message.type_id);
        write_message(
            &mut out,
            CHUNK_SIZE,
            csid,
            time,
            kind,
            STREAM,
            &message.payload,
        );
    }
    out
}

/// Times it.
pub fn bench(criterion: &mut Criterion<CpuTime>) {
    let rendered = Source::new().render();
    let count = rendered.cues.len() as u32;
    let ours = || patch(&rendered.bytes, &rendered.cues, 0, count, STREAM, |_| true);
    assert_eq!(ours().bytes, naive(&rendered.bytes));

    let mut group = criterion.benchmark_group("patched copy: a segment of 512 KiB");
    group.throughput(Throughput::Bytes(rendered.bytes.len() as u64));
    group.bench_function("ours", |bencher| bencher.iter(ours));
    group.bench_function("read and written again", |bencher| {
        bencher.iter(|| naive(&rendered.bytes))
    });
    group.finish();
}
