//! A connection from its first byte, against our own client pieces and against rml_rtmp.

use proptest::prelude::*;

use super::*;
use crate::amf::{self, Value};
use crate::rtmp::chunk::{ChunkLimits, write_message};
use crate::rtmp::command::{Length, Play, Reset, Start};
use crate::rtmp::handshake::{BLOCK, ClientHandshake, ClientStyle, REPLY, Scheme};
use crate::rtmp::status::{Rejection, Status};
use crate::units::{MediaTime, Millis};

mod encryption;
mod peer;

fn server() -> Server {
    Server::new(Limits::default(), Seed([7; 32]))
}

/// C0, C1 and some C2.
fn greeting() -> Vec<u8> {
    let mut bytes = vec![3];
    bytes.extend_from_slice(&[0; 2 * BLOCK]);
    bytes
}

fn command(stream: u32, values: &[Value]) -> Vec<u8> {
    let mut payload = Vec::new();
    values
        .iter()
        .for_each(|value| amf::encode(value, &mut payload));
    let mut out = Vec::new();
    write_message(
        &mut out,
        128,
        3,
        Millis(0),
        message::COMMAND,
        stream,
        &payload,
    );
    out
}

fn call(name: &str, transaction: f64, stream: u32, arguments: &[Value]) -> Vec<u8> {
    let mut values = vec![name.into(), transaction.into(), Value::Null];
    values.extend_from_slice(arguments);
    command(stream, &values)
}

fn connect() -> Vec<u8> {
    let object = vec![
        ("app".to_owned(), "cfx/st".into()),
        ("tcUrl".to_owned(), "rtmp://h/cfx/st".into()),
    ];
    command(0, &["connect".into(), 1.0.into(), Value::Object(object)])
}

/// A connection that was accepted, its output so far taken.
fn connected() -> Server {
    let mut server = server();
    server.input(&greeting()).unwrap();
    server.input(&connect()).unwrap();
    assert!(matches!(server.event(), Some(Event::Connect(_))));
    server.accept_connect();
    server.take_output();
    server
}

fn with_stream() -> Server {
    let mut server = connected();
    server.input(&call("createStream", 2.0, 0, &[])).unwrap();
    server.take_output();
    server
}

/// What was sent after the connect was accepted.
fn messages(bytes: &[u8]) -> Vec<Message> {
    let mut whole = Vec::new();
    crate::rtmp::message::set_chunk_size(&mut whole, 65_536);
    whole.extend_from_slice(bytes);
    messages_from_start(&whole)
}

fn messages_from_start(mut bytes: &[u8]) -> Vec<Message> {
    let mut reader = ChunkReader::new(ChunkLimits::PLAYER, 0);
    let mut messages = Vec::new();
    while let Some(message) = reader.message(&mut bytes).unwrap() {
        messages.push(message);
    }
    assert!(bytes.is_empty() && reader.buffered() == 0);
    messages
}

/// Values of a message that must be a command or data.
fn values(message: &Message) -> Vec<Value> {
    assert!(matches!(message.type_id, message::COMMAND | message::DATA));
    amf::decode_all(&message.payload, &amf::Limits::METADATA).unwrap()
}

fn replies(server: &mut Server) -> Vec<Vec<Value>> {
    messages(&server.take_output()).iter().map(values).collect()
}

fn events(server: &mut Server) -> Vec<Event> {
    std::iter::from_fn(|| server.event()).collect()
}

