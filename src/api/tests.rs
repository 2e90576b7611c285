use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::http::StatusCode;
use futures_util::future::{BoxFuture, FutureExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::caller::Caller;
use super::diagnose::{Finding, Question};
use super::*;
use crate::delivery::served::Served;
use crate::delivery::session::testing::{facts, terms};
use crate::delivery::session::{ClientId, Facts, Nobody, Session};
use crate::distribution::AccountId;
use crate::sigv4::testing::Signing;

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

/// Finds everything in order.
#[derive(Debug)]
struct Wise;

impl Diagnose for Wise {
    fn diagnose<'a>(
        &'a self,
        caller: &'a Caller,
        question: &'a Question,
    ) -> BoxFuture<'a, Vec<Finding>> {
        let says = format!("{} asks for {}", caller.key_id, question.name);
        async move { vec![Finding::holds("distribution", says)] }.boxed()
    }
}

/// Three sessions, which everybody but the tenant sees.
#[derive(Debug)]
struct Few(Vec<Arc<Session>>);

fn three() -> Vec<Arc<Session>> {
    let session = |number: u8| {
        let id = ClientId([number; 16]);
        let facts = Facts { id, ..facts() };
        Session::new(facts, Served::new("films", terms()), Arc::new(Nobody))
    };
    (1..=3).map(session).collect()
}

impl Sessions for Few {
    fn page(&self, caller: &Caller, after: Option<ClientId>, most: usize) -> Vec<Arc<Session>> {
        let seen = |it: &&Arc<Session>| {
            caller.account == AccountId::operator() && after.is_none_or(|id| it.facts.id > id)
        };
        self.0.iter().filter(seen).take(most).cloned().collect()
    }

    fn end(&self, caller: &Caller, id: ClientId) -> bool {
        let all = self.page(caller, None, 3);
        let found = all.iter().find(|it| it.facts.id == id);
        found.inspect(|it| it.end()).is_some()
    }
}

fn key(id: &str, account: AccountId, allow: &[&str]) -> AccessKey {
    AccessKey {
        caller: Caller {
            account,
            key_id: Arc::from(id),
            allow: allow.iter().map(|pattern| (*pattern).to_owned()).collect(),
        },
        secret: Secret::new("secret"),
    }
}

async fn start() -> Running {
    let operator = AccountId::operator();
    let keys = [
        key("operator", operator.clone(), &["*"]),
        key("reader", operator, &["cloudfront:*"]),
        key("tenant", AccountId::parse("123456789012").unwrap(), &["*"]),
    ];
    start_with(keys.into_iter().collect()).await
}

async fn start_with(keys: Keys) -> Running {
    let cache = Arc::new(Forgetful::default());
    let draining = CancellationToken::new();
    let mut registry = Metrics::default();
    let counter: prometheus_client::metrics::counter::Counter = Default::default();
    registry.register("plays", "Plays", counter);
    let api = Api {
        metrics: Arc::new(registry),
        registry: None,
        cache: cache.clone(),
        sessions: Arc::new(Few(three())),
        diagnosis: Arc::new(Wise),
        players: Players {
            port: 1935,
            app: "cfx/st".to_owned(),
        },
        keys,
        legacy_signatures: true,
        tls: None,
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
        classic.contains("Content-Type: text/plain; version=0.0.4"),
        "{classic}"
    );
    assert!(
        classic.ends_with("# TYPE plays_total counter\nplays_total 0\n"),
        "{classic}"
    );
    let accept = "Accept: application/openmetrics-text\r\n";
    let (_, open) = ask(&running, "GET /metrics", accept).await;
    assert!(
        open.contains("Content-Type: application/openmetrics-text"),
        "{open}"
    );
    assert!(open.ends_with("# EOF\n"), "{open}");

    running.shutdown.cancel();
    running.server.await.unwrap();
}

/// Asks with a signature of this key.
async fn call(running: &Running, key_id: &str, line: &str) -> (StatusCode, String) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let signing = Signing {
        key_id,
        secret: "secret",
        service: "cloudfront",
        time: i64::try_from(now.as_secs()).unwrap(),
    };
    let (method, path) = line.split_once(' ').unwrap();
    let url = format!("http://{}{path}", running.address);
    let more: String = signing
        .headers(method, &url, &[], b"")
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    ask(running, line, &more).await
}

