//! The access log, 10,000 events a round, which is to be a second's: what each costs the thread
//! that delivers (put into the queue), beside formatting and writing the row there and then; and
//! what it costs the thread of the log (formatted and written to the spool), in the batches that
//! come when it is busy, beside one by one.

use std::fs::File;
use std::hint::black_box;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BenchmarkGroup, Criterion, Throughput};
use streamfront::delivery::served::{Served, Terms};
use streamfront::delivery::session::{ClientId, Facts, Happening, Item, Session};
use streamfront::distribution::Kind;
use streamfront::distribution::streaming::Logging;
use streamfront::log::entry::Entry;
use streamfront::log::spool::Spool;
use streamfront::log::{Buckets, Log, Options, row};
use streamfront::origin::Bucket;
use streamfront::origin::memory::MemoryOrigin;
use streamfront::rtmp::command::Connect;
use tokio::runtime::Runtime;

use crate::cpu_time::CpuTime;

/// Events of a round.
const EVENTS: u64 = 10_000;

/// Events that the thread of the log finds at once when they come so fast.
const BATCH: usize = 100;

/// No bucket: nothing leaves the spool.
#[derive(Debug)]
struct Nowhere;

impl Buckets for Nowhere {
    fn bucket(&self, _: &str) -> Option<Arc<dyn Bucket>> {
        None
    }
}

fn options(directory: &Path) -> Options {
    Options {
        edge: "LCL1".into(),
        double: false,
        directory: directory.to_owned(),
        delivery: Duration::from_secs(3600),
        // What a round writes is dropped again.
        spool: 64 << 20,
        json: None,
        rows: true,
    }
}

fn served() -> Arc<Served> {
    let logging = Logging {
        bucket: "logs.s3.amazonaws.com".into(),
        prefix: String::new(),
    };
    let terms = Terms {
        kind: Kind::Streaming,
        enabled: true,
        signers: None,
        apps: Arc::new(["cfx/st".to_owned()]),
        origin: Arc::new(MemoryOrigin::new()),
        max_rate: None,
        encrypted: true,
        logging: Some(Arc::new(logging)),
    };
    Served::new("EMLARXS9EXAMPLE", terms)
}

fn session(log: Arc<Log>) -> Arc<Session> {
    let peer = "192.0.2.7:4242".parse().expect("an address");
    let facts = Facts {
        tc_url: "rtmp://films.example.com/cfx/st".into(),
        page_url: "http://www.example.com/films/page.html".into(),
        swf_url: "http://www.example.com/player.swf".into(),
        flash_ver: "LNX 10,0,32,18".into(),
        ..Facts::new(ClientId([7; 16]), peer, &Connect::default())
    };
    Session::new(facts, served(), log)
}

pub fn bench(c: &mut Criterion<CpuTime>) {
    let folder = tempfile::tempdir().expect("a folder");
    let runtime = Runtime::new().expect("a runtime");
    let workers = runtime.block_on(async {
        let options = options(&folder.path().join("queued"));
        Log::start(options, Arc::new(Nowhere)).expect("a log")
    });
    let session = session(Arc::clone(workers.log()));
    let item = Item::new(
        1,
        "",
        "mp4:dir/favs/film.mp4?Expires=1&Signature=a~b",
        Some("mp4"),
    );
    let entry = Entry::of(&session, Happening::Play(&item));
    let mut written = String::new();
    row::write(&mut written, &entry, "LCL1", false);
    assert_eq!(written.split('\t').count(), 17);

    let mut group = c.benchmark_group("log_event");
    group.throughput(Throughput::Elements(EVENTS));
    group.bench_function("ours", |b| {
        b.iter(|| (0..EVENTS).for_each(|_| session.tell(black_box(Happening::Play(&item)))));
    });
    let mut file = File::create(folder.path().join("naive")).expect("a file");
    group.bench_function("at_once", |b| {
        b.iter(|| {
            file.set_len(0).expect("emptied");
            (0..EVENTS).for_each(|_| {
                let entry = Entry::of(&session, Happening::Play(&item));
                let mut row = String::new();
                row::write(&mut row, &entry, "LCL1", false);
                file.write_all(row.as_bytes()).expect("written");
            });
        });
    });
    group.finish();

    let mut group = c.benchmark_group("log_spool");
    group.throughput(Throughput::Elements(EVENTS));
    let batches = |group: &mut BenchmarkGroup<'_, CpuTime>, name: &str, batch: usize| {
        let mut spool = Spool::alone(options(&folder.path().join(name)));
        let events = vec![entry.clone(); EVENTS as usize];
        group.bench_function(name, |b| {
            b.iter(|| {
                events
                    .chunks(batch)
                    .for_each(|some| spool.add(some.iter(), Instant::now()))
            });
        });
    };
    batches(&mut group, "ours", BATCH);
    batches(&mut group, "one_by_one", 1);
    group.finish();
    runtime.block_on(workers.close());
}
