//! The files of the spool: which there are, how large, which can be delivered.
//!
//! The thread that writes and the task that delivers both work on them; this is what they agree by.
//! A file is open while rows come in, then closed for good, busy while it is delivered, and gone.
//! There may be a hundred thousand of them, so those that are closed are also kept by place and age.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::distribution::streaming::Logging;

/// What a file takes of a disk comes in blocks, bytes. So many small files are not counted as
/// nothing, neither there nor here.
const BLOCK: u64 = 4096;

/// Where a file is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Open,
    Closed,
    Busy,
}

/// One file.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) to: Arc<Logging>,
    pub(super) bytes: u64,
    pub(super) rows: u64,
    /// When its first row came.
    pub(super) since: SystemTime,
    pub(super) stage: Stage,
}

impl Kept {
    /// What it takes of the disk, bytes.
    pub(super) fn room(&self) -> u64 {
        self.bytes.max(1).next_multiple_of(BLOCK)
    }
}

/// All files, by the name that they share with the objects to be, without an ending.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    files: Mutex<Files>,
    closed: Notify,
}

#[derive(Debug, Default)]
struct Files {
    all: HashMap<Arc<str>, Kept>,
    /// Names of those that are closed, the oldest first, by where they go.
    closed: HashMap<Arc<Logging>, BTreeSet<(SystemTime, Arc<str>)>>,
    /// What all of them take of the disk.
    room: u64,
}

impl Files {
    fn insert(&mut self, name: Arc<str>, kept: Kept) {
        self.room = self.room.saturating_add(kept.room());
        if kept.stage == Stage::Closed {
            let place = self.closed.entry(Arc::clone(&kept.to)).or_default();
            place.insert((kept.since, Arc::clone(&name)));
        }
        self.all.insert(name, kept);
    }

    fn remove(&mut self, name: &str) -> Option<(Arc<str>, Kept)> {
        let (name, kept) = self.all.remove_entry(name)?;
        self.room = self.room.saturating_sub(kept.room());
        if kept.stage == Stage::Closed
            && let Some(place) = self.closed.get_mut(&kept.to)
        {
            place.remove(&(kept.since, Arc::clone(&name)));
            if place.is_empty() {
                self.closed.remove(&kept.to);
            }
        }
        Some((name, kept))
    }

    fn change(&mut self, name: &str, change: impl FnOnce(&mut Kept)) {
        if let Some((name, mut kept)) = self.remove(name) {
            change(&mut kept);
            self.insert(name, kept);
        }
    }
}

impl Shelf {
    /// Puts a file there.
    pub(super) fn put(&self, name: &str, kept: Kept) {
        self.lock().insert(name.into(), kept);
    }

    /// What is in a file is this now.
    pub(super) fn set(&self, name: &str, bytes: u64, rows: u64) {
        self.lock().change(name, |kept| {
            kept.bytes = bytes;
            kept.rows = rows;
        });
    }

    /// Nothing comes to a file any more.
    pub(super) fn close(&self, name: &str) {
        self.put_back(name);
        self.closed.notify_one();
    }

    /// A delivery did not end well.
    pub(super) fn put_back(&self, name: &str) {
        let closed = |kept: &mut Kept| kept.stage = Stage::Closed;
        self.lock().change(name, closed);
    }

    /// A file is gone.
    pub(super) fn remove(&self, name: &str) -> Option<Kept> {
        self.lock().remove(name).map(|(_, kept)| kept)
    }

    /// Ends when a file has been closed since the last time.
    pub(super) fn news(&self) -> Notified<'_> {
        self.closed.notified()
    }

    /// Where closed files go, that with the oldest first.
    pub(super) fn places(&self) -> Vec<Arc<Logging>> {
        let files = self.lock();
        let oldest = |(to, closed): (&Arc<Logging>, &BTreeSet<_>)| {
            let first: Option<&(SystemTime, Arc<str>)> = closed.first();
            first.map(|(since, _)| (*since, Arc::clone(to)))
        };
        let mut all: Vec<_> = files.closed.iter().filter_map(oldest).collect();
        drop(files);
        all.sort_unstable();
        all.into_iter().map(|(_, to)| to).collect()
    }

    /// Whether there is a closed file for a place.
    pub(super) fn has(&self, place: &Logging) -> bool {
        self.lock().closed.contains_key(place)
    }

    /// The oldest closed file for a place, which is busy from now on.
    pub(super) fn take(&self, place: &Logging) -> Option<(Arc<str>, Kept)> {
        let mut files = self.lock();
        let (_, name) = files.closed.get(place)?.first()?;
        let name = Arc::clone(name);
        files.change(&name, |kept| kept.stage = Stage::Busy);
        let kept = files.all.get(&name).cloned()?;
        Some((name, kept))
    }

    /// Takes the oldest file away that nobody works with.
    pub(super) fn drop_oldest(&self) -> Option<(Arc<str>, Kept)> {
        let mut files = self.lock();
        let oldest = files.closed.values().filter_map(BTreeSet::first).min();
        let name = Arc::clone(&oldest?.1);
        files.remove(&name)
    }

    /// What all files take of the disk, bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.lock().room
    }

    /// The age of the oldest file.
    pub(super) fn oldest(&self) -> Duration {
        let since = self.lock().all.values().map(|kept| kept.since).min();
        since
            .and_then(|since| since.elapsed().ok())
            .unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, Files> {
        // Every change of it is whole.
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(bucket: &str) -> Arc<Logging> {
        Arc::new(Logging {
            bucket: bucket.into(),
            prefix: String::new(),
        })
    }

    fn kept(bucket: &str, age: u64, stage: Stage) -> Kept {
        Kept {
            to: place(bucket),
            bytes: 10,
            rows: 1,
            since: SystemTime::now() - Duration::from_secs(age),
            stage,
        }
    }

    #[test]
    fn only_closed_files_are_taken_and_the_oldest_first() {
        let shelf = Shelf::default();
        shelf.put("a", kept("x", 5, Stage::Closed));
        shelf.put("b", kept("x", 9, Stage::Closed));
        shelf.put("c", kept("y", 99, Stage::Open));
        let (x, y) = (place("x"), place("y"));
        assert_eq!(shelf.places(), std::slice::from_ref(&x));
        assert!(shelf.take(&y).is_none() && shelf.has(&x) && !shelf.has(&y));
        assert_eq!(&*shelf.take(&x).unwrap().0, "b");
        assert_eq!(&*shelf.take(&x).unwrap().0, "a");
        assert!(shelf.take(&x).is_none() && shelf.drop_oldest().is_none());
        assert!(shelf.places().is_empty());
        shelf.put_back("a");
        shelf.close("c");
        // The oldest is for y.
        assert_eq!(shelf.places(), [y, x]);
        assert_eq!(&*shelf.drop_oldest().unwrap().0, "c");
        assert!(shelf.oldest() >= Duration::from_secs(8));
        shelf.set("a", BLOCK + 1, 2);
        assert_eq!(shelf.bytes(), 3 * BLOCK);
        assert_eq!(shelf.remove("a").unwrap().rows, 2);
        assert_eq!((shelf.bytes(), shelf.places().len()), (BLOCK, 0));
    }
}
