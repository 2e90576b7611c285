//! One question to the origin: what does this name mean now?

use std::sync::Arc;
use std::time::SystemTime;

use futures_util::stream::{FuturesOrdered, StreamExt};
use tracing::debug;

use super::binding::{Bound, Clock, Gone, Live, NameKey, Policy, Watched};
use super::freshness::Declared;
use super::object::{BuildRoom, Object, ObjectKey, PROBE};
use super::purge::Purges;
use super::{PlayError, SegmentCache};
use crate::origin::{self, Condition, Origin, OriginError, Read};

/// One check of one name.
pub(super) struct Check {
    pub(super) key: NameKey,
    pub(super) policy: Policy,
    pub(super) clock: Clock,
    /// The purges up to its start: an answer to a question that was asked before a purge does not
    /// count after it.
    pub(super) purges: Arc<Purges>,
    pub(super) known: Option<Bound>,
    pub(super) origin: Arc<dyn Origin>,
    pub(super) room: BuildRoom,
    pub(super) live: Live,
    pub(super) segments: SegmentCache,
}

impl Check {
    pub(super) async fn run(self) -> Result<Bound, PlayError> {
        if let Some(known) = &self.known {
            let name = known.object.key();
            let condition = Condition::NoneMatch(&name.etag);
            match self.origin.read(&name.key, PROBE, condition).await {
                Ok(Read::NotModified) => {
                    return Ok(self.bind(known.object.clone(), known.gone.clone(), known.declared));
                }
                Ok(Read::Bytes(probe)) => {
                    if probe.etag != name.etag {
                        debug!(key = %name.key, etag = %probe.etag, "object was replaced");
                    }
                    return self.build(Arc::clone(&name.key), probe).await;
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

    /// Binds to the version that was answered: one that is known, or a new one.
    async fn build(&self, key: Arc<str>, probe: origin::Object) -> Result<Bound, PlayError> {
        let declared = Declared::read(probe.cache_control.as_deref(), probe.expires.as_deref());
        let object_key = ObjectKey {
            distribution: self
                .policy
                .scope(&self.key.distribution, &key, &self.purges),
            key,
            etag: probe.etag.clone(),
        };
        if let Some((object, gone)) = self.live.get(&object_key) {
            return Ok(self.bind(object, gone, declared));
        }
        let gone = Gone::default();
        let watched = Watched {
            origin: Arc::clone(&self.origin),
            gone: gone.clone(),
        };
        let object = Object::build(
            object_key,
            Arc::new(watched),
            probe,
            &self.room,
            self.segments.clone(),
        );
        let (object, gone) = self.live.admit(object.await?, gone);
        Ok(self.bind(object, gone, declared))
    }

    fn bind(&self, object: Arc<Object>, gone: Gone, declared: Declared) -> Bound {
        gone.set(false);
        let life = self.policy.freshness.lifetime(declared, SystemTime::now());
        Bound {
            object,
            gone,
            declared,
            until: self.clock.now() + life,
        }
    }
}
