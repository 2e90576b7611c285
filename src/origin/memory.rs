//! An origin in memory, for tests.
//!
//! Compiled always and hidden from the documentation: tests under `tests/` are outside the crate
//! and could not see it otherwise.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt, ready};

use super::{Condition, ETag, Object, Origin, OriginError, Read};
use crate::units::ByteRange;

/// Objects in memory. A key that is put again becomes another version.
#[derive(Debug, Default)]
pub struct MemoryOrigin {
    objects: Mutex<HashMap<String, Stored>>,
    versions: AtomicU64,
}

#[derive(Debug, Clone)]
struct Stored {
    bytes: Bytes,
    etag: ETag,
    cache_control: Option<String>,
}

impl MemoryOrigin {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Stores `bytes` under `key` and tells the version.
    pub fn put(&self, key: &str, bytes: impl Into<Bytes>) -> ETag {
        self.put_with(key, bytes, None)
    }

    /// As [`MemoryOrigin::put`], with a Cache-Control.
    pub fn put_with(
        &self,
        key: &str,
        bytes: impl Into<Bytes>,
        cache_control: Option<&str>,
    ) -> ETag {
        let version = self.versions.fetch_add(1, Ordering::Relaxed);
        let etag = ETag::new(format!("\"v{version}\""));
        let stored = Stored {
            bytes: bytes.into(),
            etag: etag.clone(),
            cache_control: cache_control.map(str::to_owned),
        };
        self.objects().insert(key.to_owned(), stored);
        etag
    }

    /// Deletes the object.
    pub fn remove(&self, key: &str) {
        self.objects().remove(key);
    }

    fn objects(&self) -> MutexGuard<'_, HashMap<String, Stored>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(
        &self,
        key: &str,
        range: ByteRange,
        condition: Condition<'_>,
    ) -> Result<Read, OriginError> {
        let stored = self
            .objects()
            .get(key)
            .cloned()
            .ok_or(OriginError::NotFound)?;
        match condition {
            Condition::Match(etag) if *etag != stored.etag => return Err(OriginError::Changed),
            Condition::NoneMatch(etag) if *etag == stored.etag => return Ok(Read::NotModified),
            _ => {}
        }
        let size = stored.bytes.len() as u64;
        let range = range.clamp_to(size);
        if range.is_empty() {
            return Err(OriginError::OutOfRange);
        }
        let span = usize::try_from(range.start).unwrap_or(usize::MAX)
            ..usize::try_from(range.end).unwrap_or(usize::MAX);
        Ok(Read::Bytes(Object {
            size,
            etag: stored.etag,
            content_type: None,
            cache_control: stored.cache_control,
            expires: None,
            range,
            bytes: stored.bytes.slice(span),
        }))
    }
}

impl Origin for MemoryOrigin {
    fn read<'a>(
        &'a self,
        key: &'a str,
        range: ByteRange,
        condition: Condition<'a>,
    ) -> BoxFuture<'a, Result<Read, OriginError>> {
        ready(self.answer(key, range, condition)).boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn reads_follow_the_contract() {
        let origin = MemoryOrigin::new();
        let old = origin.put("k", &b"0123456789"[..]);
        let Ok(Read::Bytes(object)) = origin
            .read("k", ByteRange::new(8, 99), Condition::None)
            .await
        else {
            panic!("bytes")
        };
        assert_eq!((object.size, object.range), (10, ByteRange::new(8, 10)));
        assert_eq!(&object.bytes[..], b"89");
        assert_eq!(object.etag, old);

        let past = origin
            .read("k", ByteRange::new(10, 20), Condition::None)
            .await;
        assert_eq!(past, Err(OriginError::OutOfRange));
        let same = origin
            .read("k", ByteRange::new(0, 1), Condition::NoneMatch(&old))
            .await;
        assert_eq!(same, Ok(Read::NotModified));

        origin.put("k", &b"9876543210"[..]);
        let changed = origin
            .read("k", ByteRange::new(0, 1), Condition::Match(&old))
            .await;
        assert_eq!(changed, Err(OriginError::Changed));
        origin.remove("k");
        let gone = origin
            .read("k", ByteRange::new(0, 1), Condition::None)
            .await;
        assert_eq!(gone, Err(OriginError::NotFound));
    }
}
