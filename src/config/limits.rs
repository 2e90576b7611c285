//! What viewers may take. Over a limit one connection is refused or closed, with a logged reason.

use std::time::Duration;

use serde::Deserialize;

use super::millis;
use super::quantity::{de_duration, de_size};

/// Limits on viewers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// RTMP connections at once.
    pub max_connections: u32,
    /// Of these, from one address (an IPv4 address, or 64 bits of IPv6); 0: no limit.
    pub max_connections_per_address: u32,
    /// New connections a second from one address, in bursts of five seconds' worth; 0: no limit.
    pub max_arrivals_per_address: u32,
    /// Of these, such as need public keys (TLS, RTMPE); 0: no limit.
    pub max_handshakes_per_address: u32,
    /// Of these, to one distribution that does not say otherwise itself; 0: no limit.
    pub max_connections_per_distribution: u32,
    /// Bytes a second that one viewer is sent at the most, where its distribution does not say
    /// otherwise; 0: no cap.
    #[serde(deserialize_with = "de_size")]
    pub max_rate: u64,
    /// Streams (createStream) open at once on one connection.
    pub max_streams_per_connection: u32,
    /// From accept to the end of a connect command.
    #[serde(deserialize_with = "de_duration")]
    pub handshake_timeout: Duration,
    /// For a connection that plays nothing and says nothing.
    #[serde(deserialize_with = "de_duration")]
    pub idle_timeout: Duration,
    /// For a viewer that is being sent to and takes nothing.
    #[serde(deserialize_with = "de_duration")]
    pub stall_timeout: Duration,
    /// Longest message from a viewer, bytes.
    #[serde(deserialize_with = "de_size")]
    pub max_message: u64,
    /// Chunk streams that a viewer may use at once.
    pub max_chunk_streams: u32,
    /// Bytes that a viewer may send before its connect is complete, the 3 KiB of the handshake
    /// included.
    #[serde(deserialize_with = "de_size")]
    pub bytes_before_connect: u64,
    /// How deep AMF objects and arrays may be nested.
    pub amf_depth: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // Twice what this server is measured with; each costs a descriptor and some KiB.
            max_connections: 20_000,
            // None. Behind one address there may be a carrier's NAT, an office, or the relay or load
            // balancer that all viewers come through: a number that is right for the one turns away
            // the audience of the other, and only the operator knows which it is.
            max_connections_per_address: 0,
            // None, both, for the same reason.
            max_arrivals_per_address: 0,
            max_handshakes_per_address: 0,
            // None: a server mostly has one, and `max_connections` holds for it.
            max_connections_per_distribution: 0,
            // None: plays are paced already.
            max_rate: 0,
            // Players use one, those that switch streams two; playlists need no more.
            max_streams_per_connection: 16,
            // Three round trips: 10 s is enough for the worst mobile line.
            handshake_timeout: Duration::from_secs(10),
            // Players that were left open between two films; a paused one counts as playing.
            idle_timeout: Duration::from_secs(600),
            // TCP itself needs up to 30 s to bring a line back that was away for a moment.
            stall_timeout: Duration::from_secs(60),
            // Commands of real players are below 4 KiB, with a signed policy below 10 KiB.
            max_message: 64 << 10,
            // Players use three to five.
            max_chunk_streams: 16,
            // A connect with a swfUrl, a pageUrl and a token in each is below 10 KiB.
            bytes_before_connect: 64 << 10,
            // Real commands nest two or three deep.
            amf_depth: 16,
        }
    }
}

/// The least cap on a rate, bytes a second: below it a telephone call would not fit, and the
/// number was most likely meant in other units.
const LEAST_RATE: u64 = 1_000;

/// Whether a cap on a rate is one that can be meant; 0 is none.
pub(super) fn check_rate(rate: u64) -> Result<(), String> {
    if rate == 0 || rate >= LEAST_RATE {
        Ok(())
    } else {
        Err(format!(
            "must be 0 for no cap, or at least {LEAST_RATE} bytes a second"
        ))
    }
}

impl Limits {
    /// Each key with its value and the least that it may be.
    pub(super) fn bounds(&self) -> [(&'static str, u64, u64); 9] {
        [
            ("limits.max_connections", self.max_connections.into(), 1),
            (
                "limits.max_streams_per_connection",
                self.max_streams_per_connection.into(),
                1,
            ),
            (
                "limits.handshake_timeout",
                millis(self.handshake_timeout),
                1,
            ),
            ("limits.idle_timeout", millis(self.idle_timeout), 1),
            ("limits.stall_timeout", millis(self.stall_timeout), 1),
            // Below 4 KiB real players could not connect.
            ("limits.max_message", self.max_message, 4096),
            ("limits.max_chunk_streams", self.max_chunk_streams.into(), 4),
            (
                "limits.bytes_before_connect",
                self.bytes_before_connect,
                8192,
            ),
            ("limits.amf_depth", self.amf_depth.into(), 3),
        ]
    }
}
