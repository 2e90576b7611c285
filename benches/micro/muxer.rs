//! A segment rendered from bytes that were fetched: 512 KiB of a 4 Mbit/s movie.
//!
//! Peers: rml_rtmp's serializer, which makes one Vec a message, and the same with our own chunk
//! writer, which shows what of the difference is the shape and what the code.

use criterion::{Criterion, Throughput};
use rml_rtmp::chunk_io::ChunkSerializer;
use rml_rtmp::messages::MessagePayload;
use rml_rtmp::time::RtmpTimestamp;
use streamfront::media::{Cursor, Demux, Fetched, Index, Next, Sample, Step};
use streamfront::render::{Render, Rendered, Rendering, STREAM_ID, SegmentId};
use streamfront::rtmp::chunk::{self, CHUNK_SIZE, ChunkLimits, ChunkReader};
use streamfront::rtmp::message::Message;

use crate::cpu_time::CpuTime;
use crate::movie::{self, Movie};

/// Both tracks.
pub const BOTH: Rendering = Rendering {
    video: true,
    audio: true,
};

/// A segment of an object that has been read.
pub struct Source {
    index: Index,
    fetched: Fetched,
    id: SegmentId,
    start: Cursor,
}

impl Source {
    /// The second segment of ten seconds at 4 Mbit/s: the first is smaller than all others.
    pub fn new() -> Self {
        let bytes = Movie::new(10, 4_000_000).bytes();
        let index = movie::index(&Fetched::whole(bytes.clone()), &bytes);
        let fetched = Fetched::whole(bytes);
        let first = render(
            &index,
            &fetched,
            SegmentId::FIRST,
            index.open(0).expect("a group"),
        );
        let (id, start) = first.next.expect("a second segment");
        Self {
            id,
            start: start.expect("of the same group"),
            index,
            fetched,
        }
    }

    /// The segment, rendered.
    pub fn render(&self) -> Rendered<Cursor> {
        render(&self.index, &self.fetched, self.id, self.start.clone())
    }

    /// Its first `count` samples.
    fn samples(&self, count: usize) -> impl Iterator<Item = Sample> {
        let mut cursor = self.start.clone();
        (0..count).map_while(move |_| match self.index.next(&mut cursor, &self.fetched) {
            Ok(Next::Sample(sample)) => Some(sample),
            _ => None,
        })
    }

    /// The body of the message of a sample.
    fn body(&self, sample: &Sample) -> Vec<u8> {
        let payload = self.fetched.slice(sample.payload).expect("fetched");
        let mut body = Vec::with_capacity(sample.prefix.as_slice().len() + payload.len());
        body.extend_from_slice(sample.prefix.as_slice());
        body.extend_from_slice(&payload);
        body
    }

    fn with_rml(&self, count: usize) -> Vec<Vec<u8>> {
        let mut serializer = ChunkSerializer::new();
        let zero = RtmpTimestamp::new(0);
        serializer
            .set_max_chunk_size(CHUNK_SIZE, zero)
            .expect("a size");
        let serialize = |sample: Sample| {
            let message = MessagePayload {
                timestamp: RtmpTimestamp::new(sample.time.wire().0),
                type_id: sample.kind.type_id(),
                message_stream_id: STREAM_ID,
                data: self.body(&sample).into(),
            };
            serializer
                .serialize(&message, true, false)
                .expect("a packet")
                .bytes
        };
        self.samples(count).map(serialize).collect()
    }

    fn one_by_one(&self, count: usize) -> Vec<Vec<u8>> {
        let write = |sample: Sample| {
            let mut out = Vec::new();
            let (time, kind) = (sample.time.wire(), sample.kind.type_id());
            chunk::write_message(
                &mut out,
                CHUNK_SIZE,
                4,
                time,
                kind,
                STREAM_ID,
                &self.body(&sample),
            );
            out
        };
        self.samples(count).map(write).collect()
    }
}

fn render(index: &Index, fetched: &Fetched, id: SegmentId, start: Cursor) -> Rendered<Cursor> {
    match Render::new(index, BOTH, id, start).step(fetched) {
        Ok(Step::Done(rendered)) => rendered,
        other => panic!("all of it was read: {other:?}"),
    }
}

/// The messages of some chunk bytes, without their places.
pub fn messages(bytes: &[u8]) -> Vec<Message> {
    let mut reader = ChunkReader::new(ChunkLimits::PLAYER, 0);
    let mut size = Vec::new();
    let announced = CHUNK_SIZE.to_be_bytes();
    chunk::write_message(&mut size, 128, 2, Default::default(), 1, 0, &announced);
    assert_eq!(reader.message(&mut &size[..]), Ok(None));
    let mut rest = bytes;
    let mut messages = Vec::new();
    while let Some(message) = reader.message(&mut rest).expect("chunks") {
        messages.push(Message { at: 0, ..message });
    }
    assert!(rest.is_empty());
    messages
}

/// Times it.
pub fn bench(criterion: &mut Criterion<CpuTime>) {
    let source = Source::new();
    let ours = source.render();
    let count = ours.cues.len();
    let all = messages(&ours.bytes);
    assert_eq!(all.len(), count);
    assert_eq!(all, messages(&source.with_rml(count).concat()));
    assert_eq!(all, messages(&source.one_by_one(count).concat()));

    let mut group = criterion.benchmark_group("muxer: a segment of 512 KiB");
    group.throughput(Throughput::Bytes(ours.bytes.len() as u64));
    group.bench_function("ours", |bencher| bencher.iter(|| source.render()));
    group.bench_function("rml_rtmp", |bencher| {
        bencher.iter(|| source.with_rml(count))
    });
    group.bench_function("a Vec a message", |bencher| {
        bencher.iter(|| source.one_by_one(count))
    });
    group.finish();
}
