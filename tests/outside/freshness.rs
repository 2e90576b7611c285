//! How long what the origin said is believed: nothing is asked within a time to live, what is known
//! is served while the origin is down, and what is not there is remembered for a moment.

use std::time::Duration;

use crate::support::client::Client;
use crate::support::message::Message;
use crate::support::proxy::{Mood, Proxy};
use crate::support::seaweed::{self, BUCKET, Seaweed};
use crate::support::server::{Server, Setup};
use crate::support::{media, packets};

/// A server with one distribution whose objects live so long.
fn setup(environment: Vec<(String, String)>, ttl: &str) -> Setup {
    let text = format!(
        "[[distribution]]\nid = 'films'\nbucket = 's3://{BUCKET}'\nhosts = ['*']\nttl = '{ttl}'\n"
    );
    Setup {
        environment,
        ..Setup::default()
    }
    .config(&text)
}

fn behind(proxy: &Proxy, ttl: &str) -> Server {
    setup(seaweed::environment(proxy.address), ttl).start()
}

fn play(server: &Server, key: &str) -> Vec<Message> {
    let mut client = Client::unpaced(server.rtmp);
    client.play_all(1, &format!("mp4:{key}"));
    client.until_status("NetStream.Play.Stop")
}

fn assert_plays(what: &str, server: &Server, key: &str, file: &str) {
    let source = packets::source(&media::file(file));
    let messages = play(server, key);
    packets::assert_played(what, &source, &packets::messages(&messages));
}

fn assert_not_found(server: &Server, key: &str) {
    let mut client = Client::unpaced(server.rtmp);
    client.play_all(1, &format!("mp4:{key}"));
    client.until_status("NetStream.Play.StreamNotFound");
}

#[test]
fn within_its_time_to_live_an_object_costs_no_request() {
    let seaweed = seaweed::shared();
    let proxy = Proxy::start(seaweed.address);
    let server = behind(&proxy, "24h");
    let key = "freshness/kept.mp4";
    seaweed.put_file(key, &media::file("plain.mp4"));
    assert_plays("the first play", &server, key, "plain.mp4");
    let asked = proxy.requests(key).len();
    // Neither that it was replaced nor that it was removed is seen.
    seaweed.put_file(key, &media::file("bframes.mp4"));
    assert_plays("within its time", &server, key, "plain.mp4");
    seaweed.delete(key);
    assert_plays("within its time", &server, key, "plain.mp4");
    proxy.set(Mood::Unavailable);
    assert_plays("without an origin", &server, key, "plain.mp4");
    assert_eq!(proxy.requests(key).len(), asked);
}

#[test]
fn after_its_time_to_live_an_object_is_asked_for_again() {
    let seaweed = seaweed::shared();
    let proxy = Proxy::start(seaweed.address);
    let server = behind(&proxy, "100ms");
    let key = "freshness/brief.mp4";
    seaweed.put_file(key, &media::file("plain.mp4"));
    assert_plays("the first play", &server, key, "plain.mp4");
    let (asked, delivered) = (proxy.requests(key).len(), proxy.delivered());
    std::thread::sleep(Duration::from_millis(200));
    assert_plays("revalidated", &server, key, "plain.mp4");
    assert_eq!(proxy.requests(key).len(), asked + 1);
    let size = std::fs::metadata(media::file("plain.mp4"))
        .expect("a file")
        .len();
    assert!(proxy.delivered() - delivered < size / 10, "304 has no body");
    seaweed.put_file(key, &media::file("bframes.mp4"));
    std::thread::sleep(Duration::from_millis(200));
    assert_plays("replaced", &server, key, "bframes.mp4");
    seaweed.delete(key);
    std::thread::sleep(Duration::from_millis(200));
    assert_not_found(&server, key);
}

/// Both where the origin is asked at each play and where a time to live has passed.
#[test]
fn the_last_good_copy_is_served_while_the_origin_is_down() {
    let mut seaweed = Seaweed::start();
    seaweed.put_file("a.mp4", &media::file("plain.mp4"));
    let asking = Setup::s3(&seaweed).start();
    let brief = setup(seaweed.environment(), "100ms").start();
    for server in [&asking, &brief] {
        assert_plays("the first play", server, "a.mp4", "plain.mp4");
    }
    seaweed.stop();
    std::thread::sleep(Duration::from_millis(200));
    for server in [&asking, &brief] {
        for _ in 0..3 {
            assert_plays("the last good copy", server, "a.mp4", "plain.mp4");
        }
        let said = server.log();
        assert!(said.contains("what is known is served"), "{said}");
        let mut client = Client::unpaced(server.rtmp);
        client.play_all(1, "mp4:never_played.mp4");
        client.until_status("NetStream.Play.Failed");
    }
}

#[test]
fn what_is_not_there_is_asked_for_once_and_found_soon_after_it_came() {
    let seaweed = seaweed::shared();
    let proxy = Proxy::start(seaweed.address);
    let mut setup = Setup::s3(seaweed);
    setup.environment = seaweed::environment(proxy.address);
    let key = "freshness/late.mp4";
    // Long enough that a slow machine does not pass it between two plays.
    let server = setup
        .clone()
        .config("[cache]\nnegative_ttl = '1h'\n")
        .start();
    assert_not_found(&server, key);
    let asked = proxy.requests(key).len();
    assert!(asked > 0);
    for _ in 0..5 {
        assert_not_found(&server, key);
    }
    assert_eq!(proxy.requests(key).len(), asked);

    let server = setup.config("[cache]\nnegative_ttl = '100ms'\n").start();
    assert_not_found(&server, key);
    seaweed.put_file(key, &media::file("plain.mp4"));
    std::thread::sleep(Duration::from_millis(200));
    assert_plays("it came", &server, key, "plain.mp4");
}
