//! Rows on the disk, until their buckets have them.
//!
//! One file for each distribution, destination and hour, append-only: its destination as a line of
//! JSON, then rows. A file `NAME.open` becomes `NAME.rows` when nothing comes to it any more, and
//! is never written again; `NAME` is `ID.YYYY-MM-DD-HH.UNIQUE`, chosen once, and the object's name
//! too. So a delivery that is repeated, whatever went wrong, writes the same object with the same
//! rows.
//!
//! What was written survives the end of the process at once, and that of the machine within
//! `SYNC_EVERY`. Sizes are bytes.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::{info, warn};

use super::Options;
use super::entry::Entry;
use super::meter::{LogMeter, is_news};
use super::queue::Queue;
use super::row;
use super::shelf::{Kept, Shelf, Stage};
use crate::distribution::streaming::Logging;
use open::Open;

pub mod file;
mod name;
mod open;

/// How often files are flushed to the disk: what a machine that loses its power may forget.
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// The longest file: it is compressed and sent in one piece.
const FILE_MAX: u64 = 32 << 20;

/// Rows of a file that are gathered before they are written, bytes: with them no file is longer
/// than can be read back.
const ROWS_MAX: usize = 1 << 20;

/// Files that are open at once: descriptors are for viewers.
const OPEN_MAX: usize = 128;

/// Seconds of an hour.
const HOUR: i64 = 3600;

/// Which file a row belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    distribution: Arc<str>,
    bucket: String,
    prefix: String,
    /// Hours since 1970.
    hour: i64,
}

/// What writes to the spool. One thread has it.
#[derive(Debug)]
pub struct Spool {
    options: Options,
    open: HashMap<Key, Open>,
    shelf: Arc<Shelf>,
    meter: Arc<LogMeter>,
    synced: Instant,
}

impl Spool {
    pub(super) fn new(options: Options, shelf: Arc<Shelf>, meter: Arc<LogMeter>) -> Self {
        Self {
            options,
            open: HashMap::new(),
            shelf,
            meter,
            synced: Instant::now(),
        }
    }

    /// A spool without queue and delivery, for measurements.
    pub fn alone(options: Options) -> Self {
        Self::new(options, Arc::default(), Arc::default())
    }

    fn recover(&mut self) {
        let found = match file::recover(&self.options.directory) {
            Ok(found) => found,
            Err(error) => {
                let directory = self.options.directory.display();
                return warn!(%directory, %error, "old access log records cannot be read");
            }
        };
        let rows: u64 = found.iter().map(|(_, kept)| kept.rows).sum();
        if rows > 0 {
            info!(rows, "access log records of an earlier run are delivered");
        }
        for (name, kept) in found {
            self.shelf.put(&name, kept);
            self.shelf.close(&name);
        }
        self.make_room();
    }

