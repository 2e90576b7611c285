//! `crossdomain.xml` of a bucket: kept, believed and purged like any object (cloudfront.md 2).
//!
//! It does not count where it is not there or may not be read: S3 says 403 of a missing object to
//! those who may not list the bucket, and a policy had to be publicly readable to count. Where the
//! origin does not answer there may well be a restrictive one: then what was last known counts,
//! and where nothing is known that is an error rather than "everybody".

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use tokio_util::task::TaskTracker;

use super::super::PlayError;
use super::super::binding::Policy as Lookup;
use super::super::freshness::{Declared, Freshness};
use super::Objects;
use super::known::REST;
use crate::access::crossdomain::Policy;
use crate::cache::{Memory, MemorySize, RENDERS_MAX, RenderCache, Weigh};
use crate::origin::{Condition, ETag, Object, Origin, OriginError, Read};
use crate::units::ByteRange;

/// The key of a bucket's own policy.
const KEY: &str = "crossdomain.xml";

/// The largest policy that is believed, bytes: a thousand domains fit.
const CROSSDOMAIN_MAX: usize = 64 * 1024;

/// Memory for the policies of all distributions: some thousand ordinary ones.
const MEMORY: usize = 4 << 20;

/// What a policy takes beside its file and its domains, which are no longer than the file.
const OVERHEAD: usize = 256;

/// The cross-domain policy of a distribution's bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrossDomain {
    /// The file.
    pub file: Bytes,
    /// What it says.
    pub policy: Policy,
}

/// What is known of a bucket's policy.
#[derive(Debug, Clone)]
struct Kept {
    /// None: the bucket has none that counts.
    file: Option<Arc<CrossDomain>>,
    etag: Option<ETag>,
    declared: Declared,
    until: Instant,
}

impl Weigh for Kept {
    fn weight(&self) -> usize {
        let file = self.file.as_ref().map_or(0, |it| it.file.len());
        2 * file + OVERHEAD
    }
}

/// The policies of all distributions.
#[derive(Debug)]
pub(super) struct CrossDomains {
    /// By the scope of the key, which a purge or another origin changes.
    kept: Arc<Memory<Arc<str>, Kept>>,
    checks: RenderCache<Arc<str>, Kept, PlayError>,
}

impl CrossDomains {
    pub(super) fn new(tasks: TaskTracker) -> Self {
        let room = |bytes| MemorySize {
            bytes,
            descriptors: usize::MAX,
        };
        Self {
            kept: Arc::new(Memory::new(room(MEMORY))),
            // A finished check is in `kept`.
            checks: RenderCache::new(room(1), RENDERS_MAX, tasks),
        }
    }
}

impl Objects {
    /// The cross-domain policy of a distribution's bucket; `None`: it has none that counts.
    ///
    /// # Errors
    /// The origin does not answer, or its answer cannot be used, and nothing is known.
    pub async fn crossdomain(
        &self,
        distribution: &Arc<str>,
        origin: &Arc<dyn Origin>,
    ) -> Result<Option<Arc<CrossDomain>>, PlayError> {
        let lookup = self.policy(distribution);
        let scope = lookup.scope(distribution, KEY, &self.purges.now());
        let (kept, clock) = (&self.crossdomains.kept, &self.known.clock);
        let known = kept.get(&scope);
        if let Some(known) = known.as_ref().filter(|known| clock.now() < known.until) {
            return Ok(known.file.clone());
        }
        let checks = &self.crossdomains.checks;
        checks.remove(&scope);
        let (origin, kept, place) = (Arc::clone(origin), Arc::clone(kept), scope.clone());
        let (before, clock) = (known.clone(), clock.clone());
        let checking = move || async move {
            let checked = check(origin.as_ref(), before.as_ref(), lookup, clock.now()).await;
            if let Ok(checked) = &checked {
                kept.insert(place, checked.clone());
            }
            checked
        };
        let checked = checks.get_or_render(&scope, checking).await;
        checks.remove(&scope);
        match (checked.map_err(PlayError::from), known) {
            (Ok(checked), _) => Ok(checked.file),
            (Err(PlayError::Origin(OriginError::Unavailable { .. })), Some(mut known)) => {
                known.until = self.known.clock.now() + REST;
                self.crossdomains.kept.insert(scope, known.clone());
                Ok(known.file)
            }
            (Err(error), _) => Err(error),
        }
    }
}

/// Asks the origin what it has now.
async fn check(
    origin: &dyn Origin,
    known: Option<&Kept>,
    lookup: Lookup,
    now: Instant,
) -> Result<Kept, PlayError> {
    let etag = known.and_then(|known| known.etag.as_ref());
    let condition = etag.map_or(Condition::None, Condition::NoneMatch);
    let all = ByteRange::new(0, CROSSDOMAIN_MAX as u64);
    let life = |declared| lookup.freshness.lifetime(declared, SystemTime::now());
    match (origin.read(KEY, all, condition).await, known) {
        (Ok(Read::NotModified), Some(known)) => Ok(Kept {
            until: now + life(known.declared),
            ..known.clone()
        }),
        (Ok(Read::Bytes(object)), _) => {
            let declared =
                Declared::read(object.cache_control.as_deref(), object.expires.as_deref());
            Ok(Kept {
                etag: Some(object.etag.clone()),
                file: Some(Arc::new(whole(object)?)),
                declared,
                until: now + life(declared),
            })
        }
        // There is one, of no bytes: it admits nobody.
        (Err(OriginError::OutOfRange), _) => Ok(Kept {
            file: Some(Arc::new(CrossDomain::new(Bytes::new()))),
            etag: None,
            declared: Declared::Nothing,
            until: now + life(Declared::Nothing),
        }),
        (Err(OriginError::NotFound | OriginError::Forbidden), _) => Ok(Kept {
            file: None,
            etag: None,
            declared: Declared::Nothing,
            until: now + absence(lookup),
        }),
        (Ok(Read::NotModified), None) => {
            Err(OriginError::unavailable("it says that nothing changed that was not known").into())
        }
        (Err(error), _) => Err(error.into()),
    }
}

