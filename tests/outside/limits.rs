//! How many may be here at once, what those are told for whom no place is left, and how fast a
//! viewer may be sent to.

use std::time::{Duration, Instant};

use crate::support::amf::Amf;
use crate::support::client::{Client, UNPACED};
use crate::support::message::Message;
use crate::support::metrics::Metrics;
use crate::support::server::{Server, Setup};
use crate::support::{media, packets};

/// More raw connections than are told that there is no place (net/seats.rs).
const CROWD: usize = 300;

fn with(text: &str) -> Server {
    Setup::directory(media::folder()).config(text).start()
}

/// Connects and must be refused with that word; the server closes.
fn assert_refused(client: &mut Client, url: &str, word: &str) {
    let answer = client.connect_with("cfx/st", &[("tcUrl", Amf::text(url))]);
    assert_eq!(answer.name().as_deref(), Some("_error"), "{answer:?}");
    let status = answer.status().expect("a status object");
    assert_eq!(
        (status.level.as_str(), status.code.as_str()),
        ("error", "NetConnection.Connect.Rejected")
    );
    let text = |value: Option<&Amf>| value.and_then(Amf::as_text).unwrap_or("").to_owned();
    let description = text(status.info.get("description"));
    assert!(description.ends_with(&format!(": {word}")), "{description}");
    let application = status.info.get("application");
    assert_eq!(text(application.and_then(|it| it.get("message"))), word);
    client.until_closed();
}

fn url(server: &Server) -> String {
    format!("rtmp://{}/cfx/st", server.rtmp)
}

