//! The disk tier of the cache: what was played once survives the server, unless it was purged, and
//! nothing else does.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::client::{Client, UNPACED};
use crate::support::message::Message;
use crate::support::metrics::Metrics;
use crate::support::proxy::Proxy;
use crate::support::server::{Server, Setup};
use crate::support::{media, packets, seaweed, signing};

const FILM: &str = "large.mp4";

/// A server with a disk cache in `folder`, its S3 traffic through `proxy`.
fn setup(proxy: &Proxy, folder: &Path) -> Setup {
    let mut setup = Setup::s3(seaweed::shared());
    setup.environment = seaweed::environment(proxy.address);
    setup
        .with_key()
        .argument("--cache-disk=64MiB")
        .config(&format!("[cache]\ndisk_dir = '{}'\n", folder.display()))
}

fn play(server: &Server, key: &str) -> Vec<Message> {
    let mut client = Client::unpaced(server.rtmp);
    client.play_all(1, &format!("mp4:{key}"));
    client.until_status("NetStream.Play.Stop")
}

fn assert_plays(what: &str, server: &Server) {
    let source = packets::source(&media::file(FILM));
    let messages = play(server, FILM);
    packets::assert_played(what, &source, &packets::messages(&messages));
}

fn size() -> u64 {
    fs::metadata(media::file(FILM)).expect("a file").len()
}

/// The files of the cache that hold segments.
fn files(folder: &Path) -> Vec<PathBuf> {
    let listed = |path: &Path| {
        let entries = fs::read_dir(path).expect("a folder");
        let paths = entries.map(|entry| entry.expect("an entry").path());
        paths.collect::<Vec<_>>()
    };
    let segments = listed(folder).into_iter().find(|path| path.is_dir());
    let mut files = listed(&segments.expect("the folder of segments"));
    files.sort();
    files
}

#[test]
fn after_a_restart_the_media_comes_from_the_disk() {
    let proxy = Proxy::start(seaweed::shared().address);
    let folder = tempfile::tempdir().expect("a folder");
    let server = setup(&proxy, folder.path()).start();
    assert_plays("cold", &server);
    drop(server);

    let server = setup(&proxy, folder.path()).start();
    let before = proxy.delivered();
    assert_plays("from the disk", &server);
    let spent = proxy.delivered() - before;
    // The probe and the index: what is known of an object is asked anew.
    assert!(spent < size() / 5, "{spent} bytes read of {}", size());
}

/// Killed in the middle of a play, while segments are being written. What is on the disk by then
/// is served; what is not is read again; no byte is wrong.
#[test]
fn after_kill_9_the_disk_is_whole_or_does_not_count() {
    let proxy = Proxy::start(seaweed::shared().address);
    let folder = tempfile::tempdir().expect("a folder");
    for part in 1..=6 {
        let mut server = setup(&proxy, folder.path()).start();
        let mut client = Client::open(server.rtmp);
        client.create_stream();
        client.set_buffer(1, UNPACED);
        client.play_all(1, &format!("mp4:{FILM}"));
        let time = part * 5_000;
        client.until("media", |message| message.is_media() && message.time > time);
        server.kill();
    }
    let server = setup(&proxy, folder.path()).start();
    let before = proxy.delivered();
    assert_plays("after six kills", &server);
    let spent = proxy.delivered() - before;
    assert!(spent < size() / 2, "{spent} bytes read of {}", size());
    drop(server);

    let server = setup(&proxy, folder.path()).start();
    let before = proxy.delivered();
    assert_plays("whole again", &server);
    let spent = proxy.delivered() - before;
    assert!(spent < size() / 5, "{spent} bytes read of {}", size());
}

#[test]
fn a_damaged_disk_costs_speed_and_nothing_else() {
    let proxy = Proxy::start(seaweed::shared().address);
    let folder = tempfile::tempdir().expect("a folder");
    drop({
        let server = setup(&proxy, folder.path()).start();
        assert_plays("cold", &server);
        server
    });
    for file in files(folder.path()) {
        let file = fs::OpenOptions::new()
            .write(true)
            .open(file)
            .expect("a file");
        for at in (5_000..4 << 20).step_by(700_000) {
            file.write_all_at(b"damage", at).expect("a write");
        }
    }
    let server = setup(&proxy, folder.path()).start();
    assert_plays("with damage", &server);
    drop(server);
    for file in files(folder.path()) {
        let file = fs::OpenOptions::new()
            .write(true)
            .open(file)
            .expect("a file");
        file.set_len(1_000_000).expect("a file can be cut");
    }
    let server = setup(&proxy, folder.path()).start();
    assert_plays("cut", &server);
}

