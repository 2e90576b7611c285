//! What a play costs the S3 server, and what the S3 server's failures cost a play.

use std::sync::{Arc, Barrier};

use crate::support::client::{Client, UNPACED};
use crate::support::message::Message;
use crate::support::proxy::{Mood, Proxy};
use crate::support::server::{Server, Setup};
use crate::support::{kernel, media, packets, seaweed};

/// A server of its own whose S3 traffic goes through a proxy.
fn behind_a_proxy() -> (Proxy, Server) {
    let proxy = Proxy::start(seaweed::shared().address);
    let mut setup = Setup::s3(seaweed::shared());
    setup.environment = seaweed::environment(proxy.address);
    let server = setup.start();
    (proxy, server)
}

/// First and last byte of a range header.
fn bounds(range: &str) -> Option<(u64, u64)> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    Some((first.parse().ok()?, last.parse().ok()?))
}

/// A hundred viewers who come at once to an object that nobody has played cost one pass over it.
#[test]
fn a_hundred_cold_viewers_cost_one_pass() {
    let (proxy, server) = behind_a_proxy();
    let before = proxy.delivered();
    let start = Arc::new(Barrier::new(100));
    let address = server.rtmp;
    let viewers: Vec<_> = (0..100)
        .map(|_| {
            let start = Arc::clone(&start);
            std::thread::spawn(move || {
                let mut client = Client::unpaced(address);
                start.wait();
                client.play_all(1, "mp4:large.mp4");
                let mut count = 0;
                loop {
                    let message = client.next().expect("the play ends before the connection");
                    count += usize::from(message.is_media() && !message.is_head());
                    let code = message.status().map(|status| status.code);
                    match code.as_deref() {
                        Some("NetStream.Play.Stop") => return count,
                        Some("NetStream.Play.Failed") => panic!("the play failed"),
                        _ => {}
                    }
                }
            })
        })
        .collect();
    let wanted = packets::source(&media::file("large.mp4")).len();
    for viewer in viewers {
        assert_eq!(viewer.join().expect("a viewer plays to the end"), wanted);
    }
    let size = std::fs::metadata(media::file("large.mp4"))
        .expect("a file")
        .len();
    let spent = proxy.delivered() - before;
    // Heads of answers, the probe and the index beside the one pass over the media.
    assert!(
        spent < size + size / 4,
        "{spent} bytes read for an object of {size}"
    );
    assert!(
        spent >= size * 9 / 10,
        "{spent} bytes cannot be the whole object of {size}"
    );
}

/// To play the last seconds of an indexed object, its beginning is not read (rule 18 and 19).
#[test]
fn a_part_of_an_object_costs_a_part() {
    let (proxy, server) = behind_a_proxy();
    let before = proxy.delivered();
    let mut client = Client::unpaced(server.rtmp);
    client.play(1, "mp4:large.mp4", 37_000.0, -1.0, true);
    client.until_status("NetStream.Play.Stop");
    let size = std::fs::metadata(media::file("large.mp4"))
        .expect("a file")
        .len();
    let spent = proxy.delivered() - before;
    assert!(
        spent < size / 3,
        "{spent} of {size} bytes read for the last three seconds"
    );
    for request in proxy.requests("large.mp4") {
        assert!(
            request.line.starts_with("GET "),
            "no HEAD (rule 18): {request:?}"
        );
        let (first, last) = request
            .range
            .as_deref()
            .and_then(bounds)
            .expect("a bounded range");
        assert!(
            last - first < size / 3,
            "one read of {} bytes",
            last - first + 1
        );
    }
}

