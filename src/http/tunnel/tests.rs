use std::sync::Mutex;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::http::port::{Bounds, LONGEST_LIFE};
use crate::http::{Own, Policies, Site, Web};
use crate::net::doors::HttpDoor;
use crate::net::transport::Channel;
use crate::net::tunnel::{Admission, NoPlace, TunnelEnd};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug)]
struct NoHosts;

impl Policies for NoHosts {
    fn policy_for<'a>(&'a self, _: &'a str, _: bool) -> futures_util::future::BoxFuture<'a, Own> {
        Box::pin(std::future::ready(Own::NoDistribution))
    }
}

/// Takes three viewers, and keeps their ends.
#[derive(Debug, Default)]
struct Viewers(Mutex<Vec<(SocketAddr, TunnelEnd)>>);

impl Admission for Viewers {
    fn open(&self, viewer: SocketAddr, end: TunnelEnd) -> Result<(), NoPlace> {
        let mut viewers = self.0.lock().unwrap();
        if viewers.len() == 3 {
            return Err(NoPlace);
        }
        viewers.push((viewer, end));
        Ok(())
    }
}

struct Port {
    address: SocketAddr,
    viewers: Arc<Viewers>,
}

impl Port {
    async fn start(max_connections: u32) -> Self {
        let viewers = Arc::new(Viewers::default());
        let site = Site {
            policies: Arc::new(NoHosts),
            bucket_policy: false,
            draining: CancellationToken::new(),
            tunnel: Some(Entrance {
                tunnels: Arc::new(Tunnels::new(Arc::clone(&viewers) as _)),
                proxies: vec!["0.0.0.0/0".to_owned()].try_into().unwrap(),
                body_timeout: Duration::from_millis(300),
            }),
            bounds: Bounds {
                header_timeout: Duration::from_millis(300),
                max_connections,
            },
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let web = Arc::new(Web::new(site, CancellationToken::new()));
        tokio::spawn(async move {
            while let Ok((stream, peer)) = listener.accept().await {
                let web = Arc::clone(&web);
                tokio::spawn(async move {
                    let place = web.place().await.expect("a place");
                    web.serve(Box::new(stream), peer, place).await;
                });
            }
        });
        Self { address, viewers }
    }

    async fn client(&self) -> Client {
        Client(TcpStream::connect(self.address).await.unwrap())
    }

    fn end(&self) -> TunnelEnd {
        self.viewers.0.lock().unwrap().pop().unwrap().1
    }
}

struct Client(TcpStream);

impl Client {
    async fn write(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    async fn post(&mut self, path: &str, body: &[u8]) -> (String, Vec<u8>) {
        let length = body.len();
        // As librtmp spells it.
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nContent-type: application/x-fcs\r\n\
             Connection: Keep-Alive\r\nContent-length: {length}\r\n\r\n"
        );
        self.write(head.as_bytes()).await;
        self.write(body).await;
        self.answer().await.expect("an answer")
    }

    /// Head and body, or `None` where the server has closed.
    async fn answer(&mut self) -> Option<(String, Vec<u8>)> {
        tokio::time::timeout(PATIENCE, async {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(self.0.read_u8().await.ok()?);
            }
            let head = String::from_utf8(head).unwrap();
            let length = head.split("Content-Length: ").nth(1).unwrap();
            let length = length.split("\r\n").next().unwrap().parse().unwrap();
            let mut body = vec![0; length];
            self.0.read_exact(&mut body).await.ok()?;
            Some((head, body))
        })
        .await
        .expect("in time")
    }

    async fn open(&mut self) -> String {
        let (head, body) = self.post("/open/1", &[0]).await;
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        let text = String::from_utf8(body).unwrap();
        let id = text.strip_suffix('\n').expect("one line end");
        assert!(id.len() < 64 && !id.ends_with('\n'), "{id}");
        id.to_owned()
    }
}

#[tokio::test]
async fn a_reply_is_as_players_need_it() {
    let port = Port::start(10).await;
    let mut client = port.client().await;
    let id = client.open().await;
    let mut end = port.end();
    end.try_write(b"said").unwrap();
    let (head, body) = client.post(&format!("/send/{id}/0"), b"heard").await;
    assert_eq!(body, b"\x01said");
    for line in [
        "HTTP/1.1 200 OK",
        "Content-Type: application/x-fcs",
        "Content-Length: 5",
        "Connection: keep-alive",
        "Cache-Control: no-cache",
    ] {
        assert!(head.lines().any(|it| it == line), "{line} in {head}");
    }
    assert!(!head.to_lowercase().contains("transfer-encoding"), "{head}");
    let mut buffer = [0; 10];
    assert_eq!(end.try_read(&mut buffer).unwrap(), 5);
    let (_, body) = client.post(&format!("/idle/{id}/1"), &[0]).await;
    assert_eq!(body, [1]);
    let (_, body) = client.post(&format!("/close/{id}/2"), &[0]).await;
    assert_eq!(body, [1]);
    assert_eq!(end.try_read(&mut buffer).unwrap(), 0);
    drop(end);
    let (head, _) = client.post(&format!("/idle/{id}/3"), &[0]).await;
    assert!(head.starts_with("HTTP/1.1 404 "), "{head}");
}

