//! A file that rows come into: what is in it, and how much of that the disk has for certain.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use super::batch::Rows;
use crate::distribution::streaming::Logging;
use crate::log::shelf::{Kept, Stage};

/// So much of a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) bytes: u64,
    pub(super) rows: u64,
}

/// A file that rows come into. It holds no descriptor.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) name: Arc<str>,
    pub(super) since: Instant,
    /// When it is to be closed.
    pub(super) due: Instant,
    /// What is in the file.
    pub(super) written: Extent,
    /// How much of that was flushed.
    pub(super) flushed: Extent,
    /// Since when there is more in it than was flushed.
    pub(super) dirty: Option<Instant>,
}

impl Open {
    /// A file that is begun now.
    pub(super) fn new(name: Arc<str>, now: Instant, due: Instant) -> Self {
        Self {
            name,
            since: now,
            due,
            written: Extent::default(),
            flushed: Extent::default(),
            dirty: None,
        }
    }

    /// As it is put on the shelf.
    pub(super) fn kept(&self, to: &Arc<Logging>) -> Kept {
        Kept {
            to: Arc::clone(to),
            bytes: self.written.bytes,
            rows: self.written.rows,
            since: SystemTime::now(),
            stage: Stage::Open,
        }
    }

    /// Writes rows to the end of it: all of them, or none.
    pub(super) fn append(&mut self, file: &mut File, rows: &Rows, now: Instant) -> io::Result<()> {
        if let Err(error) = file.write_all(rows.text.as_bytes()) {
            // Part of the rows may be there. Where they stay, nothing may come behind them.
            file.set_len(self.written.bytes)?;
            return Err(error);
        }
        self.written.bytes += rows.text.len() as u64;
        self.written.rows += rows.count;
        self.dirty.get_or_insert(now);
        Ok(())
    }

    /// Flushes it to the disk by `flush`.
    pub(super) fn flush(
        &mut self,
        file: &File,
        flush: impl FnOnce(&File) -> io::Result<()>,
    ) -> io::Result<()> {
        flush(file)?;
        self.flushed = self.written;
        self.dirty = None;
        Ok(())
    }

    /// Bytes that were not flushed.
    pub(super) fn tail(&self) -> u64 {
        self.written.bytes.saturating_sub(self.flushed.bytes)
    }

    /// Writes anew what a flush that failed has not brought to the disk: the system takes it for
    /// flushed, and would not do it again.
    pub(super) fn rewrite(&self, file: &mut File) -> io::Result<()> {
        let mut tail = vec![0; usize::try_from(self.tail()).unwrap_or(0)];
        file.read_exact_at(&mut tail, self.flushed.bytes)?;
        file.set_len(self.flushed.bytes)?;
        file.write_all(&tail)
    }

    /// Cuts off what was not flushed, and says how many rows that were.
    pub(super) fn cut(&mut self, file: &File) -> u64 {
        // Where it cannot be cut, only whole rows of what is there are delivered.
        let _ = file.set_len(self.flushed.bytes);
        let lost = self.written.rows.saturating_sub(self.flushed.rows);
        self.written = self.flushed;
        self.dirty = None;
        lost
    }
}