/// Who watches the beginning of a long object costs what was sent to them, the index, the segment
/// in progress and one segment of read-ahead: paced by a client buffer of 3 s, not the object.
#[test]
fn a_viewer_who_leaves_early_costs_what_they_watched() {
    /// A segment at most (design.md).
    const SEGMENT: u64 = 512 << 10;
    /// The probe: it has the index of this object, and may hold more than the first segment takes.
    const PROBE: u64 = 144 << 10;
    /// Heads of the answers.
    const HEADS: u64 = 1 << 10;
    let (proxy, server) = behind_a_proxy();
    let before = proxy.delivered();
    let mut client = Client::open(server.rtmp);
    client.create_stream();
    client.set_buffer(1, 3_000);
    client.play_all(1, "mp4:large.mp4");
    // A lead of 4 s (rule 6), and one second of watching.
    client.until("5 s of media", |message| {
        message.is_media() && message.time >= 5_000
    });
    let spent = proxy.delivered() - before;
    // Later than the other, so that nothing is on its way that was not counted.
    let sent = client.received() + kernel::held(&client);
    let requests = proxy.requests("large.mp4").len() as u64;
    let most = PROBE + sent + 2 * SEGMENT + requests * HEADS;
    assert!(
        spent <= most,
        "{spent} bytes read for {sent} that were sent, in {requests} requests"
    );
    let size = std::fs::metadata(media::file("large.mp4"))
        .expect("a file")
        .len();
    assert!(sent < size / 3, "{sent} of {size} bytes sent: not paced");
}

/// A name -> object binding is checked at each play; warm media costs nothing more.
#[test]
fn a_second_viewer_costs_no_media() {
    let (proxy, server) = behind_a_proxy();
    let play = || {
        let mut client = Client::unpaced(server.rtmp);
        client.play_all(1, "mp4:bframes.mp4");
        packets::messages(&client.until_status("NetStream.Play.Stop"))
    };
    let first = play();
    let before = proxy.delivered();
    let second = play();
    assert_eq!(first, second, "the second viewer gets what the first got");
    let spent = proxy.delivered() - before;
    assert!(
        spent < 16 << 10,
        "{spent} bytes read for a play that was cached"
    );
}

/// A short failure of the S3 server is bridged by retries, without a byte lost.
#[test]
fn a_short_outage_is_bridged() {
    for mood in [Mood::Unavailable, Mood::Cut(100_000)] {
        let (proxy, server) = behind_a_proxy();
        let mut client = Client::open(server.rtmp);
        client.create_stream();
        client.set_buffer(1, 1_000);
        client.play_all(1, "mp4:large.mp4");
        let mut messages = client.until("media", Message::is_media);
        proxy.set(mood);
        client.set_buffer(1, UNPACED);
        std::thread::sleep(std::time::Duration::from_millis(150));
        proxy.set(Mood::Honest);
        messages.extend(client.until_status("NetStream.Play.Stop"));
        let source = packets::source(&media::file("large.mp4"));
        packets::assert_played(&format!("{mood:?}"), &source, &packets::messages(&messages));
    }
}

/// A long one ends in Play.Failed, with the cause in the log; the server and other names live on.
#[test]
fn a_long_outage_fails_the_play_and_nothing_else() {
    let (proxy, server) = behind_a_proxy();
    let mut client = Client::unpaced(server.rtmp);
    proxy.set(Mood::Unavailable);
    client.play_all(1, "mp4:large.mp4");
    let messages = client.until("a failure", |message| {
        message
            .status()
            .is_some_and(|status| status.level == "error")
    });
    let status = messages.last().and_then(Message::status).expect("a status");
    assert_eq!(status.code, "NetStream.Play.Failed");
    assert!(
        server.log().contains("503"),
        "the cause is in the log:\n{}",
        server.log()
    );

    proxy.set(Mood::Honest);
    client.play_all(1, "mp4:plain.mp4");
    let messages = client.until_status("NetStream.Play.Stop");
    let source = packets::source(&media::file("plain.mp4"));
    packets::assert_played("after the outage", &source, &packets::messages(&messages));
}

/// An S3 server that accepts and never answers is given up on, within a bound.
#[test]
fn silence_fails_the_play() {
    let (proxy, server) = behind_a_proxy();
    proxy.set(Mood::Silent);
    let mut client = Client::unpaced(server.rtmp);
    client
        .socket()
        .set_read_timeout(Some(std::time::Duration::from_secs(120)))
        .expect("a timeout");
    client.play_all(1, "mp4:large.mp4");
    let messages = client.until("a failure", |message| {
        message
            .status()
            .is_some_and(|status| status.level == "error")
    });
    let status = messages.last().and_then(Message::status).expect("a status");
    assert_eq!(status.code, "NetStream.Play.Failed");
}
