//! play with start, length and reset; play2.

use crate::support::amf::Amf;
use crate::support::client::Client;
use crate::support::message::{Message, assert_end, codes, samples};
use crate::support::packets::{self, Kind, Table};
use crate::support::{media, server};

/// Items queued with reset false follow each other: Play.Switch and Play.Start between them, each
/// with its own media time (rule 12).
#[test]
fn a_playlist_plays_one_after_the_other() {
    let mut client = Client::unpaced(server::shared().rtmp);
    let items = [
        ("mp4:plain.mp4", "plain.mp4"),
        ("mp4:bframes.mp4", "bframes.mp4"),
        ("mp3:cbr_bare", "cbr_bare.mp3"),
    ];
    // In one write: the first item could end before the next was heard of.
    client.at_once(|client| {
        for (number, (name, _)) in items.iter().enumerate() {
            client.play(1, name, 0.0, -1.0, number == 0);
        }
    });
    let messages = client.until_status("NetStream.Play.Stop");
    assert_end(&messages, 1);
    let switches = codes(&messages)
        .iter()
        .filter(|code| *code == "NetStream.Play.Switch")
        .count();
    assert_eq!(switches, 2, "{:?}", codes(&messages));
    let mut parts: Vec<Vec<Message>> = vec![Vec::new()];
    for message in messages {
        if message
            .status()
            .is_some_and(|status| status.code == "NetStream.Play.Switch")
        {
            assert_eq!(message.name().as_deref(), Some("onPlayStatus"));
            parts.push(Vec::new());
        }
        parts.last_mut().expect("a part").push(message);
    }
    for (part, (name, file)) in parts.iter().zip(items) {
        let source = packets::source(&media::file(file));
        packets::assert_played(name, &source, &packets::messages(part));
        assert!(
            codes(part).contains(&"NetStream.Play.Start".to_owned()),
            "{name}: {:?}",
            codes(part)
        );
    }
}

/// A length of 0 is one picture.
#[test]
fn play_of_length_0_is_one_picture() {
    let mut client = Client::unpaced(server::shared().rtmp);
    client.play(1, "mp4:bframes.mp4", 3_400.0, 0.0, true);
    let messages = client.until_status("NetStream.Play.Stop");
    let shown = samples(&messages);
    let pictures: Vec<&&Message> = shown.iter().filter(|message| message.kind == 9).collect();
    assert_eq!(pictures.len(), 1, "{shown:?}");
    assert!(pictures[0].is_key());
    assert_end(&messages, 1);
}

/// A length in milliseconds ends the play there.
#[test]
fn play_of_a_length_ends_there() {
    let source = packets::expected(&packets::source(&media::file("bframes.mp4")));
    let mut client = Client::unpaced(server::shared().rtmp);
    client.play(1, "mp4:bframes.mp4", 2_000.0, 3_000.0, true);
    let messages = client.until_status("NetStream.Play.Stop");
    assert_end(&messages, 1);
    let received = packets::messages(&messages);
    let pictures: Table = received
        .into_iter()
        .filter(|p| p.kind == Kind::Video)
        .collect();
    let (first, last) = (pictures[0].dts, pictures[pictures.len() - 1].dts);
    assert!(
        pictures[0].key && (1_000.0..=2_000.0).contains(&first),
        "begins at {first}"
    );
    assert!((last - 5_000.0).abs() <= 120.0, "ends at {last}");
    let wanted = source
        .into_iter()
        .filter(|p| p.kind == Kind::Video && p.dts >= first - 1.0 && p.dts <= last + 1.0)
        .collect();
    packets::assert_same("play of 3 s", &wanted, &pictures);
}

