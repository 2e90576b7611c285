//! What the server is about to do, as every connection sees it: serve, drain, stop.
//!
//! A connection looks at each of its wake-ups, so looking takes no lock: it is one atomic load. A
//! [`tokio_util::sync::CancellationToken`] would lock for every look and every wait, and all
//! connections share it. Whoever sleeps registers once ([`Stages::changed`]) and is woken by the
//! change.

use std::sync::atomic::{AtomicU8, Ordering};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// How far the server is on its way to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Stage {
    /// Everything is served.
    Serving,
    /// No new plays; running ones go on.
    Draining,
    /// Every connection ends now.
    Stopping,
}

/// The stage of a server.
#[derive(Debug, Default)]
pub struct Stages {
    stage: AtomicU8,
    changed: Notify,
}

impl Stages {
    /// The stage now.
    pub fn stage(&self) -> Stage {
        match self.stage.load(Ordering::Acquire) {
            0 => Stage::Serving,
            1 => Stage::Draining,
            _ => Stage::Stopping,
        }
    }

    /// Whether no new play begins.
    pub fn is_draining(&self) -> bool {
        self.stage() >= Stage::Draining
    }

    /// Goes on to `stage`; never back.
    pub fn advance(&self, stage: Stage) {
        self.stage.fetch_max(stage as u8, Ordering::AcqRel);
        self.changed.notify_waiters();
    }

    /// Ends with the next change after this call, also where it is polled only later.
    pub fn changed(&self) -> Notified<'_> {
        self.changed.notified()
    }

    /// Waits for the stage, or one after it.
    pub async fn reached(&self, stage: Stage) {
        loop {
            let changed = self.changed();
            if self.stage() >= stage {
                return;
            }
            changed.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_waits_is_woken_and_who_comes_late_need_not_wait() {
        let stages = Stages::default();
        assert!(!stages.is_draining());
        let (waiting, changed) = (stages.reached(Stage::Stopping), stages.changed());
        tokio::join!(waiting, async {
            stages.advance(Stage::Draining);
            changed.await;
            assert_eq!(stages.stage(), Stage::Draining);
            stages.advance(Stage::Stopping);
        });
        stages.reached(Stage::Draining).await;
    }

    #[test]
    fn there_is_no_way_back() {
        let stages = Stages::default();
        stages.advance(Stage::Stopping);
        stages.advance(Stage::Draining);
        assert_eq!(stages.stage(), Stage::Stopping);
    }
}
