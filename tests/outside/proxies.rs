//! A real HAProxy in front, and who the viewer is behind it.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::certificates::Certificate;
use crate::support::client::Client;
use crate::support::haproxy::Haproxy;
use crate::support::server::{Server, Setup};
use crate::support::signing::request;
use crate::support::{media, packets, seaweed};

/// How long a change may take to be seen. Not a promise: a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where viewers come from, which is not where HAProxy comes from.
const VIEWER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

/// A server that believes these proxies, and where its access log is.
fn start(trusted: &str) -> (Server, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("access.json");
    let config = format!(
        "[proxy]\ntrusted = [{trusted}]\n[access_log]\njson = '{}'\n",
        log.display()
    );
    let server = Setup::s3(seaweed::shared())
        .config(&config)
        .with_key()
        .start();
    (server, folder)
}

/// Tries until it answers something.
fn wait_for<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The addresses of all sessions.
fn peers(server: &Server) -> Vec<String> {
    let answer = request(server.api, "GET", "/sessions");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let page: Value = serde_json::from_str(&answer.text()).expect("JSON");
    let sessions = page["sessions"].as_array().expect("a list").iter();
    let peer = |it: &Value| it["peer"].as_str().expect("an address").to_owned();
    sessions.map(peer).collect()
}

#[test]
fn behind_haproxy_a_play_is_whole_and_the_viewer_is_who_they_are() {
    let source = packets::source(&media::file("plain.mp4"));
    for option in ["send-proxy", "send-proxy-v2"] {
        let (server, folder) = start("'127.0.0.1'");
        let front = Haproxy::start(server.rtmp, option);
        let url = format!("rtmp://{}/cfx/st/mp4:plain.mp4", front.address);
        let received = packets::ffprobe(&url, &[]);
        packets::assert_played(option, &source, &received);

        let mut client = Client::shake_from(VIEWER, front.address);
        client.connect("cfx/st");
        let own = client
            .socket()
            .local_addr()
            .expect("an address")
            .to_string();
        wait_for("the viewer's own address", || {
            peers(&server).contains(&own).then_some(())
        });
        client.create_stream();
        client.play_all(1, "mp4:nothing.mp4");
        client.until("the refusal", |message| {
            message.status().is_some_and(|it| it.level == "error")
        });
        drop(client);
        let log = folder.path().join("access.json");
        let line = wait_for("a line of the viewer", || {
            let text = fs::read_to_string(&log).unwrap_or_default();
            let mut lines = text.lines();
            lines
                .find(|line| line.contains("nothing"))
                .map(str::to_owned)
        });
        let line: Value = serde_json::from_str(&line).expect("JSON");
        let said = (&line["client_ip"], &line["client_port"]);
        let own: SocketAddr = own.parse().expect("an address");
        assert_eq!(
            said,
            (&VIEWER.to_string().into(), &own.port().into()),
            "{line}"
        );
    }
}

#[test]
fn the_header_goes_before_tls() {
    let folder = tempfile::tempdir().expect("a folder");
    let certificate = Certificate::make(folder.path(), "one", &["films.example.com"]);
    let config = format!("[proxy]\ntrusted = ['127.0.0.1']\n{}", certificate.entry());
    let server = Setup::s3(seaweed::shared()).config(&config).start();
    let front = Haproxy::start(server.rtmp, "send-proxy-v2");
    let url = format!("rtmps://{}/cfx/st/mp4:plain.mp4", front.address);
    let source = packets::source(&media::file("plain.mp4"));
    packets::assert_played("rtmps", &source, &packets::ffprobe(&url, &[]));
}

/// What a server answers to these bytes until it closes the connection.
fn answer(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    use std::io::{Read, Write};
    let mut socket = std::net::TcpStream::connect(address).expect("a connection");
    socket.set_read_timeout(Some(PATIENCE)).expect("a limit");
    let _ = socket.write_all(bytes);
    let mut said = Vec::new();
    if let Err(error) = socket.read_to_end(&mut said) {
        let reset = error.kind() == std::io::ErrorKind::ConnectionReset;
        assert!(reset, "not closed: {error}");
    }
    said
}

const LINE: &[u8] = b"PROXY TCP4 203.0.113.9 192.0.2.1 4000 1935\r\n";

fn hello() -> Vec<u8> {
    [&[3][..], &[0; 1536]].concat()
}

#[test]
fn whoever_is_not_listed_is_not_believed() {
    let (server, _folder) = start("'192.0.2.0/24'");
    // As RTMP a letter is no version.
    let said = answer(server.rtmp, &[LINE, &hello()].concat());
    assert!(!said.starts_with(&[3]), "{said:?}");
    let said = answer(
        server.rtmp,
        &[&b"\r\n\r\n\0\r\nQUIT\n"[..], &hello()].concat(),
    );
    assert!(said.is_empty(), "{said:?}");
    // They are served as who they are.
    let mut client = Client::open(server.rtmp);
    let own = client
        .socket()
        .local_addr()
        .expect("an address")
        .to_string();
    assert_eq!(peers(&server), [own]);
    client.create_stream();
}

#[test]
fn a_listed_proxy_has_to_say_who_the_viewer_is() {
    let (server, _folder) = start("'127.0.0.0/8'");
    assert!(answer(server.rtmp, &hello()).is_empty());
    assert!(answer(server.rtmp, b"PROXY TCP4 nonsense\r\n").is_empty());
    // A health check speaks for the proxy itself.
    let check = [&b"PROXY UNKNOWN\r\n"[..], b"GET /healthz HTTP/1.0\r\n\r\n"].concat();
    let said = String::from_utf8(answer(server.http, &check)).expect("text");
    assert!(said.starts_with("HTTP/1.0 200 OK\r\n"), "{said}");
}
