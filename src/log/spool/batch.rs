//! Rows by the file that they go to, until they are written: so each file is opened once for all
//! of them.

use std::collections::HashMap;
use std::sync::Arc;

use crate::distribution::streaming::Logging;
use crate::log::entry::Entry;
use crate::log::row;

/// Seconds of an hour.
pub(super) const HOUR: i64 = 3600;

/// Rows that are gathered before they are written, bytes, beside the last one. It bounds memory,
/// and how much longer a file gets than it should.
const ROWS_MAX: usize = 1 << 20;

/// Which file a row belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) distribution: Arc<str>,
    pub(super) to: Arc<Logging>,
    /// Hours since 1970.
    pub(super) hour: i64,
}

/// Rows of a file.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) text: String,
    pub(super) count: u64,
}

/// Rows of many files.
#[derive(Debug, Default)]
pub(super) struct Batch {
    rows: HashMap<Key, Rows>,
    bytes: usize,
}

impl Batch {
    /// Puts the row of an entry to its file; whether the batch is to be written now.
    pub(super) fn put(&mut self, entry: &Entry, edge: &str, double: bool) -> bool {
        let (Some(to), Some(distribution)) = (&entry.logging, &entry.facts.distribution) else {
            return false;
        };
        let key = Key {
            distribution: Arc::clone(distribution),
            to: Arc::clone(to),
            hour: entry.seconds().div_euclid(HOUR),
        };
        let rows = self.rows.entry(key).or_default();
        let before = rows.text.len();
        row::write(&mut rows.text, entry, edge, double);
        rows.count += 1;
        self.bytes += rows.text.len() - before;
        self.bytes >= ROWS_MAX
    }

    /// Takes all rows out.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = (Key, Rows)> {
        self.bytes = 0;
        std::mem::take(&mut self.rows).into_iter()
    }
}
