use std::future::poll_fn;
use std::sync::Arc;

use futures_util::poll;
use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt, split};
use tokio::net::TcpSocket;
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::*;
use crate::net::tls::Tls;
use crate::net::tls::testing::{Authority, client_config};

/// Buffers of the sockets: less than a record.
const TINY: u32 = 4096;

type Version = &'static SupportedProtocolVersion;

const VERSIONS: [Version; 2] = [&TLS12, &TLS13];

fn tiny() -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_send_buffer_size(TINY).unwrap();
    socket.set_recv_buffer_size(TINY).unwrap();
    socket
}

/// A channel, and the client at its other end.
async fn pair(version: Version) -> (TlsChannel, TlsStream<TcpStream>) {
    let folder = tempfile::tempdir().unwrap();
    let files = Authority::make().issue(folder.path(), "one", &["a.example"]);
    let tls = Tls::load(&[files]).unwrap();
    let listener = tiny();
    listener.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = listener.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let server = async {
        let (socket, _) = listener.accept().await.unwrap();
        let acceptor = TlsAcceptor::from(Arc::clone(tls.config()));
        let (socket, tls) = acceptor.accept(socket).await.unwrap().into_inner();
        TlsChannel::new(socket, tls)
    };
    let client = async {
        let socket = tiny().connect(address).await.unwrap();
        let connector = TlsConnector::from(Arc::new(client_config(version, &[])));
        let name = ServerName::try_from("a.example").unwrap();
        connector.connect(name, socket).await.unwrap()
    };
    tokio::join!(server, client)
}

async fn readable(channel: &mut TlsChannel) {
    poll_fn(|cx| channel.poll_readable(cx)).await.unwrap();
}

async fn writable(channel: &mut TlsChannel) {
    poll_fn(|cx| channel.poll_writable(cx)).await.unwrap();
}

fn blocks<T: fmt::Debug>(result: &io::Result<T>) -> bool {
    matches!(result, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

/// The next bytes; none at the end.
async fn read(channel: &mut TlsChannel, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; most];
    loop {
        readable(channel).await;
        let read = channel.try_read(&mut bytes);
        if !blocks(&read) {
            bytes.truncate(read?);
            return Ok(bytes);
        }
    }
}

async fn write_all(channel: &mut TlsChannel, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match channel.try_write(bytes) {
            Ok(taken) => bytes = &bytes[taken..],
            wait => {
                assert!(blocks(&wait), "{wait:?}");
                writable(channel).await;
            }
        }
    }
    while blocks(&channel.try_flush()) {
        writable(channel).await;
    }
}

/// Bytes of which none is like its neighbours.
fn media(len: usize) -> Vec<u8> {
    let byte = |at: usize| u8::try_from((at * 31 + at / 251) % 256).unwrap();
    (0..len).map(byte).collect()
}

#[tokio::test]
async fn much_goes_both_ways_through_tiny_sockets() {
    for version in VERSIONS {
        let (mut channel, mut client) = pair(version).await;
        if version.version == TLS13.version {
            // The server has to change its keys too.
            client.get_mut().1.refresh_traffic_keys().unwrap();
        }
        let bytes = media(700_000);
        let echo = async {
            loop {
                let some = read(&mut channel, 30_000).await.unwrap();
                if some.is_empty() {
                    return channel.close();
                }
                write_all(&mut channel, &some).await;
            }
        };
        let (mut back, mut out) = split(client);
        let sends = async {
            out.write_all(&bytes).await.unwrap();
            out.shutdown().await.unwrap();
        };
        let mut heard = Vec::new();
        let (_, _, ended) = tokio::join!(echo, sends, back.read_to_end(&mut heard));
        // Without close_notify this is an error.
        ended.unwrap();
        assert!(heard == bytes);
    }
}

