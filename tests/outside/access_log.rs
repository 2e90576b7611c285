//! Access logs as their readers get them: delivered objects, read back from a real S3 server and
//! parsed by the documented list of fields (cloudfront.md, section 4).

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::access_log::{Row, by_client, delivered, disconnects, story, wait_for};
use crate::support::amf::Amf;
use crate::support::client::{Client, UNPACED};
use crate::support::distributions::{Config, Control};
use crate::support::media;
use crate::support::metrics::Metrics;
use crate::support::place::{Place, kill};
use crate::support::seaweed::{self, ACCESS_KEY, SECRET_KEY, Seaweed};
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

/// Plays a film to its end and leaves.
fn watch(rtmp: SocketAddr, name: &str) {
    let mut client = enter(rtmp);
    client.play_all(1, name);
    client.until_status("NetStream.Play.Stop");
}

/// A distribution of a directory with one film, which logs into `logs` on `seaweed`.
fn of_a_directory(folder: &tempfile::TempDir, seaweed: &Seaweed, more: &str) -> String {
    fs::copy(media::file("plain.mp4"), folder.path().join("plain.mp4")).expect("a film");
    format!(
        "default_distribution = 'EDIR'\n{more}\n[[s3]]\nsuffix = 's3.test'\n\
         endpoint = 'http://{}'\naccess_key_id = '{ACCESS_KEY}'\n\
         secret_access_key = '{SECRET_KEY}'\n[[distribution]]\nid = 'EDIR'\n\
         bucket = '{}'\nlog_bucket = 'logs.s3.test'\n",
        seaweed.address,
        folder.path().display()
    )
}

/// That every connection has the whole story of [`watch`], and no row is there twice.
fn assert_watched(what: &str, rows: Vec<Row>, connections: usize) {
    let all = by_client(rows);
    assert_eq!(all.len(), connections, "{what}");
    for (id, mut rows) in all {
        rows.sort_by_key(|row| {
            let order = ["connect", "play", "stop", "disconnect"];
            order.iter().position(|event| *event == row.get("x-event"))
        });
        let expected = [
            "connect - -",
            "play plain 1",
            "stop plain 1",
            "disconnect - -",
        ];
        assert_eq!(story(&rows), expected, "{what}, {id}");
    }
}

#[test]
fn every_event_of_a_mix_of_players_is_on_record_once_and_in_order() {
    let seaweed = seaweed::shared();
    seaweed.create_bucket("logs-of-a-mix");
    let server = start(seaweed, "logs-of-a-mix", "[access_log]\nedge = 'SEA4'\n");
    let rtmp = server.rtmp;

    // One who does everything, on two streams, and closes them.
    let mut busy = enter(rtmp);
    busy.set_buffer(1, 1000);
    busy.play_all(1, "mp4:plain.mp4");
    busy.until_status("NetStream.Play.Start");
    busy.pause(1, true, 500.0);
    busy.until_status("NetStream.Pause.Notify");
    busy.pause(1, false, 500.0);
    busy.until_status("NetStream.Unpause.Notify");
    busy.seek(1, 2000.0);
    busy.until_status("NetStream.Seek.Notify");
    assert_eq!(busy.create_stream(), 2);
    busy.set_buffer(2, 1000);
    busy.play_all(2, "mp4:bframes.mp4");
    busy.until("the second", |message| {
        let status = message.status();
        message.stream == 2 && status.is_some_and(|it| it.code == "NetStream.Play.Start")
    });
    busy.command(1, "closeStream", 0.0, &[Amf::Null]);
    busy.command(0, "deleteStream", 0.0, &[Amf::Null, Amf::Number(2.0)]);
    // An answer shows that both were taken.
    busy.create_stream();
    drop(busy);

    // A playlist, and a name that is not there: a refusal is no row.
    let mut list = enter(rtmp);
    list.play_all(1, "mp4:nothing.mp4");
    list.until("the refusal", |message| {
        message.status().is_some_and(|it| it.level == "error")
    });
    // In one write: a first item that has ended already would not be switched from.
    list.at_once(|list| {
        list.play_all(1, "mp4:plain.mp4");
        list.play(1, "mp4:bframes.mp4", 0.0, -1.0, false);
    });
    list.until_status("NetStream.Play.Switch");
    list.until_status("NetStream.Play.Stop");
    // Sought after its end it is the same play.
    list.seek(1, 0.0);
    list.until_status("NetStream.Seek.Notify");
    drop(list);

    // One who vanishes in the middle.
    let mut abrupt = enter(rtmp);
    abrupt.set_buffer(1, 1000);
    abrupt.play_all(1, "mp4:plain.mp4");
    abrupt.until_status("NetStream.Play.Start");
    let linger = socket2::SockRef::from(abrupt.socket()).set_linger(Some(Duration::ZERO));
    linger.expect("a reset");
    drop(abrupt);

    let rows = wait_for(seaweed, "logs-of-a-mix", "the log", disconnects(3));
    let edges: BTreeSet<&str> = rows.iter().map(|row| row.get("x-edge-location")).collect();
    assert_eq!(edges, BTreeSet::from(["SEA4"]));
    let mut stories: Vec<Vec<String>> = by_client(rows).values().map(|it| story(it)).collect();
    stories.sort_by_key(Vec::len);
    let abrupt = [
        "connect - -",
        "play plain 1",
        "stop plain 1",
        "disconnect - -",
    ];
    let list = [
        "connect - -",
        "play plain 1",
        "stop plain 1",
        "play bframes 1",
        "stop bframes 1",
        "seek bframes 1",
        "disconnect - -",
    ];
    let busy = [
        "connect - -",
        "play plain 1",
        "pause plain 1",
        "unpause plain 1",
        "seek plain 1",
        "play bframes 2",
        "stop plain 1",
        "stop bframes 2",
        "disconnect - -",
    ];
    assert_eq!(stories, [&abrupt[..], &list, &busy]);
}

