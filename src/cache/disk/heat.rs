//! Which values on the disk are worth keeping when their place is needed.
//!
//! The store evicts its oldest block as a whole, and would lose what is hot with it. So uses are
//! counted, wherever a value was found (what is hot is read from memory, and would look cold to a
//! disk that counts its own reads only), and a value that was used often enough is written again
//! before its block goes. A scan of cold objects uses each value as often as one viewer does, and
//! that is not enough.
//!
//! Counts are a byte each in a table addressed by a hash: two values may share one, which keeps a
//! cold one now and then. What is written again is bounded by what is newly written, so that new
//! values always find at least half of the room that is freed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use foyer::{Statistics, StorageFilterCondition, StorageFilterResult};

/// Uses from which on a value is written again: one viewer comes to two (read-ahead and the
/// viewer, or a wait and a look), so this is more than one viewer.
const USES_TO_KEEP: u8 = 3;

/// Counts end here, so that what was hot once is cold again after few rounds without a use.
const USES_MAX: u8 = 15;

/// There is a count for so many bytes of the disk: far more than there are values.
const BYTES_A_COUNT: usize = 64 << 10;

/// Memory that the counts take at least and at most, bytes.
const COUNTS: std::ops::RangeInclusive<usize> = (16 << 10)..=(4 << 20);

/// The counts, and how much may be written again.
#[derive(Debug)]
pub(super) struct Heat {
    counts: Box<[AtomicU8]>,
    /// Bytes that may be written again.
    credit: AtomicU64,
    credit_max: u64,
}

impl Heat {
    /// Counts for a disk of `capacity` bytes whose blocks have `block` bytes.
    pub(super) fn new(capacity: usize, block: usize) -> Self {
        let counts = (capacity / BYTES_A_COUNT).clamp(*COUNTS.start(), *COUNTS.end());
        Self {
            counts: (0..counts.next_power_of_two())
                .map(|_| AtomicU8::new(0))
                .collect(),
            credit: AtomicU64::new(0),
            credit_max: block as u64,
        }
    }

    fn count(&self, hash: u64) -> Option<&AtomicU8> {
        // The high half: the store distributes by the low one. Cut to usize it does as well.
        let place = (hash >> 32) as usize & (self.counts.len() - 1);
        self.counts.get(place)
    }

    /// Counts a use.
    pub(super) fn used(&self, hash: u64) {
        if let Some(count) = self.count(hash) {
            let uses = count.load(Ordering::Relaxed);
            // A count lost between two threads is one of many.
            if uses < USES_MAX {
                count.store(uses + 1, Ordering::Relaxed);
            }
        }
    }

    /// So many new bytes were written.
    pub(super) fn wrote(&self, bytes: usize) {
        let grown = |credit: u64| Some(credit.saturating_add(bytes as u64).min(self.credit_max));
        let _ = self
            .credit
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, grown);
    }

    /// Whether a value of so many bytes is written again; its count is halved.
    fn keeps(&self, hash: u64, bytes: usize) -> bool {
        let Some(count) = self.count(hash) else {
            return false;
        };
        let uses = count.load(Ordering::Relaxed);
        count.store(uses / 2, Ordering::Relaxed);
        let spend = |credit: u64| credit.checked_sub(bytes as u64);
        uses >= USES_TO_KEEP
            && self
                .credit
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, spend)
                .is_ok()
    }
}

/// [`Heat`] as the store asks for it.
#[derive(Debug)]
pub(super) struct KeepHot(pub(super) Arc<Heat>);

impl StorageFilterCondition for KeepHot {
    fn filter(&self, _: &Arc<Statistics>, hash: u64, bytes: usize) -> StorageFilterResult {
        if self.0.keeps(hash, bytes) {
            StorageFilterResult::Admit
        } else {
            StorageFilterResult::Reject
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOT: u64 = 5 << 32;
    const COLD: u64 = 9 << 32;

    #[test]
    fn what_several_viewers_used_is_kept_and_cools_down() {
        let heat = Heat::new(1 << 20, 1000);
        heat.wrote(1000);
        (0..2).for_each(|_| heat.used(COLD));
        (0..100).for_each(|_| heat.used(HOT));
        assert!(!heat.keeps(COLD, 10), "one viewer");
        let rounds = (0..10).take_while(|_| heat.keeps(HOT, 10)).count();
        assert_eq!(rounds, 3, "15, 7, 3 uses");
    }

    #[test]
    fn no_more_is_kept_than_was_newly_written() {
        let heat = Heat::new(1 << 20, 1000);
        (0..100).for_each(|_| heat.used(HOT));
        assert!(!heat.keeps(HOT, 10), "nothing new came");
        heat.wrote(5000);
        (0..100).for_each(|_| heat.used(HOT));
        assert!(heat.keeps(HOT, 600));
        (0..100).for_each(|_| heat.used(HOT));
        assert!(!heat.keeps(HOT, 600), "a block's worth of credit at most");
        (0..100).for_each(|_| heat.used(HOT));
        assert!(heat.keeps(HOT, 400));
    }
}
