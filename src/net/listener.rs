//! Accepts connections and gives each a task of its own.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;
use tracing::{Instrument, debug, info_span, warn};

use super::connection::{Connection, Rules};
use super::routes::Routes;
use super::stages::{Stage, Stages};
use super::workers::{Seat, Workers};

/// How long accepting rests when the process is out of descriptors: connections that end free some.
const REST: Duration = Duration::from_millis(100);

/// Time between two ticks. A viewer has a lead of a second at least, so that they never notice.
const TICK: Duration = Duration::from_millis(50);

/// A viewer who is gone without a word is found out after this long (paused viewers send and get
/// nothing for hours).
const KEEPALIVE: Duration = Duration::from_secs(60);

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
    /// Connections open now, and the next one's number.
    pub open: AtomicU64,
    /// How many were accepted.
    pub accepted: AtomicU64,
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
}

/// Accepts until the server drains, and gives each connection to one of the workers.
pub async fn serve(
    listener: TcpListener,
    shared: Arc<Shared>,
    workers: Arc<Workers>,
    tasks: TaskTracker,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shared.stages.reached(Stage::Draining) => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                let open = shared.open.fetch_add(1, Ordering::Relaxed);
                let guard = Open(Arc::clone(&shared));
                if open >= shared.rules.max_connections {
                    warn!(%peer, limit = shared.rules.max_connections, "too many connections");
                    continue;
                }
                let number = shared.accepted.fetch_add(1, Ordering::Relaxed);
                let span = info_span!("connection", number, %peer);
                // A worker has a reactor of its own, which the socket moves to.
                let (Ok(stream), Some((worker, seat))) = (stream.into_std(), workers.seat()) else {
                    continue;
                };
                tasks.spawn_on(run(stream, guard, seat).instrument(span), worker);
            }
            Err(error) => {
                // A viewer that left before it was accepted; or no descriptor is left.
                debug!(%error, "cannot accept a connection");
                if error.kind() != io::ErrorKind::ConnectionAborted {
                    warn!(%error, "cannot accept connections");
                    tokio::time::sleep(REST).await;
                }
            }
        }
    }
}

async fn run(stream: std::net::TcpStream, open: Open, _seat: Seat) {
    debug!("accepted");
    let stream = match prepare(stream) {
        Ok(stream) => stream,
        Err(error) => return debug!(%error, "the viewer left at once"),
    };
    match Connection::new(&stream, &open.0) {
        Ok(connection) => connection.run().await,
        Err(error) => warn!(%error, "no random bytes for the handshake"),
    }
}

fn prepare(stream: std::net::TcpStream) -> io::Result<TcpStream> {
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE)
        .with_interval(KEEPALIVE / 4);
    let socket = SockRef::from(&stream);
    // Replies are small and must not wait for each other.
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_keepalive(&keepalive)?;
    TcpStream::from_std(stream)
}

/// One connection that is counted as open.
struct Open(Arc<Shared>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}