#[test]
fn what_was_logged_while_the_bucket_was_down_arrives_once_when_it_is_back() {
    let mut seaweed = Seaweed::start();
    seaweed.create_bucket("logs");
    seaweed.stop();
    let folder = tempfile::tempdir().expect("a folder");
    let text = of_a_directory(&folder, &seaweed, "[access_log]\ndelivery = '300ms'\n");
    let server = Setup::default().config(&text).start();
    for _ in 0..5 {
        watch(server.rtmp, "mp4:plain.mp4");
        std::thread::sleep(Duration::from_millis(400));
    }
    let failed = "streamfront_access_log_delivery_failures_total";
    let metrics = Metrics::until(server.api, "refused", |it| it.get(failed) > 1.0);
    assert!(metrics.get("streamfront_access_log_spool_bytes") > 0.0);
    assert!(metrics.get("streamfront_access_log_oldest_seconds") > 0.0);
    assert_eq!(metrics.get("streamfront_access_log_delivered_total"), 0.0);
    seaweed.start_again();
    let rows = wait_for(&seaweed, "logs", "the log", disconnects(5));
    assert_watched("after the outage", rows, 5);
    let metrics = Metrics::until(server.api, "delivered", |it| {
        it.get("streamfront_access_log_spool_bytes") == 0.0
    });
    assert_eq!(metrics.get("streamfront_access_log_spooled_total"), 20.0);
    assert_eq!(metrics.get("streamfront_access_log_delivered_total"), 20.0);
    assert_eq!(metrics.sum("streamfront_access_log_lost_total"), 0.0);
}

