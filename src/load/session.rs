//! A player's side of one RTMP connection, as a state machine without clock or socket.
//!
//! Contract: hand in what the server sent with [`Session::event`] until it says `None`, and send
//! what [`Session::output`] holds. Handshake, connect and createStream go by themselves; then
//! [`Event::Ready`] comes, and [`Session::play`] and the rest may be called. It sends what every
//! server understands: the plain handshake, AMF0, 128-byte chunks, acknowledgements as often as
//! the server wants them.
//!
//! Media is counted, not kept ([`super::skim`]). Times are milliseconds.

// Pure code that reads what servers control: what could panic does not compile.
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation
    )
)]

mod reply;
mod shake;
mod speak;

pub use shake::Opening;

use reply::Reply;
use shake::Shake;

use super::skim::{Media, Message, Seen, SkimError, Skimmer};
use crate::rtmp::message::{self, USER_CONTROL, UserControl, WINDOW_ACKNOWLEDGEMENT_SIZE};
use crate::units::{MediaTime, Millis};
use crate::wire::Reader;

/// Bytes that may wait to be sent. A server that asks for more answers than it reads is given up.
pub const OUTPUT_MAX: usize = 64 * 1024;

/// Why a session cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// The server's first byte is no version that we speak.
    #[error("the server answers with RTMP version {0}, not 3")]
    Version(u8),
    /// What it sends are no chunks.
    #[error(transparent)]
    Chunks(#[from] SkimError),
    /// It refused connect or createStream.
    #[error("{command} is refused: {why}")]
    Refused {
        /// Which.
        command: &'static str,
        /// The code and description that it gives.
        why: String,
    },
    /// It does not read what it asked for.
    #[error("more than {OUTPUT_MAX} bytes wait, because the server does not read")]
    Deaf,
}

/// What a server has told.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// connect is answered.
    Connected,
    /// There is a message stream: play may be called.
    Ready,
    /// The stream's length, milliseconds, where its metadata tells it.
    Length(u64),
    /// The server has begun to answer a seek: media from here on is that of the new place.
    Sought,
    /// A seek was refused; what played goes on.
    NotSought(String),
    /// All was sent.
    Stopped,
    /// All was sent; Stopped usually follows.
    Complete,
    /// The play failed.
    Failed(String),
}

/// Figures of a session, added up since its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Bytes that came from the server, handshake included.
    pub wire: u64,
    /// Payload bytes of audio and video messages.
    pub media: u64,
    /// Audio and video messages.
    pub messages: u64,
}

/// A connection to a server.
#[derive(Debug, Clone)]
pub struct Session {
    opening: Opening,
    phase: Phase,
    skimmer: Skimmer,
    output: Vec<u8>,
    counts: Counts,
    /// Acknowledge each so many bytes; 0: never.
    window: u64,
    acknowledged: u64,
    /// The message stream that plays.
    stream: u32,
    transaction: f64,
    /// First and latest time of media since the last play or seek.
    times: Option<(MediaTime, MediaTime)>,
    /// The skimmer's count of playable messages when the last play or seek began.
    mark: u64,
    /// A seek was sent and is not answered.
    seeking: bool,
}

#[derive(Debug, Clone)]
enum Phase {
    Shaking(Shake),
    Connecting,
    Creating,
    Ready,
}

impl Session {
    /// A session whose first bytes wait to be sent.
    pub fn new(opening: Opening) -> Self {
        let mut output = Vec::new();
        let shake = Shake::begin(&mut output);
        Self {
            opening,
            phase: Phase::Shaking(shake),
            skimmer: Skimmer::new(),
            output,
            counts: Counts::default(),
            window: 0,
            acknowledged: 0,
            stream: 0,
            transaction: 1.0,
            times: None,
            mark: 0,
            seeking: false,
        }
    }

    /// What waits to be sent.
    pub fn output(&self) -> &[u8] {
        &self.output
    }

    /// So much of it was sent.
    pub fn sent(&mut self, len: usize) {
        self.output.drain(..len.min(self.output.len()));
        if self.output.is_empty() && self.output.capacity() > 1024 {
            // The handshake's room is not needed again; ten thousand players remember this.
            self.output = Vec::new();
        }
    }

    /// What was received so far.
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// First and latest time of what there is to play since the last play or seek.
    pub fn times(&self) -> Option<(i64, i64)> {
        self.times
            .map(|(first, latest)| (first.millis(), latest.millis()))
    }

    /// Whether something to play has come since the last play or seek, be it a part of a message.
    pub const fn has_media(&self) -> bool {
        !self.seeking && self.skimmer.begun() > self.mark
    }

    /// Whether a seek was sent and is not answered.
    pub const fn is_seeking(&self) -> bool {
        self.seeking
    }

    /// How many of the next bytes may be thrown away unseen; see [`Session::skipped`].
    pub fn skippable(&self) -> usize {
        self.skimmer.skippable()
    }

    /// So many bytes were thrown away. What ends with them is told by [`Session::event`].
    pub fn skipped(&mut self, len: usize) {
        self.counts.wire = self.counts.wire.saturating_add(count(len));
        self.skimmer.skipped(len);
    }

    /// Takes bytes from `input` up to the next thing worth telling; `None` when they are used up.
    ///
    /// # Errors
    /// The session is over.
    pub fn event(&mut self, input: &mut &[u8]) -> Result<Option<Event>, SessionError> {
        let before = input.len();
        let event = self.step(input);
        let taken = before.saturating_sub(input.len());
        self.counts.wire = self.counts.wire.saturating_add(count(taken));
        self.acknowledge();
        if self.output.len() > OUTPUT_MAX {
            return Err(SessionError::Deaf);
        }
        event
    }

