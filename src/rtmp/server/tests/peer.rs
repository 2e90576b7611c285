//! rml_rtmp's client, a protocol stack that we did not write, as the viewer.

use rml_rtmp::handshake::{Handshake, HandshakeProcessResult, PeerType};
use rml_rtmp::messages::RtmpMessage;
use rml_rtmp::sessions::{
    ClientSession, ClientSessionConfig, ClientSessionEvent, ClientSessionResult,
};

use super::*;

/// What the client was told, in order; what it has to say goes to `server`.
fn exchange(
    client: &mut ClientSession,
    server: &mut Server,
    first: ClientSessionResult,
) -> Vec<ClientSessionEvent> {
    let mut results = vec![first];
    let mut told = Vec::new();
    while !results.is_empty() {
        for result in results.drain(..) {
            match result {
                ClientSessionResult::OutboundResponse(packet) => {
                    server.input(&packet.bytes).unwrap()
                }
                ClientSessionResult::RaisedEvent(event) => told.push(event),
                // It has no use for the bandwidth that we grant it; any other must be known to it.
                ClientSessionResult::UnhandleableMessageReceived(payload) => {
                    let message = payload.to_rtmp_message().unwrap();
                    assert!(
                        matches!(message, RtmpMessage::SetPeerBandwidth { .. }),
                        "{message:?}"
                    );
                }
            }
        }
        let output = server.take_output();
        if !output.is_empty() {
            results = client.handle_input(&output).unwrap();
        }
    }
    told
}

/// Shakes hands and connects; the connect is not answered yet.
fn meet() -> (ClientSession, Server) {
    let mut server = server();
    let mut handshake = Handshake::new(PeerType::Client);
    server
        .input(&handshake.generate_outbound_p0_and_p1().unwrap())
        .unwrap();
    match handshake.process_bytes(&server.take_output()).unwrap() {
        HandshakeProcessResult::Completed {
            response_bytes,
            remaining_bytes,
        } => {
            server.input(&response_bytes).unwrap();
            assert!(remaining_bytes.is_empty() && server.is_greeted());
        }
        HandshakeProcessResult::InProgress { .. } => panic!("the handshake is not complete"),
    }
    let mut config = ClientSessionConfig::new();
    config.tc_url = Some("rtmp://h/cfx/st".into());
    let (mut client, results) = ClientSession::new(config).unwrap();
    assert!(results.is_empty());
    let asked = client.request_connection("cfx/st".into()).unwrap();
    assert_eq!(exchange(&mut client, &mut server, asked), []);
    match server.event() {
        Some(Event::Connect(connect)) => assert_eq!(
            (connect.app(), connect.tc_url()),
            ("cfx/st", "rtmp://h/cfx/st")
        ),
        event => panic!("{event:?}"),
    }
    (client, server)
}

fn deliver(client: &mut ClientSession, server: &mut Server) -> Vec<ClientSessionEvent> {
    let first = client.handle_input(&server.take_output()).unwrap();
    let told = first
        .into_iter()
        .map(|result| exchange(client, server, result));
    told.flatten().collect()
}

/// What an event of the client's says, in one word.
fn word(event: &ClientSessionEvent) -> String {
    match event {
        ClientSessionEvent::UnhandleableAmf0Command { command_name, .. } => command_name.clone(),
        ClientSessionEvent::UnhandleableOnStatusCode { code } => code.clone(),
        other => format!("{other:?}")
            .split([' ', '('])
            .next()
            .unwrap()
            .to_owned(),
    }
}

#[test]
fn it_connects_and_asks_to_play() {
    let (mut client, mut server) = meet();
    server.accept_connect();
    let told = deliver(&mut client, &mut server);
    assert_eq!(
        told.iter().map(word).collect::<Vec<_>>(),
        ["ConnectionRequestAccepted", "onBWDone"]
    );

    let asked = client.request_playback("mp4:a.mp4".into()).unwrap();
    assert_eq!(exchange(&mut client, &mut server, asked), []);
    let events = events(&mut server);
    assert!(
        events.contains(&Event::BufferLength {
            stream: 1,
            millis: 2000
        }),
        "{events:?}"
    );
    let play = events.iter().find_map(|event| match event {
        Event::Play {
            stream: 1, play, ..
        } => Some(play.name.as_str()),
        _ => None,
    });
    assert_eq!(play, Some("mp4:a.mp4"));

    // Everything that we can say afterwards is something that it can read.
    let at = Millis(0x0100_0000);
    let name = "mp4:a.mp4";
    server.user_control(UserControl::StreamIsRecorded(1));
    server.user_control(UserControl::StreamBegin(1));
    server.status(1, Millis(0), &Status::PlayReset { name });
    server.status(1, Millis(0), &Status::PlayStart { name });
    server.sample_access(1, at);
    server.status(1, at, &Status::DataStart);
    server.metadata(1, at, &[("width".into(), 640.0.into())]);
    server.media_message(message::VIDEO, at, 1, &[7; 70_000]);
    server.media_message(message::AUDIO, at, 1, &[8; 3]);
    server.status(1, at, &Status::SeekNotify { name, millis: 5 });
    server.status(1, at, &Status::PauseNotify { name });
    server.user_control(UserControl::StreamEof(1));
    server.status(
        1,
        at,
        &Status::PlayComplete {
            duration: 1.5,
            bytes: 9,
        },
    );
    server.status(1, at, &Status::PlayStop { name });
    let told = deliver(&mut client, &mut server);
    let words: Vec<String> = told.iter().map(word).collect();
    let expected = [
        "NetStream.Play.Reset",
        "PlaybackRequestAccepted",
        "StreamMetadataReceived",
        "VideoDataReceived",
        "AudioDataReceived",
        "NetStream.Seek.Notify",
        "NetStream.Pause.Notify",
        "NetStream.Play.Stop",
    ];
    assert_eq!(words, expected);
    for event in told {
        match event {
            ClientSessionEvent::VideoDataReceived { timestamp, data } => {
                assert_eq!((timestamp.value, data.len()), (at.0, 70_000));
            }
            ClientSessionEvent::StreamMetadataReceived { metadata } => {
                assert_eq!(metadata.video_width, Some(640));
            }
            _ => {}
        }
    }
}

#[test]
fn it_understands_a_rejection() {
    let (mut client, mut server) = meet();
    server.reject_connect(Rejection::DistributionNotFound);
    let told = deliver(&mut client, &mut server);
    let description = "[ Server.Reject ] : DistributionNotFound".to_owned();
    assert_eq!(
        told,
        [ClientSessionEvent::ConnectionRequestRejected { description }]
    );
}

#[test]
fn it_is_refused_to_publish() {
    let (mut client, mut server) = meet();
    server.accept_connect();
    deliver(&mut client, &mut server);
    let kind = rml_rtmp::sessions::PublishRequestType::Live;
    let asked = client.request_publishing("x".into(), kind).unwrap();
    let told = exchange(&mut client, &mut server, asked);
    assert_eq!(
        told.iter().map(word).collect::<Vec<_>>(),
        ["NetStream.Publish.Denied"]
    );
    assert_eq!(
        events(&mut server),
        [Event::Publish {
            stream: 1,
            name: "x".into()
        }]
    );
}