#[test]
fn a_killed_server_loses_nothing_that_was_spooled_and_delivers_nothing_twice() {
    let seaweed = Seaweed::start();
    seaweed.create_bucket("logs");
    let folder = tempfile::tempdir().expect("a folder");
    let place = Place::new();
    let spooled = |place: &Place| {
        let metrics = Metrics::of(place.api);
        metrics.get("streamfront_access_log_spooled_total") as usize
    };
    let mut known = 0;
    for round in 0..6_u64 {
        // At first nothing is delivered before the kill, later some of it.
        let delivery = if round < 2 { "1h" } else { "100ms" };
        let more = format!("[access_log]\ndelivery = '{delivery}'\n");
        place.configure(&of_a_directory(&folder, &seaweed, &more));
        let process = place.start();
        for _ in 0..3 {
            watch(place.rtmp, "mp4:plain.mp4");
        }
        std::thread::sleep(Duration::from_millis(37 * round));
        known += spooled(&place);
        kill(process);
    }
    let server = place.start();
    let end = Instant::now() + Duration::from_secs(60);
    let rows = loop {
        let rows: Vec<Row> = delivered(&seaweed, "logs")
            .into_values()
            .flatten()
            .collect();
        if rows.len() >= known {
            break rows;
        }
        assert!(Instant::now() < end, "{} of {known} rows came", rows.len());
        std::thread::sleep(Duration::from_millis(200));
    };
    // Each of them is unique: id, event and name tell it from all others.
    let events = rows
        .iter()
        .map(|row| (row.get("x-cf-client-id"), row.get("x-event")));
    assert_eq!(events.collect::<BTreeSet<_>>().len(), rows.len());
    assert!(rows.len() <= 6 * 3 * 4 && known > 6 * 3 * 3, "{known}");
    kill(server);
}

#[test]
fn a_second_server_on_the_same_data_directory_is_refused_and_touches_nothing() {
    let seaweed = Seaweed::start();
    seaweed.create_bucket("logs");
    let folder = tempfile::tempdir().expect("a folder");
    let place = Place::new();
    place.configure(&of_a_directory(
        &folder,
        &seaweed,
        "[access_log]\ndelivery = '1h'\n",
    ));
    let first = place.start();
    watch(place.rtmp, "mp4:plain.mp4");
    let refusal = place.start_another().expect_err("no second one");
    assert!(!refusal.status.success());
    let said = &refusal.stderr;
    let lines: Vec<&str> = said
        .lines()
        .filter(|it| it.contains("another server"))
        .collect();
    assert_eq!(lines.len(), 1, "{said}");
    assert!(
        lines[0].contains("access-log; give each a data_dir of its own"),
        "{said}"
    );
    watch(place.rtmp, "mp4:plain.mp4");
    let spooled = "streamfront_access_log_spooled_total";
    Metrics::until(place.api, "spooled", |it| it.get(spooled) == 8.0);
    kill(first);
    let next = place.start();
    let rows = wait_for(&seaweed, "logs", "the log", disconnects(2));
    assert_watched("of both runs", rows, 2);
    kill(next);
}

#[test]
fn the_server_delivers_what_waits_when_it_stops() {
    let seaweed = seaweed::shared();
    seaweed.create_bucket("logs-of-a-stop");
    let mut server = start(seaweed, "logs-of-a-stop", "[access_log]\ndouble = true\n");
    let mut client = enter(server.rtmp);
    client.set_buffer(1, 1000);
    client.play_all(1, "mp4:plain.mp4");
    client.until_status("NetStream.Play.Start");
    drop(client);
    server.terminate();
    assert!(server.wait().success());
    let rows: Vec<Row> = delivered(seaweed, "logs-of-a-stop")
        .into_values()
        .flatten()
        .collect();
    assert_watched("at the stop", rows.clone(), 1);
    assert_eq!(rows[0].get("c-user-agent"), "LNX%252010,0,32,18");
}

