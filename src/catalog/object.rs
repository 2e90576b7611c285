//! One version of one object, ready to be played: its index, and the way to its segments.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use self::leftovers::{LEFTOVER_BYTES, Leftovers};
use super::reader::Reader;
use super::segment::{Segment, SegmentKey};
use super::{PlayError, SegmentCache};
use crate::cache::Weigh;
use crate::media::{Cursor, Demux, Fetched, Index, IndexBuilder, MediaInfo, Step};
use crate::origin::{ETag, Object as Probe, Origin};
use crate::render::{Entry, Group, Plan, RenderError, Rendering, Search, SegmentId, cut};
use crate::units::{ByteRange, MediaTime};

mod bring;
mod leftovers;
#[cfg(test)]
mod tests;

pub use bring::{Brought, Stretch};

/// How much the first read of an object asks for: enough for the index of a short MP4 or the head
/// of an FLV, and the first segment of either, in one round trip.
pub const PROBE: ByteRange = ByteRange::new(0, cut::FIRST_SEGMENT_BYTES + 16 * 1024);

/// A time this little beyond what has been scanned is reached by playing on from there, not by a
/// search, milliseconds: two segments or so.
const WALK_MILLIS: i64 = 20_000;

/// The name of one version of an object.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ObjectKey {
    /// Whose it is: the id of the distribution, its origin, and the last purge that the object
    /// fell under. Two distributions on one bucket share nothing.
    pub distribution: Arc<str>,
    /// Key in the bucket.
    pub key: Arc<str>,
    /// Version.
    pub etag: ETag,
}

/// Room for the large indexes that are being built at the same time: 64 viewers of 64 objects with
/// a moov box of 64 MiB would otherwise hold 4 GiB before the index cache has its say.
#[derive(Debug, Clone)]
pub struct BuildRoom(Arc<Semaphore>);

impl BuildRoom {
    /// MiB that large indexes may hold together while they are built: four of the largest.
    const MEBIBYTES: u32 = 256;

    /// All of the room.
    pub fn new() -> Self {
        Self(Arc::new(Semaphore::new(Self::MEBIBYTES as usize)))
    }

    /// Waits for room for these ranges. Below 1 MiB nothing is waited for.
    async fn reserve(&self, ranges: &[ByteRange]) -> Option<OwnedSemaphorePermit> {
        let bytes: u64 = ranges.iter().map(|range| range.len()).sum();
        let wanted = u32::try_from(bytes >> 20).unwrap_or(u32::MAX);
        let wanted = wanted.min(Self::MEBIBYTES);
        if wanted == 0 {
            return None;
        }
        // It is never closed.
        Arc::clone(&self.0).acquire_many_owned(wanted).await.ok()
    }
}

/// A plan that grows while several viewers play.
type SharedPlan = Arc<Mutex<Plan<Cursor>>>;

/// One version of one object.
#[derive(Debug)]
pub struct Object {
    key: ObjectKey,
    size: u64,
    reader: Reader,
    index: Index,
    weight: usize,
    /// What was read and not rendered yet: at first the probe, which holds the first segment.
    leftovers: Mutex<Leftovers>,
    plans: Mutex<Vec<(Rendering, SharedPlan)>>,
    segments: SegmentCache,
}

impl Object {
    /// Builds the index of the object whose first bytes `probe` holds.
    ///
    /// # Errors
    /// The origin fails, or the file cannot be understood.
    pub async fn build(
        key: ObjectKey,
        origin: Arc<dyn Origin>,
        probe: Probe,
        room: &BuildRoom,
        segments: SegmentCache,
    ) -> Result<Self, PlayError> {
        let reader = Reader {
            origin,
            key: Arc::clone(&key.key),
            etag: key.etag.clone(),
        };
        let mut fetched = Fetched::new(probe.size);
        let mut builder = IndexBuilder::new(&key.key, &probe.bytes, probe.size)?;
        fetched.insert(probe.range.start, probe.bytes);
        let mut reserved = None;
        let index = loop {
            // A long table of samples is walked while the index is built.
            let (step, stepped, read) = off_worker(move || {
                let step = builder.step(&fetched);
                (step, builder, fetched)
            })
            .await?;
            (builder, fetched) = (stepped, read);
            match step? {
                Step::Done(index) => break index,
                Step::Need(ranges) => {
                    if reserved.is_none() {
                        reserved = room.reserve(&ranges).await;
                    }
                    let ranges = with_media(ranges, &fetched);
                    reader.read(&mut fetched, &ranges).await?;
                }
            }
        };
        Ok(Self {
            key,
            size: probe.size,
            reader,
            weight: weight(fetched.held()),
            index,
            leftovers: Mutex::new(Leftovers::of_index(&fetched, PROBE.len())),
            plans: Mutex::new(Vec::new()),
            segments,
        })
    }

