use std::net::SocketAddr;
use std::sync::Mutex;

use axum::http::StatusCode;
use futures_util::future::{BoxFuture, FutureExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;

/// Remembers what it was asked to forget.
#[derive(Debug, Default)]
struct Forgetful(Mutex<Vec<(Option<String>, What)>>);

impl Purge for Forgetful {
    fn purge<'a>(
        &'a self,
        distribution: Option<&'a str>,
        what: &'a What,
    ) -> BoxFuture<'a, Option<Purged>> {
        let known = distribution.is_none_or(|id| id == "films");
        if known {
            let wish = (distribution.map(str::to_owned), what.clone());
            self.0.lock().unwrap().push(wish);
        }
        let purged = Purged {
            objects: 7,
            durable: true,
        };
        async move { known.then_some(purged) }.boxed()
    }
}

struct Running {
    address: SocketAddr,
    cache: Arc<Forgetful>,
    draining: CancellationToken,
    shutdown: CancellationToken,
    server: tokio::task::JoinHandle<()>,
}

async fn start() -> Running {
    let cache = Arc::new(Forgetful::default());
    let draining = CancellationToken::new();
    let mut registry = Registry::default();
    let counter: prometheus_client::metrics::counter::Counter = Default::default();
    registry.register("plays", "Plays", counter);
    let api = Api {
        metrics: Arc::new(registry),
        cache: Some(cache.clone()),
        draining: draining.clone(),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    Running {
        address,
        cache,
        draining,
        server: tokio::spawn(serve(listener, api, shutdown.clone())),
        shutdown,
    }
}

async fn ask(running: &Running, line: &str, more: &str) -> (StatusCode, String) {
    let mut socket = TcpStream::connect(running.address).await.unwrap();
    let host = running.address;
    let request = format!("{line} HTTP/1.1\r\nHost: {host}\r\n{more}Connection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    let status = answer.get(9..12).unwrap().parse().unwrap();
    (status, answer)
}

#[tokio::test]
async fn health_and_metrics() {
    let running = start().await;
    assert_eq!(ask(&running, "GET /healthz", "").await.0, StatusCode::OK);
    running.draining.cancel();
    let draining = ask(&running, "GET /healthz", "").await.0;
    assert_eq!(draining, StatusCode::SERVICE_UNAVAILABLE);

    let (_, classic) = ask(&running, "GET /metrics", "").await;
    assert!(
        classic.contains("content-type: text/plain; version=0.0.4"),
        "{classic}"
    );
    assert!(
        classic.ends_with("# TYPE plays_total counter\nplays_total 0\n"),
        "{classic}"
    );
    let accept = "Accept: application/openmetrics-text\r\n";
    let (_, open) = ask(&running, "GET /metrics", accept).await;
    assert!(
        open.contains("content-type: application/openmetrics-text"),
        "{open}"
    );
    assert!(open.ends_with("# EOF\n"), "{open}");

    running.shutdown.cancel();
    running.server.await.unwrap();
}

#[tokio::test]
async fn a_purge_forgets_what_it_names_and_says_what_that_was() {
    let running = start().await;
    let (status, answer) = ask(&running, "DELETE /cache?key=a%20b&distribution=films", "").await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let json = "{\"objects\":7,\"durable\":true}\n";
    assert!(answer.ends_with(json), "{answer}");
    assert!(
        answer.contains("content-type: application/json"),
        "{answer}"
    );
    for (line, expected) in [
        ("DELETE /cache?prefix=b/", StatusCode::OK),
        (
            "DELETE /cache?prefix=b/&distribution=none",
            StatusCode::NOT_FOUND,
        ),
        ("DELETE /cache", StatusCode::BAD_REQUEST),
        ("GET /cache?prefix=b/", StatusCode::METHOD_NOT_ALLOWED),
        ("POST /cache?prefix=b/", StatusCode::METHOD_NOT_ALLOWED),
        ("OPTIONS /cache?prefix=b/", StatusCode::METHOD_NOT_ALLOWED),
        ("DELETE /metrics", StatusCode::METHOD_NOT_ALLOWED),
        ("GET /", StatusCode::NOT_FOUND),
    ] {
        assert_eq!(ask(&running, line, "").await.0, expected, "{line}");
    }
    let line = "DELETE http://evil.example/cache?prefix=";
    assert_eq!(ask(&running, line, "").await.0, StatusCode::FORBIDDEN);
    let asked = running.cache.0.lock().unwrap().clone();
    let films = Some("films".to_owned());
    let expected = [
        (films, What::Key("a b".to_owned())),
        (None, What::Prefix("b/".to_owned())),
    ];
    assert_eq!(asked, expected);
}
