//! What is kept below memory, and what is believed of names.

use std::sync::Arc;

use prometheus_client::registry::Registry;

use super::readings::Readings;
use super::served::number;
use crate::cache::{Disk, DiskUse};
use crate::catalog::{Objects, ObjectsUse, Segment};

/// Which of the counts.
type Count<U> = fn(U) -> u64;

/// The disk tier.
pub(super) fn disk(registry: &mut Registry, disk: &Disk<Arc<Segment>>) {
    let reads: [(_, Count<DiskUse>); 4] = [
        ("hit", |usage| usage.hits),
        ("miss", |usage| usage.misses),
        ("error", |usage| usage.errors),
        ("slow", |usage| usage.slow),
    ];
    registry.register_collector(Box::new(Readings::counters(
        "streamfront_disk_reads",
        "Lookups of segments in the disk tier, by what came of them.",
        "result",
        reads.map(|(result, count)| {
            let disk = disk.clone();
            (result, move || number(count(disk.usage())))
        }),
    )));
    let counters: [(_, _, Count<DiskUse>); 3] = [
        (
            "streamfront_disk_read_bytes",
            "Bytes read from the disk tier.",
            |usage| usage.bytes_read,
        ),
        (
            "streamfront_disk_written_bytes",
            "Bytes written to the disk tier.",
            |usage| usage.bytes_written,
        ),
        (
            "streamfront_disk_dropped",
            "Segments not written to the disk tier: too many waited, or they were too long.",
            |usage| usage.dropped,
        ),
    ];
    for (name, help, count) in counters {
        let disk = disk.clone();
        let read = move || number(count(disk.usage()));
        registry.register_collector(Box::new(Readings::counter(name, help, read)));
    }
    let gauges: [(_, _, Count<DiskUse>); 2] = [
        (
            "streamfront_disk_queued_bytes",
            "Bytes that wait to be written to the disk tier.",
            |usage| usage.queued,
        ),
        (
            "streamfront_disk_capacity_bytes",
            "Bytes of the disk that the disk tier takes.",
            |usage| usage.capacity,
        ),
    ];
    for (name, help, count) in gauges {
        let disk = disk.clone();
        let read = move || number(count(disk.usage()));
        registry.register_collector(Box::new(Readings::gauge(name, help, read)));
    }
}

/// What names were taken to mean.
pub(super) fn objects(registry: &mut Registry, objects: &Arc<Objects>) {
    let names: [(_, Count<ObjectsUse>); 4] = [
        ("fresh", |usage| usage.fresh),
        ("absent", |usage| usage.absent),
        ("checked", |usage| usage.checked),
        ("stale", |usage| usage.served_stale),
    ];
    registry.register_collector(Box::new(Readings::counters(
        "streamfront_names_opened",
        "Plays of names: believed as they were, believed absent, checked, served stale for want of an origin.",
        "result",
        names.map(|(result, count)| {
            let objects = Arc::clone(objects);
            (result, move || number(count(objects.usage())))
        }),
    )));
    let objects = Arc::clone(objects);
    registry.register_collector(Box::new(Readings::gauge(
        "streamfront_index_bytes",
        "Memory of the indexes that names are bound to.",
        move || number(objects.usage().index_bytes as u64),
    )));
}
