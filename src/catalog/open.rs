//! From a stream name to the object that is played: candidate keys, versions, indexes.
//!
//! Which object a name means, and in which version, is believed for as long as the distribution
//! says ([`Policy`]): for a time to live, or only for the plays that ask at the same moment. Then
//! it is checked with the origin (If-None-Match). However many viewers ask for one name, the origin
//! is asked once. The index of a version is kept while it is in use and room allows.
//!
//! Where the origin does not answer, what is known goes on being served, and the origin is left
//! alone for a while ([`REST`]). That a name leads nowhere is remembered for a moment, in a place of
//! its own, so that a flood of made-up names pushes out no name that leads somewhere.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio_util::task::TaskTracker;
use tracing::warn;

use super::binding::{Absent, Bound, Clock, Live, NameKey, Policy};
use super::check::Check;
use super::name::StreamName;
use super::object::{BuildRoom, Object};
use super::purge::{Purge, PurgeLog, Purged, Purges};
use super::{PlayError, SegmentCache};
use crate::cache::{Memory, MemorySize, RENDERS_MAX, RenderCache};
use crate::origin::{Origin, OriginError};

/// After an origin did not answer, how long what is known is served without asking it: as long as
/// one question to an origin that hangs takes by default, so that of the viewers of a name one waits
/// and the others do not.
const REST: Duration = Duration::from_secs(10);

/// Memory for names that lead nowhere: some ten thousand ordinary ones.
const ABSENT_BYTES: usize = 4 << 20;

/// Opens objects by name, for all distributions.
#[derive(Debug)]
pub struct Objects {
    policies: RwLock<HashMap<Arc<str>, Policy>>,
    /// What each name meant when it was last checked.
    bindings: Memory<NameKey, Bound>,
    /// Names that lead nowhere.
    absent: Memory<NameKey, Absent>,
    /// Checks under way, each with the last purge before it.
    checks: RenderCache<(NameKey, u64), Bound, PlayError>,
    purges: Arc<PurgeLog>,
    room: BuildRoom,
    live: Live,
    segments: SegmentCache,
    counters: Counters,
    clock: Clock,
}

#[derive(Debug, Default)]
struct Counters {
    fresh: AtomicU64,
    absent: AtomicU64,
    checked: AtomicU64,
    served_stale: AtomicU64,
}

/// How names were looked up since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ObjectsUse {
    /// Plays of names that were believed to be what they were.
    pub fresh: u64,
    /// Plays of names that were believed to lead nowhere.
    pub absent: u64,
    /// Plays that asked the origin, or waited for another's question.
    pub checked: u64,
    /// Plays of what was known, because the origin did not answer.
    pub served_stale: u64,
    /// Memory of indexes that names are bound to, bytes.
    pub index_bytes: usize,
}

impl Objects {
    /// Keeps indexes of `index_bytes` together; segments go to `segments`.
    pub fn new(index_bytes: usize, segments: SegmentCache, tasks: TaskTracker) -> Self {
        let room = |bytes| MemorySize {
            bytes,
            descriptors: usize::MAX,
        };
        Self {
            policies: RwLock::default(),
            bindings: Memory::new(room(index_bytes)),
            absent: Memory::new(room(ABSENT_BYTES)),
            // A finished check is forgotten at once: what it found is in the bindings.
            checks: RenderCache::new(room(1), RENDERS_MAX, tasks),
            purges: Arc::default(),
            room: BuildRoom::new(),
            live: Live::default(),
            segments,
            counters: Counters::default(),
            clock: Clock::default(),
        }
    }

    /// Remembers purges in `file`: needed where segments outlive the process. Reads the file.
    #[must_use]
    pub fn with_purges_in(self, file: PathBuf) -> Self {
        Self {
            purges: Arc::new(PurgeLog::kept_in(file)),
            ..self
        }
    }

    /// How the names of a distribution are looked up from now on. Without: [`Policy::default`].
    pub fn set_policy(&self, distribution: &str, policy: Policy) {
        let mut policies = self
            .policies
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        policies.insert(distribution.into(), policy);
    }

