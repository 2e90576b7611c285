//! A viewer that has connected and opened a stream says anything: how it is cut makes no
//! difference, and it cannot make the server say much more than it says itself.

#![no_main]

use libfuzzer_sys::fuzz_target;
use streamfront::amf::{Value, encode};
use streamfront::rtmp::chunk::{CSID_COMMAND, write_message};
use streamfront::rtmp::handshake::{BLOCK, Seed};
use streamfront::rtmp::message::COMMAND;
use streamfront::rtmp::server::{Event, Limits, Server, Violation};
use streamfront::units::Millis;

fn call(server: &mut Server, name: &str) {
    let mut payload = Vec::new();
    encode(&name.into(), &mut payload);
    encode(&1.0.into(), &mut payload);
    encode(&Value::Null, &mut payload);
    let mut out = Vec::new();
    write_message(&mut out, 128, CSID_COMMAND, Millis(0), COMMAND, 0, &payload);
    server.input(&out).expect("a viewer may say this");
}

fn run<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Event>, Vec<u8>, Result<(), Violation>) {
    let mut server = Server::new(Limits::default(), Seed([1; 32]));
    let mut hello = vec![3];
    hello.resize(1 + 2 * BLOCK, 0);
    server.input(&hello).expect("a plain handshake");
    call(&mut server, "connect");
    server.accept_connect();
    call(&mut server, "createStream");
    while server.event().is_some() {}
    server.take_output();
    let (mut events, mut output, mut result) = (Vec::new(), Vec::new(), Ok(()));
    for piece in pieces {
        result = server.input(piece);
        events.extend(std::iter::from_fn(|| server.event()));
        output.append(server.output());
        if result.is_err() {
            break;
        }
    }
    (events, output, result)
}

fuzz_target!(|bytes: &[u8]| {
    let Some((cut, bytes)) = bytes.split_first() else {
        return;
    };
    let (events, output, result) = run(std::iter::once(bytes));
    assert!(output.len() <= 20 * bytes.len());
    let cut = run(bytes.chunks(usize::from(*cut).max(1)));
    // As text, because NaN is not equal to itself.
    assert_eq!(
        format!("{cut:?}"),
        format!("{:?}", (events, output, result))
    );
});
