//! Rows on the disk, until their buckets have them.
//!
//! One file for each distribution, destination and hour, append-only: its destination as a line of
//! JSON, then rows. A file `NAME.open` becomes `NAME.rows` when nothing comes to it any more, and
//! is never written again; `NAME` is `ID.YYYY-MM-DD-HH.UNIQUE`, chosen once, and the object's name
//! too. So a delivery that is repeated, whatever went wrong, writes the same object with the same
//! rows.
//!
//! There may be any number of files; few of them have a descriptor at a time (`handles`). The rows
//! of a round are written file by file (`batch`), flushed and closed some at a time (`tend`), so
//! that the queue is never left alone for long. What there is no room for makes the oldest go
//! (`room`).
//!
//! What was written survives the end of the process at once, and that of the machine within
//! `SYNC_EVERY`. Sizes are bytes.

use std::collections::HashMap;
use std::collections::hash_map::Entry::{Occupied, Vacant};
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::{debug, info, warn};

use super::Options;
use super::entry::Entry;
use super::meter::{LogMeter, is_news, lose};
use super::queue::Queue;
use super::shelf::Shelf;
use batch::{Batch, HOUR, Key, Rows};
use file::Found;
use handles::Handles;
use home::Home;
use open::Open;

mod batch;
pub mod file;
mod handles;
pub(super) mod home;
mod name;
mod open;
mod room;
mod tend;

/// How often files are flushed to the disk: what a machine that loses its power may forget.
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// The longest file: it is compressed and sent in one piece.
const FILE_MAX: u64 = 32 << 20;

/// For how long a disk that failed is not tried again. Rows of that time are lost.
const REST: Duration = Duration::from_secs(1);

/// What writes to the spool. One thread has it.
#[derive(Debug)]
pub struct Spool {
    options: Options,
    home: Option<Home>,
    /// What an earlier run left and is not taken over yet.
    found: Vec<Found>,
    open: HashMap<Key, Open>,
    /// Files that nothing comes to any more and that cannot be closed.
    ended: Vec<Open>,
    handles: Handles,
    /// Whether there is a file whose name was not flushed.
    names: bool,
    shelf: Arc<Shelf>,
    meter: Arc<LogMeter>,
    failed: Option<Failed>,
    /// How a file is flushed; tests have one that fails.
    flush: fn(&File) -> io::Result<()>,
}

/// A disk that failed.
#[derive(Debug)]
struct Failed {
    at: Instant,
    cause: String,
}

impl Spool {
    /// `home`: its directory, where that was taken already; else it is taken when there is need.
    pub(super) fn new(
        options: Options,
        home: Option<Home>,
        shelf: Arc<Shelf>,
        meter: Arc<LogMeter>,
    ) -> Self {
        Self {
            options,
            home,
            found: Vec::new(),
            open: HashMap::new(),
            ended: Vec::new(),
            handles: Handles::default(),
            names: false,
            shelf,
            meter,
            failed: None,
            flush: File::sync_data,
        }
    }

    /// A spool without queue and delivery, for measurements.
    pub fn alone(options: Options) -> Self {
        Self::new(options, None, Arc::default(), Arc::default())
    }

    /// Looks for what an earlier run left, then writes what the queue has until it is closed.
    pub(super) fn run(mut self, queue: &Queue) {
        self.look();
        loop {
            let taken = queue.take(self.due());
            self.warn_of_loss();
            let now = Instant::now();
            self.add(taken.entries.iter().map(|entry| &**entry), now);
            if taken.closed {
                self.close_all(now);
                return self.take_over(usize::MAX);
            }
            self.tick(now);
        }
    }

    /// Looks for what an earlier run left. Who logs nothing makes no directory for it.
    fn look(&mut self) {
        let directory = &self.options.directory;
        let looked = if self.home.is_some() {
            file::found(directory).map(|found| self.found = found)
        } else if directory.exists() {
            self.live()
        } else {
            return;
        };
        if let Err(error) = looked {
            warn!(%error, "access log records of earlier runs are left alone");
        }
        let files = self.found.len();
        if files > 0 {
            info!(files, "access logs of an earlier run are delivered");
        }
    }

    /// Makes the directory ours, with what is in it, where it is not yet.
    fn live(&mut self) -> io::Result<()> {
        if self.home.is_none() {
            let home = Home::take(&self.options.directory)?;
            self.found = file::found(&self.options.directory)?;
            self.home = Some(home);
        }
        Ok(())
    }

