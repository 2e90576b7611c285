//! Brings segments of an object: from memory, or rendered from as few reads as will do.
//!
//! A [`Stretch`] is one or more neighbours. Where the index is complete, all that its segments need
//! is known beforehand and read at once, neighbours' ranges joined. Where the file is walked, the
//! first read is made long enough for all of them. Either way each segment is published as soon as
//! it is rendered, and what was read beside is left over for whoever comes next, before anybody
//! can come: so no byte is read twice.

use std::fmt;
use std::sync::{Arc, Mutex};

use super::{Object, lock, note};
use crate::cache::Run;
use crate::catalog::PlayError;
use crate::catalog::segment::{Segment, SegmentKey};
use crate::media::{Cursor, Demux, Fetched, Step};
use crate::render::{
    After, Plan, Render, RenderError, Rendered, Rendering, SegmentId, coalesce, cut,
};
use crate::units::ByteRange;

/// Most bytes that one read of a stretch is meant to bring: four segments. More would hold up the
/// first of them.
const READ_BYTES: u64 = 4 * cut::SEGMENT_BYTES;

/// Most segments of a stretch.
const MOST: u32 = 4;

/// Segments rendered beyond a stretch, because what was read holds them: a read of 516 KiB holds
/// sixteen of an MP3 of 32 kbit/s.
const EXTRA: u32 = 16;

/// Bytes that are held, from which on a stretch is broken off: a segment may be one message of
/// 16 MiB, and only the first one must be brought. Room for what one read brings and all that was
/// at hand before.
const HELD_BYTES: u64 = 4 * READ_BYTES;

/// What a segment needs beyond its payloads while its file is walked: heads, and the tag after it.
const WALK_SLACK: u64 = 4 * 1024;

/// Some neighbouring segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// The first of them.
    pub first: SegmentId,
    /// How many.
    pub count: u32,
}

impl Stretch {
    /// `count` segments from `first` on, but one at least and four at most.
    pub fn new(first: SegmentId, count: u32) -> Self {
        let count = count.clamp(1, MOST);
        Self { first, count }
    }

    fn ids(self) -> impl Iterator<Item = SegmentId> {
        std::iter::successors(Some(self.first), |id| Some(id.following()))
            .take(usize::try_from(self.count).unwrap_or(1))
    }
}

/// Told of each segment as it is rendered.
pub struct Brought(Box<Told>);

type Told = dyn Fn(SegmentId, &Arc<Segment>) + Send + Sync;

impl Brought {
    /// Calls `told`.
    pub fn new(told: impl Fn(SegmentId, &Arc<Segment>) + Send + Sync + 'static) -> Self {
        Self(Box::new(told))
    }
}

impl fmt::Debug for Brought {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Brought")
    }
}

type SegmentRun = Run<SegmentKey, Arc<Segment>, PlayError>;

impl Object {
    /// A segment, from memory or rendered now. However many viewers wait for it, it is rendered
    /// once.
    ///
    /// # Errors
    /// The origin fails, the object has changed, or the file is broken there.
    pub async fn segment(
        self: &Arc<Self>,
        rendering: Rendering,
        id: SegmentId,
    ) -> Result<Arc<Segment>, PlayError> {
        self.bring(rendering, Stretch::new(id, 1)).await
    }

    /// The first segment of a stretch, as [`Object::segment`], and those after it that nobody has
    /// or renders: they may still be on their way.
    ///
    /// # Errors
    /// As [`Object::segment`].
    pub async fn bring(
        self: &Arc<Self>,
        rendering: Rendering,
        stretch: Stretch,
    ) -> Result<Arc<Segment>, PlayError> {
        let keys = self.keys(rendering, stretch);
        let object = Arc::clone(self);
        let render = move |run| object.render(rendering, run, None);
        let segment = self.segments.get_or_render_run(&keys, render).await?;
        if !self.index.is_complete() {
            let plan = self.plan(rendering).await?;
            note(&mut lock(&plan), stretch.first, &segment);
        }
        Ok(segment)
    }

    /// Begins to bring a stretch before anybody waits for it; `told` hears of what comes. An error
    /// is met again, and told, by whoever asks for the segment.
    pub fn bring_ahead(self: &Arc<Self>, rendering: Rendering, stretch: Stretch, told: Brought) {
        let keys = self.keys(rendering, stretch);
        let object = Arc::clone(self);
        let render = move |run| object.render(rendering, run, Some(told));
        self.segments.begin(&keys, render);
    }

    fn keys(&self, rendering: Rendering, stretch: Stretch) -> Vec<SegmentKey> {
        let ids = stretch.ids();
        ids.map(|id| self.segment_key(rendering, id)).collect()
    }

