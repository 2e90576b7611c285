//! What it costs to let a viewer in, by each door: the release binary on loopback, all doors of the
//! same port. Each stands beside plain RTMP, and the two are asked in turns, so that what else the
//! machine does falls on both.
//!
//! A turn is [`AT_ONCE`] clients who come [`ROUNDS`] times: connect, shake hands, have the connect
//! command answered, leave. Wall time, with the clients' own work on the same cores, which for the
//! encrypted doors is as much as the server's; and the processor time that the server took for it.

mod tls;
mod tunnel;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use criterion::{Criterion, SamplingMode, Throughput};
use rustls::version::{TLS12, TLS13};
use streamfront::load::session::{Opening, Session};
use streamfront::rtmp::handshake::{
    BLOCK, ClientHandshake, ClientStyle, REPLY, Scheme, Scramble, Seed,
};
use tempfile::TempDir;

use self::tls::Certificate;
use self::tunnel::Tunnel;
use crate::binary::{self, Binary};
use crate::cpu_time::CpuTime;

/// Clients at the same time: more than there are cores here, so that the server never waits.
const AT_ONCE: u32 = 4;

/// Connections of each client until it is the other door's turn.
const ROUNDS: u32 = 50;

const SIGNED: ClientStyle = ClientStyle::Digest(Scheme::Second);
const ENCRYPTED: ClientStyle = ClientStyle::Encrypted(Scramble::None, Scheme::Second);

/// How a client comes to speak RTMP.
enum Way {
    Socket,
    Tunnel,
    Tls(tls::Client),
}

/// A way, and which handshake of RTMP is spoken there.
struct Door {
    name: String,
    way: Way,
    style: ClientStyle,
}

impl Door {
    fn new(name: &str, way: Way, style: ClientStyle) -> Self {
        let name = name.to_owned();
        Self { name, way, style }
    }
}

/// All doors but the plain one.
fn doors(certificates: &[(&str, Certificate)]) -> Vec<Door> {
    let mut doors = vec![
        Door::new("signed", Way::Socket, SIGNED),
        Door::new("encrypted, type 6", Way::Socket, ENCRYPTED),
        Door::new("tunnel", Way::Tunnel, ClientStyle::Plain),
        Door::new("tunnel, encrypted", Way::Tunnel, ENCRYPTED),
    ];
    for (version, name) in [(&TLS13, "1.3"), (&TLS12, "1.2")] {
        for (key, certificate) in certificates {
            let way = Way::Tls(certificate.client(version));
            let name = format!("TLS {name}, {key}");
            doors.push(Door::new(&name, way, ClientStyle::Plain));
        }
    }
    doors
}

/// A server, and what is said to it.
struct Server {
    binary: Binary,
    /// The connect command, in chunks.
    connect: Vec<u8>,
    _folder: TempDir,
}

impl Server {
    fn start() -> (Self, Vec<Door>) {
        let (folder, media) = binary::folder();
        let certificates = [
            (
                "ECDSA P-256",
                "ecdsa.example",
                ["EC", "ec_paramgen_curve:P-256"],
            ),
            ("RSA 2048", "rsa.example", ["RSA", "rsa_keygen_bits:2048"]),
        ];
        let certificates = certificates
            .map(|(key, host, kind)| (key, Certificate::new(folder.path(), host, kind)));
        let bucket = media.display();
        let mut config =
            format!("[[distribution]]\nid = 'any'\nbucket = '{bucket}'\nhosts = ['any.example']\n");
        for (_, certificate) in &certificates {
            config += &certificate.entry();
        }
        let server = Self {
            binary: Binary::start(folder.path(), &config),
            connect: connect_command(),
            _folder: folder,
        };
        (server, doors(&certificates))
    }

    /// Comes in by a door, up to the answer to connect, and leaves.
    fn visit(&self, door: &Door) {
        let socket = socket(self.binary.rtmp);
        match &door.way {
            Way::Socket => self.speak(socket, door.style),
            Way::Tunnel => self.speak(Tunnel::open(socket), door.style),
            Way::Tls(client) => self.speak(client.over(socket), door.style),
        }
    }

