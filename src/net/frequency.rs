//! How often somebody may come from one address: so many times a second, in bursts.
//!
//! What refuses a flood must cost nothing itself. So there is a table of fixed size and no entry
//! for each address: a cell, found by a keyed hash, holds the time at which the bucket of all who
//! fall into it is full again (the generic cell rate algorithm), and is changed by one compare and
//! swap. Two addresses share a cell with a probability of 1 in 65,536; then they share a bucket.
//!
//! Pure: times are nanoseconds since a start of the caller's choice.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::seats::Block;

/// Cells of a table: 512 KiB.
const CELLS: usize = 1 << 16;

/// Seconds' worth that may come at once: who reloads a page with ten players is no flood.
const BURST: u64 = 5;

/// A limit on how often each address may come.
#[derive(Debug)]
pub struct Frequency {
    /// Nanoseconds between two, where they come evenly.
    interval: u64,
    /// For each cell: when its bucket is full again.
    cells: Box<[AtomicU64]>,
    hasher: RandomState,
}

impl Frequency {
    /// So many a second; `None` for 0, which is no limit.
    pub fn new(per_second: u32) -> Option<Self> {
        let interval = 1_000_000_000u64.checked_div(per_second.into())?.max(1);
        Some(Self {
            interval,
            cells: (0..CELLS).map(|_| AtomicU64::new(0)).collect(),
            hasher: RandomState::new(),
        })
    }

    /// Takes that somebody came from there at that time; whether that is not too often.
    pub fn admits(&self, from: IpAddr, now: Duration) -> bool {
        let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        let most = self.interval.saturating_mul(self.burst());
        let full = |at: u64| {
            let next = at.max(now).saturating_add(self.interval);
            (next <= now.saturating_add(most)).then_some(next)
        };
        let cell = self.hasher.hash_one(Block::of(from)) as usize % CELLS;
        let order = Ordering::Relaxed;
        self.cells
            .get(cell)
            .is_none_or(|cell| cell.fetch_update(order, order, full).is_ok())
    }

    /// How many may come at once.
    fn burst(&self) -> u64 {
        (BURST * 1_000_000_000 / self.interval).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    #[test]
    fn a_burst_then_an_even_pace() {
        let frequency = Frequency::new(2).unwrap();
        let admitted = |count, now| {
            let now = Duration::from_millis(now);
            (0..count).filter(|_| frequency.admits(ip(1), now)).count()
        };
        assert_eq!(admitted(100, 0), 10);
        assert_eq!(admitted(5, 499), 0);
        assert_eq!(admitted(5, 500), 1);
        assert_eq!(admitted(5, 1_500), 2);
        assert_eq!(admitted(100, 1_000_000), 10, "rest fills it and no more");
        assert!(frequency.admits(ip(2), Duration::from_secs(1_000)));
    }

    #[test]
    fn no_limit_and_odd_limits() {
        assert!(Frequency::new(0).is_none());
        let fast = Frequency::new(u32::MAX).unwrap();
        assert!((0..1000).all(|_| fast.admits(ip(1), Duration::ZERO)));
        assert!(fast.admits(ip(1), Duration::MAX));
    }

    #[test]
    fn a_network_of_64_bits_is_one_address() {
        let frequency = Frequency::new(1).unwrap();
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let now = Duration::ZERO;
        assert!((0..5).all(|_| frequency.admits(address("2001:db8::1"), now)));
        assert!(!frequency.admits(address("2001:db8::ffff:2"), now));
    }

    proptest! {
        /// Whenever they come: never more than the burst and the pace allow, and whoever keeps to
        /// the pace is never refused.
        #[test]
        fn never_more_than_the_pace(
            per_second in 1u32..50,
            waits in prop::collection::vec(0u64..400, 1..300),
        ) {
            let frequency = Frequency::new(per_second).unwrap();
            let (mut now, mut admitted) = (0, 0u64);
            for wait in waits {
                now += wait;
                admitted += u64::from(frequency.admits(ip(1), Duration::from_millis(now)));
                let most = u64::from(per_second) * BURST + now * u64::from(per_second) / 1000 + 1;
                prop_assert!(admitted <= most);
            }
            let interval = Duration::from_nanos(frequency.interval);
            let mut at = Duration::from_millis(now);
            for _ in 0..20 {
                at += interval;
                prop_assert!(frequency.admits(ip(1), at));
            }
        }
    }
}
