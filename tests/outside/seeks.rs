//! Seek: the key frame at or before the time, sound from there, original times, preface anew (rule
//! of delivery 9).

use crate::support::client::Client;
use crate::support::message::{Message, assert_end, codes, samples};
use crate::support::packets::{self, Kind, Table};
use crate::support::{media, players, server};

/// How far the first sound after a seek may be from the key frame: two AAC frames at 22 kHz.
const BESIDE: f64 = 100.0;

fn expected(file: &str) -> Table {
    let path = media::file(file);
    if file.ends_with(".flv") {
        packets::messages(&packets::flv_tags(&path))
    } else {
        packets::expected(&packets::source(&path))
    }
}

/// What must come after an entry at `time`: all from the key frame at or before it.
fn from(table: &Table, time: f64) -> (Table, f64) {
    let keys = table
        .iter()
        .filter(|p| p.kind == Kind::Video && p.key && p.dts <= time + 1.0);
    let Some(key) = keys.map(|p| p.dts).reduce(f64::max) else {
        // Before the first key frame: all there is.
        let first = table.iter().find(|p| p.kind == Kind::Video);
        return (table.clone(), first.map_or(0.0, |p| p.dts));
    };
    (
        table
            .iter()
            .filter(|packet| packet.dts >= key - BESIDE)
            .cloned()
            .collect(),
        key,
    )
}

/// Fails unless `messages` are the rest of `table` from the key frame at or before `time`.
fn assert_rest(what: &str, table: &Table, time: f64, messages: &[Message]) {
    let (tail, key) = from(table, time);
    let received = packets::messages(messages);
    let first = received.iter().find(|p| p.kind == Kind::Video);
    if let Some(first) = first {
        assert!(first.key, "{what}: the first picture is a key frame");
        assert!(
            (first.dts - key).abs() <= 1.0,
            "{what}: entered at {}, not at {key}",
            first.dts
        );
    }
    // How much sound before the key frame comes is the container's affair, within two frames.
    let mut wanted: Table = Vec::new();
    for kind in [Kind::Video, Kind::Audio] {
        let count = received.iter().filter(|packet| packet.kind == kind).count();
        let of_kind: Vec<_> = tail.iter().filter(|packet| packet.kind == kind).collect();
        let skip = of_kind.len().saturating_sub(count);
        let late = of_kind.get(skip).map_or(0.0, |packet| packet.dts - key);
        assert!(
            late <= BESIDE,
            "{what}: {kind:?} begins {late:.0} ms after the key frame"
        );
        wanted.extend(of_kind.into_iter().skip(skip).cloned());
    }
    packets::assert_same(what, &wanted, &received);
}

/// Plays, waits for some media, seeks, and returns all from Seek.Notify to the end.
fn seek_while_playing(name: &str, time: f64) -> Vec<Message> {
    let mut client = Client::open(server::shared().rtmp);
    client.create_stream();
    // Paced, so that the seek comes while it plays.
    client.set_buffer(1, 1000);
    client.play_all(1, name);
    client.until("some media", |message| {
        message.is_media() && !message.is_head()
    });
    client.seek(1, time);
    client.set_buffer(1, crate::support::client::UNPACED);
    client.until_status("NetStream.Seek.Notify");
    let messages = client.until_status("NetStream.Play.Stop");
    assert_end(&messages, 1);
    messages
}

fn seeks(file: &str, name: &str, seconds: f64) {
    let table = expected(file);
    for time in [
        0.0,
        seconds / 2.0 * 1000.0 + 130.0,
        (seconds - 0.5) * 1000.0,
    ] {
        let messages = seek_while_playing(name, time);
        assert_rest(
            &format!("{name}, seek to {time} ms"),
            &table,
            time,
            &messages,
        );
        // The preface comes anew (rtmp.md 4.3): without the codec heads nothing can be decoded.
        let codecs = |message: &&Message| message.is_media();
        if file.ends_with(".mp4") {
            let heads = messages
                .iter()
                .filter(codecs)
                .take(2)
                .filter(|m| m.is_head())
                .count();
            assert_eq!(heads, 2, "{name}: both codec heads stand before the media");
        }
        assert!(
            messages
                .iter()
                .any(|m| m.name().as_deref() == Some("onMetaData")),
            "{name}"
        );
    }
}

#[test]
fn mp4_seeks_to_the_first_middle_and_last_second() {
    seeks("large.mp4", "mp4:large.mp4", 40.0);
}

#[test]
fn mp4_with_b_frames_seeks() {
    seeks("bframes.mp4", "mp4:bframes.mp4", 10.0);
}

