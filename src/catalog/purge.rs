//! Purges: forgetting an object, or all below a prefix, in memory and on disk.
//!
//! Neither tier can be walked by prefix, and what is being rendered while a purge comes in would
//! slip through. So nothing is looked for: a purge is a number, remembered with what it is for, and
//! the number of the last purge that an object falls under is part of the name of its version
//! ([`Purges::epoch`]). Bindings, indexes and segments of before have other names from then on;
//! nobody asks for them, and they are evicted as anything is that nobody asks for.
//!
//! The list is written to a file beside the disk cache, so that a restart does not bring back what
//! was purged. Where the file is lost or cannot be read, everything on the disk counts as purged.
//! The list is bounded: the two oldest purges become one that covers both, so that a purge may in
//! time take more than was asked for, never less.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Purges that are remembered one by one: each play compares its key with all of them (10 µs).
const PURGES_MAX: usize = 1024;

/// The longest key or prefix that is remembered, bytes: those of S3.
const TEXT_MAX: usize = 1024;

/// What is purged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Purge {
    /// One object, by its key in the bucket (below the prefix of the origin).
    Key(String),
    /// Every object whose key begins so; all for an empty one.
    Prefix(String),
}

/// What a purge came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purged {
    /// Objects that were played or known and are forgotten.
    pub objects: usize,
    /// Whether it will hold after a restart as well; always where there is no disk cache.
    pub durable: bool,
}

impl Purge {
    fn covers(&self, key: &str) -> bool {
        match self {
            Self::Key(one) => one == key,
            Self::Prefix(prefix) => key.starts_with(prefix.as_str()),
        }
    }

    fn text(&self) -> &str {
        match self {
            Self::Key(text) | Self::Prefix(text) => text,
        }
    }

    /// Whether all that `other` covers is covered.
    fn includes(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Prefix(prefix), other) => other.text().starts_with(prefix.as_str()),
            (Self::Key(one), Self::Key(other)) => one == other,
            (Self::Key(_), Self::Prefix(_)) => false,
        }
    }
}

/// One purge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    /// Of which distribution; `None`: of all.
    distribution: Option<String>,
    what: Purge,
    epoch: u64,
}

impl Entry {
    fn covers(&self, distribution: &str, key: &str) -> bool {
        let there = self
            .distribution
            .as_ref()
            .is_none_or(|id| id == distribution);
        there && self.what.covers(key)
    }

    fn includes(&self, other: &Self) -> bool {
        let there = self.distribution.is_none() || self.distribution == other.distribution;
        there && self.what.includes(&other.what)
    }

    /// One that covers both, and counts as the later.
    fn joined(self, other: Self) -> Self {
        let common = |a: &str, b: &str| {
            let same = a.chars().zip(b.chars()).take_while(|(a, b)| a == b);
            same.map(|(a, _)| a).collect()
        };
        Self {
            what: Purge::Prefix(common(self.what.text(), other.what.text())),
            distribution: self
                .distribution
                .filter(|id| other.distribution.as_ref() == Some(id)),
            epoch: self.epoch.max(other.epoch),
        }
    }
}

/// The purges at some moment.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Purges {
    /// The epoch of what was never purged.
    base: u64,
    /// Oldest first.
    entries: Vec<Entry>,
}

impl Purges {
    /// The number of the last purge that an object falls under.
    pub(super) fn epoch(&self, distribution: &str, key: &str) -> u64 {
        let mut newest_first = self.entries.iter().rev();
        newest_first
            .find(|entry| entry.covers(distribution, key))
            .map_or(self.base, |entry| entry.epoch)
    }

    /// The number of the last purge.
    pub(super) fn last(&self) -> u64 {
        self.entries.last().map_or(self.base, |entry| entry.epoch)
    }

    fn add(&mut self, distribution: Option<&str>, what: Purge, now: u64) {
        let new = Entry {
            distribution: distribution.map(str::to_owned),
            what: cut(what),
            epoch: now.max(self.last().saturating_add(1)),
        };
        self.entries.retain(|entry| !new.includes(entry));
        self.entries.push(new);
        if self.entries.len() > PURGES_MAX {
            let second = self.entries.remove(1);
            let first = self.entries.remove(0);
            self.entries.insert(0, first.joined(second));
        }
    }

    fn to_bytes(&self) -> Vec<u8> {
        // It cannot fail but for want of memory; an empty file is a lost one.
        let mut bytes = postcard::to_allocvec(self).unwrap_or_default();
        let sum = Sha256::digest(&bytes);
        bytes.extend_from_slice(&sum);
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (list, sum) = bytes.split_at_checked(bytes.len().checked_sub(32)?)?;
        let whole = Sha256::digest(list).as_slice() == sum;
        let (list, rest) = whole.then(|| postcard::take_from_bytes::<Self>(list).ok())??;
        rest.is_empty().then_some(list)
    }
}

/// No key is longer than S3's: what begins so far as one could, does.
fn cut(what: Purge) -> Purge {
    if what.text().len() <= TEXT_MAX {
        return what;
    }
    let end = what.text().floor_char_boundary(TEXT_MAX);
    Purge::Prefix(what.text()[..end].to_owned())
}

