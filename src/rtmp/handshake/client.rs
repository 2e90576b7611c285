//! The player's side of the handshake, for the load generator and for tests. Unlike the server's
//! it verifies what it gets.

use super::digest::{self, Signer};
use super::server::take;
use super::{BLOCK, Block, HandshakeError, Scheme, Seed, Version};

/// The version in a signed block: that of Flash Player 9, as ffmpeg says it.
const PLAYER_VERSION: [u8; 4] = [9, 0, 124, 2];

/// Which dialect a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientStyle {
    /// Blocks are echoed.
    Plain,
    /// Blocks are signed.
    Digest(Scheme),
}

/// A handshake with a server, one connection long.
#[derive(Debug)]
pub struct ClientHandshake {
    hello: Box<Block>,
    /// The signature of C1, where it has one.
    digest: Option<[u8; 32]>,
    seed: Seed,
    /// S0, S1 and S2 as far as they have arrived.
    reply: Vec<u8>,
    done: bool,
}

impl ClientHandshake {
    /// A handshake that has sent C0 and C1: they are appended to `out`.
    pub fn new(seed: Seed, style: ClientStyle, out: &mut Vec<u8>) -> Self {
        let mut hello = Box::new([0; BLOCK]);
        let (_, filling) = hello.split_at_mut(8);
        seed.fill("C1", filling);
        let digest = match style {
            ClientStyle::Plain => None,
            ClientStyle::Digest(scheme) => {
                for (to, from) in hello.iter_mut().skip(4).zip(PLAYER_VERSION) {
                    *to = from;
                }
                Some(digest::sign(&mut hello, scheme, Signer::Player))
            }
        };
        out.push(Version::Plain.byte());
        out.extend_from_slice(hello.as_slice());
        Self {
            hello,
            digest,
            seed,
            reply: Vec::new(),
            done: false,
        }
    }

    /// Whether C2 has been written: chunks may follow.
    pub const fn is_done(&self) -> bool {
        self.done
    }

    /// Takes from `input` what belongs to the handshake, leaves the rest, and appends what is to
    /// be sent to `out`.
    pub fn input(&mut self, input: &mut &[u8], out: &mut Vec<u8>) -> Result<(), HandshakeError> {
        const REPLY: usize = 1 + 2 * BLOCK;
        if self.done {
            return Ok(());
        }
        let missing = REPLY.saturating_sub(self.reply.len());
        self.reply.extend_from_slice(take(input, missing));
        let Some((version, blocks)) = self.reply.split_first() else {
            return Ok(());
        };
        Version::from_byte(*version)?;
        let (hello, answer) = blocks.split_at(BLOCK.min(blocks.len()));
        if let (Ok(hello), Ok(answer)) = (Block::try_from(hello), Block::try_from(answer)) {
            let last = self.answer(&hello, &answer)?;
            out.extend_from_slice(&last);
            self.done = true;
            self.reply = Vec::new();
        }
        Ok(())
    }

    /// C2, for this S1 and S2.
    fn answer(&self, hello: &Block, answer: &Block) -> Result<Block, HandshakeError> {
        let Some(ours) = &self.digest else {
            let echoed = answer == self.hello.as_ref();
            return echoed.then_some(*hello).ok_or(HandshakeError::Answer);
        };
        let theirs = digest::find(hello, Signer::Server);
        let (_, theirs) = theirs.ok_or(HandshakeError::Unsigned)?;
        if !digest::verify_answer(answer, ours, Signer::Server) {
            return Err(HandshakeError::Answer);
        }
        let mut last = [0; BLOCK];
        self.seed.fill("C2", &mut last);
        digest::sign_answer(&mut last, &theirs, Signer::Player);
        Ok(last)
    }
}
