//! Accepts connections and gives each a task of its own.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;
use tracing::{Instrument, debug, info_span, warn};

use super::connection::{Connection, Rules};
use super::routes::Routes;
use super::seats::{Seat, Seats};
use super::sessions::Sessions;
use super::stages::{Stage, Stages};
use super::transport::Transport;
use super::workers::{Assigned, Workers};
use crate::delivery::meter::{Meter, Turned};
use crate::delivery::session::Observer;
use crate::rtmp::status::Rejection;

/// How long accepting rests when the process is out of descriptors: connections that end free some.
const REST: Duration = Duration::from_millis(100);

/// Time between two ticks. A viewer has a lead of 2 s at least, so that they never notice.
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
    /// How many may be here at once.
    pub seats: Seats,
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
                let number = shared.meter.accepted.inc();
                match shared.seats.arrive(peer.ip()) {
                    Ok(seat) => {
                        let span = info_span!("connection", number, %peer);
                        let open = Open::new(&shared, seat);
                        // A worker has a reactor of its own, which the socket moves to.
                        let (Ok(stream), Some((worker, assigned))) =
                            (stream.into_std(), workers.assign())
                        else {
                            continue;
                        };
                        tasks.spawn_on(run(stream, peer, open, assigned).instrument(span), worker);
                    }
                    Err(rejection) => unheard(&shared.meter, peer, rejection),
                }
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

/// Says at the first, second, fourth, eighth ... time that viewers are closed without a word:
/// enough to be noticed, too little to flood.
fn unheard(meter: &Meter, peer: SocketAddr, rejection: Rejection) {
    let times = meter.turned(Turned::Unheard).inc() + 1;
    if times.is_power_of_two() {
        let word = rejection.word();
        warn!(%peer, word, times, "too many connections: closed without a word");
    }
}

async fn run(stream: std::net::TcpStream, peer: SocketAddr, open: Open, _assigned: Assigned) {
    debug!("accepted");
    let stream = match prepare(stream) {
        Ok(stream) => stream,
        Err(error) => return debug!(%error, "the viewer left at once"),
    };
    match Connection::new(
        Transport::Plain(stream),
        peer,
        &open.shared,
        open.seat.refusal,
    ) {
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
struct Open {
    shared: Arc<Shared>,
    seat: Seat,
}

impl Open {
    fn new(shared: &Arc<Shared>, seat: Seat) -> Self {
        shared.meter.open.inc();
        Self {
            shared: Arc::clone(shared),
            seat,
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.shared.meter.open.dec();
    }
}
