//! What one viewer may make the server hold or do.

use crate::amf;
use crate::rtmp::chunk::ChunkLimits;

/// The smallest window that is acknowledged, bytes: a client that asks for a window of one byte
/// must not get sixteen bytes for each. Known clients ask for 2,500,000.
pub(super) const ACK_WINDOW_MIN: u64 = 4096;

/// Bounds of one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Of chunks and messages.
    pub chunks: ChunkLimits,
    /// Of the values in a command.
    pub amf: amf::Limits,
    /// Bytes up to the end of connect, handshake included. Known clients send 3.5 KB, and some
    /// more where the URL is signed; who sends more than this before it says what it wants, wants
    /// something else.
    pub bytes_before_connect: u64,
    /// Message streams at a time. Players use one; those that prepare the next clip, two or three.
    pub streams: u32,
    /// Whether encrypted handshakes (RTMPE) are spoken. Each costs most of a millisecond of
    /// computing, and what they give is no security.
    pub encrypted: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            chunks: ChunkLimits::VIEWER,
            amf: amf::Limits::COMMAND,
            bytes_before_connect: 64 * 1024,
            streams: 16,
            encrypted: false,
        }
    }
}
