//! Two hundred players while the S3 server answers 503, resets, cuts off, crawls, keeps silent, dies
//! and is started again: what is cached is played as if nothing had happened, what is not is played
//! later or broken off by rule 13, and no byte is ever wrong.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::support::amf::Amf;
use crate::support::client::{Client, UNPACED};
use crate::support::media;
use crate::support::message::Message;
use crate::support::metrics::Metrics;
use crate::support::packets::{self, Kind, Table};
use crate::support::proxy::{Mood, Proxy};
use crate::support::random::Random;
use crate::support::seaweed::{self, BUCKET, Seaweed};
use crate::support::server::{Server, Setup};

/// Players of each of the two kinds.
const CROWD: usize = 100;
/// Distributions over the same bucket: what is cached of a film for one is cold for another.
const SHELVES: usize = 20;
/// A film long enough that a hundred players who jump about in it keep finding cold places.
const FILM: &str = "hour";
/// Seconds of the film at which a player may enter.
const PLACES: usize = 3_500;
/// What a player takes at one place, milliseconds.
const PIECE: f64 = 3_000.0;
/// A player of a client buffer of 1 s gets so much at once (rule 6): a little less than it is.
const LEAD: f64 = 1_500.0;
/// Less than the last message of a piece may lie before its end, milliseconds.
const FRAME: f64 = 500.0;
/// What the allocator may keep of what two hundred players took: half of it was seen. That
/// nothing grows further is for tests/soak.py.
const KEPT: u64 = 64 << 20;
/// How long a test waits for bytes while the origin is down, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
/// Looks of 20 ms before a test gives up: a minute.
const LOOKS: u32 = 3_000;

/// Runs `play` for each of `players` in a thread of its own.
fn crowd<P: Send + 'static, R: Send + 'static>(
    players: impl IntoIterator<Item = P>,
    play: impl Fn(P) -> R + Send + Sync + 'static,
) -> Vec<JoinHandle<R>> {
    let play = Arc::new(play);
    let start = |player: P| {
        let play = Arc::clone(&play);
        let thread = std::thread::Builder::new().stack_size(512 << 10);
        thread.spawn(move || play(player)).expect("a thread")
    };
    players.into_iter().map(start).collect()
}

fn join<R>(crowd: Vec<JoinHandle<R>>) -> Vec<R> {
    let results = crowd.into_iter().map(JoinHandle::join);
    results
        .map(|result| result.expect("a player is content"))
        .collect()
}

/// The packets of the film, as they must arrive.
fn film() -> Table {
    packets::messages(&packets::flv_tags(&media::file(&format!("{FILM}.flv"))))
}

/// Connected as one who was told to come to `host`, with a client buffer of `buffer` ms.
fn open(address: SocketAddr, host: &str, buffer: u32) -> Client {
    let mut client = Client::shake(address);
    let timeout = client.socket().set_read_timeout(Some(PATIENCE));
    timeout.expect("a timeout");
    let url = Amf::Text(format!("rtmp://{host}/cfx/st"));
    let answer = client.connect_with("cfx/st", &[("tcUrl", url)]);
    assert_eq!(answer.name().as_deref(), Some("_result"), "{answer:?}");
    assert_eq!(client.create_stream(), 1);
    client.set_buffer(1, buffer);
    client
}

/// A piece of a stream, whole.
fn piece(client: &mut Client, name: &str, place: f64, what: &str, source: &Table) -> Table {
    client.play(1, name, place, PIECE, true);
    let received = packets::messages(&client.until_status("NetStream.Play.Stop"));
    packets::assert_part(what, source, &received);
    for kind in [Kind::Video, Kind::Audio] {
        let last = received.iter().rfind(|packet| packet.kind == kind);
        let end = last.map(|packet| packet.dts);
        assert!(
            end.is_some_and(|end| end >= place + PIECE - FRAME),
            "{what}: the last {kind:?} of {PIECE} ms from {place} is at {end:?}"
        );
    }
    received
}

