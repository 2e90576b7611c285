//! The handshake: both sides send a version byte, a block of 1536 bytes, and an answer to the
//! other's block.
//!
//! Three dialects. *Plain* (RTMP 1.0 section 5.2): the answer is an echo. *Digest* (never
//! published; what Flash Player 9 and later wants before it decodes H.264 and AAC): each block hides
//! a signature of itself, and the answer is signed with a key made from it. We follow the client: a
//! block with a valid signature gets the digest dialect in the same scheme. A plain client gets
//! server version 0, because ffmpeg insists on signatures when the version's first number is 3 or
//! more.
//!
//! *Encrypted* (RTMPE, never published either; first byte 6, 8 or 9): the digest dialect, whose
//! blocks S1 and C1 also hide a public value each, of a Diffie-Hellman agreement in a group of 1024
//! bits. All behind S2 and C2 is enciphered by RC4. This is for players that ask for it, and is no
//! security: RC4 and such groups are broken, and the keys that sign are known to everybody, so
//! whoever sits between can be either side. The agreement is a job for the owner of the
//! handshake, which waits for it ([`KeyAgreement`]).
//!
//! The client's answer is never verified: GStreamer's is not an exact echo.

mod agreement;
mod cipher;
mod client;
mod digest;
mod group;
#[cfg(test)]
mod known_answers;
mod reply;
mod scheme;
mod scramble;
mod seed;
mod server;

pub use agreement::{KeyAgreed, KeyAgreement};
pub use cipher::{Cipher, Ciphers};
pub use client::{ClientHandshake, ClientStyle};
pub use scheme::Scheme;
pub use scramble::Scramble;
pub use seed::Seed;
pub use server::ServerHandshake;

/// Length of C1, S1, C2 and S2.
pub const BLOCK: usize = 1536;

/// Length of S0, S1 and S2 together, and of C0, C1 and C2.
pub const REPLY: usize = 1 + 2 * BLOCK;

type Block = [u8; BLOCK];

/// The protocol that the first byte of a connection announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// 3: plain RTMP.
    Plain,
    /// 6, 8 or 9: RTMPE.
    Encrypted(Scramble),
}

impl Version {
    /// The version that this first byte announces.
    pub const fn from_byte(byte: u8) -> Result<Self, HandshakeError> {
        match byte {
            3 => Ok(Self::Plain),
            6 => Ok(Self::Encrypted(Scramble::None)),
            8 => Ok(Self::Encrypted(Scramble::Xtea)),
            9 => Ok(Self::Encrypted(Scramble::Blowfish)),
            version => Err(HandshakeError::Version { version }),
        }
    }

    /// The first byte that announces this version.
    pub const fn byte(self) -> u8 {
        match self {
            Self::Plain => 3,
            Self::Encrypted(Scramble::None) => 6,
            Self::Encrypted(Scramble::Xtea) => 8,
            Self::Encrypted(Scramble::Blowfish) => 9,
        }
    }

    /// How the signatures of its answers are scrambled.
    const fn scramble(self) -> Scramble {
        match self {
            Self::Plain => Scramble::None,
            Self::Encrypted(scramble) => scramble,
        }
    }
}

/// Why a handshake failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// The first byte is not one of a protocol that is spoken here, or not the one asked for
    /// (client side).
    #[error("byte 0 of the connection announces version {version}, which is not spoken here")]
    Version {
        /// What it announces.
        version: u8,
    },
    /// A client that wants encryption, or a server that was asked for signatures, did not sign
    /// its block.
    #[error("the block at byte 1 is not signed")]
    Unsigned,
    /// The public value in an encrypted handshake is not one of the group: an agreement on it would
    /// be none.
    #[error("the public value in the block at byte 1 is none")]
    PublicValue,
    /// A server's answer carries a wrong signature or echo (client side only).
    #[error("the server's answer at byte 1537 is wrong")]
    Answer,
}