    /// Shakes hands, and connects.
    fn speak(&self, mut way: impl Read + Write, style: ClientStyle) {
        let mut out = Vec::new();
        let mut handshake = ClientHandshake::new(Seed([2; 32]), style, &mut out);
        way.write_all(&out).expect("C0 and C1 are sent");
        out.clear();
        let mut buffer = [0; 4 * 1024];
        while !handshake.is_done() {
            let mut input = some(&mut way, &mut buffer);
            let answered = handshake.input(&mut input, &mut out);
            answered.expect("a server of this handshake");
        }
        let mut ciphers = handshake.take_ciphers();
        let begin = out.len();
        out.extend_from_slice(&self.connect);
        if let Some(ciphers) = &mut ciphers {
            ciphers.output.apply(&mut out[begin..]);
        }
        way.write_all(&out).expect("C2 and connect are sent");
        let mut said = Vec::new();
        while !said.windows(RESULT.len()).any(|word| word == RESULT) {
            let len = some(&mut way, &mut buffer).len();
            let bytes = &mut buffer[..len];
            if let Some(ciphers) = &mut ciphers {
                ciphers.input.apply(bytes);
            }
            said.extend_from_slice(bytes);
        }
    }
}

/// The name of the answer to a connect that is granted. It stands at the begin of its chunk.
const RESULT: &[u8] = b"_result";

/// What the other side says next.
fn some<'a>(way: &mut impl Read, buffer: &'a mut [u8]) -> &'a [u8] {
    let read = way.read(buffer).expect("an answer");
    assert!(read > 0, "the server closed");
    &buffer[..read]
}

fn socket(address: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(address).expect("a connection");
    socket.set_nodelay(true).expect("an option");
    socket
}

/// What a session says behind its C2.
fn connect_command() -> Vec<u8> {
    let mut session = Session::new(Opening {
        app: "cfx/st".into(),
        tc_url: "rtmp://any.example/cfx/st".into(),
    });
    session.sent(session.output().len());
    let mut reply = [0; REPLY];
    reply[0] = 3;
    session.event(&mut &reply[..]).expect("a plain server");
    session.output()[BLOCK..].to_vec()
}

/// What is measured of a turn.
#[derive(Clone, Copy)]
enum Clock {
    Wall,
    Server,
}

fn turn(server: &Server, door: &Door, clock: Clock) -> Duration {
    let (start, before) = (Instant::now(), server.binary.spent());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| (0..ROUNDS).for_each(|_| server.visit(door)));
        }
    });
    match clock {
        Clock::Wall => start.elapsed(),
        Clock::Server => server.binary.spent().saturating_sub(before),
    }
}

/// The time of so many turns at one door, each of which is followed by one at the other.
fn in_turns(server: &Server, turns: u64, doors: [&Door; 2], clock: Clock) -> Duration {
    let [own, other] = doors;
    let mut time = Duration::ZERO;
    for _ in 0..turns {
        time += turn(server, own, clock);
        turn(server, other, clock);
    }
    time
}

/// All groups of this file.
pub fn bench(criterion: &mut Criterion<CpuTime>) {
    let (server, others) = Server::start();
    let plain = Door::new("plain", Way::Socket, ClientStyle::Plain);
    for door in &others {
        // Ends where connect is not granted.
        server.visit(door);
        for (of, clock) in [("wall", Clock::Wall), ("the server's", Clock::Server)] {
            let mut group = criterion.benchmark_group(format!("doors: {}, {of} time", door.name));
            group.throughput(Throughput::Elements(u64::from(AT_ONCE * ROUNDS)));
            group.sampling_mode(SamplingMode::Flat);
            group.sample_size(10);
            group.measurement_time(Duration::from_secs(3));
            for (side, doors) in [("ours", [door, &plain]), ("plain RTMP", [&plain, door])] {
                group.bench_function(side, |bencher| {
                    bencher.iter_custom(|turns| in_turns(&server, turns, doors, clock));
                });
            }
            group.finish();
        }
    }
}
