//! What a name means: an object in one version, for how long that is believed, and every object
//! that is known.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::freshness::{Declared, Freshness};
use super::object::{Object, ObjectKey};
use super::purge::Purges;
use crate::cache::Weigh;
use crate::origin::{Condition, Origin, OriginError, Read};
use crate::units::ByteRange;
use futures_util::future::{BoxFuture, FutureExt};

/// How long a name that leads nowhere is remembered, unless configured otherwise: long enough for
/// a page that a thousand viewers open at once, and short enough for whoever uploads a file and
/// tries again.
pub const NEGATIVE_TTL: Duration = Duration::from_secs(2);

/// The time; tests can put it forward.
#[derive(Debug, Clone, Default)]
pub(super) struct Clock {
    #[cfg(test)]
    ahead: Arc<Mutex<Duration>>,
}

impl Clock {
    #[cfg(not(test))]
    pub(super) fn now(&self) -> Instant {
        Instant::now()
    }

    #[cfg(test)]
    pub(super) fn now(&self) -> Instant {
        Instant::now() + *self.ahead.lock().unwrap()
    }

    #[cfg(test)]
    pub(super) fn pass(&self, time: Duration) {
        *self.ahead.lock().unwrap() += time;
    }
}

/// How the names of one distribution are looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// How long what the origin said is believed.
    pub freshness: Freshness,
    /// How long it is believed that there is no such object.
    pub negative_ttl: Duration,
    origin: u64,
}

impl Policy {
    /// `origin` describes where the objects are: those of another origin share nothing with them,
    /// not even on a disk that both were kept on in turn.
    pub fn new(freshness: Freshness, negative_ttl: Duration, origin: &str) -> Self {
        Self {
            freshness,
            negative_ttl,
            origin: BuildHasherDefault::<DefaultHasher>::default().hash_one(origin),
        }
    }

    /// Whose an object is: what goes into its key as [`ObjectKey::distribution`].
    pub(super) fn scope(&self, distribution: &str, key: &str, purges: &Purges) -> Arc<str> {
        let epoch = purges.epoch(distribution, key);
        format!("{distribution}@{:016x}.{epoch:x}", self.origin).into()
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self::new(Freshness::EachPlay, NEGATIVE_TTL, "")
    }
}

/// A name in a distribution, as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct NameKey {
    pub(super) distribution: Arc<str>,
    /// Where it is looked for: what one origin said, that there is nothing included, says nothing
    /// of another, nor of the same one read by somebody else.
    origin: u64,
    pub(super) candidates: Arc<[String]>,
}

impl NameKey {
    pub(super) fn new(distribution: &Arc<str>, policy: Policy, candidates: Arc<[String]>) -> Self {
        Self {
            distribution: Arc::clone(distribution),
            origin: policy.origin,
            candidates,
        }
    }
}

/// A name bound to a version of an object. The same object may be bound to many names, so that a
/// binding weighs little where the index is shared; counting it whole errs on the safe side.
#[derive(Debug, Clone)]
pub(super) struct Bound {
    pub(super) object: Arc<Object>,
    pub(super) gone: Gone,
    pub(super) declared: Declared,
    /// Until then the origin is not asked.
    pub(super) until: Instant,
}

impl Bound {
    /// Whether it holds without asking the origin.
    pub(super) fn holds(&self, now: Instant) -> bool {
        now < self.until && !self.gone.get()
    }
}

impl Weigh for Bound {
    fn weight(&self) -> usize {
        self.object.weight()
    }
}

/// That there is no object of a name, until then.
#[derive(Debug, Clone)]
pub(super) struct Absent {
    pub(super) until: Instant,
    weight: usize,
}

impl Absent {
    /// What an entry takes beside the names.
    const OVERHEAD: usize = 256;

    pub(super) fn new(key: &NameKey, until: Instant) -> Self {
        let names = key
            .candidates
            .iter()
            .map(|name| name.len() + size_of::<String>());
        Self {
            until,
            weight: names.sum::<usize>() + Self::OVERHEAD,
        }
    }
}

impl Weigh for Absent {
    fn weight(&self) -> usize {
        self.weight
    }
}

/// Whether a read said that an object is no more what it was.
#[derive(Debug, Clone, Default)]
pub(super) struct Gone(Arc<AtomicBool>);

impl Gone {
    pub(super) fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn set(&self, gone: bool) {
        self.0.store(gone, Ordering::Relaxed);
    }
}

/// An origin as one version of one object reads it: that the version is gone is noted, so that the
/// next play asks (rule 17).
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) origin: Arc<dyn Origin>,
    pub(super) gone: Gone,
}

impl Origin for Watched {
    fn read<'a>(
        &'a self,
        key: &'a str,
        range: ByteRange,
        condition: Condition<'a>,
    ) -> BoxFuture<'a, Result<Read, OriginError>> {
        let read = self.origin.read(key, range, condition);
        read.inspect(|read| {
            use OriginError::{Changed, Forbidden, NotFound};
            if let Err(Changed | NotFound | Forbidden) = read {
                self.gone.set(true);
            }
        })
        .boxed()
    }
}

/// Every object that is bound or plays now. Many spellings may mean one object, and each viewer
/// may choose their own; the index is held once.
#[derive(Debug, Clone, Default)]
pub(super) struct Live(Arc<Mutex<Known>>);

type Known = HashMap<ObjectKey, (Weak<Object>, Gone)>;

impl Live {
    /// Entries below which those that are dead are not looked for.
    const TIDY_FROM: usize = 256;

    pub(super) fn get(&self, key: &ObjectKey) -> Option<(Arc<Object>, Gone)> {
        let live = self.lock();
        let (object, gone) = live.get(key)?;
        Some((object.upgrade()?, gone.clone()))
    }

    /// The object of that key: this one, unless there is one already.
    pub(super) fn admit(&self, object: Object, gone: Gone) -> (Arc<Object>, Gone) {
        let mut live = self.lock();
        if let Some((known, gone)) = live.get(object.key())
            && let Some(known) = known.upgrade()
        {
            return (known, gone.clone());
        }
        // Looked through only when it has doubled, so that it costs each entry little.
        if live.len() >= Self::TIDY_FROM && live.len() == live.capacity() {
            live.retain(|_, (object, _)| object.strong_count() > 0);
        }
        let object = Arc::new(object);
        let entry = (Arc::downgrade(&object), gone.clone());
        live.insert(object.key().clone(), entry);
        (object, gone)
    }

    /// How many objects have such a key.
    pub(super) fn count(&self, matches: impl Fn(&ObjectKey) -> bool) -> usize {
        let live = self.lock();
        let alive = live
            .iter()
            .filter(|(_, (object, _))| object.strong_count() > 0);
        alive.filter(|(key, _)| matches(key)).count()
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        // Every operation on it is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
