use proptest::prelude::*;

use super::*;
use crate::amf::{Value, encode};
use crate::rtmp::chunk::{ChunkLimits, ChunkReader, write_message};
use crate::rtmp::handshake::{BLOCK, Seed};
use crate::rtmp::server::{Event as Heard, Limits, Server};

fn session() -> Session {
    Session::new(Opening {
        app: "cfx/st".into(),
        tc_url: "rtmp://host/cfx/st".into(),
    })
}

/// A command as a server sends it.
fn said(values: &[Value]) -> Vec<u8> {
    typed(20, values)
}

fn typed(type_id: u8, values: &[Value]) -> Vec<u8> {
    let mut body = Vec::new();
    values.iter().for_each(|value| encode(value, &mut body));
    let mut out = Vec::new();
    write_message(&mut out, 128, 3, Millis(0), type_id, 1, &body);
    out
}

fn status(code: &str, level: &str) -> Vec<u8> {
    let info = [("level", level), ("code", code)];
    let info = info.map(|(name, text)| (name.to_owned(), text.into()));
    said(&[
        "onStatus".into(),
        0.0.into(),
        Value::Null,
        Value::Object(info.into()),
    ])
}

fn video(time: u32, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    write_message(&mut out, 128, 6, Millis(time), 9, 1, body);
    out
}

fn events(session: &mut Session, mut input: &[u8]) -> Vec<Event> {
    let mut events = Vec::new();
    while let Some(event) = session.event(&mut input).unwrap() {
        events.push(event);
    }
    assert!(input.is_empty());
    events
}

fn drain(session: &mut Session) -> Vec<u8> {
    let output = session.output().to_vec();
    session.sent(output.len());
    output
}

/// The messages of what a session sent.
fn messages(bytes: &[u8]) -> Vec<crate::rtmp::message::Message> {
    let mut reader = ChunkReader::new(ChunkLimits::PLAYER, 0);
    let mut input = bytes;
    std::iter::from_fn(|| reader.message(&mut input).unwrap()).collect()
}

/// A session that may play, on stream 1.
fn ready() -> Session {
    let mut session = session();
    let mut answer = vec![3];
    answer.extend([9; 2 * BLOCK]);
    answer.extend(said(&[
        "_result".into(),
        1.0.into(),
        Value::Null,
        Value::Null,
    ]));
    answer.extend(said(&[
        "_result".into(),
        2.0.into(),
        Value::Null,
        1.0.into(),
    ]));
    assert_eq!(
        events(&mut session, &answer),
        [Event::Connected, Event::Ready]
    );
    drain(&mut session);
    session
}

#[test]
fn it_opens_a_stream_of_our_own_server_and_plays() {
    let mut session = session();
    let mut server = Server::new(Limits::default(), Seed([7; 32]));
    let mut told = Vec::new();
    let mut heard = Vec::new();
    for _ in 0..10 {
        let up = drain(&mut session);
        let _ = server.input(&up);
        while let Some(event) = server.event() {
            if let Heard::Connect(connect) = &event {
                assert_eq!(connect.app(), "cfx/st");
                server.accept_connect();
            }
            heard.push(format!("{event:?}"));
        }
        let down = server.take_output();
        for event in events(&mut session, &down) {
            if event == Event::Ready {
                session.play("mp4:film", -1, 3000);
            }
            told.push(event);
        }
    }
    assert_eq!(told, [Event::Connected, Event::Ready]);
    let heard = heard.join("\n");
    assert!(
        heard.contains("mp4:film") && heard.contains("3000"),
        "{heard}"
    );
}

#[test]
fn commands_are_those_that_a_server_reads() {
    let mut session = ready();
    session.play("a", 1500, 700);
    session.seek(2500);
    session.pause(true, 99);
    session.renew();
    let sent = messages(&drain(&mut session));
    let set = UserControl::SetBufferLength {
        stream: 1,
        millis: 700,
    };
    assert_eq!(UserControl::parse(&sent[0].payload), Ok(set));
    let commands: Vec<(u32, String)> = sent[1..]
        .iter()
        .map(|message| {
            let values = crate::amf::decode_all(&message.payload, &crate::amf::Limits::COMMAND);
            (message.stream, format!("{:?}", values.unwrap()))
        })
        .collect();
    for ((stream, text), (wanted, parts)) in commands.iter().zip([
        (1, ["\"play\"", "String(\"a\"), Number(1500.0)"]),
        (1, ["\"seek\"", "Null, Number(2500.0)"]),
        (1, ["\"pause\"", "Boolean(true), Number(99.0)"]),
        (0, ["\"deleteStream\"", "Number(1.0)"]),
        (0, ["\"createStream\"", "Number(3.0), Null"]),
    ]) {
        assert_eq!(*stream, wanted, "{text}");
        assert!(parts.iter().all(|part| text.contains(part)), "{text}");
    }
    assert_eq!(commands.len(), 5);
}

