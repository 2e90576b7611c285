//! The player's side of the handshake, for the load generator and for tests. Unlike the server's
//! it verifies what it gets, and it agrees on a key at once.

use super::cipher::Ciphers;
use super::digest::{self, DIGEST, Signer};
use super::group::{EXPONENT, Exponent, Member};
use super::server::take;
use super::{BLOCK, Block, HandshakeError, REPLY, Scheme, Scramble, Seed, Version};

/// The version in a signed block: that of Flash Player 9, as ffmpeg says it.
const PLAYER_VERSION: [u8; 4] = [9, 0, 124, 2];

/// Which dialect a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientStyle {
    /// Blocks are echoed.
    Plain,
    /// Blocks are signed.
    Digest(Scheme),
    /// Blocks are signed and a key is agreed on.
    Encrypted(Scramble, Scheme),
}

impl ClientStyle {
    const fn version(self) -> Version {
        match self {
            Self::Plain | Self::Digest(_) => Version::Plain,
            Self::Encrypted(scramble, _) => Version::Encrypted(scramble),
        }
    }

    const fn scheme(self) -> Option<Scheme> {
        match self {
            Self::Plain => None,
            Self::Digest(scheme) | Self::Encrypted(_, scheme) => Some(scheme),
        }
    }
}

/// A handshake with a server, one connection long.
#[derive(Debug)]
pub struct ClientHandshake {
    style: ClientStyle,
    hello: Box<Block>,
    /// The signature of C1, where it has one.
    digest: Option<[u8; DIGEST]>,
    seed: Seed,
    /// S0, S1 and S2 as far as they have arrived.
    reply: Vec<u8>,
    ciphers: Option<Ciphers>,
    done: bool,
}

impl ClientHandshake {
    /// A handshake that has sent C0 and C1: they are appended to `out`.
    pub fn new(seed: Seed, style: ClientStyle, out: &mut Vec<u8>) -> Self {
        let mut hello = Box::new([0; BLOCK]);
        let (_, filling) = hello.split_at_mut(8);
        seed.fill("C1", filling);
        let digest = style.scheme().map(|scheme| {
            for (to, from) in hello.iter_mut().skip(4).zip(PLAYER_VERSION) {
                *to = from;
            }
            if let Version::Encrypted(_) = style.version() {
                scheme.set_value(&mut hello, &Member::GENERATOR.raise(&exponent(&seed)));
            }
            digest::sign(&mut hello, scheme, Signer::Player)
        });
        out.push(style.version().byte());
        out.extend_from_slice(hello.as_slice());
        Self {
            style,
            hello,
            digest,
            seed,
            reply: Vec::new(),
            ciphers: None,
            done: false,
        }
    }

    /// Whether C2 has been written: chunks may follow, enciphered where there are
    /// [`ClientHandshake::take_ciphers`].
    pub const fn is_done(&self) -> bool {
        self.done
    }

    /// The keystreams of an encrypted connection, once it is done: for what comes behind S2, and
    /// for what is sent behind C2.
    pub const fn take_ciphers(&mut self) -> Option<Ciphers> {
        self.ciphers.take()
    }

    /// Takes from `input` what belongs to the handshake, leaves the rest, and appends what is to
    /// be sent to `out`.
    pub fn input(&mut self, input: &mut &[u8], out: &mut Vec<u8>) -> Result<(), HandshakeError> {
        if self.done {
            return Ok(());
        }
        let missing = REPLY.saturating_sub(self.reply.len());
        self.reply.extend_from_slice(take(input, missing));
        let Some((&version, blocks)) = self.reply.split_first() else {
            return Ok(());
        };
        if version != self.style.version().byte() {
            return Err(HandshakeError::Version { version });
        }
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
    fn answer(&mut self, hello: &Block, answer: &Block) -> Result<Block, HandshakeError> {
        let Some(ours) = &self.digest else {
            let echoed = answer == self.hello.as_ref();
            return echoed.then_some(*hello).ok_or(HandshakeError::Answer);
        };
        let scramble = self.style.version().scramble();
        let theirs = digest::find(hello, Signer::Server);
        let (scheme, theirs) = theirs.ok_or(HandshakeError::Unsigned)?;
        if !digest::verify_answer(answer, ours, Signer::Server, scramble) {
            return Err(HandshakeError::Answer);
        }
        self.ciphers = self.agree(hello, scheme)?;
        let mut last = [0; BLOCK];
        self.seed.fill("C2", &mut last);
        digest::sign_answer(&mut last, &theirs, Signer::Player, scramble);
        Ok(last)
    }

    /// The keystreams that this S1, in this scheme, agrees on.
    fn agree(&self, hello: &Block, scheme: Scheme) -> Result<Option<Ciphers>, HandshakeError> {
        let ClientStyle::Encrypted(_, our_scheme) = self.style else {
            return Ok(None);
        };
        let (ours, theirs) = (our_scheme.value(&self.hello), scheme.value(hello));
        let member = Member::new(&theirs).ok_or(HandshakeError::PublicValue)?;
        let secret = member.raise(&exponent(&self.seed));
        Ok(Some(Ciphers::new(&secret, &ours, &theirs)))
    }
}

fn exponent(seed: &Seed) -> Exponent {
    let mut exponent = [0; EXPONENT];
    seed.fill("exponent", &mut exponent);
    exponent
}
