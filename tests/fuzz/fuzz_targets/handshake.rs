//! Whatever a client sends, the server takes exactly its part and answers it whole or not at all;
//! and our own two sides always agree.

#![no_main]

use libfuzzer_sys::fuzz_target;
use streamfront::rtmp::handshake::{
    BLOCK, ClientHandshake, ClientStyle, HandshakeError, Scheme, Seed, ServerHandshake,
};

const REPLY: usize = 1 + 2 * BLOCK;

fn serve<'a>(
    seed: &Seed,
    pieces: impl Iterator<Item = &'a [u8]>,
) -> (Vec<u8>, usize, bool, Option<HandshakeError>) {
    let mut server = ServerHandshake::new(seed.clone(), false);
    let (mut out, mut left) = (Vec::new(), 0);
    for mut piece in pieces {
        if let Err(error) = server.input(&mut piece, &mut out) {
            return (out, 0, false, Some(error));
        }
        assert!(piece.is_empty() || server.is_done());
        left += piece.len();
    }
    (out, left, server.is_done(), None)
}

fuzz_target!(|bytes: &[u8]| {
    let Some(([cut, style], rest)) = bytes.split_first_chunk() else {
        return;
    };
    let Some((seed, bytes)) = rest.split_first_chunk() else {
        return;
    };
    let seed = Seed(*seed);
    let cut = usize::from(*cut) * 8 + 1;
    let whole = serve(&seed, std::iter::once(bytes));
    assert_eq!(serve(&seed, bytes.chunks(cut)), whole);
    let (out, left, done, error) = whole;
    if error.is_none() {
        assert_eq!(out.len(), if bytes.len() > BLOCK { REPLY } else { 0 });
        assert_eq!(done, bytes.len() >= REPLY);
        assert_eq!(left, bytes.len().saturating_sub(REPLY));
    }

    let style = match style % 3 {
        0 => ClientStyle::Plain,
        1 => ClientStyle::Digest(Scheme::First),
        _ => ClientStyle::Digest(Scheme::Second),
    };
    let mut sent = Vec::new();
    let mut client = ClientHandshake::new(seed.clone(), style, &mut sent);
    let mut server = ServerHandshake::new(Seed(seed.0.map(|byte| !byte)), false);
    let mut reply = Vec::new();
    for mut piece in sent.chunks(cut) {
        server
            .input(&mut piece, &mut reply)
            .expect("our client is understood");
    }
    let mut last = Vec::new();
    for mut piece in reply.chunks(cut) {
        client
            .input(&mut piece, &mut last)
            .expect("our server is genuine");
    }
    assert!(client.is_done());
    last.extend_from_slice(b"after");
    let mut input = last.as_slice();
    server
        .input(&mut input, &mut reply)
        .expect("C2 is never refused");
    assert!(server.is_done() && input == b"after");
});