#[tokio::test]
async fn what_was_deciphered_is_readable_though_the_socket_is_not() {
    for version in VERSIONS {
        let (mut channel, mut client) = pair(version).await;
        let bytes = media(1000);
        client.write_all(&bytes).await.unwrap();
        let mut heard = read(&mut channel, 10).await.unwrap();
        assert!(blocks(&channel.socket.try_read(&mut [0])));
        while heard.len() < bytes.len() {
            assert!(poll!(poll_fn(|cx| channel.poll_readable(cx))).is_ready());
            let mut some = [0; 99];
            let read = channel.try_read(&mut some).unwrap();
            heard.extend(&some[..read]);
        }
        assert_eq!(heard, bytes);
        assert!(blocks(&channel.try_read(&mut [0; 9])));
        assert!(poll!(poll_fn(|cx| channel.poll_readable(cx))).is_pending());
    }
}

/// Writes until nothing more is taken.
fn fill(channel: &mut TlsChannel, bytes: &[u8]) -> usize {
    let mut all = 0;
    loop {
        match channel.try_write(&bytes[all..]) {
            Ok(taken) => {
                assert!((1..=WAITING).contains(&taken));
                all += taken;
            }
            wait => {
                assert!(blocks(&wait), "{wait:?}");
                return all;
            }
        }
    }
}

#[tokio::test]
async fn what_the_socket_does_not_take_waits_and_bounds_what_is_taken() {
    for version in VERSIONS {
        let (mut channel, mut client) = pair(version).await;
        let bytes = media(20_000_000);
        let taken = fill(&mut channel, &bytes);
        assert!(blocks(&channel.try_flush()) && taken < bytes.len());
        let mut heard = vec![0; taken];
        let flushed = async {
            while blocks(&channel.try_flush()) {
                writable(&mut channel).await;
            }
        };
        let (read, ()) = tokio::join!(client.read_exact(&mut heard), flushed);
        read.unwrap();
        assert!(heard == bytes[..taken]);
    }
}

#[tokio::test]
async fn a_close_lets_what_was_taken_leave_first() {
    for version in VERSIONS {
        let (mut channel, mut client) = pair(version).await;
        let bytes = media(20_000_000);
        let taken = fill(&mut channel, &bytes);
        channel.close();
        channel.close();
        assert_eq!(channel.end, End::Closing);
        let mut heard = Vec::new();
        let hears = async {
            client.read_to_end(&mut heard).await.unwrap();
            client.shutdown().await.unwrap();
        };
        // As the last moments of a connection go: nothing is done but reading.
        let (left, ()) = tokio::join!(read(&mut channel, 9), hears);
        assert!(left.unwrap().is_empty());
        assert_eq!(channel.end, End::Closed);
        assert!(heard == bytes[..taken]);
    }
}

#[tokio::test]
async fn the_end_of_the_viewer_is_an_end_however_it_comes() {
    for version in VERSIONS {
        for (said, last) in [(true, &b""[..]), (false, b""), (false, b"\x17\x03\x03\x40")] {
            let (mut channel, mut client) = pair(version).await;
            client.write_all(b"bye").await.unwrap();
            client.flush().await.unwrap();
            if said {
                client.shutdown().await.unwrap();
            } else {
                let socket = client.get_mut().0;
                socket.write_all(last).await.unwrap();
                socket.shutdown().await.unwrap();
            }
            assert_eq!(read(&mut channel, 9).await.unwrap(), b"bye");
            for _ in 0..2 {
                assert!(read(&mut channel, 9).await.unwrap().is_empty());
            }
        }
    }
}

#[tokio::test]
async fn hostile_records_are_an_error_and_the_viewer_is_told() {
    for version in VERSIONS {
        for record in [
            &b"\x17\x03\x03\x00\x20thirty-two bytes of no meaning.."[..],
            b"\x16\x03\x03\x00\x05hello",
            b"\xff\xff\xff\xff\xff\xff",
            b"GET / HTTP/1.1\r\n\r\n",
        ] {
            let (mut channel, mut client) = pair(version).await;
            client.get_mut().0.write_all(record).await.unwrap();
            let error = read(&mut channel, 9).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
            let told = client.read(&mut [0; 9]).await.unwrap_err().to_string();
            assert!(told.contains("received fatal alert"), "{told}");
        }
    }
}
