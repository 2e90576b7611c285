//! How a stream name finds its object, as real clients send it (cloudfront.md 1.4 and 1.7).

use tempfile::tempdir;

use crate::support::amf::Amf;
use crate::support::client::Client;
use crate::support::message::Message;
use crate::support::{media, packets, players, server};

/// Connects to `app`, plays `name` with `start`, and returns all up to the end or an error.
fn ask(app: &str, name: &str, start: f64) -> Vec<Message> {
    let mut client = Client::shake(server::shared().rtmp);
    let answer = client.connect(app);
    assert_eq!(
        answer.name().as_deref(),
        Some("_result"),
        "connect to {app}: {answer:?}"
    );
    client.create_stream();
    client.set_buffer(1, crate::support::client::UNPACED);
    client.play(1, name, start, -1.0, true);
    client.until("an end", |message| {
        message
            .status()
            .is_some_and(|status| status.code == "NetStream.Play.Stop" || status.level == "error")
    })
}

/// Fails unless `name` plays the packets of `file`.
fn finds(app: &str, name: &str, start: f64, file: &str) {
    let messages = ask(app, name, start);
    let status = messages.last().and_then(Message::status).expect("a status");
    assert_eq!(
        status.code, "NetStream.Play.Stop",
        "app {app}, name {name}: {status:?}"
    );
    let path = media::file(file);
    let source = if file.ends_with("flv") {
        packets::messages(&packets::flv_tags(&path))
    } else {
        packets::source(&path)
    };
    packets::assert_played(
        &format!("app {app}, name {name}"),
        &source,
        &packets::messages(&messages),
    );
}

fn finds_nothing(app: &str, name: &str) {
    let messages = ask(app, name, 0.0);
    let status = messages.last().and_then(Message::status).expect("a status");
    assert_eq!(
        status.code, "NetStream.Play.StreamNotFound",
        "app {app}, name {name:?}"
    );
    assert_eq!(status.level, "error");
    assert!(!messages.iter().any(Message::is_media));
}

/// The table of cloudfront.md 1.7, row by row: what each client sends for each form of URL.
#[test]
fn the_captured_requests_of_real_clients_find_their_objects() {
    for (app, name, start, file) in [
        ("cfx/st", "mp4:dir/x.mp4", -2000.0, "plain.mp4"),
        ("cfx/st", "videos/x", -2000.0, "index.flv"),
        ("cfx/st", "mp4:plain.mp4", -2000.0, "plain.mp4"),
        ("cfx/st", "dir/x.mp4?Expires=1", -2000.0, "plain.mp4"),
        (
            "cfx/st",
            "mp4:dir/x.mp4?Expires=1&Signature=abc~_&Key-Pair-Id=APKA",
            -2000.0,
            "plain.mp4",
        ),
        ("cfx/st", "mp3:dir/song", -2000.0, "cbr_id3.mp3"),
        ("cfx/st", "flv:dir/x", -2000.0, "no_index.flv"),
        ("cfx/st", "dir/x", -2000.0, "no_index.flv"),
        ("cfx/st/mp4:dir", "mp4:x", 0.0, "plain.mp4"),
        ("cfx/st/videos", "x", 0.0, "index.flv"),
        ("cfx/st", "mp4:dir/x.mp4?Expires=1", 0.0, "plain.mp4"),
        ("cfx/st/mp4:dir", "x.mp4", -2.0, "plain.mp4"),
    ] {
        finds(app, name, start, file);
    }
}

