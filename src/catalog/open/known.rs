//! What is known of names: what each meant when it was last checked, and which lead nowhere.
//!
//! Checks write down here what they come to, whether or not anybody still waits for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tracing::warn;

use super::super::PlayError;
use super::super::binding::{Absent, Bound, Clock, NameKey, Policy};
use super::super::object::Object;
use super::super::purge::{PurgeLog, Purges};
use crate::cache::{Memory, MemorySize};
use crate::origin::OriginError;

/// After an origin did not answer, how long what is known is served without asking it: as long as
/// one question to an origin that hangs takes by default, so that of the viewers of a name one
/// waits and the others do not.
pub(super) const REST: Duration = Duration::from_secs(10);

/// Memory for names that lead nowhere: some ten thousand ordinary ones.
pub(super) const ABSENT_BYTES: usize = 4 << 20;

/// What is known of names.
#[derive(Debug)]
pub(super) struct Known {
    /// What each name meant when it was last checked.
    pub(super) bindings: Memory<NameKey, Bound>,
    /// Names that lead nowhere.
    pub(super) absent: Memory<NameKey, Absent>,
    pub(super) clock: Clock,
    served_stale: AtomicU64,
}

impl Known {
    /// With indexes of `index_bytes` together.
    pub(super) fn new(index_bytes: usize) -> Self {
        let room = |bytes| MemorySize {
            bytes,
            descriptors: usize::MAX,
        };
        Self {
            bindings: Memory::new(room(index_bytes)),
            absent: Memory::new(room(ABSENT_BYTES)),
            clock: Clock::default(),
            served_stale: AtomicU64::new(0),
        }
    }

    /// What the name was bound to, where it was not purged since.
    pub(super) fn binding(&self, key: &NameKey, policy: Policy, purges: &Purges) -> Option<Bound> {
        let bound = self.bindings.get(key)?;
        let object = bound.object.key();
        let scope = policy.scope(&key.distribution, &object.key, purges);
        (object.distribution == scope).then_some(bound)
    }

    /// Takes in what a check came to that began when `asked` was the last purge.
    pub(super) fn learn(
        &self,
        (key, asked): &(NameKey, u64),
        policy: Policy,
        purges: &PurgeLog,
        checked: &Result<Bound, PlayError>,
    ) {
        match checked {
            Ok(bound) => self.bindings.insert(key.clone(), bound.clone()),
            Err(PlayError::NotFound) => {
                self.bindings.remove(key);
                // An answer from before a purge says nothing of the time after it.
                if !policy.negative_ttl.is_zero() && purges.now().last() == *asked {
                    let until = self.clock.now() + policy.negative_ttl;
                    self.absent.insert(key.clone(), Absent::new(key, until));
                }
            }
            // Neither an origin that does not answer nor credentials that were refused for a moment
            // cost the index.
            Err(PlayError::Origin(_)) => {}
            Err(_) => self.bindings.remove(key),
        }
    }

    /// The last good copy, which counts for a while unless something else was learned meanwhile.
    /// `None` where it is known to be gone.
    pub(super) fn serve_stale(&self, key: &NameKey, known: &Bound) -> Option<Arc<Object>> {
        if known.gone.get() {
            return None;
        }
        let times = self.served_stale.fetch_add(1, Ordering::Relaxed) + 1;
        // Said at the first, second, fourth, eighth ... time.
        if times.is_power_of_two() {
            let key = &known.object.key().key;
            warn!(%key, times, "the origin does not answer: what is known is served");
        }
        let until = self.clock.now() + REST;
        let stays =
            |now: &Bound| Arc::ptr_eq(&now.object, &known.object) && now.until == known.until;
        if self.bindings.get(key).as_ref().is_some_and(stays) {
            let resting = Bound {
                until,
                ..known.clone()
            };
            self.bindings.insert(key.clone(), resting);
        }
        Some(Arc::clone(&known.object))
    }

    /// How many plays of what was known there were.
    pub(super) fn served_stale(&self) -> u64 {
        self.served_stale.load(Ordering::Relaxed)
    }
}

// An origin that is asked for what it does not have answers; one that is unavailable does not.
pub(super) fn is_silent(checked: &Result<Bound, PlayError>) -> bool {
    matches!(
        checked,
        Err(PlayError::Origin(OriginError::Unavailable { .. }))
    )
}
