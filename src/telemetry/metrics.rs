//! All metrics of the server, by name, in one registry.
//!
//! The layers below count for themselves and know nothing of names; here each count gets its name,
//! its unit and a sentence. Names follow the conventions of Prometheus: `streamfront_`, base units
//! (seconds, bytes), `_total` for what only grows. What is a plain number somewhere is read when it
//! is asked for ([`Readings`]). To show the counts of another layer, add a function beside those in
//! `served.rs` and `stored.rs`, and call it where the server is wired.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

mod kept;
mod process;
mod readings;
mod served;
mod stored;

pub use readings::Readings;

use crate::cache::Disk;
use crate::catalog::{Objects, Segment};
use crate::delivery::ahead::Budget;
use crate::delivery::meter::Meter;
use crate::origin::OriginMeter;

/// The registry of a server, while it is filled.
#[derive(Debug)]
pub struct Metrics(Registry);

impl Metrics {
    /// The process and the build.
    pub fn new() -> Self {
        let mut registry = Registry::default();
        let started = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0.0, |since| since.as_secs_f64());
        process::register(&mut registry, started);
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("streamfront_build", "What runs here", build);
        Self(registry)
    }

    /// What viewers are served.
    pub fn served(&mut self, meter: &Arc<Meter>) {
        served::register(&mut self.0, meter);
    }

    /// What is asked of origins.
    pub fn origin(&mut self, meter: &Arc<OriginMeter>) {
        stored::origin(&mut self.0, meter);
        stored::hedges(&mut self.0, meter);
    }

    /// Segments, in memory and in use; the cache may hold `bytes` of them.
    pub fn segments(&mut self, cache: &crate::catalog::SegmentCache, bytes: u64) {
        stored::segments(&mut self.0, cache, bytes);
    }

    /// The disk tier.
    pub fn disk(&mut self, disk: &Disk<Arc<Segment>>) {
        kept::disk(&mut self.0, disk);
    }

    /// What names were taken to mean.
    pub fn objects(&mut self, objects: &Arc<Objects>) {
        kept::objects(&mut self.0, objects);
    }

    /// What is read ahead of need.
    pub fn read_ahead(&mut self, budget: &Budget) {
        let (held, most, refused) = (budget.clone(), budget.clone(), budget.clone());
        self.add(Readings::counter(
            "streamfront_read_ahead_refused",
            "Stretches that were not read ahead because the budget was spent.",
            move || served::number(refused.usage().refused),
        ));
        self.add(Readings::gauge(
            "streamfront_read_ahead_bytes",
            "Memory of what is read ahead: on its way, or not yet needed.",
            move || served::number(held.usage().bytes),
        ));
        self.add(Readings::gauge(
            "streamfront_read_ahead_bound_bytes",
            "How much may be read ahead over all viewers.",
            move || served::number(most.usage().most),
        ));
    }

    /// Counts of any other part.
    pub fn add(&mut self, readings: Readings) {
        self.0.register_collector(Box::new(readings));
    }

    /// The registry, filled.
    pub fn finish(self) -> Arc<Registry> {
        Arc::new(self.0)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::encoding::text::encode;

    #[test]
    fn every_count_is_written_under_its_name() {
        let meter = Arc::new(Meter::default());
        let origin = Arc::new(OriginMeter::default());
        meter.media_bytes.inc_by(5);
        meter.accepted.inc();
        meter.blocked.inc_by(1.5);
        meter.first_byte.observe(0.001);
        meter.play_refused();
        origin.bytes.inc_by(9);
        let mut metrics = Metrics::new();
        metrics.served(&meter);
        metrics.origin(&origin);
        metrics.add(Readings::gauge("streamfront_x", "X.", || 3.0));
        let mut text = String::new();
        encode(&mut text, &metrics.finish()).unwrap();
        for line in [
            "streamfront_sent_bytes_total{kind=\"media\"} 5",
            "streamfront_sent_bytes_total{kind=\"control\"} 0",
            "streamfront_connections_accepted_total 1",
            "streamfront_connections_closed_total{reason=\"stalled\"} 0",
            "streamfront_connections_refused_total{reason=\"address_full\"} 0",
            "streamfront_violations_total{kind=\"handshake\"} 0",
            "streamfront_plays_ended_total{result=\"refused\"} 1",
            "streamfront_backpressure_seconds_total 1.5",
            "streamfront_first_byte_seconds_bucket{le=\"0.001\"} 1",
            "streamfront_seek_seconds_count 0",
            "streamfront_origin_bytes_total 9",
            "streamfront_origin_requests_total{result=\"not_found\"} 0",
            "# TYPE streamfront_x gauge",
            "streamfront_x 3",
        ] {
            assert!(
                text.contains(&format!("{line}\n")),
                "{line} is not in\n{text}"
            );
        }
        let build = format!(
            "streamfront_build_info{{version=\"{}\"}} 1",
            env!("CARGO_PKG_VERSION")
        );
        assert!(text.contains(&build), "{text}");
        // The process has at least this test's files, and the kernel knows it.
        let value = |name: &str| -> f64 {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_else(|| panic!("no {name}"))
                .trim()
                .parse()
                .unwrap()
        };
        assert!(value("process_open_fds ") >= 3.0);
        assert!(value("process_max_fds ") >= value("process_open_fds "));
        assert!(value("process_resident_memory_bytes ") > 1e6);
        assert!(value("process_start_time_seconds ") > 1.6e9);
        value("process_cpu_seconds_total ");
    }

    #[test]
    fn no_name_is_given_twice_and_each_has_a_sentence() {
        let mut metrics = Metrics::new();
        metrics.served(&Arc::default());
        metrics.origin(&Arc::default());
        let mut text = String::new();
        encode(&mut text, &metrics.finish()).unwrap();
        let mut names = std::collections::BTreeSet::new();
        for line in text.lines().filter_map(|line| line.strip_prefix("# HELP ")) {
            let (name, about) = line.split_once(' ').unwrap();
            assert!(names.insert(name.to_owned()), "{name} is there twice");
            assert!(about.ends_with('.') && !about.ends_with(".."), "{line}");
            let ours = name.starts_with("streamfront_") || name.starts_with("process_");
            assert!(ours && !name.ends_with("_total"), "{name}");
        }
        assert!(names.len() > 20);
    }
}