#[test]
fn an_accepted_connect_is_answered_in_order() {
    let mut server = server();
    server.input(&greeting()).unwrap();
    assert_eq!(server.take_output().len(), REPLY);
    server.input(&connect()).unwrap();
    let Some(Event::Connect(asked)) = server.event() else {
        panic!()
    };
    assert_eq!((asked.app(), asked.tc_url()), ("cfx/st", "rtmp://h/cfx/st"));
    assert!(!server.is_connected() && server.output_len() == 0);
    server.accept_connect();
    assert!(server.is_connected());
    let replies = messages_from_start(&server.take_output());
    let types: Vec<u8> = replies.iter().map(|reply| reply.type_id).collect();
    // Set Chunk Size (1) is third; our reader obeys it and does not report it.
    assert_eq!(types, [5, 6, 4, 20, 20]);
    assert_eq!(replies[0].payload, 2_500_000u32.to_be_bytes()[..]);
    assert_eq!(replies[1].payload, [0x7f, 0xff, 0xff, 0xff, 2][..]);
    assert_eq!(replies[2].payload, [0; 6][..]);
    assert_eq!(values(&replies[3])[..2], ["_result".into(), 1.0.into()]);
    assert_eq!(values(&replies[4])[0], "onBWDone".into());
    server.accept_connect();
    assert_eq!(server.output_len(), 0);
}

#[test]
fn chunks_grow_only_after_set_chunk_size() {
    let mut server = server();
    server.input(&[greeting(), connect()].concat()).unwrap();
    server.take_output();
    server.accept_connect();
    let start = [2, 0, 0, 0, 0, 0, 4, 5];
    let chunk_size = [2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 1, 0, 0];
    let output = server.take_output();
    assert_eq!(output[..8], start);
    assert_eq!(output[16 + 17..16 + 17 + 16], chunk_size);
}

#[test]
fn a_rejected_connect_is_the_last_word() {
    let mut server = server();
    server.input(&[greeting(), connect()].concat()).unwrap();
    server.take_output();
    server.reject_connect(Rejection::InvalidInstance);
    server.input(&call("createStream", 2.0, 0, &[])).unwrap();
    server.input(&[0xff; 100]).unwrap();
    let replies: Vec<_> = messages_from_start(&server.take_output())
        .iter()
        .map(values)
        .collect();
    assert_eq!(replies.len(), 1);
    assert_eq!(replies[0][0], "_error".into());
    assert_eq!(
        replies[0][3].get("application").unwrap().get("message"),
        Some(&"InvalidInstance".into())
    );
    server.accept_connect();
    assert!(!server.is_connected());
}

#[test]
fn a_client_must_connect_first_once_and_soon() {
    let mut early = server();
    early.input(&greeting()).unwrap();
    let at = (1 + 2 * BLOCK) as u64;
    let result = early.input(&call("createStream", 2.0, 0, &[]));
    assert_eq!(result, Err(Violation::BeforeConnect { at }));
    assert_eq!(
        early.input(&connect()),
        Err(Violation::BeforeConnect { at })
    );
    let again = connected().input(&connect());
    assert!(matches!(again, Err(Violation::ConnectTwice { .. })));
    let mut late = server();
    late.input(&greeting()).unwrap();
    let mut ping = Vec::new();
    UserControl::PingResponse(0).write(&mut ping);
    let result = late.input(&ping.repeat(5000));
    assert_eq!(result, Err(Violation::BytesBeforeConnect { limit: 65_536 }));
    assert_eq!(late.received(), 65_536);
}

#[test]
fn streams_have_the_lowest_free_number() {
    let mut server = connected();
    let create = call("createStream", 2.0, 0, &[]);
    let limit = Limits::default().streams;
    for _ in 0..limit {
        server.input(&create).unwrap();
    }
    let replies = replies(&mut server);
    assert_eq!(replies.len(), limit as usize);
    for (number, reply) in (1..).zip(&replies) {
        assert_eq!(
            reply[..],
            [
                "_result".into(),
                2.0.into(),
                Value::Null,
                f64::from(number).into()
            ]
        );
    }
    server
        .input(&call("deleteStream", 0.0, 0, &[3.0.into()]))
        .unwrap();
    server
        .input(&call("deleteStream", 0.0, 0, &[3.0.into()]))
        .unwrap();
    assert_eq!(events(&mut server), [Event::DeleteStream { stream: 3 }]);
    server.input(&create).unwrap();
    assert_eq!(self::replies(&mut server)[0][3], 3.0.into());
    assert!(matches!(
        server.input(&create),
        Err(Violation::TooManyStreams { limit: 16, .. })
    ));
}