    /// Takes over so many of the files that an earlier run left.
    fn take_over(&mut self, most: usize) {
        let rest = self.found.len().saturating_sub(most);
        for found in self.found.split_off(rest) {
            match found.take_over(&self.options.directory) {
                Ok(Some(kept)) => {
                    let (name, rows) = (&found.name, kept.rows);
                    debug!(name, rows, "took over an access log");
                    self.shelf.put(name, kept);
                    self.shelf.close(name);
                    self.make_room();
                }
                Ok(None) => {}
                Err(error) => {
                    let name = &found.name;
                    warn!(name, %error, "a file of the access log is left alone: it cannot be read");
                }
            }
        }
    }

    /// Says that rows were lost before they came here.
    fn warn_of_loss(&self) {
        let lost = self.meter.lost_queued.get();
        if is_news(self.meter.said.get(), lost) {
            warn!(
                lost,
                "access log records are lost: they come faster than they can be written"
            );
            self.meter.said.set(lost);
        }
    }

    /// Writes rows.
    pub fn add<'a>(&mut self, entries: impl Iterator<Item = &'a Entry>, now: Instant) {
        let mut batch = Batch::default();
        for entry in entries {
            if batch.put(entry, &self.options.edge, self.options.double) {
                self.write(&mut batch, now);
            }
        }
        self.write(&mut batch, now);
    }

    fn write(&mut self, batch: &mut Batch, now: Instant) {
        let mut lost = 0;
        for (key, rows) in batch.drain() {
            if self.rests(now) {
                lost += rows.count;
            } else if let Err(error) = self.append(&key, &rows, now) {
                lost += rows.count;
                self.fails(&error, now);
            }
        }
        self.lost(lost);
        self.make_room();
    }

    /// Whether the disk failed so short a time ago that it is not tried again.
    fn rests(&self, now: Instant) -> bool {
        let failed = self.failed.as_ref();
        failed.is_some_and(|failed| now < failed.at + REST)
    }

    fn fails(&mut self, error: &io::Error, now: Instant) {
        let cause = error.to_string();
        self.failed = Some(Failed { at: now, cause });
    }

    /// Counts rows that the disk did not take.
    fn lost(&self, rows: u64) {
        if let Some(lost) = lose(&self.meter.lost_disk, rows) {
            let cause = self.failed.as_ref().map(|failed| &*failed.cause);
            warn!(
                lost,
                cause, "access log records are lost: they cannot be written"
            );
        }
    }

    /// Writes rows to their file. Where the disk is full, the oldest files make room once.
    fn append(&mut self, key: &Key, rows: &Rows, now: Instant) -> io::Result<()> {
        let mut written = self.try_append(key, rows, now);
        if let Err(error) = &written
            && room::is_full(error)
            && self.give_way(rows.text.len() as u64, key)
        {
            written = self.try_append(key, rows, now);
        }
        if written.is_ok() {
            self.meter.spooled.inc_by(rows.count);
        }
        let long = FILE_MAX.min(self.options.spool / 8);
        let open = self.open.get(key);
        if written.is_err() || open.is_some_and(|open| open.written.bytes >= long) {
            // After a failure the next row begins another: this one may end in half a row.
            self.close(key, now);
        }
        written
    }

    fn try_append(&mut self, key: &Key, rows: &Rows, now: Instant) -> io::Result<()> {
        self.live()?;
        let directory = &self.options.directory;
        let open = match self.open.entry(key.clone()) {
            Occupied(there) => there.into_mut(),
            Vacant(missing) => {
                let name: Arc<str> = name::name(&key.distribution, key.hour * HOUR)?.into();
                let due = tend::due(now, self.options.delivery, (key.hour + 1) * HOUR);
                let mut open = Open::new(Arc::clone(&name), now, due);
                let head = Rows {
                    text: file::head(&key.to)?,
                    count: 0,
                };
                let file = self.handles.create(directory, &name)?;
                if let Err(error) = open.append(file, &head, now) {
                    self.handles.forget(&name);
                    file::discard(&file::path(directory, &name, file::OPEN));
                    return Err(error);
                }
                self.names = true;
                self.shelf.put(&name, open.kept(&key.to));
                missing.insert(open)
            }
        };
        let file = self.handles.get(directory, &open.name)?;
        open.append(file, rows, now)?;
        let written = open.written;
        self.shelf.set(&open.name, written.bytes, written.rows);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
