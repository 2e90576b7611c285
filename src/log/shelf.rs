//! The files of the spool: which there are, how large, which can be delivered.
//!
//! The thread that writes and the task that delivers both work on them; this is what they agree by.
//! A file is open while rows come in, then closed for good, busy while it is delivered, and gone.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::distribution::streaming::Logging;

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
    pub(super) to: Logging,
    pub(super) bytes: u64,
    pub(super) rows: u64,
    /// When its first row came.
    pub(super) since: SystemTime,
    pub(super) stage: Stage,
}

/// All files, by the name that they share with the objects to be, without an ending.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    files: Mutex<BTreeMap<String, Kept>>,
    closed: Notify,
}

impl Shelf {
    /// Puts a file there.
    pub(super) fn put(&self, name: &str, kept: Kept) {
        self.lock().insert(name.to_owned(), kept);
    }

    /// A file has become longer.
    pub(super) fn grow(&self, name: &str, bytes: u64, rows: u64) {
        if let Some(kept) = self.lock().get_mut(name) {
            kept.bytes += bytes;
            kept.rows += rows;
        }
    }

    /// Nothing comes to a file any more.
    pub(super) fn close(&self, name: &str) {
        self.stage(name, Stage::Closed);
        self.closed.notify_one();
    }

    /// A delivery did not end well.
    pub(super) fn put_back(&self, name: &str) {
        self.stage(name, Stage::Closed);
    }

    fn stage(&self, name: &str, stage: Stage) {
        if let Some(kept) = self.lock().get_mut(name) {
            kept.stage = stage;
        }
    }

    /// A file is gone.
    pub(super) fn remove(&self, name: &str) -> Option<Kept> {
        self.lock().remove(name)
    }

    /// Ends when a file has been closed since the last time.
    pub(super) fn news(&self) -> Notified<'_> {
        self.closed.notified()
    }

    /// Where closed files go, each place once.
    pub(super) fn places(&self) -> Vec<Logging> {
        let files = self.lock();
        let closed = files.values().filter(|kept| kept.stage == Stage::Closed);
        let mut all: Vec<Logging> = closed.map(|kept| kept.to.clone()).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// The oldest closed file for a place, which is busy from now on.
    pub(super) fn take(&self, place: &Logging) -> Option<(String, Kept)> {
        let mut files = self.lock();
        let closed = files
            .iter_mut()
            .filter(|(_, kept)| kept.stage == Stage::Closed && kept.to == *place);
        let (name, kept) = closed.min_by_key(|(_, kept)| kept.since)?;
        kept.stage = Stage::Busy;
        Some((name.clone(), kept.clone()))
    }

    /// Takes the oldest file away that nobody works with.
    pub(super) fn drop_oldest(&self) -> Option<(String, Kept)> {
        let mut files = self.lock();
        let closed = files.iter().filter(|(_, it)| it.stage == Stage::Closed);
        let (name, _) = closed.min_by_key(|(_, kept)| kept.since)?;
        let name = name.clone();
        files.remove(&name).map(|kept| (name, kept))
    }

    /// Bytes of all files.
    pub(super) fn bytes(&self) -> u64 {
        self.lock().values().map(|kept| kept.bytes).sum()
    }

    /// The age of the oldest file.
    pub(super) fn oldest(&self) -> Duration {
        let since = self.lock().values().map(|kept| kept.since).min();
        since
            .and_then(|since| since.elapsed().ok())
            .unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Kept>> {
        // Every change of it is whole.
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(bucket: &str) -> Logging {
        Logging {
            bucket: bucket.into(),
            prefix: String::new(),
        }
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
        assert!(shelf.take(&y).is_none());
        assert_eq!(shelf.take(&x).unwrap().0, "b");
        assert_eq!(shelf.take(&x).unwrap().0, "a");
        assert!(shelf.take(&x).is_none() && shelf.drop_oldest().is_none());
        shelf.put_back("a");
        shelf.close("c");
        assert_eq!(shelf.places(), [x, y]);
        assert_eq!(shelf.drop_oldest().unwrap().0, "c");
        assert!(shelf.oldest() >= Duration::from_secs(8));
        shelf.grow("a", 5, 1);
        assert_eq!((shelf.bytes(), shelf.remove("a").unwrap().rows), (25, 2));
    }
}
