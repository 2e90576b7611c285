//! The server's side of the handshake.

use super::agreement::{Agreed, KeyAgreed, KeyAgreement};
use super::cipher::Ciphers;
use super::reply::{self, Hello};
use super::{BLOCK, Block, HandshakeError, Scramble, Seed, Version};

/// A handshake with a client, one connection long.
#[derive(Debug)]
pub struct ServerHandshake {
    seed: Seed,
    /// Whether encryption is spoken.
    encrypted: bool,
    state: State,
    /// Those of an encrypted connection, once agreed.
    ciphers: Option<Ciphers>,
}

#[derive(Debug)]
enum State {
    /// Waiting for C0.
    Version,
    /// Waiting for all of C1; it grows with what arrives.
    Hello(Version, Vec<u8>),
    /// Waiting for [`ServerHandshake::key_agreed`]. Nobody has taken the job yet while it is here.
    Agreement(Option<KeyAgreement>),
    /// Waiting for the rest of C2: so many bytes.
    Answer(usize),
    Done,
}

impl ServerHandshake {
    /// A handshake that has seen nothing. Where it is not `encrypted`, versions 6, 8 and 9 are
    /// refused like any other that nobody knows.
    pub const fn new(seed: Seed, encrypted: bool) -> Self {
        Self {
            seed,
            encrypted,
            state: State::Version,
            ciphers: None,
        }
    }

    /// Whether C2 has arrived whole: what follows are chunks, enciphered where there are
    /// [`ServerHandshake::take_ciphers`].
    pub const fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Whether it waits for [`ServerHandshake::key_agreed`], and takes no input until then.
    pub const fn is_agreeing(&self) -> bool {
        matches!(self.state, State::Agreement(_))
    }

    /// The job that it waits for, once.
    pub fn take_agreement(&mut self) -> Option<KeyAgreement> {
        match &mut self.state {
            State::Agreement(agreement) => agreement.take(),
            _ => None,
        }
    }

    /// Goes on with what the job came to: appends the reply to `out`. Nothing happens where none
    /// is awaited.
    pub fn key_agreed(
        &mut self,
        agreed: KeyAgreed,
        out: &mut Vec<u8>,
    ) -> Result<(), HandshakeError> {
        if self.is_agreeing() {
            let Agreed { reply, ciphers } = agreed.0?;
            out.extend_from_slice(&reply);
            self.ciphers = Some(ciphers);
            self.state = State::Answer(BLOCK);
        }
        Ok(())
    }

    /// The keystreams of an encrypted connection, once: for what comes behind C2, and for what is
    /// sent behind S2. There are none before the key is agreed.
    pub const fn take_ciphers(&mut self) -> Option<Ciphers> {
        self.ciphers.take()
    }

    /// Takes from `input` what belongs to the handshake, leaves the rest, and appends what is to
    /// be sent to `out`.
    pub fn input(&mut self, input: &mut &[u8], out: &mut Vec<u8>) -> Result<(), HandshakeError> {
        while !input.is_empty() && !self.is_done() && !self.is_agreeing() {
            self.step(input, out)?;
        }
        Ok(())
    }

    fn step(&mut self, input: &mut &[u8], out: &mut Vec<u8>) -> Result<(), HandshakeError> {
        match &mut self.state {
            State::Version => {
                if let [byte] = take(input, 1) {
                    self.state = State::Hello(self.version(*byte)?, Vec::new());
                }
            }
            State::Hello(version, hello) => {
                hello.extend_from_slice(take(input, BLOCK.saturating_sub(hello.len())));
                if let Ok(hello) = Block::try_from(hello.as_slice()) {
                    self.state = match *version {
                        Version::Plain => self.answer(&hello, out),
                        Version::Encrypted(scramble) => self.agreement(&hello, scramble)?,
                    };
                }
            }
            State::Answer(left) => {
                let taken = take(input, *left).len();
                *left = left.saturating_sub(taken);
                if *left == 0 {
                    self.state = State::Done;
                }
            }
            State::Agreement(_) | State::Done => {}
        }
        Ok(())
    }

