use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use proptest::prelude::*;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use super::*;
use crate::cache::{MemorySize, RENDERS_MAX, RenderCache};
use crate::media::flv::fixture::{Flv, amf0};
use crate::media::mp4::testing::film;
use crate::origin::memory::MemoryOrigin;
use crate::origin::{Condition, OriginError, Read};

const BOTH: Rendering = Rendering {
    video: true,
    audio: true,
};

/// How long the reads that are begun at the same time may take to show up, on a busy machine.
const SETTLE: Duration = Duration::from_millis(30);

/// An origin whose reads answer only when the test says so, all that wait together: a round trip.
#[derive(Debug)]
struct Gated {
    inner: MemoryOrigin,
    round: watch::Sender<u32>,
    /// The range and the round of each read.
    log: Mutex<Vec<(ByteRange, u32)>>,
    open: bool,
}

impl Gated {
    fn new(bytes: Vec<u8>, open: bool) -> Arc<Self> {
        let inner = MemoryOrigin::new();
        inner.put("k", bytes);
        Arc::new(Self {
            inner,
            round: watch::Sender::new(0),
            log: Mutex::default(),
            open,
        })
    }

    fn reads(&self) -> Vec<ByteRange> {
        lock(&self.log).iter().map(|(range, _)| *range).collect()
    }

    /// How many times each byte was read, and that for every byte that was.
    fn bytes(&self, size: u64) -> (u64, u64) {
        let mut total = 0;
        let mut ends: BTreeMap<u64, i32> = BTreeMap::new();
        for range in self.reads() {
            let range = range.clamp_to(size);
            total += range.len();
            *ends.entry(range.start).or_default() += 1;
            *ends.entry(range.end).or_default() -= 1;
        }
        let (mut depth, mut last, mut once) = (0, 0, 0);
        for (at, change) in ends {
            once += if depth > 0 { at - last } else { 0 };
            depth += change;
            last = at;
        }
        (total, once)
    }

    /// Lets the work run; how many round trips it took.
    async fn rounds<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> (T, u32) {
        let begun = *self.round.borrow();
        let task = tokio::spawn(work);
        while !task.is_finished() {
            let now = *self.round.borrow();
            if lock(&self.log).iter().any(|(_, round)| *round == now) {
                tokio::time::sleep(SETTLE).await;
                self.round.send_replace(now + 1);
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        (task.await.unwrap(), *self.round.borrow() - begun)
    }
}

impl Origin for Gated {
    fn read<'a>(
        &'a self,
        key: &'a str,
        range: ByteRange,
        condition: Condition<'a>,
    ) -> BoxFuture<'a, Result<Read, OriginError>> {
        async move {
            let mut round = self.round.subscribe();
            let now = *round.borrow();
            lock(&self.log).push((range, now));
            if !self.open {
                round.wait_for(|round| *round > now).await.unwrap();
            }
            self.inner.read(key, range, condition).await
        }
        .boxed()
    }
}

fn segments() -> SegmentCache {
    let size = MemorySize {
        bytes: 256 << 20,
        descriptors: 900,
    };
    RenderCache::new(size, RENDERS_MAX, TaskTracker::new())
}

async fn open(origin: Arc<Gated>) -> Arc<Object> {
    let probe = match origin.read("k", PROBE, Condition::None).await {
        Ok(Read::Bytes(probe)) => probe,
        other => panic!("{other:?}"),
    };
    let key = ObjectKey {
        distribution: "d".into(),
        key: "k".into(),
        etag: probe.etag.clone(),
    };
    let room = BuildRoom::new();
    let object = Object::build(key, origin, probe, &room, segments()).await;
    Arc::new(object.unwrap())
}

fn contents(segment: &Segment) -> Vec<u8> {
    let mut bytes = Vec::new();
    segment
        .file
        .read_at(0..segment.file.len(), &mut bytes)
        .unwrap();
    bytes
}

/// Every segment of an object, each brought when the one before was.
async fn play(object: &Arc<Object>, count: u32) -> Vec<Vec<u8>> {
    let (mut next, mut played) = (Some(SegmentId::FIRST), Vec::new());
    while let Some(id) = next {
        let stretch = Stretch::new(id, count);
        let segment = object.bring(BOTH, stretch).await.unwrap();
        next = segment.next();
        played.push(contents(&segment));
    }
    played
}

/// 100 s of video and sound; `frame`: bytes of a frame, `keyframes`: with a table of them.
fn flv(frame: usize, frames: u32, keyframes: bool, padding: usize) -> Vec<u8> {
    let make = |keys: &[(u64, i64)]| {
        let table = amf0::object(&[
            (
                "times",
                amf0::numbers(keys.iter().map(|key| key.1 as f64 / 1000.0)),
            ),
            (
                "filepositions",
                amf0::numbers(keys.iter().map(|key| key.0 as f64)),
            ),
        ]);
        let mut fields = vec![("padding", amf0::string(&"x".repeat(padding)))];
        if keyframes {
            fields.push(("keyframes", table));
        }
        let mut file = Flv::new(5);
        file.tag(18, 0, &amf0::on_metadata(&fields));
        file.heads();
        file.film(0, frames, frame);
        file
    };
    let blank = make(&vec![(0, 0); frames.div_ceil(10) as usize]);
    make(&blank.keys).bytes
}

