//! Objects that change while they play (rule of delivery 17): bytes of two versions never mix.

use crate::support::client::{Client, UNPACED};
use crate::support::message::{Message, codes};
use crate::support::packets::{self, Table};
use crate::support::{media, seaweed, server};

/// Plays `key` paced, so that most of it is not read yet, and changes it; all that came in the end.
fn change_while_playing(key: &str, change: impl FnOnce()) -> (Vec<Message>, Client) {
    let seaweed = seaweed::shared();
    seaweed.put_file(key, &media::file("large.mp4"));
    let mut client = Client::open(server::shared().rtmp);
    client.create_stream();
    client.set_buffer(1, 1_000);
    client.play_all(1, &format!("mp4:{key}"));
    let mut messages = client.until("media", |message| {
        message.is_media() && message.time > 1_000
    });
    change();
    client.set_buffer(1, UNPACED);
    messages.extend(client.until("the end or a failure", |message| {
        message.status().is_some_and(|status| {
            ["NetStream.Play.Stop", "NetStream.Play.Failed"].contains(&status.code.as_str())
        })
    }));
    (messages, client)
}

/// What came is the beginning of the old version and nothing else.
fn assert_only_old(messages: &[Message]) {
    let source = packets::expected(&packets::source(&media::file("large.mp4")));
    let received = packets::messages(messages);
    for kind in [packets::Kind::Video, packets::Kind::Audio] {
        let of = |table: &Table| -> Table {
            table
                .iter()
                .filter(|packet| packet.kind == kind)
                .cloned()
                .collect()
        };
        let (wanted, got) = (of(&source), of(&received));
        assert!(got.len() <= wanted.len() && !got.is_empty());
        packets::assert_same("the old version", &wanted[..got.len()].to_vec(), &got);
    }
}

#[test]
fn an_object_replaced_while_it_plays_fails_without_a_byte_of_the_new() {
    let key = "versions/replaced.mp4";
    let new = media::file("huge_frame.mp4");
    let (messages, mut client) =
        change_while_playing(key, || seaweed::shared().put_file(key, &new));
    assert_only_old(&messages);
    let end = messages.last().and_then(Message::status).expect("a status");
    assert_eq!(
        end.code, "NetStream.Play.Failed",
        "it needs bytes that are no more"
    );
    assert_eq!(end.level, "error");
    client.until("StreamEOF after the failure", |m| {
        matches!(m.control(), Some((1, _)))
    });
    // The connection stays, and the new version plays from it.
    client.play_all(1, &format!("mp4:{key}"));
    let messages = client.until_status("NetStream.Play.Stop");
    let source = packets::source(&new);
    packets::assert_played("the new version", &source, &packets::messages(&messages));
}

#[test]
fn an_object_deleted_while_it_plays_fails_and_is_then_not_found() {
    let key = "versions/deleted.mp4";
    let (messages, mut client) = change_while_playing(key, || seaweed::shared().delete(key));
    assert_only_old(&messages);
    let codes = codes(&messages);
    assert_eq!(
        codes.last().map(String::as_str),
        Some("NetStream.Play.Failed"),
        "{codes:?}"
    );
    client.play_all(1, &format!("mp4:{key}"));
    client.until_status("NetStream.Play.StreamNotFound");
}

/// A play whose segments are all cached ends normally with the old bytes, and the next play is of
/// the new version.
#[test]
fn a_cached_object_plays_on_when_it_is_replaced() {
    let key = "versions/cached.mp4";
    let seaweed = seaweed::shared();
    seaweed.put_file(key, &media::file("bframes.mp4"));
    let play_whole = || {
        let mut client = Client::unpaced(server::shared().rtmp);
        client.play_all(1, &format!("mp4:{key}"));
        client.until_status("NetStream.Play.Stop")
    };
    play_whole();

    let mut client = Client::open(server::shared().rtmp);
    client.create_stream();
    client.set_buffer(1, 1_000);
    client.play_all(1, &format!("mp4:{key}"));
    let mut messages = client.until("media", Message::is_media);
    seaweed.put_file(key, &media::file("plain.mp4"));
    client.set_buffer(1, UNPACED);
    messages.extend(client.until_status("NetStream.Play.Stop"));
    let old = packets::source(&media::file("bframes.mp4"));
    packets::assert_played("the old version", &old, &packets::messages(&messages));

    let new = packets::source(&media::file("plain.mp4"));
    packets::assert_played("the new version", &new, &packets::messages(&play_whole()));
}