    /// Its name.
    pub fn key(&self) -> &ObjectKey {
        &self.key
    }

    /// The kind of file, as extensions say it.
    pub fn container(&self) -> &'static str {
        match self.index {
            Index::Flv(_) => "flv",
            Index::Mp4(_) => "mp4",
            Index::Mp3(_) => "mp3",
        }
    }

    /// What is known of the file.
    pub fn info(&self) -> &MediaInfo {
        self.index.info()
    }

    /// A segment, if it is in memory: the warm way.
    pub fn cached(&self, rendering: Rendering, id: SegmentId) -> Option<Arc<Segment>> {
        self.segments.get(&self.segment_key(rendering, id))
    }

    /// Whether a segment is in memory. Does not count as a use of it.
    #[cfg(test)]
    fn has_cached(&self, rendering: Rendering, id: SegmentId) -> bool {
        self.segments.contains(&self.segment_key(rendering, id))
    }

    /// The segment in which a play at `time` begins: the last entry at or before the time is in it.
    ///
    /// # Errors
    /// As [`Object::segment`].
    pub async fn find(
        self: &Arc<Self>,
        rendering: Rendering,
        time: MediaTime,
    ) -> Result<SegmentId, PlayError> {
        let mut number = self.index.group_at(time);
        let mut group = Group::Indexed(number);
        let mut searched = false;
        let plan = self.plan(rendering).await?;
        loop {
            let (entry, scanned) = {
                let plan = lock(&plan);
                (plan.entry(group, time), plan.scanned(group))
            };
            match entry {
                // A group without an entry is a claim of the file's index that was wrong; the group
                // before it goes on through its place.
                Entry::In(_)
                    if scanned.is_none() && number > 0 && group == Group::Indexed(number) =>
                {
                    number -= 1;
                    group = Group::Indexed(number);
                }
                Entry::In(id) => return Ok(id),
                Entry::Unopened => self.open(&plan, group).await?,
                Entry::From(id) => {
                    let far = scanned.is_none_or(|to| time.since(to) > WALK_MILLIS);
                    if far && !searched && time.millis() > WALK_MILLIS {
                        searched = true;
                        if let Some(found) = self.search(time).await? {
                            group = Group::Found(found.position);
                            lock(&plan).open(group, found.cursor);
                            continue;
                        }
                    }
                    let stretch = Stretch::new(id, self.walk_at_once());
                    self.bring(rendering, stretch).await?;
                }
            }
        }
    }

    /// How many segments are read at once to find a time that is not known yet: about as many as
    /// the time may be off (a group of 8 s, or what a search leaves to be walked), so that it takes
    /// one round trip.
    fn walk_at_once(&self) -> u32 {
        let duration = self.info().duration.map_or(0, MediaTime::millis);
        let millis = u64::try_from(duration).unwrap_or_default().max(1);
        let bytes = u128::from(self.size) * u128::from(WALK_MILLIS.unsigned_abs() / 2);
        let segments = bytes / u128::from(millis) / u128::from(cut::SEGMENT_BYTES) + 1;
        u32::try_from(segments).unwrap_or(u32::MAX)
    }

    async fn search(
        &self,
        time: MediaTime,
    ) -> Result<Option<crate::media::Found<Cursor>>, PlayError> {
        let Some(mut search) = Search::new(&self.index, time) else {
            return Ok(None);
        };
        let mut fetched = self.read_already();
        let found = self
            .reader
            .run(&mut fetched, |fetched| search.step(fetched))
            .await;
        // The play goes on from one of the places that were looked at.
        let mut leftovers = lock(&self.leftovers);
        leftovers.keep(&fetched, Vec::new(), 0);
        leftovers.bound();
        found
    }

    /// What was read already and may be needed.
    fn read_already(&self) -> Fetched {
        lock(&self.leftovers).all(self.size)
    }

    async fn open(&self, plan: &Mutex<Plan<Cursor>>, group: Group) -> Result<(), PlayError> {
        let cursor = match group {
            Group::Indexed(number) => self.index.open(number),
            Group::Found(position) => {
                let mut fetched = self.read_already();
                let found = self
                    .reader
                    .run(&mut fetched, |fetched| self.index.resync(position, fetched))
                    .await?;
                found.map(|found| found.cursor)
            }
        };
        let cursor = cursor.ok_or(RenderError::NoSegment(SegmentId::start_of(group)))?;
        lock(plan).open(group, cursor);
        Ok(())
    }

    /// The plan of a rendering. That of a complete index is made whole, once.
    async fn plan(self: &Arc<Self>, rendering: Rendering) -> Result<SharedPlan, PlayError> {
        if let Some(plan) = self.known_plan(rendering) {
            return Ok(plan);
        }
        let plan = if self.index.is_complete() {
            let object = Arc::clone(self);
            off_worker(move || Plan::whole(&object.index, rendering)).await?
        } else {
            Plan::default()
        };
        let mut plans = lock(&self.plans);
        if let Some((_, plan)) = plans.iter().find(|(known, _)| *known == rendering) {
            return Ok(Arc::clone(plan));
        }
        let plan = Arc::new(Mutex::new(plan));
        plans.push((rendering, Arc::clone(&plan)));
        Ok(plan)
    }

    fn known_plan(&self, rendering: Rendering) -> Option<SharedPlan> {
        let plans = lock(&self.plans);
        let (_, plan) = plans.iter().find(|(known, _)| *known == rendering)?;
        Some(Arc::clone(plan))
    }

    fn segment_key(&self, rendering: Rendering, id: SegmentId) -> SegmentKey {
        SegmentKey::new(self.key.clone(), rendering, id)
    }
}

