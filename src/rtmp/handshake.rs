//! The handshake: both sides send a version byte, a block of 1536 bytes, and an answer to the
//! other's block.
//!
//! Two dialects. *Plain* (RTMP 1.0 section 5.2): the answer is an echo. *Digest* (never published;
//! what Flash Player 9 and later wants before it decodes H.264 and AAC): each block hides a
//! signature of itself, and the answer is signed with a key made from it. We follow the client:
//! a block with a valid signature gets the digest dialect in the same scheme. A plain client gets
//! server version 0, because ffmpeg insists on signatures when the version's first number is 3 or more.
//!
//! The client's answer is never verified: GStreamer's is not an exact echo.

mod client;
mod digest;
mod seed;
mod server;

pub use client::{ClientHandshake, ClientStyle};
pub use digest::Scheme;
pub use seed::Seed;
pub use server::ServerHandshake;

/// Length of C1, S1, C2 and S2.
pub const BLOCK: usize = 1536;

type Block = [u8; BLOCK];

/// The protocol that the first byte of a connection announces.
///
/// The encrypted ones (6, 8 and 9) are refused: nothing here speaks them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// 3: plain RTMP.
    Plain,
}

impl Version {
    /// The version that this first byte announces.
    pub const fn from_byte(byte: u8) -> Result<Self, HandshakeError> {
        match byte {
            3 => Ok(Self::Plain),
            version => Err(HandshakeError::Version { version }),
        }
    }

    /// The first byte that announces this version.
    pub const fn byte(self) -> u8 {
        match self {
            Self::Plain => 3,
        }
    }
}

/// Why a handshake failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// The first byte is not one of a protocol that we speak.
    #[error("byte 0 of the connection announces version {version}, not 3")]
    Version {
        /// What it announces.
        version: u8,
    },
    /// A server that was asked for digests did not sign its block (client side only).
    #[error("the server's block at byte 1 is not signed")]
    Unsigned,
    /// A server's answer carries a wrong signature or echo (client side only).
    #[error("the server's answer at byte 1537 is wrong")]
    Answer,
}
