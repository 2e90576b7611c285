//! Crowds at the doors who begin and do not go on: nothing said, half a handshake, a whole one and
//! then silence, one byte now and then. What each of them costs is bounded, those who play notice
//! nothing, and what was taken comes back.
//!
//! 10,000 of those that cost the server little, [`COSTLY`] of those that make it compute: those
//! costs are bounded by permits and not by how many there are.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use rustix::process::{Resource, getrlimit, setrlimit};
use rustls::ClientConnection;
use sha2::Sha256;
use socket2::{Domain, Socket, Type};

use crate::support::client::{Client, UNPACED};
use crate::support::message::Message;
use crate::support::metrics::Metrics;
use crate::support::server::{Server, Setup};
use crate::support::{media, packets, trust};

/// Connections that cost no computing.
const CROWD: usize = 10_000;
/// Connections that do.
const COSTLY: usize = 2_000;
/// Descriptors that this process needs, and the server even more: it keeps a quarter for segments.
const DESCRIPTORS: u64 = 20_000;

/// What one half-open connection may take of the server's memory (ARCHITECTURE.md, "Memory"):
/// before its first byte, in an RTMP handshake, in one of TLS or behind it.
const SILENT: u64 = 4 << 10;
const GREETING: u64 = 8 << 10;
const SECURED: u64 = 16 << 10;
/// What the server's memory grows by beside: a play, and what allocators keep.
const SLACK: u64 = 8 << 20;

/// Where viewers come from, and crowds; those whose address counts come from another.
const HERE: Ipv4Addr = Ipv4Addr::LOCALHOST;
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// Where a listed proxy stands.
const PROXY: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);

/// Looks before a test gives up, ten a second.
const LOOKS: u32 = 600;
const LOOK: Duration = Duration::from_millis(100);

/// One crowd at a time: two would need more descriptors than there are.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    let guard = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(u64::MAX);
    assert!(
        most >= DESCRIPTORS,
        "ulimit -Hn {most}; {DESCRIPTORS} are needed"
    );
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).expect("a limit");
    guard
}

/// A connection from there.
fn connect(from: Ipv4Addr, to: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    if from != HERE {
        let from = SocketAddr::from((from, 0));
        socket.bind(&from.into()).expect("a loopback address");
    }
    socket.connect(&to.into()).expect("a connection");
    // Its port is free again at once: crowds would use up all there are.
    socket.set_linger(Some(Duration::ZERO)).expect("a socket");
    let stream = TcpStream::from(socket);
    stream
        .set_read_timeout(Some(LOOK * LOOKS))
        .expect("a limit");
    stream
        .set_write_timeout(Some(LOOK * LOOKS))
        .expect("a limit");
    stream
}

/// A server with a certificate, and a viewer in the middle of a paced play.
struct Stage {
    viewer: Client,
    server: Server,
    seen: Vec<Message>,
    /// The server's memory before anybody else came.
    memory: u64,
    _certificate: tempfile::TempDir,
    _alone: MutexGuard<'static, ()>,
}

impl Stage {
    /// With these lines at the end of the config file.
    fn set(config: &str) -> Self {
        let alone = alone();
        let certificate = tempfile::tempdir().expect("a folder");
        let config = format!("{}{config}", trust::certificate(certificate.path()));
        let server = Setup::directory(media::folder()).config(&config).start();
        whole_play(&server);
        let mut viewer = Client::open(server.rtmp);
        viewer.create_stream();
        viewer.set_buffer(1, 1_000);
        viewer.play_all(1, "mp4:plain.mp4");
        let seen = viewer.until("media", Message::is_media);
        let memory = server.anonymous();
        Self {
            viewer,
            server,
            seen,
            memory,
            _certificate: certificate,
            _alone: alone,
        }
    }

    /// Where nobody is ended before the test ends them.
    fn patient() -> Self {
        Self::set("[limits]\nhandshake_timeout = \"10m\"\n")
    }

    /// The play goes on to its end, and all of it was right.
    fn strike(mut self) {
        whole_play(&self.server);
        self.viewer.set_buffer(1, UNPACED);
        self.seen
            .extend(self.viewer.until_status("NetStream.Play.Stop"));
        let source = packets::source(&media::file("plain.mp4"));
        packets::assert_played("who was there", &source, &packets::messages(&self.seen));
        self.server.assert_alive();
        let log = self.server.log();
        assert!(!log.contains("panicked"), "{log}");
    }

