//! What can be wrong with chunks.

/// Why bytes are not chunks that we accept. Positions count from the first byte of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    /// A header relies on one before it on the same chunk stream, and there was none.
    #[error("the first chunk of chunk stream {csid}, at byte {at}, has no length of its own")]
    NoHeader {
        /// The chunk stream.
        csid: u32,
        /// Where the chunk begins.
        at: u64,
    },
    /// A message begins before the one before it on the same chunk stream has ended.
    #[error("a message of chunk stream {csid} begins at byte {at} inside another")]
    Interrupted {
        /// The chunk stream.
        csid: u32,
        /// Where the chunk begins.
        at: u64,
    },
    /// A message is too long.
    #[error("a message of {len} bytes at byte {at}, more than {limit}")]
    Message {
        /// What its header claims.
        len: u32,
        /// [`super::ChunkLimits::message`].
        limit: u32,
        /// Where the chunk begins.
        at: u64,
    },
    /// There are too many chunk streams.
    #[error("chunk stream {csid} at byte {at} is one more than {limit}")]
    Streams {
        /// The chunk stream.
        csid: u32,
        /// [`super::ChunkLimits::streams`].
        limit: usize,
        /// Where the chunk begins.
        at: u64,
    },
    /// Too much of unfinished messages has arrived.
    #[error("more than {limit} bytes of unfinished messages at byte {at}")]
    Buffered {
        /// [`super::ChunkLimits::buffered`].
        limit: usize,
        /// Where the limit was passed.
        at: u64,
    },
    /// Set Chunk Size with a size that is not allowed.
    #[error("chunk size {size} at byte {at} is not between 1 and 2147483647")]
    ChunkSize {
        /// The size.
        size: u32,
        /// Where the message begins.
        at: u64,
    },
    /// Set Chunk Size, Abort or an aggregate message is too short for what it must hold.
    #[error("message of type {type_id} at byte {at} is cut")]
    Malformed {
        /// Its type.
        type_id: u8,
        /// Where it begins.
        at: u64,
    },
}
