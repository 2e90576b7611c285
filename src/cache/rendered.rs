//! The memory tier together with the renders that fill it: however many viewers ask for a key
//! that is not there, it is rendered once.
//!
//! A caller claims the key that it wants and those after it that nobody has or renders yet: one
//! ranged read of the origin may fill a run of neighbouring segments. The render publishes key by
//! key ([`Run::publish`]), so that the first segment of a run flows while the others are still
//! being read.
//!
//! Where there is a slower tier ([`Tier`]), it is asked first, once for all who wait; a read of it
//! that takes too long goes on side by side with the render, and what comes first is served. A
//! render that is late then is dropped. A read takes none of the turns of renders, so that what is
//! on the disk plays while an origin that hangs holds them all. Of neighbours each is a read of its
//! own, all at the same time; one that fails is left to whoever asks for that key next.
//!
//! A render is a task of its own. A caller that goes away cancels nothing: others may wait for the
//! same key, and even when nobody does, the origin's bytes are mostly paid for and the viewer who
//! seeks back or reconnects finds them. What limits the work is the number of renders that run at
//! once. Errors go to those who wait and are not kept.

use std::fmt;
use std::future::Future;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use super::flight::{Claim, Flights, Landed, Mark, RenderError};
use super::memory::{Memory, MemorySize, MemoryUse, Weigh};
use super::tier::Tier;

/// How many renders run at once by default; more wait their turn. Each holds one ranged read and
/// what it makes of it: about 2 MiB for a run of segments, 128 MiB in all; 8 MiB and one message
/// where a file is badly interleaved. An origin that answers
/// in 50 ms gives 1,280 runs a second at this depth, more than a 10 Gbit/s link carries.
pub const RENDERS_MAX: usize = 64;

/// How often a caller finds its key in flight or just cached, and then gone again, before it gives
/// up. Each time costs a whole render or eviction, so that one repeat nearly always does; the bound
/// is against renders that never keep what they claim.
const TRIES_MAX: usize = 8;

/// How long a slow read of the tier below is still waited for when the render has failed: while the
/// origin is down, a disk that answers late is better than none.
const LAST_WAIT: Duration = Duration::from_secs(5);

/// The memory tier and the renders that fill it. Cloning it is cheap and gives another handle on
/// the same cache.
pub struct RenderCache<K: Hash + Eq + Send + Sync + 'static, V: Send + Sync + 'static, E>(
    Arc<Shared<K, V, E>>,
);

struct Shared<K: Hash + Eq + Send + Sync + 'static, V: Send + Sync + 'static, E> {
    memory: Memory<K, V>,
    tier: Option<Arc<dyn Tier<K, V>>>,
    flights: Arc<Flights<K, V, E>>,
    tasks: TaskTracker,
    /// Where renders run, whoever asks for them: not on the threads that deliver.
    runtime: Handle,
    turns: Semaphore,
    counters: Counters,
}

/// Where values came from that were not in memory.
#[derive(Debug, Default)]
struct Counters {
    rendered: AtomicU64,
    below: AtomicU64,
}

/// Where values came from that were not in memory, since the cache was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SourceUse {
    /// Values that were rendered.
    pub rendered: u64,
    /// Values that the tier below had.
    pub below: u64,
}

