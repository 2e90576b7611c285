//! Where media comes from: segments in memory, and origins.

use std::sync::Arc;

use prometheus_client::registry::Registry;

use super::readings::Readings;
use super::served::number;
use crate::cache::usage;
use crate::catalog::SegmentCache;
use crate::origin::OriginMeter;
use crate::origin::metered::Outcome;

/// Which of the counts.
type Count = fn(&SegmentCache) -> u64;

pub(super) fn origin(registry: &mut Registry, meter: &Arc<OriginMeter>) {
    let requests = Outcome::ALL.map(|outcome| {
        let meter = Arc::clone(meter);
        let read = move || number(meter.requests(outcome).get());
        (outcome.word(), read)
    });
    registry.register_collector(Box::new(Readings::counters(
        "streamfront_origin_requests",
        "Requests to origins, each try by itself, by what came of them.",
        "result",
        requests,
    )));
    registry.register(
        "streamfront_origin_bytes",
        "Bytes of objects read from origins",
        meter.bytes.clone(),
    );
    registry.register(
        "streamfront_origin_request_seconds",
        "From a request to an origin to the last byte of its answer",
        meter.latency.clone(),
    );
}

pub(super) fn hedges(registry: &mut Registry, meter: &Arc<OriginMeter>) {
    let (started, won) = (Arc::clone(meter), Arc::clone(meter));
    registry.register_collector(Box::new(Readings::counter(
        "streamfront_origin_hedges",
        "Second reads of the same bytes, begun because the first took unusually long.",
        move || number(started.hedges.started()),
    )));
    registry.register_collector(Box::new(Readings::counter(
        "streamfront_origin_hedges_won",
        "Second reads that answered before the first.",
        move || number(won.hedges.won()),
    )));
}

pub(super) fn segments(registry: &mut Registry, cache: &SegmentCache, bytes: u64) {
    let mut gauge = |name, help, read: fn(&SegmentCache) -> u64| {
        let cache = cache.clone();
        let readings = Readings::gauge(name, help, move || number(read(&cache)));
        registry.register_collector(Box::new(readings));
    };
    gauge(
        "streamfront_cache_bytes",
        "Bytes of segments in the memory tier, as they count against its bound.",
        |cache| cache.memory_use().bytes as u64,
    );
    gauge(
        "streamfront_cache_entries",
        "Segments in the memory tier.",
        |cache| cache.memory_use().entries as u64,
    );
    gauge(
        "streamfront_renders_in_flight",
        "Segments that are being rendered.",
        |cache| cache.in_flight() as u64,
    );
    gauge(
        "streamfront_segment_files_open",
        "Segment files, cached or still held by a viewer.",
        |_| usage().segment_files,
    );
    gauge(
        "streamfront_segment_live_bytes",
        "Bytes of all segments, cached or still held by a viewer.",
        |_| usage().segment_bytes,
    );
    let tiers: [(_, Count); 3] = [
        ("memory", |cache| cache.memory_use().hits),
        ("disk", |cache| cache.sources().below),
        ("origin", |cache| cache.sources().rendered),
    ];
    registry.register_collector(Box::new(Readings::counters(
        "streamfront_cache_hits",
        "Segments that were looked for, by the tier that had them; the origin has all.",
        "tier",
        tiers.map(|(tier, count)| {
            let cache = cache.clone();
            (tier, move || number(count(&cache)))
        }),
    )));
    registry.register_collector(Box::new(Readings::gauge(
        "streamfront_cache_bound_bytes",
        "How much the memory tier may hold.",
        move || number(bytes),
    )));
    registry.register_collector(Box::new(Readings::counter(
        "streamfront_segment_heap_fallbacks",
        "Long segments kept on the heap, and sent by copying, for want of a descriptor.",
        || number(usage().heap_fallbacks),
    )));
}