#[test]
fn media_is_counted_and_timed_from_the_first_that_plays() {
    let mut session = ready();
    session.play("a", -1, 3000);
    let before = session.counts();
    assert!(events(&mut session, &video(0, b"\x17\x00head")).is_empty());
    assert_eq!((session.times(), session.has_media()), (None, false));
    let picture = video(500, &[0x17, 1, 0, 0]);
    events(&mut session, &picture[..14]);
    assert_eq!((session.times(), session.has_media()), (None, true));
    events(&mut session, &picture[14..]);
    events(&mut session, &video(700, &[0x27; 300]));
    events(&mut session, &video(600, &[0x27; 1]));
    assert_eq!(
        session.times(),
        Some((500, 500)),
        "0x27 0x27 is no picture of AVC"
    );
    events(&mut session, &video(700, &[0x27, 1, 2]));
    assert_eq!(session.times(), Some((500, 700)));
    let counts = session.counts();
    assert_eq!(counts.media - before.media, 6 + 4 + 300 + 1 + 3);
    assert_eq!(counts.messages - before.messages, 5);
}

#[test]
fn after_a_seek_media_counts_from_its_answer_on() {
    let mut session = ready();
    session.play("a", -1, 3000);
    events(&mut session, &video(500, &[0x17, 1]));
    session.seek(90_000);
    events(&mut session, &video(540, &[0x27, 1]));
    assert!(!session.has_media(), "media of the old place");
    let notify = status("NetStream.Seek.Notify", "status");
    assert_eq!(events(&mut session, &notify), [Event::Sought]);
    assert_eq!((session.times(), session.has_media()), (None, false));
    events(&mut session, &video(89_000, &[0x17, 1]));
    assert_eq!(
        (session.times(), session.has_media()),
        (Some((89_000, 89_000)), true)
    );
}

#[test]
fn statuses_become_events() {
    let mut session = ready();
    for (code, level, wanted) in [
        ("NetStream.Play.Reset", "status", None),
        ("NetStream.Play.Start", "status", None),
        ("NetStream.Play.Stop", "status", Some(Event::Stopped)),
        ("NetStream.Play.Complete", "status", Some(Event::Complete)),
        ("NetStream.Seek.Notify", "status", None),
        (
            "NetStream.Play.StreamNotFound",
            "error",
            Some(Event::Failed("NetStream.Play.StreamNotFound".into())),
        ),
    ] {
        let got = events(&mut session, &status(code, level));
        assert_eq!(got, Vec::from_iter(wanted), "{code}");
    }
    session.seek(5);
    let refused = status("NetStream.Seek.InvalidTime", "error");
    let why = "NetStream.Seek.InvalidTime".into();
    assert_eq!(events(&mut session, &refused), [Event::NotSought(why)]);
}

#[test]
fn the_length_comes_from_metadata() {
    let mut session = ready();
    let metadata = |seconds: f64| {
        let list = vec![("duration".to_owned(), seconds.into())];
        typed(18, &["onMetaData".into(), Value::EcmaArray(list)])
    };
    assert_eq!(
        events(&mut session, &metadata(12.3456)),
        [Event::Length(12_346)]
    );
    for seconds in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e300] {
        assert_eq!(events(&mut session, &metadata(seconds)), [], "{seconds}");
    }
}

#[test]
fn pings_are_answered_and_windows_acknowledged() {
    let mut session = ready();
    let mut input = Vec::new();
    UserControl::PingRequest(77).write(&mut input);
    message::window_acknowledgement_size(&mut input, 10_000);
    events(&mut session, &input);
    drain(&mut session);
    events(&mut session, &video(0, &[0x27; 7000]));
    let sent = messages(&drain(&mut session));
    let kinds: Vec<u8> = sent.iter().map(|message| message.type_id).collect();
    assert_eq!(
        kinds,
        [3],
        "one acknowledgement for {} bytes",
        session.counts().wire
    );
    let total = u32::try_from(session.counts().wire).unwrap();
    assert_eq!(sent[0].payload[..], total.to_be_bytes());
}

#[test]
fn a_refused_connect_ends_the_session_with_the_servers_words() {
    let mut session = session();
    let mut answer = vec![3];
    answer.extend([9; 2 * BLOCK]);
    let info = [
        ("code", "NetConnection.Connect.Rejected"),
        ("description", "no"),
    ];
    let info = info.map(|(name, text)| (name.to_owned(), text.into()));
    let info = Value::Object(info.into());
    answer.extend(said(&["_error".into(), 1.0.into(), Value::Null, info]));
    let error = session.event(&mut &answer[..]).unwrap_err();
    let text = "connect is refused: NetConnection.Connect.Rejected: no";
    assert_eq!(error.to_string(), text);
    let mut other = super::tests::session();
    assert_eq!(
        other.event(&mut &b"HTTP"[..]),
        Err(SessionError::Version(b'H'))
    );
}

#[test]
fn a_server_that_asks_and_does_not_read_is_given_up() {
    let mut session = ready();
    let mut input = Vec::new();
    for time in 0..5000 {
        UserControl::PingRequest(time).write(&mut input);
    }
    let mut input = &input[..];
    let end = loop {
        match session.event(&mut input) {
            Ok(Some(_)) => {}
            other => break other,
        }
    };
    assert_eq!(end, Err(SessionError::Deaf));
}

proptest! {
    #[test]
    fn any_bytes_are_taken_or_an_error(bytes: Vec<u8>, cut: prop::sample::Index) {
        let mut session = ready();
        let (one, two) = bytes.split_at(cut.index(bytes.len() + 1).min(bytes.len()));
        for mut part in [one, two] {
            while let Ok(Some(_)) = session.event(&mut part) {}
        }
        prop_assert!(session.output().len() < OUTPUT_MAX + 1024);
    }
}