    /// So many come and do `half` of something; each may cost so much memory. When they have left
    /// nothing of them is there, and as many again cost no more.
    fn crowd<T>(&self, what: &str, count: usize, most: u64, half: impl Fn(TcpStream) -> T) {
        let descriptors = self.server.descriptors();
        for _ in 0..2 {
            let come = |_| half(connect(HERE, self.server.rtmp));
            let crowd: Vec<T> = (0..count).map(come).collect();
            self.until_here(what, count);
            let grown = self.steady().saturating_sub(self.memory);
            let bound = most * count as u64 + SLACK;
            assert!(
                grown <= bound,
                "{what}: {grown} bytes, {bound} are the bound"
            );
            whole_play(&self.server);
            drop(crowd);
            self.until_here(what, 0);
            self.until_closed(what, descriptors);
        }
    }

    /// So many connections beside that of the viewer.
    fn until_here(&self, what: &str, count: usize) {
        Metrics::until(self.server.api, what, |metrics| {
            metrics.get("streamfront_connections_open") == count as f64 + 1.0
        });
    }

    /// No more descriptors than before, but for what the plays since then have opened.
    fn until_closed(&self, what: &str, before: usize) {
        let closed = || self.server.descriptors() <= before + 32;
        let closed = (0..LOOKS).any(|_| closed() || !wait());
        assert!(closed, "{what}: {} are open", self.server.descriptors());
    }

    /// The server's memory once it has taken in what was sent.
    fn steady(&self) -> u64 {
        let mut last = (self.server.anonymous(), self.server.processor_time());
        for _ in 0..LOOKS {
            wait();
            let now = (self.server.anonymous(), self.server.processor_time());
            // The viewer who plays takes a hundredth of a second now and then.
            if now.0.abs_diff(last.0) < 1 << 20 && now.1 - last.1 <= LOOK / 5 {
                return now.0;
            }
            last = now;
        }
        panic!("the server never rests");
    }
}

fn wait() -> bool {
    std::thread::sleep(LOOK);
    true
}

/// Somebody comes and plays to the end.
fn whole_play(server: &Server) {
    let mut client = Client::unpaced(server.rtmp);
    client.play_all(1, "mp4:plain.mp4");
    let messages = client.until_status("NetStream.Play.Stop");
    let source = packets::source(&media::file("plain.mp4"));
    packets::assert_played("who comes now", &source, &packets::messages(&messages));
}

fn refused(server: &Server, reason: &str) -> f64 {
    let name = format!("streamfront_connections_refused_total{{reason=\"{reason}\"}}");
    Metrics::of(server.api).get(&name)
}

/// C0 and C1 of an encrypted client: signed, with a public value that is a power of the generator
/// (RTMPE: digest and value in the places of the first scheme, both sums of zero).
fn encrypted_hello() -> Vec<u8> {
    const DIGEST: usize = 12;
    const VALUE: usize = 772;
    let mut block = [0; 1536];
    block[4..8].copy_from_slice(&[9, 0, 124, 2]);
    block[VALUE + 5] = 1;
    let mut signer =
        Hmac::<Sha256>::new_from_slice(b"Genuine Adobe Flash Player 001").expect("a key");
    signer.update(&block[..DIGEST]);
    signer.update(&block[DIGEST + 32..]);
    block[DIGEST..DIGEST + 32].copy_from_slice(&signer.finalize().into_bytes());
    [&[6], &block[..]].concat()
}

/// Whether the server has closed, without a word.
fn is_closed(socket: &mut TcpStream) -> bool {
    socket.set_nonblocking(true).expect("a socket");
    let closed = match socket.read(&mut [0]) {
        Ok(read) => read == 0,
        Err(error) => error.kind() != ErrorKind::WouldBlock,
    };
    socket.set_nonblocking(false).expect("a socket");
    closed
}

#[test]
fn ten_thousand_who_say_nothing() {
    let stage = Stage::patient();
    stage.crowd("silence", CROWD, SILENT, |socket| socket);
    stage.strike();
}

#[test]
fn ten_thousand_half_handshakes() {
    let stage = Stage::patient();
    let hello = encrypted_hello();
    for (what, first, sent) in [
        ("C0", 3, 1),
        ("half of C1", 3, 769),
        ("half of C1, type 6", 6, 769),
    ] {
        stage.crowd(what, CROWD, GREETING, |mut socket| {
            let half = [&[first], &hello[1..sent]].concat();
            socket.write_all(&half).expect("the server reads");
            socket
        });
    }
    stage.strike();
}