#[test]
fn mp4_in_fragments_seeks_with_an_index() {
    seeks("fragmented_sidx.mp4", "mp4:fragmented_sidx.mp4", 10.0);
    seeks("fragmented_mfra.mp4", "mp4:fragmented_mfra.mp4", 10.0);
}

#[test]
fn flv_seeks_with_a_keyframe_index() {
    seeks("index.flv", "index", 10.0);
}

/// Where nothing says where key frames are, a seek enters at some key frame and goes on from there
/// with the file's own packets and times (rule 19).
#[test]
fn files_without_an_index_seek_too() {
    for (file, name, seconds) in [
        ("no_index.flv", "no_index", 10.0),
        ("large_no_index.flv", "large_no_index", 40.0),
        ("fragmented_bare.mp4", "mp4:fragmented_bare.mp4", 10.0),
    ] {
        let table = expected(file);
        let time = seconds * 500.0 + 130.0;
        let received = packets::messages(&seek_while_playing(name, time));
        let first = received
            .iter()
            .find(|p| p.kind == Kind::Video)
            .expect("pictures")
            .clone();
        assert!(first.key, "{name}: enters at a key frame");
        assert!(
            (first.dts - time).abs() <= 5000.0,
            "{name}: entered at {}",
            first.dts
        );
        let tail: Table = table
            .into_iter()
            .filter(|p| p.kind == Kind::Video && p.dts >= first.dts - 1.0)
            .collect();
        let pictures = received
            .into_iter()
            .filter(|p| p.kind == Kind::Video)
            .collect();
        packets::assert_same(name, &tail, &pictures);
    }
}

/// Sound has no key frames: a seek enters at the time itself.
#[test]
fn mp3_and_m4a_seek_to_the_time_itself() {
    for (file, name) in [
        ("cbr_bare.mp3", "mp3:cbr_bare"),
        ("song.m4a", "mp4:song.m4a"),
        ("audio_only.flv", "audio_only"),
    ] {
        let table = expected(file);
        let messages = seek_while_playing(name, 4000.0);
        let received = packets::messages(&messages);
        let first = received.first().expect("sound after the seek").dts;
        assert!(
            (first - 4000.0).abs() <= 60.0,
            "{name}: sound begins at {first}"
        );
        let skip = table.len() - received.len();
        packets::assert_same(name, &table[skip..].to_vec(), &received);
    }
}

/// A variable rate without a table can only be guessed; what comes is whole frames to the end.
#[test]
fn vbr_mp3_seeks_near_the_time() {
    for (file, name) in [
        ("vbr_xing.mp3", "mp3:vbr_xing"),
        ("vbr_bare.mp3", "mp3:vbr_bare"),
    ] {
        let table = expected(file);
        let received = packets::messages(&seek_while_playing(name, 10_000.0));
        assert!(
            !received.is_empty() && received.len() < table.len(),
            "{name}"
        );
        let hashes = |table: &[packets::Packet]| -> Vec<String> {
            table.iter().map(|packet| packet.hash.clone()).collect()
        };
        let skip = table.len() - received.len();
        assert_eq!(hashes(&received), hashes(&table[skip..]), "{name}");
    }
}

#[test]
fn a_seek_past_the_end_is_the_end() {
    for name in ["mp4:plain.mp4", "index", "mp3:cbr_bare"] {
        let messages = seek_while_playing(name, 3_600_000.0);
        assert_eq!(samples(&messages).len(), 0, "{name}: no media past the end");
        assert_end(&messages, 1);
    }
}

#[test]
fn a_seek_while_paused_shows_one_picture() {
    let mut client = Client::open(server::shared().rtmp);
    client.create_stream();
    client.set_buffer(1, 1000);
    client.play_all(1, "mp4:bframes.mp4");
    client.until("a picture", |message| {
        message.kind == 9 && !message.is_head()
    });
    client.pause(1, true, 0.0);
    client.until_status("NetStream.Pause.Notify");
    client.seek(1, 5200.0);
    let mut messages = client.until_status("NetStream.Seek.Notify");
    while let Some(message) = client.next_within(std::time::Duration::from_millis(700)) {
        messages.push(message);
    }
    let notify = messages
        .iter()
        .position(|m| {
            m.status()
                .is_some_and(|s| s.code == "NetStream.Seek.Notify")
        })
        .expect("Seek.Notify");
    let shown: Vec<&Message> = samples(&messages[notify..]);
    assert_eq!(shown.len(), 1, "one picture: {shown:?}");
    assert!(shown[0].kind == 9 && shown[0].is_key());
    assert!(
        (i64::from(shown[0].time) - 5000).abs() <= 100,
        "at {}",
        shown[0].time
    );
    client.pause(1, false, 5200.0);
    client.set_buffer(1, crate::support::client::UNPACED);
    client.until_status("NetStream.Unpause.Notify");
    assert_end(&client.until_status("NetStream.Play.Stop"), 1);
}

