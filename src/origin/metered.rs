//! Counts what is asked of an origin, request by request.
//!
//! It stands below the retries, so that each try counts and is timed by itself: what the operator
//! of the origin sees, not what a play sees.

use std::sync::Arc;
use std::time::Instant;

use futures_util::future::{BoxFuture, FutureExt};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};

use super::{Condition, HedgeCounts, Origin, OriginError, Read};
use crate::units::ByteRange;

/// Buckets of answer times, in seconds: from 0.5 ms, a directory in the page cache, doubling to
/// 16 s, past every timeout.
const FIRST_BUCKET: f64 = 0.000_5;
const BUCKETS: u16 = 16;

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Bytes came.
    Bytes,
    /// The version that is known is still the one.
    NotModified,
    /// No such object.
    NotFound,
    /// The object may not be read.
    Forbidden,
    /// The object is another version by now.
    Changed,
    /// The range is past the end.
    OutOfRange,
    /// The origin cannot be read as it is set up.
    Misconfigured,
    /// No answer, or not as it should be.
    Unavailable,
    /// Nobody waited for the answer any more: the deadline passed, or another answer was quicker.
    Abandoned,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Bytes,
        Self::NotModified,
        Self::NotFound,
        Self::Forbidden,
        Self::Changed,
        Self::OutOfRange,
        Self::Misconfigured,
        Self::Unavailable,
        Self::Abandoned,
    ];

    /// The word that it is counted under.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::NotModified => "not_modified",
            Self::NotFound => "not_found",
            Self::Forbidden => "forbidden",
            Self::Changed => "changed",
            Self::OutOfRange => "out_of_range",
            Self::Misconfigured => "misconfigured",
            Self::Unavailable => "unavailable",
            Self::Abandoned => "abandoned",
        }
    }

    fn of(answer: &Result<Read, OriginError>) -> Self {
        match answer {
            Ok(Read::Bytes(_)) => Self::Bytes,
            Ok(Read::NotModified) => Self::NotModified,
            Err(OriginError::NotFound) => Self::NotFound,
            Err(OriginError::Forbidden) => Self::Forbidden,
            Err(OriginError::Changed) => Self::Changed,
            Err(OriginError::OutOfRange) => Self::OutOfRange,
            Err(OriginError::Misconfigured { .. }) => Self::Misconfigured,
            Err(OriginError::Unavailable { .. }) => Self::Unavailable,
        }
    }
}

/// The counts of all origins together.
#[derive(Debug)]
pub struct OriginMeter {
    requests: [Counter; Outcome::ALL.len()],
    /// Bytes of objects that were read.
    pub bytes: Counter,
    /// Seconds from a request to the last byte of its answer; abandoned ones are not in it.
    pub latency: Histogram,
    /// Second reads while the first did not answer.
    pub hedges: Arc<HedgeCounts>,
}

impl Default for OriginMeter {
    fn default() -> Self {
        Self {
            requests: Default::default(),
            bytes: Counter::default(),
            latency: Histogram::new(exponential_buckets(FIRST_BUCKET, 2.0, BUCKETS)),
            hedges: Arc::default(),
        }
    }
}

impl OriginMeter {
    /// How many requests ended so.
    pub fn requests(&self, outcome: Outcome) -> &Counter {
        // One for each outcome, so that the index is always in it.
        &self.requests[outcome as usize]
    }
}

/// An origin that is counted.
#[derive(Debug)]
pub struct Metered<O> {
    inner: O,
    meter: Arc<OriginMeter>,
}

impl<O: Origin> Metered<O> {
    /// Counts what is asked of `inner` in `meter`.
    pub fn new(inner: O, meter: Arc<OriginMeter>) -> Self {
        Self { inner, meter }
    }
}

