//! A viewer that wants encryption says anything, at best behind a handshake that is right but for
//! some bytes: how it is cut makes no difference, what waits for the key is bounded, and so is what
//! is said in return. A handshake that nobody changed is understood by both sides.

#![no_main]

use hmac::{Hmac, KeyInit, Mac};
use libfuzzer_sys::fuzz_target;
use sha2::Sha256;
use streamfront::rtmp::handshake::{
    BLOCK, ClientHandshake, ClientStyle, REPLY, Scheme, Scramble, Seed,
};
use streamfront::rtmp::server::{Event, Limits, Server, Violation};

/// What the server may hold before it knows the key.
const LIMIT: u64 = 8 * 1024;

fn server() -> Server {
    let limits = Limits {
        encrypted: true,
        bytes_before_connect: LIMIT,
        ..Limits::default()
    };
    Server::new(limits, Seed([1; 32]))
}

/// Everything that a connection gives out, as text: NaN is not equal to itself.
fn run<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> String {
    let mut server = server();
    let (mut events, mut output, mut given) = (Vec::new(), Vec::new(), 0);
    let mut result = Ok(());
    for piece in pieces {
        result = server.input(piece);
        given += piece.len();
        while let Some(event) = server.event() {
            match &event {
                Event::KeyAgreement(agreement) => {
                    let _ = server.key_agreed(agreement.clone().compute());
                }
                Event::Connect(_) => server.accept_connect(),
                _ => {}
            }
            events.push(event);
        }
        output.append(server.output());
        assert!(output.len() <= REPLY + 20 * given.saturating_sub(REPLY));
        result = result.and(server.check());
        if result.is_err() {
            break;
        }
    }
    let cipher = server.take_output_cipher().map(|mut cipher| {
        let mut bytes = [0; 16];
        cipher.apply(&mut bytes);
        bytes
    });
    assert_eq!(cipher.is_some(), server.is_encrypted());
    format!("{events:?} {output:?} {result:?} {cipher:?}")
}

/// Nobody computes the key: what is taken ends at the limit.
fn wait(bytes: &[u8], cut: usize) {
    let (mut server, mut taken) = (server(), 0);
    for piece in bytes.chunks(cut) {
        match server.input(piece) {
            Ok(()) => taken += piece.len() as u64,
            Err(Violation::BytesBeforeConnect { .. }) => break,
            Err(_) => return,
        }
    }
    assert!(taken <= (1 + BLOCK) as u64 + LIMIT || !server.has_event());
}

/// Signs C1 again, as a client does whose block this is.
fn sign(hello: &mut [u8], scheme: Scheme) {
    let (told_at, first) = match scheme {
        Scheme::First => (8, 12),
        Scheme::Second => (772, 776),
    };
    let told = hello[told_at..told_at + 4]
        .iter()
        .map(|byte| usize::from(*byte));
    let at = told.sum::<usize>() % 728 + first;
    let mut mac = Hmac::<Sha256>::new_from_slice(b"Genuine Adobe Flash Player 001").unwrap();
    mac.update(&hello[..at]);
    mac.update(&hello[at + 32..]);
    hello[at..at + 32].copy_from_slice(&mac.finalize().into_bytes());
}

/// All that this client sends, with `said` behind its handshake; asserts that both sides
/// understand each other up to there.
fn session(style: ClientStyle, seed: Seed, said: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut client = ClientHandshake::new(seed, style, &mut bytes);
    let mut server = server();
    server.input(&bytes).expect("our client is understood");
    let Some(Event::KeyAgreement(agreement)) = server.event() else {
        panic!("a key is to be agreed on");
    };
    server
        .key_agreed(agreement.compute())
        .expect("our client's value is one of the group");
    let reply = server.take_output();
    client
        .input(&mut reply.as_slice(), &mut bytes)
        .expect("our server is genuine");
    assert!(client.is_done() && bytes.len() == REPLY);
    let mut ciphers = client.take_ciphers().expect("it is encrypted");
    let mut theirs = server.take_output_cipher().expect("it is encrypted");
    let mut sent = *b"from the server";
    theirs.apply(&mut sent);
    ciphers.input.apply(&mut sent);
    assert_eq!(&sent, b"from the server");
    bytes.extend_from_slice(said);
    ciphers.output.apply(&mut bytes[REPLY..]);
    bytes
}

fuzz_target!(|bytes: &[u8]| {
    let Some(([kind, cut, seed, flips], bytes)) = bytes.split_first_chunk() else {
        return;
    };
    let scramble = [Scramble::None, Scramble::Xtea, Scramble::Blowfish][usize::from(kind % 3)];
    let scheme = [Scheme::First, Scheme::Second][usize::from(kind / 3 % 2)];
    let cut = usize::from(*cut) * 8 + 1;
    let whole = match kind / 6 % 3 {
        0 => bytes.to_vec(),
        changed => {
            // The first bytes say what is changed, the others are said behind the handshake.
            let len = bytes.len().min(4 * usize::from(flips % 8));
            let (flips, said) = bytes.split_at(len);
            let style = ClientStyle::Encrypted(scramble, scheme);
            let mut session = session(style, Seed([*seed; 32]), said);
            for flip in flips.chunks_exact(4) {
                let at = usize::from(u16::from_be_bytes([flip[0], flip[1]])) % session.len();
                session[at] ^= flip[2];
            }
            if changed == 1 {
                sign(&mut session[1..=BLOCK], scheme);
            }
            session
        }
    };
    wait(&whole, cut);
    // Beyond the limit it matters when the key is there, which is the owner's business.
    let whole = &whole[..whole.len().min(LIMIT as usize)];
    assert_eq!(run(whole.chunks(cut)), run(std::iter::once(whole)));
});