    async fn render(
        self: Arc<Self>,
        rendering: Rendering,
        run: SegmentRun,
        told: Option<Brought>,
    ) -> Result<(), PlayError> {
        let work = Work {
            object: &self,
            rendering,
            run,
            told,
        };
        let done = work.carry_out().await;
        lock(&self.leftovers).bound();
        done
    }

    /// What of `wanted` segments from `from` on is neither in memory nor being rendered, and how
    /// many of them will be there once that was brought: fewer where it is not known how the file
    /// goes on. A stretch is on the disk as a whole, or not at all: the cache reads the one key by
    /// key and renders the other as a run.
    pub fn lacking(
        &self,
        rendering: Rendering,
        from: SegmentId,
        wanted: u32,
    ) -> (Vec<Stretch>, u32) {
        let plan = self.known_plan(rendering);
        let mut lacking: Vec<Stretch> = Vec::new();
        let mut id = from;
        let mut goes_on = false;
        let mut was_below = false;
        for number in 0..wanted {
            let key = self.segment_key(rendering, id);
            let comes = self.segments.is_coming(&key);
            let below = !comes && self.segments.is_below(&key);
            match lacking.last_mut() {
                _ if comes => {}
                Some(last) if goes_on && below == was_below && last.count < MOST => last.count += 1,
                _ => lacking.push(Stretch::new(id, 1)),
            }
            was_below = below;
            let after = plan
                .as_ref()
                .map_or(After::Unknown, |plan| self.follow(plan, &key));
            match after {
                After::Segment(next) => {
                    goes_on = !comes && next == id.following();
                    id = next;
                }
                After::End => return (lacking, wanted),
                After::Unknown => {
                    let mut reach = number + 1;
                    // One read may bring those whose names are not known yet.
                    if let Some(last) = lacking.last_mut().filter(|_| !comes) {
                        let known = last.count;
                        last.count = known.saturating_add(wanted - reach).min(MOST);
                        reach += last.count - known;
                    }
                    return (lacking, reach);
                }
            }
        }
        (lacking, wanted)
    }

    /// How a plan goes on after a segment. One that came from the disk knows what a plan that was
    /// not walked up to there does not.
    fn follow(&self, plan: &Mutex<Plan<Cursor>>, key: &SegmentKey) -> After {
        let after = || lock(plan).after(key.id, self.index.groups());
        match after() {
            After::Unknown => {}
            known => return known,
        }
        if let Some(segment) = self.segments.peek(key) {
            note(&mut lock(plan), key.id, &segment);
        }
        after()
    }

    /// The segment after `id`, if that is known.
    pub fn after(&self, rendering: Rendering, id: SegmentId) -> Option<SegmentId> {
        let plan = self.known_plan(rendering)?;
        match lock(&plan).after(id, self.index.groups()) {
            After::Segment(next) => Some(next),
            After::End | After::Unknown => None,
        }
    }
}

/// The rendering of one run.
struct Work<'a> {
    object: &'a Arc<Object>,
    rendering: Rendering,
    run: SegmentRun,
    told: Option<Brought>,
}

