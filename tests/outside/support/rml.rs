//! rml_rtmp's client session on a socket: a protocol stack that we did not write.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use rml_rtmp::handshake::{Handshake, HandshakeProcessResult, PeerType};
use rml_rtmp::sessions::{
    ClientSession, ClientSessionConfig, ClientSessionEvent, ClientSessionResult,
};

/// What rml_rtmp made of a play: kind (8 or 9), timestamp, body.
pub type Received = Vec<(u8, u32, Vec<u8>)>;

/// Plays `name` to its end and returns all media messages, codec heads included.
pub fn play(address: SocketAddr, app: &str, name: &str) -> Received {
    let mut socket = TcpStream::connect(address).expect("a connection");
    socket
        .set_read_timeout(Some(Duration::from_secs(30)))
        .expect("a timeout");
    let rest = shake(&mut socket);

    let mut config = ClientSessionConfig::new();
    config.playback_buffer_length_ms = super::client::UNPACED;
    config.tc_url = Some(format!("rtmp://{address}/{app}"));
    let (mut session, first) = ClientSession::new(config).expect("a session");
    let mut received = Vec::new();
    answer(&mut socket, first, &mut received);
    let connect = session
        .request_connection(app.to_owned())
        .expect("a connect request");
    answer(&mut socket, vec![connect], &mut received);

    let mut input = rest;
    let mut buffer = vec![0; 1 << 16];
    loop {
        let results = session
            .handle_input(&input)
            .expect("rml_rtmp reads what we send");
        let mut asks = Vec::new();
        let mut ended = false;
        for result in &results {
            let ClientSessionResult::RaisedEvent(event) = result else {
                continue;
            };
            match event {
                ClientSessionEvent::ConnectionRequestAccepted => {
                    asks.push(
                        session
                            .request_playback(name.to_owned())
                            .expect("a play request"),
                    );
                }
                ClientSessionEvent::ConnectionRequestRejected { description } => {
                    panic!("connect refused: {description}");
                }
                ClientSessionEvent::UnhandleableOnStatusCode { code } => {
                    ended |= code == "NetStream.Play.Stop";
                    assert!(
                        !code.contains("Failed") && !code.contains("NotFound"),
                        "{code}"
                    );
                }
                _ => {}
            }
        }
        answer(&mut socket, results, &mut received);
        answer(&mut socket, asks, &mut received);
        if ended {
            return received;
        }
        let count = socket
            .read(&mut buffer)
            .expect("the server goes on sending");
        assert!(
            count > 0,
            "closed after {} messages, before Play.Stop",
            received.len()
        );
        input = buffer[..count].to_vec();
    }
}

fn shake(socket: &mut TcpStream) -> Vec<u8> {
    let mut handshake = Handshake::new(PeerType::Client);
    let hello = handshake.generate_outbound_p0_and_p1().expect("C0 and C1");
    socket.write_all(&hello).expect("C0 and C1 are sent");
    let mut buffer = [0; 4096];
    loop {
        let count = socket.read(&mut buffer).expect("a handshake");
        assert!(count > 0, "closed in the handshake");
        match handshake
            .process_bytes(&buffer[..count])
            .expect("a good handshake")
        {
            HandshakeProcessResult::InProgress { response_bytes } => {
                socket.write_all(&response_bytes).expect("C2 is sent");
            }
            HandshakeProcessResult::Completed {
                response_bytes,
                remaining_bytes,
            } => {
                socket.write_all(&response_bytes).expect("C2 is sent");
                return remaining_bytes;
            }
        }
    }
}

fn answer(socket: &mut TcpStream, results: Vec<ClientSessionResult>, received: &mut Received) {
    for result in results {
        match result {
            ClientSessionResult::OutboundResponse(packet) => {
                socket.write_all(&packet.bytes).expect("the server reads");
            }
            ClientSessionResult::RaisedEvent(ClientSessionEvent::AudioDataReceived {
                timestamp,
                data,
            }) => received.push((8, timestamp.value, data.to_vec())),
            ClientSessionResult::RaisedEvent(ClientSessionEvent::VideoDataReceived {
                timestamp,
                data,
            }) => received.push((9, timestamp.value, data.to_vec())),
            _ => {}
        }
    }
}
