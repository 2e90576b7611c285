//! From a stream name to the object that is played: candidate keys, versions, indexes.
//!
//! Which object a name means, and in which version, is checked with the origin at each play
//! (If-None-Match), so that a replaced object plays anew at once. The index of a version is kept
//! while it is in use and room allows. However many viewers ask for one name at the same moment,
//! the origin is asked once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use futures_util::stream::{FuturesOrdered, StreamExt};
use tracing::debug;

use super::name::StreamName;
use super::object::{BuildRoom, Object, ObjectKey, PROBE};
use super::{PlayError, SegmentCache};
use crate::cache::{Memory, MemorySize, RENDERS_MAX, RenderCache, Weigh};
use crate::origin::{Condition, Origin, OriginError, Read};
use tokio_util::task::TaskTracker;

/// A name in a distribution, as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct NameKey {
    distribution: Arc<str>,
    candidates: Arc<[String]>,
}

/// Opens objects by name, for all distributions.
#[derive(Debug)]
pub struct Objects {
    /// What each name meant when it was last checked.
    bindings: Memory<NameKey, Bound>,
    /// Checks under way.
    checks: RenderCache<NameKey, Bound, PlayError>,
    room: BuildRoom,
    live: Live,
    segments: SegmentCache,
}

/// Every object that is bound or plays now. Many spellings may mean one object, and each viewer
/// may choose their own; the index is held once.
#[derive(Debug, Clone, Default)]
struct Live(Arc<Mutex<HashMap<ObjectKey, Weak<Object>>>>);

impl Live {
    /// Entries below which those that are dead are not looked for.
    const TIDY_FROM: usize = 256;

    fn get(&self, key: &ObjectKey) -> Option<Arc<Object>> {
        self.lock().get(key)?.upgrade()
    }

    /// The object of that key: this one, unless there is one already.
    fn admit(&self, object: Object) -> Arc<Object> {
        let mut live = self.lock();
        if let Some(known) = live.get(object.key()).and_then(Weak::upgrade) {
            return known;
        }
        // Looked through only when it has doubled, so that it costs each entry little.
        if live.len() >= Self::TIDY_FROM && live.len() == live.capacity() {
            live.retain(|_, object| object.strong_count() > 0);
        }
        let object = Arc::new(object);
        live.insert(object.key().clone(), Arc::downgrade(&object));
        object
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ObjectKey, Weak<Object>>> {
        // Every operation on it is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A name bound to a version of an object. The same object may be bound to many names, so that a
/// binding weighs little where the index is shared; counting it whole errs on the safe side.
#[derive(Debug, Clone)]
struct Bound(Arc<Object>);

impl Weigh for Bound {
    fn weight(&self) -> usize {
        self.0.weight()
    }
}

impl Objects {
    /// Keeps indexes of `index_bytes` together; segments go to `segments`.
    pub fn new(index_bytes: usize, segments: SegmentCache, tasks: TaskTracker) -> Self {
        let room = MemorySize {
            bytes: index_bytes,
            descriptors: usize::MAX,
        };
        // A finished check is forgotten at once: it is true only for those who waited for it.
        let none = MemorySize {
            bytes: 1,
            descriptors: usize::MAX,
        };
        Self {
            bindings: Memory::new(room),
            checks: RenderCache::new(none, RENDERS_MAX, tasks),
            room: BuildRoom::new(),
            live: Live::default(),
            segments,
        }
    }

    /// The object that a stream name means now.
    ///
    /// # Errors
    /// No candidate exists, the origin fails, or the file cannot be understood.
    pub async fn open(
        &self,
        distribution: &Arc<str>,
        origin: &Arc<dyn Origin>,
        name: &StreamName,
    ) -> Result<Arc<Object>, PlayError> {
        let key = NameKey {
            distribution: Arc::clone(distribution),
            candidates: name.candidates().into(),
        };
        let check = Check {
            key: key.clone(),
            known: self.bindings.get(&key).map(|Bound(object)| object),
            origin: Arc::clone(origin),
            room: self.room.clone(),
            live: self.live.clone(),
            segments: self.segments.clone(),
        };
        // One that nobody waited for to the end is as old as its viewers' leaving.
        self.checks.remove(&key);
        let checked = self.checks.get_or_render(&key, move || check.run()).await;
        self.checks.remove(&key);
        match checked {
            Ok(bound) => {
                self.bindings.insert(key, bound.clone());
                Ok(bound.0)
            }
            Err(error) => {
                let error = PlayError::from(error);
                // An origin that is away for a moment does not cost the index.
                if !matches!(error, PlayError::Origin(_)) {
                    self.bindings.remove(&key);
                }
                Err(error)
            }
        }
    }
}

/// One check of one name.
struct Check {
    key: NameKey,
    known: Option<Arc<Object>>,
    origin: Arc<dyn Origin>,
    room: BuildRoom,
    live: Live,
    segments: SegmentCache,
}

impl Check {
    async fn run(self) -> Result<Bound, PlayError> {
        if let Some(known) = &self.known {
            let condition = Condition::NoneMatch(&known.key().etag);
            match self.origin.read(&known.key().key, PROBE, condition).await {
                Ok(Read::NotModified) => return Ok(Bound(Arc::clone(known))),
                Ok(Read::Bytes(probe)) if probe.etag == known.key().etag => {
                    return Ok(Bound(Arc::clone(known)));
                }
                Ok(Read::Bytes(probe)) => {
                    debug!(key = %known.key().key, etag = %probe.etag, "object was replaced");
                    return self.build(Arc::clone(&known.key().key), probe).await;
                }
                // It may live on under the next candidate.
                Err(OriginError::NotFound | OriginError::Forbidden) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.resolve().await
    }

    /// Asks for all candidates at once; the first in order that exists is it.
    async fn resolve(&self) -> Result<Bound, PlayError> {
        let mut probes: FuturesOrdered<_> = self
            .key
            .candidates
            .iter()
            .map(|key| async move { (key, self.origin.read(key, PROBE, Condition::None).await) })
            .collect();
        while let Some((key, probe)) = probes.next().await {
            match probe {
                Ok(Read::Bytes(probe)) => {
                    drop(probes);
                    return self.build(Arc::from(key.as_str()), probe).await;
                }
                Ok(Read::NotModified) | Err(OriginError::NotFound | OriginError::Forbidden) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(PlayError::NotFound)
    }

    async fn build(&self, key: Arc<str>, probe: crate::origin::Object) -> Result<Bound, PlayError> {
        let object_key = ObjectKey {
            distribution: Arc::clone(&self.key.distribution),
            key,
            etag: probe.etag.clone(),
        };
        if let Some(object) = self.live.get(&object_key) {
            return Ok(Bound(object));
        }
        let object = Object::build(
            object_key,
            Arc::clone(&self.origin),
            probe,
            &self.room,
            self.segments.clone(),
        );
        Ok(Bound(self.live.admit(object.await?)))
    }
}