/// Each costs a key agreement: they get S0 to S2, all of them, and stop there.
#[test]
fn encrypted_clients_who_stop_behind_c1() {
    let stage = Stage::patient();
    let hello = encrypted_hello();
    stage.crowd("C1 of type 6", COSTLY, GREETING, |mut socket| {
        socket.write_all(&hello).expect("the server reads");
        let mut version = [0];
        socket.read_exact(&mut version).expect("an answer");
        assert_eq!(version, [6]);
        socket
    });
    stage.strike();
}

/// A key agreement that has begun goes on when its client leaves: leaving buys nobody more of them at
/// the same time, however many leave just when theirs begins.
#[test]
fn encrypted_clients_who_leave_in_the_middle() {
    let stage = Stage::patient();
    let hello = encrypted_hello();
    let threads = || {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", stage.server.id()));
        tasks.expect("the server runs").count()
    };
    let before = threads();
    for _ in 0..5 {
        let come = |_| {
            let mut socket = connect(HERE, stage.server.rtmp);
            socket.write_all(&hello).expect("the server reads");
            socket
        };
        let crowd: Vec<TcpStream> = (0..200).map(come).collect();
        for socket in crowd {
            std::thread::sleep(Duration::from_micros(200));
            drop(socket);
        }
        let now = threads();
        assert!(now <= before + 8, "{now} threads, {before} before");
    }
    stage.until_here("all have left", 0);
    stage.strike();
}

#[test]
fn ten_thousand_half_client_hellos() {
    let stage = Stage::patient();
    let mut hello = Vec::new();
    trust::client().write_tls(&mut hello).expect("a hello");
    let half = &hello[..hello.len() / 2];
    stage.crowd("half a ClientHello", CROWD, SECURED, |mut socket| {
        socket.write_all(half).expect("the server reads");
        socket
    });
    stage.strike();
}

#[test]
fn clients_of_tls_who_stop_behind_the_handshake() {
    let stage = Stage::patient();
    stage.crowd("behind TLS", COSTLY, SECURED, |mut socket| {
        let mut tls = trust::client();
        trust::shake(&mut tls, &mut socket);
        (tls, socket)
    });
    stage.strike();
}

/// Those who wait for one of the few places of HTTP keep one of the viewers until then: without it
/// any number could wait, and take all descriptors.
#[test]
fn who_waits_for_a_place_of_http_has_another() {
    let _alone = alone();
    let server = Setup::directory(media::folder())
        .config(
            "[limits]\nmax_connections = 20\n[http]\nmax_connections = 4\nheader_timeout = \"10m\"\n",
        )
        .start();
    let mut crowd: Vec<TcpStream> = (0..400)
        .map(|_| {
            let mut socket = connect(HERE, server.rtmp);
            let _ = socket.write_all(b"G");
            socket
        })
        .collect();
    // 4, 20, and the 256 who would be told that there is no place, if they spoke RTMP.
    let most = 4 + 20 + 256;
    let open = |crowd: &mut [TcpStream]| {
        crowd
            .iter_mut()
            .filter_map(|it| (!is_closed(it)).then_some(()))
            .count()
    };
    let bounded = (0..LOOKS).any(|_| open(&mut crowd) <= most || !wait());
    assert!(bounded, "{} are open", open(&mut crowd));
    assert!(refused(&server, "unheard") >= (400 - most) as f64);
    drop(crowd);
    Metrics::until(server.api, "all have left", |metrics| {
        metrics.get("streamfront_connections_open") == 0.0
    });
    whole_play(&server);
}

