//! What goes out next: a segment and some control messages through the queue of one connection, to
//! a socket that takes 64 KiB at a time. Peer: a queue of one Vec a message, written one by one,
//! each message copied into it (rml_rtmp's shape). No side touches a socket.

use std::collections::VecDeque;

use criterion::{Criterion, Throughput};
use streamfront::delivery::sender::{Media, Output, Sender};

use crate::cpu_time::CpuTime;
use crate::muxer::Source;

/// What the socket takes at once.
const TAKES: usize = 64 << 10;

/// A segment, by where its messages end.
struct Segment<'a> {
    bytes: &'a [u8],
    ends: &'a [u32],
}

impl Media for &Segment<'_> {
    fn message_end(&self, offset: u32) -> u32 {
        let next = self.ends.partition_point(|end| *end < offset);
        if offset == 0 {
            0
        } else {
            self.ends.get(next).copied().unwrap_or(offset)
        }
    }
}

/// Sends it; `sink` gets each piece.
fn ours(segment: &Segment<'_>, control: &[u8], mut sink: impl FnMut(&[u8])) {
    let mut sender = Sender::default();
    sender.control(control);
    let end = segment.bytes.len() as u32;
    sender
        .start(1, segment, 0..end)
        .map_err(drop)
        .expect("it is free");
    loop {
        let taken = match sender.next() {
            Output::Write { bytes, .. } => {
                let piece = &bytes[..bytes.len().min(TAKES)];
                sink(piece);
                piece.len()
            }
            Output::Media { media, range } => {
                let piece = &media.bytes[range.start as usize..range.end as usize];
                let piece = &piece[..piece.len().min(TAKES)];
                sink(piece);
                piece.len()
            }
            Output::Idle => return,
        };
        sender.sent(taken);
    }
}

fn naive(segment: &Segment<'_>, control: &[u8], mut sink: impl FnMut(&[u8])) {
    let mut queue = VecDeque::from([control.to_vec()]);
    let mut start = 0;
    for end in segment.ends {
        queue.push_back(segment.bytes[start..*end as usize].to_vec());
        start = *end as usize;
    }
    while let Some(message) = queue.pop_front() {
        sink(&message);
    }
}

/// Times it.
pub fn bench(criterion: &mut Criterion<CpuTime>) {
    let rendered = Source::new().render();
    let last = rendered.bytes.len() as u32;
    let begins = rendered.cues.iter().map(|cue| cue.offset).skip(1);
    let ends: Vec<u32> = begins.chain([last]).collect();
    let segment = Segment {
        bytes: &rendered.bytes,
        ends: &ends,
    };
    let control = [5; 300];
    let (mut all, mut theirs) = (Vec::new(), Vec::new());
    ours(&segment, &control, |piece| all.extend_from_slice(piece));
    naive(&segment, &control, |piece| theirs.extend_from_slice(piece));
    assert_eq!(all, [&control[..], &rendered.bytes].concat());
    assert_eq!(all, theirs);

    let mut group = criterion.benchmark_group("sender: a segment of 512 KiB");
    group.throughput(Throughput::Bytes(all.len() as u64));
    let sink = |piece: &[u8]| {
        std::hint::black_box(piece);
    };
    group.bench_function("ours", |bencher| {
        bencher.iter(|| ours(&segment, &control, sink))
    });
    group.bench_function("a Vec a message", |bencher| {
        bencher.iter(|| naive(&segment, &control, sink))
    });
    group.finish();
}
