//! Asks a second time while the first read stalls.
//!
//! One request in a few hundred hangs: a lost packet, a busy disk behind one of the origin's many
//! servers. A retry comes only after a timeout of seconds; a second read of the same range that is
//! begun once the first is much later than its like answers after one more ordinary latency. What
//! comes first counts, the other is dropped, which ends it.
//!
//! How late is late is learned ([`HedgePolicy`]): four times the median of the last reads of that
//! size, or their 95th percentile, and never less than 250 ms. An origin that is slow as a whole is
//! not asked twice as much for that: hedges are one in twenty requests at most, after a burst.
//!
//! It stands inside of [`super::Retrying`], so that each try may be hedged, and around whatever
//! counts requests, so that both are counted.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::{BoxFuture, Either, FutureExt, select};
use tokio::time::{Instant, timeout};

use super::{Condition, Origin, OriginError, Read};
use crate::units::ByteRange;

/// No read is late before this: below it a second one gains nothing that a viewer sees, for they
/// have seconds of lead.
const FLOOR: Duration = Duration::from_millis(250);

/// When a read is late while too few others have been seen.
const UNKNOWN: Duration = Duration::from_secs(1);

/// Reads that are remembered for each size: enough for a 95th percentile, few enough that an origin
/// that has become slower is known for that after seconds.
const REMEMBERED: usize = 64;

/// Reads from which on their latencies tell something.
const ENOUGH: usize = 8;

/// A read this many times slower than the median is late.
const MEDIANS: u32 = 4;

/// Upper ends of the sizes that are told apart, bytes: a latency has a part that grows with the
/// size. Above the last is one more class.
const SIZES: [u64; 3] = [64 << 10, 256 << 10, 1 << 20];

/// What a hedge costs of the budget, and what each request adds to it: one in twenty.
const PRICE: u32 = 20;
const EARNED: u32 = 1;

/// Hedges that may be begun in a burst: a server of the origin that stalls holds up what was asked
/// of it just then.
const BURST: u32 = 8;

/// Counts of hedges since the start.
#[derive(Debug, Default)]
pub struct HedgeCounts {
    started: AtomicU64,
    won: AtomicU64,
}

impl HedgeCounts {
    /// Second reads that were begun.
    pub fn started(&self) -> u64 {
        self.started.load(Ordering::Relaxed)
    }

    /// Second reads that answered before the first.
    pub fn won(&self) -> u64 {
        self.won.load(Ordering::Relaxed)
    }
}

/// When a second read is begun, and whether. Pure: latencies come in, delays go out.
#[derive(Debug, Clone)]
pub struct HedgePolicy {
    /// Latencies of the last reads of each size, the oldest overwritten.
    recent: [Recent; SIZES.len() + 1],
    /// What is left of the budget, in prices of a request.
    budget: u32,
}

/// A ring of latencies.
#[derive(Debug, Clone, Default)]
struct Recent {
    latencies: Vec<Duration>,
    next: usize,
}

impl Recent {
    fn note(&mut self, latency: Duration) {
        match self.latencies.get_mut(self.next) {
            Some(oldest) => *oldest = latency,
            None => self.latencies.push(latency),
        }
        self.next = (self.next + 1) % REMEMBERED;
    }

    fn late(&self) -> Duration {
        if self.latencies.len() < ENOUGH {
            return UNKNOWN;
        }
        let mut sorted = self.latencies.clone();
        sorted.sort_unstable();
        let at = |share: usize| sorted.get(sorted.len() * share / 100).copied();
        let median = at(50).unwrap_or(UNKNOWN).saturating_mul(MEDIANS);
        median.max(at(95).unwrap_or(UNKNOWN)).max(FLOOR)
    }
}

impl HedgePolicy {
    /// Knows nothing yet; the whole burst may be spent.
    pub fn new() -> Self {
        Self {
            recent: Default::default(),
            budget: BURST * PRICE,
        }
    }

    /// A read of that many bytes is begun: how long it may take before it is late.
    pub fn begin(&mut self, bytes: u64) -> Duration {
        self.budget = (self.budget + EARNED).min(BURST * PRICE);
        self.class(bytes).late()
    }

    /// Whether a late read may be hedged; if so, that is spent.
    pub fn spend(&mut self) -> bool {
        let left = self.budget.checked_sub(PRICE);
        self.budget = left.unwrap_or(self.budget);
        left.is_some()
    }

    /// A read of that many bytes took so long, or longer.
    pub fn note(&mut self, bytes: u64, latency: Duration) {
        self.class(bytes).note(latency);
    }

    fn class(&mut self, bytes: u64) -> &mut Recent {
        let class = SIZES.partition_point(|end| *end < bytes);
        &mut self.recent[class]
    }
}

impl Default for HedgePolicy {
    fn default() -> Self {
        Self::new()
    }
}

/// An origin whose stalled reads are asked a second time.
#[derive(Debug)]
pub struct Hedged<O> {
    inner: O,
    /// `None`: switched off.
    policy: Option<Mutex<HedgePolicy>>,
    counts: Arc<HedgeCounts>,
}

impl<O: Origin> Hedged<O> {
    /// Hedges reads of `inner`, unless `on` is false; counts in `counts`.
    pub fn new(inner: O, on: bool, counts: Arc<HedgeCounts>) -> Self {
        Self {
            inner,
            policy: on.then(Mutex::default),
            counts,
        }
    }