#[test]
fn what_comes_behind_connect_waits_for_the_decision() {
    let mut server = server();
    let create = call("createStream", 2.0, 0, &[]);
    let all = [greeting(), connect(), create.clone()].concat();
    server.input(&all).unwrap();
    server.take_output();
    server.input(&create).unwrap();
    assert_eq!(server.output_len(), 0, "nothing overtakes the answer");
    events(&mut server);
    server.accept_connect();
    let messages = messages_from_start(&server.take_output());
    let commands = messages.iter().filter(|m| m.type_id == message::COMMAND);
    let names: Vec<Value> = commands.map(|m| values(m)[1].clone()).collect();
    // connect, onBWDone, and the two streams.
    assert_eq!(names, [1.0.into(), 0.0.into(), 2.0.into(), 2.0.into()]);
}

#[test]
fn what_waits_behind_connect_is_bounded() {
    let mut server = server();
    server.input(&[greeting(), connect()].concat()).unwrap();
    let limit = Limits::default().bytes_before_connect;
    let piece = [0; 4096];
    let kept = (0..limit / 4096).all(|_| server.input(&piece).is_ok());
    assert!(kept);
    assert!(matches!(
        server.input(&piece),
        Err(Violation::BytesBeforeConnect { .. })
    ));
}

#[test]
fn stream_commands_become_events() {
    let mut server = with_stream();
    let at = MediaTime::from_millis;
    let name = Value::from("mp4:a.mp4");
    server
        .input(&call("play", 0.0, 1, &[name.clone(), (-2000.0).into()]))
        .unwrap();
    server
        .input(&call("pause", 0.0, 1, &[true.into(), 1500.0.into()]))
        .unwrap();
    server
        .input(&call("seek", 0.0, 1, &[2500.0.into()]))
        .unwrap();
    server
        .input(&call("receiveAudio", 0.0, 1, &[false.into()]))
        .unwrap();
    server
        .input(&call("receiveVideo", 0.0, 1, &[true.into()]))
        .unwrap();
    server
        .input(&call("play", 0.0, 1, &[false.into()]))
        .unwrap();
    server
        .input(&call("getStreamLength", 3.0, 0, &[name]))
        .unwrap();
    let mut control = Vec::new();
    UserControl::SetBufferLength {
        stream: 1,
        millis: 3000,
    }
    .write(&mut control);
    UserControl::SetBufferLength {
        stream: 0,
        millis: 300,
    }
    .write(&mut control);
    UserControl::SetBufferLength {
        stream: 9,
        millis: 1,
    }
    .write(&mut control);
    server.input(&control).unwrap();
    let play = Play {
        name: "mp4:a.mp4".into(),
        start: Start::VodOrLive,
        length: Length::All,
        reset: Reset::Replace,
    };
    let expected = [
        Event::Play {
            stream: 1,
            transaction: 0.0,
            play,
        },
        Event::Pause {
            stream: 1,
            pause: true,
            time: at(1500),
            raw: false,
        },
        Event::Seek {
            stream: 1,
            time: at(2500),
        },
        Event::ReceiveAudio {
            stream: 1,
            on: false,
        },
        Event::ReceiveVideo {
            stream: 1,
            on: true,
        },
        Event::CloseStream { stream: 1 },
        Event::StreamLength {
            transaction: 3.0,
            name: "mp4:a.mp4".into(),
        },
        Event::BufferLength {
            stream: 1,
            millis: 3000,
        },
        Event::BufferLength {
            stream: 0,
            millis: 300,
        },
    ];
    assert_eq!(events(&mut server), expected);
    assert_eq!(server.output_len(), 0);
    server.stream_length(3.0, Some(12.5));
    assert_eq!(
        replies(&mut server),
        [["_result".into(), 3.0.into(), Value::Null, 12.5.into()]]
    );
}