#[tokio::test]
async fn what_is_refused() {
    let port = Port::start(10).await;
    let mut client = port.client().await;
    for path in ["/nothing", "/idle/x/0"] {
        let (head, _) = port.client().await.post(path, &[]).await;
        assert!(head.starts_with("HTTP/1.1 404 "), "{path}: {head}");
    }
    for probe in ["/fcs/ident2", "/fcs/ident"] {
        let (head, _) = client.post(probe, &[0]).await;
        assert!(head.starts_with("HTTP/1.1 404 "), "{probe}: {head}");
    }
    let foreign = format!("/idle/{}/0", TunnelId([7; 16]));
    assert!(client.post(&foreign, &[0]).await.0.contains(" 404 "));
    // The probes kept the connection.
    let id = client.open().await;
    let ahead = client.post(&format!("/send/{id}/100"), b"x").await.0;
    assert!(ahead.starts_with("HTTP/1.1 409 "), "{ahead}");
    for _ in 0..2 {
        client.open().await;
    }
    let (full, _) = client.post("/open/1", &[0]).await;
    assert!(full.starts_with("HTTP/1.1 503 "), "{full}");
    let large = vec![0; BODY_MAX + 1];
    let head = format!(
        "POST /send/{id}/0 HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n",
        large.len()
    );
    client.write(head.as_bytes()).await;
    let (head, _) = client.answer().await.unwrap();
    assert!(head.starts_with("HTTP/1.1 413 "), "{head}");
}

#[tokio::test]
async fn a_body_that_trickles_is_not_waited_for() {
    let port = Port::start(10).await;
    let mut client = port.client().await;
    let id = client.open().await;
    let head = format!("POST /send/{id}/0 HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc");
    client.write(head.as_bytes()).await;
    let (head, _) = client.answer().await.unwrap();
    assert!(head.starts_with("HTTP/1.1 408 "), "{head}");
    // The session goes on without it.
    let mut other = port.client().await;
    let (head, _) = other.post(&format!("/send/{id}/0"), b"abcdefghij").await;
    assert!(head.contains(" 200 "), "{head}");
    let mut buffer = [0; 20];
    assert_eq!(port.end().try_read(&mut buffer).unwrap(), 10);
}

#[tokio::test]
async fn a_client_that_expects_to_be_told_to_go_on_is_told() {
    let port = Port::start(10).await;
    let mut client = port.client().await;
    client
        .write(b"POST /open/1 HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n")
        .await;
    let mut line = [0; 25];
    client.0.read_exact(&mut line).await.unwrap();
    assert_eq!(&line, b"HTTP/1.1 100 Continue\r\n\r\n");
    client.write(&[0]).await;
    assert!(client.answer().await.unwrap().0.contains(" 200 "));
}

#[tokio::test]
async fn http_1_0_is_answered_too() {
    let port = Port::start(10).await;
    let mut client = port.client().await;
    client
        .write(b"POST /open/1 HTTP/1.0\r\nConnection: close\r\nContent-Length: 1\r\n\r\n\0")
        .await;
    let (head, body) = client.answer().await.unwrap();
    assert!(head.starts_with("HTTP/1.0 200 OK\r\n"), "{head}");
    assert!(head.contains("Connection: close\r\n"), "{head}");
    assert_eq!(body.len(), 33);
    assert!(client.answer().await.is_none(), "closed");
}

/// The one that carries a session outlives the time between two requests and needs no place; one
/// beside it does not.
#[tokio::test]
async fn the_connection_of_a_session_lasts() {
    let port = Port::start(1).await;
    let mut client = port.client().await;
    let id = client.open().await;
    // There is one place, and it is free again.
    let mut other = port.client().await;
    let (head, _) = other.post(&format!("/idle/{id}/0"), &[0]).await;
    assert!(head.contains(" 200 "), "{head}");
    assert!(other.answer().await.is_none(), "closed for its silence");
    let (head, _) = client.post(&format!("/idle/{id}/1"), &[0]).await;
    assert!(head.contains(" 200 "), "{head}");
    drop(port.end());
    assert!(
        client.answer().await.is_none(),
        "closed, for the session has ended"
    );
    const { assert!(PATIENCE.as_secs() < LONGEST_LIFE.as_secs()) };
}

#[tokio::test]
async fn a_trusted_proxy_tells_who_the_viewer_is() {
    let port = Port::start(10).await;
    let mut client = port.client().await;
    client
        .write(
            b"POST /open/1 HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 198.51.100.1\r\n\
              Content-Length: 1\r\n\r\n\0",
        )
        .await;
    client.answer().await.unwrap();
    client.open().await;
    let viewers = port.viewers.0.lock().unwrap();
    assert_eq!(viewers[0].0.to_string(), "198.51.100.1:0");
    assert_eq!(viewers[1].0.ip(), client.0.local_addr().unwrap().ip());
}
