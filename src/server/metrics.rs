//! Which counts the metrics show.

use std::sync::Arc;

use prometheus_client::registry::Registry;

use super::tls::Certificates;
use crate::cache::Disk;
use crate::catalog::{Segment, SegmentCache};
use crate::config::Settings;
use crate::log::Log;
use crate::net::shared::Shared;
use crate::origin::OriginMeter;
use crate::telemetry::metrics::{Metrics, Readings};

/// The metrics of a server that is about to start.
pub(super) fn metrics(
    settings: &Settings,
    shared: &Arc<Shared>,
    origins: &Arc<OriginMeter>,
    segments: &SegmentCache,
    disk: Option<&Disk<Arc<Segment>>>,
    access_log: &Arc<Log>,
    certificates: &Certificates,
) -> Arc<Registry> {
    let mut metrics = Metrics::new();
    metrics.served(&shared.meter);
    metrics.origin(origins);
    metrics.segments(segments, settings.cache.memory);
    metrics.objects(&shared.routes.objects);
    metrics.read_ahead(&shared.routes.ahead);
    metrics.add(distributions(shared));
    super::log::metrics(&mut metrics, access_log);
    certificates.metrics(&mut metrics);
    if let Some(disk) = disk {
        metrics.disk(disk);
    }
    metrics.finish()
}

fn distributions(shared: &Arc<Shared>) -> Readings {
    let values = [("enabled", true), ("disabled", false)].map(|(word, enabled)| {
        let shared = Arc::clone(shared);
        let count = move || {
            let table = shared.routes.table();
            let all = table.ids.values();
            all.filter(|served| served.terms().enabled == enabled)
                .count() as f64
        };
        (word, count)
    });
    Readings::gauges(
        "streamfront_distributions",
        "Distributions that this server answers for, by whether viewers are let in.",
        "state",
        values,
    )
}
