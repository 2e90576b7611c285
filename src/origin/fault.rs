//! An origin that misbehaves to order, for tests.
//!
//! It stands around another origin and delays, fails, cuts or renames what that one answers, and
//! counts. Compiled always and hidden from the documentation: tests under `tests/` are outside the
//! crate and could not see it otherwise.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};

use super::{Condition, ETag, Origin, OriginError, Read};
use crate::units::ByteRange;

/// An origin around `O` that misbehaves to order. All orders may be given while reads run.
#[derive(Debug)]
pub struct FaultyOrigin<O> {
    inner: O,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    delay: Duration,
    failures: Failures,
    cut: Option<usize>,
    etag: Option<ETag>,
    requests: u64,
    bytes: u64,
    log: Vec<(String, ByteRange)>,
}

#[derive(Debug, Default)]
enum Failures {
    #[default]
    None,
    Next(u32, OriginError),
    Always(OriginError),
}

impl<O: Origin> FaultyOrigin<O> {
    /// Behaves as `inner` until told otherwise.
    pub fn new(inner: O) -> Self {
        Self {
            inner,
            state: Mutex::default(),
        }
    }

    /// The origin inside.
    pub fn inner(&self) -> &O {
        &self.inner
    }

    /// Every read waits so long first.
    pub fn delay(&self, delay: Duration) {
        self.state().delay = delay;
    }

    /// The next `count` reads fail with `error`, then all is good again.
    pub fn fail_next(&self, count: u32, error: OriginError) {
        self.state().failures = Failures::Next(count, error);
    }

    /// Every read fails with `error`, until [`FaultyOrigin::heal`].
    pub fn fail_always(&self, error: OriginError) {
        self.state().failures = Failures::Always(error);
    }

    /// From now on answers hold at most `bytes` bytes: an origin that breaks the contract.
    pub fn cut(&self, bytes: usize) {
        self.state().cut = Some(bytes);
    }

    /// From now on every object is said to be the version `etag`, and conditions are judged by it.
    pub fn change_etag(&self, etag: ETag) {
        self.state().etag = Some(etag);
    }

    /// No more faults. Counts stay.
    pub fn heal(&self) {
        let mut state = self.state();
        state.delay = Duration::ZERO;
        state.failures = Failures::None;
        state.cut = None;
        state.etag = None;
    }

    /// How many reads were asked for, failed ones too.
    pub fn requests(&self) -> u64 {
        self.state().requests
    }

    /// How many bytes were answered.
    pub fn bytes(&self) -> u64 {
        self.state().bytes
    }

    /// Every read that was asked for, in order.
    pub fn log(&self) -> Vec<(String, ByteRange)> {
        self.state().log.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn misread(
        &self,
        key: &str,
        range: ByteRange,
        condition: Condition<'_>,
    ) -> Result<Read, OriginError> {
        let (delay, failure, etag) = self.state().begin(key, range);
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        if let Some(error) = failure {
            return Err(error);
        }
        let condition = match (&etag, condition) {
            (Some(now), Condition::Match(wanted)) if now != wanted => {
                return Err(OriginError::Changed);
            }
            (Some(now), Condition::NoneMatch(known)) if now == known => {
                return Ok(Read::NotModified);
            }
            (Some(_), _) => Condition::None,
            (None, condition) => condition,
        };
        let read = self.inner.read(key, range, condition).await?;
        Ok(self.state().end(read, etag))
    }
}

impl State {
    fn begin(
        &mut self,
        key: &str,
        range: ByteRange,
    ) -> (Duration, Option<OriginError>, Option<ETag>) {
        self.requests += 1;
        self.log.push((key.to_owned(), range));
        let failure = match &mut self.failures {
            Failures::Always(error) => Some(error.clone()),
            Failures::Next(left, error) if *left > 0 => {
                *left -= 1;
                Some(error.clone())
            }
            Failures::Next(..) | Failures::None => None,
        };
        (self.delay, failure, self.etag.clone())
    }

    fn end(&mut self, read: Read, etag: Option<ETag>) -> Read {
        let Read::Bytes(mut object) = read else {
            return read;
        };
        if let Some(cut) = self.cut {
            object.bytes.truncate(cut);
            object.range = ByteRange::at(object.range.start, object.bytes.len() as u64);
        }
        if let Some(etag) = etag {
            object.etag = etag;
        }
        self.bytes += object.bytes.len() as u64;
        Read::Bytes(object)
    }
}

impl<O: Origin> Origin for FaultyOrigin<O> {
    fn read<'a>(
        &'a self,
        key: &'a str,
        range: ByteRange,
        condition: Condition<'a>,
    ) -> BoxFuture<'a, Result<Read, OriginError>> {
        self.misread(key, range, condition).boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::super::memory::MemoryOrigin;
    use super::*;

    fn origin() -> FaultyOrigin<MemoryOrigin> {
        let memory = MemoryOrigin::new();
        memory.put("k", &b"0123456789"[..]);
        FaultyOrigin::new(memory)
    }

    const ALL: ByteRange = ByteRange::new(0, 10);

    #[tokio::test]
    async fn fails_as_often_as_told_and_counts() {
        let origin = origin();
        origin.fail_next(2, OriginError::unavailable("down"));
        assert!(origin.read("k", ALL, Condition::None).await.is_err());
        assert!(origin.read("k", ALL, Condition::None).await.is_err());
        assert!(origin.read("k", ALL, Condition::None).await.is_ok());
        origin.fail_always(OriginError::Forbidden);
        for _ in 0..5 {
            let read = origin.read("k", ALL, Condition::None).await;
            assert_eq!(read, Err(OriginError::Forbidden));
        }
        origin.heal();
        assert!(origin.read("k", ALL, Condition::None).await.is_ok());
        assert_eq!((origin.requests(), origin.bytes()), (9, 20));
        assert_eq!(origin.log().len(), 9);
    }

    #[tokio::test]
    async fn cuts_and_renames() {
        let origin = origin();
        origin.cut(4);
        let new = ETag::new("\"other\"");
        origin.change_etag(new.clone());
        let old = ETag::new("\"v0\"");
        let read = origin.read("k", ALL, Condition::Match(&old)).await;
        assert_eq!(read, Err(OriginError::Changed));
        let read = origin.read("k", ALL, Condition::Match(&new)).await;
        let Ok(Read::Bytes(object)) = read else {
            panic!("{read:?}")
        };
        assert_eq!(object.etag, new);
        assert_eq!(
            (&object.bytes[..], object.range),
            (&b"0123"[..], ByteRange::new(0, 4))
        );
    }
}