/// The documented names, and what further players make of them (1.3 and 1.4).
#[test]
fn documented_and_observed_forms_find_their_objects() {
    for (app, name, file) in [
        ("cfx/st", "index.flv", "index.flv"),
        ("cfx/st", "index", "index.flv"),
        ("cfx/st", "mp4:plain", "plain.mp4"),
        ("cfx/st", "plain.mp4", "plain.mp4"),
        ("cfx/st", "mp4:clip", "apple.m4v"),
        ("cfx/st", "mp4:clip2", "flash.f4v"),
        ("cfx/st", "mp4:clip3", "quicktime.mov"),
        ("cfx/st", "mp3:cbr_bare.mp3", "cbr_bare.mp3"),
        ("cfx/st", "id3:cbr_bare", "cbr_bare.mp3"),
        ("cfx/st", "/mp4:plain.mp4", "plain.mp4"),
        ("cfx/st", "mp4:/plain.mp4", "plain.mp4"),
        ("cfx/st/", "mp4:plain.mp4", "plain.mp4"),
        ("cfx/st/_definst_", "mp4:plain.mp4", "plain.mp4"),
        ("cfx/st?key=value", "mp4:plain.mp4", "plain.mp4"),
        ("cfx/st/mp4:deep/er/still", "mp4:clip", "plain.mp4"),
        ("cfx/st", "mp4:dir/x.mp4%3FExpires%3D1", "plain.mp4"),
        ("cfx/st", "mp4:six/../plain.mp4/../x", ""),
    ] {
        if file.is_empty() {
            finds_nothing(app, name);
        } else {
            finds(app, name, 0.0, file);
        }
    }
}

#[test]
fn spaces_utf_8_and_percent_signs_find_their_objects() {
    for name in [
        "mp4:names/with space.mp4",
        "mp4:names/with%20space.mp4",
        "mp4:names/größe-日本語.mp4",
        "mp4:names/gr%C3%B6%C3%9Fe-%E6%97%A5%E6%9C%AC%E8%AA%9E.mp4",
        "mp4:names/100%25 literal.mp4",
        "mp4:names/plus+amp&eq=.mp4",
        "mp4:names/UPPER.MP4",
    ] {
        finds("cfx/st", name, 0.0, "plain.mp4");
    }
    finds("cfx/st", "names/dir with space/clip", 0.0, "index.flv");
}

/// The players themselves, with the plain URL a person types.
#[test]
fn plain_urls_play_in_each_player() {
    let server = server::shared();
    let folder = tempdir().expect("a temporary folder");
    let out = folder.path().join("out.flv");
    let source = packets::source(&media::file("plain.mp4"));
    for name in [
        "mp4:dir/x.mp4",
        "plain.mp4",
        "dir/x.mp4?Expires=1",
        "mp4:deep/er/still/clip.mp4",
    ] {
        let probed = packets::ffprobe(&server.url(name), &[]);
        packets::assert_played(&format!("ffmpeg, {name}"), &source, &probed);
    }
    for name in ["mp4:dir/x.mp4", "mp4:deep/er/still/clip.mp4"] {
        players::rtmpdump(&server.url(name), &out);
        let received = packets::messages(&packets::flv_tags(&out));
        packets::assert_played(&format!("rtmpdump, {name}"), &source, &received);
        players::rtmp2src(&server.url(name), &out).good("rtmp2src");
        let received = packets::messages(&packets::flv_tags(&out));
        packets::assert_played(&format!("rtmp2src, {name}"), &source, &received);
    }
    let tags = packets::messages(&packets::flv_tags(&media::file("index.flv")));
    let probed = packets::ffprobe(&server.url("videos/x.flv"), &[]);
    packets::assert_played("ffmpeg, videos/x.flv", &tags, &probed);
    players::rtmpdump(&server.url("videos/x.flv"), &out);
    packets::assert_played(
        "rtmpdump",
        &tags,
        &packets::messages(&packets::flv_tags(&out)),
    );
}

#[test]
fn what_is_not_there_is_not_found() {
    for name in [
        "",
        "mp4:",
        "nothing",
        "mp4:nothing.mp4",
        "mp3:plain.mp4.mp3",
        "dir",
        "dir/",
        "\u{0}",
        "mp4:plain.mp4\u{0}.mp4",
    ] {
        finds_nothing("cfx/st", name);
    }
    finds_nothing("cfx/st", &"a".repeat(5_000));
}

#[test]
fn a_missing_object_ends_ffmpeg_and_rtmpdump_with_an_error() {
    let server = server::shared();
    let folder = tempdir().expect("a temporary folder");
    let out = folder.path().join("out.flv");
    let outcome = players::ffmpeg(&server.url("mp4:nothing.mp4"), &[], &out);
    assert!(!outcome.status.success());
    let address = server.rtmp.to_string();
    let outcome = players::rtmpdump_split(&address, "cfx/st", "mp4:nothing.mp4", &[], &out);
    assert!(!outcome.status.success());
}

