//! Accepts connections and gives each a task of its own.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, debug, info_span, warn};

use super::connection::{Connection, Rules};
use super::routes::Routes;
use super::seats::{Seat, Seats};
use crate::delivery::meter::{Meter, Turned};
use crate::delivery::socket;
use crate::rtmp::status::Rejection;

/// How long accepting rests when the process is out of descriptors: connections that end free some.
const REST: Duration = Duration::from_millis(100);

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
    /// No new plays; running ones go on.
    pub draining: CancellationToken,
    /// Every connection ends now.
    pub stopping: CancellationToken,
    /// How many may be here at once.
    pub seats: Seats,
    /// What viewers are served, counted.
    pub meter: Arc<Meter>,
}

/// Accepts until the server drains.
pub async fn serve(listener: TcpListener, shared: Arc<Shared>, tasks: TaskTracker) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shared.draining.cancelled() => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                let number = shared.meter.accepted.inc();
                match shared.seats.arrive(peer.ip()) {
                    Ok(seat) => {
                        let span = info_span!("connection", number, %peer);
                        let open = Open::new(&shared, seat);
                        tasks.spawn(run(stream, open).instrument(span));
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

/// Says at the first, second, fourth, eighth ... time that viewers are closed without a word: enough
/// to be noticed, too little to flood.
fn unheard(meter: &Meter, peer: SocketAddr, rejection: Rejection) {
    let times = meter.turned(Turned::Unheard).inc() + 1;
    if times.is_power_of_two() {
        let word = rejection.word();
        warn!(%peer, word, times, "too many connections: closed without a word");
    }
}

async fn run(stream: TcpStream, open: Open) {
    debug!("accepted");
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE)
        .with_interval(KEEPALIVE / 4);
    let prepared = socket::prepare(&stream)
        .and_then(|()| SockRef::from(&stream).set_tcp_keepalive(&keepalive));
    if let Err(error) = prepared {
        debug!(%error, "the viewer left at once");
        return;
    }
    match Connection::new(&stream, &open.shared, open.seat.refusal) {
        Ok(connection) => connection.run().await,
        Err(error) => warn!(%error, "no random bytes for the handshake"),
    }
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
