//! The access log of this server: its buckets, its counts, and the signal to open its file anew.

use std::io;
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::task::AbortOnDropHandle;

use crate::config::Settings;
use crate::log::{Buckets, JsonTo, Log, LogMeter, Workers};
use crate::origin::{Bucket, Origins};
use crate::telemetry::metrics::{Metrics, Readings};

/// The buckets that logs are delivered to.
#[derive(Debug)]
struct LogBuckets {
    settings: Arc<Settings>,
    origins: Origins,
}

impl Buckets for LogBuckets {
    fn bucket(&self, domain: &str) -> Option<Arc<dyn Bucket>> {
        let bucket = self.settings.log_bucket_of(domain)?;
        Some(self.origins.writer(bucket))
    }
}

/// Starts the access log.
pub(super) fn start(settings: &Arc<Settings>, origins: &Origins) -> io::Result<Workers> {
    let buckets = LogBuckets {
        settings: Arc::clone(settings),
        origins: origins.clone(),
    };
    Log::start(settings.log_options(), Arc::new(buckets))
}

/// Opens the file of JSON lines anew at each SIGHUP, as log rotation sends it, until the handle is
/// dropped. Where neither such a file nor a certificate waits for it, SIGHUP ends the server, as it
/// ends any program.
pub(super) fn reopen_on_hangup(
    settings: &Settings,
    log: &Arc<Log>,
) -> io::Result<Option<AbortOnDropHandle<()>>> {
    if !matches!(settings.log_options().json, Some(JsonTo::File(_))) {
        return Ok(None);
    }
    let mut hangups = signal(SignalKind::hangup())?;
    let log = Arc::clone(log);
    let reopening = async move {
        while hangups.recv().await.is_some() {
            log.reopen();
        }
    };
    Ok(Some(AbortOnDropHandle::new(tokio::spawn(reopening))))
}

/// Shows its counts.
pub(super) fn metrics(metrics: &mut Metrics, log: &Arc<Log>) {
    type Count = fn(&LogMeter) -> u64;
    let counters: [(_, _, Count); 3] = [
        (
            "streamfront_access_log_spooled",
            "Access log records that were written to the disk.",
            |meter| meter.spooled.get(),
        ),
        (
            "streamfront_access_log_delivered",
            "Access log records that their buckets have.",
            |meter| meter.delivered.get(),
        ),
        (
            "streamfront_access_log_delivery_failures",
            "Deliveries of access logs that failed and are tried again.",
            |meter| meter.failures.get(),
        ),
    ];
    for (name, help, count) in counters {
        let meter = Arc::clone(log.meter());
        metrics.add(Readings::counter(name, help, move || count(&meter) as f64));
    }
    let lost: [(_, Count); 4] = [
        ("queue", |meter| meter.lost_queued.get()),
        ("full", |meter| meter.lost_full.get()),
        ("disk", |meter| meter.lost_disk.get()),
        ("json", |meter| meter.lost_lines.get()),
    ];
    metrics.add(Readings::counters(
        "streamfront_access_log_lost",
        "Access log records that were lost, by where: on the way to the disk, in a full spool, on a disk that failed, on the way to the JSON lines.",
        "where",
        lost.map(|(word, count)| {
            let meter = Arc::clone(log.meter());
            (word, move || count(&meter) as f64)
        }),
    ));
    let (waiting, oldest) = (Arc::clone(log), Arc::clone(log));
    metrics.add(Readings::gauge(
        "streamfront_access_log_spool_bytes",
        "Bytes of access logs on the disk that wait for their delivery.",
        move || waiting.waiting() as f64,
    ));
    metrics.add(Readings::gauge(
        "streamfront_access_log_oldest_seconds",
        "Age of the oldest access log that waits for its delivery.",
        move || oldest.oldest().as_secs_f64(),
    ));
}
