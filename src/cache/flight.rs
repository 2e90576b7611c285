//! The in-flight table: which keys are being rendered now, and who is told when one lands.
//!
//! A mark is the promise to land one key. Whatever ends a render takes its marks out of the
//! table and tells those who wait: a value, an error, a panic, the end of the runtime. So a key
//! can never be stuck.
//!
//! The table is sharded, its locks are held for one map operation, never across an await and
//! never two at once, and a hit in memory does not touch it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// Shards of the table: enough that two cold viewers seldom meet at one lock.
const SHARDS: usize = 16;

/// Why a value could not be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RenderError<E> {
    /// The render said so.
    #[error(transparent)]
    Failed(#[from] E),
    /// The render panicked: a fault of ours, logged where it happened.
    #[error("the render panicked")]
    Panicked,
    /// The render ended without an error and without this key: a fault of ours.
    #[error("the render left out a key that it had claimed")]
    LeftOut,
    /// The server is stopping.
    #[error("the render was stopped")]
    Stopped,
}

/// What a render came to for one key.
pub type Landed<V, E> = Result<V, RenderError<E>>;

type Sender<V, E> = watch::Sender<Option<Landed<V, E>>>;
type Receiver<V, E> = watch::Receiver<Option<Landed<V, E>>>;
type Shard<K, V, E> = Mutex<HashMap<K, Receiver<V, E>>>;

/// The keys in flight.
pub(super) struct Flights<K, V, E> {
    hasher: RandomState,
    shards: [Shard<K, V, E>; SHARDS],
}

/// The answer to a wish to render a key.
pub(super) enum Claim<K: Hash + Eq, V, E> {
    /// It is the caller's to render.
    Ours(Mark<K, V, E>),
    /// Another caller's render is under way.
    InFlight(Arrival<V, E>),
    /// It is in memory by now.
    Cached,
}

impl<K: Hash + Eq + Clone, V, E> Flights<K, V, E> {
    pub(super) fn new() -> Self {
        Self {
            hasher: RandomState::new(),
            shards: std::array::from_fn(|_| Mutex::default()),
        }
    }

    /// Marks `key` as the caller's to render, unless it is in flight or `is_cached` now says that
    /// it is in memory. A render puts its value into memory before the mark goes, so that between
    /// the two nobody can take the key for missing.
    pub(super) fn claim(
        self: &Arc<Self>,
        key: &K,
        is_cached: impl FnOnce() -> bool,
    ) -> Claim<K, V, E> {
        let mut shard = self.shard(key);
        match shard.entry(key.clone()) {
            Entry::Occupied(taken) => Claim::InFlight(Arrival(taken.get().clone())),
            Entry::Vacant(_) if is_cached() => Claim::Cached,
            Entry::Vacant(free) => {
                let (sender, receiver) = watch::channel(None);
                free.insert(receiver);
                Claim::Ours(Mark {
                    flights: Arc::clone(self),
                    key: key.clone(),
                    sender,
                })
            }
        }
    }

    /// Whether a key is in flight.
    pub(super) fn contains(&self, key: &K) -> bool {
        self.shard(key).contains_key(key)
    }

    /// How many keys are in flight.
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }
}

impl<K: Hash + Eq, V, E> Flights<K, V, E> {
    fn shard(&self, key: &K) -> MutexGuard<'_, HashMap<K, Receiver<V, E>>> {
        // The remainder is below SHARDS: a hash cut to the width of usize does as well.
        let index = self.hasher.hash_one(key) as usize % SHARDS;
        lock(&self.shards[index])
    }
}

// Nothing that can panic runs under these locks but a key's own hash and comparison, which leave
// the map whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The promise to land one key. Dropped before it is kept, it lands the key as panicked or
/// stopped.
pub(super) struct Mark<K: Hash + Eq, V, E> {
    flights: Arc<Flights<K, V, E>>,
    key: K,
    sender: Sender<V, E>,
}

impl<K: Hash + Eq, V, E> Mark<K, V, E> {
    pub(super) const fn key(&self) -> &K {
        &self.key
    }

    /// What the render's own caller waits for.
    pub(super) fn arrival(&self) -> Arrival<V, E> {
        Arrival(self.sender.subscribe())
    }

    /// Takes the key out of the table and tells everyone who waits.
    pub(super) fn land(self, landed: Landed<V, E>) {
        self.flights.shard(&self.key).remove(&self.key);
        self.sender.send_replace(Some(landed));
    }
}

impl<K: Hash + Eq, V, E> Drop for Mark<K, V, E> {
    fn drop(&mut self) {
        if self.sender.borrow().is_some() {
            return;
        }
        let error = if std::thread::panicking() {
            RenderError::Panicked
        } else {
            RenderError::Stopped
        };
        self.flights.shard(&self.key).remove(&self.key);
        self.sender.send_replace(Some(Err(error)));
    }
}

/// One caller's wait for a key in flight.
pub(super) struct Arrival<V, E>(Receiver<V, E>);

impl<V: Clone, E: Clone> Arrival<V, E> {
    /// Waits until the key lands. Dropping the wait cancels nothing.
    pub(super) async fn wait(mut self) -> Landed<V, E> {
        match self.0.wait_for(Option::is_some).await {
            Ok(landed) => landed.clone().unwrap_or(Err(RenderError::Stopped)),
            Err(_) => Err(RenderError::Stopped),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Table = Arc<Flights<u32, u32, &'static str>>;

    fn table() -> Table {
        Arc::new(Flights::new())
    }

    fn ours(table: &Table, key: u32) -> Mark<u32, u32, &'static str> {
        match table.claim(&key, || false) {
            Claim::Ours(mark) => mark,
            _ => panic!("key {key} is taken"),
        }
    }

    fn theirs(table: &Table, key: u32) -> Arrival<u32, &'static str> {
        match table.claim(&key, || false) {
            Claim::InFlight(arrival) => arrival,
            _ => panic!("key {key} is not in flight"),
        }
    }

    #[tokio::test]
    async fn a_landing_reaches_all_who_wait_and_clears_the_table() {
        let table = table();
        let mark = ours(&table, 7);
        let (own, first, second) = (mark.arrival(), theirs(&table, 7), theirs(&table, 7));
        assert_eq!(table.len(), 1);
        assert!(table.contains(&7) && !table.contains(&8));
        mark.land(Ok(70));
        assert_eq!(table.len(), 0);
        assert!(!table.contains(&7));
        for arrival in [own, first, second] {
            assert_eq!(arrival.wait().await, Ok(70));
        }
    }

    #[tokio::test]
    async fn a_dropped_mark_frees_its_key() {
        let table = table();
        let mark = ours(&table, 7);
        let arrival = theirs(&table, 7);
        drop(mark);
        assert_eq!(arrival.wait().await, Err(RenderError::Stopped));
        drop(ours(&table, 7));
        assert_eq!(table.len(), 0);
    }

    #[test]
    fn a_key_in_memory_is_not_marked() {
        let table = table();
        assert!(matches!(table.claim(&7, || true), Claim::Cached));
        assert_eq!(table.len(), 0);
    }
}
