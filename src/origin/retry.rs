//! Asks again when an origin does not answer.
//!
//! Only what may succeed a moment later is tried again ([`OriginError::is_retryable`]); each pause is
//! up to twice as long as the one before it, and random, so that a thousand viewers do not come
//! back to a restarted origin in one millisecond. One deadline holds for all tries together: past
//! it nobody is waiting any more.

use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use tokio::time::{Instant, timeout_at};

use super::{Condition, Origin, OriginError, Read, Tuning};
use crate::units::ByteRange;

/// The first pause is up to so long: S3 asks clients that it slows down to wait about this.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// No pause is longer than this, so that the deadline leaves time for the try after it.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// An origin that is asked again.
#[derive(Debug)]
pub struct Retrying<O> {
    inner: O,
    attempts: u32,
    deadline: Duration,
}

impl<O: Origin> Retrying<O> {
    /// Puts the attempts and the deadline of `tuning` around `inner`.
    pub fn new(inner: O, tuning: &Tuning) -> Self {
        Self {
            inner,
            attempts: tuning.attempts.max(1),
            deadline: tuning.deadline,
        }
    }

    async fn persist(
        &self,
        key: &str,
        range: ByteRange,
        condition: Condition<'_>,
    ) -> Result<Read, OriginError> {
        let end = Instant::now() + self.deadline;
        let mut last = OriginError::unavailable(format!(
            "the origin did not answer within {} ms",
            self.deadline.as_millis()
        ));
        for attempt in 1..=self.attempts {
            match timeout_at(end, self.inner.read(key, range, condition)).await {
                Ok(Err(error)) if error.is_retryable() => last = error,
                Ok(answer) => {
                    report(key, range, &answer);
                    return answer;
                }
                Err(_) => break,
            }
            let resume = Instant::now() + pause(attempt);
            if attempt == self.attempts || resume >= end {
                break;
            }
            tracing::debug!(key, %range, attempt, cause = %last, "asking the origin again");
            tokio::time::sleep_until(resume).await;
        }
        let answer = Err(last);
        report(key, range, &answer);
        answer
    }
}

/// Tells the operator of what only they can mend; that a viewer asked for what is not there is no news.
fn report(key: &str, range: ByteRange, answer: &Result<Read, OriginError>) {
    if let Err(error @ (OriginError::Unavailable { .. } | OriginError::Misconfigured { .. })) =
        answer
    {
        tracing::warn!(key, %range, cause = %error, "the origin cannot be read");
    }
}

/// How long to wait after try number `attempt`: between half and all of a time that doubles.
fn pause(attempt: u32) -> Duration {
    let doubled = 2u32.saturating_pow(attempt.saturating_sub(1));
    let longest = FIRST_PAUSE.saturating_mul(doubled).min(LONGEST_PAUSE);
    // Without a random source all wait the whole time, which is only less even.
    let chance = getrandom::u32().unwrap_or(u32::MAX);
    longest.mul_f64(0.5 + 0.5 * f64::from(chance) / f64::from(u32::MAX))
}

impl<O: Origin> Origin for Retrying<O> {
    fn read<'a>(
        &'a self,
        key: &'a str,
        range: ByteRange,
        condition: Condition<'a>,
    ) -> BoxFuture<'a, Result<Read, OriginError>> {
        self.persist(key, range, condition).boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::super::fault::FaultyOrigin;
    use super::super::memory::MemoryOrigin;
    use super::*;

    const ALL: ByteRange = ByteRange::new(0, 10);

    fn origin(deadline: Duration) -> Retrying<FaultyOrigin<MemoryOrigin>> {
        let memory = MemoryOrigin::new();
        memory.put("k", &b"0123456789"[..]);
        let tuning = Tuning {
            deadline,
            ..Tuning::default()
        };
        Retrying::new(FaultyOrigin::new(memory), &tuning)
    }

    #[tokio::test]
    async fn two_failures_are_survived() {
        let origin = origin(Duration::from_secs(60));
        origin.inner.fail_next(2, OriginError::unavailable("503"));
        assert!(origin.read("k", ALL, Condition::None).await.is_ok());
        assert_eq!(origin.inner.requests(), 3);
    }

    #[tokio::test]
    async fn the_third_failure_is_told() {
        let origin = origin(Duration::from_secs(60));
        let down = OriginError::unavailable("503");
        origin.inner.fail_always(down.clone());
        assert_eq!(origin.read("k", ALL, Condition::None).await, Err(down));
        assert_eq!(origin.inner.requests(), 3);
    }

    #[tokio::test]
    async fn what_will_not_change_is_not_asked_again() {
        let origin = origin(Duration::from_secs(60));
        for error in [
            OriginError::NotFound,
            OriginError::Forbidden,
            OriginError::Changed,
            OriginError::OutOfRange,
            OriginError::misconfigured("no bucket"),
        ] {
            let before = origin.inner.requests();
            origin.inner.fail_always(error.clone());
            assert_eq!(origin.read("k", ALL, Condition::None).await, Err(error));
            assert_eq!(origin.inner.requests(), before + 1);
        }
    }

    #[tokio::test]
    async fn the_deadline_holds_for_all_tries() {
        let origin = origin(Duration::from_millis(20));
        origin.inner.delay(Duration::from_secs(600));
        let read = origin.read("k", ALL, Condition::None).await;
        assert!(
            matches!(read, Err(OriginError::Unavailable { .. })),
            "{read:?}"
        );
        assert_eq!(origin.inner.requests(), 1);
        // A pause that would end past the deadline is not begun, and the cause is the real one.
        origin.inner.heal();
        origin.inner.fail_always(OriginError::unavailable("503"));
        let read = origin.read("k", ALL, Condition::None).await;
        assert_eq!(read, Err(OriginError::unavailable("503")));
        assert_eq!(origin.inner.requests(), 2);
    }

    #[test]
    fn pauses_grow_and_end() {
        for attempt in 1..40 {
            let longest = FIRST_PAUSE
                .saturating_mul(1 << (attempt - 1).min(10))
                .min(LONGEST_PAUSE);
            let pause = pause(attempt);
            assert!(
                pause >= longest / 2 && pause <= longest,
                "{attempt}: {pause:?}"
            );
        }
    }
}
