//! Whole requests to the control API, as tools send them: TCP, signature, XML, rules, disk. Wall
//! time of one client that waits for each answer, and of many, each on a connection of its own; the
//! server runs in this process, on two threads. Get is read from memory, Create waits for a flush.
//! Peer: `/healthz` on the same port, which is HTTP and nothing else.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use criterion::{Criterion, Throughput};
use futures_util::future::BoxFuture;
use streamfront::api::caller::Caller;
use streamfront::api::diagnose::{Diagnose, Finding, Question};
use streamfront::api::{self, AccessKey, Api, Players, Purge, Purged, Secret, Sessions, What};
use streamfront::delivery::session::{ClientId, Session};
use streamfront::distribution::AccountId;
use streamfront::registry::{Fixed, Quotas, Registry, Rules};
use streamfront::store::embedded::Embedded;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::cpu_time::CpuTime;

const KEY: &str = "AKIDBENCH";
const SECRET: &str = "a secret of the benchmark only";
const PATH: &str = "/2020-05-31/streaming-distribution";

/// Clients that create at the same time.
const AT_ONCE: usize = 32;

/// Nobody asks it.
#[derive(Debug)]
struct Nothing;

impl Purge for Nothing {
    fn purge<'a>(&'a self, _: Option<&'a str>, _: &'a What) -> BoxFuture<'a, Option<Purged>> {
        Box::pin(async { None })
    }
}

impl Diagnose for Nothing {
    fn diagnose<'a>(&'a self, _: &'a Caller, _: &'a Question) -> BoxFuture<'a, Vec<Finding>> {
        Box::pin(async { Vec::new() })
    }
}

impl Sessions for Nothing {
    fn page(&self, _: &Caller, _: Option<ClientId>, _: usize) -> Vec<Arc<Session>> {
        Vec::new()
    }

    fn end(&self, _: &Caller, _: ClientId) -> bool {
        false
    }
}

/// A port of the API over a store on the disk.
struct Port {
    address: SocketAddr,
    shutdown: CancellationToken,
    _folder: TempDir,
}

