//! A hundred viewers paced through a minute of media on a made-up clock: what deciding and waking
//! cost, without sockets. Peer: a timer for each message, as nginx-rtmp has it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use streamfront::delivery::pacer::Pacer;
use streamfront::units::MediaTime;

use crate::cpu_time::CpuTime;

const VIEWERS: usize = 100;
const BUFFER: Duration = Duration::from_secs(3);
/// What a pacer adds to the client buffer.
const LEAD: Duration = Duration::from_secs(4);

/// Timestamps of a minute: 25 pictures and 43 frames of sound a second.
fn times() -> Vec<i64> {
    let mut times: Vec<i64> = (0..60 * 25)
        .map(|n| n * 40)
        .chain((0..60 * 43).map(|n| n * 23))
        .collect();
    times.sort_unstable();
    times
}

/// What it came to: messages sent, and how often somebody was woken for it.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
struct Outcome {
    sent: usize,
    wakes: usize,
}

/// Viewers start spread over half a second.
fn begins(base: Instant) -> impl Iterator<Item = (usize, Instant)> {
    (0..VIEWERS).map(move |viewer| (viewer, base + Duration::from_millis(viewer as u64 * 5)))
}

fn ours(times: &[i64], base: Instant) -> Outcome {
    let mut pacers = vec![Pacer::new(BUFFER); VIEWERS];
    let mut next = vec![0; VIEWERS];
    let mut timers = BinaryHeap::new();
    for (viewer, at) in begins(base) {
        pacers[viewer].start(at, MediaTime::ZERO);
        timers.push(Reverse((at, viewer)));
    }
    let mut outcome = Outcome { sent: 0, wakes: 0 };
    while let Some(Reverse((now, viewer))) = timers.pop() {
        outcome.wakes += 1;
        let pacer = &mut pacers[viewer];
        while let Some(time) = times.get(next[viewer]).copied().map(MediaTime::from_millis) {
            if !pacer.admits(now, time) {
                timers.push(Reverse((pacer.wake(now, time), viewer)));
                break;
            }
            next[viewer] += 1;
            outcome.sent += 1;
        }
    }
    outcome
}

fn a_timer_a_message(times: &[i64], base: Instant) -> Outcome {
    let mut next = vec![0; VIEWERS];
    let mut timers: BinaryHeap<_> = begins(base)
        .map(|(viewer, at)| Reverse((at, viewer)))
        .collect();
    let starts: Vec<Instant> = begins(base).map(|(_, at)| at).collect();
    let mut outcome = Outcome { sent: 0, wakes: 0 };
    while let Some(Reverse((now, viewer))) = timers.pop() {
        outcome.wakes += 1;
        let Some(time) = times.get(next[viewer]) else {
            continue;
        };
        next[viewer] += 1;
        outcome.sent += 1;
        let due = starts[viewer] + Duration::from_millis(*time as u64);
        timers.push(Reverse((
            now.max(due.checked_sub(LEAD).unwrap_or(now)),
            viewer,
        )));
    }
    outcome
}

/// Times it.
pub fn bench(criterion: &mut Criterion<CpuTime>) {
    let times = times();
    let base = Instant::now();
    let (steps, messages) = (ours(&times, base), a_timer_a_message(&times, base));
    assert_eq!(steps.sent, VIEWERS * times.len());
    assert_eq!(steps.sent, messages.sent);
    assert!(
        steps.wakes < messages.wakes,
        "{steps:?} against {messages:?}"
    );

    let mut group = criterion.benchmark_group("pacer: 100 viewers for a minute");
    group.throughput(Throughput::Elements(steps.sent as u64));
    group.bench_function("ours", |bencher| bencher.iter(|| ours(&times, base)));
    group.bench_function("a timer a message", |bencher| {
        bencher.iter(|| a_timer_a_message(&times, base));
    });
    group.finish();
}