impl<K, V, E> RenderCache<K, V, E>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Weigh + Clone + Send + Sync + 'static,
    E: Clone + Send + Sync + 'static,
{
    /// An empty cache of this size. Renders run as tasks of `tasks` on the runtime that this is
    /// called on (there must be one), at most `renders_max` of them at once ([`RENDERS_MAX`]). A
    /// render must not wait for another one of the same cache: with all turns taken both would wait
    /// for ever.
    pub fn new(size: MemorySize, renders_max: usize, tasks: TaskTracker) -> Self {
        Self::over(None, size, renders_max, tasks)
    }

    /// As [`Self::new`], with a slower tier below, if there is one.
    pub fn over(
        tier: Option<Arc<dyn Tier<K, V>>>,
        size: MemorySize,
        renders_max: usize,
        tasks: TaskTracker,
    ) -> Self {
        Self(Arc::new(Shared {
            memory: Memory::new(size),
            tier,
            flights: Arc::new(Flights::new()),
            tasks,
            runtime: Handle::current(),
            turns: Semaphore::new(renders_max.clamp(1, Semaphore::MAX_PERMITS)),
            counters: Counters::default(),
        }))
    }

    /// The value of `key` if it is in memory: the warm way.
    pub fn get(&self, key: &K) -> Option<V> {
        let value = self.0.memory.get(key)?;
        self.used_below(key);
        Some(value)
    }

    /// Whether `key` is in memory. Does not count as a use of it.
    pub fn contains(&self, key: &K) -> bool {
        self.0.memory.contains(key)
    }

    /// Whether `key` is in memory or being rendered now. Does not count as a use of it.
    pub fn is_coming(&self, key: &K) -> bool {
        self.0.flights.contains(key) || self.0.memory.contains(key)
    }

    /// Whether `key` is not in memory and may be in the tier below: neighbours that are come by
    /// reads of it, others by a run.
    pub fn is_below(&self, key: &K) -> bool {
        let tier = self.0.tier.as_ref();
        tier.is_some_and(|tier| !self.0.memory.contains(key) && tier.may_hold(key))
    }

    /// The value of `key` if it is in memory. Counts neither as a hit nor as a miss.
    pub fn peek(&self, key: &K) -> Option<V> {
        self.0.memory.peek(key)
    }

    /// The value of `key`: from memory, from a render in flight, or from `render`, which runs to
    /// its end even when the caller goes away.
    ///
    /// # Errors
    /// What the render, this caller's or another's, ended with. The next caller renders anew.
    pub async fn get_or_render<R, F>(&self, key: &K, render: R) -> Landed<V, E>
    where
        R: FnOnce() -> F + Send + 'static,
        F: Future<Output = Result<V, E>> + Send + 'static,
    {
        let own = key.clone();
        let publish = move |run: Run<K, V, E>| async move {
            let value = render().await?;
            run.publish(own, value);
            Ok(())
        };
        self.get_or_render_run(std::slice::from_ref(key), publish)
            .await
    }

    /// The value of the first of `keys`; the others are its neighbours, in order, that the same
    /// read of the origin could fill. `render` gets the run that it has to do: the first key, and
    /// those after it up to one that is in memory, in flight, or may be in the tier below. It
    /// publishes each as it comes. One that it leaves out (the object ended) is left to whoever asks
    /// for it next. Where the first key may be in the tier below, those after it that may be there
    /// too are read from it.
    ///
    /// # Errors
    /// As [`Self::get_or_render`]; an error goes to all keys of the run not published before it.
    /// [`RenderError::LeftOut`] also when `keys` is empty.
    pub async fn get_or_render_run<R, F>(&self, keys: &[K], render: R) -> Landed<V, E>
    where
        R: FnOnce(Run<K, V, E>) -> F + Send + 'static,
        F: Future<Output = Result<(), E>> + Send + 'static,
    {
        let Some((key, neighbours)) = keys.split_first() else {
            return Err(RenderError::LeftOut);
        };
        if let Some(value) = self.get(key) {
            return Ok(value);
        }
        for _ in 0..TRIES_MAX {
            let landed = match self.claim(key) {
                Claim::Cached => self.0.memory.peek(key).ok_or(RenderError::LeftOut),
                Claim::InFlight(arrival) => arrival.wait().await.inspect(|_| self.used(key)),
                Claim::Ours(mark) => {
                    let arrival = mark.arrival();
                    self.take_off(mark, neighbours, render);
                    return arrival.wait().await.inspect(|_| self.used(key));
                }
            };
            if !matches!(landed, Err(RenderError::LeftOut)) {
                return landed;
            }
        }
        Err(RenderError::LeftOut)
    }

    /// Begins to render a run, as [`Self::get_or_render_run`] does, where nobody has or renders its
    /// first key. Waits for nothing and counts as a use of nothing: for what is brought before
    /// anybody asks for it.
    pub fn begin<R, F>(&self, keys: &[K], render: R)
    where
        R: FnOnce(Run<K, V, E>) -> F + Send + 'static,
        F: Future<Output = Result<(), E>> + Send + 'static,
    {
        if let Some((key, neighbours)) = keys.split_first()
            && let Claim::Ours(mark) = self.claim(key)
        {
            self.take_off(mark, neighbours, render);
        }
    }

    /// Forgets the value of `key` in memory. A render of it that is in flight goes on.
    pub fn remove(&self, key: &K) {
        self.0.memory.remove(key);
    }

    /// Forgets everything in memory.
    #[cfg(test)]
    pub(super) fn clear(&self) {
        self.0.memory.clear();
    }

    /// What the memory tier holds and how it was used.
    pub fn memory_use(&self) -> MemoryUse {
        self.0.memory.usage()
    }

    /// Where values came from that were not in memory.
    pub fn sources(&self) -> SourceUse {
        let counters = &self.0.counters;
        SourceUse {
            rendered: counters.rendered.load(Ordering::Relaxed),
            below: counters.below.load(Ordering::Relaxed),
        }
    }

    /// How many keys are being rendered now.
    pub fn in_flight(&self) -> usize {
        self.0.flights.len()
    }

    fn claim(&self, key: &K) -> Claim<K, V, E> {
        let memory = &self.0.memory;
        self.0.flights.claim(key, || memory.contains(key))
    }

    // A viewer who waited for a render used its value like one who found it.
    fn used(&self, key: &K) {
        self.0.memory.touch(key);
        self.used_below(key);
    }

    fn used_below(&self, key: &K) {
        if let Some(tier) = &self.0.tier {
            tier.used(key);
        }
    }

    /// The tier below, where it may have `key`.
    fn below(&self, key: &K) -> Option<Arc<dyn Tier<K, V>>> {
        let tier = self.0.tier.as_ref()?;
        if !tier.may_hold(key) {
            tier.was_missing();
            return None;
        }
        Some(Arc::clone(tier))
    }

    // Claims the neighbours and starts the render. Nothing here awaits: a caller that goes away
    // has either not claimed anything or handed it over. What is below is read key by key: a run
    // is what one read of the origin brings.
    fn take_off<R, F>(&self, first: Mark<K, V, E>, neighbours: &[K], render: R)
    where
        R: FnOnce(Run<K, V, E>) -> F + Send + 'static,
        F: Future<Output = Result<(), E>> + Send + 'static,
    {
        let (tasks, runtime) = (&self.0.tasks, &self.0.runtime);
        let key = first.key().clone();
        if let Some(tier) = self.below(&key) {
            let run = self.run(vec![first]);
            tasks.spawn_on(look_below(run, key, Arc::clone(&tier), render), runtime);
            self.read_below(neighbours, &tier);
            return;
        }
        let mut marks = vec![first];
        for key in neighbours {
            if self.is_below(key) {
                break;
            }
            let Claim::Ours(mark) = self.claim(key) else {
                break;
            };
            marks.push(mark);
        }
        tasks.spawn_on(carry_out(self.run(marks), render), runtime);
    }

    /// Begins a read for each of `keys` that may be below, up to one that is not.
    fn read_below(&self, keys: &[K], tier: &Arc<dyn Tier<K, V>>) {
        for key in keys {
            if self.is_coming(key) {
                continue;
            }
            if !tier.may_hold(key) {
                return;
            }
            if let Claim::Ours(mark) = self.claim(key) {
                let bringing = bring_from_below(self.run(vec![mark]), key.clone(), tier.clone());
                self.0.tasks.spawn_on(bringing, &self.0.runtime);
            }
        }
    }

    fn run(&self, marks: Vec<Mark<K, V, E>>) -> Run<K, V, E> {
        Run(Arc::new(Claimed {
            cache: self.clone(),
            keys: marks.iter().map(|mark| mark.key().clone()).collect(),
            marks: Mutex::new(marks),
        }))
    }
}

