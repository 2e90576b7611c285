//! Names, versions and purges over an origin in memory, on a clock of the tests' own.

use super::known::{ABSENT_BYTES, REST};
use super::*;
use crate::catalog::{Freshness, NEGATIVE_TTL};
use crate::origin::OriginError;
use crate::origin::fault::FaultyOrigin;
use crate::origin::memory::MemoryOrigin;
use crate::render::{Rendering, SegmentId};

const SAMPLE: &[u8] = include_bytes!("../../cli/demo/sample.mp4");
const OTHER: &[u8] = include_bytes!("../../cli/demo/sample.flv");
const HOUR: Duration = Duration::from_secs(3600);

struct House {
    objects: Objects,
    origin: Arc<FaultyOrigin<MemoryOrigin>>,
}

impl House {
    fn new(freshness: Freshness) -> Self {
        let size = MemorySize {
            bytes: 64 << 20,
            descriptors: 1000,
        };
        let tasks = TaskTracker::new();
        let segments = RenderCache::new(size, RENDERS_MAX, tasks.clone());
        let objects = Objects::new(64 << 20, segments, tasks);
        objects.set_policy("d", Policy::new(freshness, NEGATIVE_TTL, "memory"));
        let memory = MemoryOrigin::new();
        memory.put("a.mp4", SAMPLE);
        Self {
            objects,
            origin: Arc::new(FaultyOrigin::new(memory)),
        }
    }

    async fn open(&self, name: &str) -> Result<Arc<Object>, PlayError> {
        let name = StreamName::parse("", name).unwrap();
        let origin = Arc::clone(&self.origin) as Arc<dyn Origin>;
        self.objects.open(&"d".into(), &origin, &name).await
    }

    /// How many questions the play of a name costs.
    async fn asks(&self, name: &str) -> u64 {
        let before = self.origin.requests();
        let _ = self.open(name).await;
        self.origin.requests() - before
    }

    fn put(&self, key: &str, bytes: &'static [u8]) {
        self.origin.inner().put(key, bytes);
    }
}

#[tokio::test]
async fn within_its_time_a_play_asks_nothing_and_then_once() {
    let house = House::new(Freshness::TimeToLive(2 * HOUR));
    let first = house.open("mp4:a.mp4").await.unwrap();
    assert_eq!(house.asks("mp4:a.mp4").await, 0);
    house.objects.known.clock.pass(2 * HOUR);
    let again = house.open("mp4:a.mp4").await.unwrap();
    assert!(Arc::ptr_eq(&first, &again), "304 keeps it");
    assert_eq!(house.asks("mp4:a.mp4").await, 0, "a new life");
    house.put("a.mp4", OTHER);
    assert_eq!(house.asks("mp4:a.mp4").await, 0, "the old one is served");
    house.objects.known.clock.pass(2 * HOUR);
    let new = house.open("mp4:a.mp4").await.unwrap();
    assert_ne!(first.key().etag, new.key().etag);
}

#[tokio::test]
async fn asked_at_each_play_a_new_version_plays_at_once() {
    let house = House::new(Freshness::EachPlay);
    let first = house.open("mp4:a.mp4").await.unwrap();
    assert_eq!(house.asks("mp4:a.mp4").await, 1);
    house.put("a.mp4", OTHER);
    let new = house.open("mp4:a.mp4").await.unwrap();
    assert_ne!(first.key().etag, new.key().etag);
}

#[tokio::test]
async fn a_read_that_finds_another_version_ends_the_binding() {
    let house = House::new(Freshness::TimeToLive(HOUR));
    let first = house.open("mp4:a.mp4").await.unwrap();
    house.put("a.mp4", OTHER);
    let rendering = Rendering {
        video: true,
        audio: true,
    };
    // The probe holds the first segment; any later one must be read.
    let mut id = SegmentId::FIRST;
    loop {
        match first.segment(rendering, id).await {
            Ok(segment) => id = segment.next().expect("it is not all in the probe"),
            Err(error) => {
                let changed = PlayError::Origin(OriginError::Changed);
                assert_eq!(error.to_string(), changed.to_string());
                break;
            }
        }
    }
    let new = house.open("mp4:a.mp4").await.unwrap();
    assert_ne!(first.key().etag, new.key().etag);
}

#[tokio::test]
async fn the_last_good_copy_is_served_and_the_origin_left_alone() {
    for freshness in [Freshness::EachPlay, Freshness::TimeToLive(HOUR)] {
        let house = House::new(freshness);
        let good = house.open("mp4:a.mp4").await.unwrap();
        house.objects.known.clock.pass(HOUR);
        house.origin.fail_always(OriginError::unavailable("down"));
        let stale = house.open("mp4:a.mp4").await.unwrap();
        assert!(Arc::ptr_eq(&good, &stale));
        assert_eq!(house.objects.usage().served_stale, 1);
        assert_eq!(house.asks("mp4:a.mp4").await, 0, "it rests");
        assert!(house.open("mp4:b.mp4").await.is_err(), "nothing is known");
        house.objects.known.clock.pass(REST);
        assert_eq!(house.asks("mp4:a.mp4").await, 1);
        house.origin.heal();
        house.objects.known.clock.pass(REST);
        house.put("a.mp4", OTHER);
        let new = house.open("mp4:a.mp4").await.unwrap();
        assert_ne!(good.key().etag, new.key().etag);
    }
}

