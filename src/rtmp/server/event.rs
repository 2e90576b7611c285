//! What a client wants that the owner of the connection must decide or do.

use crate::rtmp::command::{Connect, Play, Play2};
use crate::rtmp::handshake::KeyAgreement;
use crate::units::MediaTime;

/// A wish of the client. `stream` is the message stream that it is about; it exists, or did when
/// the client said this.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// An encrypted handshake waits: compute this elsewhere, for it takes most of a millisecond,
    /// and answer with [`super::Server::key_agreed`].
    KeyAgreement(KeyAgreement),
    /// Answer with [`super::Server::accept_connect`] or [`super::Server::reject_connect`].
    Connect(Box<Connect>),
    /// Answer with [`super::Server::stream_length`].
    StreamLength {
        /// The number to answer under.
        transaction: f64,
        /// The stream name.
        name: String,
    },
    /// Plays.
    Play {
        /// The message stream.
        stream: u32,
        /// The transaction; deployed servers answer play by status only.
        transaction: f64,
        /// What.
        play: Play,
    },
    /// Plays with a transition.
    Play2 {
        /// The message stream.
        stream: u32,
        /// The transaction.
        transaction: f64,
        /// What.
        play: Play2,
    },
    /// Pauses or resumes.
    Pause {
        /// The message stream.
        stream: u32,
        /// Whether to pause, rather than to resume.
        pause: bool,
        /// Where the client is.
        time: MediaTime,
        /// Whether it was `pauseRaw`.
        raw: bool,
    },
    /// Seeks.
    Seek {
        /// The message stream.
        stream: u32,
        /// Where to, not before the start.
        time: MediaTime,
    },
    /// Whether audio is wanted.
    ReceiveAudio {
        /// The message stream.
        stream: u32,
        /// Whether it is.
        on: bool,
    },
    /// Whether video is wanted.
    ReceiveVideo {
        /// The message stream.
        stream: u32,
        /// Whether it is.
        on: bool,
    },
    /// How much media the client wants to hold in advance.
    BufferLength {
        /// The message stream; 0 is the default of the connection.
        stream: u32,
        /// Milliseconds.
        millis: u32,
    },
    /// Ends what the message stream plays; the stream stays.
    CloseStream {
        /// The message stream.
        stream: u32,
    },
    /// The message stream is gone; its number may be given out again.
    DeleteStream {
        /// The message stream.
        stream: u32,
    },
    /// Wanted to publish, and was refused.
    Publish {
        /// The message stream.
        stream: u32,
        /// The name.
        name: String,
    },
}
