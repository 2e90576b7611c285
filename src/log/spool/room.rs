//! Room for new rows: the oldest go, where there are more than there may be, and where the disk is
//! full.

use std::io;

use tracing::warn;

use super::batch::Key;
use super::{Spool, file};
use crate::log::meter::lose;
use crate::log::shelf::Kept;

/// Whether there is no room on the disk.
pub(super) fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded)
}

impl Spool {
    /// Drops the oldest files while there is more than there may be.
    pub(super) fn make_room(&mut self) {
        while self.shelf.bytes() > self.options.spool {
            if self.drop_oldest(None, "the spool is full").is_none() {
                return;
            }
        }
    }

    /// Drops the oldest files until so many bytes are free on a full disk; not the one of `spare`.
    /// Whether there was any.
    pub(super) fn give_way(&mut self, bytes: u64, spare: &Key) -> bool {
        let mut free = 0;
        while free < bytes
            && let Some(dropped) = self.drop_oldest(Some(spare), "the disk is full")
        {
            free += dropped.room();
        }
        free > 0
    }

    fn drop_oldest(&mut self, spare: Option<&Key>, cause: &str) -> Option<Kept> {
        let directory = self.options.directory.clone();
        let dropped = if let Some((name, kept)) = self.shelf.drop_oldest() {
            file::remove(&directory, &name);
            kept
        } else {
            // Nothing is closed that is not being delivered.
            let others = self.open.iter().filter(|(key, _)| Some(*key) != spare);
            let (key, _) = others.min_by_key(|(_, open)| open.since)?;
            let key = key.clone();
            let open = self.open.remove(&key)?;
            self.handles.forget(&open.name);
            file::discard(&file::path(&directory, &open.name, file::OPEN));
            self.shelf.remove(&open.name)?
        };
        if let Some(lost) = lose(&self.meter.lost_full, dropped.rows) {
            warn!(
                lost,
                cause, "access log records are lost: the oldest are dropped"
            );
        }
        Some(dropped)
    }
}