/// A start that asks for a live stream only finds none; one that asks for either finds the object.
#[test]
fn start_minus_1_finds_no_live_stream() {
    for start in [-1.0, -1000.0] {
        let mut client = Client::unpaced(server::shared().rtmp);
        client.play(1, "mp4:plain.mp4", start, -1.0, true);
        client.until_status("NetStream.Play.StreamNotFound");
    }
    for start in [-2.0, -2000.0] {
        let mut client = Client::unpaced(server::shared().rtmp);
        client.play(1, "mp4:plain.mp4", start, -1.0, true);
        let messages = client.until_status("NetStream.Play.Stop");
        let source = packets::source(&media::file("plain.mp4"));
        packets::assert_played("start -2", &source, &packets::messages(&messages));
    }
}

/// Statuses of a play, in the order in which deployed servers send them.
#[test]
fn a_play_begins_in_order() {
    let mut client = Client::unpaced(server::shared().rtmp);
    client.play_all(1, "mp4:plain.mp4");
    let messages = client.until("the first sample", |m| m.is_media() && !m.is_head());
    let seen: Vec<String> = messages
        .iter()
        .filter_map(
            |message| match (message.control(), message.status(), message.name()) {
                (Some((event, _)), _, _) => Some(format!("control {event}")),
                (_, Some(status), _) => Some(status.code),
                (_, _, Some(name)) => Some(name),
                _ if message.is_head() => Some(format!("head {}", message.kind)),
                _ => None,
            },
        )
        .collect();
    let at = |what: &str| {
        seen.iter()
            .position(|seen| seen == what)
            .unwrap_or_else(|| panic!("no {what} in {seen:?}"))
    };
    let order = [
        at("control 0"),
        at("NetStream.Play.Reset"),
        at("NetStream.Play.Start"),
        at("NetStream.Data.Start"),
        at("onMetaData"),
        at("head 9"),
    ];
    assert!(order.is_sorted(), "{seen:?}");
    assert!(at("head 8") > at("onMetaData"), "{seen:?}");
    let data = messages
        .iter()
        .find(|m| m.name().as_deref() == Some("onMetaData"));
    let values = data.and_then(Message::command).expect("onMetaData");
    assert!(
        matches!(values[1], Amf::Ecma(_)),
        "ffmpeg takes only an ECMA array: {values:?}"
    );
    let duration = values[1]
        .get("duration")
        .and_then(Amf::as_number)
        .expect("a duration");
    assert!((duration - 8.0).abs() < 0.1, "{duration} s");
}

/// play2 goes over to another object: "swap" puts it in the place of one, and the transition is
/// announced.
#[test]
fn play2_switches_to_another_object() {
    let mut client = Client::open(server::shared().rtmp);
    client.create_stream();
    client.set_buffer(1, 1_000);
    client.play_all(1, "mp4:bframes.mp4");
    client.until("media", Message::is_media);
    let options = [
        ("streamName", Amf::text("mp4:plain.mp4")),
        ("oldStreamName", Amf::text("mp4:bframes.mp4")),
        ("transition", Amf::text("switch")),
        ("start", Amf::Number(-2.0)),
        ("len", Amf::Number(-1.0)),
    ];
    let options = options
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec();
    client.command(1, "play2", 0.0, &[Amf::Null, Amf::Object(options)]);
    client.set_buffer(1, crate::support::client::UNPACED);
    let messages = client.until_status("NetStream.Play.Stop");
    let seen = codes(&messages);
    for code in [
        "NetStream.Play.Transition",
        "NetStream.Play.TransitionComplete",
    ] {
        assert!(seen.contains(&code.to_owned()), "no {code} in {seen:?}");
    }
    let plain = packets::source(&media::file("plain.mp4"));
    let last = packets::messages(&messages)
        .into_iter()
        .rfind(|p| p.kind == Kind::Video);
    let wanted = plain.into_iter().rfind(|p| p.kind == Kind::Video);
    assert_eq!(
        last.map(|p| p.hash),
        wanted.map(|p| p.hash),
        "it ends with the new object"
    );
}

