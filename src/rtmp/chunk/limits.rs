//! How much a peer may make a chunk reader hold.

use crate::rtmp::message::MESSAGE_MAX;

/// Bounds on what a [`super::ChunkReader`] accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkLimits {
    /// The longest message that is kept, bytes.
    pub message: u32,
    /// How many chunk streams a connection may use.
    pub streams: usize,
    /// Bytes of unfinished messages, all chunk streams together.
    pub buffered: usize,
    /// Whether audio, video and aggregate messages are passed over unread, however long. They
    /// are then not reported.
    pub discard_media: bool,
}

impl ChunkLimits {
    /// For what a viewer sends: commands, below 10 KB with the longest signed names known, and
    /// 6 chunk streams in the busiest client measured. A viewer has no media to send.
    pub const VIEWER: Self = Self {
        message: 64 * 1024,
        streams: 16,
        buffered: 256 * 1024,
        discard_media: true,
    };

    /// For what a server sends to a player of ours: whole media messages of any length.
    pub const PLAYER: Self = Self {
        message: MESSAGE_MAX,
        streams: 64,
        buffered: 64 << 20,
        discard_media: false,
    };
}

impl Default for ChunkLimits {
    fn default() -> Self {
        Self::VIEWER
    }
}