    fn version(&self, byte: u8) -> Result<Version, HandshakeError> {
        match Version::from_byte(byte)? {
            Version::Encrypted(_) if !self.encrypted => {
                Err(HandshakeError::Version { version: byte })
            }
            version => Ok(version),
        }
    }

    /// Answers a C1 that asks for nothing secret.
    fn answer(&self, hello: &Block, out: &mut Vec<u8>) -> State {
        match Hello::read(hello) {
            None => reply::plain(hello, &self.seed, out),
            Some(hello) => {
                out.extend(reply::signed(Version::Plain, &hello, None, &self.seed));
            }
        }
        State::Answer(BLOCK)
    }

    /// What is to be computed before a C1 that asks for encryption can be answered.
    fn agreement(&self, block: &Block, scramble: Scramble) -> Result<State, HandshakeError> {
        let hello = Hello::read(block).ok_or(HandshakeError::Unsigned)?;
        Ok(State::Agreement(Some(KeyAgreement {
            theirs: Box::new(hello.scheme.value(block)),
            hello,
            scramble,
            seed: self.seed.clone(),
        })))
    }
}

/// The first `len` bytes of `input`, or as many as there are.
pub(super) fn take<'a>(input: &mut &'a [u8], len: usize) -> &'a [u8] {
    let (taken, rest) = input.split_at(len.min(input.len()));
    *input = rest;
    taken
}

#[cfg(test)]
mod tests {
    use super::super::digest::{self, Signer};
    use super::super::{ClientHandshake, ClientStyle, REPLY, Scheme};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_plain_client_gets_version_0_and_its_own_block_back() {
        let hello: Vec<u8> = (0..BLOCK).map(|at| (at % 251) as u8).collect();
        let mut handshake = ServerHandshake::new(Seed([1; 32]), false);
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
        for (encrypted, spoken) in [(false, &[3][..]), (true, &[3, 6, 8, 9])] {
            for version in 0..=255 {
                let mut handshake = ServerHandshake::new(Seed([1; 32]), encrypted);
                let result = handshake.input(&mut [version].as_slice(), &mut Vec::new());
                let expected = match spoken.contains(&version) {
                    true => Ok(()),
                    false => Err(HandshakeError::Version { version }),
                };
                assert_eq!(result, expected, "{version}");
            }
        }
    }

    /// An encrypted handshake that has got this C1.
    fn asked(hello: &[u8]) -> Result<ServerHandshake, HandshakeError> {
        let mut server = ServerHandshake::new(Seed([1; 32]), true);
        server.input(&mut &hello[..], &mut Vec::new())?;
        Ok(server)
    }

    fn hello(scheme: Scheme) -> Vec<u8> {
        let mut out = Vec::new();
        let style = ClientStyle::Encrypted(Scramble::None, scheme);
        ClientHandshake::new(Seed([2; 32]), style, &mut out);
        out
    }

    #[test]
    fn an_encrypted_client_that_does_not_sign_is_refused() {
        for scheme in [Scheme::First, Scheme::Second] {
            let mut hello = hello(scheme);
            assert!(asked(&hello).is_ok());
            hello[700] ^= 1;
            assert_eq!(asked(&hello).unwrap_err(), HandshakeError::Unsigned);
        }
    }

    #[test]
    fn a_public_value_that_is_none_is_refused() {
        for scheme in [Scheme::First, Scheme::Second] {
            // 5 generates the whole group.
            for last in [0, 1, 5] {
                let mut block = Block::try_from(&hello(scheme)[1..]).unwrap();
                let mut value = [0; 128];
                value[127] = last;
                scheme.set_value(&mut block, &value);
                digest::sign(&mut block, scheme, Signer::Player);
                let mut server = asked(&[&[6], &block[..]].concat()).unwrap();
                let agreed = server.take_agreement().unwrap().compute();
                let mut out = Vec::new();
                let result = server.key_agreed(agreed, &mut out);
                assert_eq!(result, Err(HandshakeError::PublicValue));
                assert!(out.is_empty() && server.take_ciphers().is_none());
            }
        }
    }

