//! Distributions: looked up and listed beside 100 and 10,000 others (processor time), and made with
//! a store on the disk of the target directory (wall time, for it is flushes that are waited for):
//! one at a time, 64 at once, and a change beside 10,000, where the copy of the state shows.
//! Peer of the 64: the one at a time, in the same group.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use futures_util::future::join_all;
use streamfront::distribution::record::{Head, StreamingRecord, Tags};
use streamfront::distribution::streaming::PriceClass;
use streamfront::distribution::{AccountId, StreamingConfig};
use streamfront::registry::{Author, Fixed, Quotas, Registry, Repeat, Rules, arn};
use streamfront::store::embedded::Embedded;
use streamfront::store::{Change, Record, Store};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::cpu_time::CpuTime;

/// Distributions of one account.
const OWNED: usize = 100;

/// Requests that come at once: as many as share a flush.
const AT_ONCE: usize = 64;

fn author(n: usize) -> Author {
    Author {
        account: AccountId::parse(&format!("{n:012}")).expect("12 digits"),
        version: "2020-05-31".into(),
    }
}

fn config(reference: usize) -> StreamingConfig {
    StreamingConfig {
        caller_reference: reference.to_string(),
        origin_domain: "media.s3.amazonaws.com".into(),
        origin_access_identity: None,
        aliases: vec![],
        comment: String::new(),
        logging: None,
        trusted_signers: vec![],
        price_class: PriceClass::All,
        enabled: true,
    }
}

fn id(n: usize) -> String {
    format!("E{n:013}")
}

fn record(n: usize) -> Change {
    let record = StreamingRecord {
        head: Head {
            id: id(n),
            account: author(n / OWNED).account,
            etag: id(n),
            former: vec![],
            created: 0,
            modified: 0,
        },
        domain_name: format!("s{n:013}.streamfront.localhost"),
        config: config(n),
        tags: Tags::new(),
        written_by: "2020-05-31".into(),
        read_only: false,
    };
    Change::Put(Box::new(Record::Streaming(record)))
}

/// A registry of so many distributions, and the folder that it writes to.
fn filled(runtime: &Runtime, count: usize) -> (Registry, TempDir) {
    let folder = tempfile::tempdir_in(Path::new(env!("CARGO_TARGET_TMPDIR"))).expect("a folder");
    let store = Embedded::open(folder.path()).expect("a store");
    let rules = Rules {
        quotas: Quotas {
            streaming: usize::MAX,
            ..Quotas::default()
        },
        ..Rules::default()
    };
    let registry = runtime.block_on(async {
        let records = (0..count).map(record).collect();
        store.commit(records).await.expect("written");
        Registry::open(Arc::new(store), Fixed::default(), rules).await
    });
    (registry.expect("a registry"), folder)
}

/// The time of `rounds` rounds of `at_once` creates, in an empty registry.
fn create(runtime: &Runtime, rounds: u64, at_once: usize) -> Duration {
    let (registry, _folder) = filled(runtime, 0);
    let author = author(1);
    let one = |n| registry.create_streaming(&author, config(n), Tags::new(), Repeat::Refused);
    let start = Instant::now();
    for round in 0..rounds as usize {
        let all = join_all((0..at_once).map(|n| one(round * at_once + n)));
        let made = runtime.block_on(all);
        assert!(made.iter().all(Result::is_ok));
    }
    start.elapsed()
}

fn read(criterion: &mut Criterion<CpuTime>, runtime: &Runtime, count: usize) {
    let (registry, _folder) = filled(runtime, count);
    let owner = author(0).account;
    let get = |n: usize| {
        let state = registry.state();
        let found = state.streaming_of(&owner, &id(n));
        found.map(|record| state.status(record))
    };
    let list = || registry.state().list_streaming(&owner, None, OWNED);
    assert!(get(7).is_some() && get(OWNED).is_none());
    assert_eq!(list().items.len(), OWNED);

    let mut group = criterion.benchmark_group(format!("registry: read, of {count}"));
    group.throughput(Throughput::Elements(1));
    group.bench_function("get", |bencher| bencher.iter(|| get(black_box(7))));
    group.bench_function("list 100", |bencher| bencher.iter(list));
    group.finish();
}

fn write(criterion: &mut Criterion<CpuTime>, runtime: &Runtime) {
    let mut group = criterion.benchmark_group("registry: create");
    for at_once in [1, AT_ONCE] {
        group.throughput(Throughput::Elements(at_once as u64));
        group.bench_function(format!("at once: {at_once}"), |bencher| {
            bencher.iter_custom(|rounds| create(runtime, rounds, at_once));
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("registry: a tag");
    group.throughput(Throughput::Elements(1));
    for count in [OWNED, OWNED * OWNED] {
        let (registry, _folder) = filled(runtime, count);
        let (author, state) = (author(0), registry.state());
        let name = arn(&state.streaming[&id(0)]);
        group.bench_function(format!("beside {count}"), |bencher| {
            bencher.iter_custom(|rounds| {
                let start = Instant::now();
                for round in 0..rounds {
                    let tags = Tags::from([("round".to_owned(), round.to_string())]);
                    let done = runtime.block_on(registry.tag(&author, &name, tags));
                    assert!(done.is_ok());
                }
                start.elapsed()
            });
        });
    }
    group.finish();
}

/// Times it.
pub fn bench(criterion: &mut Criterion<CpuTime>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    for count in [OWNED, OWNED * OWNED] {
        read(criterion, &runtime, count);
    }
    write(criterion, &runtime);
}
