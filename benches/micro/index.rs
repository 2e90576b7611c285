//! An hour-long MP4: its index, and the plan of its segments. Peer: expanding all samples into a
//! list first. The index of ours leaves the tables as they are, so building it costs next to
//! nothing, and planning walks them where they lie; what a list of samples costs beside its time
//! is memory, 56 bytes for each of 245,000 samples.

use criterion::{Criterion, Throughput};
use streamfront::media::Index;
use streamfront::render::{Entry, Group, Plan};
use streamfront::units::MediaTime;

use crate::cpu_time::CpuTime;
use crate::movie::{Movie, index};
use crate::muxer::BOTH;
use crate::naive_mp4::{self, Starts};

const SECONDS: u64 = 3_600;

fn plan(index: &Index) -> Plan<streamfront::media::Cursor> {
    Plan::whole(index, BOTH)
}

/// Both plans must send a viewer into the same segment, whatever time they ask for.
fn agree(ours: &Plan<streamfront::media::Cursor>, naive: &Starts) {
    let group = Group::Indexed(0);
    for second in (0..SECONDS as i64).step_by(7) {
        let time = MediaTime::from_millis(second * 1_000);
        let due = naive
            .iter()
            .rposition(|start| start.is_some_and(|start| start <= time));
        match ours.entry(group, time) {
            Entry::In(id) => assert_eq!(Some(id.part as usize), due, "at {time}"),
            other => panic!("the plan is whole: {other:?}"),
        }
    }
}

/// Times it.
pub fn bench(criterion: &mut Criterion<CpuTime>) {
    let movie = Movie::new(SECONDS, 1_200_000);
    let fetched = movie.fetched();
    let ready = index(&fetched, &movie.head);
    let samples = naive_mp4::samples(&movie);
    agree(&plan(&ready), &naive_mp4::cut(&samples));

    let count = Throughput::Elements(samples.len() as u64);
    let mut group = criterion.benchmark_group("MP4 index of an hour");
    group.throughput(count.clone());
    group.bench_function("ours", |bencher| {
        bencher.iter(|| index(&fetched, &movie.head))
    });
    group.bench_function("all samples in a Vec", |bencher| {
        bencher.iter(|| naive_mp4::samples(&movie));
    });
    group.finish();

    let mut group = criterion.benchmark_group("MP4 index and plan of an hour");
    group.throughput(count);
    group.bench_function("ours", |bencher| {
        bencher.iter(|| plan(&index(&fetched, &movie.head)))
    });
    group.bench_function("all samples in a Vec", |bencher| {
        bencher.iter(|| naive_mp4::cut(&naive_mp4::samples(&movie)));
    });
    group.finish();
}