/// How long it is believed that there is none. Where each play asks the origin, this does too:
/// whoever puts a file there wants to see it.
fn absence(lookup: Lookup) -> Duration {
    match lookup.freshness {
        Freshness::EachPlay => Duration::ZERO,
        Freshness::TimeToLive(_) => lookup.negative_ttl,
    }
}

/// The policy, if it came whole.
fn whole(object: Object) -> Result<CrossDomain, OriginError> {
    if object.bytes.len() as u64 == object.size {
        return Ok(CrossDomain::new(object.bytes));
    }
    let cause = format!("its crossdomain.xml is larger than {CROSSDOMAIN_MAX} bytes");
    Err(OriginError::misconfigured(&*cause))
}

impl CrossDomain {
    fn new(file: Bytes) -> Self {
        Self {
            policy: Policy::parse(&file),
            file,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{NEGATIVE_TTL, Purge};
    use crate::origin::fault::FaultyOrigin;
    use crate::origin::memory::MemoryOrigin;

    const HOUR: Duration = Duration::from_secs(3600);
    const OWN: &str =
        "<cross-domain-policy><allow-access-from domain=\"a.example\"/></cross-domain-policy>";

    struct House {
        objects: Objects,
        origin: Arc<FaultyOrigin<MemoryOrigin>>,
    }

    impl House {
        fn new(freshness: Freshness) -> Self {
            let size = MemorySize {
                bytes: 1 << 20,
                descriptors: 100,
            };
            let tasks = TaskTracker::new();
            let segments = RenderCache::new(size, RENDERS_MAX, tasks.clone());
            let objects = Objects::new(1 << 20, segments, tasks);
            objects.set_policy("d", Lookup::new(freshness, NEGATIVE_TTL, "memory"));
            Self {
                objects,
                origin: Arc::new(FaultyOrigin::new(MemoryOrigin::new())),
            }
        }

        async fn get(&self) -> Result<Option<Arc<CrossDomain>>, PlayError> {
            let origin = Arc::clone(&self.origin) as Arc<dyn Origin>;
            self.objects.crossdomain(&"d".into(), &origin).await
        }

        async fn file(&self) -> Option<String> {
            let own = self.get().await.unwrap()?;
            Some(String::from_utf8(own.file.to_vec()).unwrap())
        }

        /// How many questions one look costs.
        async fn asks(&self) -> u64 {
            let before = self.origin.requests();
            let _ = self.get().await;
            self.origin.requests() - before
        }
    }

    #[tokio::test]
    async fn it_is_believed_as_long_as_any_object() {
        let house = House::new(Freshness::TimeToLive(2 * HOUR));
        assert_eq!(house.file().await, None);
        assert_eq!(house.asks().await, 0, "that there is none is believed too");
        house.objects.known.clock.pass(NEGATIVE_TTL);
        house.origin.inner().put("crossdomain.xml", OWN);
        assert_eq!(house.file().await.as_deref(), Some(OWN));
        assert_eq!(house.asks().await, 0);
        house.origin.inner().put("crossdomain.xml", "");
        assert_eq!(
            house.file().await.as_deref(),
            Some(OWN),
            "the old one counts"
        );
        let key = Purge::Key("crossdomain.xml".into());
        house.objects.purge(None, key).await;
        assert_eq!(
            house.file().await.as_deref(),
            Some(""),
            "there is one, and it is empty"
        );
    }

    #[tokio::test]
    async fn it_is_asked_for_each_time_where_objects_are() {
        let house = House::new(Freshness::EachPlay);
        assert_eq!(house.file().await, None);
        house.origin.inner().put("crossdomain.xml", OWN);
        assert_eq!(house.file().await.as_deref(), Some(OWN));
        assert_eq!(house.asks().await, 1, "a 304");
        assert!(
            house
                .get()
                .await
                .unwrap()
                .unwrap()
                .policy
                .admits_url("http://a.example/")
        );
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_no_permission() {
        let house = House::new(Freshness::EachPlay);
        for error in [
            OriginError::unavailable("down"),
            OriginError::misconfigured("no bucket"),
        ] {
            house.origin.fail_always(error);
            assert!(house.get().await.is_err());
        }
        // What may not be read does not count, and may not even be there.
        house.origin.fail_always(OriginError::Forbidden);
        assert_eq!(house.file().await, None);
        house.origin.heal();
        let large = "x".repeat(CROSSDOMAIN_MAX + 1);
        house.origin.inner().put("crossdomain.xml", large);
        assert!(house.get().await.is_err());
        let fits = "x".repeat(CROSSDOMAIN_MAX);
        house.origin.inner().put("crossdomain.xml", fits.clone());
        assert_eq!(house.file().await, Some(fits));
    }

    #[tokio::test]
    async fn what_is_known_outlives_an_origin_that_does_not_answer() {
        let house = House::new(Freshness::TimeToLive(HOUR));
        house.origin.inner().put("crossdomain.xml", OWN);
        assert!(house.file().await.is_some());
        house.objects.known.clock.pass(2 * HOUR);
        house.origin.fail_always(OriginError::unavailable("down"));
        assert_eq!(house.file().await.as_deref(), Some(OWN));
        assert_eq!(house.asks().await, 0, "and the origin is left alone");
    }
}
