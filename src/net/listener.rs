//! Accepts connections.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tracing::{debug, warn};

use super::doors::Doors;
use super::stages::Stage;

/// How long accepting rests when the process is out of descriptors: connections that end free some.
const REST: Duration = Duration::from_millis(100);

/// Accepts until the server has reached the stage `until`.
pub async fn serve(listener: TcpListener, doors: Arc<Doors>, until: Stage) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = doors.shared.stages.reached(until) => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                // What an IPv6 socket shows of IPv4 is an IPv4 address to everybody else.
                let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
                doors.welcome(stream, peer);
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
