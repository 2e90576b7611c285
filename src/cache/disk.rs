//! The disk tier: values that left memory, or were there before a restart.
//!
//! Below is foyer's block store: values are appended to blocks, each with a checksum, and found
//! again at the next start; the oldest block is evicted as a whole. What this file and its folder
//! add is what makes it safe to stand in front of viewers: a digest over key and value (`codec`),
//! bounds on what waits and on what is read at once, a runtime of its own, so that a disk that
//! hangs takes no thread that viewers need, and the care for what is hot (`heat`).
//!
//! A disk that is missing, full, read-only, slow or corrupt is a miss, never an error. Values are
//! written when they are made, in the background. After SIGTERM what waits is written; after
//! kill -9 it is lost.
//!
//! Memory: two buffers of `BUFFER` (20 MiB each, touched as far as a burst fills them), at most
//! `QUEUE_MAX` of values that wait (most of them are in the memory tier too), at most `READS_MAX`
//! reads of a value each, 30 bytes or so for each value on the disk, and at most 4 MiB of counts.
//!
//! Sizes are bytes.

use std::fmt;
use std::future::ready;
use std::hash::Hash;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use foyer::{
    BlockEngineConfig, DeviceBuilder, FifoPicker, FsDeviceBuilder, HybridCache, HybridCacheBuilder,
    HybridCachePolicy, Load, PsyncIoEngineConfig, RecoverMode, Spawner, StorageFilter,
};
use futures_util::future::{BoxFuture, FutureExt};
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::tier::Tier;
use folder::Folder;
use heat::{Heat, KeepHot};
use parcel::{GivenHash, Name, Out, Parcel, Queued, Writes, hash_of};

mod codec;
mod folder;
mod heat;
mod parcel;

pub use codec::{Stored, StoredKey, VALUE_MAX};

/// The least disk that is any use: sixteen of the smallest blocks.
pub const CAPACITY_MIN: u64 = 64 << 20;

/// How long a read is waited for before the origin is asked as well: a busy rotating disk needs
/// some 20 ms, a near S3 origin answers within 50 to 100.
const PATIENCE: Duration = Duration::from_millis(100);

/// Reads at once; more are misses. Each holds a value twice: 16 MiB in all for ordinary segments,
/// 128 MiB for the largest. A disk that hangs holds so many threads of its own runtime.
const READS_MAX: usize = 16;

/// Bytes of values that may wait to be written; what comes above is not kept. Four seconds of a
/// disk that writes 4 MiB a second beside an origin of the same speed.
const QUEUE_MAX: usize = 16 << 20;

/// One of the two buffers in which values are gathered. What comes while the other one is being
/// written must fit into it, or the store drops it: so it holds all that may wait, and hot values
/// of a block that is being evicted (`heat`).
const BUFFER: usize = QUEUE_MAX + (4 << 20);

/// A block is this part of the disk, within [`BLOCK_MIN`] and [`BLOCK_MAX`]: what is evicted at
/// once should be little, and each block takes a descriptor.
const BLOCKS: usize = 1024;

/// The smallest block: it must hold the largest value.
const BLOCK_MIN: usize = VALUE_MAX + (64 << 10);

/// The largest block.
const BLOCK_MAX: usize = 256 << 20;

/// Blocks, and thus lengths of files, are whole pages.
const PAGE: usize = 4096;

/// Threads of the tier's own runtime that are not for reads: for writes and blocks being cleaned.
const OTHER_THREADS: usize = 8;

/// For the directory to be locked, what is there to be looked through, and the room to be taken at
/// the start; a server must not wait for ever.
const OPEN_LIMIT: Duration = Duration::from_secs(60);

/// For what waits to be written at the end.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);

/// Why there is no disk tier.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// The directory cannot be used.
    #[error("{0}")]
    Folder(#[from] std::io::Error),
    /// The store cannot be opened.
    #[error("{0}")]
    Store(#[from] foyer::Error),
    /// Taking the directory, looking through it, or taking the room took too long.
    #[error("it could not be opened within {} s", OPEN_LIMIT.as_secs())]
    Slow,
}

/// What the disk tier did since it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DiskUse {
    /// Reads that found their value whole.
    pub hits: u64,
    /// Lookups of what is not there.
    pub misses: u64,
    /// Reads that failed, or found something else than what was written.
    pub errors: u64,
    /// Reads that took longer than they are waited for, or were not begun because too many were
    /// under way.
    pub slow: u64,
    /// Bytes that were read and found whole.
    pub bytes_read: u64,
    /// Bytes that were written.
    pub bytes_written: u64,
    /// Values that were not written: too many waited, or too large.
    pub dropped: u64,
    /// Bytes that wait to be written now.
    pub queued: u64,
    /// Bytes of the disk that it takes.
    pub capacity: u64,
}

