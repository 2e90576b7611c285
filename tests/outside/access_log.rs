//! Access logs as their readers get them: delivered objects, read back from a real S3 server and
//! parsed by the documented list of fields (cloudfront.md, section 4).

use std::net::SocketAddr;

use crate::support::access_log::{by_client, delivered, disconnects, story, wait_for};
use crate::support::amf::Amf;
use crate::support::client::{Client, UNPACED};
use crate::support::seaweed::{self, Seaweed};
use crate::support::server::{Server, Setup};

/// A server whose one distribution logs to `bucket`.
fn start(seaweed: &Seaweed, bucket: &str, more: &str) -> Server {
    let text = format!(
        "default_distribution = 'ELOGGED'\n{more}\n[[distribution]]\nid = 'ELOGGED'\n\
         bucket = 's3://media'\nlog_bucket = '{bucket}.s3.amazonaws.com'\nlog_prefix = 'rtmp'\n"
    );
    Setup {
        environment: seaweed.environment(),
        ..Setup::default()
    }
    .variable("STREAMFRONT_LOG_DELIVERY", "500ms")
    .config(&text)
    .start()
}

/// Connected, with all that a Flash player says of itself.
fn enter(rtmp: SocketAddr) -> Client {
    let mut client = Client::shake(rtmp);
    let url = format!("rtmp://{rtmp}/cfx/st?user=ann&x=%20y");
    let answer = client.connect_with(
        "cfx/st",
        &[
            ("tcUrl", Amf::Text(url)),
            ("pageUrl", Amf::text("http://example.com/a page#top")),
            ("swfUrl", Amf::text("http://example.com/player.swf")),
        ],
    );
    assert_eq!(answer.name().as_deref(), Some("_result"), "{answer:?}");
    assert_eq!(client.create_stream(), 1);
    client.set_buffer(1, UNPACED);
    client
}

#[test]
fn a_play_is_on_record_in_the_log_bucket() {
    let seaweed = seaweed::shared();
    seaweed.create_bucket("logs-of-a-play");
    let server = start(seaweed, "logs-of-a-play", "");
    let mut client = enter(server.rtmp);
    client.play_all(1, "mp4:plain.mp4?Expires=1&Signature=a~b");
    client.until_status("NetStream.Play.Stop");
    let received = client.received();
    drop(client);
    let rows = wait_for(seaweed, "logs-of-a-play", "the log", disconnects(1));
    let ip = server.rtmp.ip().to_string();
    for row in &rows {
        for (field, value) in [
            ("x-edge-location", "LCL1"),
            ("c-ip", &*ip),
            ("x-cf-status", "OK"),
            ("cs-uri-stem", &format!("rtmp://{}/cfx/st", server.rtmp)),
            ("cs-uri-query", "user=ann&x=%2520y"),
            ("c-referrer", "http://example.com/player.swf"),
            ("x-page-url", "http://example.com/a%20page%23top"),
            ("c-user-agent", "LNX%2010,0,32,18"),
        ] {
            assert_eq!(row.get(field), value, "{field}");
        }
    }
    let expected = [
        "connect - -",
        "play plain 1",
        "stop plain 1",
        "disconnect - -",
    ];
    assert_eq!(story(&rows), expected);
    assert_eq!(rows[1].get("x-sname-query"), "Expires=1&Signature=a%7Eb");
    assert_eq!(rows[1].get("x-file-ext"), "mp4");
    assert_eq!(rows[0].get("x-sname-query"), "-");
    // The client counts what it read, its handshake included, and has read all.
    assert_eq!(rows[3].number("sc-bytes"), received);
    let keys: Vec<String> = delivered(seaweed, "logs-of-a-play").into_keys().collect();
    for key in &keys {
        let parts: Vec<&str> = key.split('.').collect();
        let [name, hour, unique, "gz"] = parts[..] else {
            panic!("{key}")
        };
        assert_eq!(name, "rtmp/ELOGGED");
        let date = rows[0].get("date");
        assert!(
            hour.starts_with(&format!("{date}-")) && hour.len() == 13,
            "{key}"
        );
        let letter = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
        assert!(unique.len() == 11 && unique.bytes().all(letter), "{key}");
    }
    assert_eq!(by_client(rows).len(), 1);
}
