//! What viewers may do.

use std::time::Duration;

use crate::rtmp::server::Limits;

/// What viewers may do, and for how long.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Limits of the protocol core.
    pub limits: Limits,
    /// From the connection to an accepted connect.
    pub handshake_timeout: Duration,
    /// Without a play under way and without a word from the viewer.
    pub idle_timeout: Duration,
    /// With something to send that the viewer does not take.
    pub stall_timeout: Duration,
}