/// One byte now and then, at every door: it ends when the time of a handshake is over.
#[test]
fn a_byte_now_and_then_buys_no_time() {
    let stage = Stage::set(
        "[limits]\nhandshake_timeout = \"1s\"\n[http]\nheader_timeout = \"1s\"\n\
         [proxy]\ntrusted = [\"127.0.0.3\"]\n",
    );
    let hello = encrypted_hello();
    let plain = [&[3], &[0; 1536][..]].concat();
    let mut secure = Vec::new();
    trust::client().write_tls(&mut secure).expect("a hello");
    let second = [&b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x0F\xFF"[..], &[4; 4095]].concat();
    let first = format!("PROXY TCP4 {}", "1".repeat(90));
    let head = format!("GET / HTTP/1.1\r\n{}", "X: y\r\n".repeat(60));
    let doors: [(&str, Ipv4Addr, &[u8]); 7] = [
        ("RTMP", ELSEWHERE, &plain),
        ("RTMPE", ELSEWHERE, &hello),
        ("TLS", ELSEWHERE, &secure),
        ("HTTP", ELSEWHERE, head.as_bytes()),
        ("PROXY 1", PROXY, first.as_bytes()),
        ("PROXY 2", PROXY, &second),
        ("nothing", PROXY, &[]),
    ];
    let mut slow: Vec<Slow> = Vec::new();
    for (what, from, bytes) in doors {
        for _ in 0..10 {
            let socket = connect(from, stage.server.rtmp);
            slow.push(Slow::new(what, socket, None, bytes));
        }
    }
    for (what, bytes) in [
        ("RTMP in TLS", &plain[..]),
        ("HTTP in TLS", head.as_bytes()),
    ] {
        for _ in 0..10 {
            let (mut tls, mut socket) = (trust::client(), connect(ELSEWHERE, stage.server.rtmp));
            trust::shake(&mut tls, &mut socket);
            slow.push(Slow::new(what, socket, Some(tls), bytes));
        }
    }
    for _ in 0..LOOKS {
        slow.retain_mut(Slow::goes_on);
        if slow.is_empty() {
            break;
        }
        wait();
    }
    let left: Vec<_> = slow.iter().map(|it| it.what).collect();
    assert!(left.is_empty(), "still there: {left:?}");
    stage.until_here("all have left", 0);
    stage.strike();
}

/// One who says a byte at a time.
struct Slow {
    what: &'static str,
    socket: TcpStream,
    tls: Option<ClientConnection>,
    left: std::vec::IntoIter<u8>,
}

impl Slow {
    fn new(
        what: &'static str,
        socket: TcpStream,
        tls: Option<ClientConnection>,
        bytes: &[u8],
    ) -> Self {
        let left = Vec::from(bytes).into_iter();
        Self {
            what,
            socket,
            tls,
            left,
        }
    }

    /// Says one more, unless the server has closed.
    fn goes_on(&mut self) -> bool {
        if is_closed(&mut self.socket) {
            return false;
        }
        let Some(byte) = self.left.next() else {
            return true;
        };
        match &mut self.tls {
            None => self.socket.write_all(&[byte]).is_ok(),
            Some(tls) => {
                tls.writer().write_all(&[byte]).expect("a record");
                tls.write_tls(&mut self.socket).is_ok()
            }
        }
    }
}

/// How many of so many connections from there the server keeps; the others it closes at once.
fn kept(server: &Server, from: Ipv4Addr, count: usize, say: &[u8]) -> usize {
    let before = refused(server, "too_often");
    let mut crowd: Vec<TcpStream> = (0..count)
        .map(|_| {
            let mut socket = connect(from, server.rtmp);
            let _ = socket.write_all(say);
            socket
        })
        .collect();
    // An answer, or the end.
    let kept = crowd
        .iter_mut()
        .filter_map(|socket| socket.read_exact(&mut [0]).ok());
    let kept = kept.count();
    let refused = refused(server, "too_often") - before;
    assert_eq!(refused, (count - kept) as f64, "all are counted");
    kept
}

#[test]
fn an_address_that_comes_too_often_is_closed_without_a_word() {
    let stage = Stage::set("[limits]\nmax_arrivals_per_address = 20\n");
    let hello = [&[3], &[0; 1536][..]].concat();
    // A burst is five seconds' worth.
    assert_eq!(kept(&stage.server, ELSEWHERE, 90, &hello), 90);
    assert!(kept(&stage.server, ELSEWHERE, 400, &hello) < 400);
    assert_eq!(
        kept(&stage.server, PROXY, 90, &hello),
        90,
        "another address"
    );
    stage.strike();
}

/// RTMPE and TLS together; plain RTMP is not counted.
#[test]
fn an_address_that_shakes_hands_too_often_is_closed_without_a_word() {
    let stage = Stage::set("[limits]\nmax_handshakes_per_address = 2\n");
    let encrypted = encrypted_hello();
    let mut secure = Vec::new();
    trust::client().write_tls(&mut secure).expect("a hello");
    assert_eq!(kept(&stage.server, ELSEWHERE, 4, &encrypted), 4);
    assert_eq!(kept(&stage.server, ELSEWHERE, 4, &secure), 4);
    assert!(kept(&stage.server, ELSEWHERE, 100, &encrypted) < 100);
    assert!(kept(&stage.server, ELSEWHERE, 100, &secure) < 100);
    let plain = [&[3], &[0; 1536][..]].concat();
    assert_eq!(kept(&stage.server, ELSEWHERE, 50, &plain), 50);
    assert_eq!(kept(&stage.server, PROXY, 4, &secure), 4, "another address");
    stage.strike();
}
