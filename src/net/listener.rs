//! Accepts connections and gives each a task of its own.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, debug, info_span, warn};

use super::connection::{Connection, Rules};
use super::routes::Routes;
use crate::delivery::socket;

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
    /// Connections open now, and the next one's number.
    pub open: AtomicU64,
    /// How many were accepted.
    pub accepted: AtomicU64,
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
                let open = shared.open.fetch_add(1, Ordering::Relaxed);
                let guard = Open(Arc::clone(&shared));
                if open >= shared.rules.max_connections {
                    warn!(%peer, limit = shared.rules.max_connections, "too many connections");
                    continue;
                }
                let number = shared.accepted.fetch_add(1, Ordering::Relaxed);
                let span = info_span!("connection", number, %peer);
                tasks.spawn(run(stream, guard).instrument(span));
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
    match Connection::new(&stream, &open.0) {
        Ok(connection) => connection.run().await,
        Err(error) => warn!(%error, "no random bytes for the handshake"),
    }
}

/// One connection that is counted as open.
struct Open(Arc<Shared>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}
