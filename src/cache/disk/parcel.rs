//! Keys and values as the store below wants them.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hash, Hasher};
use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use foyer::{Code, Error, Result};

use super::PAGE;
use super::codec::{self, Stored, StoredKey, VALUE_MAX};

/// The longest name of a key: an object key of 1,024 bytes, a version and some numbers.
const NAME_MAX: u64 = 8 * 1024;

/// What the store puts before each value and its name: 36 bytes, and room for more.
const ENTRY_HEAD: usize = 64;

/// The name of a key, with its hash. The hash is the same in every run of one build; one of
/// another build misses, no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) hash: u64,
    pub(super) bytes: Arc<[u8]>,
}

/// The hash of a key.
pub(super) fn hash_of(key: &impl Hash) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(key)
}

impl Name {
    pub(super) fn of<K: StoredKey + Hash>(key: &K) -> Self {
        let mut bytes = Vec::new();
        key.write_name(&mut bytes);
        Self {
            hash: hash_of(key),
            bytes: bytes.into(),
        }
    }
}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

/// Hands on the hash that a [`Name`] has.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Given(u64);

impl Hasher for Given {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // Names write one number; anything else would still spread.
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

/// Makes [`Given`] hashers.
pub(super) type GivenHash = BuildHasherDefault<Given>;

impl Code for Name {
    fn encode(&self, writer: &mut impl Write) -> Result<()> {
        writer
            .write_all(&self.hash.to_le_bytes())
            .and_then(|()| writer.write_all(&self.bytes))
            .map_err(Error::io_error)
    }

    fn decode(reader: &mut impl Read) -> Result<Self> {
        let mut hash = [0; 8];
        let mut bytes = Vec::new();
        reader.read_exact(&mut hash).map_err(Error::io_error)?;
        let mut rest = reader.take(NAME_MAX);
        rest.read_to_end(&mut bytes).map_err(Error::io_error)?;
        Ok(Self {
            hash: u64::from_le_bytes(hash),
            bytes: bytes.into(),
        })
    }

    fn estimated_size(&self) -> usize {
        self.bytes.len() + size_of::<u64>()
    }
}

/// A value on its way to the disk, or as it was read.
#[derive(Debug)]
pub(super) enum Parcel<V> {
    /// To be written. The value's bytes are copied once, into the store's buffer.
    Out(Out<V>),
    /// As read; not looked at yet.
    In(Vec<u8>),
}

/// A value to be written.
#[derive(Debug)]
pub(super) struct Out<V> {
    pub(super) value: V,
    description: Vec<u8>,
    name: Name,
    queued: Queued,
}

impl<V: Stored> Out<V> {
    pub(super) fn new(name: Name, value: V, description: Vec<u8>, queued: Queued) -> Self {
        Self {
            value,
            description,
            name,
            queued,
        }
    }
}

impl<V: Stored + Send + Sync + 'static> Code for Parcel<V> {
    fn encode(&self, writer: &mut impl Write) -> Result<()> {
        match self {
            Self::Out(out) => {
                codec::seal(&out.value, &out.description, &out.name.bytes, writer)
                    .map_err(Error::io_error)?;
                out.queued.encoded.store(true, Ordering::Relaxed);
                Ok(())
            }
            Self::In(bytes) => writer.write_all(bytes).map_err(Error::io_error),
        }
    }

    fn decode(reader: &mut impl Read) -> Result<Self> {
        let mut bytes = Vec::new();
        // What is cut off here does not open.
        let mut rest = reader.take(2 * VALUE_MAX as u64);
        rest.read_to_end(&mut bytes).map_err(Error::io_error)?;
        Ok(Self::In(bytes))
    }

    fn estimated_size(&self) -> usize {
        match self {
            Self::Out(out) => out.queued.size,
            Self::In(bytes) => bytes.len(),
        }
    }
}

/// Counts of what goes to the disk.
#[derive(Debug, Default)]
pub(super) struct Writes {
    /// Bytes that wait to be written, whole pages for each value.
    pub(super) queued: AtomicU64,
    /// Bytes that were handed to the system.
    pub(super) bytes: AtomicU64,
    /// Values that were not written, for want of time, room or memory.
    pub(super) dropped: AtomicU64,
}

/// The place of one value in the queue, given back when the store lets go of it.
#[derive(Debug)]
pub(super) struct Queued {
    writes: Arc<Writes>,
    size: usize,
    room: usize,
    encoded: AtomicBool,
}

impl Queued {
    /// A place for a value of `size` bytes that is called `name`, unless more than `most` bytes
    /// wait then. It counts as the room that it takes in the store's buffer.
    pub(super) fn new(writes: &Arc<Writes>, size: usize, name: &Name, most: usize) -> Option<Self> {
        let entry = ENTRY_HEAD + name.estimated_size() + size;
        let room = entry.next_multiple_of(PAGE);
        let most = most as u64;
        let grown = |queued: u64| queued.checked_add(room as u64).filter(|sum| *sum <= most);
        let taken = writes
            .queued
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, grown);
        if taken.is_err() {
            writes.dropped.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        Some(Self {
            writes: Arc::clone(writes),
            size,
            room,
            encoded: AtomicBool::new(false),
        })
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        let room = self.room as u64;
        self.writes.queued.fetch_sub(room, Ordering::Relaxed);
        if *self.encoded.get_mut() {
            let size = self.size as u64;
            self.writes.bytes.fetch_add(size, Ordering::Relaxed);
        } else {
            self.writes.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}
