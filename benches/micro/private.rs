//! What signed names cost a whole server: the release binary on loopback, with a distribution that
//! wants them and one that does not, over the same directory. Both are asked in turns, some rounds
//! each, so that what else the machine does falls on both; everything is in memory before.
//!
//! A round is a connection (handshake, connect, createStream, play up to the first media, close) or
//! a play of a connection that is open. Wall time with [`AT_ONCE`] clients, whose own work is on
//! the same cores; and the processor time that the server took for it, which is not.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use criterion::{Criterion, SamplingMode, Throughput};
use streamfront::access::policy;
use streamfront::load::session::{Event, Opening, Session};
use tempfile::TempDir;

use crate::access::Pair;
use crate::binary::{self, Binary};
use crate::cpu_time::CpuTime;
use crate::movie::Movie;

/// Clients at the same time: more than there are cores here, so that the server never waits.
const AT_ONCE: u32 = 4;

/// Rounds of each client until it is the other distribution's turn.
const ROUNDS: u32 = 25;

/// Object and name. With the likeliest form signed, as all signers do: one verification.
const OBJECT: &str = "film.mp4";
const EXPIRES: u64 = 2_000_000_000;

/// Enough for any pace: all is sent as fast as it is taken.
const BUFFER: u32 = 700_000;

/// A server with both distributions.
struct Server {
    binary: Binary,
    names: [(&'static str, String); 2],
    _folder: TempDir,
}

impl Server {
    fn start() -> Self {
        let (folder, media) = binary::folder();
        let film = Movie::new(2, 200_000).bytes();
        std::fs::write(media.join(OBJECT), film).expect("a film");
        let pair = Pair::new();
        let key = folder.path().join("public.pem");
        std::fs::write(&key, &pair.pem).expect("a key");
        let entry = |id: &str, more: &str| {
            let bucket = media.display();
            format!(
                "[[distribution]]\nid = '{id}'\nbucket = '{bucket}'\nhosts = ['{id}.example']\n{more}"
            )
        };
        let config = format!(
            "[[signer]]\nid = 'K'\npublic_key = '{}'\n{}{}",
            key.display(),
            entry("signed", "trusted_signers = ['self']\n"),
            entry("open", "")
        );
        let query = pair.query(
            &format!("Expires={EXPIRES}"),
            &policy::canned(OBJECT, EXPIRES),
        );
        let signed = format!("mp4:{OBJECT}?{query}");
        Self {
            binary: Binary::start(folder.path(), &config),
            names: [("signed", signed), ("open", format!("mp4:{OBJECT}"))],
            _folder: folder,
        }
    }
}

/// A connection that may play.
struct Player {
    socket: TcpStream,
    session: Session,
    buffer: Vec<u8>,
}

impl Player {
    fn connect(rtmp: SocketAddr, host: &str) -> Self {
        let socket = TcpStream::connect(rtmp).expect("a connection");
        socket.set_nodelay(true).expect("an option");
        let opening = Opening {
            app: "cfx/st".into(),
            tc_url: format!("rtmp://{host}.example/cfx/st").into(),
        };
        let mut player = Self {
            socket,
            session: Session::new(opening),
            buffer: vec![0; 64 * 1024],
        };
        player.until(|_, event| event == Some(&Event::Ready));
        player
    }

    /// Plays up to the first media.
    fn play(&mut self, name: &str) {
        self.session.play(name, -1, BUFFER);
        self.until(|session, _| session.has_media());
    }

    /// Has a new stream in the place of the one that played.
    fn renew(&mut self) {
        self.session.renew();
        self.until(|_, event| event == Some(&Event::Ready));
    }

    fn until(&mut self, done: impl Fn(&Session, Option<&Event>) -> bool) {
        loop {
            let output = self.session.output();
            self.socket.write_all(output).expect("sent");
            self.session.sent(self.session.output().len());
            let taken = self.socket.read(&mut self.buffer).expect("an answer");
            assert!(taken > 0, "the server closed");
            let mut input = &self.buffer[..taken];
            let mut is_done = false;
            while let Some(event) = self.session.event(&mut input).expect("an RTMP server") {
                assert!(!matches!(event, Event::Failed(_)), "{event:?}");
                is_done |= done(&self.session, Some(&event));
            }
            if is_done || done(&self.session, None) {
                return;
            }
        }
    }
}

/// What is done again and again.
#[derive(Clone, Copy)]
enum Round {
    Connection,
    Play,
}

/// What is measured of it.
#[derive(Clone, Copy)]
enum Clock {
    Wall,
    Server,
}

/// All clients' rounds at one distribution.
fn turn(server: &Server, side: usize, round: Round, clock: Clock) -> Duration {
    let (host, name) = &server.names[side];
    let rounds = || match round {
        Round::Connection => {
            for _ in 0..ROUNDS {
                Player::connect(server.binary.rtmp, host).play(name);
            }
        }
        Round::Play => {
            let mut player = Player::connect(server.binary.rtmp, host);
            for _ in 0..ROUNDS {
                player.play(name);
                player.renew();
            }
        }
    };
    let (start, before) = (Instant::now(), server.binary.spent());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(rounds);
        }
    });
    match clock {
        Clock::Wall => start.elapsed(),
        Clock::Server => server.binary.spent().saturating_sub(before),
    }
}

/// The time of both distributions over all pairs of turns: the ratio to believe, for the two that
/// criterion measures one after the other differ by what else the machine did meanwhile.
#[derive(Default)]
struct Both {
    times: [Duration; 2],
    pairs: u32,
}

impl Both {
    /// The time of `pairs` turns at one distribution, each followed by one at the other.
    fn in_turns(
        &mut self,
        server: &Server,
        pairs: u64,
        side: usize,
        (round, clock): (Round, Clock),
    ) -> Duration {
        let before = self.times[side];
        for _ in 0..pairs {
            for side in [side, 1 - side] {
                self.times[side] += turn(server, side, round, clock);
            }
            self.pairs += 1;
        }
        self.times[side] - before
    }

    /// Nothing where the group was not asked for.
    fn say(&self, what: &str) {
        if self.pairs == 0 {
            return;
        }
        let each = self
            .times
            .map(|time| time / self.pairs / (AT_ONCE * ROUNDS));
        let ratio = self.times[0].as_secs_f64() / self.times[1].as_secs_f64();
        let said = format!("{what}: {:?} and {:?}, {ratio:.3}", each[0], each[1]);
        writeln!(std::io::stderr(), "{said} over {} pairs", self.pairs).expect("said");
    }
}

/// All groups of this file.
pub fn bench(criterion: &mut Criterion<CpuTime>) {
    let server = Server::start();
    for (what, round) in [("connection", Round::Connection), ("play", Round::Play)] {
        for (of, clock) in [("wall", Clock::Wall), ("the server's", Clock::Server)] {
            let about = format!("private content: {what}, {of} time");
            let mut both = Both::default();
            let mut group = criterion.benchmark_group(&about);
            group.throughput(Throughput::Elements(u64::from(AT_ONCE * ROUNDS)));
            group.sampling_mode(SamplingMode::Flat);
            group.measurement_time(Duration::from_secs(6));
            for (side, name) in ["ours", "no signature wanted"].into_iter().enumerate() {
                group.bench_function(name, |bencher| {
                    bencher
                        .iter_custom(|pairs| both.in_turns(&server, pairs, side, (round, clock)));
                });
            }
            group.finish();
            both.say(&about);
        }
    }
}
