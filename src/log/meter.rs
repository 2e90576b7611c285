//! What was logged, counted.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;

/// The counts of the access log.
#[derive(Debug, Default)]
pub struct LogMeter {
    /// Rows written to the disk.
    pub spooled: Counter,
    /// Rows that their buckets have.
    pub delivered: Counter,
    /// Deliveries that failed and are tried again.
    pub failures: Counter,
    /// Rows lost because the thread that writes was too slow.
    pub lost_queued: Counter,
    /// Rows lost because the spool was full.
    pub lost_full: Counter,
    /// Rows lost because the disk failed.
    pub lost_disk: Counter,
    /// JSON lines lost, whatever the cause.
    pub lost_lines: Counter,
    /// How many of [`LogMeter::lost_queued`] the operator was told of.
    pub(super) said: Gauge<u64, AtomicU64>,
}

/// Whether a count that went from `before` to `now` is news: at the first, second, fourth, eighth
/// ... time, which is enough to be noticed and too little to flood.
pub(super) fn is_news(before: u64, now: u64) -> bool {
    now > before && before.checked_ilog2() != now.checked_ilog2()
}

/// Counts what was lost; the new count, where it is news.
pub(super) fn lose(counter: &Counter, more: u64) -> Option<u64> {
    let before = counter.inc_by(more);
    let now = before.saturating_add(more);
    is_news(before, now).then_some(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn news_are_powers_of_two() {
        let said: Vec<u64> = (1..20).filter(|&now| is_news(now - 1, now)).collect();
        assert_eq!(said, [1, 2, 4, 8, 16]);
        assert!(is_news(3, 100) && !is_news(65, 100) && !is_news(5, 5));
    }
}