/// The list of purges is that of the server which has the directory.
#[test]
fn a_second_server_leaves_the_purges_of_the_first_alone() {
    let proxy = Proxy::start(seaweed::shared().address);
    let folder = tempfile::tempdir().expect("a folder");
    let purges = || fs::read(folder.path().join("purges")).expect("a list of purges");
    let purge = |server: &Server, key: &str| {
        let answer = signing::request(server.api, "DELETE", &format!("/cache?key={key}"));
        assert!(
            answer.text().contains("\"durable\":true"),
            "{}",
            answer.text()
        );
    };
    let first = setup(&proxy, folder.path()).start();
    let second = setup(&proxy, folder.path()).start();
    purge(&first, "a.mp4");
    let list = purges();
    purge(&second, "b.mp4");
    assert_eq!(purges(), list, "changed by the second server");
    drop(second);
    drop(first);
    drop(setup(&proxy, folder.path()).start());
    assert_eq!(purges(), list, "changed by a restart");
}

#[test]
fn a_directory_that_cannot_be_used_costs_a_warning() {
    let proxy = Proxy::start(seaweed::shared().address);
    let server = setup(&proxy, Path::new("/proc/none")).start();
    assert_plays("without a disk", &server);
    let warnings = server.log().matches("there is no disk cache").count();
    assert_eq!(warnings, 1, "{}", server.log());
}

/// Forgets what is kept of the film, as an operator does; that it will hold.
fn purge(server: &Server) {
    let path = format!("/cache?key={FILM}");
    let answer = signing::request(server.api, "DELETE", &path);
    assert_eq!(answer.status, 200, "{answer:?}");
    let said: Value = serde_json::from_slice(&answer.body).expect("JSON");
    assert_eq!(said["durable"], true, "{said}");
}

/// Reads of the disk that found their segment.
fn disk_hits(server: &Server) -> f64 {
    Metrics::of(server.api).get("streamfront_disk_reads_total{result=\"hit\"}")
}

/// What a scraper is told of the disk: nothing of it before the restart, every segment after it.
#[test]
fn after_a_restart_the_metrics_tell_of_the_disk() {
    let proxy = Proxy::start(seaweed::shared().address);
    let folder = tempfile::tempdir().expect("a folder");
    let server = setup(&proxy, folder.path()).start();
    assert_plays("cold", &server);
    assert_eq!(disk_hits(&server), 0.0);
    drop(server);

    let server = setup(&proxy, folder.path()).start();
    assert_plays("from the disk", &server);
    let metrics = Metrics::of(server.api);
    let segments = metrics.get("streamfront_cache_entries");
    let hits = metrics.get("streamfront_disk_reads_total{result=\"hit\"}");
    assert!(hits >= 1.0 && hits >= segments, "{hits} of {segments}");
    assert!(metrics.get("streamfront_disk_read_bytes_total") >= size() as f64 * 0.9);
}

/// What was purged is read from the origin again, though memory and disk still have the bytes; what
/// was read since then is served from both.
#[test]
fn what_was_purged_is_asked_for_anew() {
    let proxy = Proxy::start(seaweed::shared().address);
    let folder = tempfile::tempdir().expect("a folder");
    let server = setup(&proxy, folder.path()).start();
    assert_plays("cold", &server);
    purge(&server);
    let before = proxy.delivered();
    assert_plays("purged", &server);
    let spent = proxy.delivered() - before;
    assert!(spent >= size() * 9 / 10, "{spent} bytes read of {}", size());
    assert_eq!(disk_hits(&server), 0.0);
    drop(server);

    let server = setup(&proxy, folder.path()).start();
    let before = proxy.delivered();
    assert_plays("read since then", &server);
    let spent = proxy.delivered() - before;
    assert!(spent < size() / 5, "{spent} bytes read of {}", size());
}

/// A restart does not bring back what was purged before it.
#[test]
fn a_purge_holds_after_a_restart() {
    let proxy = Proxy::start(seaweed::shared().address);
    let folder = tempfile::tempdir().expect("a folder");
    let server = setup(&proxy, folder.path()).start();
    assert_plays("cold", &server);
    purge(&server);
    drop(server);

    let server = setup(&proxy, folder.path()).start();
    let before = proxy.delivered();
    assert_plays("purged before the restart", &server);
    let spent = proxy.delivered() - before;
    assert!(spent >= size() * 9 / 10, "{spent} bytes read of {}", size());
    assert_eq!(disk_hits(&server), 0.0);
}