/// A play2 that swaps one item for another.
fn swap(client: &mut Client, old: &str, new: &str) {
    let options = [
        ("streamName", Amf::text(new)),
        ("oldStreamName", Amf::text(old)),
        ("transition", Amf::text("swap")),
        ("start", Amf::Number(0.0)),
        ("len", Amf::Number(-1.0)),
    ];
    let options = options
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec();
    client.command(1, "play2", 0.0, &[Amf::Null, Amf::Object(options)]);
}

/// Messages cut at each of the statuses `code`, which begins the part behind it.
fn parts(messages: &[Message], code: &str) -> Vec<Vec<Message>> {
    let mut parts = vec![Vec::new()];
    for message in messages {
        if message.status().is_some_and(|status| status.code == code) {
            parts.push(Vec::new());
        }
        parts.last_mut().expect("a part").push(message.clone());
    }
    parts
}

fn assert_part(file: &str, part: &[Message]) {
    let source = packets::source(&media::file(file));
    packets::assert_played(file, &source, &packets::messages(part));
}

/// play2 swaps an item that waits for its turn: what plays is not disturbed, and the new one comes
/// in the place of the old.
#[test]
fn play2_swaps_a_waiting_item() {
    let mut client = Client::open(server::shared().rtmp);
    client.create_stream();
    client.set_buffer(1, 1_000);
    for (number, name) in ["mp4:bframes.mp4", "mp3:cbr_bare", "mp4:plain.mp4"]
        .iter()
        .enumerate()
    {
        client.play(1, name, 0.0, -1.0, number == 0);
    }
    let mut messages = client.until("media", Message::is_media);
    swap(&mut client, "mp3:cbr_bare", "mp4:song.m4a");
    client.set_buffer(1, crate::support::client::UNPACED);
    messages.extend(client.until_status("NetStream.Play.Stop"));
    assert_end(&messages, 1);
    let seen = codes(&messages);
    assert!(
        seen.contains(&"NetStream.Play.Transition".to_owned()),
        "{seen:?}"
    );
    let parts = parts(&messages, "NetStream.Play.Switch");
    let files = ["bframes.mp4", "song.m4a", "plain.mp4"];
    assert_eq!(parts.len(), files.len(), "{seen:?}");
    for (file, part) in files.iter().zip(&parts) {
        assert_part(file, part);
    }
}

/// play2 swaps the item that plays: at a key frame of the new one, no earlier than the old came;
/// no picture of the old comes behind it, and the rest of the playlist follows.
#[test]
fn play2_swaps_the_item_that_plays() {
    let mut client = Client::open(server::shared().rtmp);
    client.create_stream();
    client.set_buffer(1, 1_000);
    client.play(1, "mp4:bframes.mp4", 0.0, -1.0, true);
    client.play(1, "mp3:cbr_bare", 0.0, -1.0, false);
    let mut messages = client.until("media", Message::is_media);
    swap(&mut client, "mp4:bframes.mp4", "mp4:plain.mp4");
    client.set_buffer(1, crate::support::client::UNPACED);
    messages.extend(client.until_status("NetStream.Play.Stop"));
    assert_end(&messages, 1);
    let seen = codes(&messages);
    assert!(
        seen.contains(&"NetStream.Play.Transition".to_owned()),
        "{seen:?}"
    );
    let items = parts(&messages, "NetStream.Play.Switch");
    assert_eq!(items.len(), 2, "the item that waited follows: {seen:?}");
    assert_part("cbr_bare.mp3", &items[1]);

    let halves = parts(&items[0], "NetStream.Play.TransitionComplete");
    assert_eq!(halves.len(), 2, "{seen:?}");
    let [old, new] = [0, 1].map(|half| packets::messages(&halves[half]));
    let entry = new
        .iter()
        .find(|packet| packet.kind == Kind::Video)
        .expect("pictures of the new");
    let reached = old.iter().map(|packet| packet.dts).fold(0.0, f64::max);
    assert!(
        entry.key && entry.dts >= reached - 100.0,
        "the old came to {reached} ms, the new is entered with {entry:?}"
    );
    let of = |file: &str, keep: &dyn Fn(&packets::Packet) -> bool| -> Table {
        let source = packets::expected(&packets::source(&media::file(file)));
        let pictures = source.into_iter().filter(|p| p.kind == Kind::Video);
        pictures.filter(|packet| keep(packet)).collect()
    };
    let pictures = |table: &Table| -> Table {
        table
            .iter()
            .filter(|p| p.kind == Kind::Video)
            .cloned()
            .collect()
    };
    let wanted = of("plain.mp4", &|packet| packet.dts >= entry.dts - 1.0);
    packets::assert_same("the new", &wanted, &pictures(&new));
    let count = pictures(&old).len();
    let wanted: Table = of("bframes.mp4", &|_| true)
        .into_iter()
        .take(count)
        .collect();
    packets::assert_same("the old", &wanted, &pictures(&old));
    let last = wanted.last().map_or(0.0, |packet| packet.dts);
    assert!(
        last >= entry.dts - 200.0,
        "pictures are missing from {last} to {} ms",
        entry.dts
    );
}