impl Drop for Port {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

fn start(runtime: &Runtime) -> Port {
    let folder = tempfile::tempdir_in(Path::new(env!("CARGO_TARGET_TMPDIR"))).expect("a folder");
    let store = Embedded::open(folder.path()).expect("a store");
    let rules = Rules {
        quotas: Quotas {
            streaming: usize::MAX,
            ..Quotas::default()
        },
        ..Rules::default()
    };
    let shutdown = CancellationToken::new();
    let address = runtime.block_on(async {
        let registry = Registry::open(Arc::new(store), Fixed::default(), rules).await;
        let key = AccessKey {
            caller: Caller {
                account: AccountId::operator(),
                key_id: KEY.into(),
                allow: Arc::new(["*".to_owned()]),
            },
            secret: Secret::new(SECRET),
        };
        let api = Api {
            metrics: Arc::default(),
            registry: Some(registry.expect("a registry")),
            cache: Arc::new(Nothing),
            diagnosis: Arc::new(Nothing),
            sessions: Arc::new(Nothing),
            players: Players {
                port: 1935,
                app: "cfx/st".to_owned(),
            },
            keys: [key].into_iter().collect(),
            legacy_signatures: false,
            tls: None,
            draining: CancellationToken::new(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(api::serve(listener, api, shutdown.clone()));
        address
    });
    Port {
        address,
        shutdown,
        _folder: folder,
    }
}

/// A signed request, as bytes.
fn request(address: SocketAddr, method: &str, path: &str, body: &str) -> Vec<u8> {
    let identity = Credentials::from_keys(KEY, SECRET, None).into();
    let params = SigningParams::builder()
        .identity(&identity)
        .region("us-east-1")
        .name("cloudfront")
        .time(SystemTime::now())
        .settings(SigningSettings::default())
        .build()
        .expect("parameters")
        .into();
    let url = format!("http://{address}{path}");
    let body_bytes = SignableBody::Bytes(body.as_bytes());
    let request = SignableRequest::new(method, &url, std::iter::empty(), body_bytes);
    let (signature, _) = sign(request.expect("a request"), &params)
        .expect("a signature")
        .into_parts();
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\n");
    let (headers, _) = signature.into_parts();
    for header in headers {
        head += &format!("{}: {}\r\n", header.name(), header.value());
    }
    head += &format!("Content-Length: {}\r\n\r\n{body}", body.len());
    head.into_bytes()
}

/// The document of a distribution with a reference that no other has.
fn document() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let reference = NEXT.fetch_add(1, Ordering::Relaxed);
    format!(
        "<StreamingDistributionConfig xmlns=\"http://cloudfront.amazonaws.com/doc/2020-05-31/\">\
         <CallerReference>{reference}</CallerReference>\
         <S3Origin><DomainName>media.s3.amazonaws.com</DomainName><OriginAccessIdentity/></S3Origin>\
         <Comment/><TrustedSigners><Enabled>false</Enabled><Quantity>0</Quantity></TrustedSigners>\
         <Enabled>true</Enabled></StreamingDistributionConfig>"
    )
}

/// A connection that is kept.
struct Client(BufReader<TcpStream>);

impl Client {
    fn connect(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).expect("a connection");
        socket.set_nodelay(true).expect("an option");
        Self(BufReader::new(socket))
    }

    /// Sends a request; the status line and the body of its answer.
    fn ask(&mut self, request: &[u8]) -> (String, String) {
        self.0.get_mut().write_all(request).expect("sent");
        let mut line = String::new();
        self.0.read_line(&mut line).expect("a status");
        let (status, mut length) = (line.clone(), 0);
        while line != "\r\n" {
            line.clear();
            self.0.read_line(&mut line).expect("a header");
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().expect("a length");
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).expect("a body");
        (status, String::from_utf8(body).expect("text"))
    }
}

/// The time that one client takes for so many of the same request.
fn repeat(address: SocketAddr, request: &[u8], rounds: u64) -> Duration {
    let mut client = Client::connect(address);
    let start = Instant::now();
    for _ in 0..rounds {
        let (status, _) = client.ask(request);
        assert!(status.contains(" 200 "), "{status}");
    }
    start.elapsed()
}

/// The time of `rounds` creates of each of so many clients; they are signed beforehand.
fn create(address: SocketAddr, rounds: u64, at_once: usize) -> Duration {
    let documents = |_| {
        let post = |_| request(address, "POST", PATH, &document());
        (0..rounds).map(post).collect::<Vec<_>>()
    };
    let all: Vec<_> = (0..at_once).map(documents).collect();
    let start = Instant::now();
    std::thread::scope(|scope| {
        for requests in all {
            scope.spawn(move || {
                let mut client = Client::connect(address);
                for request in requests {
                    let (status, body) = client.ask(&request);
                    assert!(status.contains(" 201 "), "{status}{body}");
                }
            });
        }
    });
    start.elapsed()
}

/// All groups of this file.
pub fn bench(criterion: &mut Criterion<CpuTime>) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let port = start(&runtime);
    let address = port.address;
    let made = Client::connect(address).ask(&request(address, "POST", PATH, &document()));
    let (_, rest) = made.1.split_once("<Id>").expect("an id");
    let id = rest.split('<').next().expect("an id");
    let get = request(address, "GET", &format!("{PATH}/{id}"), "");
    let (_, body) = Client::connect(address).ask(&get);
    assert!(
        body.contains("<DomainName>media.s3.amazonaws.com</DomainName>"),
        "{body}"
    );
    let health = format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\n\r\n");

    let mut group = criterion.benchmark_group("control API: get");
    group.throughput(Throughput::Elements(1));
    for (name, request) in [("ours", &*get), ("/healthz", health.as_bytes())] {
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|rounds| repeat(address, request, rounds));
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("control API: create");
    for at_once in [1, AT_ONCE] {
        group.throughput(Throughput::Elements(at_once as u64));
        group.bench_function(format!("at once: {at_once}"), |bencher| {
            bencher.iter_custom(|rounds| create(address, rounds, at_once));
        });
    }
    group.finish();
}