    async fn ask(
        &self,
        policy: &Mutex<HedgePolicy>,
        key: &str,
        range: ByteRange,
        condition: Condition<'_>,
    ) -> Result<Read, OriginError> {
        let begun = Instant::now();
        let late = lock(policy).begin(range.len());
        let mut first = self.inner.read(key, range, condition);
        if let Ok(answer) = timeout(late, &mut first).await {
            lock(policy).note(range.len(), begun.elapsed());
            return answer;
        }
        let answer = if lock(policy).spend() {
            self.race(key, range, condition, first).await
        } else {
            first.await
        };
        // Also where the second one won: an origin that has become slow must be known for it.
        lock(policy).note(range.len(), begun.elapsed());
        answer
    }

    /// The answer of the first read or of a second one, whichever is there sooner and is one.
    async fn race<'a>(
        &'a self,
        key: &'a str,
        range: ByteRange,
        condition: Condition<'a>,
        first: BoxFuture<'a, Result<Read, OriginError>>,
    ) -> Result<Read, OriginError> {
        tracing::debug!(key, %range, "the origin stalls: asking a second time");
        self.counts.started.fetch_add(1, Ordering::Relaxed);
        let second = self.inner.read(key, range, condition);
        let (answer, other, is_second) = match select(first, second).await {
            Either::Left((answer, second)) => (answer, second, false),
            Either::Right((answer, first)) => (answer, first, true),
        };
        // The other may still have what this one failed to get.
        let failed = matches!(&answer, Err(error) if error.is_retryable());
        let (answer, is_second) = if failed {
            (other.await, !is_second)
        } else {
            (answer, is_second)
        };
        if is_second && answer.is_ok() {
            self.counts.won.fetch_add(1, Ordering::Relaxed);
        }
        answer
    }
}

impl<O: Origin> Origin for Hedged<O> {
    fn read<'a>(
        &'a self,
        key: &'a str,
        range: ByteRange,
        condition: Condition<'a>,
    ) -> BoxFuture<'a, Result<Read, OriginError>> {
        match &self.policy {
            Some(policy) => self.ask(policy, key, range, condition).boxed(),
            None => self.inner.read(key, range, condition),
        }
    }
}

fn lock(policy: &Mutex<HedgePolicy>) -> MutexGuard<'_, HedgePolicy> {
    // Every operation on it is whole.
    policy.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::super::fault::FaultyOrigin;
    use super::super::memory::MemoryOrigin;
    use super::*;
    use proptest::prelude::*;
    use std::sync::atomic::AtomicU32;

    const ALL: ByteRange = ByteRange::new(0, 10);

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn late_is_four_medians_or_the_slowest_few_and_never_below_the_floor() {
        let mut policy = HedgePolicy::new();
        assert_eq!(policy.begin(1), UNKNOWN);
        for _ in 0..REMEMBERED {
            policy.note(1, ms(10));
        }
        assert_eq!(policy.begin(1), FLOOR);
        for _ in 0..REMEMBERED {
            policy.note(1, ms(100));
        }
        assert_eq!(policy.begin(1), ms(400));
        for _ in 0..4 {
            policy.note(1, ms(3_000));
        }
        assert_eq!(policy.begin(1), ms(3_000));
        // Another size is another matter.
        assert_eq!(policy.begin(2 << 20), UNKNOWN);
    }

    proptest! {
        #[test]
        fn one_in_twenty_is_hedged_at_most(late in proptest::collection::vec(any::<bool>(), 0..2_000)) {
            let mut policy = HedgePolicy::new();
            let mut hedges = 0;
            for (requests, late) in late.iter().enumerate() {
                policy.begin(1);
                hedges += usize::from(*late && policy.spend());
                prop_assert!(hedges <= BURST as usize + (requests + 1) / 20);
            }
        }
    }

    /// The first read of it never ends.
    #[derive(Debug)]
    struct Stalling {
        inner: FaultyOrigin<MemoryOrigin>,
        reads: AtomicU32,
        fails: bool,
    }

    impl Origin for Stalling {
        fn read<'a>(
            &'a self,
            key: &'a str,
            range: ByteRange,
            condition: Condition<'a>,
        ) -> BoxFuture<'a, Result<Read, OriginError>> {
            let stalls = self.reads.fetch_add(1, Ordering::Relaxed) == 0;
            async move {
                if stalls && self.fails {
                    tokio::time::sleep(UNKNOWN + ms(300)).await;
                } else if stalls {
                    std::future::pending::<()>().await;
                }
                self.inner.read(key, range, condition).await
            }
            .boxed()
        }
    }

    fn stalling(fails: bool) -> Hedged<Stalling> {
        let memory = MemoryOrigin::new();
        memory.put("k", &b"0123456789"[..]);
        let inner = Stalling {
            inner: FaultyOrigin::new(memory),
            reads: AtomicU32::new(0),
            fails,
        };
        Hedged::new(inner, true, Arc::default())
    }

    #[tokio::test]
    async fn a_second_read_saves_one_that_never_answers() {
        let origin = stalling(false);
        for _ in 0..2 {
            assert!(origin.read("k", ALL, Condition::None).await.is_ok());
        }
        assert_eq!(origin.inner.reads.load(Ordering::Relaxed), 3);
        assert_eq!((origin.counts.started(), origin.counts.won()), (1, 1));
    }

    #[tokio::test]
    async fn a_second_read_that_fails_leaves_the_first_its_time() {
        let origin = stalling(true);
        origin
            .inner
            .inner
            .fail_next(1, OriginError::unavailable("503"));
        assert!(origin.read("k", ALL, Condition::None).await.is_ok());
        assert_eq!((origin.counts.started(), origin.counts.won()), (1, 0));
    }

    #[tokio::test]
    async fn switched_off_it_waits() {
        let mut origin = stalling(false);
        origin.policy = None;
        let read = timeout(UNKNOWN + ms(200), origin.read("k", ALL, Condition::None));
        assert!(read.await.is_err());
        assert_eq!(origin.counts.started(), 0);
    }
}
