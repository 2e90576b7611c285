//! Encrypted connections: the agreement, what comes around it, and what is said behind it.

use super::*;
use crate::rtmp::handshake::{Ciphers, HandshakeError, Scramble};

const STYLE: ClientStyle = ClientStyle::Encrypted(Scramble::Xtea, Scheme::Second);

fn server() -> Server {
    let limits = Limits {
        encrypted: true,
        ..Limits::default()
    };
    Server::new(limits, Seed([7; 32]))
}

/// C0 and C1, and the client that sent them.
fn client() -> (ClientHandshake, Vec<u8>) {
    let mut hello = Vec::new();
    let client = ClientHandshake::new(Seed([9; 32]), STYLE, &mut hello);
    (client, hello)
}

/// Agrees on the key that the server asks for.
fn agree(server: &mut Server) {
    let Some(Event::KeyAgreement(agreement)) = server.event() else {
        panic!("no agreement is asked for")
    };
    server.key_agreed(agreement.compute()).unwrap();
}

/// C2 and the client's keystreams, for what the server has answered.
fn last_block(client: &mut ClientHandshake, server: &mut Server) -> (Vec<u8>, Ciphers) {
    let mut last = Vec::new();
    let reply = server.take_output();
    client.input(&mut reply.as_slice(), &mut last).unwrap();
    (last, client.take_ciphers().unwrap())
}

/// All that a client sends that says `chunks` to our server behind its handshake.
fn session(mut chunks: Vec<u8>) -> Vec<u8> {
    let (mut client, mut bytes) = client();
    let mut server = server();
    server.input(&bytes).unwrap();
    agree(&mut server);
    let (last, mut ciphers) = last_block(&mut client, &mut server);
    bytes.extend(last);
    ciphers.output.apply(&mut chunks);
    bytes.extend(chunks);
    bytes
}

#[test]
fn both_sides_understand_each_other() {
    let (mut client, hello) = client();
    let mut server = server();
    server.input(&hello).unwrap();
    assert!(!server.is_encrypted() && server.take_output_cipher().is_none());
    assert_eq!(server.output_len(), 0);
    agree(&mut server);
    assert!(server.is_encrypted() && !server.is_greeted());
    let mut cipher = server.take_output_cipher().unwrap();
    assert!(server.take_output_cipher().is_none());
    let (last, mut theirs) = last_block(&mut client, &mut server);
    server.input(&last).unwrap();
    assert!(server.is_greeted());

    let mut bytes = connect();
    theirs.output.apply(&mut bytes);
    server.input(&bytes).unwrap();
    assert!(matches!(server.event(), Some(Event::Connect(_))));
    server.accept_connect();
    // What the owner sends in pieces, the client reads in one.
    let plain = server.take_output();
    let mut sent = plain.clone();
    sent.chunks_mut(7).for_each(|piece| cipher.apply(piece));
    assert_ne!(sent, plain);
    theirs.input.apply(&mut sent);
    assert_eq!(sent, plain);
    assert_eq!(messages_from_start(&sent).len(), 5);
}

#[test]
fn a_server_that_is_not_asked_to_speak_it_refuses_it() {
    let (_, hello) = client();
    let refused = Violation::Handshake(HandshakeError::Version { version: 8 });
    assert_eq!(super::server().input(&hello), Err(refused));
}

#[test]
fn plain_clients_are_no_other_where_it_is_spoken() {
    for style in [ClientStyle::Plain, ClientStyle::Digest(Scheme::First)] {
        let bytes = super::session(style);
        let outcome = run_on(server(), [bytes.as_slice()]);
        assert_eq!(outcome, run([bytes.as_slice()]));
        assert_eq!((outcome.events.len(), outcome.result), (3, Ok(())));
    }
}

#[test]
fn an_agreement_that_fails_is_final() {
    let (_, hello) = client();
    let mut other = hello.clone();
    other[700] ^= 1;
    let unsigned = Violation::Handshake(HandshakeError::Unsigned);
    let mut server = server();
    assert_eq!(server.input(&other), Err(unsigned.clone()));
    assert!(!server.has_event());
    assert_eq!(server.input(&hello), Err(unsigned));
}

#[test]
fn what_comes_before_the_key_is_held_and_bounded() {
    let bytes = session(chunks());
    let mut server = server();
    // The agreement is answered only when everything has come.
    server.input(&bytes).unwrap();
    assert_eq!(server.output_len(), 0);
    agree(&mut server);
    assert!(matches!(server.event(), Some(Event::Connect(_))));
    server.accept_connect();
    assert_eq!(server.check(), Ok(()));
    assert!(matches!(server.event(), Some(Event::StreamLength { .. })));

    let (_, hello) = client();
    let mut server = self::server();
    server.input(&hello).unwrap();
    let limit = Limits::default().bytes_before_connect;
    let piece = [0; 4096];
    assert!((0..limit / 4096).all(|_| server.input(&piece).is_ok()));
    let Some(Event::KeyAgreement(agreement)) = server.event() else {
        panic!()
    };
    let beyond = Err(Violation::BytesBeforeConnect { limit });
    assert_eq!(server.input(&[0]), beyond);
    assert_eq!(server.key_agreed(agreement.compute()), beyond);
}

#[test]
fn a_key_that_nobody_asked_for_changes_nothing() {
    let (_, hello) = client();
    let mut asking = server();
    asking.input(&hello).unwrap();
    let Some(Event::KeyAgreement(agreement)) = asking.event() else {
        panic!()
    };
    let mut plain = connected();
    plain.key_agreed(agreement.compute()).unwrap();
    assert!(!plain.is_encrypted() && plain.output_len() == 0);
    plain.input(&call("createStream", 2.0, 0, &[])).unwrap();
    assert_eq!(replies(&mut plain).len(), 1);
}

#[test]
fn a_cut_at_a_border_makes_no_difference() {
    let bytes = session(chunks());
    let whole = run_on(server(), [bytes.as_slice()]);
    assert_eq!((whole.events.len(), &whole.result), (4, &Ok(())));
    let plain = run([super::session(ClientStyle::Digest(Scheme::Second)).as_slice()]);
    assert_eq!(whole.events[1..], plain.events);
    assert_eq!(whole.output[REPLY..], plain.output[REPLY..]);
    for border in [1, 1 + BLOCK, REPLY, REPLY + connect().len()] {
        for cut in border - 1..=border + 1 {
            let (before, after) = bytes.split_at(cut);
            assert!(run_on(server(), [before, after]) == whole, "{cut}");
        }
    }
    assert!(run_on(server(), bytes.chunks(1)) == whole);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn pieces_of_any_size_make_no_difference(
        size in 1usize..3000,
        flips in proptest::collection::vec((1537usize..5000, any::<u8>()), 0..4),
    ) {
        let mut bytes = session(chunks());
        for (at, value) in flips {
            bytes[at] = value;
        }
        prop_assert_eq!(run_on(server(), bytes.chunks(size)), run_on(server(), [bytes.as_slice()]));
    }
}
