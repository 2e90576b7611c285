//! The memory tier: keys to cheap handles, bounded by the bytes that stand behind them.
//!
//! It is foyer's in-memory cache with S3-FIFO eviction. S3-FIFO, because what is asked for once
//! passes through a queue of a tenth of the room and leaves again, so that one viewer who watches
//! ten cold hours does not push out what a thousand others watch; and because a hit only counts
//! up an atomic under a shared lock of one shard, where LRU and w-TinyLFU move a list node under
//! an exclusive one.
//!
//! That only holds if a use is counted as one. A value stays when two uses of it were seen while it
//! passed through, and the wish that had it rendered is one of them: a segment that a run brought
//! in beforehand and one viewer then watched is as cold as one that he waited for. A viewer sends
//! a segment in many steps and must not pin it between them; so it keeps a [`std::sync::Weak`] of
//! the handle, and asks the cache again only when the weak one is dead. Values are therefore best
//! an [`Arc`].
//!
//! All weights and sizes are in bytes.

use std::hash::{Hash, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use foyer::{Cache, CacheBuilder, S3FifoConfig};

/// The least room of one shard. Eviction is a shard's own business, so a shard must hold many of
/// the largest values, or one of them pushes out everything: this is four of the largest messages
/// that RTMP allows (16 MiB), or 128 ordinary segments.
const SHARD_BYTES_MIN: usize = 64 << 20;

/// The most shards: a hit holds a shard's lock for well under a microsecond, so more would only
/// split the room more finely.
const SHARDS_MAX: usize = 64;

/// Uses after which a value is worth keeping: two viewers, or one who came back.
const USES_TO_STAY: u8 = 2;

/// What a value costs while it is cached.
pub trait Weigh {
    /// Bytes of memory, overhead included.
    fn weight(&self) -> usize;

    /// File descriptors held.
    fn descriptors(&self) -> usize {
        0
    }
}

impl<T: Weigh + ?Sized> Weigh for Arc<T> {
    fn weight(&self) -> usize {
        (**self).weight()
    }

    fn descriptors(&self) -> usize {
        (**self).descriptors()
    }
}

/// How much a memory tier may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemorySize {
    /// Bytes, as [`Weigh::weight`] counts them. A value heavier than a shard (64 MiB, or all of a
    /// smaller cache) is still kept, alone in its shard: the bound is exceeded by at most that.
    pub bytes: usize,
    /// File descriptors, as [`Weigh::descriptors`] counts them: a part of what
    /// [`super::descriptors::raise_descriptor_limit`] came to.
    pub descriptors: usize,
}

impl MemorySize {
    // One bound for both: a descriptor counts as at least its share of the bytes, so that when
    // all bytes are used no more descriptors are than there may be.
    fn charge(self, value: &impl Weigh) -> usize {
        let share = self.bytes.div_ceil(self.descriptors.max(1));
        value
            .weight()
            .max(value.descriptors().saturating_mul(share))
            .max(1)
    }

    fn shards(self) -> usize {
        (self.bytes / SHARD_BYTES_MIN).clamp(1, SHARDS_MAX)
    }
}

/// What a memory tier holds and how it was used, since it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MemoryUse {
    /// Lookups that found their key.
    pub hits: u64,
    /// Lookups that did not.
    pub misses: u64,
    /// Bytes held now, with each descriptor counted as at least its share of the room.
    pub bytes: usize,
    /// Values held now.
    pub entries: usize,
}

/// A bounded map from keys to handles that forgets what is least worth keeping.
#[derive(Debug)]
pub struct Memory<K, V>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    cache: Cache<K, V, RandomState>,
    hits: AtomicU64,
    misses: AtomicU64,
}

impl<K, V> Memory<K, V>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Weigh + Clone + Send + Sync + 'static,
{
    /// An empty tier of this size.
    pub fn new(size: MemorySize) -> Self {
        let cache = CacheBuilder::new(size.bytes)
            .with_shards(size.shards())
            .with_eviction_config(S3FifoConfig {
                small_to_main_freq_threshold: USES_TO_STAY,
                ..S3FifoConfig::default()
            })
            .with_weighter(move |_: &K, value: &V| size.charge(value))
            // Keys hold names that viewers choose; foyer's own hasher is not seeded.
            .with_hash_builder(RandomState::new())
            .build();
        Self {
            cache,
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }
    }

    /// The value of `key`; counts as a use of it, and as a hit or a miss.
    pub fn get(&self, key: &K) -> Option<V> {
        let value = self.peek(key);
        let counter = if value.is_some() {
            &self.hits
        } else {
            &self.misses
        };
        counter.fetch_add(1, Ordering::Relaxed);
        value
    }

    /// The value of `key`; counts as a use, but neither as a hit nor as a miss.
    pub(super) fn peek(&self, key: &K) -> Option<V> {
        self.cache.get(key).map(|entry| entry.value().clone())
    }

    /// Whether there is a value of `key`; counts as nothing.
    pub fn contains(&self, key: &K) -> bool {
        self.cache.contains(key)
    }