    /// Takes over what an earlier run left, then writes what the queue has until it is closed.
    pub(super) fn run(mut self, queue: &Queue) {
        self.recover();
        loop {
            let taken = queue.take(self.due());
            self.warn_of_loss();
            self.add(taken.entries.iter().map(|entry| &**entry));
            if taken.closed {
                return self.close_all();
            }
            self.tick(Instant::now());
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
    pub fn add<'a>(&mut self, entries: impl Iterator<Item = &'a Entry>) {
        let (edge, double) = (self.options.edge.clone(), self.options.double);
        for entry in entries {
            let (Some(to), Some(distribution)) = (&entry.logging, &entry.facts.distribution) else {
                continue;
            };
            let key = Key {
                distribution: Arc::clone(distribution),
                bucket: to.bucket.clone(),
                prefix: to.prefix.clone(),
                hour: entry.seconds().div_euclid(HOUR),
            };
            if let Some(open) = self.file(key, to) {
                row::write(&mut open.rows, entry, &edge, double);
                open.count += 1;
                if open.rows.len() > ROWS_MAX {
                    self.write();
                }
            }
        }
        self.write();
    }

    /// The file for a row, made where there is none.
    fn file(&mut self, key: Key, to: &Logging) -> Option<&mut Open> {
        if !self.open.contains_key(&key) {
            if self.open.len() >= OPEN_MAX {
                self.write();
                self.close_oldest();
            }
            let directory = &self.options.directory;
            let end = (key.hour + 1) * HOUR;
            match Open::create(directory, &key.distribution, key.hour * HOUR, to) {
                Ok(mut open) => {
                    open.due = due(open.since, self.options.delivery, end);
                    self.shelf.put(&open.name, open.kept(to));
                    self.open.insert(key.clone(), open);
                }
                Err(error) => {
                    self.lost_disk(1, &error);
                    return None;
                }
            }
        }
        self.open.get_mut(&key)
    }

    /// Writes what was gathered, and closes what is too long or cannot be written to.
    fn write(&mut self) {
        let mut ended = Vec::new();
        for (key, open) in self.open.iter_mut().filter(|(_, it)| it.count > 0) {
            let (bytes, rows) = (open.rows.len() as u64, open.count);
            match open.write() {
                Ok(()) => {
                    self.meter.spooled.inc_by(rows);
                    self.shelf.grow(&open.name, bytes, rows);
                }
                Err(error) => {
                    lost_disk(&self.meter, rows, &error);
                    ended.push(key.clone());
                }
            }
            if open.length >= FILE_MAX.min(self.options.spool / 8) {
                ended.push(key.clone());
            }
        }
        ended.iter().for_each(|key| self.close(key));
        self.make_room();
    }

    /// When something is to be done without a row.
    fn due(&self) -> Option<Instant> {
        let dirty = self.open.values().any(|open| open.dirty);
        let sync = dirty.then(|| self.synced + SYNC_EVERY);
        self.open.values().map(|open| open.due).chain(sync).min()
    }

    /// Flushes and closes what is due.
    fn tick(&mut self, now: Instant) {
        let due = self.open.iter().filter(|(_, open)| open.due <= now);
        let due: Vec<Key> = due.map(|(key, _)| key.clone()).collect();
        due.iter().for_each(|key| self.close(key));
        if now >= self.synced + SYNC_EVERY {
            self.synced = now;
            for open in self.open.values_mut().filter(|open| open.dirty) {
                open.sync();
            }
        }
    }

    /// Closes everything: what waits is delivered.
    pub fn close_all(&mut self) {
        let all: Vec<Key> = self.open.keys().cloned().collect();
        all.iter().for_each(|key| self.close(key));
    }

    fn close_oldest(&mut self) {
        let oldest = self.open.iter().min_by_key(|(_, open)| open.since);
        if let Some(key) = oldest.map(|(key, _)| key.clone()) {
            self.close(&key);
        }
    }

    fn close(&mut self, key: &Key) {
        let Some(open) = self.open.remove(key) else {
            return;
        };
        let name = open.name.clone();
        match open.close(&self.options.directory) {
            Ok(true) => self.shelf.close(&name),
            // No row came into it.
            Ok(false) => drop(self.shelf.remove(&name)),
            Err(error) => {
                // It is there under its old name, and found at the next start.
                warn!(name, %error, "an access log file cannot be closed");
                self.shelf.remove(&name);
            }
        }
    }

    /// Drops the oldest files while there is more than there may be.
    fn make_room(&mut self) {
        while self.shelf.bytes() > self.options.spool {
            let Some((name, kept)) = self.shelf.drop_oldest() else {
                if self.open.is_empty() {
                    return;
                }
                self.close_oldest();
                continue;
            };
            file::remove(&self.options.directory, &name);
            let before = self.meter.lost_full.inc_by(kept.rows);
            if is_news(before, before + kept.rows) {
                let lost = before + kept.rows;
                warn!(
                    lost,
                    "access log records are lost: the spool is full, and its oldest are dropped"
                );
            }
        }
    }

    fn lost_disk(&self, rows: u64, error: &std::io::Error) {
        lost_disk(&self.meter, rows, error);
    }
}

fn lost_disk(meter: &LogMeter, rows: u64, error: &std::io::Error) {
    let before = meter.lost_disk.inc_by(rows);
    if is_news(before, before + rows) {
        let lost = before + rows;
        warn!(lost, %error, "access log records are lost: they cannot be written");
    }
}

/// When a file is to be closed: after its time, and when its hour is over.
fn due(since: Instant, delivery: Duration, end: i64) -> Instant {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.map_or(0, |now| i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
    let left = u64::try_from(end.saturating_sub(now)).unwrap_or(0);
    // A row of the hour before comes late, and others may follow it.
    let left = Duration::from_secs(left).max(SYNC_EVERY);
    since + delivery.min(left)
}

impl Open {
    fn kept(&self, to: &Logging) -> Kept {
        Kept {
            to: to.clone(),
            bytes: self.length,
            rows: 0,
            since: std::time::SystemTime::now(),
            stage: Stage::Open,
        }
    }
}

#[cfg(test)]
mod tests;
