//! Pause and resume lose nothing and repeat nothing (rule of delivery 10).

use std::time::Duration;

use crate::support::client::{Client, UNPACED};
use crate::support::message::{Message, assert_end, codes, samples};
use crate::support::{media, packets, players, server};

/// Long enough that a server that had not stopped would have sent more.
const QUIET: Duration = Duration::from_millis(800);

/// Plays a little, pauses, and makes sure that nothing more comes; all messages so far.
fn pause_after_a_while(client: &mut Client, name: &str) -> Vec<Message> {
    client.create_stream();
    client.set_buffer(1, 1000);
    client.play_all(1, name);
    let mut messages = client.until("a second of media", |message| {
        message.is_media() && message.time > 900
    });
    client.pause(1, true, 900.0);
    messages.extend(client.until_status("NetStream.Pause.Notify"));
    while let Some(message) = client.next_within(QUIET) {
        assert!(!message.is_media(), "media while paused: {message:?}");
        messages.push(message);
    }
    messages
}

#[test]
fn a_pause_and_resume_loses_and_repeats_nothing() {
    for (file, name) in [
        ("plain.mp4", "mp4:plain.mp4"),
        ("index.flv", "index"),
        ("cbr_bare.mp3", "mp3:cbr_bare"),
    ] {
        let mut client = Client::open(server::shared().rtmp);
        let mut messages = pause_after_a_while(&mut client, name);
        client.set_buffer(1, UNPACED);
        // 0: from where it stopped.
        client.pause(1, false, 0.0);
        messages.extend(client.until_status("NetStream.Play.Stop"));
        assert!(codes(&messages).contains(&"NetStream.Unpause.Notify".to_owned()));
        assert_end(&messages, 1);
        let path = media::file(file);
        let source = if file.ends_with("flv") {
            packets::messages(&packets::flv_tags(&path))
        } else {
            packets::source(&path)
        };
        packets::assert_played(name, &source, &packets::messages(&messages));
    }
}

/// A resume with a time before the position begins at the first message later than it; nothing is
/// left out, and there is no second key frame in between.
#[test]
fn a_resume_with_a_time_begins_behind_it() {
    let mut client = Client::open(server::shared().rtmp);
    let before = pause_after_a_while(&mut client, "mp4:bframes.mp4");
    client.set_buffer(1, UNPACED);
    client.pause(1, false, 500.0);
    let messages = client.until_status("NetStream.Play.Stop");
    let media = samples(&messages);
    let first = media
        .iter()
        .map(|message| message.time)
        .min()
        .expect("media after the resume");
    assert!(
        first > 500 && first <= 545,
        "resumes behind 500 ms, at {first}"
    );
    let mut table = packets::messages(before.iter().filter(|message| message.time <= 500));
    table.extend(packets::messages(&messages));
    packets::assert_played(
        "resume at 500",
        &packets::source(&media::file("bframes.mp4")),
        &table,
    );
}

/// A time ahead of the position must not skip what was never sent.
#[test]
fn a_resume_with_a_time_ahead_skips_nothing() {
    let mut client = Client::open(server::shared().rtmp);
    let mut messages = pause_after_a_while(&mut client, "mp4:bframes.mp4");
    client.set_buffer(1, UNPACED);
    client.pause(1, false, 9_000.0);
    messages.extend(client.until_status("NetStream.Play.Stop"));
    let source = packets::source(&media::file("bframes.mp4"));
    packets::assert_played("resume at 9000", &source, &packets::messages(&messages));
}

#[test]
fn pause_raw_pauses_too() {
    let mut client = Client::open(server::shared().rtmp);
    client.create_stream();
    client.set_buffer(1, 1000);
    client.play_all(1, "mp4:bframes.mp4");
    client.until("media", Message::is_media);
    use crate::support::amf::Amf;
    let arguments = [Amf::Null, Amf::Boolean(true), Amf::Number(0.0)];
    client.command(1, "pauseRaw", 0.0, &arguments);
    client.until_status("NetStream.Pause.Notify");
    while let Some(message) = client.next_within(QUIET) {
        assert!(!message.is_media(), "media while paused: {message:?}");
    }
}

/// librtmp pauses and unpauses by itself (BUFX) while it plays; at its default buffer nothing is
/// lost by that.
#[test]
fn rtmpdump_at_a_small_buffer_loses_nothing() {
    let server = server::shared();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("small.flv");
    let address = server.rtmp.to_string();
    let more = ["--buffer", "1500"];
    players::rtmpdump_split(&address, "cfx/st", "mp4:plain.mp4", &more, &out);
    let received = packets::messages(&packets::flv_tags(&out));
    let source = packets::source(&media::file("plain.mp4"));
    packets::assert_played("rtmpdump --buffer 1500", &source, &received);
}

/// A pause before a resume with a time has found its place: nothing more comes, nothing begins
/// anew, and the next resume goes on where it stopped.
#[test]
fn a_pause_that_overtakes_a_resume_loses_nothing() {
    let mut client = Client::open(server::shared().rtmp);
    client.create_stream();
    client.set_buffer(1, 1000);
    client.play_all(1, "mp4:bframes.mp4");
    let mut messages = client.until("a second of media", |message| {
        message.is_media() && message.time > 900
    });
    client.at_once(|client| {
        client.pause(1, true, 900.0);
        client.pause(1, false, 500.0);
        client.pause(1, true, 900.0);
    });
    for code in ["Pause", "Unpause", "Pause"] {
        messages.extend(client.until_status(&format!("NetStream.{code}.Notify")));
    }
    while let Some(message) = client.next_within(QUIET) {
        assert!(!message.is_media(), "media while paused: {message:?}");
        messages.push(message);
    }
    client.set_buffer(1, UNPACED);
    client.pause(1, false, 0.0);
    messages.extend(client.until_status("NetStream.Play.Stop"));
    assert_end(&messages, 1);
    let seen = codes(&messages);
    for code in ["NetStream.Play.Reset", "NetStream.Play.Start"] {
        let count = seen.iter().filter(|seen| *seen == code).count();
        assert_eq!(count, 1, "{code} in {seen:?}");
    }
    let source = packets::source(&media::file("bframes.mp4"));
    packets::assert_played("three at once", &source, &packets::messages(&messages));
}
