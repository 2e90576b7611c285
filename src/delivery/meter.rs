//! What viewers were served, counted: connections, plays, bytes, waits.
//!
//! One [`Meter`] for the whole server, shared by all connections. A count is one atomic addition;
//! a connection adds what it sent at most once a wake-up, and a histogram, which has a lock inside,
//! is told once a play or seek. Whoever shows the counts (metrics, later the access log) reads them
//! here; nothing here knows of it.
//!
//! Times are seconds, sizes bytes.

use std::sync::atomic::AtomicU64;
use std::time::Instant;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};

mod play;
mod words;

pub use play::PlayCount;
pub use words::{Close, Fault, PlayEnd, SignatureFault, Turned};

/// Buckets of waits: from 0.5 ms, which is a warm play on an idle machine, doubling to 16 s, when
/// every viewer has given up.
const FIRST_BUCKET: f64 = 0.000_5;
const BUCKETS: u16 = 16;

/// The counts of one server.
#[derive(Debug)]
pub struct Meter {
    /// Connections accepted, refused ones included.
    pub accepted: Counter,
    /// Connections that are served now, refused ones included.
    pub open: Gauge,
    /// Message streams that connections have in use.
    pub streams: Gauge,
    /// Media bytes that sockets took.
    pub media_bytes: Counter,
    /// All other bytes that sockets took.
    pub control_bytes: Counter,
    /// Segments that were in memory when a viewer came to them.
    pub segments_ready: Counter,
    /// Segments that a viewer had to wait for.
    pub segments_waited: Counter,
    /// From a play to its first media byte in the socket.
    pub first_byte: Histogram,
    /// From a seek to its first media byte in the socket.
    pub seek: Histogram,
    /// Seconds for which sockets took nothing while media was due.
    pub blocked: Counter<f64, AtomicU64>,
    /// Plays that began.
    pub started: Counter,
    /// Plays under way: begun, and not ended.
    pub underway: Gauge,
    /// Signed names that were accepted, at a play, a seek, or where only the length was asked for.
    pub signatures_accepted: Counter,
    ended: [Counter; PlayEnd::COUNT],
    turned: [Counter; Turned::COUNT],
    closed: [Counter; Close::COUNT],
    faults: [Counter; Fault::COUNT],
    signatures_refused: [Counter; SignatureFault::COUNT],
}

impl Default for Meter {
    fn default() -> Self {
        let waits = || Histogram::new(exponential_buckets(FIRST_BUCKET, 2.0, BUCKETS));
        Self {
            accepted: Counter::default(),
            open: Gauge::default(),
            streams: Gauge::default(),
            media_bytes: Counter::default(),
            control_bytes: Counter::default(),
            segments_ready: Counter::default(),
            segments_waited: Counter::default(),
            first_byte: waits(),
            seek: waits(),
            blocked: Counter::default(),
            started: Counter::default(),
            underway: Gauge::default(),
            signatures_accepted: Counter::default(),
            ended: Default::default(),
            turned: Default::default(),
            closed: Default::default(),
            faults: Default::default(),
            signatures_refused: Default::default(),
        }
    }
}

impl Meter {
    /// How many plays ended so.
    pub fn ended(&self, end: PlayEnd) -> &Counter {
        end.of(&self.ended)
    }

    /// How many viewers were turned away so.
    pub fn turned(&self, reason: Turned) -> &Counter {
        reason.of(&self.turned)
    }

    /// How many connections ended so.
    pub fn closed(&self, reason: Close) -> &Counter {
        reason.of(&self.closed)
    }

    /// How many viewers broke a rule of the protocol there.
    pub fn fault(&self, fault: Fault) -> &Counter {
        fault.of(&self.faults)
    }

    /// How many names were refused for this fault of their signatures.
    pub fn signature_refused(&self, fault: SignatureFault) -> &Counter {
        fault.of(&self.signatures_refused)
    }

    /// Counts a play that was refused before anything was looked for.
    pub fn play_refused(&self) {
        self.started.inc();
        self.ended(PlayEnd::Refused).inc();
    }
}

/// A viewer who waits for the first media byte of a play or seek.
#[derive(Debug, Clone, Copy)]
pub struct Awaited {
    what: Wait,
    since: Instant,
}

/// What is waited for.
#[derive(Debug, Clone, Copy)]
enum Wait {
    Play,
    Seek,
}

impl Awaited {
    /// A play came in.
    pub fn play(now: Instant) -> Self {
        Self {
            what: Wait::Play,
            since: now,
        }
    }

    /// A seek came in.
    pub fn seek(now: Instant) -> Self {
        Self {
            what: Wait::Seek,
            since: now,
        }
    }

    /// The first byte went out.
    pub fn over(self, meter: &Meter, now: Instant) {
        let seconds = now.saturating_duration_since(self.since).as_secs_f64();
        match self.what {
            Wait::Play => meter.first_byte.observe(seconds),
            Wait::Seek => meter.seek.observe(seconds),
        }
    }
}