#[tokio::test]
async fn a_purge_forgets_what_it_names_and_says_what_that_was() {
    let running = start().await;
    let line = "DELETE /cache?key=a%20b&distribution=films";
    let (status, answer) = call(&running, "operator", line).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let json = "{\"objects\":7,\"durable\":true}\n";
    assert!(answer.ends_with(json), "{answer}");
    for header in ["Content-Type: application/json", "X-Amzn-Requestid: "] {
        assert!(answer.contains(header), "{answer}");
    }
    for (line, expected, code) in [
        ("DELETE /cache?prefix=b/", StatusCode::OK, "objects"),
        (
            "DELETE /cache?prefix=b/&distribution=none",
            StatusCode::NOT_FOUND,
            "NoSuchStreamingDistribution",
        ),
        ("DELETE /cache", StatusCode::BAD_REQUEST, "InvalidArgument"),
        (
            "GET /cache?prefix=b/",
            StatusCode::METHOD_NOT_ALLOWED,
            "MethodNotAllowed",
        ),
        ("GET /", StatusCode::BAD_REQUEST, "InvalidURI"),
    ] {
        let (status, answer) = call(&running, "operator", line).await;
        assert_eq!(status, expected, "{line}");
        assert!(answer.contains(code), "{answer}");
    }
    let (status, _) = ask(&running, "DELETE /metrics", "").await;
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
    let asked = running.cache.0.lock().unwrap().clone();
    let films = Some("films".to_owned());
    let expected = [
        (films, What::Key("a b".to_owned())),
        (None, What::Prefix("b/".to_owned())),
    ];
    assert_eq!(asked, expected);
}

#[tokio::test]
async fn only_the_operator_may_purge_and_only_with_a_key_that_may() {
    let running = start().await;
    for key_id in ["reader", "tenant"] {
        let (status, answer) = call(&running, key_id, "DELETE /cache?prefix=").await;
        assert_eq!(status, StatusCode::FORBIDDEN);
        assert!(answer.contains("<Code>AccessDenied</Code>"), "{answer}");
    }
    assert_eq!(running.cache.0.lock().unwrap().len(), 0);
}

#[tokio::test]
async fn without_a_signature_nothing_but_health_and_metrics_is_there() {
    let running = start().await;
    for line in [
        "DELETE /cache?prefix=",
        "GET /cache",
        "GET /",
        "POST /2020-05-31/x",
    ] {
        let (status, answer) = ask(&running, line, "").await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{line}");
        assert!(
            answer.contains("<Code>MissingAuthenticationToken</Code>"),
            "{answer}"
        );
    }
    let (_, answer) = ask(&running, "POST /2013-05-12/x", "").await;
    assert!(answer.contains("/doc/2013-05-12/\""), "{answer}");
    assert_eq!(running.cache.0.lock().unwrap().len(), 0);
}

#[tokio::test]
async fn without_any_key_the_port_says_why_nothing_is_there() {
    let running = start_with(Keys::default()).await;
    assert_eq!(ask(&running, "GET /healthz", "").await.0, StatusCode::OK);
    for line in ["DELETE /cache?prefix=", "GET /"] {
        let (status, answer) = call(&running, "operator", line).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{line}");
        assert!(answer.contains("no access key is configured"), "{answer}");
    }
    assert_eq!(running.cache.0.lock().unwrap().len(), 0);
}

#[tokio::test]
async fn sessions_are_listed_by_pages_without_their_queries() {
    let running = start().await;
    let page = async |line: &str| {
        let (status, answer) = call(&running, "operator", line).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        serde_json::from_str::<serde_json::Value>(body).unwrap()
    };
    let first = page("GET /sessions?MaxItems=2").await;
    assert_eq!(
        (&first["quantity"], &first["is_truncated"]),
        (&2.into(), &true.into())
    );
    let one = &first["sessions"][0];
    assert_eq!(one["id"], "01".repeat(16));
    assert_eq!(one["host"], "films.example.com");
    assert_eq!(one["distribution"], "films");
    assert!(!one.to_string().contains("key=value"), "{one}");
    let marker = first["next_marker"].as_str().unwrap();
    let last = page(&format!("GET /sessions?MaxItems=2&Marker={marker}")).await;
    assert_eq!(
        (&last["quantity"], &last["is_truncated"]),
        (&1.into(), &false.into())
    );
    assert!(last["next_marker"].is_null());
    assert_eq!(page("GET /sessions").await["quantity"], 3);
}

#[tokio::test]
async fn a_session_is_ended_by_who_may_see_it_and_has_the_right() {
    let running = start().await;
    let one = format!("DELETE /sessions/{}", "02".repeat(16));
    for (key_id, line, status, code) in [
        ("reader", &*one, StatusCode::FORBIDDEN, "AccessDenied"),
        (
            "reader",
            "GET /sessions",
            StatusCode::FORBIDDEN,
            "AccessDenied",
        ),
        ("tenant", &one, StatusCode::NOT_FOUND, "NoSuchSession"),
        (
            "operator",
            "DELETE /sessions/02",
            StatusCode::NOT_FOUND,
            "NoSuchSession",
        ),
        (
            "operator",
            "DELETE /sessions/%ff",
            StatusCode::BAD_REQUEST,
            "",
        ),
        (
            "operator",
            "GET /sessions?Marker=2",
            StatusCode::BAD_REQUEST,
            "InvalidArgument",
        ),
        (
            "operator",
            "GET /sessions?max=2",
            StatusCode::BAD_REQUEST,
            "InvalidArgument",
        ),
        ("operator", &one, StatusCode::NO_CONTENT, ""),
    ] {
        let (said, answer) = call(&running, key_id, line).await;
        assert_eq!(said, status, "{key_id} {line}: {answer}");
        assert!(answer.contains(code), "{answer}");
    }
}
