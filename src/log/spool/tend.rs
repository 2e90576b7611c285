//! What is done to open files in time: they are flushed, and closed.
//!
//! A flush may take some milliseconds, and all files of an hour end together. So a round does some
//! of what is due, and the queue is looked at before the next.

use std::io;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tracing::warn;

use super::batch::Key;
use super::open::Open;
use super::{SYNC_EVERY, Spool, file, room};
use crate::log::meter::lose;

/// Files that are flushed, and that are closed, in a round.
const ROUND: usize = 64;

/// When a file is tried again that cannot be closed.
const CLOSE_AGAIN: Duration = Duration::from_secs(30);

/// When a file is to be closed that was begun at `since`: after its time, and when its hour is
/// over, at `end` since 1970.
pub(super) fn due(since: Instant, delivery: Duration, end: i64) -> Instant {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |now| i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
    let left = u64::try_from(end.saturating_sub(now)).unwrap_or(0);
    // A row of the hour before comes late, and others may follow it.
    let left = Duration::from_secs(left).max(SYNC_EVERY);
    since + delivery.min(left)
}

impl Open {
    fn flush_due(&self) -> Option<Instant> {
        self.dirty.map(|since| since + SYNC_EVERY)
    }
}

impl Spool {
    /// When something is to be done without a row.
    pub(super) fn due(&self) -> Option<Instant> {
        if !self.found.is_empty() {
            return Some(Instant::now());
        }
        let open = self.open.values();
        let open = open.flat_map(|open| [Some(open.due), open.flush_due()]);
        let ended = self.ended.iter().map(|open| open.due);
        open.flatten().chain(ended).min()
    }

    /// Does some of what is due.
    pub(super) fn tick(&mut self, now: Instant) {
        self.take_over(1);
        for key in self.some(|open| open.due <= now) {
            self.close(&key, now);
        }
        let ended: Vec<Open> = self.ended.extract_if(.., |open| open.due <= now).collect();
        ended.into_iter().for_each(|open| self.rename(open, now));
        let dirty = self.some(|open| open.flush_due().is_some_and(|due| due <= now));
        if self.names && !dirty.is_empty() {
            self.names = false;
            file::sync(&self.options.directory);
        }
        for key in dirty {
            self.flush(&key, now);
        }
    }

    fn some(&self, which: impl Fn(&Open) -> bool) -> Vec<Key> {
        let these = self.open.iter().filter(|(_, open)| which(open));
        these.map(|(key, _)| key.clone()).take(ROUND).collect()
    }

    /// Flushes a file. What cannot be flushed is cut off, and lost.
    fn flush(&mut self, key: &Key, now: Instant) {
        let Err(error) = self.try_flush(key, false) else {
            return;
        };
        let tail = self.open.get(key).map_or(0, Open::tail);
        if room::is_full(&error) {
            self.give_way(tail, key);
        }
        let Err(error) = self.try_flush(key, true) else {
            return;
        };
        let Some(open) = self.open.get_mut(key) else {
            return;
        };
        let Ok(file) = self.handles.get(&self.options.directory, &open.name) else {
            // It may be in good order, and can only not be opened now.
            open.dirty = Some(now);
            return;
        };
        let lost = open.cut(file);
        self.shelf
            .set(&open.name, open.written.bytes, open.written.rows);
        self.fails(&error, now);
        self.lost(lost);
        // If the cut failed, nothing may come behind what stands there.
        self.finish(key, now);
    }

    fn try_flush(&mut self, key: &Key, anew: bool) -> io::Result<()> {
        let Some(open) = self.open.get_mut(key) else {
            return Ok(());
        };
        let file = self.handles.get(&self.options.directory, &open.name)?;
        if anew {
            open.rewrite(file)?;
        }
        open.flush(file, self.flush)
    }

    /// Closes everything: what waits is delivered.
    pub fn close_all(&mut self, now: Instant) {
        let all: Vec<Key> = self.open.keys().cloned().collect();
        all.iter().for_each(|key| self.close(key, now));
    }

    /// Flushes and closes a file.
    pub(super) fn close(&mut self, key: &Key, now: Instant) {
        if self.open.get(key).is_some_and(|open| open.dirty.is_some()) {
            self.flush(key, now);
        }
        self.finish(key, now);
    }

    /// Nothing comes to a file any more. One without rows goes.
    fn finish(&mut self, key: &Key, now: Instant) {
        let Some(open) = self.open.remove(key) else {
            return;
        };
        self.handles.forget(&open.name);
        if open.written.rows > 0 {
            return self.rename(open, now);
        }
        let directory = &self.options.directory;
        file::discard(&file::path(directory, &open.name, file::OPEN));
        self.shelf.remove(&open.name);
    }

    fn rename(&mut self, mut open: Open, now: Instant) {
        match file::close(&self.options.directory, &open.name) {
            Ok(()) => self.shelf.close(&open.name),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.shelf.remove(&open.name);
                if let Some(lost) = lose(&self.meter.lost_disk, open.written.rows) {
                    warn!(
                        lost,
                        "access log records are lost: somebody removed their file"
                    );
                }
            }
            Err(error) => {
                let name = &open.name;
                warn!(%name, %error, "an access log file cannot be closed; it is tried again");
                open.due = now + CLOSE_AGAIN;
                self.ended.push(open);
            }
        }
    }
}