impl Work<'_> {
    async fn carry_out(&self) -> Result<(), PlayError> {
        let object = self.object;
        let plan = object.plan(self.rendering).await?;
        let mut fetched = object.read_already();
        if object.index.is_complete() && self.wanted() > 1 {
            self.read_joined(&plan, &mut fetched).await?;
        }
        let Some(first) = self.run.keys().first() else {
            return Ok(());
        };
        let (mut target, mut done) = (first.id, 0);
        let mut used = Vec::new();
        loop {
            let nearest = lock(&plan).nearest(target);
            let Some((id, start)) = nearest else {
                object.open(&plan, target.group).await?;
                continue;
            };
            let more = self.wanted().saturating_sub(done);
            let rendered = match self.render(id, start, &mut fetched, more).await {
                Ok(Some(rendered)) => rendered,
                Ok(None) => return Ok(()),
                // Of what nobody asked for nobody is told.
                Err(_) if more == 0 => return Ok(()),
                Err(error) => return Err(error),
            };
            used.extend_from_slice(&rendered.used);
            self.leave(&fetched, &used);
            let segment = Segment::new(rendered)
                .map_err(|error| PlayError::Internal(error.to_string().into()))?;
            note(&mut lock(&plan), id, &segment);
            let next = segment.next();
            if id == target {
                done += 1;
                // Taken before this one is published: who gets it asks for the next at once.
                let going_on = next.filter(|next| self.goes_on(*next, done, &fetched));
                self.publish(id, segment);
                let Some(next) = going_on else {
                    return Ok(());
                };
                target = next;
            } else if next != Some(id.following()) {
                // The plan was forgotten while segments before this one were kept: it was walked
                // up to here, and the group ends before.
                return Err(RenderError::NoSegment(target).into());
            }
        }
    }

    /// How many segments are to be rendered.
    fn wanted(&self) -> u32 {
        u32::try_from(self.run.keys().len()).unwrap_or(u32::MAX)
    }

    /// Whether the segment `next` is to be rendered too, `done` of them being so.
    fn goes_on(&self, next: SegmentId, done: u32, fetched: &Fetched) -> bool {
        if fetched.held() > HELD_BYTES {
            return false;
        }
        let wanted = self.wanted();
        if done < wanted && self.run.keys().iter().any(|key| key.id == next) {
            return true;
        }
        // A group may end within a run; and a read may hold more than was asked for.
        let most = if self.object.index.is_complete() {
            wanted
        } else {
            wanted.saturating_add(EXTRA)
        };
        done < most
            && self
                .run
                .extend(&self.object.segment_key(self.rendering, next))
    }

    /// Reads at once what the segments of a run need.
    async fn read_joined(
        &self,
        plan: &Mutex<Plan<Cursor>>,
        fetched: &mut Fetched,
    ) -> Result<(), PlayError> {
        let mut ranges: Vec<ByteRange> = Vec::new();
        for key in self.run.keys() {
            let nearest = lock(plan).nearest(key.id);
            let Some((_, start)) = nearest.filter(|(id, _)| *id == key.id) else {
                break;
            };
            let mut render = Render::new(&self.object.index, self.rendering, key.id, start);
            // What is broken is told when it is rendered.
            let Ok(step) = render.step(fetched) else {
                break;
            };
            if let Step::Need(needed) = step {
                ranges.extend(needed);
            }
            let bytes = ranges.iter().map(|range| range.len());
            if bytes.fold(0, u64::saturating_add) >= READ_BYTES {
                break;
            }
        }
        ranges.sort_unstable();
        self.object.reader.read(fetched, &coalesce(ranges)).await
    }

    /// Renders one segment, of `more` that are still wanted; `None` where none is, and something
    /// would have to be read.
    async fn render(
        &self,
        id: SegmentId,
        start: Cursor,
        fetched: &mut Fetched,
        more: u32,
    ) -> Result<Option<Rendered<Cursor>>, PlayError> {
        let index = &self.object.index;
        let mut render = Render::new(index, self.rendering, id, start);
        let step = |fetched: &Fetched| {
            Ok::<_, RenderError>(match render.step(fetched)? {
                Step::Done(rendered) => Step::Done(Some(rendered)),
                Step::Need(_) if more == 0 => Step::Done(None),
                Step::Need(ranges) if index.is_complete() => Step::Need(ranges),
                Step::Need(ranges) => Step::Need(widen(ranges, more, fetched)),
            })
        };
        self.object.reader.run(fetched, step).await
    }

    /// Leaves what was read and not used to others. Of a file of which one track is rendered, only
    /// what is behind: the rest is the other track.
    fn leave(&self, fetched: &Fetched, used: &[ByteRange]) {
        let info = self.object.info();
        let all = self.rendering.video == info.video.is_some()
            && self.rendering.audio == info.audio.is_some();
        let end = used.iter().map(|range| range.end).max();
        let from = if all { 0 } else { end.unwrap_or_default() };
        lock(&self.object.leftovers).keep(fetched, used.to_vec(), from);
    }

    fn publish(&self, id: SegmentId, segment: Segment) {
        let segment = Arc::new(segment);
        if let Some(Brought(told)) = &self.told {
            told(id, &segment);
        }
        let key = self.object.segment_key(self.rendering, id);
        self.run.publish(key, segment);
    }
}

/// Makes a read of a file that is walked long enough for so many segments. What was passed over
/// unread before it belongs to the segment, and is read with it.
fn widen(mut ranges: Vec<ByteRange>, segments: u32, fetched: &Fetched) -> Vec<ByteRange> {
    if let [range] = &mut ranges[..] {
        let bytes = u64::from(segments).saturating_mul(cut::SEGMENT_BYTES);
        let end = range.start.saturating_add(bytes.min(READ_BYTES));
        if segments > 1 {
            let end = end.saturating_add(WALK_SLACK).min(fetched.size());
            range.end = range.end.max(end);
        }
        let least = range.start.saturating_sub(cut::SEGMENT_BYTES);
        let before = ByteRange::new(least, range.start.saturating_add(1));
        if let Some(gap) = fetched.gaps(before).last()
            && gap.start > least
        {
            range.start = gap.start.min(range.start);
        }
    }
    ranges
}
