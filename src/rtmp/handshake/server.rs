//! The server's side of the handshake.

use super::digest::{self, Signer};
use super::{BLOCK, Block, HandshakeError, Seed, Version};

/// First bytes of the version in a signed block: that of Flash Media Server 3.5.7. Players take
/// 3 or more as a promise of signatures.
const SERVER_VERSION: [u8; 4] = [3, 5, 7, 1];

/// A handshake with a client, one connection long.
#[derive(Debug)]
pub struct ServerHandshake {
    seed: Seed,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Waiting for C0.
    Version,
    /// Waiting for all of C1; it grows with what arrives.
    Hello(Vec<u8>),
    /// Waiting for the rest of C2: so many bytes.
    Answer(usize),
    Done,
}

impl ServerHandshake {
    /// A handshake that has seen nothing.
    pub const fn new(seed: Seed) -> Self {
        Self {
            seed,
            state: State::Version,
        }
    }

    /// Whether C2 has arrived whole: what follows are chunks.
    pub const fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Takes from `input` what belongs to the handshake, leaves the rest, and appends what is to
    /// be sent to `out`.
    pub fn input(&mut self, input: &mut &[u8], out: &mut Vec<u8>) -> Result<(), HandshakeError> {
        while !input.is_empty() && !self.is_done() {
            self.step(input, out)?;
        }
        Ok(())
    }

    fn step(&mut self, input: &mut &[u8], out: &mut Vec<u8>) -> Result<(), HandshakeError> {
        match &mut self.state {
            State::Version => {
                if let [byte] = take(input, 1) {
                    Version::from_byte(*byte)?;
                }
                self.state = State::Hello(Vec::new());
            }
            State::Hello(hello) => {
                hello.extend_from_slice(take(input, BLOCK.saturating_sub(hello.len())));
                if let Ok(hello) = Block::try_from(hello.as_slice()) {
                    reply(&hello, &self.seed, out);
                    self.state = State::Answer(BLOCK);
                }
            }
            State::Answer(left) => {
                let taken = take(input, *left).len();
                *left = left.saturating_sub(taken);
                if *left == 0 {
                    self.state = State::Done;
                }
            }
            State::Done => {}
        }
        Ok(())
    }
}

/// The first `len` bytes of `input`, or as many as there are.
pub(super) fn take<'a>(input: &mut &'a [u8], len: usize) -> &'a [u8] {
    let (taken, rest) = input.split_at(len.min(input.len()));
    *input = rest;
    taken
}

/// S0, S1 and S2 for this C1.
fn reply(hello: &Block, seed: &Seed, out: &mut Vec<u8>) {
    out.push(Version::Plain.byte());
    let mut block = [0; BLOCK];
    // Our time and version are 0 in the plain dialect.
    let (_, filling) = block.split_at_mut(8);
    seed.fill("S1", filling);
    let Some((scheme, digest)) = digest::find(hello, Signer::Player) else {
        out.extend_from_slice(&block);
        out.extend_from_slice(hello);
        return;
    };
    for (to, from) in block.iter_mut().skip(4).zip(SERVER_VERSION) {
        *to = from;
    }
    digest::sign(&mut block, scheme, Signer::Server);
    out.extend_from_slice(&block);
    let mut answer = [0; BLOCK];
    seed.fill("S2", &mut answer);
    digest::sign_answer(&mut answer, &digest, Signer::Server);
    out.extend_from_slice(&answer);
}

#[cfg(test)]
mod tests {
    use super::super::{ClientHandshake, ClientStyle, Scheme};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_plain_client_gets_version_0_and_its_own_block_back() {
        let hello: Vec<u8> = (0..BLOCK).map(|at| (at % 251) as u8).collect();
        let mut handshake = ServerHandshake::new(Seed([1; 32]));
        let mut out = Vec::new();
        handshake
            .input(&mut [&[3], &hello[..]].concat().as_slice(), &mut out)
            .unwrap();
        assert_eq!(out.len(), 1 + 2 * BLOCK);
        assert_eq!(out[0], 3);
        assert_eq!(out[1..9], [0; 8]);
        assert_eq!(out[1 + BLOCK..], hello);
    }

    #[test]
    fn other_versions_are_refused_at_once() {
        for version in (0..=255).filter(|version| *version != 3) {
            let mut handshake = ServerHandshake::new(Seed([1; 32]));
            let result = handshake.input(&mut [version].as_slice(), &mut Vec::new());
            assert_eq!(result, Err(HandshakeError::Version { version }));
        }
    }

    fn styles() -> impl Strategy<Value = ClientStyle> {
        prop_oneof![
            Just(ClientStyle::Plain),
            Just(ClientStyle::Digest(Scheme::First)),
            Just(ClientStyle::Digest(Scheme::Second)),
        ]
    }

    proptest! {
        /// Both sides of ours, the bytes between them cut anywhere, something after C2.
        #[test]
        fn meets_every_client(style in styles(), seeds: ([u8; 32], [u8; 32]), cuts in proptest::collection::vec(1usize..2000, 1..8)) {
            let mut client_out = Vec::new();
            let mut client = ClientHandshake::new(Seed(seeds.0), style, &mut client_out);
            let mut server = ServerHandshake::new(Seed(seeds.1));
            let mut server_out = Vec::new();
            let mut cuts = cuts.into_iter().cycle();
            while !client.is_done() {
                for piece in std::mem::take(&mut client_out).chunks(cuts.next().unwrap()) {
                    server.input(&mut &piece[..], &mut server_out).unwrap();
                }
                for piece in std::mem::take(&mut server_out).chunks(cuts.next().unwrap()) {
                    client.input(&mut &piece[..], &mut client_out).unwrap();
                }
            }
            client_out.extend_from_slice(b"after");
            let mut input = client_out.as_slice();
            server.input(&mut input, &mut server_out).unwrap();
            prop_assert!(server.is_done());
            prop_assert_eq!(input, b"after");
            prop_assert!(server_out.is_empty());
        }
    }
}
