//! What the server is about to do, as every connection sees it: serve, drain, stop.
//!
//! A connection looks at each of its wake-ups, so looking takes no lock: it is one atomic load. A
//! [`tokio_util::sync::CancellationToken`] would lock for every look and every wait, and all
//! connections share it. Whoever sleeps registers once ([`Stages::changed`]) and is woken by the
//! change.
//!
//! The same number counts calls to everybody to look up ([`Stages::call`]), so that a distribution
//! that sends its viewers away needs no list of them, and they no second thing to wait for.

use std::sync::atomic::{AtomicU64, Ordering};

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

/// Bits of the number that are the stage; those above count calls.
const STAGE_BITS: u32 = 2;

/// One call more.
const CALL: u64 = 1 << STAGE_BITS;

/// The stage of a server, and how often all were called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment(u64);

impl Moment {
    /// The stage.
    pub fn stage(self) -> Stage {
        match self.0 % CALL {
            0 => Stage::Serving,
            1 => Stage::Draining,
            _ => Stage::Stopping,
        }
    }
}

/// The stage of a server.
#[derive(Debug, Default)]
pub struct Stages {
    moment: AtomicU64,
    changed: Notify,
}

impl Stages {
    /// The stage now, and the calls so far.
    pub fn moment(&self) -> Moment {
        Moment(self.moment.load(Ordering::Acquire))
    }

    /// The stage now.
    pub fn stage(&self) -> Stage {
        self.moment().stage()
    }

    /// Whether no new play begins.
    pub fn is_draining(&self) -> bool {
        self.stage() >= Stage::Draining
    }

    /// Goes on to `stage`; never back.
    pub fn advance(&self, stage: Stage) {
        let further = |moment: u64| {
            (Moment(moment).stage() < stage).then_some(moment - moment % CALL + stage as u64)
        };
        // An error means that it is there already.
        let _ = self
            .moment
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, further);
        self.changed.notify_waiters();
    }

    /// Wakes every connection, to look whether it has to end.
    pub fn call(&self) {
        self.moment.fetch_add(CALL, Ordering::AcqRel);
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

    #[tokio::test]
    async fn a_call_wakes_and_changes_no_stage() {
        let stages = Stages::default();
        stages.advance(Stage::Draining);
        let (before, changed) = (stages.moment(), stages.changed());
        stages.call();
        changed.await;
        assert_ne!(stages.moment(), before);
        assert_eq!(stages.stage(), Stage::Draining);
        stages.advance(Stage::Stopping);
        assert_eq!(stages.stage(), Stage::Stopping);
    }
}
