//! What the parts cost, each beside rml_rtmp or the naive way of doing the same work.
//!
//! One file a subject, one criterion group a piece of work: `ours` and its peers in one group, with
//! the same throughput, so that a ratio can be read (`benches/micro_table.py` prints them). Before
//! anything is timed, each group asserts once that both sides come to the same result; so a run
//! with `--test` is a test. Times are processor time of the thread, but for the two threads of
//! [`cache`], the flushes of [`registry`], the requests of [`control`], the rounds of [`private`] and
//! the connections of [`doors`]. Nothing else here says anything about a whole server: see
//! `benches/side_by_side.sh`.

mod access;
mod amf;
mod binary;
mod cache;
mod chunks;
mod control;
mod cpu_time;
mod doors;
mod handshake;
mod index;
mod log;
mod movie;
mod muxer;
mod naive_mp4;
mod pacer;
mod patch;
mod private;
mod registry;
mod routing;
mod sender;

use std::time::Duration;

use cpu_time::CpuTime;
use criterion::{Criterion, criterion_group, criterion_main};

/// Short on purpose: the differences looked for are of 20 % and more, and all of it must be done
/// within three minutes on two cores.
fn settings() -> Criterion<CpuTime> {
    Criterion::default()
        .with_measurement(CpuTime)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1_500))
        .sample_size(20)
}

criterion_group! {
    name = parts;
    config = settings();
    targets = muxer::bench, chunks::bench, amf::bench, index::bench, cache::bench, pacer::bench,
        sender::bench, patch::bench, registry::bench, routing::bench, control::bench,
        access::bench, log::bench, private::bench, handshake::bench, doors::bench
}
criterion_main!(parts);
