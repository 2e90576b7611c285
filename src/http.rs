//! The public HTTP port: `crossdomain.xml`, `/healthz` and the [`tunnel`]; everything else is not
//! found.
//!
//! Connections come from whoever accepts them ([`HttpDoor`]): HTTP and RTMP share their ports.
//! Which bucket a request is for is told by its Host header, through [`Policies`]. How connections
//! are bounded is the business of [`port`].

use std::fmt::Debug;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::Request;
use axum::response::Response;
use axum::routing::get;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

use self::port::{Bounds, Port};
use self::tunnel::Entrance;
use crate::net::doors::{HttpDoor, Stream};

mod crossdomain;
pub mod port;
pub mod tunnel;

/// The cross-domain policies of hosts. Whoever routes hosts implements it.
pub trait Policies: Send + Sync + Debug {
    /// That of the distribution which answers to `host`, a Host header as sent (port and case
    /// included; empty where there was none). Where not `look`, its bucket is not looked into.
    fn policy_for<'a>(&'a self, host: &'a str, look: bool) -> BoxFuture<'a, Own>;
}

/// The cross-domain policy that a distribution has of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Own {
    /// No distribution answers to the host.
    NoDistribution,
    /// This file of its bucket.
    File(Bytes),
    /// None.
    Nothing,
    /// Its bucket cannot be read, for this reason.
    Unknown(String),
}

/// What the port serves, and how much of it.
#[derive(Debug, Clone)]
pub struct Site {
    /// Host -> origin.
    pub policies: Arc<dyn Policies>,
    /// Whether a bucket's own crossdomain.xml counts; else all get the one that admits every
    /// domain.
    pub bucket_policy: bool,
    /// Cancelled when the server begins to drain: `/healthz` says so from then on.
    pub draining: CancellationToken,
    /// Where viewers come in who tunnel RTMP, if they may.
    pub tunnel: Option<Entrance>,
    /// Connections and times.
    pub bounds: Bounds,
}

/// The public port: it serves the connections that others accepted.
#[derive(Debug)]
pub struct Web(Port);

impl Web {
    /// Serves `site` until `shutdown` is cancelled.
    pub fn new(site: Site, shutdown: CancellationToken) -> Self {
        let bounds = site.bounds;
        Self(Port::new(router(site), bounds, shutdown))
    }
}

impl HttpDoor for Web {
    fn place(&self) -> BoxFuture<'_, Option<OwnedSemaphorePermit>> {
        Box::pin(self.0.slot())
    }

    fn serve(
        self: Arc<Self>,
        stream: Box<dyn Stream>,
        peer: SocketAddr,
        place: OwnedSemaphorePermit,
    ) -> BoxFuture<'static, ()> {
        Box::pin(async move { self.0.take(stream, peer, place).await })
    }

    fn finish(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.0.finish())
    }
}

fn router(site: Site) -> Router {
    Router::new()
        .route("/crossdomain.xml", get(crossdomain::answer))
        .route("/healthz", get(health))
        .fallback(other)
        .with_state(Arc::new(site))
}

async fn other(State(site): State<Arc<Site>>, request: Request<Body>) -> Response {
    tunnel::answer(site.tunnel.as_ref(), request).await
}

