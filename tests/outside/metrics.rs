//! The API port: health, and metrics that say what was played.

use crate::support::amf::Amf;
use crate::support::client::{Client, UNPACED};
use crate::support::http;
use crate::support::message::Message;
use crate::support::metrics::Metrics;
use crate::support::proxy::Proxy;
use crate::support::server::{Server, Setup};
use crate::support::{media, seaweed};

/// The media bytes of a play, as its Play.Complete says them.
fn bytes_of(messages: &[Message]) -> f64 {
    let complete = messages
        .iter()
        .filter_map(Message::status)
        .find(|status| status.code == "NetStream.Play.Complete")
        .expect("Play.Complete");
    complete
        .info
        .get("bytes")
        .and_then(Amf::as_number)
        .expect("bytes")
}

fn alone(metrics: &Metrics) -> bool {
    metrics.get("streamfront_connections_open") == 0.0
}

#[test]
fn the_text_is_what_each_scraper_asks_for() {
    let server = Setup::directory(media::folder()).start();
    let answer = http::get(server.api, "/metrics");
    let kind = answer.header("content-type").unwrap_or_default();
    assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
    let classic = Metrics::parse(&answer.text(), false);

    let accept = "Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5\r\n";
    let answer = http::request(server.api, "GET", "/metrics", accept);
    let kind = answer.header("content-type").unwrap_or_default();
    assert!(
        kind.starts_with("application/openmetrics-text; version=1.0.0"),
        "{kind}"
    );
    let open = Metrics::parse(&answer.text(), true);
    assert!(
        classic.samples.keys().eq(open.samples.keys()),
        "the same samples in both"
    );

    let version = format!(
        "streamfront_build_info{{version=\"{}\"}}",
        env!("CARGO_PKG_VERSION")
    );
    assert_eq!(classic.get(&version), 1.0);
    let descriptors = server.descriptors() as f64;
    assert!(classic.get("process_open_fds") <= descriptors + 8.0);
    assert!(classic.get("process_resident_memory_bytes") <= 2.0 * server.resident() as f64);
}

#[test]
fn the_api_port_is_named_and_says_that_the_server_is_well() {
    let server = Setup::directory(media::folder()).start();
    let named = format!("api on {}", server.api);
    assert!(server.ready_line.contains(&named), "{}", server.ready_line);
    assert_eq!(http::get(server.api, "/healthz").status, 200);
    assert_eq!(http::get(server.api, "/").status, 404);
    assert_eq!(
        http::request(server.api, "DELETE", "/metrics", "").status,
        405
    );
    assert_eq!(
        http::get(server.http, "/metrics").status,
        404,
        "not for the public"
    );
}

/// Two plays of one object, a seek, and a name that is not there: every count is what the players
/// saw, and what the S3 server was asked.
#[test]
fn counts_match_what_was_played() {
    let proxy = Proxy::start(seaweed::shared().address);
    let mut setup = Setup::s3(seaweed::shared());
    setup.environment = seaweed::environment(proxy.address);
    let server = setup.start();
    let (asked, read) = (proxy.requests("").len(), proxy.delivered());
    let before = Metrics::of(server.api);
    assert_eq!(before.sum("streamfront_origin_requests_total"), 0.0);

    let (mut received, mut media) = (0, 0.0);
    for _ in 0..2 {
        let mut client = Client::unpaced(server.rtmp);
        client.play_all(1, "mp4:bframes.mp4");
        media += bytes_of(&client.until_status("NetStream.Play.Stop"));
        received += client.received();
    }
    let mut client = Client::unpaced(server.rtmp);
    client.play_all(1, "mp4:there_is_none.mp4");
    client.until_status("NetStream.Play.StreamNotFound");
    received += client.received();
    drop(client);

    let metrics = Metrics::until(server.api, "alone", alone);
    assert_eq!(metrics.get("streamfront_connections_accepted_total"), 3.0);
    assert_eq!(
        metrics.get("streamfront_connections_closed_total{reason=\"viewer\"}"),
        3.0
    );
    assert_eq!(metrics.get("streamfront_streams_open"), 0.0);
    assert_eq!(metrics.get("streamfront_plays_started_total"), 3.0);
    assert_eq!(metrics.get("streamfront_plays_underway"), 0.0);
    assert_eq!(
        metrics.get("streamfront_plays_ended_total{result=\"complete\"}"),
        2.0
    );
    assert_eq!(
        metrics.get("streamfront_plays_ended_total{result=\"not_found\"}"),
        1.0
    );
    assert_eq!(metrics.sum("streamfront_plays_ended_total"), 3.0);
    assert_eq!(
        metrics.get("streamfront_sent_bytes_total{kind=\"media\"}"),
        media
    );
    assert_eq!(metrics.sum("streamfront_sent_bytes_total"), received as f64);
    assert_eq!(metrics.get("streamfront_first_byte_seconds_count"), 2.0);

    // The first play brought every segment, and the second found it.
    let waited = metrics.get("streamfront_viewer_segments_total{found=\"waited\"}");
    let found = metrics.get("streamfront_viewer_segments_total{found=\"memory\"}");
    assert!(
        waited >= 1.0 && found >= waited,
        "{waited} waited for, {found} found"
    );
    assert!(metrics.get("streamfront_cache_hits_total{tier=\"memory\"}") >= found);
    assert!(metrics.get("streamfront_cache_entries") >= 1.0);
    let held = metrics.get("streamfront_cache_bytes");
    assert!(held > media / 2.0 && held <= metrics.get("streamfront_cache_bound_bytes"));
    assert_eq!(metrics.get("streamfront_renders_in_flight"), 0.0);

    let requests = metrics.sum("streamfront_origin_requests_total");
    assert_eq!(requests as usize, proxy.requests("").len() - asked);
    assert_eq!(
        metrics.get("streamfront_origin_request_seconds_count"),
        requests
    );
    assert_eq!(
        metrics.get("streamfront_origin_requests_total{result=\"not_modified\"}"),
        1.0
    );
    assert!(metrics.get("streamfront_origin_requests_total{result=\"not_found\"}") >= 1.0);
    let bytes = metrics.get("streamfront_origin_bytes_total");
    let size = std::fs::metadata(media::file("bframes.mp4"))
        .expect("a file")
        .len();
    assert!(bytes >= size as f64 * 0.9 && bytes <= (proxy.delivered() - read) as f64);
}

