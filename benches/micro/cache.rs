//! A hit in memory, from one thread and from two at once (wall time: they wait for each other).
//! Peer: a HashMap behind one mutex, which forgets nothing, bounds nothing, and is all that a hit
//! would need if it had to do neither.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use streamfront::cache::{MemorySize, RENDERS_MAX, RenderCache, Weigh};
use tokio_util::task::TaskTracker;

use crate::cpu_time::CpuTime;

/// Segments in the cache, as many as 256 MiB hold.
const KEYS: u32 = 512;

/// Looks up so many keys in one go, in an order that jumps about.
const LOOKUPS: u32 = 1_000;

struct Weighty(u32);

impl Weigh for Weighty {
    fn weight(&self) -> usize {
        512 << 10
    }
}

/// As long as what names a segment: object, version, place.
type Key = (Arc<str>, Arc<str>, u32);
type Hit = Option<Arc<Weighty>>;

fn keys() -> Vec<Key> {
    let (object, version) = (
        Arc::from("films/a-film.mp4"),
        Arc::from("\"d41d8cd98f00b204\""),
    );
    (0..KEYS)
        .map(|part| (Arc::clone(&object), Arc::clone(&version), part))
        .collect()
}

fn look_up(keys: &[Key], get: impl Fn(&Key) -> Hit) -> u64 {
    let at = |n: u32| &keys[(n.wrapping_mul(193) % KEYS) as usize];
    (0..LOOKUPS)
        .map(|n| get(at(n)).map_or(0, |hit| u64::from(hit.0)))
        .sum()
}

/// The time that `threads` threads take for `rounds` rounds each.
fn together(threads: u32, rounds: u64, keys: &[Key], get: impl Fn(&Key) -> Hit + Sync) -> Duration {
    let start = Instant::now();
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                (0..rounds).for_each(|_| {
                    black_box(look_up(keys, &get));
                })
            });
        }
    });
    start.elapsed()
}

/// Times it.
pub fn bench(criterion: &mut Criterion<CpuTime>) {
    let keys = keys();
    let size = MemorySize {
        bytes: 1 << 30,
        descriptors: 100_000,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    // The cache takes the runtime that it is made in.
    let _entered = runtime.enter();
    let cache: RenderCache<Key, Arc<Weighty>, ()> =
        RenderCache::new(size, RENDERS_MAX, TaskTracker::new());
    let mut map = HashMap::new();
    for key in &keys {
        let value = Arc::new(Weighty(key.2));
        map.insert(key.clone(), Arc::clone(&value));
        let kept = runtime.block_on(cache.get_or_render(key, || async { Ok(value) }));
        assert!(kept.is_ok());
    }
    let map = Mutex::new(map);
    let naive = |key: &Key| map.lock().expect("nobody panics").get(key).cloned();
    let ours = |key: &Key| cache.get(key);
    assert!(
        keys.iter().all(|key| ours(key).is_some()),
        "all of it is in memory"
    );
    assert_eq!(look_up(&keys, ours), look_up(&keys, naive));

    for threads in [1, 2] {
        let mut group = criterion.benchmark_group(format!("1,000 cache hits, threads: {threads}"));
        group.throughput(Throughput::Elements(u64::from(LOOKUPS * threads)));
        group.bench_function("ours", |bencher| {
            bencher.iter_custom(|rounds| together(threads, rounds, &keys, ours));
        });
        group.bench_function("one mutex", |bencher| {
            bencher.iter_custom(|rounds| together(threads, rounds, &keys, naive));
        });
        group.finish();
    }
}