/// Reads the one key of the run from the tier below, before anybody asks for it. Where that fails,
/// or takes long, whoever waits for it looks again, and may render it.
async fn bring_from_below<K, V, E>(run: Run<K, V, E>, key: K, tier: Arc<dyn Tier<K, V>>)
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Weigh + Clone + Send + Sync + 'static,
    E: Clone + Send + Sync + 'static,
{
    let mut reading = tier.fetch(&key);
    let found = match timeout(tier.patience(), &mut reading).await {
        Ok(found) => found,
        Err(_) => {
            tier.was_slow();
            run.land_rest(&RenderError::LeftOut);
            // It may still be in time for whoever comes there later.
            timeout(LAST_WAIT, reading).await.ok().flatten()
        }
    };
    match found {
        Some(value) => run.land_from_below(key, value),
        None => run.land_rest(&RenderError::LeftOut),
    }
}

/// Reads the one key of the run from the tier below; renders it where that fails or takes long.
async fn look_below<K, V, E, R, F>(run: Run<K, V, E>, key: K, tier: Arc<dyn Tier<K, V>>, render: R)
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Weigh + Clone + Send + Sync + 'static,
    E: Clone + Send + Sync + 'static,
    R: FnOnce(Run<K, V, E>) -> F,
    F: Future<Output = Result<(), E>>,
{
    let mut reading = tier.fetch(&key);
    match timeout(tier.patience(), &mut reading).await {
        Ok(Some(value)) => run.land_from_below(key, value),
        Ok(None) => carry_out(run, render).await,
        Err(_) => {
            tier.was_slow();
            race(run, key, reading, render).await;
        }
    }
}

