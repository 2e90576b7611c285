//! What the players of one thread have counted, for a sampler on another thread to read.
//!
//! Each thread of players has a tally of its own, so that counting never waits for another thread.
//! Latencies are rare and go through a lock that only the end of the run contends for.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hdrhistogram::{CreationError, Histogram};

/// Significant digits of latencies: 0.1 %.
const DIGITS: u8 = 3;

/// Longer times count as this one, so that a histogram stays small: it is longer than any play.
const LATENCY_MAX: Duration = Duration::from_secs(24 * 3600);

/// Latencies, microseconds.
pub(super) type Latency = Histogram<u64>;

/// Counters of one thread of players.
#[derive(Debug)]
pub(super) struct Tally {
    pub(super) started: Counter,
    pub(super) connected: Counter,
    pub(super) played: Counter,
    /// Players that play at the moment: those that began, less those that left.
    pub(super) playing: Counter,
    pub(super) ended: Counter,
    pub(super) stopped: Counter,
    pub(super) failed: Counter,
    pub(super) plays: Counter,
    pub(super) seeks: Counter,
    pub(super) pauses: Counter,
    pub(super) wire: Counter,
    pub(super) media: Counter,
    pub(super) messages: Counter,
    pub(super) underruns: Counter,
    /// Players with at least one underrun.
    pub(super) ran_dry: Counter,
    /// Microseconds.
    pub(super) stalled: Counter,
    rare: Mutex<Rare>,
}

/// What is counted seldom.
#[derive(Debug, Clone)]
pub(super) struct Rare {
    pub(super) connect: Latency,
    pub(super) first_byte: Latency,
    pub(super) seek: Latency,
    pub(super) complete: Latency,
    pub(super) errors: BTreeMap<&'static str, Errors>,
}

/// Errors of one kind.
#[derive(Debug, Clone, Default)]
pub(super) struct Errors {
    pub(super) count: u64,
    /// What the first of them said.
    pub(super) example: String,
}

/// A number that one thread changes and others read.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn less(&self, count: u64) {
        self.0.fetch_sub(count, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Tally {
    /// # Errors
    /// Never: [`DIGITS`] is a number that the histograms take.
    pub(super) fn new() -> Result<Self, CreationError> {
        Ok(Self {
            started: Counter::default(),
            connected: Counter::default(),
            played: Counter::default(),
            playing: Counter::default(),
            ended: Counter::default(),
            stopped: Counter::default(),
            failed: Counter::default(),
            plays: Counter::default(),
            seeks: Counter::default(),
            pauses: Counter::default(),
            wire: Counter::default(),
            media: Counter::default(),
            messages: Counter::default(),
            underruns: Counter::default(),
            ran_dry: Counter::default(),
            stalled: Counter::default(),
            rare: Mutex::new(Rare::new()?),
        })
    }

    /// What is counted seldom, to change or to copy.
    pub(super) fn rare(&self) -> MutexGuard<'_, Rare> {
        // A player that panicked counted all or nothing.
        self.rare.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn error(&self, kind: &'static str, why: &str) {
        self.rare().error(kind, 1, why);
    }
}

impl Rare {
    /// # Errors
    /// Never: see [`Tally::new`].
    pub(super) fn new() -> Result<Self, CreationError> {
        // They grow with what is recorded.
        let empty = Latency::new(DIGITS)?;
        Ok(Self {
            connect: empty.clone(),
            first_byte: empty.clone(),
            seek: empty.clone(),
            complete: empty,
            errors: BTreeMap::new(),
        })
    }

    /// Adds what another thread has counted.
    pub(super) fn add(&mut self, other: &Self) {
        for (mine, theirs) in [
            (&mut self.connect, &other.connect),
            (&mut self.first_byte, &other.first_byte),
            (&mut self.seek, &other.seek),
            (&mut self.complete, &other.complete),
        ] {
            // It grows by itself, so that nothing is too large for it.
            let _ = mine.add(theirs);
        }
        for (kind, errors) in &other.errors {
            self.error(kind, errors.count, &errors.example);
        }
    }

    fn error(&mut self, kind: &'static str, count: u64, why: &str) {
        let errors = self.errors.entry(kind).or_default();
        errors.count += count;
        if errors.example.is_empty() {
            why.clone_into(&mut errors.example);
        }
    }
}

/// Records a latency.
pub(super) fn record(latency: &mut Latency, took: Duration) {
    let micros = u64::try_from(took.min(LATENCY_MAX).as_micros()).unwrap_or_default();
    // It grows up to any number, so there is no error to handle.
    let _ = latency.record(micros);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_of_any_length_are_kept() {
        let mut rare = Rare::new().unwrap();
        for millis in [0, 1, 90_000, u64::MAX] {
            record(&mut rare.connect, Duration::from_millis(millis));
        }
        let mut sum = Rare::new().unwrap();
        sum.add(&rare);
        assert_eq!(sum.connect.len(), 4);
        assert_eq!(sum.connect.min(), 0);
        let about = |micros: u64, wanted: u64| micros.abs_diff(wanted) <= wanted / 1000;
        assert!(about(sum.connect.value_at_quantile(0.75), 90_000_000));
        assert!(about(sum.connect.max(), 24 * 3600 * 1_000_000));
    }

    #[test]
    fn of_errors_the_first_of_a_kind_is_told() {
        let tallies = [Tally::new().unwrap(), Tally::new().unwrap()];
        tallies[0].error("play", "a");
        tallies[1].error("play", "b");
        tallies[1].error("closed", "c");
        let mut sum = Rare::new().unwrap();
        tallies.iter().for_each(|tally| sum.add(&tally.rare()));
        let told = |kind: &str| (sum.errors[kind].count, sum.errors[kind].example.clone());
        assert_eq!(told("play"), (2, "a".to_owned()));
        assert_eq!(told("closed"), (1, "c".to_owned()));
    }
}
