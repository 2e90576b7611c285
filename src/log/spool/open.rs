//! A file that rows come into.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::time::Instant;

use tracing::warn;

use super::file::{self, OPEN};
use super::name::name;
use crate::distribution::streaming::Logging;

/// A file that rows come into.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) name: String,
    pub(super) since: Instant,
    /// When it is to be closed.
    pub(super) due: Instant,
    /// Bytes in the file.
    pub(super) length: u64,
    /// Rows to be written, and how many.
    pub(super) rows: String,
    pub(super) count: u64,
    /// Whether it holds what was not flushed to the disk yet.
    pub(super) dirty: bool,
    written: u64,
    file: File,
}

impl Open {
    /// Makes a file for rows of a distribution and the hour that begins at `seconds`.
    pub(super) fn create(
        directory: &Path,
        distribution: &str,
        seconds: i64,
        to: &Logging,
    ) -> io::Result<Self> {
        std::fs::create_dir_all(directory)?;
        let name = name(distribution, seconds)?;
        let head = file::head(to)?;
        let path = file::path(directory, &name, OPEN);
        let mut file = File::options().append(true).create_new(true).open(&path)?;
        // Another server that starts on the same directory leaves it alone.
        let locked = file.try_lock().map_err(io::Error::from);
        let begun = locked.and_then(|()| file.write_all(head.as_bytes()));
        if let Err(error) = begun {
            // Where a disk is full, names are all that would come of it.
            let _ = std::fs::remove_file(&path);
            return Err(error);
        }
        file::sync(directory);
        let now = Instant::now();
        Ok(Self {
            name,
            since: now,
            due: now,
            length: head.len() as u64,
            rows: String::new(),
            count: 0,
            dirty: true,
            written: 0,
            file,
        })
    }

    /// Writes the rows that were gathered; none is left, however it ends.
    pub(super) fn write(&mut self) -> io::Result<()> {
        let rows = std::mem::take(&mut self.rows);
        let count = std::mem::take(&mut self.count);
        if let Err(error) = self.file.write_all(rows.as_bytes()) {
            // Part of a row may be there. Where it stays, it is not delivered.
            let _ = self.file.set_len(self.length);
            return Err(error);
        }
        self.length += rows.len() as u64;
        self.written += count;
        self.dirty = true;
        // The room is for the next rows.
        self.rows = rows;
        self.rows.clear();
        Ok(())
    }

    /// Flushes it to the disk.
    pub(super) fn sync(&mut self) {
        self.dirty = false;
        if let Err(error) = self.file.sync_data() {
            warn!(name = self.name, %error, "an access log file cannot be flushed to the disk");
        }
    }

    /// Nothing comes any more. Whether there is a row in it; else it is gone.
    pub(super) fn close(mut self, directory: &Path) -> io::Result<bool> {
        if self.written == 0 {
            std::fs::remove_file(file::path(directory, &self.name, OPEN))?;
            return Ok(false);
        }
        self.sync();
        file::close(directory, &self.name)?;
        Ok(true)
    }
}
