//! From the spool into buckets: each closed file is one object, written again until its bucket has
//! it, and only then removed.
//!
//! Places, a bucket with a prefix, do not wait for each other: one may be refused where others are
//! not. One that fails rests for a time that doubles.

use std::collections::{HashMap, HashSet};
use std::fmt::Debug;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::backoff::rest;
use super::meter::{LogMeter, lose};
use super::row;
use super::shelf::{Kept, Shelf};
use super::spool::file;
use crate::distribution::streaming::Logging;
use crate::origin::bucket::{Bucket, WriteError};

/// Places that are written to at once: each takes the memory of a file.
const AT_ONCE: usize = 4;

/// Of these, places that failed the last time: each may take the whole time that a write may take,
/// and those that are well must not wait for them.
const FAILED_AT_ONCE: usize = AT_ONCE / 2;

/// What an object of rows is. (CloudFront's own.)
const CONTENT_TYPE: &str = "application/x-gzip";

/// Who knows buckets by their domain names.
pub trait Buckets: Send + Sync + Debug {
    /// The bucket that a domain name stands for; `None` where it stands for none.
    fn bucket(&self, domain: &str) -> Option<Arc<dyn Bucket>>;
}

/// Why a file was not delivered.
#[derive(Debug, thiserror::Error)]
enum DeliveryError {
    #[error("{0:?} names no bucket of a configured S3 server")]
    NoBucket(String),
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error("the file cannot be read: {0}")]
    Read(io::Error),
}

/// What delivers.
#[derive(Debug, Clone)]
pub(super) struct Deliverer {
    pub(super) directory: PathBuf,
    pub(super) shelf: Arc<Shelf>,
    pub(super) meter: Arc<LogMeter>,
    pub(super) buckets: Arc<dyn Buckets>,
}

/// A place that a file was for, and whether it went well.
type Turn = (Arc<Logging>, bool);

/// A place that failed.
#[derive(Debug, Clone, Copy)]
struct Resting {
    failures: u32,
    until: Instant,
}

impl Deliverer {
    /// Delivers what is closed, until `stop`; then everything that can be delivered, once.
    pub(super) async fn run(self, stop: CancellationToken) {
        let mut resting: HashMap<Arc<Logging>, Resting> = HashMap::new();
        let mut busy: HashSet<Arc<Logging>> = HashSet::new();
        let mut running: FuturesUnordered<BoxFuture<'_, Turn>> = FuturesUnordered::new();
        let mut last = false;
        loop {
            let news = self.shelf.news();
            let now = Instant::now();
            // What was dropped meanwhile will not come back to tell that it is well.
            resting.retain(|place, _| busy.contains(place) || self.shelf.has(place));
            let mut places = self.shelf.places();
            places.sort_by_key(|place| resting.contains_key(place));
            let mut next = None;
            for place in places {
                let failed = busy.iter().filter(|it| resting.contains_key(*it)).count();
                let rests = resting.get(&place).map(|it| it.until);
                if busy.len() >= AT_ONCE || (rests.is_some() && failed >= FAILED_AT_ONCE) {
                    break;
                }
                if let Some(until) = rests.filter(|until| *until > now) {
                    next = Some(next.map_or(until, |next: Instant| next.min(until)));
                } else if busy.insert(Arc::clone(&place)) {
                    running.push(self.deliver(place).boxed());
                }
            }
            if last && running.is_empty() {
                return;
            }
            tokio::select! {
                Some((place, well)) = running.next() => {
                    busy.remove(&place);
                    if well {
                        resting.remove(&place);
                    } else {
                        let failures = resting.get(&place).map_or(0, |it| it.failures);
                        let failures = failures.saturating_add(1);
                        let chance = getrandom::u32().unwrap_or(u32::MAX);
                        let until = Instant::now() + rest(failures, chance);
                        resting.insert(place, Resting { failures, until });
                    }
                }
                () = news => {}
                () = until(next) => {}
                () = stop.cancelled(), if !last => {
                    last = true;
                    // Each gets a last chance; one that failed has had it.
                    resting.clear();
                }
            }
        }
    }

    /// Delivers the oldest file for a place. Whether that went well.
    async fn deliver(&self, place: Arc<Logging>) -> Turn {
        if let Some((name, kept)) = self.shelf.take(&place)
            && let Err(error) = self.deliver_file(&name, &kept).await
        {
            self.shelf.put_back(&name);
            if let Some(failures) = lose(&self.meter.failures, 1) {
                let Logging { bucket, prefix } = &*place;
                warn!(bucket, prefix, failures, %error, "access logs cannot be delivered; they wait");
            }
            return (place, false);
        }
        (place, true)
    }

    async fn deliver_file(&self, name: &str, kept: &Kept) -> Result<(), DeliveryError> {
        let to = &kept.to;
        let missing = || DeliveryError::NoBucket(to.bucket.clone());
        let bucket = self.buckets.bucket(&to.bucket).ok_or_else(missing)?;
        let (directory, named) = (self.directory.clone(), name.to_owned());
        let packed = tokio::task::spawn_blocking(move || pack(&directory, &named)).await;
        let body = match packed.unwrap_or_else(|error| Err(io::Error::other(error))) {
            Ok(body) => body,
            Err(error) if error.kind() == io::ErrorKind::NotFound || file::is_torn(&error) => {
                // Nobody can deliver it, and it must not stand in the way of others.
                self.meter.lost_disk.inc_by(kept.rows);
                warn!(name, %error, rows = kept.rows, "an access log file is gone or damaged");
                self.shelf.remove(name);
                return Ok(());
            }
            Err(error) => return Err(DeliveryError::Read(error)),
        };
        let (body, rows) = body;
        let key = file::object_key(&to.prefix, name);
        bucket.put(&key, CONTENT_TYPE, body).await?;
        debug!(key, rows, "delivered an access log");
        file::remove(&self.directory, name);
        self.shelf.remove(name);
        self.meter.delivered.inc_by(rows);
        // Rows that the disk has lost since it took them.
        self.meter.lost_disk.inc_by(kept.rows.saturating_sub(rows));
        Ok(())
    }
}

/// The object of a closed file, and its rows. The same bytes each time.
fn pack(directory: &Path, name: &str) -> io::Result<(Bytes, u64)> {
    let rows = file::rows(directory, name)?;
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(row::HEAD.as_bytes())?;
    packed.write_all(&rows)?;
    let packed = packed.finish()?;
    Ok((packed.into(), file::count(&rows)))
}

/// Waits for a time; for ever where there is none.
async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time.into()).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
