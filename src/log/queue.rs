//! Between those who deliver, who must not wait, and one thread that writes: a list with a bound,
//! which loses its oldest when it is full.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::entry::Entry;

/// The most that waits, bytes: some 20,000 entries of real players, two seconds of 10,000 each, and
/// 400 of the longest that a viewer can make.
const MOST: usize = 16 << 20;

/// The list.
#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    bell: Condvar,
}

#[derive(Debug, Default)]
struct State {
    entries: VecDeque<Arc<Entry>>,
    bytes: usize,
    closed: bool,
    rung: bool,
}

/// What there was to write.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) entries: VecDeque<Arc<Entry>>,
    /// Whether nothing comes any more.
    pub(super) closed: bool,
}

impl Queue {
    /// Puts an entry at the end, and says how many were lost for it.
    pub(super) fn push(&self, entry: Arc<Entry>) -> u64 {
        let weight = entry.weight();
        let mut state = self.lock();
        let mut lost = 0;
        while state.bytes.saturating_add(weight) > MOST {
            let Some(oldest) = state.entries.pop_front() else {
                break;
            };
            state.bytes = state.bytes.saturating_sub(oldest.weight());
            lost += 1;
        }
        state.bytes = state.bytes.saturating_add(weight);
        state.entries.push_back(entry);
        let first = state.entries.len() == 1;
        drop(state);
        if first {
            self.bell.notify_one();
        }
        lost
    }

    /// Wakes who takes.
    pub(super) fn ring(&self) {
        self.lock().rung = true;
        self.bell.notify_one();
    }

    /// Nothing comes any more.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.bell.notify_one();
    }

    /// Takes all there is; waits for something until `until`.
    pub(super) fn take(&self, until: Option<Instant>) -> Taken {
        let mut state = self.lock();
        while state.entries.is_empty() && !state.closed && !state.rung {
            let Some(until) = until else {
                state = self
                    .bell
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let waited = self.bell.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.rung = false;
        state.bytes = 0;
        Taken {
            entries: std::mem::take(&mut state.entries),
            closed: state.closed,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change of it is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::session::testing::facts;

    fn entry(bytes: u64, reason: &str) -> Arc<Entry> {
        let entry = Entry::turned_away(facts(), reason);
        Arc::new(Entry { bytes, ..entry })
    }

    #[test]
    fn all_is_taken_in_order_and_the_end_is_seen() {
        let queue = Queue::default();
        for number in 0..3 {
            assert_eq!(queue.push(entry(number, "")), 0);
        }
        let taken = queue.take(None);
        let numbers: Vec<u64> = taken.entries.iter().map(|entry| entry.bytes).collect();
        assert_eq!((numbers, taken.closed), (vec![0, 1, 2], false));
        assert!(queue.take(Some(Instant::now())).entries.is_empty());
        queue.ring();
        assert!(!queue.take(None).closed);
        queue.close();
        assert!(queue.take(None).closed);
    }

    #[test]
    fn a_full_queue_loses_its_oldest_and_counts_them() {
        let queue = Queue::default();
        let long = "x".repeat(4096);
        let lost: u64 = (0..6000)
            .map(|number| queue.push(entry(number, &long)))
            .sum();
        let taken = queue.take(None).entries;
        assert_eq!(lost + taken.len() as u64, 6000);
        assert!(lost > 1900, "{lost}");
        let held: usize = taken.iter().map(|entry| entry.weight()).sum();
        assert!(held <= MOST && held > MOST - 10_000, "{held}");
        assert_eq!(taken.back().unwrap().bytes, 5999);
        assert_eq!(taken.front().unwrap().bytes, lost);
    }

    #[test]
    fn who_waits_is_woken() {
        let queue = Arc::new(Queue::default());
        let other = Arc::clone(&queue);
        let waiting = std::thread::spawn(move || other.take(None).entries.len());
        queue.push(entry(1, ""));
        assert_eq!(waiting.join().unwrap(), 1);
    }
}
