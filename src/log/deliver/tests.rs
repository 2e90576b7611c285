//! Deliveries to buckets that fail in every way.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use flate2::read::GzDecoder;
use tokio_util::task::AbortOnDropHandle;

use super::*;
use crate::distribution::streaming::Logging;
use crate::log::shelf::Stage;

/// Takes objects, and fails so many times before and after it has taken one.
#[derive(Debug, Default)]
struct Flaky {
    before: Mutex<u32>,
    after: Mutex<u32>,
    objects: Mutex<BTreeMap<String, Bytes>>,
    puts: Mutex<Vec<String>>,
}

fn fails(times: &Mutex<u32>) -> Result<(), WriteError> {
    let mut times = times.lock().unwrap();
    if *times == 0 {
        return Ok(());
    }
    *times -= 1;
    Err(WriteError::Unavailable("not now".into()))
}

impl Bucket for Flaky {
    fn put<'a>(
        &'a self,
        key: &'a str,
        _: &'a str,
        body: Bytes,
    ) -> BoxFuture<'a, Result<(), WriteError>> {
        self.puts.lock().unwrap().push(key.to_owned());
        let put = || {
            fails(&self.before)?;
            self.objects.lock().unwrap().insert(key.to_owned(), body);
            // It has it, but the answer is lost.
            fails(&self.after)
        };
        let put = put();
        async move { put }.boxed()
    }
}

/// The bucket `good`, and `bad`, which is nowhere.
#[derive(Debug)]
struct Two(Arc<Flaky>);

impl Buckets for Two {
    fn bucket(&self, domain: &str) -> Option<Arc<dyn Bucket>> {
        (domain == "good").then(|| Arc::clone(&self.0) as _)
    }
}

fn put(directory: &Path, shelf: &Shelf, name: &str, bucket: &str) {
    let head = format!("{{\"bucket\":\"{bucket}\",\"prefix\":\"p\"}}\n");
    std::fs::write(directory.join(format!("{name}.rows")), head + "a row\n").unwrap();
    let kept = Kept {
        to: Arc::new(Logging {
            bucket: bucket.into(),
            prefix: "p".into(),
        }),
        bytes: 10,
        rows: 1,
        since: SystemTime::now(),
        stage: Stage::Open,
    };
    shelf.put(name, kept);
    shelf.close(name);
}

#[tokio::test]
async fn a_bucket_has_each_file_once_whatever_failed_and_holds_up_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let bucket = Arc::new(Flaky {
        before: Mutex::new(1),
        after: Mutex::new(1),
        ..Flaky::default()
    });
    let deliverer = Deliverer {
        directory: folder.path().to_owned(),
        shelf: Arc::default(),
        meter: Arc::default(),
        buckets: Arc::new(Two(Arc::clone(&bucket))),
    };
    let (shelf, meter) = (Arc::clone(&deliverer.shelf), Arc::clone(&deliverer.meter));
    for name in ["one", "two"] {
        put(folder.path(), &shelf, name, "good");
    }
    put(folder.path(), &shelf, "lost", "bad");
    // Somebody has removed it.
    put(folder.path(), &shelf, "gone", "good");
    std::fs::remove_file(folder.path().join("gone.rows")).unwrap();
    let stop = CancellationToken::new();
    let running = tokio::spawn(deliverer.run(stop.clone()));
    while meter.delivered.get() < 2 {
        tokio::task::yield_now().await;
    }
    stop.cancel();
    running.await.unwrap();
    let objects = bucket.objects.lock().unwrap();
    assert_eq!(objects.keys().collect::<Vec<_>>(), ["p/one.gz", "p/two.gz"]);
    assert_eq!(bucket.puts.lock().unwrap().len(), 4);
    for packed in objects.values() {
        let mut text = String::new();
        GzDecoder::new(&packed[..])
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(text, format!("{}a row\n", row::HEAD));
    }
    // What has no bucket waits.
    assert_eq!(shelf.bytes(), 4096);
    let left = std::fs::read_dir(folder.path()).unwrap();
    let left: Vec<_> = left.map(|it| it.unwrap().file_name()).collect();
    assert_eq!(left, ["lost.rows"]);
    assert!(meter.failures.get() >= 3);
    assert_eq!(meter.lost_disk.get(), 1);
}

/// Refuses each object once, and never answers after that.
#[derive(Debug, Default)]
struct Hanging {
    refused: Mutex<BTreeSet<String>>,
    hung: Mutex<u32>,
}

impl Bucket for Hanging {
    fn put<'a>(
        &'a self,
        key: &'a str,
        _: &'a str,
        _: Bytes,
    ) -> BoxFuture<'a, Result<(), WriteError>> {
        if self.refused.lock().unwrap().insert(key.to_owned()) {
            let refused = WriteError::Unavailable("not now".into());
            return std::future::ready(Err(refused)).boxed();
        }
        *self.hung.lock().unwrap() += 1;
        std::future::pending().boxed()
    }
}

/// The bucket `good`; all others hang.
#[derive(Debug)]
struct Others(Arc<Flaky>, Arc<Hanging>);

impl Buckets for Others {
    fn bucket(&self, domain: &str) -> Option<Arc<dyn Bucket>> {
        Some(match domain {
            "good" => Arc::clone(&self.0) as _,
            _ => Arc::clone(&self.1) as _,
        })
    }
}

#[tokio::test]
async fn places_that_failed_leave_room_for_those_that_are_well() {
    let folder = tempfile::tempdir().unwrap();
    let (good, hanging) = (Arc::<Flaky>::default(), Arc::<Hanging>::default());
    let deliverer = Deliverer {
        directory: folder.path().to_owned(),
        shelf: Arc::default(),
        meter: Arc::default(),
        buckets: Arc::new(Others(good, Arc::clone(&hanging))),
    };
    let (shelf, meter) = (Arc::clone(&deliverer.shelf), Arc::clone(&deliverer.meter));
    let places = AT_ONCE + 2;
    for number in 0..places {
        let name = format!("bad{number}");
        put(folder.path(), &shelf, &name, &name);
    }
    let running = AbortOnDropHandle::new(tokio::spawn(deliverer.run(CancellationToken::new())));
    while meter.failures.get() < places as u64 {
        tokio::task::yield_now().await;
    }
    while *hanging.hung.lock().unwrap() < FAILED_AT_ONCE as u32 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // All of them have rested by now.
    tokio::time::sleep(rest(1, u32::MAX)).await;
    for number in 0..3 {
        put(folder.path(), &shelf, &format!("good{number}"), "good");
    }
    while meter.delivered.get() < 3 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(*hanging.hung.lock().unwrap(), FAILED_AT_ONCE as u32);
    drop(running);
}