/// An item in the middle that cannot be played is refused by its name, and the next plays whole.
#[test]
fn a_playlist_goes_on_behind_an_item_that_is_not_there() {
    for (name, start) in [("mp4:no_such_file.mp4", 0.0), ("mp4:song.m4a", -1.0)] {
        let mut client = Client::unpaced(server::shared().rtmp);
        client.at_once(|client| {
            client.play_all(1, "mp4:plain.mp4");
            client.play(1, name, start, -1.0, false);
            client.play(1, "mp3:cbr_bare", 0.0, -1.0, false);
        });
        let messages = client.until("the end", says("NetStream.Play.Stop"));
        assert_end(&messages, 1);
        let refused: Vec<String> = messages
            .iter()
            .filter_map(Message::status)
            .filter(|status| status.level == "error")
            .map(|status| {
                assert_eq!(status.code, "NetStream.Play.StreamNotFound", "{status:?}");
                description(&status.info)
            })
            .collect();
        assert!(
            refused.len() == 1 && refused[0].contains(name),
            "{name}: {refused:?}"
        );
        let halves = parts(&messages, "NetStream.Play.StreamNotFound");
        assert_part("plain.mp4", &halves[0]);
        assert_part("cbr_bare.mp3", &halves[1]);
    }
}

/// A playlist that played has an end, also where its last item cannot be played.
#[test]
fn a_playlist_ends_behind_a_last_item_that_is_not_there() {
    for (name, start) in [(MISSING, 0.0), ("mp4:song.m4a", -1.0)] {
        let mut client = Client::unpaced(server::shared().rtmp);
        client.at_once(|client| {
            client.play_all(1, "mp4:plain.mp4");
            client.play(1, name, start, -1.0, false);
        });
        let messages = client.until("the end", says("NetStream.Play.Stop"));
        assert_end(&messages, 1);
        let halves = parts(&messages, "NetStream.Play.StreamNotFound");
        assert_part("plain.mp4", &halves[0]);
    }
}

/// Whether a message is a status of that code, whatever errors come before it.
fn says(code: &'static str) -> impl Fn(&Message) -> bool {
    move |message| message.status().is_some_and(|status| status.code == code)
}

/// A pause counts for the item that plays in the place of one that is not there.
#[test]
fn a_pause_outlives_an_item_that_is_not_there() {
    let mut client = Client::unpaced(server::shared().rtmp);
    client.at_once(|client| {
        client.play_all(1, MISSING);
        client.play(1, "mp4:plain.mp4", 0.0, -1.0, false);
        client.pause(1, true, 0.0);
    });
    client.until("the second item", says("NetStream.Play.Start"));
    // One picture, and what stands before it; then nothing until the viewer goes on.
    let mut shown = 0;
    while let Some(message) = client.next_within(std::time::Duration::from_millis(500)) {
        shown += usize::from(message.is_media());
    }
    assert!(shown <= 6, "{shown} media messages while paused");
    client.pause(1, false, 0.0);
    client.until_status("NetStream.Play.Stop");
}