#[derive(Debug, Default)]
struct Counters {
    hits: AtomicU64,
    misses: AtomicU64,
    errors: AtomicU64,
    slow: AtomicU64,
    bytes_read: AtomicU64,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

type Store<V> = HybridCache<Name, Parcel<V>, GivenHash>;

/// Values on a disk. Cloning it gives another handle on the same.
pub struct Disk<V: Stored + Send + Sync + 'static>(Arc<Shared<V>>);

struct Shared<V: Stored + Send + Sync + 'static> {
    store: Store<V>,
    spawner: Spawner,
    _threads: Threads,
    heat: Arc<Heat>,
    writes: Arc<Writes>,
    reads: Arc<Semaphore>,
    counters: Counters,
    capacity: usize,
    files: usize,
    _folder: Folder,
}

impl<V: Stored + Clone + Send + Sync + 'static> Disk<V> {
    /// Opens the tier in `directory`, with what is there already, and takes `capacity` bytes of
    /// the disk.
    ///
    /// # Errors
    /// The directory cannot be used, or is another server's, or there is not so much room.
    pub async fn open(directory: &Path, capacity: u64) -> Result<Self, DiskError> {
        Self::open_within(OPEN_LIMIT, directory, capacity).await
    }

    async fn open_within(
        limit: Duration,
        directory: &Path,
        capacity: u64,
    ) -> Result<Self, DiskError> {
        let opening = Self::take(directory, capacity);
        timeout(limit, opening).await.map_err(|_| DiskError::Slow)?
    }

    async fn take(directory: &Path, capacity: u64) -> Result<Self, DiskError> {
        let capacity = usize::try_from(capacity).unwrap_or(usize::MAX);
        let block = (capacity / BLOCKS).clamp(BLOCK_MIN, BLOCK_MAX) / PAGE * PAGE;
        let capacity = capacity / block * block;
        let root = directory.to_path_buf();
        let heat = Arc::new(Heat::new(capacity, block));
        // From here on the disk is touched on these alone: nobody else waits where it hangs.
        let threads = Threads::start()?;
        let spawner = threads.spawner();
        let taken = spawner.spawn_blocking(move || Folder::take(&root, capacity, block));
        let folder = taken.await.map_err(std::io::Error::other)??;
        let store = build(&folder, capacity, block, &heat, spawner.clone()).await?;
        let reserving = spawner.spawn_blocking(move || {
            let reserved = folder.reserve();
            reserved.inspect_err(|_| folder.give_up()).map(|()| folder)
        });
        let folder = reserving.await.map_err(std::io::Error::other)??;
        Ok(Self(Arc::new(Shared {
            store,
            spawner,
            _threads: threads,
            heat,
            writes: Arc::default(),
            reads: Arc::new(Semaphore::new(READS_MAX)),
            counters: Counters::default(),
            capacity,
            files: capacity / block,
            _folder: folder,
        })))
    }

    /// What it did so far.
    pub fn usage(&self) -> DiskUse {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (counters, writes) = (&self.0.counters, &self.0.writes);
        DiskUse {
            hits: get(&counters.hits),
            misses: get(&counters.misses),
            errors: get(&counters.errors),
            slow: get(&counters.slow),
            bytes_read: get(&counters.bytes_read),
            bytes_written: get(&writes.bytes),
            dropped: get(&writes.dropped),
            queued: get(&writes.queued),
            capacity: self.0.capacity as u64,
        }
    }

    /// File descriptors that it holds.
    pub fn descriptors(&self) -> usize {
        // And that of the lock.
        self.0.files + 1
    }

    /// Writes what waits. Nothing is kept after that.
    pub async fn close(&self) {
        match timeout(CLOSE_LIMIT, self.0.store.close()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the disk cache could not be closed"),
            Err(_) => tracing::warn!("the disk cache did not take in time what waited for it"),
        }
    }

    /// Waits until all that was kept so far is written.
    #[cfg(test)]
    pub(super) async fn flush(&self) {
        self.0.store.storage().wait().await;
    }
}

/// Threads of its own: where a disk hangs, nothing else does. They end with this, whatever they
/// do; the store by itself would never let go of them.
struct Threads(Option<Runtime>);