    #[test]
    fn an_agreement_is_asked_for_once_and_awaited() {
        let mut server = asked(&hello(Scheme::Second)).unwrap();
        let mut out = Vec::new();
        let mut more = &[7; 10][..];
        server.input(&mut more, &mut out).unwrap();
        assert!(server.is_agreeing() && more.len() == 10 && out.is_empty());
        let agreement = server.take_agreement().unwrap();
        assert_eq!(server.take_agreement(), None);
        server
            .key_agreed(agreement.clone().compute(), &mut out)
            .unwrap();
        assert!(!server.is_agreeing() && out.len() == REPLY);
        server.key_agreed(agreement.compute(), &mut out).unwrap();
        assert_eq!(out.len(), REPLY);
        assert!(server.take_ciphers().is_some() && server.take_ciphers().is_none());
    }

    fn plain_styles() -> impl Strategy<Value = ClientStyle> {
        prop_oneof![
            Just(ClientStyle::Plain),
            Just(ClientStyle::Digest(Scheme::First)),
            Just(ClientStyle::Digest(Scheme::Second)),
        ]
    }

    fn encrypted_styles() -> impl Strategy<Value = ClientStyle> {
        let scrambles = prop_oneof![
            Just(Scramble::None),
            Just(Scramble::Xtea),
            Just(Scramble::Blowfish)
        ];
        let schemes = prop_oneof![Just(Scheme::First), Just(Scheme::Second)];
        (scrambles, schemes).prop_map(|(scramble, scheme)| ClientStyle::Encrypted(scramble, scheme))
    }

    /// Both sides of ours, the bytes between them cut anywhere, something after C2.
    fn meet(
        style: ClientStyle,
        seeds: ([u8; 32], [u8; 32]),
        cuts: Vec<usize>,
    ) -> Option<[Ciphers; 2]> {
        let mut client_out = Vec::new();
        let mut client = ClientHandshake::new(Seed(seeds.0), style, &mut client_out);
        let mut server = ServerHandshake::new(Seed(seeds.1), true);
        let mut server_out = Vec::new();
        let mut cuts = cuts.into_iter().cycle();
        while !client.is_done() {
            for piece in std::mem::take(&mut client_out).chunks(cuts.next().unwrap()) {
                server.input(&mut &piece[..], &mut server_out).unwrap();
            }
            if let Some(agreement) = server.take_agreement() {
                server
                    .key_agreed(agreement.compute(), &mut server_out)
                    .unwrap();
            }
            for piece in std::mem::take(&mut server_out).chunks(cuts.next().unwrap()) {
                client.input(&mut &piece[..], &mut client_out).unwrap();
            }
        }
        client_out.extend_from_slice(b"after");
        let mut input = client_out.as_slice();
        server.input(&mut input, &mut server_out).unwrap();
        assert!(server.is_done());
        assert_eq!(input, b"after");
        assert!(server_out.is_empty());
        client
            .take_ciphers()
            .zip(server.take_ciphers())
            .map(|(ours, theirs)| [ours, theirs])
    }

    proptest! {
        #[test]
        fn meets_every_client(
            style in plain_styles(),
            seeds: ([u8; 32], [u8; 32]),
            cuts in proptest::collection::vec(1usize..2000, 1..8),
        ) {
            prop_assert!(meet(style, seeds, cuts).is_none());
        }
    }

    proptest! {
        // Each costs some milliseconds of arithmetic that is not optimised.
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn agrees_with_every_encrypted_client(
            style in encrypted_styles(),
            seeds: ([u8; 32], [u8; 32]),
            cuts in proptest::collection::vec(1usize..2000, 1..8),
        ) {
            let [mut client, mut server] = meet(style, seeds, cuts).unwrap();
            let text = b"behind the handshake";
            let there = (&mut client.output, &mut server.input);
            let back = (&mut server.output, &mut client.input);
            for (from, to) in [there, back] {
                let mut bytes = *text;
                from.apply(&mut bytes);
                prop_assert_ne!(&bytes, text);
                to.apply(&mut bytes);
                prop_assert_eq!(&bytes, text);
            }
        }
    }
}