impl Weigh for Object {
    fn weight(&self) -> usize {
        self.weight
    }
}

/// Bytes of memory of an index that was built from so many: its tables are slices of them, and the
/// plans of the two or three renderings that are asked for come to a quarter of that at most (a
/// start of 200 bytes for each segment, whose samples take 4 KiB of tables and more). What reads
/// left over is kept beside.
fn weight(read: u64) -> usize {
    let plans = read / 4;
    usize::try_from(read.saturating_add(plans).saturating_add(LEFTOVER_BYTES))
        .unwrap_or(usize::MAX)
        .saturating_add(size_of::<Object>())
}

/// What an index needs, and with it the media behind: where a read for an index goes on from the
/// probe (a long moov box, or long metadata, before the media), the first segment stands behind
/// that read, and would else cost a round trip of its own.
fn with_media(mut ranges: Vec<ByteRange>, fetched: &Fetched) -> Vec<ByteRange> {
    let known = fetched.missing(ByteRange::new(0, fetched.size()));
    if let Some(gap) = known
        && let Some(next) = ranges.iter_mut().find(|range| range.start == gap.start)
    {
        next.end = next.end.saturating_add(PROBE.len()).min(gap.end);
    }
    ranges
}

/// Takes into the plan what a segment tells of itself and of the one after it.
fn note(plan: &mut Plan<Cursor>, id: SegmentId, segment: &Segment) {
    plan.walked(id, segment.first_entry());
    match segment.next_cursor() {
        Some((next, cursor)) => plan.learn(next, cursor),
        None => plan.finish(id.group),
    }
}

/// Long pure work, off the workers that serve viewers.
async fn off_worker<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, PlayError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| PlayError::Internal(format!("reading the file failed: {error}").into()))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A plan is consistent after every call, so a panic elsewhere does not spoil it.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
