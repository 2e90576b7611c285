//! The server's side of one connection: bytes in, events out; replies in, bytes out.
//!
//! The contract. The owner hands every byte that it reads to [`Server::input`], takes events with
//! [`Server::event`] until there are none, and sends [`Server::take_output`] in order, whole, at a
//! message end of whatever media it sends beside it. What needs no decision is answered here
//! (handshake, acknowledgements, pings, streams, calls that have no effect). What does comes as an
//! [`Event`], and the owner answers with the methods of `replies.rs`, which append to the same output:
//! what is appended between two writes goes out in one. While [`Server::output_len`] is above the
//! owner's limit it stops calling `input`; one call adds at most about twenty times what it is given.
//!
//! An encrypted connection is deciphered here, but its output is plain: the owner, who alone knows
//! what goes out in which order, puts all behind the handshake through the keystream of
//! [`Server::take_output_cipher`] (`encryption.rs`).
//!
//! A [`Violation`] is final: the owner logs it, sends what output there is if it likes, and closes.
//! How the input is cut makes no difference to events, output and violations.

mod calls;
mod encryption;
mod event;
mod limits;
mod replies;
mod streams;
#[cfg(test)]
mod tests;
mod violation;

pub use event::Event;
pub use limits::Limits;
pub use violation::Violation;

use std::collections::VecDeque;

use self::streams::Streams;
use super::chunk::{ChunkReader, DEFAULT_CHUNK_SIZE};
use super::command::{Call, Connect};
use super::handshake::{Cipher, Seed, ServerHandshake};
use super::message::{self, Message, UserControl, acknowledgement};
use crate::wire::Reader;

/// The state of one connection.
#[derive(Debug)]
pub struct Server {
    limits: Limits,
    phase: Phase,
    chunks: ChunkReader,
    streams: Streams,
    events: VecDeque<Event>,
    output: Vec<u8>,
    /// Size of our chunks.
    chunk_size: u32,
    /// What `clientid` says.
    client_id: String,
    acks: Option<Acks>,
    /// What came behind C1 before the key was agreed, or behind connect before the owner has
    /// decided on it.
    held: Vec<u8>,
    /// Those of an encrypted connection, once its key is agreed; that of the output until the owner
    /// takes it.
    input_cipher: Option<Cipher>,
    output_cipher: Option<Cipher>,
    violation: Option<Violation>,
}

/// How far a connection has come.
#[derive(Debug)]
enum Phase {
    Handshake {
        handshake: ServerHandshake,
        received: u64,
    },
    /// Waiting for connect.
    Greeted,
    /// Waiting for the owner's decision on connect.
    Asked {
        transaction: f64,
        connect: Box<Connect>,
    },
    Connected,
    /// Refused: what still comes is ignored.
    Rejected,
}

/// The acknowledgements that the client asked for.
#[derive(Debug, Clone, Copy)]
struct Acks {
    window: u64,
    /// The byte of the connection after which the next is due.
    next: u64,
}

impl Server {
    /// A connection on which nothing has happened. `seed` must be random and new.
    pub fn new(limits: Limits, seed: Seed) -> Self {
        let client_id = client_id(&seed);
        Self {
            phase: Phase::Handshake {
                handshake: ServerHandshake::new(seed, limits.encrypted),
                received: 0,
            },
            chunks: ChunkReader::new(limits.chunks, 0),
            streams: Streams::new(limits.streams),
            events: VecDeque::new(),
            output: Vec::new(),
            chunk_size: DEFAULT_CHUNK_SIZE,
            client_id,
            acks: None,
            held: Vec::new(),
            input_cipher: None,
            output_cipher: None,
            violation: None,
            limits,
        }
    }

    /// Takes bytes that the client sent. After a violation every call returns it again.
    pub fn input(&mut self, bytes: &[u8]) -> Result<(), Violation> {
        self.unless_violated(|server| server.receive(bytes))
    }

    /// Whether the client has kept to the rules so far. To be asked after
    /// [`Server::accept_connect`], which goes on with what came behind connect.
    pub fn check(&self) -> Result<(), Violation> {
        self.violation.clone().map_or(Ok(()), Err)
    }

    /// Whether an event is waiting.
    pub fn has_event(&self) -> bool {
        !self.events.is_empty()
    }

    /// The next event, oldest first.
    pub fn event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// What is to be sent, and forgets it.
    pub fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    /// What is to be sent, for an owner that takes bytes off its front itself.
    pub const fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// How many bytes are to be sent.
    pub const fn output_len(&self) -> usize {
        self.output.len()
    }

    /// Whether the handshake is over.
    pub const fn is_greeted(&self) -> bool {
        !matches!(self.phase, Phase::Handshake { .. })
    }

    /// Whether a connect was accepted.
    pub const fn is_connected(&self) -> bool {
        matches!(self.phase, Phase::Connected)
    }

    /// How many bytes of input were taken.
    pub const fn received(&self) -> u64 {
        match &self.phase {
            Phase::Handshake { received, .. } => *received,
            _ => self.chunks.position(),
        }
    }

    /// What `clientid` says in status messages.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Does what the client asks for, where it has kept to the rules so far, and remembers whether
    /// it still does.
    fn unless_violated(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<(), Violation>,
    ) -> Result<(), Violation> {
        self.check()?;
        let result = work(self);
        self.violation = result.clone().err();
        result
    }

