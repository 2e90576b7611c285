//! Chunks: how messages are cut up so that several can share a connection (RTMP 1.0 section 5.3).
//!
//! Reading takes everything that the format allows, within [`ChunkLimits`]. Writing uses one form
//! only: a full (type 0) header on each message and type 3 on the rest of its chunks. It keeps no
//! state, so the bytes of a message are the same for every viewer.

mod aggregate;
mod error;
pub mod header;
mod limits;
mod reader;
mod stream;
mod writer;

pub use error::ChunkError;
pub use limits::ChunkLimits;
pub use reader::ChunkReader;
pub use writer::{continuation_head, message_head, write_message};

/// Bytes of payload in a chunk until Set Chunk Size says otherwise, in both directions.
pub const DEFAULT_CHUNK_SIZE: u32 = 128;

/// Bytes of payload in our chunks: what Flash-era clients take, and few headers (spec/rtmp.md 4.4).
pub const CHUNK_SIZE: u32 = 65_536;

/// Chunk stream of protocol control messages and user control events.
pub const CSID_CONTROL: u32 = 2;
/// Chunk stream of commands that belong to the connection.
pub const CSID_COMMAND: u32 = 3;
/// Chunk stream of audio.
pub const CSID_AUDIO: u32 = 4;
/// Chunk stream of status and data messages.
pub const CSID_DATA: u32 = 5;
/// Chunk stream of video.
pub const CSID_VIDEO: u32 = 6;

/// The highest chunk stream id that a header can say.
pub const CSID_MAX: u32 = 65_599;

/// A timestamp field of this value says that four more bytes hold the timestamp.
const EXTENDED: u32 = 0xff_ffff;
