//! From a stream name to the object that is played: candidate keys, versions, indexes.
//!
//! Which object a name means, and in which version, is believed for as long as the distribution
//! says ([`Policy`]): for a time to live, or only for the plays that ask at the same moment. Then
//! it is checked with the origin (If-None-Match). However many viewers ask for one name, the origin
//! is asked once. The index of a version is kept while it is in use and room allows.
//!
//! Where the origin does not answer, or not soon (`PATIENCE`), what is known goes on being served,
//! and the origin is left alone for a while (`REST`). A check that nobody waits for any more goes
//! on, and what it comes to counts from then on. That a name leads nowhere is remembered for a
//! moment, in a place of its own, so that a flood of made-up names pushes out no name that leads
//! somewhere.

use std::collections::HashMap;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use self::crossdomain::CrossDomains;
use self::known::Known;
use super::binding::{Bound, Live, NameKey, Policy};
use super::check::Check;
use super::name::StreamName;
use super::object::{BuildRoom, Object};
use super::purge::{Purge, PurgeLog, Purged};
use super::{PlayError, SegmentCache};
use crate::cache::{MemorySize, RENDERS_MAX, RenderCache};
use crate::origin::Origin;

mod crossdomain;
mod known;

pub use crossdomain::CrossDomain;

/// How long a check is waited for where something is known: an origin that is far away and busy
/// answers in less, and nobody looks at a black picture for longer without cause.
const PATIENCE: Duration = Duration::from_secs(2);

/// Opens objects by name, for all distributions.
#[derive(Debug)]
pub struct Objects {
    policies: RwLock<HashMap<Arc<str>, Policy>>,
    known: Arc<Known>,
    crossdomains: CrossDomains,
    /// Checks under way, each with the last purge before it.
    checks: RenderCache<(NameKey, u64), Bound, PlayError>,
    purges: Arc<PurgeLog>,
    room: BuildRoom,
    live: Live,
    segments: SegmentCache,
    counters: Counters,
}

#[derive(Debug, Default)]
struct Counters {
    fresh: AtomicU64,
    absent: AtomicU64,
    checked: AtomicU64,
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
    /// Plays of what was known, because the origin did not answer, or not soon.
    pub served_stale: u64,
    /// Memory of indexes that names are bound to, bytes.
    pub index_bytes: usize,
}

impl Objects {
    /// Keeps indexes of `index_bytes` together; segments go to `segments`.
    pub fn new(index_bytes: usize, segments: SegmentCache, tasks: TaskTracker) -> Self {
        // A finished check is forgotten at once: what it found is in the bindings.
        let nothing = MemorySize {
            bytes: 1,
            descriptors: usize::MAX,
        };
        Self {
            policies: RwLock::default(),
            known: Arc::new(Known::new(index_bytes)),
            crossdomains: CrossDomains::new(tasks.clone()),
            checks: RenderCache::new(nothing, RENDERS_MAX, tasks),
            purges: Arc::default(),
            room: BuildRoom::new(),
            live: Live::default(),
            segments,
            counters: Counters::default(),
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

    /// Forgets how the names of a distribution are looked up: it is gone.
    pub fn remove_policy(&self, distribution: &str) {
        let mut policies = self
            .policies
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        policies.remove(distribution);
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
        let policy = self.policy(distribution);
        let key = NameKey::new(distribution, policy, name.candidates().into());
        let purges = self.purges.now();
        let known = self.known.binding(&key, policy, &purges);
        let now = self.known.clock.now();
        if let Some(bound) = known.as_ref().filter(|bound| bound.holds(now)) {
            count(&self.counters.fresh);
            return Ok(Arc::clone(&bound.object));
        }
        let absent = || self.known.absent.get(&key);
        if known.is_none() && absent().is_some_and(|absent| now < absent.until) {
            count(&self.counters.absent);
            return Err(PlayError::NotFound);
        }
        count(&self.counters.checked);
        let asked = (key, purges.last());
        let check = Check {
            key: asked.0.clone(),
            policy,
            clock: self.known.clock.clone(),
            purges,
            known: known.clone(),
            origin: Arc::clone(origin),
            room: self.room.clone(),
            live: self.live.clone(),
            segments: self.segments.clone(),
        };
        // One that nobody waited for to the end is as old as its viewers' leaving.
        self.checks.remove(&asked);
        let (notes, log, of) = (self.known.clone(), self.purges.clone(), asked.clone());
        let checking = move || async move {
            let checked = check.run().await;
            notes.learn(&of, policy, &log, &checked);
            checked
        };
        let mut checking = pin!(self.checks.get_or_render(&asked, checking));
        let soon = timeout(PATIENCE, &mut checking).await;
        let stale = || self.known.serve_stale(&asked.0, known.as_ref()?);
        let checked = match soon {
            Ok(checked) => checked,
            // It goes on without those who wait.
            Err(_) => match stale() {
                Some(object) => return Ok(object),
                None => checking.await,
            },
        };
        self.checks.remove(&asked);
        let checked = checked.map_err(PlayError::from);
        if known::is_silent(&checked)
            && let Some(object) = stale()
        {
            return Ok(object);
        }
        checked.map(|bound| bound.object)
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
        self.known.absent.clear();
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
            served_stale: self.known.served_stale(),
            index_bytes: self.known.bindings.usage().bytes,
        }
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

#[cfg(test)]
mod tests;