#[test]
fn a_seek_to_nowhere_is_refused() {
    let mut server = with_stream();
    server.input(&call("play", 0.0, 1, &["a".into()])).unwrap();
    server
        .input(&call("seek", 0.0, 1, &[f64::NAN.into()]))
        .unwrap();
    assert!(matches!(events(&mut server)[..], [Event::Play { .. }]));
    let info = &replies(&mut server)[0][3];
    assert_eq!(info.get("code"), Some(&"NetStream.Seek.InvalidTime".into()));
    assert_eq!(info.get("details"), Some(&"a".into()));
}

#[test]
fn calls_without_effect_are_answered_where_an_answer_is_awaited() {
    let mut server = connected();
    for name in ["_checkbw", "releaseStream", "FCPublish", "FCUnsubscribe"] {
        server.input(&call(name, 4.0, 0, &["x".into()])).unwrap();
        assert_eq!(
            replies(&mut server),
            [["_result".into(), 4.0.into(), Value::Null, Value::Null]],
            "{name}"
        );
        server.input(&call(name, 0.0, 0, &["x".into()])).unwrap();
        assert_eq!(server.output_len(), 0, "{name}");
    }
    server
        .input(&call("FCSubscribe", 4.0, 0, &["x".into()]))
        .unwrap();
    assert_eq!(replies(&mut server)[0][0], "onFCSubscribe".into());
    server.input(&call("checkBandwidth", 4.0, 0, &[])).unwrap();
    let bandwidth = replies(&mut server);
    assert_eq!(
        (&bandwidth[0][0], &bandwidth[1][0]),
        (&"_result".into(), &"onBWDone".into())
    );
    server.input(&call("whatever", 4.0, 0, &[])).unwrap();
    let failed = replies(&mut server);
    assert_eq!(failed[0][..2], ["_error".into(), 4.0.into()]);
    assert_eq!(
        failed[0][3].get("code"),
        Some(&"NetConnection.Call.Failed".into())
    );
    server.input(&call("whatever", 0.0, 0, &[])).unwrap();
    server.input(&call("play", 0.0, 5, &["x".into()])).unwrap();
    assert_eq!((server.output_len(), server.event()), (0, None));
    server.input(&call("play", 6.0, 5, &["x".into()])).unwrap();
    assert_eq!(replies(&mut server)[0][..2], ["_error".into(), 6.0.into()]);
}

#[test]
fn publishing_is_denied_and_told() {
    let mut server = with_stream();
    server
        .input(&call("publish", 5.0, 1, &["x".into(), "live".into()]))
        .unwrap();
    assert_eq!(
        events(&mut server),
        [Event::Publish {
            stream: 1,
            name: "x".into()
        }]
    );
    let output = server.take_output();
    let denied = &messages(&output)[0];
    assert_eq!(denied.stream, 1);
    assert_eq!(
        values(denied)[3].get("code"),
        Some(&"NetStream.Publish.Denied".into())
    );
}

#[test]
fn pings_are_answered_and_unknown_things_are_not() {
    let mut server = connected();
    let mut input = Vec::new();
    UserControl::Unknown(27).write(&mut input);
    UserControl::PingRequest(99).write(&mut input);
    write_message(&mut input, 128, 7, Millis(0), 200, 0, b"what");
    write_message(&mut input, 128, 7, Millis(0), message::DATA, 1, b"\xff");
    server.input(&input).unwrap();
    let output = messages(&server.take_output());
    assert_eq!(output.len(), 1);
    assert_eq!(
        UserControl::parse(&output[0].payload),
        Ok(UserControl::PingResponse(99))
    );
}

