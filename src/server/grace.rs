//! Distributions that were disabled or deleted, and until when their connections may go on. Times
//! are handed in.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::delivery::served::Served;

/// Those whose connections will end.
#[derive(Debug)]
pub(super) struct Grace {
    time: Duration,
    /// In the order in which they end, for each is given the same time.
    ending: Vec<(Instant, Arc<Served>)>,
}

impl Grace {
    /// Gives each so much time.
    pub(super) fn new(time: Duration) -> Self {
        Self {
            time,
            ending: Vec::new(),
        }
    }

    /// The connections of `served` end when its time is over.
    pub(super) fn begin(&mut self, served: &Arc<Served>, now: Instant) {
        // A time that cannot be reckoned with is no limit.
        if let Some(end) = now.checked_add(self.time) {
            self.ending.push((end, Arc::clone(served)));
        }
    }

    /// They go on after all.
    pub(super) fn forget(&mut self, served: &Arc<Served>) {
        self.ending.retain(|(_, other)| !Arc::ptr_eq(other, served));
    }

    /// When the time of the next one is over.
    pub(super) fn next(&self) -> Option<Instant> {
        self.ending.first().map(|(end, _)| *end)
    }

    /// Takes those whose time is over.
    pub(super) fn take_over(&mut self, now: Instant) -> Vec<Arc<Served>> {
        let over = self.ending.partition_point(|(end, _)| *end <= now);
        self.ending
            .drain(..over)
            .map(|(_, served)| served)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::served::Terms;
    use crate::distribution::Kind;
    use crate::origin::memory::MemoryOrigin;

    fn served(id: &str) -> Arc<Served> {
        let terms = Terms {
            kind: Kind::Streaming,
            enabled: false,
            signers: None,
            apps: Arc::new([]),
            origin: Arc::new(MemoryOrigin::new()),
            max_rate: None,
            encrypted: true,
            logging: None,
        };
        Served::new(id, terms)
    }

    #[test]
    fn each_has_its_time_unless_it_is_enabled_again() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut grace = Grace::new(Duration::from_secs(30));
        let (a, b, c) = (served("a"), served("b"), served("c"));
        assert_eq!(grace.next(), None);
        grace.begin(&a, at(0));
        grace.begin(&b, at(10));
        grace.begin(&c, at(10));
        let ids = |over: Vec<Arc<Served>>| -> Vec<String> {
            over.iter().map(|served| served.id().to_string()).collect()
        };
        assert_eq!(grace.next(), Some(at(30)));
        assert!(grace.take_over(at(29)).is_empty());
        assert_eq!(ids(grace.take_over(at(30))), ["a"]);
        grace.forget(&b);
        assert_eq!(ids(grace.take_over(at(99))), ["c"]);
        assert_eq!(grace.next(), None);
    }

    #[test]
    fn a_grace_may_be_nothing_or_for_ever() {
        let now = Instant::now();
        let mut grace = Grace::new(Duration::ZERO);
        grace.begin(&served("a"), now);
        assert_eq!(grace.take_over(now).len(), 1);
        let mut grace = Grace::new(Duration::MAX);
        grace.begin(&served("a"), now);
        assert_eq!(grace.next(), None);
    }
}