/// A seek is timed; a play that is left is stopped, not complete.
#[test]
fn seeks_and_plays_that_are_left_are_counted() {
    let server = Setup::directory(media::folder()).start();
    let mut client = Client::open(server.rtmp);
    client.create_stream();
    client.play_all(1, "mp4:large.mp4");
    client.until("media", Message::is_media);
    let during = Metrics::of(server.api);
    assert_eq!(during.get("streamfront_plays_underway"), 1.0);
    assert_eq!(during.get("streamfront_streams_open"), 1.0);
    client.seek(1, 30_000.0);
    client.until_status("NetStream.Seek.Notify");
    client.until("media", Message::is_media);
    drop(client);
    let metrics = Metrics::until(server.api, "alone", alone);
    assert_eq!(metrics.get("streamfront_seek_seconds_count"), 1.0);
    assert_eq!(metrics.get("streamfront_first_byte_seconds_count"), 1.0);
    assert_eq!(
        metrics.get("streamfront_plays_ended_total{result=\"stopped\"}"),
        1.0
    );
    assert_eq!(metrics.get("streamfront_plays_underway"), 0.0);
}

#[test]
fn who_breaks_the_protocol_is_counted() {
    let server = Setup::directory(media::folder()).start();
    let mut client = Client::shake(server.rtmp);
    client.command(0, "createStream", 2.0, &[Amf::Null]);
    client.until_closed();
    let metrics = Metrics::until(server.api, "alone", alone);
    assert_eq!(
        metrics.get("streamfront_violations_total{kind=\"order\"}"),
        1.0
    );
    assert_eq!(
        metrics.get("streamfront_connections_closed_total{reason=\"violation\"}"),
        1.0
    );
}

/// Who takes no byte for the stated time is closed, and the time counts as back-pressure.
#[test]
fn a_stalled_viewer_is_closed_and_counted() {
    let server: Server = Setup::directory(media::folder())
        .config("[limits]\nstall_timeout = \"1s\"\n")
        .start();
    let mut client = Client::shake_with_window(server.rtmp, 64 << 10);
    client.connect("cfx/st");
    client.create_stream();
    client.set_buffer(1, UNPACED);
    client.play_all(1, "mp4:large.mp4");
    client.until("media", Message::is_media);
    let metrics = Metrics::until(server.api, "alone", alone);
    assert_eq!(
        metrics.get("streamfront_connections_closed_total{reason=\"stalled\"}"),
        1.0
    );
    assert!(metrics.get("streamfront_backpressure_seconds_total") >= 1.0);
    assert_eq!(
        metrics.get("streamfront_plays_ended_total{result=\"stopped\"}"),
        1.0
    );
    assert!(server.log().contains("took no byte"), "{}", server.log());
}