async fn health(State(site): State<Arc<Site>>) -> Response {
    port::health(&site.draining)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::port::{LONGEST_LIFE, MAX_HEAD, MAX_HEADERS};
    use super::*;

    /// What the bucket of the one host that there is has.
    type Bucket = Arc<Mutex<Own>>;

    #[derive(Debug)]
    struct Hosts(Bucket);

    impl Policies for Hosts {
        fn policy_for<'a>(&'a self, host: &'a str, look: bool) -> BoxFuture<'a, Own> {
            let own = match (host, look) {
                ("a.example:8080", true) => self.0.lock().unwrap().clone(),
                ("a.example:8080", false) => Own::Nothing,
                _ => Own::NoDistribution,
            };
            Box::pin(std::future::ready(own))
        }
    }

    struct Running {
        address: SocketAddr,
        bucket: Bucket,
        draining: CancellationToken,
        shutdown: CancellationToken,
        server: tokio::task::JoinHandle<()>,
    }

    async fn start(change: impl FnOnce(&mut Site)) -> Running {
        let bucket: Bucket = Arc::new(Mutex::new(Own::Nothing));
        let hosts = Hosts(Arc::clone(&bucket));
        let draining = CancellationToken::new();
        let mut site = Site {
            policies: Arc::new(hosts),
            bucket_policy: true,
            draining: draining.clone(),
            tunnel: None,
            bounds: Bounds {
                header_timeout: Duration::from_millis(200),
                max_connections: 10,
            },
        };
        change(&mut site);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        Running {
            address,
            bucket,
            draining,
            server: tokio::spawn(accept(listener, site, shutdown.clone())),
            shutdown,
        }
    }

    /// What `net` does with connections that speak HTTP.
    async fn accept(listener: TcpListener, site: Site, shutdown: CancellationToken) {
        let web = Arc::new(Web::new(site, shutdown.clone()));
        let accepting = async {
            loop {
                let (stream, peer) = listener.accept().await.unwrap();
                let web = Arc::clone(&web);
                tokio::spawn(async move {
                    if let Some(place) = web.place().await {
                        web.serve(Box::new(stream), peer, place).await;
                    }
                });
            }
        };
        shutdown.run_until_cancelled(accepting).await;
        web.finish().await;
    }

    async fn send(address: SocketAddr, request: &str) -> String {
        let mut socket = TcpStream::connect(address).await.unwrap();
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        // Far above every limit that is tested, and below the longest life of a connection.
        let read = socket.read_to_string(&mut answer);
        tokio::time::timeout(LONGEST_LIFE / 3, read)
            .await
            .expect("closed")
            .unwrap();
        answer
    }

    async fn get(running: &Running, path: &str) -> String {
        let host = "Host: a.example:8080\r\nConnection: close";
        send(
            running.address,
            &format!("GET {path} HTTP/1.1\r\n{host}\r\n\r\n"),
        )
        .await
    }

    fn body(answer: &str) -> &str {
        answer.split_once("\r\n\r\n").unwrap().1
    }

    const OWN: &str = "<cross-domain-policy/>";
    const DEFAULT: &str = include_str!("../crossdomain/default.xml");

    #[tokio::test]
    async fn the_default_policy_admits_all_until_the_bucket_has_its_own() {
        let running = start(|_| ()).await;
        let answer = get(&running, "/crossdomain.xml").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(
            answer.contains("Content-Type: text/x-cross-domain-policy\r\n"),
            "{answer}"
        );
        assert_eq!(body(&answer), DEFAULT);

        *running.bucket.lock().unwrap() = Own::File(Bytes::from_static(OWN.as_bytes()));
        assert_eq!(body(&get(&running, "/crossdomain.xml").await), OWN);
        *running.bucket.lock().unwrap() = Own::File(Bytes::new());
        let empty = get(&running, "/crossdomain.xml").await;
        assert!(
            empty.starts_with("HTTP/1.1 200 OK\r\n") && body(&empty).is_empty(),
            "{empty}"
        );
    }

    #[tokio::test]
    async fn a_policy_that_cannot_be_read_does_not_become_the_default() {
        let running = start(|_| ()).await;
        *running.bucket.lock().unwrap() = Own::Unknown("down".to_owned());
        let answer = get(&running, "/crossdomain.xml").await;
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    }

    #[tokio::test]
    async fn hosts_of_no_distribution_have_no_policy() {
        let running = start(|_| ()).await;
        for request in [
            "GET /crossdomain.xml HTTP/1.1\r\nHost: b.example\r\nConnection: close\r\n\r\n",
            "GET /crossdomain.xml HTTP/1.0\r\n\r\n",
        ] {
            let answer = send(running.address, request).await;
            assert!(answer.contains(" 404 "), "{answer}");
        }
        let absolute = "GET http://a.example:8080/crossdomain.xml HTTP/1.1\r\n\
                        Host: b.example\r\nConnection: close\r\n\r\n";
        assert!(send(running.address, absolute).await.contains(" 200 "));
    }

    #[tokio::test]
    async fn a_fixed_policy_asks_no_bucket() {
        let running = start(|site| site.bucket_policy = false).await;
        *running.bucket.lock().unwrap() = Own::File(Bytes::from_static(OWN.as_bytes()));
        assert_eq!(body(&get(&running, "/crossdomain.xml").await), DEFAULT);
    }

    #[tokio::test]
    async fn health_tells_of_draining_and_the_rest_is_not_found() {
        let running = start(|_| ()).await;
        assert!(
            get(&running, "/healthz")
                .await
                .starts_with("HTTP/1.1 200 OK\r\n")
        );
        running.draining.cancel();
        assert!(get(&running, "/healthz").await.starts_with("HTTP/1.1 503 "));
        for path in [
            "/",
            "/fcs/ident2",
            "/crossdomain.xml/",
            "/../crossdomain.xml",
            "/%00",
        ] {
            assert!(
                get(&running, path).await.starts_with("HTTP/1.1 404 "),
                "{path}"
            );
        }
        let probe = "POST /fcs/ident2 HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1\r\n\
                     Connection: close\r\n\r\n\0";
        assert!(
            send(running.address, probe)
                .await
                .starts_with("HTTP/1.1 404 ")
        );
    }

    #[tokio::test]
    async fn whoever_sends_too_little_or_too_much_is_closed() {
        let running = start(|_| ()).await;
        for request in ["", "GET / HTTP/1.1\r\nHost: a"] {
            let answer = send(running.address, request).await;
            assert!(
                answer.is_empty() || answer.starts_with("HTTP/1.1 408 "),
                "{answer}"
            );
        }
        let long = format!("GET / HTTP/1.1\r\nA: {}\r\n\r\n", "x".repeat(4 * MAX_HEAD));
        let mut socket = TcpStream::connect(running.address).await.unwrap();
        let _ = socket.write_all(long.as_bytes()).await;
        let mut answer = Vec::new();
        let _ = socket.read_to_end(&mut answer).await;
        assert!(!answer.starts_with(b"HTTP/1.1 2"), "{answer:?}");
        let many = format!(
            "GET / HTTP/1.1\r\n{}\r\n",
            "a: b\r\n".repeat(MAX_HEADERS + 1)
        );
        assert!(
            send(running.address, &many)
                .await
                .starts_with("HTTP/1.1 431 ")
        );
    }

    #[tokio::test]
    async fn connections_over_the_limit_wait_for_one_to_end() {
        let running = start(|site| site.bounds.max_connections = 1).await;
        let silent = TcpStream::connect(running.address).await.unwrap();
        // Answered once the silent one is closed for its silence.
        assert!(get(&running, "/healthz").await.contains(" 200 "));
        drop(silent);
    }

    #[tokio::test]
    async fn shutdown_ends_idle_connections_and_the_server() {
        let running = start(|site| site.bounds.header_timeout = Duration::from_secs(60)).await;
        let mut idle = TcpStream::connect(running.address).await.unwrap();
        idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            .await
            .unwrap();
        let mut first = [0; 15];
        idle.read_exact(&mut first).await.unwrap();
        assert_eq!(&first, b"HTTP/1.1 200 OK");
        running.shutdown.cancel();
        running.server.await.unwrap();
        let mut rest = Vec::new();
        idle.read_to_end(&mut rest).await.unwrap();
    }
}