/// `play` with a start enters as a seek does, and the client needs no Seek.Notify.
#[test]
fn play_with_a_start_enters_at_the_key_frame() {
    let table = expected("bframes.mp4");
    let mut client = Client::unpaced(server::shared().rtmp);
    client.play(1, "mp4:bframes.mp4", 5200.0, -1.0, true);
    let messages = client.until_status("NetStream.Play.Stop");
    assert_rest("play with start 5200", &table, 5200.0, &messages);
    assert!(!codes(&messages).iter().any(|code| code.contains("Seek")));
}

/// ffmpeg seeks in a stream it plays: what it writes begins at a key frame and decodes.
#[test]
fn ffmpeg_seeks_and_what_it_gets_decodes() {
    let server = server::shared();
    let folder = tempfile::tempdir().expect("a temporary folder");
    // Paced: ffmpeg takes the end of the play before its seek, where that is on its way already, for
    // the end of what it sought.
    let cases = [
        ("mp4:large.mp4", 40_000.0, "15000"),
        ("index", 10_000.0, "3000"),
    ];
    for (name, end, buffer) in cases {
        let out = folder.path().join("sought.flv");
        let from = (end / 2000.0).to_string();
        let before = ["-rtmp_buffer", buffer, "-ss", &from];
        players::ffmpeg(&server.url(name), &before, &out).good(&format!("ffmpeg -ss, {name}"));
        let decoded = players::run(
            crate::support::tools::tool("ffmpeg"),
            &[
                "-v",
                "error",
                "-xerror",
                "-i",
                &out.display().to_string(),
                "-f",
                "null",
                "-",
            ],
        )
        .good("decoding what came after the seek");
        assert_eq!(decoded.stderr, "", "{name}: decodes without a word");
        let received = packets::messages(&packets::flv_tags(&out));
        let times: Vec<f64> = received.iter().map(|packet| packet.dts).collect();
        let last = times.iter().copied().fold(0.0, f64::max);
        let first = times.iter().copied().fold(last, f64::min);
        assert!(
            last - first < end * 0.7 && last - first > end * 0.3,
            "{name}: {first} to {last}"
        );
    }
}

/// Seeking again and again never mixes what comes before and after.
#[test]
fn many_seeks_in_a_row_end_in_order() {
    let mut client = Client::open(server::shared().rtmp);
    client.create_stream();
    client.set_buffer(1, 10_000);
    client.play_all(1, "mp4:large.mp4");
    client.until_status("NetStream.Play.Start");
    let targets = [35_000.0, 1_000.0, 20_500.0, 39_900.0, 0.0, 38_000.0];
    for target in targets {
        client.seek(1, target);
    }
    for _ in targets {
        client.until_status("NetStream.Seek.Notify");
    }
    client.set_buffer(1, crate::support::client::UNPACED);
    let messages = client.until_status("NetStream.Play.Stop");
    assert_rest(
        "the last of six seeks",
        &expected("large.mp4"),
        38_000.0,
        &messages,
    );
}

/// A seek that comes with its play, before the object is open: the play is announced, then the
/// seek, and the media is that of the seek.
#[test]
fn a_seek_sent_with_its_play_follows_it() {
    let mut client = Client::unpaced(server::shared().rtmp);
    client.at_once(|client| {
        client.play_all(1, "mp4:bframes.mp4");
        client.seek(1, 5_200.0);
    });
    let messages = client.until_status("NetStream.Play.Stop");
    assert_end(&messages, 1);
    let at = |code: &str| {
        let is = |message: &Message| message.status().is_some_and(|status| status.code == code);
        let found = messages.iter().position(is);
        found.unwrap_or_else(|| panic!("no {code} in {:?}", codes(&messages)))
    };
    let notify = at("NetStream.Seek.Notify");
    assert!(
        at("NetStream.Play.Start") < notify,
        "{:?}",
        codes(&messages)
    );
    assert!(!messages[..notify].iter().any(Message::is_media));
    let table = expected("bframes.mp4");
    assert_rest("a seek with its play", &table, 5200.0, &messages[notify..]);
}
