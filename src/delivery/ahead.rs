//! Read-ahead: brings what a stream will send next before it is needed.
//!
//! After mountpoint-s3: each stream has a [`Window`] that opens while it is sent segment after
//! segment, and one [`Budget`] bounds what all streams bring ahead together. Without room in the
//! budget nothing is brought, and nobody waits for room: the viewer waits for their next segment
//! instead, as they would without read-ahead.
//!
//! What a stream had brought is held by it until its viewer comes there, so that other viewers
//! cannot push it out of the cache before; and it is charged to the budget as long. What was in the
//! cache, or on its way for somebody else, is neither.
//!
//! A render that was begun goes on when its stream ends: others may want the same segment.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub mod budget;
pub mod window;

pub use budget::{Budget, BudgetUse};
pub use window::{Here, Window};

use self::budget::Permit;
use super::job::Opened;
use crate::cache::Weigh;
use crate::catalog::{Brought, Segment};
use crate::render::{SegmentId, cut};

/// A socket that took nothing for so long is the bottleneck, not the origin: what a quick network
/// needs to take a full buffer is far less.
const HELD_UP: Duration = Duration::from_millis(100);

/// What one segment that is brought ahead is charged before its size is known.
const CHARGE: u64 = cut::SEGMENT_BYTES;

/// The read-ahead of one stream.
#[derive(Debug, Default)]
pub struct Ahead {
    /// What it is for: segments of another object have the same names.
    of: Option<Opened>,
    window: Window,
    brought: Vec<Arc<Stock>>,
}

/// What one render brings.
#[derive(Debug)]
struct Stock(Mutex<Held>);

#[derive(Debug)]
struct Held {
    permit: Permit,
    segments: Vec<(SegmentId, Arc<Segment>)>,
    finished: bool,
}

impl Ahead {
    /// Whether the viewer is known to be sent that segment.
    pub fn is_at(&self, opened: &Opened, id: SegmentId) -> bool {
        self.is_of(opened) && self.window.is_at(id)
    }

    /// The viewer is sent a segment now: brings those that are to follow.
    pub fn at(&mut self, opened: &Opened, budget: &Budget, here: &Here) {
        self.belong_to(opened);
        self.brought.retain(|stock| !stock.consume(here.id));
        let (wanted, Some(next)) = (self.window.at(here), here.next) else {
            return;
        };
        if wanted > 0 {
            let reach = self.bring(opened, budget, next, wanted);
            self.window.reaches(reach);
        }
    }

    /// The viewer waits for a segment: brings the one after it at the same time.
    pub fn beside(&mut self, opened: &Opened, budget: &Budget, id: SegmentId) {
        self.belong_to(opened);
        if let Some(next) = opened.object.after(opened.rendering, id) {
            self.bring(opened, budget, next, 1);
        }
    }

    /// A segment that was brought and may be in the cache no longer.
    pub fn take(&self, opened: &Opened, id: SegmentId) -> Option<Arc<Segment>> {
        let mut stocks = self.brought.iter().filter(|_| self.is_of(opened));
        stocks.find_map(|stock| stock.get(id))
    }

    fn is_of(&self, opened: &Opened) -> bool {
        self.of.as_ref().is_some_and(|of| {
            Arc::ptr_eq(&of.object, &opened.object) && of.rendering == opened.rendering
        })
    }

    fn belong_to(&mut self, opened: &Opened) {
        if !self.is_of(opened) {
            self.close();
            self.of = Some(opened.clone());
        }
    }

    /// The socket took nothing for that long.
    pub fn held_up(&mut self, time: Duration) {
        if time >= HELD_UP {
            self.window.narrow();
        }
    }

    /// The viewer goes elsewhere, or stands still: nothing more is brought, and what was is let go.
    pub fn close(&mut self) {
        *self = Self::default();
    }

    /// Begins to bring what is lacking of `wanted` segments from `from` on; how many will be there.
    fn bring(&mut self, opened: &Opened, budget: &Budget, from: SegmentId, wanted: u32) -> u32 {
        let (stretches, reach) = opened.object.lacking(opened.rendering, from, wanted);
        for stretch in stretches {
            let Some(permit) = budget.take(CHARGE.saturating_mul(u64::from(stretch.count))) else {
                return 0;
            };
            let stock = Arc::new(Stock(Mutex::new(Held {
                permit,
                segments: Vec::new(),
                finished: false,
            })));
            self.brought.push(Arc::clone(&stock));
            let delivery = Delivery(stock, stretch.count);
            let told = Brought::new(move |id, segment| delivery.0.put(id, segment, delivery.1));
            opened.object.bring_ahead(opened.rendering, stretch, told);
        }
        reach
    }
}

/// Where a render puts what it brings, and how many segments of it are held. Dropped with the
/// render.
struct Delivery(Arc<Stock>, u32);

impl Drop for Delivery {
    fn drop(&mut self) {
        self.0.finish();
    }
}

impl Stock {
    fn put(&self, id: SegmentId, segment: &Arc<Segment>, wanted: u32) {
        let mut held = self.lock();
        if held.segments.len() < usize::try_from(wanted).unwrap_or(usize::MAX) {
            held.segments.push((id, Arc::clone(segment)));
        }
    }

    fn get(&self, id: SegmentId) -> Option<Arc<Segment>> {
        let held = self.lock();
        let (_, segment) = held.segments.iter().find(|(of, _)| *of == id)?;
        Some(Arc::clone(segment))
    }

    /// Lets go of a segment; whether nothing is left, and nothing to come.
    fn consume(&self, id: SegmentId) -> bool {
        let mut held = self.lock();
        held.segments.retain(|(of, _)| *of != id);
        held.settle();
        held.finished && held.segments.is_empty()
    }

    fn finish(&self) {
        let mut held = self.lock();
        held.finished = true;
        held.settle();
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        // Every operation on it is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// Once all is brought, what is held is charged and nothing else.
    fn settle(&mut self) {
        if self.finished {
            let weights = self.segments.iter().map(|(_, segment)| segment.weight());
            let bytes = weights.fold(0, usize::saturating_add);
            self.permit.resize(u64::try_from(bytes).unwrap_or(u64::MAX));
        }
    }
}