    fn policy(&self, distribution: &str) -> Policy {
        let policies = self.policies.read().unwrap_or_else(PoisonError::into_inner);
        policies.get(distribution).copied().unwrap_or_default()
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
        let policy = self.policy(distribution);
        let purges = self.purges.now();
        let known = self.known(&key, policy, &purges);
        let now = self.clock.now();
        if let Some(bound) = known.as_ref().filter(|bound| bound.holds(now)) {
            count(&self.counters.fresh);
            return Ok(Arc::clone(&bound.object));
        }
        let absent = || self.absent.get(&key);
        if known.is_none() && absent().is_some_and(|absent| now < absent.until) {
            count(&self.counters.absent);
            return Err(PlayError::NotFound);
        }
        count(&self.counters.checked);
        let asked = (key, purges.last());
        let check = Check {
            key: asked.0.clone(),
            policy,
            clock: self.clock.clone(),
            purges,
            known: known.clone(),
            origin: Arc::clone(origin),
            room: self.room.clone(),
            live: self.live.clone(),
            segments: self.segments.clone(),
        };
        // One that nobody waited for to the end is as old as its viewers' leaving.
        self.checks.remove(&asked);
        let checked = self.checks.get_or_render(&asked, move || check.run()).await;
        self.checks.remove(&asked);
        let checked = checked.map_err(PlayError::from);
        self.learn(asked, policy, known, checked)
    }

    /// What the name was bound to, where it was not purged since.
    fn known(&self, key: &NameKey, policy: Policy, purges: &Purges) -> Option<Bound> {
        let bound = self.bindings.get(key)?;
        let object = bound.object.key();
        let scope = policy.scope(&key.distribution, &object.key, purges);
        (object.distribution == scope).then_some(bound)
    }

    /// Takes in what a check came to, and says what is played.
    fn learn(
        &self,
        (key, asked): (NameKey, u64),
        policy: Policy,
        known: Option<Bound>,
        checked: Result<Bound, PlayError>,
    ) -> Result<Arc<Object>, PlayError> {
        match checked {
            Ok(bound) => {
                let object = Arc::clone(&bound.object);
                self.bindings.insert(key, bound);
                Ok(object)
            }
            Err(error @ PlayError::Origin(OriginError::Unavailable { .. })) => {
                let known = known.filter(|bound| !bound.gone.get()).ok_or(error)?;
                Ok(self.serve_stale(key, known))
            }
            Err(PlayError::NotFound) => {
                self.bindings.remove(&key);
                // An answer from before a purge says nothing of the time after it.
                if !policy.negative_ttl.is_zero() && self.purges.now().last() == asked {
                    let until = self.clock.now() + policy.negative_ttl;
                    let absent = Absent::new(&key, until);
                    self.absent.insert(key, absent);
                }
                Err(PlayError::NotFound)
            }
            Err(error) => {
                // Credentials that were refused for a moment do not cost the index.
                if !matches!(error, PlayError::Origin(_)) {
                    self.bindings.remove(&key);
                }
                Err(error)
            }
        }
    }

    /// The last good copy.
    fn serve_stale(&self, key: NameKey, known: Bound) -> Arc<Object> {
        let times = count(&self.counters.served_stale);
        // Said at the first, second, fourth, eighth ... time.
        if times.is_power_of_two() {
            let key = &known.object.key().key;
            warn!(%key, times, "the origin does not answer: what is known is served");
        }
        let object = Arc::clone(&known.object);
        let until = self.clock.now() + REST;
        self.bindings.insert(key, Bound { until, ..known });
        object
    }

    /// Forgets an object, or all below a prefix, of one distribution or of all: the next play asks
    /// the origin anew and shares nothing with what was kept, in memory or on disk, also after a
    /// restart. Running plays go on.
    pub async fn purge(&self, distribution: Option<&str>, what: Purge) -> Purged {
        let before = self.purges.now();
        let (log, id) = (Arc::clone(&self.purges), distribution.map(str::to_owned));
        let adding = move || log.add(id.as_deref(), what);
        let durable = tokio::task::spawn_blocking(adding).await.unwrap_or(false);
        let after = self.purges.now();
        let objects = self.live.count(|key| {
            let (id, _) = key.distribution.split_once('@').unwrap_or_default();
            let policy = self.policy(id);
            let was = policy.scope(id, &key.key, &before);
            key.distribution == was && policy.scope(id, &key.key, &after) != was
        });
        self.absent.clear();
        Purged { objects, durable }
    }

    /// How names were looked up so far.
    pub fn usage(&self) -> ObjectsUse {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counters = &self.counters;
        ObjectsUse {
            fresh: get(&counters.fresh),
            absent: get(&counters.absent),
            checked: get(&counters.checked),
            served_stale: get(&counters.served_stale),
            index_bytes: self.bindings.usage().bytes,
        }
    }
}

fn count(counter: &AtomicU64) -> u64 {
    counter.fetch_add(1, Ordering::Relaxed) + 1
}

#[cfg(test)]
mod tests;
