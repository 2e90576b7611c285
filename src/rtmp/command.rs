//! Commands: the calls that a client makes, typed.
//!
//! A command message holds a name, a transaction number, a command object and arguments
//! (RTMP 1.0 section 7.2). Clients leave out what they have no use for and send numbers of every
//! kind, so only the name must be there; what is missing or makes no sense gets the value that
//! Adobe's server assumed. Times and lengths are milliseconds (spec/rtmp.md 4.3).

mod connect;
mod number;
mod parse;
mod play;

pub use connect::Connect;
pub use parse::{Call, CallError};
pub use play::{Length, Play, Play2, Reset, Start, Transition};

use crate::units::MediaTime;

/// What a client asks for. Names of variants are those of the commands.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Opens the connection to an application.
    Connect(Box<Connect>),
    /// Frees a name for publishing.
    ReleaseStream,
    /// Announces publishing.
    FcPublish,
    /// Ends publishing.
    FcUnpublish,
    /// Asks an edge to fetch a live stream of this name.
    FcSubscribe(String),
    /// No longer wants it.
    FcUnsubscribe(String),
    /// `_checkbw`: asks whether the bandwidth is measured.
    CheckBw,
    /// `checkBandwidth`: asks to have it measured.
    CheckBandwidth,
    /// Opens a message stream.
    CreateStream,
    /// Closes the message stream of that id.
    DeleteStream(u32),
    /// Ends what its message stream plays. Also what `play(false)` means.
    CloseStream,
    /// Asks how long the stream of that name is, seconds.
    GetStreamLength(String),
    /// Plays.
    Play(Play),
    /// Plays with a transition from what plays.
    Play2(Play2),
    /// Pauses or resumes. `raw` (pauseRaw) keeps the client's buffer as it is.
    Pause {
        /// Whether to pause, rather than to resume.
        pause: bool,
        /// Where the client is.
        time: MediaTime,
        /// Whether it was `pauseRaw`.
        raw: bool,
    },
    /// Seeks. `None`: the time is no number.
    Seek(Option<MediaTime>),
    /// Whether audio is wanted.
    ReceiveAudio(bool),
    /// Whether video is wanted.
    ReceiveVideo(bool),
    /// Wants to publish under this name.
    Publish(String),
    /// Any other command, by its name.
    Unknown(String),
}