fn description(info: &Amf) -> String {
    let text = info.get("description").and_then(Amf::as_text);
    text.unwrap_or_default().to_owned()
}

/// The file of plays that are gone over from.
const OLD: (&str, &str) = ("mp4:bframes.mp4", "bframes.mp4");
const MISSING: &str = "mp4:no_such_file.mp4";

/// A paced play of [`OLD`] that has begun, and what came of it.
fn begun() -> (Client, Vec<Message>) {
    let mut client = Client::open(server::shared().rtmp);
    client.create_stream();
    client.set_buffer(1, 1_000);
    client.play_all(1, OLD.0);
    let messages = client.until("media", Message::is_media);
    (client, messages)
}

/// Asks to go over to a file that is not there; all up to the refusal, which must name it.
fn swap_for_missing(client: &mut Client) -> Vec<Message> {
    swap(client, OLD.0, MISSING);
    let messages = client.until_status("NetStream.Play.StreamNotFound");
    let status = messages.last().and_then(Message::status).expect("a status");
    let said = description(&status.info);
    assert!(said.contains(MISSING), "{said}");
    messages
}

/// A play2 to a name that is not there is refused, and what plays goes on to its own end.
#[test]
fn play2_to_a_missing_name_leaves_what_plays_alone() {
    let (mut client, mut messages) = begun();
    messages.extend(swap_for_missing(&mut client));
    client.set_buffer(1, crate::support::client::UNPACED);
    messages.extend(client.until_status("NetStream.Play.Stop"));
    assert_end(&messages, 1);
    assert_part(OLD.1, &messages);
}

/// A play2 that was accepted and not yet carried out is given up by the next, also where that one
/// fails: paused, so that nothing can have gone over in between.
#[test]
fn play2_to_a_missing_name_gives_up_the_one_before_it() {
    let (mut client, mut messages) = begun();
    client.pause(1, true, 0.0);
    messages.extend(client.until_status("NetStream.Pause.Notify"));
    swap(&mut client, OLD.0, "mp4:plain.mp4");
    messages.extend(client.until_status("NetStream.Play.Transition"));
    messages.extend(swap_for_missing(&mut client));
    client.pause(1, false, 0.0);
    client.set_buffer(1, crate::support::client::UNPACED);
    messages.extend(client.until_status("NetStream.Play.Stop"));
    assert_end(&messages, 1);
    let seen = codes(&messages);
    assert!(
        !seen.contains(&"NetStream.Play.TransitionComplete".to_owned()),
        "{seen:?}"
    );
    assert_part(OLD.1, &messages);
}

/// The same while it plays: whole, or gone over once and then to the end of the new.
#[test]
fn play2_to_a_missing_name_goes_over_once_or_not_at_all() {
    let (mut client, mut messages) = begun();
    swap(&mut client, OLD.0, "mp4:plain.mp4");
    messages.extend(client.until_status("NetStream.Play.Transition"));
    messages.extend(swap_for_missing(&mut client));
    client.set_buffer(1, crate::support::client::UNPACED);
    messages.extend(client.until_status("NetStream.Play.Stop"));
    assert_end(&messages, 1);
    match parts(&messages, "NetStream.Play.TransitionComplete").as_slice() {
        [whole] => assert_part(OLD.1, whole),
        [_, new] => {
            let last = |table: Table| table.into_iter().rfind(|p| p.kind == Kind::Video);
            let wanted = last(packets::source(&media::file("plain.mp4"))).map(|p| p.hash);
            let got = last(packets::messages(new)).map(|p| p.hash);
            assert_eq!(got, wanted, "it ends with the new object");
        }
        more => panic!("gone over {} times", more.len() - 1),
    }
}