/// Renders beside a read of the tier below that takes long. What comes first is served; where the
/// render fails, the read is waited for.
async fn race<K, V, E, R, F>(
    run: Run<K, V, E>,
    key: K,
    mut reading: BoxFuture<'static, Option<V>>,
    render: R,
) where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Weigh + Clone + Send + Sync + 'static,
    E: Clone + Send + Sync + 'static,
    R: FnOnce(Run<K, V, E>) -> F,
    F: Future<Output = Result<(), E>>,
{
    let rendering = rendered(run.clone(), render);
    tokio::pin!(rendering);
    let (found, ended) = tokio::select! {
        found = &mut reading => match found {
            Some(value) => (Some(value), None),
            None => (None, Some(rendering.await)),
        },
        ended = &mut rendering => {
            let failed = matches!(ended, RenderError::Failed(_));
            let late = if failed { timeout(LAST_WAIT, reading).await } else { Ok(None) };
            (late.ok().flatten(), Some(ended))
        }
    };
    if let Some(value) = found {
        run.land_from_below(key, value);
    }
    if let Some(ended) = ended {
        run.land_rest(&ended);
    }
}

async fn carry_out<K, V, E, R, F>(run: Run<K, V, E>, render: R)
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Weigh + Clone + Send + Sync + 'static,
    E: Clone + Send + Sync + 'static,
    R: FnOnce(Run<K, V, E>) -> F,
    F: Future<Output = Result<(), E>>,
{
    let ended = rendered(run.clone(), render).await;
    run.land_rest(&ended);
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Waits for a turn and renders; what it comes to for the keys that were not published.
async fn rendered<K, V, E, R, F>(run: Run<K, V, E>, render: R) -> RenderError<E>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Weigh + Clone + Send + Sync + 'static,
    E: Clone + Send + Sync + 'static,
    R: FnOnce(Run<K, V, E>) -> F,
    F: Future<Output = Result<(), E>>,
{
    // Never closed: an error cannot come.
    let Ok(_turn) = run.0.cache.0.turns.acquire().await else {
        return RenderError::Stopped;
    };
    match render(run.clone()).await {
        Ok(()) => RenderError::LeftOut,
        Err(error) => RenderError::Failed(error),
    }
}

/// What one render has to do: a run of neighbouring keys that nobody else renders.
pub struct Run<K: Hash + Eq + Send + Sync + 'static, V: Send + Sync + 'static, E>(
    Arc<Claimed<K, V, E>>,
);

struct Claimed<K: Hash + Eq + Send + Sync + 'static, V: Send + Sync + 'static, E> {
    cache: RenderCache<K, V, E>,
    keys: Vec<K>,
    marks: Mutex<Vec<Mark<K, V, E>>>,
}

impl<K, V, E> Run<K, V, E>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Weigh + Clone + Send + Sync + 'static,
    E: Clone + Send + Sync + 'static,
{
    /// The keys that were to be rendered from the start, in order; at least one.
    pub fn keys(&self) -> &[K] {
        &self.0.keys
    }

    /// Takes one more key into the run, unless somebody has or renders it; whether it was taken.
    /// For a render that finds out on its way that it can do more.
    pub fn extend(&self, key: &K) -> bool {
        let Claim::Ours(mark) = self.0.cache.claim(key) else {
            return false;
        };
        self.marks().push(mark);
        true
    }

    /// Puts the value of `key` into memory and gives it to all who wait for it. A key outside the
    /// run, or published before, only goes into memory. It goes to the tier below as well.
    pub fn publish(&self, key: K, value: V) {
        if let Some(tier) = &self.0.cache.0.tier {
            tier.keep(&key, &value);
        }
        count(&self.0.cache.0.counters.rendered);
        self.land(key, value);
    }

    fn land_from_below(&self, key: K, value: V) {
        count(&self.0.cache.0.counters.below);
        self.land(key, value);
    }

    fn land(&self, key: K, value: V) {
        let mark = {
            let mut marks = self.marks();
            let index = marks.iter().position(|mark| *mark.key() == key);
            index.map(|index| marks.swap_remove(index))
        };
        self.0.cache.0.memory.insert(key, value.clone());
        if let Some(mark) = mark {
            mark.land(Ok(value));
        }
    }

    fn land_rest(&self, error: &RenderError<E>) {
        let rest = std::mem::take(&mut *self.marks());
        for mark in rest {
            mark.land(Err(error.clone()));
        }
    }

    fn marks(&self) -> MutexGuard<'_, Vec<Mark<K, V, E>>> {
        self.0.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Hash + Eq + Send + Sync + 'static, V: Send + Sync + 'static, E> Clone for Run<K, V, E> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K: Hash + Eq + Send + Sync + 'static, V: Send + Sync + 'static, E> Clone
    for RenderCache<K, V, E>
{
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K: Hash + Eq + Send + Sync + 'static, V: Send + Sync + 'static, E> fmt::Debug
    for RenderCache<K, V, E>
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RenderCache").finish_non_exhaustive()
    }
}

impl<K: Hash + Eq + fmt::Debug + Send + Sync + 'static, V: Send + Sync + 'static, E> fmt::Debug
    for Run<K, V, E>
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Run").field(&self.0.keys).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::sync::oneshot;
    use tokio::task::{JoinSet, yield_now};

    type TestCache = RenderCache<u32, Vec<u8>, &'static str>;

    impl Weigh for Vec<u8> {
        fn weight(&self) -> usize {
            self.len()
        }
    }

    fn cache() -> TestCache {
        cache_of(1 << 20, RENDERS_MAX)
    }

    fn cache_of(bytes: usize, renders_max: usize) -> TestCache {
        let size = MemorySize {
            bytes,
            descriptors: 1000,
        };
        RenderCache::new(size, renders_max, TaskTracker::new())
    }

    /// A tier that has every key, and gives it when it is told to.
    #[derive(Debug, Default)]
    struct Late {
        gate: Arc<tokio::sync::Notify>,
        slow: AtomicUsize,
        kept: Mutex<Vec<u32>>,
    }

    impl Tier<u32, Vec<u8>> for Late {
        fn may_hold(&self, _: &u32) -> bool {
            true
        }

        fn was_missing(&self) {}

        fn fetch(&self, key: &u32) -> BoxFuture<'static, Option<Vec<u8>>> {
            let (gate, key) = (Arc::clone(&self.gate), *key);
            Box::pin(async move {
                gate.notified().await;
                (key != 0).then(|| vec![1])
            })
        }

        fn patience(&self) -> Duration {
            Duration::from_millis(1)
        }

        fn was_slow(&self) {
            self.slow.fetch_add(1, Ordering::SeqCst);
        }

        fn keep(&self, key: &u32, _: &Vec<u8>) {
            self.kept.lock().unwrap().push(*key);
        }

        fn used(&self, _: &u32) {}
    }

    fn over(tier: &Arc<Late>) -> TestCache {
        let size = MemorySize {
            bytes: 1 << 20,
            descriptors: 1000,
        };
        let tier = Arc::clone(tier) as _;
        RenderCache::over(Some(tier), size, RENDERS_MAX, TaskTracker::new())
    }

    #[tokio::test]
    async fn a_slow_tier_is_raced_by_the_render() {
        let tier = Arc::new(Late::default());
        let cache = over(&tier);
        let rendered = cache.get_or_render(&7, async || Ok(vec![2])).await;
        assert_eq!(rendered, Ok(vec![2]));
        assert_eq!(tier.slow.load(Ordering::SeqCst), 1);
        assert_eq!(*tier.kept.lock().unwrap(), [7]);
        settle(&cache).await;
    }

    #[tokio::test]
    async fn a_slow_tier_may_still_be_the_first() {
        let tier = Arc::new(Late::default());
        let cache = over(&tier);
        let gate = Arc::clone(&tier.gate);
        let hangs = async move || {
            gate.notify_one();
            std::future::pending().await
        };
        assert_eq!(cache.get_or_render(&7, hangs).await, Ok(vec![1]));
        assert!(tier.kept.lock().unwrap().is_empty(), "it is there already");
        settle(&cache).await;
    }

    #[tokio::test]
    async fn a_slow_tier_saves_what_cannot_be_rendered() {
        let tier = Arc::new(Late::default());
        let cache = over(&tier);
        let gate = Arc::clone(&tier.gate);
        let fails = async move || {
            // It comes when the render has failed.
            tokio::spawn(async move {
                yield_now().await;
                gate.notify_one();
            });
            Err("down")
        };
        assert_eq!(cache.get_or_render(&7, fails).await, Ok(vec![1]));
        let gate = Arc::clone(&tier.gate);
        let fails = async move || {
            gate.notify_one();
            Err("down")
        };
        let failed = cache.get_or_render(&0, fails).await;
        assert_eq!(failed, Err(RenderError::Failed("down")));
        settle(&cache).await;
    }

    #[tokio::test]
    async fn what_the_tier_lost_is_rendered() {
        let tier = Arc::new(Late::default());
        let cache = over(&tier);
        tier.gate.notify_one();
        let rendered = cache.get_or_render(&0, async || Ok(vec![2])).await;
        assert_eq!(rendered, Ok(vec![2]));
        // Also where that comes out late.
        cache.clear();
        let gate = Arc::clone(&tier.gate);
        let slow = async move || {
            gate.notify_one();
            yield_now().await;
            Ok(vec![3])
        };
        assert_eq!(cache.get_or_render(&0, slow).await, Ok(vec![3]));
        settle(&cache).await;
    }

    /// A neighbour whose read takes long does not hold up whoever waits for it.
    #[tokio::test]
    async fn a_neighbour_that_comes_slowly_is_rendered_by_who_waits_for_it() {
        let tier = Arc::new(Late::default());
        let cache = over(&tier);
        let publish = async |run: Run<u32, Vec<u8>, &'static str>| {
            let key = run.keys()[0];
            run.publish(key, vec![2]);
            Ok(())
        };
        let first = cache.get_or_render_run(&[6, 7], publish).await;
        assert_eq!(first, Ok(vec![2]));
        let next = cache.get_or_render(&7, async || Ok(vec![3])).await;
        assert_eq!(next, Ok(vec![3]));
        // The reads go on for a while.
        tier.gate.notify_waiters();
        settle(&cache).await;
    }

    async fn settle(cache: &TestCache) {
        cache.0.tasks.close();
        cache.0.tasks.wait().await;
        assert_eq!(cache.in_flight(), 0, "marks are left over");
    }

    #[tokio::test]
    async fn what_is_begun_or_taken_in_is_rendered_once_and_counts_as_no_use() {
        let cache = cache();
        let (go, wait) = oneshot::channel::<()>();
        cache.begin(&[1], async move |run: Run<_, _, _>| {
            wait.await.unwrap();
            assert!(run.extend(&2) && !run.extend(&2) && run.extend(&3));
            run.publish(1, vec![1]);
            run.publish(2, vec![2]);
            Ok(())
        });
        cache.begin(&[1], async |_| panic!("it is rendered already"));
        cache.begin(&[], async |_| panic!("there is nothing to render"));
        go.send(()).unwrap();
        assert_eq!(
            cache.get_or_render(&1, async || Ok(vec![9])).await,
            Ok(vec![1])
        );
        assert!(cache.is_coming(&2));
        // What was taken in and left out is rendered by whoever asks for it.
        assert_eq!(
            cache.get_or_render(&3, async || Ok(vec![3])).await,
            Ok(vec![3])
        );
        assert_eq!(cache.get(&2), Some(vec![2]));
        settle(&cache).await;
        assert!(!cache.is_coming(&4));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_hundred_callers_cost_one_render() {
        let (cache, renders) = (cache(), Arc::new(AtomicUsize::new(0)));
        let mut callers = JoinSet::new();
        for _ in 0..100 {
            let (cache, renders) = (cache.clone(), Arc::clone(&renders));
            callers.spawn(async move {
                let render = async move || {
                    renders.fetch_add(1, Ordering::SeqCst);
                    yield_now().await;
                    Ok(vec![7; 10])
                };
                cache.get_or_render(&1, render).await
            });
        }
        while let Some(landed) = callers.join_next().await {
            assert_eq!(landed.unwrap(), Ok(vec![7; 10]));
        }
        assert_eq!(renders.load(Ordering::SeqCst), 1);
        assert_eq!(cache.get(&1), Some(vec![7; 10]));
        settle(&cache).await;
    }

    #[tokio::test]
    async fn a_caller_that_goes_away_cancels_nothing() {
        let cache = cache();
        let (go, gate) = oneshot::channel::<()>();
        let render = async move || {
            gate.await.unwrap();
            Ok(vec![1])
        };
        let first = tokio::spawn({
            let cache = cache.clone();
            async move { cache.get_or_render(&1, render).await }
        });
        yield_now().await;
        assert_eq!(cache.in_flight(), 1);
        let second = tokio::spawn({
            let cache = cache.clone();
            async move {
                cache
                    .get_or_render(&1, async || Err("a second render"))
                    .await
            }
        });
        yield_now().await;
        first.abort();
        assert!(first.await.unwrap_err().is_cancelled());
        go.send(()).unwrap();
        assert_eq!(second.await.unwrap(), Ok(vec![1]));
        settle(&cache).await;
    }

    #[tokio::test]
    async fn a_render_that_nobody_waits_for_fills_the_cache() {
        let cache = cache();
        let (go, gate) = oneshot::channel::<()>();
        let render = async move || {
            gate.await.unwrap();
            Ok(vec![1])
        };
        let only = tokio::spawn({
            let cache = cache.clone();
            async move { cache.get_or_render(&1, render).await }
        });
        yield_now().await;
        only.abort();
        only.await.unwrap_err();
        go.send(()).unwrap();
        settle(&cache).await;
        assert_eq!(cache.get(&1), Some(vec![1]));
    }

    #[tokio::test]
    async fn a_panic_reaches_all_who_wait_and_leaves_nothing() {
        let cache = cache();
        let (go, gate) = oneshot::channel::<()>();
        let render = async move || {
            gate.await.unwrap();
            panic!("a fault of the render, on purpose")
        };
        let mut callers = JoinSet::new();
        let starter = cache.clone();
        callers.spawn(async move { starter.get_or_render(&1, render).await });
        yield_now().await;
        for _ in 0..9 {
            let cache = cache.clone();
            callers.spawn(async move { cache.get_or_render(&1, async || Ok(vec![2])).await });
        }
        yield_now().await;
        go.send(()).unwrap();
        for landed in callers.join_all().await {
            assert_eq!(landed, Err(RenderError::Panicked));
        }
        assert_eq!(cache.in_flight(), 0);
        let next = cache.get_or_render(&1, async || Ok(vec![3])).await;
        assert_eq!(next, Ok(vec![3]));
        settle(&cache).await;
    }

    #[tokio::test]
    async fn a_failure_is_told_and_not_kept() {
        let cache = cache();
        let failed = cache
            .get_or_render(&1, async || Err("no such object"))
            .await;
        assert_eq!(failed, Err(RenderError::Failed("no such object")));
        let next = cache.get_or_render(&1, async || Ok(vec![1])).await;
        assert_eq!(next, Ok(vec![1]));
        settle(&cache).await;
    }

    #[tokio::test]
    async fn a_run_ends_where_another_begins_and_flows_as_it_comes() {
        let cache = cache();
        cache.get_or_render(&4, async || Ok(vec![4])).await.unwrap();
        let (go, gate) = oneshot::channel::<()>();
        let render = async move |run: Run<u32, Vec<u8>, &'static str>| {
            assert_eq!(run.keys(), [1, 2, 3], "4 is in memory");
            run.publish(1, vec![1]);
            gate.await.unwrap();
            run.publish(2, vec![2]);
            Err("the origin broke off")
        };
        let first = cache.get_or_render_run(&[1, 2, 3, 4, 5], render).await;
        assert_eq!(first, Ok(vec![1]), "before the run is done");
        assert_eq!(cache.in_flight(), 2);

        let mut waiting = JoinSet::new();
        for key in [2, 3] {
            let cache = cache.clone();
            waiting.spawn(async move {
                let landed = cache
                    .get_or_render(&key, async || Err("rendered twice"))
                    .await;
                (key, landed)
            });
        }
        let fresh = async |run: Run<u32, Vec<u8>, &'static str>| {
            assert_eq!(run.keys(), [0], "1 is in memory");
            run.publish(0, vec![0]);
            Ok(())
        };
        assert_eq!(
            cache.get_or_render_run(&[0, 1, 2], fresh).await,
            Ok(vec![0])
        );
        yield_now().await;
        go.send(()).unwrap();
        let mut landed = waiting.join_all().await;
        landed.sort_by_key(|(key, _)| *key);
        let broke_off = Err(RenderError::Failed("the origin broke off"));
        assert_eq!(landed, [(2, Ok(vec![2])), (3, broke_off)]);
        settle(&cache).await;
    }

    #[tokio::test]
    async fn a_key_left_out_of_a_run_is_rendered_by_who_waits_for_it() {
        let cache = cache();
        let (go, gate) = oneshot::channel::<()>();
        let short = async move |run: Run<u32, Vec<u8>, &'static str>| {
            run.publish(1, vec![1]);
            gate.await.unwrap();
            Ok(())
        };
        cache.get_or_render_run(&[1, 2], short).await.unwrap();
        let waiting = tokio::spawn({
            let cache = cache.clone();
            async move { cache.get_or_render(&2, async || Ok(vec![2])).await }
        });
        yield_now().await;
        go.send(()).unwrap();
        assert_eq!(waiting.await.unwrap(), Ok(vec![2]));

        let nothing = async |_| Ok(());
        assert_eq!(
            cache.get_or_render_run(&[9], nothing).await,
            Err(RenderError::LeftOut)
        );
        assert_eq!(
            cache.get_or_render_run(&[], nothing).await,
            Err(RenderError::LeftOut)
        );
        settle(&cache).await;
    }

    #[tokio::test]
    async fn renders_take_turns() {
        let cache = cache_of(1 << 20, 3);
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let mut callers = JoinSet::new();
        for key in 0..20 {
            let (cache, now, most) = (cache.clone(), Arc::clone(&now), Arc::clone(&most));
            callers.spawn(async move {
                let render = async move || {
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    yield_now().await;
                    now.fetch_sub(1, Ordering::SeqCst);
                    Ok(vec![0])
                };
                cache.get_or_render(&key, render).await
            });
        }
        assert!(callers.join_all().await.iter().all(Result::is_ok));
        assert_eq!(most.load(Ordering::SeqCst), 3);
        settle(&cache).await;
    }

    #[tokio::test]
    async fn what_was_evicted_is_rendered_again() {
        let cache = cache_of(1000, RENDERS_MAX);
        for round in 0..2 {
            for key in 0..50 {
                let value = vec![key as u8; 300];
                let expected = value.clone();
                let landed = cache.get_or_render(&key, async || Ok(value)).await;
                assert_eq!(landed, Ok(expected), "round {round}");
                assert!(cache.memory_use().bytes <= 1000);
            }
        }
        assert_eq!(cache.memory_use().misses, 100);
        settle(&cache).await;
    }

    #[tokio::test]
    async fn one_viewer_of_much_does_not_push_out_what_many_watch() {
        let cache = cache_of(100_000, RENDERS_MAX);
        let value = || vec![0; 1000];
        for key in 0..50 {
            cache
                .get_or_render(&key, async move || Ok(value()))
                .await
                .unwrap();
            cache
                .get_or_render(&key, async || Err("it is in memory"))
                .await
                .unwrap();
        }
        // The scan: runs of four, each segment watched once.
        for start in (1000..3000).step_by(4) {
            let keys: Vec<u32> = (start..start + 4).collect();
            let render = async move |run: Run<u32, Vec<u8>, &'static str>| {
                for key in run.keys() {
                    run.publish(*key, value());
                }
                Ok(())
            };
            cache.get_or_render_run(&keys, render).await.unwrap();
            for key in &keys[1..] {
                cache
                    .get_or_render(key, async || Err("its run has it"))
                    .await
                    .unwrap();
            }
        }
        let kept = (0..50).filter(|key| cache.get(key).is_some()).count();
        assert_eq!(kept, 50);
        settle(&cache).await;
    }

    #[test]
    fn the_end_of_the_runtime_lands_what_is_in_flight() {
        let runtime = || {
            tokio::runtime::Builder::new_current_thread()
                .build()
                .unwrap()
        };
        let (short, long) = (runtime(), runtime());
        // Renders run where the cache was made, whoever asks for them.
        let cache = short.block_on(async { cache() });
        let starter = cache.clone();
        short.block_on(async move {
            let never = async || std::future::pending().await;
            tokio::spawn(async move { starter.get_or_render(&1, never).await });
            yield_now().await;
        });
        assert_eq!(cache.in_flight(), 1);
        let Claim::InFlight(arrival) = cache.claim(&1) else {
            panic!("the key is not in flight");
        };
        drop(short);
        assert_eq!(long.block_on(arrival.wait()), Err(RenderError::Stopped));
        assert_eq!(cache.in_flight(), 0);
    }
}