#[test]
fn log_settings_that_the_api_changes_hold_for_the_next_event() {
    let seaweed = seaweed::shared();
    let buckets = ["logs-before", "logs-after"];
    buckets
        .iter()
        .for_each(|bucket| seaweed.create_bucket(bucket));
    let server = Setup {
        environment: seaweed.environment(),
        ..Setup::default()
    }
    .with_key()
    .argument("--log-delivery=300ms")
    .config("[http]\n")
    .start();
    let control = Control::operator(server.api);
    let identity = control.identity("logs");
    let config = Config::new("logs", "media.s3.amazonaws.com").identity(&identity);
    let made = control.serve(&config);
    let enter = || {
        let mut client = Client::shake(server.rtmp);
        let url = format!("rtmp://{}/cfx/st", made.domain_name);
        client.connect_with("cfx/st", &[("tcUrl", Amf::Text(url))]);
        assert_eq!(client.create_stream(), 1);
        client.set_buffer(1, UNPACED);
        client
    };
    // Without a log bucket nothing is logged.
    let mut client = enter();
    client.play_all(1, "mp4:plain.mp4");
    client.until_status("NetStream.Play.Stop");
    let switch = |bucket: &str| {
        let domain = format!("{bucket}.s3.amazonaws.com");
        let changed = config.clone().logging(&domain, "a/b");
        control.deployed(&control.update(&control.get(&made.id), &changed));
    };
    switch(buckets[0]);
    client.play_all(1, "mp4:bframes.mp4");
    client.until_status("NetStream.Play.Stop");
    let stopped = |rows: &[Row]| rows.iter().any(|row| row.get("x-event") == "stop");
    let rows = wait_for(seaweed, buckets[0], "the first log", stopped);
    assert_eq!(story(&rows), ["play bframes 1", "stop bframes 1"]);
    // While a play runs.
    client.set_buffer(1, 1000);
    client.play_all(1, "mp4:plain.mp4");
    client.until_status("NetStream.Play.Start");
    client.pause(1, true, 0.0);
    client.until_status("NetStream.Pause.Notify");
    switch(buckets[1]);
    client.pause(1, false, 0.0);
    client.until_status("NetStream.Unpause.Notify");
    drop(client);
    let rows = wait_for(seaweed, buckets[1], "the second log", disconnects(1));
    let expected = ["unpause plain 1", "stop plain 1", "disconnect - -"];
    assert_eq!(story(&rows), expected);
    for bucket in buckets {
        let keys: Vec<String> = delivered(seaweed, bucket).into_keys().collect();
        let start = format!("a/b/{}.", made.id);
        assert!(keys.iter().all(|key| key.starts_with(&start)), "{keys:?}");
        assert!(!keys.is_empty());
    }
}

#[test]
fn json_lines_tell_of_every_event_and_of_who_was_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("access.json");
    let config = format!("[access_log]\njson = '{}'\n", path.display());
    let server = Setup::s3(seaweed::shared()).config(&config).start();
    let mut refused = Client::shake(server.rtmp);
    refused.connect("no/such");
    refused.until_closed();
    let mut client = enter(server.rtmp);
    client.play_all(1, "mp4:nothing.mp4");
    client.until("the refusal", |message| {
        message.status().is_some_and(|it| it.level == "error")
    });
    client.call(
        0,
        "getStreamLength",
        &[Amf::Null, Amf::text("mp4:nothing.mp4")],
    );
    client.play_all(1, "mp4:plain.mp4?key=a b");
    client.until_status("NetStream.Play.Stop");
    drop(client);
    let end = Instant::now() + Duration::from_secs(30);
    let lines: Vec<Value> = loop {
        let text = fs::read_to_string(&path).unwrap_or_default();
        if text.contains("\"disconnect\"") {
            let lines = text.lines();
            break lines
                .map(|line| serde_json::from_str(line).expect("JSON"))
                .collect();
        }
        assert!(Instant::now() < end, "{text}");
        std::thread::sleep(Duration::from_millis(50));
    };
    let said: Vec<String> = lines
        .iter()
        .map(|line| {
            let word = |key: &str| line[key].as_str().unwrap_or("-").to_owned();
            [word("event"), word("status"), word("reason"), word("name")].join(" | ")
        })
        .collect();
    let expected = [
        "connect | refused | InvalidURI | -",
        "connect | ok | - | -",
        "play | refused | no object has this name | nothing",
        "length | refused | no object has this name | nothing",
        "play | ok | - | plain",
        "stop | ok | complete | plain",
        "disconnect | ok | viewer | -",
    ];
    assert_eq!(said, expected);
    assert_eq!(lines[4]["query"], "key=a b");
    assert_eq!(lines[1]["client_id"], lines[6]["client_id"]);
    // Somebody moves the file away, and says so.
    let moved = folder.path().join("access.json.1");
    fs::rename(&path, &moved).expect("moved");
    server.hang_up();
    let end = Instant::now() + Duration::from_secs(30);
    while !path.exists() {
        watch(server.rtmp, "mp4:plain.mp4");
        assert!(Instant::now() < end, "the file is not opened anew");
    }
}