/// What comes until there is media of that time. An error fails the test.
fn until_time(client: &mut Client, time: f64) -> Vec<Message> {
    let failed = |message: &Message| message.status().is_some_and(|it| it.level == "error");
    let messages = client.until("media", |message| {
        failed(message) || (message.is_media() && f64::from(message.time) >= time)
    });
    assert!(!messages.iter().any(failed), "{:?}", messages.last());
    messages
}

/// What the players of a test share.
#[derive(Debug)]
struct Scene {
    address: SocketAddr,
    film: Table,
    /// The number of the fault.
    fault: AtomicUsize,
    /// Players who began a piece in this fault and have it whole, by the number of the fault.
    through: Vec<AtomicUsize>,
    over: AtomicBool,
}

impl Scene {
    /// A player whose stream is cached plays it over and over, paced.
    fn stay(&self, number: usize, name: &str, source: &Table) {
        let mut client = open(self.address, "warm.streamfront.localhost", 1_000);
        let mut told = None;
        while !self.over.load(Ordering::SeqCst) {
            let fault = self.fault.load(Ordering::SeqCst);
            let what = format!("cached, player {number}, fault {fault}");
            let received = piece(&mut client, name, 0.0, &what, source);
            assert!(received.first().is_some_and(|packet| packet.dts < FRAME));
            let same = fault == self.fault.load(Ordering::SeqCst);
            if same && told.replace(fault) != Some(fault) {
                self.through[fault].fetch_add(1, Ordering::SeqCst);
            }
        }
    }

