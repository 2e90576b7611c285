//! Why a connection is closed: the client is to blame for all of these.

use crate::rtmp::chunk::ChunkError;
use crate::rtmp::command::CallError;
use crate::rtmp::handshake::HandshakeError;

/// A rule or limit that a client broke. Positions count from the first byte of the connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// In the handshake.
    #[error("handshake: {0}")]
    Handshake(#[from] HandshakeError),
    /// In the chunks.
    #[error("chunks: {0}")]
    Chunk(#[from] ChunkError),
    /// In a command.
    #[error("command at byte {at}: {source}")]
    Call {
        /// Where its message begins.
        at: u64,
        /// What is wrong; positions in it count from the first byte of the message's payload.
        source: CallError,
    },
    /// A message of the protocol itself is too short.
    #[error("message of type {type_id} at byte {at} is cut")]
    Malformed {
        /// Its type.
        type_id: u8,
        /// Where it begins.
        at: u64,
    },
    /// Connect did not come in time.
    #[error("no connect in the first {limit} bytes")]
    BytesBeforeConnect {
        /// [`super::Limits::bytes_before_connect`].
        limit: u64,
    },
    /// createStream asked for one more than there may be.
    #[error("more than {limit} message streams, at byte {at}")]
    TooManyStreams {
        /// [`super::Limits::streams`].
        limit: u32,
        /// Where its message begins.
        at: u64,
    },
    /// Another command came before connect.
    #[error("the command at byte {at} comes before connect")]
    BeforeConnect {
        /// Where its message begins.
        at: u64,
    },
    /// Connect came again.
    #[error("a second connect at byte {at}")]
    ConnectTwice {
        /// Where its message begins.
        at: u64,
    },
}