#[tokio::test]
async fn an_origin_that_hangs_holds_up_nobody_for_long() {
    let house = House::new(Freshness::EachPlay);
    let good = house.open("mp4:a.mp4").await.unwrap();
    house.put("a.mp4", OTHER);
    house.origin.delay(2 * PATIENCE);
    let (first, second) = tokio::join!(house.open("mp4:a.mp4"), house.open("mp4:a.mp4"));
    for stale in [first, second] {
        assert!(Arc::ptr_eq(&good, &stale.unwrap()));
    }
    assert_eq!(house.objects.usage().served_stale, 2);
    assert_eq!(house.asks("mp4:a.mp4").await, 0, "it rests");
    // The check goes on, and what it finds is played.
    assert_eq!(house.objects.checks.in_flight(), 1);
    while house.objects.checks.in_flight() > 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    house.origin.heal();
    house.origin.fail_always(OriginError::unavailable("down"));
    let new = house.open("mp4:a.mp4").await.unwrap();
    assert_ne!(good.key().etag, new.key().etag);
    // Of what is not known, the answer is waited for.
    house.origin.heal();
    house.put("b.mp4", SAMPLE);
    house.origin.delay(PATIENCE + Duration::from_millis(100));
    assert!(house.open("mp4:b.mp4").await.is_ok());
}

#[tokio::test]
async fn what_is_refused_is_not_served_stale() {
    let house = House::new(Freshness::EachPlay);
    house.open("mp4:a.mp4").await.unwrap();
    for error in [
        OriginError::misconfigured("the credentials are refused"),
        OriginError::Forbidden,
    ] {
        house.origin.fail_always(error);
        assert!(house.open("mp4:a.mp4").await.is_err());
    }
    assert_eq!(house.objects.usage().served_stale, 0);
}

#[tokio::test]
async fn what_is_not_there_is_remembered_for_a_moment() {
    let house = House::new(Freshness::EachPlay);
    assert!(house.asks("mp4:b.mp4").await > 0);
    house.put("b.mp4", SAMPLE);
    assert!(house.open("mp4:b.mp4").await.is_err());
    assert_eq!(house.asks("mp4:b.mp4").await, 0);
    house.objects.known.clock.pass(NEGATIVE_TTL);
    assert!(house.open("mp4:b.mp4").await.is_ok());
}

#[tokio::test]
async fn a_flood_of_names_costs_no_binding_and_little_memory() {
    let house = House::new(Freshness::TimeToLive(HOUR));
    house.open("mp4:a.mp4").await.unwrap();
    let long = "x".repeat(900);
    for number in 0..6_000 {
        let _ = house.open(&format!("mp4:{long}{number}.mp4")).await;
    }
    assert_eq!(house.asks("mp4:a.mp4").await, 0);
    assert!(house.objects.known.absent.usage().bytes <= ABSENT_BYTES);
}

#[tokio::test]
async fn after_a_purge_the_origin_is_asked_and_nothing_is_shared() {
    let house = House::new(Freshness::TimeToLive(HOUR));
    house.put("films/b.mp4", SAMPLE);
    let playing = house.open("mp4:a.mp4").await.unwrap();
    house.open("mp4:films/b.mp4").await.unwrap();
    house.open("mp4:gone.mp4").await.unwrap_err();

    let one = Purge::Key("a.mp4".into());
    let purged = house.objects.purge(Some("other"), one.clone()).await;
    assert_eq!(purged.objects, 0, "of another distribution");
    assert_eq!(house.asks("mp4:a.mp4").await, 0);

    let purged = house.objects.purge(Some("d"), one).await;
    assert_eq!((purged.objects, purged.durable), (1, true));
    assert_eq!(house.asks("mp4:films/b.mp4").await, 0, "not purged");
    let again = house.open("mp4:a.mp4").await.unwrap();
    assert_eq!(playing.key().etag, again.key().etag);
    assert_ne!(playing.key(), again.key());
    assert_eq!(house.asks("mp4:a.mp4").await, 0, "and it is believed again");

    house.put("gone.mp4", SAMPLE);
    let purged = house
        .objects
        .purge(None, Purge::Prefix("films/".into()))
        .await;
    assert_eq!(purged.objects, 1);
    assert!(house.asks("mp4:films/b.mp4").await > 0);
    assert!(house.open("mp4:gone.mp4").await.is_ok());
    // Running plays go on.
    let rendering = Rendering {
        video: true,
        audio: true,
    };
    assert!(playing.segment(rendering, SegmentId::FIRST).await.is_ok());
}

#[tokio::test]
async fn distributions_share_nothing() {
    let house = House::new(Freshness::TimeToLive(HOUR));
    let policy = Policy::new(Freshness::EachPlay, NEGATIVE_TTL, "other");
    let first = house.open("mp4:a.mp4").await.unwrap();
    house.objects.set_policy("d", policy);
    let other = house.open("mp4:a.mp4").await.unwrap();
    assert_ne!(first.key(), other.key(), "another origin under the same id");
}

/// An identity that may read the bucket helps at once.
#[tokio::test]
async fn what_is_not_there_for_one_origin_may_be_there_for_the_next() {
    let house = House::new(Freshness::TimeToLive(HOUR));
    house.open("mp4:b.mp4").await.unwrap_err();
    house.put("b.mp4", SAMPLE);
    assert_eq!(house.asks("mp4:b.mp4").await, 0, "it is remembered");
    let policy = Policy::new(Freshness::TimeToLive(HOUR), NEGATIVE_TTL, "other");
    house.objects.set_policy("d", policy);
    assert!(house.open("mp4:b.mp4").await.is_ok());
}
