//! Access logs: what viewers do, as the tools for CloudFront's streaming logs read it
//! (cloudfront.md, section 4), and as JSON lines for who has no bucket.
//!
//! A viewer's task only puts an entry into a bounded `queue` and goes on. One thread
//! writes rows to files ([`spool`]): from then on a crash loses nothing. A task ([`deliver`]) puts
//! each file that is closed into its bucket, until the bucket has it. Another thread writes JSON
//! lines (`lines`). Whichever of them is slow loses its own oldest entries, counted, and holds up
//! nobody.
//!
//! Times are of the wall clock in UTC, sizes bytes.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::warn;

mod backoff;
pub mod deliver;
pub mod encode;
pub mod entry;
pub mod json;
mod lines;
pub mod meter;
mod queue;
pub mod row;
mod shelf;
pub mod spool;

pub use deliver::Buckets;
pub use meter::LogMeter;

use crate::delivery::session::{Facts, Happening, Observer, Session};
use entry::Entry;
use lines::Lines;
use queue::Queue;
use shelf::Shelf;
use spool::Spool;
use spool::home::{Home, HomeError};

/// How long the last delivery may take when the server stops. What is not delivered by then is
/// after the next start.
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// How access is logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// What x-edge-location says.
    pub edge: String,
    /// Whether `"`, `\` and the blank are encoded twice, as the documents up to 2019 say.
    pub double: bool,
    /// Where rows wait for their delivery.
    pub directory: PathBuf,
    /// How long they wait.
    pub delivery: Duration,
    /// The most that waits, bytes.
    pub spool: u64,
    /// Where JSON lines go, if anywhere.
    pub json: Option<JsonTo>,
    /// Whether there may be rows. Then no other server may have the directory.
    pub rows: bool,
}

/// Where JSON lines go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JsonTo {
    /// The standard output.
    Stdout,
    /// The end of a file.
    File(PathBuf),
}

/// The access logs of a server that runs.
#[derive(Debug)]
pub struct Log {
    rows: Arc<Queue>,
    lines: Option<Arc<Queue>>,
    /// Whether the file of JSON lines is to be opened anew.
    reopen: Arc<AtomicBool>,
    meter: Arc<LogMeter>,
    shelf: Arc<Shelf>,
}

/// What works for a [`Log`], to be ended after all viewers are gone.
#[derive(Debug)]
pub struct Workers {
    log: Arc<Log>,
    threads: Vec<JoinHandle<()>>,
    stop: CancellationToken,
    delivering: AbortOnDropHandle<()>,
}

impl Log {
    /// Starts the threads and the task. What an earlier run left is delivered.
    ///
    /// # Errors
    /// The system starts no thread, or the directory for rows is another server's.
    pub fn start(options: Options, buckets: Arc<dyn Buckets>) -> std::io::Result<Workers> {
        let home = if options.rows { home(&options)? } else { None };
        let meter = Arc::new(LogMeter::default());
        let shelf = Arc::new(Shelf::default());
        let rows = Arc::new(Queue::default());
        let reopen = Arc::new(AtomicBool::new(false));
        let mut threads = Vec::new();
        let mut lines = None;
        let named = |name: &str| std::thread::Builder::new().name(name.to_owned());
        if let Some(to) = &options.json {
            let queue = Arc::new(Queue::default());
            let writer = Lines::new(to.clone(), Arc::clone(&reopen), Arc::clone(&meter));
            let taken = Arc::clone(&queue);
            threads.push(named("access-lines").spawn(move || writer.run(&taken))?);
            lines = Some(queue);
        }
        let deliverer = deliver::Deliverer {
            directory: options.directory.clone(),
            shelf: Arc::clone(&shelf),
            meter: Arc::clone(&meter),
            buckets,
        };
        let spool = Spool::new(options, home, Arc::clone(&shelf), Arc::clone(&meter));
        let taken = Arc::clone(&rows);
        threads.push(named("access-log").spawn(move || spool.run(&taken))?);
        let stop = CancellationToken::new();
        let delivering = tokio::spawn(deliverer.run(stop.clone()));
        let log = Arc::new(Self {
            rows,
            lines,
            reopen,
            meter,
            shelf,
        });
        Ok(Workers {
            log,
            threads,
            stop,
            delivering: AbortOnDropHandle::new(delivering),
        })
    }

    /// What was logged, counted.
    pub fn meter(&self) -> &Arc<LogMeter> {
        &self.meter
    }

    /// Bytes that wait on the disk.
    pub fn waiting(&self) -> u64 {
        self.shelf.bytes()
    }

    /// For how long the oldest row has waited that is on the disk.
    pub fn oldest(&self) -> Duration {
        self.shelf.oldest()
    }

    /// The file of JSON lines is opened anew: somebody moved it away.
    pub fn reopen(&self) {
        self.reopen.store(true, Ordering::Release);
        if let Some(lines) = &self.lines {
            lines.ring();
        }
    }

    fn take(&self, entry: Entry) {
        let row = entry.logging.is_some() && entry.is_row();
        if !row && self.lines.is_none() {
            return;
        }
        let entry = Arc::new(entry);
        if let Some(lines) = &self.lines {
            self.meter.lost_lines.inc_by(lines.push(Arc::clone(&entry)));
        }
        if row {
            self.meter.lost_queued.inc_by(self.rows.push(entry));
        }
    }
}

/// Takes the directory for rows. A disk that fails keeps no server from starting: it is tried again
/// when there are rows.
fn home(options: &Options) -> std::io::Result<Option<Home>> {
    match Home::take(&options.directory) {
        Ok(home) => Ok(Some(home)),
        Err(error @ HomeError::Taken(_)) => Err(error.into()),
        Err(error) => {
            let directory = options.directory.display();
            warn!(%directory, %error, "access log records cannot be kept");
            Ok(None)
        }
    }
}

impl Observer for Log {
    fn saw(&self, session: &Session, happening: Happening<'_>) {
        if self.lines.is_some() || session.distribution.terms().logging.is_some() {
            self.take(Entry::of(session, happening));
        }
    }

    fn turned_away(&self, facts: Facts, reason: &'static str) {
        if self.lines.is_some() {
            self.take(Entry::turned_away(facts, reason));
        }
    }
}

impl Workers {
    /// What they work for.
    pub fn log(&self) -> &Arc<Log> {
        &self.log
    }

    /// Writes what is queued, delivers what can be delivered within a bounded time, and ends. To be
    /// called when there is nobody left who logs.
    pub async fn close(self) {
        let Self {
            log,
            threads,
            stop,
            delivering,
        } = self;
        log.rows.close();
        if let Some(lines) = &log.lines {
            lines.close();
        }
        let joined = tokio::task::spawn_blocking(move || {
            threads.into_iter().all(|thread| thread.join().is_ok())
        });
        let joined = tokio::time::timeout(STOP_LIMIT, joined).await;
        if !matches!(joined, Ok(Ok(true))) {
            warn!("the access log could not be written to its end");
        }
        stop.cancel();
        if tokio::time::timeout(STOP_LIMIT, delivering).await.is_err() || log.waiting() > 0 {
            let bytes = log.waiting();
            warn!(bytes, "access log records wait for the next start");
        }
    }
}