    /// Counts a use of `key` that was not a lookup: a viewer got the value from a render that
    /// another had asked for.
    pub(super) fn touch(&self, key: &K) {
        self.cache.touch(key);
    }

    /// Keeps `value` as the value of `key`, in place of an older one.
    pub fn insert(&self, key: K, value: V) {
        self.cache.insert(key, value);
    }

    /// Forgets `key`. Who holds its value keeps it.
    pub fn remove(&self, key: &K) {
        self.cache.remove(key);
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.cache.clear();
    }

    /// What it holds and how it was used.
    pub fn usage(&self) -> MemoryUse {
        MemoryUse {
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
            bytes: self.cache.usage(),
            entries: self.cache.entries(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MIB: usize = 1 << 20;

    #[derive(Debug, Clone, PartialEq)]
    struct Block {
        bytes: usize,
        descriptors: usize,
    }

    impl Weigh for Block {
        fn weight(&self) -> usize {
            self.bytes
        }

        fn descriptors(&self) -> usize {
            self.descriptors
        }
    }

    fn block(bytes: usize) -> Arc<Block> {
        Arc::new(Block {
            bytes,
            descriptors: 1,
        })
    }

    fn memory(bytes: usize, descriptors: usize) -> Memory<u32, Arc<Block>> {
        Memory::new(MemorySize { bytes, descriptors })
    }

    #[test]
    fn finds_what_was_put_in_and_counts() {
        let memory = memory(MIB, 100);
        assert_eq!(memory.get(&1), None);
        memory.insert(1, block(1000));
        memory.insert(2, block(500));
        memory.insert(2, block(300));
        assert_eq!(memory.get(&1), Some(block(1000)));
        assert!(memory.contains(&2) && !memory.contains(&3));
        // A descriptor's share of 1 MiB by 100 is 10,486 bytes.
        let expected = MemoryUse {
            hits: 1,
            misses: 1,
            bytes: 2 * 10_486,
            entries: 2,
        };
        assert_eq!(memory.usage(), expected);
        memory.remove(&1);
        assert_eq!(memory.get(&1), None);
        assert_eq!(memory.usage().entries, 1);
    }

    #[test]
    fn a_forgotten_value_lives_as_long_as_its_holders() {
        let memory = memory(MIB, 100);
        memory.insert(1, block(1000));
        let held = memory.get(&1).unwrap();
        let weak = Arc::downgrade(&held);
        for key in 2..200 {
            memory.insert(key, block(100_000));
        }
        assert!(!memory.contains(&1));
        assert!(weak.upgrade().is_some());
        drop(held);
        assert!(weak.upgrade().is_none());
    }

    #[test]
    fn a_scan_does_not_push_out_what_is_used() {
        let memory = memory(10 * MIB, 1000);
        let hot = 0..8;
        for key in hot.clone() {
            memory.insert(key, block(MIB));
            memory.get(&key);
            memory.get(&key);
        }
        for cold in 100..1100 {
            memory.insert(cold, block(MIB));
            memory.get(&cold);
        }
        let kept = hot.filter(|key| memory.contains(key)).count();
        assert_eq!(kept, 8, "of eight used twice, after a thousand used once");
    }

    #[test]
    fn a_value_heavier_than_the_cache_is_kept_alone() {
        let memory = memory(MIB, 100);
        memory.insert(1, block(1000));
        memory.insert(2, block(5 * MIB));
        assert!(memory.contains(&2) && !memory.contains(&1));
        memory.insert(3, block(1000));
        assert!(memory.contains(&3) && !memory.contains(&2));
    }

    #[test]
    fn shards_are_few_and_never_small() {
        let shards = |bytes| {
            MemorySize {
                bytes,
                descriptors: 1,
            }
            .shards()
        };
        assert_eq!(shards(0), 1);
        assert_eq!(shards(100 * MIB), 1);
        assert_eq!(shards(1024 * MIB), 16);
        assert_eq!(shards(1024 * 1024 * MIB), 64);
    }

    proptest! {
        #[test]
        fn bytes_and_descriptors_stay_bounded(
            weights in proptest::collection::vec((0u32..50, 0usize..300_000, 0usize..2), 1..300),
            descriptors in 4usize..40,
        ) {
            let memory = memory(MIB, descriptors);
            let mut live: Vec<(u32, Arc<Block>)> = Vec::new();
            for (key, bytes, fds) in weights {
                let value = Arc::new(Block { bytes, descriptors: fds });
                memory.insert(key, value.clone());
                live.retain(|(old, _)| *old != key);
                live.push((key, value));
                let usage = memory.usage();
                prop_assert!(usage.bytes <= MIB, "{:?}", usage);
                let kept = live.iter().filter(|(key, _)| memory.contains(key));
                let (count, bytes, fds) = kept.fold((0, 0, 0), |(n, b, d), (_, v)| (n + 1, b + v.bytes, d + v.descriptors));
                prop_assert_eq!(count, usage.entries);
                prop_assert!(bytes <= MIB && fds <= descriptors, "{} bytes, {} descriptors", bytes, fds);
            }
        }
    }
}