    /// Takes bytes as they came.
    fn receive(&mut self, mut bytes: &[u8]) -> Result<(), Violation> {
        self.shake_hands(&mut bytes)?;
        match self.phase {
            Phase::Handshake { .. } => self.hold(bytes),
            _ => match self.decipher(bytes) {
                Some(plain) => self.consume(&plain),
                None => self.consume(bytes),
            },
        }
    }

    /// Takes bytes behind the handshake, as they were before they were enciphered.
    fn consume(&mut self, mut bytes: &[u8]) -> Result<(), Violation> {
        while !bytes.is_empty() && !matches!(self.phase, Phase::Rejected) {
            if matches!(self.phase, Phase::Asked { .. }) {
                return self.hold(bytes);
            }
            // A piece ends where something is due at an exact byte, however the input is cut.
            let mut piece = self.piece(bytes)?;
            let len = piece.len();
            let message = self.chunks.message(&mut piece)?;
            bytes = bytes
                .get(len.saturating_sub(piece.len())..)
                .unwrap_or_default();
            if let Some(message) = message {
                self.message(&message)?;
            }
            self.acknowledge();
        }
        Ok(())
    }

    /// Keeps what comes behind connect until it is decided, for its answers must not overtake the
    /// one to connect; and what comes behind C1 until the key is agreed.
    fn hold(&mut self, bytes: &[u8]) -> Result<(), Violation> {
        let limit = self.limits.bytes_before_connect;
        let held = self.held.len().saturating_add(bytes.len());
        if count(held) > limit {
            return Err(Violation::BytesBeforeConnect { limit });
        }
        self.held.extend_from_slice(bytes);
        Ok(())
    }

    fn shake_hands(&mut self, bytes: &mut &[u8]) -> Result<(), Violation> {
        let Phase::Handshake {
            handshake,
            received,
        } = &mut self.phase
        else {
            return Ok(());
        };
        let before = bytes.len();
        handshake.input(bytes, &mut self.output)?;
        *received = received.saturating_add(count(before.saturating_sub(bytes.len())));
        let agreement = handshake.take_agreement();
        self.events.extend(agreement.map(Event::KeyAgreement));
        if handshake.is_done() {
            self.chunks = ChunkReader::new(self.limits.chunks, *received);
            self.phase = Phase::Greeted;
        }
        Ok(())
    }

    /// As much of `bytes` as may be read before the next acknowledgement or the limit on bytes
    /// before connect.
    fn piece<'a>(&self, bytes: &'a [u8]) -> Result<&'a [u8], Violation> {
        let position = self.chunks.position();
        let mut most = self
            .acks
            .map_or(u64::MAX, |acks| acks.next.saturating_sub(position));
        if matches!(self.phase, Phase::Greeted) {
            let limit = self.limits.bytes_before_connect;
            if position >= limit {
                return Err(Violation::BytesBeforeConnect { limit });
            }
            most = most.min(limit.saturating_sub(position));
        }
        let most = usize::try_from(most).unwrap_or(usize::MAX).max(1);
        Ok(bytes.get(..most).unwrap_or(bytes))
    }

    fn acknowledge(&mut self) {
        let position = self.chunks.position();
        let Some(acks) = self.acks.as_mut().filter(|acks| acks.next <= position) else {
            return;
        };
        acks.next = position.saturating_add(acks.window);
        // A running total, modulo 2^32.
        let total = u32::try_from(position & u64::from(u32::MAX)).unwrap_or_default();
        acknowledgement(&mut self.output, total);
    }

    fn message(&mut self, message: &Message) -> Result<(), Violation> {
        let amf = self.limits.amf;
        let at = message.at;
        let call = match message.type_id {
            message::COMMAND => Call::parse(&message.payload, &amf),
            message::COMMAND_AMF3 => Call::parse_amf3(&message.payload, &amf),
            message::USER_CONTROL => return self.user_control_event(message),
            message::WINDOW_ACKNOWLEDGEMENT_SIZE => return self.window(message),
            // Acknowledgements and data of a viewer change nothing, nor do types that we do not know.
            _ => return Ok(()),
        };
        let call = call.map_err(|source| Violation::Call { at, source })?;
        self.call(call, message)
    }

    fn user_control_event(&mut self, message: &Message) -> Result<(), Violation> {
        let (type_id, at) = (message.type_id, message.at);
        let event = UserControl::parse(&message.payload);
        match event.map_err(|_| Violation::Malformed { type_id, at })? {
            UserControl::PingRequest(time) => {
                UserControl::PingResponse(time).write(&mut self.output);
            }
            UserControl::SetBufferLength { stream, millis }
                if stream == 0 || self.streams.contains(stream) =>
            {
                self.events
                    .push_back(Event::BufferLength { stream, millis });
            }
            _ => {}
        }
        Ok(())
    }

    fn window(&mut self, message: &Message) -> Result<(), Violation> {
        let (type_id, at) = (message.type_id, message.at);
        let window = Reader::new(&message.payload).u32();
        let window = window.map_err(|_| Violation::Malformed { type_id, at })?;
        let window = u64::from(window).max(limits::ACK_WINDOW_MIN);
        let next = self.chunks.position().saturating_add(window);
        self.acks = Some(Acks { window, next });
        Ok(())
    }
}

/// Eight letters and digits, different for each connection.
fn client_id(seed: &Seed) -> String {
    let mut bytes = [0; 8];
    seed.fill("clientid", &mut bytes);
    let letter = |byte: &u8| char::from_digit(u32::from(*byte & 0x1f), 32);
    let letters = bytes.iter().filter_map(letter);
    letters.map(|letter| letter.to_ascii_uppercase()).collect()
}

fn count(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}
