//! A store for tests: it forgets at the end, and fails when told to.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures_util::future::{BoxFuture, FutureExt, ready};

use super::{Change, Kind, Record, Store, StoreError};

/// Records in memory.
#[derive(Debug, Default)]
pub struct Memory {
    records: Mutex<BTreeMap<(Kind, String), Record>>,
    failing: AtomicBool,
    commits: AtomicUsize,
}

impl Memory {
    /// From now on commits fail, or succeed again.
    pub fn fail(&self, failing: bool) {
        self.failing.store(failing, Ordering::SeqCst);
    }

    /// Commits so far that did not fail.
    pub fn commits(&self) -> usize {
        self.commits.load(Ordering::SeqCst)
    }

    fn make(&self, changes: Vec<Change>) -> Result<(), StoreError> {
        if self.failing.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("the disk is full".into()));
        }
        let mut records = self.records.lock().unwrap();
        for change in changes {
            match change {
                Change::Put(record) => {
                    let key = (record.kind(), record.head().id.clone());
                    records.insert(key, *record);
                }
                Change::Delete(kind, id) => {
                    records.remove(&(kind, id));
                }
            }
        }
        self.commits.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

impl Store for Memory {
    fn load(&self) -> BoxFuture<'_, Result<Vec<Record>, StoreError>> {
        let records = self.records.lock().unwrap().values().cloned().collect();
        ready(Ok(records)).boxed()
    }

    /// Yields once, so that requests gather as they do behind a disk.
    fn commit(&self, changes: Vec<Change>) -> BoxFuture<'_, Result<(), StoreError>> {
        async move {
            tokio::task::yield_now().await;
            self.make(changes)
        }
        .boxed()
    }
}