/// The purges of a running server.
#[derive(Debug, Default)]
pub(super) struct PurgeLog {
    now: RwLock<Arc<Purges>>,
    /// Held while a purge is written down, so that files follow each other as purges do.
    file: Mutex<Option<PathBuf>>,
}

impl PurgeLog {
    /// With the purges of `file`, which need not be there.
    pub(super) fn kept_in(file: PathBuf) -> Self {
        let known = fs::read(&file)
            .ok()
            .and_then(|bytes| Purges::from_bytes(&bytes));
        let purges = known.unwrap_or_else(|| {
            let fresh = Purges {
                base: millis(SystemTime::now()),
                entries: Vec::new(),
            };
            if let Err(error) = write(&file, &fresh) {
                tracing::warn!(%error, "purges cannot be written down: the disk cache starts empty each time");
            }
            fresh
        });
        Self {
            now: RwLock::new(Arc::new(purges)),
            file: Mutex::new(Some(file)),
        }
    }

    /// The purges up to now.
    pub(super) fn now(&self) -> Arc<Purges> {
        Arc::clone(&self.now.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Adds one, and tells whether it will hold after a restart. Blocks on the disk.
    pub(super) fn add(&self, distribution: Option<&str>, what: Purge) -> bool {
        let file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let mut purges = Purges::clone(&self.now());
        purges.add(distribution, what, millis(SystemTime::now()));
        let purges = Arc::new(purges);
        // In force before it is written: a disk that hangs does not hold it up.
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&purges);
        let Some(file) = &*file else {
            return true;
        };
        write(file, &purges)
            .inspect_err(|error| {
                tracing::warn!(%error, "a purge cannot be written down: it ends with this server");
            })
            .is_ok()
    }
}

/// Writes the file anew, whole or not at all.
fn write(file: &Path, purges: &Purges) -> io::Result<()> {
    let new = file.with_extension("new");
    let mut writing = fs::File::create(&new)?;
    writing.write_all(&purges.to_bytes())?;
    writing.sync_all()?;
    fs::rename(&new, file)
}

fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn what() -> impl Strategy<Value = Purge> {
        prop_oneof![
            "[ab]{0,3}".prop_map(Purge::Key),
            "[ab]{0,3}".prop_map(Purge::Prefix)
        ]
    }

    proptest! {
        #[test]
        fn a_purge_renames_what_it_covers_and_nothing_else(
            before in proptest::collection::vec((proptest::option::of("[xy]"), what()), 0..20),
            id in proptest::option::of("[xy]"), purge in what(), of in "[xy]", key in "[ab]{0,4}",
        ) {
            let mut purges = Purges::default();
            for (id, what) in before {
                purges.add(id.as_deref(), what, 5);
            }
            let epoch = purges.epoch(&of, &key);
            purges.add(id.as_deref(), purge.clone(), 5);
            let covered = id.is_none_or(|id| id == of) && purge.covers(&key);
            prop_assert_eq!(purges.epoch(&of, &key) > epoch, covered);
            prop_assert!(covered || purges.epoch(&of, &key) == epoch);
            prop_assert_eq!(Purges::from_bytes(&purges.to_bytes()), Some(purges));
        }

        #[test]
        fn only_what_was_written_is_read(bytes: Vec<u8>, at: prop::sample::Index) {
            prop_assert_eq!(Purges::from_bytes(&bytes), None);
            let mut purges = Purges::default();
            purges.add(None, Purge::Key("a".into()), 7);
            let mut bytes = purges.to_bytes();
            *at.get_mut(&mut bytes) ^= 1;
            prop_assert_eq!(Purges::from_bytes(&bytes), None);
        }
    }

    #[test]
    fn the_list_is_bounded_and_forgets_no_purge() {
        let mut purges = Purges::default();
        let name = |n: usize| format!("films/{n}.mp4");
        for n in 0..PURGES_MAX + 50 {
            purges.add(Some("a"), Purge::Key(name(n)), 0);
        }
        assert_eq!(purges.entries.len(), PURGES_MAX);
        for n in 0..PURGES_MAX + 50 {
            assert!(purges.epoch("a", &name(n)) > 0);
        }
        // The oldest are one, which covers more; but no other distribution.
        assert!(purges.epoch("a", "films/other.mp4") > 0);
        assert_eq!(purges.epoch("b", &name(0)), 0);
        let long = "x".repeat(3000);
        purges.add(None, Purge::Key(long.clone()), 0);
        assert!(
            purges
                .entries
                .iter()
                .all(|entry| entry.what.text().len() <= TEXT_MAX)
        );
        assert!(purges.epoch("b", &long) > 0);
    }

    #[test]
    fn purges_outlive_a_restart_and_a_lost_list_purges_all() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("purges");
        let log = PurgeLog::kept_in(file.clone());
        let base = log.now().epoch("a", "other");
        assert!(log.add(None, Purge::Key("k".into())));
        let epoch = log.now().epoch("a", "k");
        assert!(epoch > base && base > 0);
        let again = PurgeLog::kept_in(file.clone());
        assert_eq!(again.now().epoch("a", "k"), epoch);
        assert_eq!(again.now().epoch("a", "other"), base);
        fs::write(&file, b"nonsense").unwrap();
        std::thread::sleep(std::time::Duration::from_millis(2));
        let lost = PurgeLog::kept_in(file);
        assert!(lost.now().epoch("a", "other") > base);
    }
}