impl Threads {
    fn start() -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .thread_name("disk-cache")
            .worker_threads(2)
            .max_blocking_threads(2 * READS_MAX + OTHER_THREADS)
            .enable_all()
            .build()?;
        Ok(Self(Some(runtime)))
    }

    fn spawner(&self) -> Spawner {
        let of_caller = tokio::runtime::Handle::current();
        let own = self.0.as_ref().map(|runtime| runtime.handle().clone());
        Spawner::from(own.unwrap_or(of_caller))
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        // Without waiting: that is not allowed in a task, and a disk may hang.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

async fn build<V: Stored + Clone + Send + Sync + 'static>(
    folder: &Folder,
    capacity: usize,
    block: usize,
    heat: &Arc<Heat>,
    spawner: Spawner,
) -> Result<Store<V>, foyer::Error> {
    let device = FsDeviceBuilder::new(folder.segments())
        .with_capacity(capacity)
        .build()?;
    let engine = BlockEngineConfig::new(device)
        .with_block_size(block)
        .with_buffer_pool_size(BUFFER)
        // What waits is bounded and counted here, before it gets there.
        .with_submit_queue_size_threshold(usize::MAX)
        .with_eviction_pickers(vec![Box::<FifoPicker>::default()])
        .with_reinsertion_filter(StorageFilter::new().with_condition(KeepHot(Arc::clone(heat))));
    HybridCacheBuilder::new()
        .with_name("segments")
        .with_policy(HybridCachePolicy::WriteOnInsertion)
        .with_flush_on_close(false)
        // Values pass through its memory tier on their way to the disk and are never kept there.
        .memory(1)
        .with_shards(1)
        .with_hash_builder(GivenHash::default())
        .storage()
        .with_io_engine_config(PsyncIoEngineConfig::new())
        .with_engine_config(engine)
        .with_recover_mode(RecoverMode::Quiet)
        .with_spawner(spawner)
        .build()
        .await
}

impl<V: Stored + Clone + Send + Sync + 'static> Shared<V> {
    async fn read(self: Arc<Self>, name: Name) -> Option<V> {
        let loaded = self.store.storage().load(&name).await;
        let bytes = match loaded {
            Ok(Load::Entry {
                value: Parcel::In(bytes),
                ..
            }) => bytes,
            // Not written yet.
            Ok(Load::Piece { piece, .. }) => {
                count(&self.counters.hits);
                return match piece.value() {
                    Parcel::Out(out) => Some(out.value.clone()),
                    Parcel::In(_) => None,
                };
            }
            Ok(Load::Entry { .. } | Load::Miss | Load::Throttled) => {
                count(&self.counters.misses);
                return None;
            }
            Err(error) => {
                self.failed(&error.to_string());
                return None;
            }
        };
        let len = bytes.len() as u64;
        let hash = name.hash;
        let opening = move || codec::open::<V>(&bytes, &name.bytes);
        let opened = self.spawner.spawn_blocking(opening).await.ok().flatten();
        if opened.is_some() {
            count(&self.counters.hits);
            self.counters.bytes_read.fetch_add(len, Ordering::Relaxed);
            self.heat.used(hash);
        } else {
            self.failed("a value is not what was written");
        }
        opened
    }

    // Said at the first, second, fourth, eighth ... time.
    fn failed(&self, cause: &str) {
        let times = self.counters.errors.fetch_add(1, Ordering::Relaxed) + 1;
        if times.is_power_of_two() {
            tracing::warn!(cause, times, "the disk cache cannot be read");
        }
    }
}

impl<K, V> Tier<K, V> for Disk<V>
where
    K: StoredKey + Hash,
    V: Stored + Clone + Send + Sync + 'static,
{
    fn may_hold(&self, key: &K) -> bool {
        self.0.store.storage().may_contains(&Name::of(key))
    }

    fn was_missing(&self) {
        count(&self.0.counters.misses);
    }

    fn fetch(&self, key: &K) -> BoxFuture<'static, Option<V>> {
        let Ok(turn) = Arc::clone(&self.0.reads).try_acquire_owned() else {
            count(&self.0.counters.slow);
            return ready(None).boxed();
        };
        let (shared, name) = (Arc::clone(&self.0), Name::of(key));
        // A task of its own: whoever stops waiting leaves the read its turn until it is done.
        let reading = self.0.spawner.spawn(async move {
            let value = shared.read(name).await;
            drop(turn);
            value
        });
        async move { reading.await.ok().flatten() }.boxed()
    }

    fn patience(&self) -> Duration {
        PATIENCE
    }

    fn was_slow(&self) {
        count(&self.0.counters.slow);
    }

    fn keep(&self, key: &K, value: &V) {
        let writes = &self.0.writes;
        let Some((description, size)) = codec::describe(value) else {
            count(&writes.dropped);
            return;
        };
        let name = Name::of(key);
        let Some(queued) = Queued::new(writes, size, &name, QUEUE_MAX) else {
            return;
        };
        self.0.heat.wrote(size);
        let out = Out::new(name.clone(), value.clone(), description, queued);
        let parcel = Parcel::Out(out);
        // The handle would keep it in memory.
        drop(self.0.store.storage_writer(name).force().insert(parcel));
    }

    fn used(&self, key: &K) {
        self.0.heat.used(hash_of(key));
    }
}

impl<V: Stored + Send + Sync + 'static> Clone for Disk<V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<V: Stored + Send + Sync + 'static> fmt::Debug for Disk<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disk")
            .field("capacity", &self.0.capacity)
            .field("files", &self.0.files)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