#[test]
fn acknowledgements_are_running_totals() {
    let mut server = connected();
    let start = server.received();
    let mut window = Vec::new();
    crate::rtmp::message::window_acknowledgement_size(&mut window, 10_000);
    server.input(&window).unwrap();
    let mut media = Vec::new();
    for _ in 0..25 {
        write_message(&mut media, 128, 4, Millis(0), message::VIDEO, 1, &[0; 1000]);
    }
    server.input(&media).unwrap();
    let acks = messages(&server.take_output());
    let totals: Vec<u32> = acks
        .iter()
        .map(|ack| u32::from_be_bytes(ack.payload[..].try_into().unwrap()))
        .collect();
    assert!(
        acks.iter()
            .all(|ack| ack.type_id == message::ACKNOWLEDGEMENT)
    );
    let first = start as u32 + 16 + 10_000;
    assert_eq!(totals, [first, first + 10_000]);
}

#[test]
fn a_tiny_window_does_not_multiply_what_is_sent() {
    let mut server = connected();
    let mut input = Vec::new();
    crate::rtmp::message::window_acknowledgement_size(&mut input, 0);
    write_message(
        &mut input,
        128,
        4,
        Millis(0),
        message::VIDEO,
        1,
        &[0; 100_000],
    );
    server.input(&input).unwrap();
    assert_eq!(
        messages(&server.take_output()).len(),
        (input.len() - 16) / 4096
    );
}

#[test]
fn broken_input_says_where_and_stays_broken() {
    let mut server = connected();
    let at = server.received();
    let broken = command(0, &[1.0.into()]);
    let result = server.input(&broken);
    assert!(
        matches!(result, Err(Violation::Call { at: found, .. }) if found == at),
        "{result:?}"
    );
    assert_eq!(server.input(&[]), result);
    let nested = b"\x0a\x00\x00\x00\x01".repeat(8000);
    let mut input = Vec::new();
    write_message(&mut input, 128, 3, Millis(0), message::COMMAND, 0, &nested);
    let result = connected().input(&input);
    assert_eq!(
        result.unwrap_err().to_string(),
        format!("command at byte {at}: AMF values are nested more than 16 deep at byte 80")
    );
}

#[test]
fn a_preface_is_written_in_the_order_of_the_calls() {
    let mut server = with_stream();
    server.user_control(UserControl::StreamIsRecorded(1));
    server.user_control(UserControl::StreamBegin(1));
    server.status(1, Millis(0), &Status::PlayStart { name: "a" });
    server.sample_access(1, Millis(0));
    server.status(1, Millis(0), &Status::DataStart);
    server.metadata(1, Millis(0), &[("duration".into(), 2.0.into())]);
    server.media_message(message::VIDEO, Millis(5), 1, &[0x17, 0]);
    server.media_message(message::AUDIO, Millis(5), 1, &[0xaf, 0]);
    let sent: Vec<(u8, u32, u32)> = messages(&server.take_output())
        .iter()
        .map(|sent| (sent.type_id, sent.stream, sent.timestamp.0))
        .collect();
    let expected = [
        (4, 0, 0),
        (4, 0, 0),
        (20, 1, 0),
        (18, 1, 0),
        (18, 1, 0),
        (18, 1, 0),
        (9, 1, 5),
        (8, 1, 5),
    ];
    assert_eq!(sent, expected);
}

/// Everything that a connection gives out.
#[derive(Debug, PartialEq)]
struct Outcome {
    events: Vec<Event>,
    output: Vec<u8>,
    result: Result<(), Violation>,
    received: u64,
}

/// Plays a whole connection with its input in these pieces, accepting the connect when it comes.
fn run<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    run_on(server(), pieces)
}

fn run_on<'a>(mut server: Server, pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let (mut happened, mut output) = (Vec::new(), Vec::new());
    let mut result = Ok(());
    for piece in pieces {
        result = server.input(piece);
        while let Some(event) = server.event() {
            match &event {
                Event::Connect(_) => server.accept_connect(),
                Event::KeyAgreement(agreement) => {
                    // What is wrong is told by `check`.
                    let _ = server.key_agreed(agreement.clone().compute());
                }
                _ => {}
            }
            happened.push(event);
        }
        result = result.and(server.check());
        output.append(server.output());
        if result.is_err() {
            break;
        }
    }
    Outcome {
        events: happened,
        output,
        result,
        received: server.received(),
    }
}