    /// A player goes from one cold place of the film to another until the faults are over, and to
    /// one more.
    fn wander(&self, number: usize) {
        let host = format!("cold{}.streamfront.localhost", number % SHELVES);
        let mut random = Random::new(number as u64 + 1);
        let seeks = (number / SHELVES).is_multiple_of(2);
        let mut client = open(self.address, &host, if seeks { 1_000 } else { UNPACED });
        let mut place = || random.below(PLACES) as f64 * 1_000.0;
        let mut run = Vec::new();
        if seeks {
            let begin = place();
            client.play(1, FILM, begin, -1.0, true);
            run = until_time(&mut client, begin + LEAD);
        }
        loop {
            let last = self.over.load(Ordering::SeqCst);
            let place = place();
            let fault = self.fault.load(Ordering::SeqCst);
            let what = format!("cold, player {number}, fault {fault}, to {place} ms");
            if seeks {
                client.seek(1, place);
                run.extend(client.until_status("NetStream.Seek.Notify"));
                packets::assert_part(&what, &self.film, &packets::messages(&run));
                run = until_time(&mut client, place + LEAD);
                let received = packets::messages(&run);
                let picture = received.iter().find(|packet| packet.kind == Kind::Video);
                let entered = picture.is_some_and(|it| it.key && it.dts <= place + 1.0);
                assert!(entered, "{what}: {picture:?}");
                packets::assert_part(&what, &self.film, &received);
            } else {
                piece(&mut client, FILM, place, &what, &self.film);
            }
            if last {
                return;
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Lets a fault last until every player of what is cached has begun and finished a piece in it,
    /// and others have met it.
    fn endure(&self, what: &str, server: &Server, counts: &str) {
        let asked = || Metrics::of(server.api).get(counts);
        let (before, fault) = (asked(), self.fault.load(Ordering::SeqCst));
        let through = &self.through[fault];
        for _ in 0..LOOKS {
            if through.load(Ordering::SeqCst) == CROWD && asked() >= before + 20.0 {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!(
            "{what}: {} of {CROWD} players played what is cached, and {} reads met it",
            through.load(Ordering::SeqCst),
            asked() - before
        );
    }

    fn next(&self) {
        self.fault.fetch_add(1, Ordering::SeqCst);
    }
}

/// A server with a shelf of what is cached and others of what is not, and all the time to ask again.
fn patient(environment: Vec<(String, String)>) -> Setup {
    let mut text = String::from(
        "[origin]\nattempts = 1000\ndeadline = '2m'\nanswer_timeout = '1s'\nidle_timeout = '1s'\n",
    );
    let shelves = (0..SHELVES).map(|number| format!("cold{number}"));
    for id in shelves.chain(["warm".to_owned()]) {
        text += &format!("[[distribution]]\nid = '{id}'\nbucket = 's3://{BUCKET}'\n");
    }
    Setup {
        environment,
        ..Setup::default()
    }
    .config(&text)
}

/// Descriptors of a server that are no segments of its cache.
fn descriptors(server: &Server) -> usize {
    let segments = Metrics::of(server.api).get("streamfront_segment_files_open");
    server.descriptors().saturating_sub(segments as usize)
}

/// Memory of the server beyond what it caches, bytes.
fn own_memory(server: &Server) -> u64 {
    let metrics = Metrics::of(server.api);
    let cached = ["streamfront_cache_bytes", "streamfront_index_bytes"];
    let cached: f64 = cached.iter().map(|name| metrics.get(name)).sum();
    server.anonymous().saturating_sub(cached as u64)
}

#[test]
fn two_hundred_players_outlive_every_fault_of_the_origin() {
    const UNAVAILABLE: &str = "streamfront_origin_requests_total{result=\"unavailable\"}";
    const READ: &str = "streamfront_origin_requests_total{result=\"bytes\"}";
    let moods = [
        ("503", Mood::Unavailable, UNAVAILABLE),
        ("resets", Mood::Reset, UNAVAILABLE),
        ("answers cut off", Mood::Cut(20_000), UNAVAILABLE),
        (
            "answers that crawl",
            Mood::Slow(Duration::from_millis(50)),
            READ,
        ),
        ("silence", Mood::Silent, UNAVAILABLE),
    ];
    let mut seaweed = Seaweed::start();
    for name in ["hour.flv", "large.mp4"] {
        seaweed.put_file(name, &media::file(name));
    }
    let proxy = Proxy::start(seaweed.address);
    let server = patient(seaweed::environment(proxy.address)).start();
    let large = packets::expected(&packets::source(&media::file("large.mp4")));
    let open_before = descriptors(&server);
    let scene = Arc::new(Scene {
        address: server.rtmp,
        film: film(),
        fault: AtomicUsize::new(0),
        through: (0..=moods.len() + 2).map(|_| AtomicUsize::new(0)).collect(),
        over: AtomicBool::new(false),
    });
    // What will count as cached.
    let mut first = open(server.rtmp, "warm.streamfront.localhost", UNPACED);
    piece(&mut first, "mp4:large.mp4", 0.0, "the first", &large);
    piece(&mut first, FILM, 0.0, "the first", &scene.film);
    drop(first);
    Metrics::until(server.api, "alone", is_alone);
    let memory = own_memory(&server);

    let of_stayers = Arc::clone(&scene);
    let stayers = crowd(0..CROWD, move |number| {
        // A few of them heavy, so that the test is not about hashing.
        if number % 10 == 0 {
            of_stayers.stay(number, "mp4:large.mp4", &large);
        } else {
            of_stayers.stay(number, FILM, &of_stayers.film);
        }
    });
    let of_wanderers = Arc::clone(&scene);
    let wanderers = crowd(0..CROWD, move |number| of_wanderers.wander(number));
    scene.endure("no fault", &server, READ);
    for (what, mood, counts) in moods {
        proxy.set(mood);
        scene.next();
        scene.endure(what, &server, counts);
        proxy.set(Mood::Honest);
    }
    seaweed.stop();
    scene.next();
    scene.endure("a server that is down", &server, UNAVAILABLE);
    seaweed.start_again();
    scene.next();
    scene.endure("a server that is back", &server, READ);
    scene.over.store(true, Ordering::SeqCst);
    join(stayers);
    join(wanderers);

    let metrics = Metrics::until(server.api, "alone", is_alone);
    for result in ["failed", "not_found"] {
        let ended = format!("streamfront_plays_ended_total{{result=\"{result}\"}}");
        assert_eq!(metrics.get(&ended), 0.0, "{result}");
    }
    let spent = own_memory(&server).saturating_sub(memory);
    assert!(spent <= KEPT, "{spent} bytes are not given back");
    // With it go the connections that are kept for later requests.
    seaweed.stop();
    for _ in 0..LOOKS {
        if descriptors(&server) <= open_before {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let open = descriptors(&server);
    panic!("{open_before} descriptors before, {open} after");
}

fn is_alone(metrics: &Metrics) -> bool {
    let none = |name: &str| metrics.get(name) == 0.0;
    none("streamfront_connections_open") && none("streamfront_renders_in_flight")
}

/// A player whose play was broken off, and the last time of it that came.
type Broken = (Client, f64);

/// Watches from `place` until the play is broken off, which is said as rule 13 wants it.
fn until_broken_off((mut client, mut run): (Client, Vec<Message>), film: &Table) -> Broken {
    client.set_buffer(1, UNPACED);
    run.extend(client.until_status("NetStream.Play.Failed"));
    let status = run.last().and_then(Message::status).expect("a status");
    assert_eq!((status.level.as_str(), status.stream), ("error", 1));
    let next = client.next().expect("the connection stays");
    assert_eq!(
        next.control(),
        Some((1, vec![1])),
        "StreamEOF, not {next:?}"
    );
    let received = packets::messages(&run);
    packets::assert_part("until it was broken off", film, &received);
    let last = received.last().expect("it had begun");
    (client, last.dts)
}

/// The origin keeps silent for longer than a read may take. What is being played goes as far as it
/// is cached and is broken off; what is known goes on being served; afterwards everything is played
/// again, on the same connections.
#[test]
fn a_long_outage_breaks_off_what_is_not_cached_and_nothing_else() {
    let proxy = Proxy::start(seaweed::shared().address);
    let mut setup =
        Setup::s3(seaweed::shared()).config("[origin]\ndeadline = '2s'\nanswer_timeout = '1s'\n");
    setup.environment = seaweed::environment(proxy.address);
    let server = setup.start();
    let address = server.rtmp;
    let film = Arc::new(film());
    let known = Arc::new(packets::source(&media::file("plain.mp4")));
    let play_known = move |_| {
        let mut client = open(address, "127.0.0.1", UNPACED);
        client.play_all(1, "mp4:plain.mp4");
        let messages = client.until_status("NetStream.Play.Stop");
        packets::assert_played("what is known", &known, &packets::messages(&messages));
    };
    play_known(0);

    let watchers = join(crowd(0..CROWD, move |number| {
        let place = (number % SHELVES * PLACES / SHELVES) as f64 * 1_000.0;
        let mut client = open(address, "127.0.0.1", 1_000);
        client.play(1, FILM, place, -1.0, true);
        let run = until_time(&mut client, place + LEAD);
        (client, run)
    }));
    proxy.set(Mood::Silent);
    let film_of_watchers = Arc::clone(&film);
    let breaking = crowd(watchers, move |watcher| {
        until_broken_off(watcher, &film_of_watchers)
    });
    join(crowd(0..CROWD, play_known));
    let broken = join(breaking);
    let metrics = Metrics::of(server.api);
    let failed = metrics.get("streamfront_plays_ended_total{result=\"failed\"}");
    assert_eq!(failed, CROWD as f64);

    proxy.set(Mood::Honest);
    join(crowd(broken, move |(mut client, last)| {
        piece(&mut client, FILM, last, "played again", &film);
    }));
}