/// The files that the goals name, and how many round trips they may take to the first segment.
fn goals() -> [(&'static str, Vec<u8>, u32); 8] {
    [
        ("FLV", flv(9_000, 250, false, 10), 2),
        ("FLV with a table", flv(9_000, 250, true, 10), 2),
        ("FLV with long metadata", flv(9_000, 250, true, 60_000), 2),
        ("FLV that is short", flv(300, 250, false, 10), 1),
        ("MP4", film(600, 8_000, true), 2),
        ("MP4 with a long moov box", film(20_000, 300, true), 2),
        ("MP4, moov last", film(600, 8_000, false), 2),
        ("MP4, a long moov box last", film(40_000, 300, false), 2),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_segment_takes_as_few_round_trips_as_stated() {
    for (name, file, most) in goals() {
        let origin = Gated::new(file, false);
        let opened = Arc::clone(&origin);
        let first = async move {
            let object = open(opened).await;
            object.segment(BOTH, SegmentId::FIRST).await.unwrap();
        };
        let ((), rounds) = origin.rounds(first).await;
        assert!(
            rounds <= most,
            "{name}: {rounds} of {most}: {:?}",
            lock(&origin.log)
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_seek_to_a_cold_place_takes_one_round_trip() {
    let files = [
        ("MP4", film(2_000, 20_000, true)),
        ("MP4 of a low rate", film(3_000, 500, false)),
        ("FLV", flv(9_000, 1_500, true, 10)),
        ("FLV of a low rate", flv(700, 1_500, true, 10)),
        (
            "FLV of groups beyond a segment",
            flv(40_000, 1_500, true, 10),
        ),
    ];
    for (name, file) in files {
        let origin = Gated::new(file, false);
        let opened = Arc::clone(&origin);
        let begin = async move {
            let object = open(opened).await;
            object.segment(BOTH, SegmentId::FIRST).await.unwrap();
            object
        };
        let (object, _) = origin.rounds(begin).await;
        for millis in [31_100, 52_390] {
            let object = Arc::clone(&object);
            let seek = async move {
                let id = object.find(BOTH, MediaTime::from_millis(millis)).await;
                object.segment(BOTH, id.unwrap()).await.unwrap()
            };
            let before = lock(&origin.log).len();
            let (segment, rounds) = origin.rounds(seek).await;
            assert!(
                segment
                    .first_entry()
                    .is_some_and(|entry| entry.millis() <= millis)
            );
            assert!(
                rounds <= 1,
                "{name}: {rounds}: {:?}",
                &lock(&origin.log)[before..]
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_byte_is_read_once_whether_segments_come_alone_or_together() {
    for (name, file, _) in goals() {
        let size = file.len() as u64;
        let mut alone = None;
        for count in [1, 4] {
            let origin = Gated::new(file.clone(), true);
            let object = open(Arc::clone(&origin)).await;
            let played = play(&object, count).await;
            let (total, once) = origin.bytes(size);
            // But for heads and trailers between segments.
            assert!(once * 1_000 >= size * 999, "{name}: {once} of {size} read");
            let requests = origin.reads().len();
            assert!(
                total * 1_000 <= size * 1_005,
                "{name}, {count} at a time: {total} of {size} in {requests}: {:?}",
                origin.reads()
            );
            let expected = alone.get_or_insert(played.clone());
            assert!(played == *expected, "{name}: {count} at a time");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_viewers_at_different_places_of_a_walked_file_read_every_byte_once() {
    let file = flv(700, 4_000, true, 10);
    let size = file.len() as u64;
    let origin = Gated::new(file, true);
    let object = open(Arc::clone(&origin)).await;
    let middle = object
        .find(BOTH, MediaTime::from_millis(80_000))
        .await
        .unwrap();
    let (mut here, mut there) = (Some(SegmentId::FIRST), Some(middle));
    while here.is_some() || there.is_some() {
        for place in [&mut here, &mut there] {
            if let Some(id) = *place {
                *place = object.segment(BOTH, id).await.unwrap().next();
            }
        }
    }
    let (total, _) = origin.bytes(size);
    assert!(
        total * 100 <= size * 101,
        "{total} of {size}: {:?}",
        origin.reads()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_lacking_is_told_in_stretches() {
    let origin = Gated::new(film(2_000, 20_000, true), true);
    let object = open(Arc::clone(&origin)).await;
    let part = |part| SegmentId {
        part,
        ..SegmentId::FIRST
    };
    let lacking = |from, wanted| object.lacking(BOTH, part(from), wanted);
    assert_eq!(lacking(0, 8), (vec![Stretch::new(part(0), 4)], 4));
    object.segment(BOTH, part(3)).await.unwrap();
    let stretches = vec![
        Stretch::new(part(1), 2),
        Stretch::new(part(4), 4),
        Stretch::new(part(8), 1),
    ];
    assert_eq!(lacking(1, 8), (stretches, 8));
    let before = origin.reads().len();
    object.bring(BOTH, Stretch::new(part(4), 4)).await.unwrap();
    while (4..8).any(|number| !object.has_cached(BOTH, part(number))) {
        tokio::task::yield_now().await;
    }
    assert_eq!(
        origin.reads().len(),
        before + 1,
        "neighbours come with one read"
    );
    assert_eq!(lacking(3, 5), (vec![], 5));
    let mut last = object.find(BOTH, MediaTime::MAX).await.unwrap();
    while let Some(next) = object.after(BOTH, last) {
        last = next;
    }
    assert_eq!(
        object.lacking(BOTH, last, 9),
        (vec![Stretch::new(last, 1)], 9)
    );
    assert_eq!(object.after(BOTH, last), None);
    assert_eq!(object.after(BOTH, part(0)), Some(part(1)));

    // In a file that is walked one read brings those whose names are not known.
    let object = open(Gated::new(flv(9_000, 1_500, false, 10), true)).await;
    let first = object.segment(BOTH, part(0)).await.unwrap();
    let next = first.next().unwrap();
    // The read of the first may still be looked through for the next; it holds no whole one.
    let settled = async {
        while object.lacking(BOTH, next, 3).0.is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let settled = tokio::time::timeout(Duration::from_secs(60), settled).await;
    settled.expect("nobody reads the next one");
    assert_eq!(
        object.lacking(BOTH, next, 3),
        (vec![Stretch::new(next, 3)], 3)
    );
    object.bring(BOTH, Stretch::new(next, 3)).await.unwrap();
    while !object.lacking(BOTH, next, 3).0.is_empty() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_brought_is_told_and_an_error_is_met_by_each() {
    let file = film(600, 8_000, true);
    let origin = Gated::new(file.clone(), true);
    let object = open(Arc::clone(&origin)).await;
    let told: Arc<Mutex<Vec<SegmentId>>> = Arc::default();
    let hears = Arc::clone(&told);
    let brought = Brought::new(move |id, segment| {
        assert!(!segment.is_empty());
        lock(&hears).push(id);
    });
    let stretch = Stretch::new(SegmentId::FIRST, 3);
    object.bring_ahead(BOTH, stretch, brought);
    while lock(&told).len() < 3 {
        tokio::task::yield_now().await;
    }
    origin.inner.put("k", file);
    let beyond = Stretch::new(
        SegmentId {
            part: 4,
            ..SegmentId::FIRST
        },
        2,
    );
    for stretch in [beyond, Stretch::new(beyond.first.following(), 1)] {
        let error = object.bring(BOTH, stretch).await.unwrap_err();
        assert!(
            matches!(error, PlayError::Origin(OriginError::Changed)),
            "{error}"
        );
    }
}

/// What is read ahead for many cold viewers, who each then watch it, passes through the cache and
/// leaves what two have watched.
#[tokio::test]
async fn a_crowd_of_cold_viewers_leaves_hot_first_segments_in() {
    #[derive(Debug, Clone)]
    struct Block;
    impl Weigh for Block {
        fn weight(&self) -> usize {
            100 << 10
        }
    }
    let size = MemorySize {
        bytes: 32 << 20,
        descriptors: usize::MAX,
    };
    let cache: RenderCache<(u32, u32), Block, PlayError> =
        RenderCache::new(size, RENDERS_MAX, TaskTracker::new());
    let hot: Vec<_> = (0..100).map(|object| (object, 0)).collect();
    for _ in 0..3 {
        for key in &hot {
            cache.get_or_render(key, async || Ok(Block)).await.unwrap();
        }
    }
    for viewer in 1_000..1_200 {
        for from in (1..9).step_by(4) {
            let keys: Vec<_> = (from..from + 4).map(|part| (viewer, part)).collect();
            let all = async |run: crate::cache::Run<_, _, _>| {
                run.keys().iter().for_each(|key| run.publish(*key, Block));
                Ok(())
            };
            cache.begin(&keys, all);
            for key in &keys {
                let lost = || async { panic!("it was begun") };
                cache.get_or_render(key, lost).await.unwrap();
            }
        }
    }
    let kept = hot.iter().filter(|key| cache.contains(key)).count();
    assert_eq!(kept, hot.len());
}

proptest! {
    #[test]
    fn media_is_read_with_an_index_that_goes_on_behind_the_probe(
        probe in 1u64..1_000,
        reads in proptest::collection::vec((0u64..900_000, 1u64..100_000), 1..4),
    ) {
        let size = 1_000_000;
        let mut fetched = Fetched::new(size);
        fetched.insert(0, vec![0; probe as usize].into());
        let ranges: Vec<_> = reads.iter().map(|(at, len)| ByteRange::at(*at, *len)).collect();
        let wider = with_media(ranges.clone(), &fetched);
        for (range, wide) in ranges.iter().zip(&wider) {
            prop_assert!(wide.covers(*range) && wide.end <= size);
            prop_assert!(wide == range || (range.start == probe && wide.len() <= range.len() + PROBE.len()));
        }
    }
}
