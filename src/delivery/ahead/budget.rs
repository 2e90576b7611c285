//! The one bound on what all streams bring ahead together.
//!
//! Two counts: bytes, and tasks under way. Taking from it never waits. Bytes are charged by a guess
//! until the segments are there, so that the bound may be exceeded by what a few large messages
//! are longer than a segment, never by their number.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Tasks under way at once: half of what the cache renders at once, so that a viewer who waits
/// finds a turn however much is read ahead.
const TASKS: u64 = (crate::cache::RENDERS_MAX / 2) as u64;

/// What a budget has given out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BudgetUse {
    /// Bytes on their way, or brought and not sent yet.
    pub bytes: u64,
    /// The most that they may be.
    pub most: u64,
    /// Permits that were given, since the start.
    pub given: u64,
    /// Permits that were not, because there was no room.
    pub refused: u64,
}

/// The budget. Cloning it gives another handle on the same one.
#[derive(Debug, Clone)]
pub struct Budget(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    most: u64,
    bytes: AtomicU64,
    permits: AtomicU64,
    given: AtomicU64,
    refused: AtomicU64,
}

impl Budget {
    /// A budget of that many bytes; 0 switches reading ahead off.
    pub fn new(most: u64) -> Self {
        Self(Arc::new(Shared {
            most,
            ..Shared::default()
        }))
    }

    /// What it has given out.
    pub fn usage(&self) -> BudgetUse {
        BudgetUse {
            bytes: self.0.bytes.load(Ordering::Relaxed),
            most: self.0.most,
            given: self.0.given.load(Ordering::Relaxed),
            refused: self.0.refused.load(Ordering::Relaxed),
        }
    }

    /// Room for so many bytes, and for one more task, if there is both.
    pub(super) fn take(&self, bytes: u64) -> Option<Permit> {
        let shared = &self.0;
        let room = add(&shared.bytes, bytes, shared.most);
        let turn = room && add(&shared.permits, 1, TASKS);
        if room && !turn {
            shared.bytes.fetch_sub(bytes, Ordering::Relaxed);
        }
        let count = if turn { &shared.given } else { &shared.refused };
        count.fetch_add(1, Ordering::Relaxed);
        turn.then(|| Permit {
            budget: self.clone(),
            bytes,
            works: true,
        })
    }
}

/// Adds, unless that would be more than `most`.
fn add(count: &AtomicU64, number: u64, most: u64) -> bool {
    let more = |now: u64| now.checked_add(number).filter(|sum| *sum <= most);
    count
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
        .is_ok()
}

/// Room that was given; dropping it gives it back.
#[derive(Debug)]
pub(super) struct Permit {
    budget: Budget,
    bytes: u64,
    works: bool,
}

impl Permit {
    /// The work is done, and this is what is held of it.
    pub(super) fn resize(&mut self, bytes: u64) {
        self.stop_working();
        let total = &self.budget.0.bytes;
        total.fetch_add(bytes, Ordering::Relaxed);
        total.fetch_sub(self.bytes, Ordering::Relaxed);
        self.bytes = bytes;
    }

    fn stop_working(&mut self) {
        if std::mem::take(&mut self.works) {
            self.budget.0.permits.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.stop_working();
        self.budget.0.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_gives_what_it_has_and_no_more() {
        let budget = Budget::new(1_000);
        let mut first = budget.take(600).unwrap();
        assert!(budget.take(401).is_none());
        let second = budget.take(400).unwrap();
        first.resize(100);
        assert_eq!(budget.usage().bytes, 500);
        assert!(budget.take(501).is_none());
        drop((first, second));
        let usage = BudgetUse {
            bytes: 0,
            most: 1_000,
            given: 2,
            refused: 2,
        };
        assert_eq!(budget.usage(), usage);
        assert!(Budget::new(0).take(1).is_none());
    }

    #[test]
    fn renders_for_viewers_who_wait_have_turns_left() {
        let budget = Budget::new(u64::MAX);
        let mut permits: Vec<_> = (0..TASKS).map(|_| budget.take(1).unwrap()).collect();
        assert!(budget.take(1).is_none());
        assert_eq!(budget.usage().bytes, TASKS);
        // What is only held takes no turn.
        permits[0].resize(1);
        permits.push(budget.take(1).unwrap());
        assert!(budget.take(1).is_none());
        drop(permits);
        assert_eq!(budget.usage().bytes, 0);
        assert!(budget.take(1).is_some());
    }
}