/// Until one who left is gone for the server too, a place may still be taken.
fn until_let_in(server: &Server) -> Client {
    for _ in 0..600 {
        let mut client = Client::shake(server.rtmp);
        if client.connect("cfx/st").name().as_deref() == Some("_result") {
            return client;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("no place is ever left");
}

fn refused(server: &Server, reason: &str) -> f64 {
    let name = format!("streamfront_connections_refused_total{{reason=\"{reason}\"}}");
    Metrics::of(server.api).get(&name)
}

#[test]
fn one_too_many_in_all() {
    let server = with("[limits]\nmax_connections = 2\n");
    let mut held = [0, 1].map(|_| Client::unpaced(server.rtmp));
    assert_refused(
        &mut Client::shake(server.rtmp),
        &url(&server),
        "TooManyConnections",
    );
    assert_eq!(refused(&server, "full"), 1.0);
    // Those who are in play on.
    held[0].play_all(1, "mp4:plain.mp4");
    held[0].until_status("NetStream.Play.Stop");
    drop(held);
    until_let_in(&server);
}

#[test]
fn one_too_many_from_an_address() {
    let server = with("[limits]\nmax_connections_per_address = 2\n");
    let held = [0, 1].map(|_| Client::open(server.rtmp));
    let word = "TooManyConnectionsFromAddress";
    assert_refused(&mut Client::shake(server.rtmp), &url(&server), word);
    assert_eq!(refused(&server, "address_full"), 1.0);
    drop(held);
    until_let_in(&server);
}

#[test]
fn one_too_many_to_a_distribution() {
    let folder = media::folder().display();
    let server = with(&format!(
        "[limits]\nmax_connections_per_distribution = 2\n[[distribution]]\nid = \"small\"\n\
         bucket = \"{folder}\"\nhosts = [\"small.example.com\"]\nmax_connections = 1\n"
    ));
    let small = "rtmp://small.example.com/cfx/st";
    let word = "TooManyConnectionsToDistribution";
    let mut first = Client::shake(server.rtmp);
    let answer = first.connect_with("cfx/st", &[("tcUrl", Amf::text(small))]);
    assert_eq!(answer.name().as_deref(), Some("_result"));
    assert_refused(&mut Client::shake(server.rtmp), small, word);
    // By another of its names too; the default distribution has places of its own.
    let own = "rtmp://small.streamfront.localhost/cfx/st";
    assert_refused(&mut Client::shake(server.rtmp), own, word);
    let _held = [0, 1].map(|_| Client::open(server.rtmp));
    assert_refused(&mut Client::shake(server.rtmp), &url(&server), word);
    assert_eq!(refused(&server, "distribution_full"), 3.0);
}

/// Only so many are told at a time; the rest are closed at once, and whoever is in plays on.
#[test]
fn a_crowd_is_turned_away_at_a_bounded_cost() {
    let server = with("[limits]\nmax_connections = 1\nhandshake_timeout = \"10m\"\n");
    let mut inside = Client::unpaced(server.rtmp);
    let crowd: Vec<Client> = (0..CROWD)
        .map(|_| Client::raw(server.rtmp).expect("a connection"))
        .collect();
    let expected = |metrics: &Metrics| {
        metrics.get("streamfront_connections_accepted_total") == CROWD as f64 + 1.0
    };
    let metrics = Metrics::until(server.api, "all have come", expected);
    let open = metrics.get("streamfront_connections_open");
    assert_eq!(open, 257.0, "one inside, and 256 who are being told");
    assert_eq!(refused(&server, "unheard"), CROWD as f64 - 256.0);
    assert!(Client::try_shake(server.rtmp).is_err());
    inside.play_all(1, "mp4:plain.mp4");
    inside.until_status("NetStream.Play.Stop");
    drop((crowd, inside));
    until_let_in(&server);
}

/// Reads a play and checks, message by message, that no more has come since the connection began
/// than the rate allows, a step of it, and what a message may be longer.
fn assert_capped(server: &Server, url: &str, cap: f64) {
    let largest = packets::source(&media::file("large.mp4"))
        .iter()
        .map(|packet| packet.size as u64)
        .max()
        .expect("packets") as f64;
    let begin = Instant::now();
    let mut client = Client::shake(server.rtmp);
    let answer = client.connect_with("cfx/st", &[("tcUrl", Amf::text(url))]);
    assert_eq!(answer.name().as_deref(), Some("_result"));
    client.create_stream();
    client.set_buffer(1, UNPACED);
    client.play_all(1, "mp4:large.mp4");
    // Chunk headers and the replies at the start come on top of the largest payload.
    let most_at_once = (cap / 2.0).max(cap / 4.0 + largest) + 8_192.0;
    while (client.received() as f64) < cap * 4.0 {
        let message = client.next().expect("the play goes on");
        assert!(
            message
                .status()
                .is_none_or(|status| status.level != "error"),
            "{message:?}"
        );
        let due = cap * begin.elapsed().as_secs_f64() + most_at_once;
        let received = client.received() as f64;
        assert!(received <= due, "{received} bytes where {due} are due");
    }
    client.seek(1, 20_000.0);
    client.until_status("NetStream.Seek.Notify");
    client.until("media", Message::is_media);
    let due = cap * begin.elapsed().as_secs_f64() + most_at_once;
    assert!(
        client.received() as f64 <= due,
        "a seek begins no new account"
    );
}

#[test]
fn a_viewer_is_sent_no_more_than_the_rate() {
    let server = with("[limits]\nmax_rate = \"300kB\"\n");
    assert_capped(&server, &url(&server), 300_000.0);
}

/// A distribution's own cap counts instead, and a film below it plays whole and right.
#[test]
fn a_distribution_has_a_rate_of_its_own() {
    let folder = media::folder().display();
    let server = with(&format!(
        "[limits]\nmax_rate = \"50MB\"\n[[distribution]]\nid = \"slow\"\nbucket = \"{folder}\"\n\
         hosts = [\"slow.example.com\"]\nmax_rate = \"300kB\"\n"
    ));
    assert_capped(&server, "rtmp://slow.example.com/cfx/st", 300_000.0);
    let mut client = Client::unpaced(server.rtmp);
    client.play_all(1, "mp4:large.mp4");
    let messages = client.until_status("NetStream.Play.Stop");
    let source = packets::source(&media::file("large.mp4"));
    packets::assert_played("capped high", &source, &packets::messages(&messages));
}