/// From a directory, too: nothing outside it, by no spelling, and no link out of it.
#[test]
fn no_name_leaves_the_directory() {
    let folder = tempdir().expect("a temporary folder");
    let bucket = folder.path().join("bucket");
    std::fs::create_dir_all(bucket.join("sub")).expect("a folder");
    let plain = media::file("plain.mp4");
    std::fs::copy(&plain, bucket.join("sub/inside.mp4")).expect("a copy");
    std::fs::copy(&plain, folder.path().join("outside.mp4")).expect("a copy");
    std::fs::copy(&plain, folder.path().join("bucket-outside.mp4")).expect("a copy");
    std::os::unix::fs::symlink(folder.path().join("outside.mp4"), bucket.join("link.mp4"))
        .expect("a link");
    let server = server::Setup::directory(&bucket).start();
    let play = |app: &str, name: &str| {
        let mut client = Client::shake(server.rtmp);
        let answer = client.connect(app);
        if answer.name().as_deref() != Some("_result") {
            return "refused".to_owned();
        }
        client.create_stream();
        client.set_buffer(1, crate::support::client::UNPACED);
        client.play_all(1, name);
        let messages = client.until("an end", |message| {
            message
                .status()
                .is_some_and(|s| s.code == "NetStream.Play.Stop" || s.level == "error")
        });
        messages
            .last()
            .and_then(Message::status)
            .expect("a status")
            .code
    };
    assert_eq!(play("cfx/st", "mp4:sub/inside.mp4"), "NetStream.Play.Stop");
    let outside = folder.path().join("outside.mp4").display().to_string();
    let absolute = format!("mp4:{outside}");
    let doubled = format!("mp4:/{outside}");
    for (app, name) in [
        ("cfx/st", "mp4:../outside.mp4"),
        ("cfx/st", "mp4:sub/../../outside.mp4"),
        ("cfx/st", "mp4:..%2Foutside.mp4"),
        ("cfx/st", "mp4:%2e%2e/outside.mp4"),
        ("cfx/st", "mp4:%252e%252e/outside.mp4"),
        ("cfx/st", "mp4:..\\outside.mp4"),
        ("cfx/st", "mp4:sub/..\u{0}/../outside.mp4"),
        ("cfx/st", "mp4:./../outside.mp4"),
        ("cfx/st", "mp4:../bucket-outside.mp4"),
        ("cfx/st", "mp4:link.mp4"),
        ("cfx/st", absolute.as_str()),
        ("cfx/st", doubled.as_str()),
        ("cfx/st/mp4:..", "mp4:outside"),
        ("cfx/st/..", "outside.mp4"),
        ("cfx/st", "/etc/passwd"),
        ("cfx/st", "mp4:/proc/self/environ"),
    ] {
        let code = play(app, name);
        let refused = code == "NetStream.Play.StreamNotFound" || code == "refused";
        assert!(refused, "app {app}, name {name:?}: {code}");
    }
}

/// getStreamLength answers in seconds; for what is not there it gives no length away.
#[test]
fn get_stream_length_answers_in_seconds() {
    let mut client = Client::unpaced(server::shared().rtmp);
    let answer = client.call(
        0,
        "getStreamLength",
        &[Amf::Null, Amf::text("mp4:bframes.mp4")],
    );
    let values = answer.command().expect("a command");
    let seconds = values.last().and_then(Amf::as_number).expect("a number");
    assert!((seconds - 10.0).abs() < 0.2, "{seconds}");
    let answer = client.call(
        0,
        "getStreamLength",
        &[Amf::Null, Amf::text("mp4:nothing.mp4")],
    );
    let length = answer
        .command()
        .and_then(|values| values.last().and_then(Amf::as_number));
    assert!(
        answer.name().as_deref() == Some("_error") || length == Some(0.0),
        "{answer:?}"
    );
}
