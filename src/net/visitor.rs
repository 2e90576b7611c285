//! Who comes in: what is known of a viewer before they have said a word.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use super::seats::Seat;
use super::shared::Shared;
use crate::delivery::meter::{Close, Meter};
use crate::rtmp::status::Rejection;

/// Which way somebody came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// Over TCP.
    Tcp,
}

impl Door {
    /// What the protocol is called in URLs.
    pub const fn scheme(self) -> &'static str {
        match self {
            Self::Tcp => "rtmp",
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
    /// Why they will be refused when they connect, if they will.
    pub refusal: Option<Rejection>,
    _seat: Seat,
    open: Open,
}

impl Visitor {
    /// Finds a place for one who came.
    ///
    /// # Errors
    /// There is none, and nobody has the time to say so.
    pub fn arrive(shared: &Shared, peer: SocketAddr, door: Door) -> Result<Self, Rejection> {
        let number = shared.meter.accepted.inc();
        let seat = shared.seats.arrive(peer.ip())?;
        Ok(Self {
            number,
            peer,
            since: Instant::now(),
            door,
            refusal: seat.refusal,
            _seat: seat,
            open: Open::new(&shared.meter),
        })
    }

    /// Takes that they left, or went elsewhere, before there was a connection to tell of it.
    pub fn left(self, why: Close) {
        self.open.meter.closed(why).inc();
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