/// A client's bytes from handshake to seek, with chunk streams interleaved and acknowledgements
/// asked for.
fn session(style: ClientStyle) -> Vec<u8> {
    let mut bytes = Vec::new();
    ClientHandshake::new(Seed([9; 32]), style, &mut bytes);
    bytes.extend_from_slice(&[0; BLOCK]);
    bytes.extend(chunks());
    bytes
}

/// What a client says from connect to seek.
fn chunks() -> Vec<u8> {
    let mut bytes = connect();
    crate::rtmp::message::window_acknowledgement_size(&mut bytes, 5000);
    UserControl::PingRequest(1).write(&mut bytes);
    bytes.extend(call("createStream", 2.0, 0, &[]));
    bytes.extend(call("_checkbw", 3.0, 0, &[]));
    bytes.extend(call("getStreamLength", 4.0, 0, &["mp4:a".into()]));
    let mut media = Vec::new();
    write_message(
        &mut media,
        128,
        8,
        Millis(0x0100_0000),
        message::VIDEO,
        1,
        &[5; 6000],
    );
    // Cut after its first chunk, with a command of another chunk stream between.
    bytes.extend_from_slice(&media[..12 + 4 + 128]);
    bytes.extend(call("what", 5.0, 0, &["x".repeat(4_000).into()]));
    bytes.extend_from_slice(&media[12 + 4 + 128..]);
    crate::rtmp::message::set_chunk_size(&mut bytes, 4096);
    UserControl::SetBufferLength {
        stream: 0,
        millis: 5,
    }
    .write(&mut bytes);
    bytes.extend(call("releaseStream", 6.0, 0, &[]));
    bytes
}

#[test]
fn a_cut_anywhere_makes_no_difference() {
    for style in [
        ClientStyle::Plain,
        ClientStyle::Digest(Scheme::First),
        ClientStyle::Digest(Scheme::Second),
    ] {
        let bytes = session(style);
        let whole = run([bytes.as_slice()]);
        assert_eq!((whole.events.len(), &whole.result), (3, &Ok(())));
        for cut in 0..bytes.len() {
            let (before, after) = bytes.split_at(cut);
            assert!(run([before, after]) == whole, "{cut}");
        }
        assert!(run(bytes.chunks(1)) == whole);
    }
}

proptest! {
    #[test]
    fn pieces_of_any_size_make_no_difference(
        cuts in proptest::collection::vec(1usize..3000, 1..20),
        flips in proptest::collection::vec((3073usize..5000, any::<u8>()), 0..4),
    ) {
        let mut bytes = session(ClientStyle::Digest(Scheme::Second));
        for (at, value) in flips {
            bytes[at] = value;
        }
        let mut pieces = Vec::new();
        let mut rest = bytes.as_slice();
        for cut in cuts.into_iter().cycle() {
            let (piece, after) = rest.split_at(cut.min(rest.len()));
            pieces.push(piece);
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(run(pieces), run([bytes.as_slice()]));
    }

    /// No command makes us say much more than it says itself, not even a refused seek in a stream
    /// whose name is long.
    #[test]
    fn output_is_bounded_by_input(
        names in proptest::collection::vec(0usize..7, 0..40),
        bytes: Vec<u8>,
    ) {
        const NAMES: [&str; 7] = ["", "checkBandwidth", "seek", "FCSubscribe", "publish", "createStream", "play"];
        let mut input = call("play", 0.0, 1, &["x".repeat(60_000).into()]);
        let long = input.len();
        for name in names {
            input.extend(command(1, &[NAMES[name].into(), 1.0.into()]));
        }
        input.extend(bytes);
        let mut server = with_stream();
        let _ = server.input(&input);
        prop_assert!(server.output_len() <= 20 * (input.len() - long));
    }
}