    fn step(&mut self, input: &mut &[u8]) -> Result<Option<Event>, SessionError> {
        if let Phase::Shaking(shake) = &mut self.phase {
            if !shake.input(input, &mut self.output)? {
                return Ok(None);
            }
            self.phase = Phase::Connecting;
            speak::connect(&mut self.output, &self.opening);
        }
        while let Some(seen) = self.skimmer.next(input)? {
            let event = match seen {
                Seen::Media(media) => {
                    self.media(media);
                    None
                }
                Seen::Message(message) => self.message(&message)?,
            };
            if event.is_some() {
                return Ok(event);
            }
        }
        Ok(None)
    }

    fn media(&mut self, media: Media) {
        self.counts.media = self.counts.media.saturating_add(u64::from(media.len));
        self.counts.messages = self.counts.messages.saturating_add(1);
        if !media.plays || self.seeking {
            return;
        }
        let Millis(wire) = media.time;
        let (first, latest) = self.times.unwrap_or_else(|| {
            let time = MediaTime::from_millis(i64::from(wire));
            (time, time)
        });
        let time = media.time.unroll(latest);
        self.times = Some((first, latest.max(time)));
    }

    fn message(&mut self, message: &Message) -> Result<Option<Event>, SessionError> {
        match message.type_id {
            WINDOW_ACKNOWLEDGEMENT_SIZE => {
                let window = Reader::new(&message.body).u32().unwrap_or_default();
                self.window = u64::from(window);
                Ok(None)
            }
            USER_CONTROL => {
                if let Ok(UserControl::PingRequest(time)) = UserControl::parse(&message.body) {
                    UserControl::PingResponse(time).write(&mut self.output);
                }
                Ok(None)
            }
            _ => match Reply::read(message) {
                Some(reply) => self.reply(reply),
                None => Ok(None),
            },
        }
    }

    fn reply(&mut self, reply: Reply) -> Result<Option<Event>, SessionError> {
        let event = match (reply, &self.phase) {
            (Reply::Result { .. }, Phase::Connecting) => {
                self.phase = Phase::Creating;
                self.create_stream();
                Event::Connected
            }
            (Reply::Result { transaction, value }, Phase::Creating)
                if transaction == self.transaction =>
            {
                self.phase = Phase::Ready;
                self.stream = value.and_then(reply::stream_id).unwrap_or(1);
                Event::Ready
            }
            (Reply::Error { why, .. }, Phase::Connecting) => {
                let command = "connect";
                return Err(SessionError::Refused { command, why });
            }
            (Reply::Error { transaction, why }, Phase::Creating)
                if transaction == self.transaction =>
            {
                let command = "createStream";
                return Err(SessionError::Refused { command, why });
            }
            (Reply::Status { code, level, why }, Phase::Ready) => {
                return Ok(self.status(&code, &level, why));
            }
            (Reply::Length(millis), Phase::Ready) => Event::Length(millis),
            _ => return Ok(None),
        };
        Ok(Some(event))
    }

    fn status(&mut self, code: &str, level: &str, why: String) -> Option<Event> {
        match code {
            "NetStream.Seek.Notify" if self.seeking => {
                self.seeking = false;
                self.restart();
                Some(Event::Sought)
            }
            "NetStream.Seek.Failed" | "NetStream.Seek.InvalidTime" if self.seeking => {
                self.seeking = false;
                Some(Event::NotSought(why))
            }
            "NetStream.Play.Stop" => Some(Event::Stopped),
            "NetStream.Play.Complete" => Some(Event::Complete),
            _ if level == "error" => Some(Event::Failed(why)),
            _ => None,
        }
    }

    fn create_stream(&mut self) {
        self.transaction += 1.0;
        speak::create_stream(&mut self.output, self.transaction);
    }

    /// What comes from here on belongs to another place.
    fn restart(&mut self) {
        self.times = None;
        self.mark = self.skimmer.begun();
    }

    /// Plays `name` from `start` with a client buffer of `buffer` milliseconds. `start` below 0:
    /// from the beginning, as a player does that names no start.
    pub fn play(&mut self, name: &str, start: i64, buffer: u32) {
        self.seeking = false;
        self.restart();
        let stream = self.stream;
        let set = UserControl::SetBufferLength {
            stream,
            millis: buffer,
        };
        set.write(&mut self.output);
        speak::play(&mut self.output, stream, name, start);
    }

    /// Seeks to a time.
    pub fn seek(&mut self, time: i64) {
        self.seeking = true;
        speak::seek(&mut self.output, self.stream, time);
    }

    /// Pauses or resumes at a time.
    pub fn pause(&mut self, pause: bool, time: i64) {
        speak::pause(&mut self.output, self.stream, pause, time);
    }

    /// Gives the message stream back and asks for a new one; [`Event::Ready`] comes again. So a
    /// player plays anew on every server: some refuse a second play on the same stream.
    pub fn renew(&mut self) {
        speak::delete_stream(&mut self.output, self.stream);
        self.phase = Phase::Creating;
        self.create_stream();
    }

    /// Sends an acknowledgement where one is due.
    fn acknowledge(&mut self) {
        let since = self.counts.wire.saturating_sub(self.acknowledged);
        if self.window > 0 && since >= self.window && !matches!(self.phase, Phase::Shaking(_)) {
            self.acknowledged = self.counts.wire;
            // The field is 32 bits wide and wraps (RTMP 1.0 section 5.4.3).
            let [.., a, b, c, d] = self.counts.wire.to_be_bytes();
            message::acknowledgement(&mut self.output, u32::from_be_bytes([a, b, c, d]));
        }
    }
}

fn count(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
