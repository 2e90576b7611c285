//! Who comes in: what is known of a viewer before they have said a word.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use tracing::debug;

use super::proxy::ProxyError;
use super::seats::Seat;
use super::shared::Shared;
use crate::delivery::meter::{Close, Meter};
use crate::rtmp::status::Rejection;

/// Which way somebody came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// Over TCP.
    Tcp,
    /// Over TLS.
    Tls,
    /// Through the tunnel, in HTTP.
    Tunnel,
}

impl Door {
    /// What the protocol is called in URLs, with RTMPE behind the door where `encrypted`.
    pub const fn scheme(self, encrypted: bool) -> &'static str {
        match (self, encrypted) {
            (Self::Tcp, false) => "rtmp",
            (Self::Tcp, true) => "rtmpe",
            // Nobody has a name for RTMPE in TLS, and TLS is what protects it.
            (Self::Tls, _) => "rtmps",
            (Self::Tunnel, false) => "rtmpt",
            (Self::Tunnel, true) => "rtmpte",
        }
    }
}

/// One who came. They take a place, and are counted as here, until this is dropped.
#[derive(Debug)]
pub struct Visitor {
    /// The number of the connection.
    pub number: u64,
    /// Their address.
    pub peer: SocketAddr,
    /// When they came.
    pub since: Instant,
    /// Which way.
    pub door: Door,
    seat: Seat,
    open: Open,
}

impl Visitor {
    /// Finds a place for one who came.
    ///
    /// # Errors
    /// There is none, and nobody has the time to say so.
    pub fn arrive(shared: &Shared, peer: SocketAddr, door: Door) -> Result<Self, Rejection> {
        Self::seated(shared, Some(peer.ip()), peer, door)
    }

    /// Finds a place for one who came through a proxy, which will say from where.
    ///
    /// # Errors
    /// As [`Visitor::arrive`].
    pub fn arrive_by(shared: &Shared, proxy: SocketAddr, door: Door) -> Result<Self, Rejection> {
        Self::seated(shared, None, proxy, door)
    }

    fn seated(
        shared: &Shared,
        known: Option<IpAddr>,
        peer: SocketAddr,
        door: Door,
    ) -> Result<Self, Rejection> {
        let number = shared.meter.accepted.inc();
        let seat = shared.seats.arrive(known)?;
        Ok(Self {
            number,
            peer,
            since: Instant::now(),
            door,
            seat,
            open: Open::new(&shared.meter),
        })
    }

    /// Takes where they really came from.
    ///
    /// # Errors
    /// There is no place for one more from there, and nobody has the time to say so.
    pub fn came_from(&mut self, shared: &Shared, peer: SocketAddr) -> Result<(), Rejection> {
        self.peer = peer;
        shared.seats.known(&mut self.seat, peer.ip())
    }

    /// Why they will be refused when they connect, if they will.
    pub fn refusal(&self) -> Option<Rejection> {
        self.seat.refusal
    }

    /// Takes that they are not served.
    pub fn left(self, why: &Unserved) {
        debug!(number = self.number, peer = %self.peer, "{why}");
        self.went_on(why.close());
    }

    /// Takes that they are no viewer any more.
    pub fn went_on(self, why: Close) {
        self.open.meter.closed(why).inc();
    }
}

/// Why somebody was not served who had not begun with a protocol.
#[derive(Debug, thiserror::Error)]
pub enum Unserved {
    /// They left.
    #[error("the viewer left without a word")]
    Left,
    /// The network broke.
    #[error("the viewer left at once: {0}")]
    Broken(#[from] io::Error),
    /// They said nothing in time.
    #[error("not a word in the time of a handshake")]
    Silent,
    /// Their address came too often.
    #[error("the address comes too often")]
    TooOften,
    /// There is no place for one more from their address.
    #[error("no place is left for the address, and no time to say so")]
    Unheard,
    /// They speak HTTP, and its places are taken.
    #[error("no place for HTTP came free")]
    NoPlace,
    /// What the proxy in front said cannot be used.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    /// They speak TLS.
    #[error("TLS, and there is no certificate")]
    NoCertificate,
    /// The server begins nothing new.
    #[error("the server drains")]
    Draining,
    /// TLS could not be agreed on.
    #[error("the TLS handshake failed: {0}")]
    Handshake(io::Error),
}

impl Unserved {
    const fn close(&self) -> Close {
        match self {
            Self::Left => Close::Viewer,
            // A load balancer that only looks whether somebody listens.
            Self::Broken(_) | Self::Proxy(ProxyError::Read(_)) => Close::Broken,
            Self::Draining => Close::Drained,
            Self::Silent => Close::NoConnect,
            Self::TooOften | Self::Unheard | Self::NoPlace => Close::Rejected,
            Self::Proxy(_) | Self::NoCertificate | Self::Handshake(_) => Close::Violation,
        }
    }
}

/// One connection that is counted as open.
#[derive(Debug)]
struct Open {
    meter: Arc<Meter>,
}

impl Open {
    fn new(meter: &Arc<Meter>) -> Self {
        meter.open.inc();
        Self {
            meter: Arc::clone(meter),
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.meter.open.dec();
    }
}