impl<O: Origin> Origin for Metered<O> {
    fn read<'a>(
        &'a self,
        key: &'a str,
        range: ByteRange,
        condition: Condition<'a>,
    ) -> BoxFuture<'a, Result<Read, OriginError>> {
        async move {
            let mut request = Request {
                meter: &self.meter,
                outcome: Outcome::Abandoned,
            };
            let begun = Instant::now();
            let answer = self.inner.read(key, range, condition).await;
            request.outcome = Outcome::of(&answer);
            self.meter.latency.observe(begun.elapsed().as_secs_f64());
            if let Ok(Read::Bytes(object)) = &answer {
                self.meter.bytes.inc_by(object.bytes.len() as u64);
            }
            answer
        }
        .boxed()
    }
}

/// A request under way; counted when it is dropped, which may be before its answer.
struct Request<'a> {
    meter: &'a OriginMeter,
    outcome: Outcome,
}

impl Drop for Request<'_> {
    fn drop(&mut self) {
        self.meter.requests(self.outcome).inc();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use prometheus_client::encoding::text::encode;
    use prometheus_client::registry::Registry;

    use super::super::fault::FaultyOrigin;
    use super::super::memory::MemoryOrigin;
    use super::super::{ETag, Retrying, Tuning};
    use super::*;

    const ALL: ByteRange = ByteRange::new(0, 10);

    fn origin() -> (Metered<FaultyOrigin<MemoryOrigin>>, Arc<OriginMeter>) {
        let memory = MemoryOrigin::new();
        memory.put("k", &b"0123456"[..]);
        let meter = Arc::new(OriginMeter::default());
        let metered = Metered::new(FaultyOrigin::new(memory), Arc::clone(&meter));
        (metered, meter)
    }

    fn counts(meter: &OriginMeter) -> Vec<(&'static str, u64)> {
        let all = Outcome::ALL.map(|it| (it.word(), meter.requests(it).get()));
        all.into_iter().filter(|(_, count)| *count > 0).collect()
    }

    /// How many answers were timed.
    fn timed(meter: &OriginMeter) -> u64 {
        let mut registry = Registry::default();
        registry.register("x", "X", meter.latency.clone());
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        let count = text.lines().find_map(|line| line.strip_prefix("x_count "));
        count.unwrap().parse().unwrap()
    }

    #[tokio::test]
    async fn every_answer_counts_under_its_word() {
        let (origin, meter) = origin();
        let read = origin.read("k", ALL, Condition::None).await;
        let Ok(Read::Bytes(object)) = read else {
            panic!("{read:?}")
        };
        let known = object.etag;
        let other = ETag::new("other");
        for (condition, key) in [
            (Condition::NoneMatch(&known), "k"),
            (Condition::Match(&other), "k"),
            (Condition::None, "none"),
        ] {
            drop(origin.read(key, ALL, condition).await);
        }
        for error in [
            OriginError::Forbidden,
            OriginError::misconfigured("x"),
            OriginError::unavailable("x"),
        ] {
            origin.inner.fail_always(error);
            drop(origin.read("k", ALL, Condition::None).await);
        }
        assert_eq!(meter.bytes.get(), 7);
        assert_eq!(timed(&meter), 7);
        let expected = [
            "bytes",
            "not_modified",
            "not_found",
            "forbidden",
            "changed",
            "misconfigured",
            "unavailable",
        ];
        assert_eq!(counts(&meter), expected.map(|word| (word, 1)));
    }

    #[tokio::test]
    async fn each_try_counts_and_one_that_is_given_up_too() {
        let (metered, meter) = origin();
        metered.inner.fail_next(2, OriginError::unavailable("503"));
        let tuning = Tuning {
            deadline: Duration::from_secs(60),
            ..Tuning::default()
        };
        let origin = Retrying::new(metered, &tuning);
        assert!(origin.read("k", ALL, Condition::None).await.is_ok());
        assert_eq!(counts(&meter), [("bytes", 1), ("unavailable", 2)]);

        let (metered, meter) = self::origin();
        metered.inner.delay(Duration::from_secs(600));
        let limit = Duration::from_millis(20);
        let read = tokio::time::timeout(limit, metered.read("k", ALL, Condition::None)).await;
        assert!(read.is_err());
        assert_eq!(counts(&meter), [("abandoned", 1)]);
        assert_eq!(timed(&meter), 0);
    }
}
