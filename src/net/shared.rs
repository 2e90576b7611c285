//! What all connections share.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tracing::warn;

use super::connection::Rules;
use super::frequency::Frequency;
use super::routes::Routes;
use super::seats::Seats;
use super::sessions::Sessions;
use super::stages::Stages;
use crate::delivery::meter::{Meter, Turned};
use crate::delivery::session::Observer;

/// Time between two ticks. A viewer has a lead of 2 s at least, so that they never notice.
const TICK: Duration = Duration::from_millis(50);

/// Everything that all connections share.
#[derive(Debug)]
pub struct Shared {
    /// What viewers may do, and for how long.
    pub rules: Rules,
    /// Which distribution a viewer comes to.
    pub routes: Routes,
    /// How far the server is on its way to its end.
    pub stages: Stages,
    /// When the server started: ticks are counted from here.
    pub started: Instant,
    /// How many may be here at once.
    pub seats: Seats,
    /// How often one address may come.
    pub arrivals: Option<Frequency>,
    /// How often one address may begin a handshake that takes public keys.
    pub handshakes: Option<Frequency>,
    /// Permits to compute for a handshake that takes public keys: TLS and RTMPE.
    pub computing: Arc<Semaphore>,
    /// What viewers are served, counted.
    pub meter: Arc<Meter>,
    /// The viewers who are here.
    pub sessions: Sessions,
    /// Who is told what they do.
    pub observer: Arc<dyn Observer>,
}

impl Shared {
    /// The first tick at or after `time`. Paced viewers wake up on ticks only, so that those of one
    /// worker wake up together: one return from epoll for many.
    pub fn tick(&self, time: Instant) -> Instant {
        let since = time.saturating_duration_since(self.started);
        let ticks = since.as_nanos().div_ceil(TICK.as_nanos());
        let ticks = u32::try_from(ticks).unwrap_or(u32::MAX);
        self.started
            .checked_add(TICK.saturating_mul(ticks))
            .unwrap_or(time)
    }

    /// Whether somebody may come from there now. Who may not is counted, and costs no more than that.
    pub(super) fn admits(&self, limit: Option<&Frequency>, peer: SocketAddr) -> bool {
        let now = self.started.elapsed();
        if limit.is_none_or(|limit| limit.admits(peer.ip(), now)) {
            return true;
        }
        let times = self.meter.turned(Turned::TooOften).inc() + 1;
        if times.is_power_of_two() {
            warn!(%peer, times, "an address came too often: closed without a word");
        }
        false
    }
}
