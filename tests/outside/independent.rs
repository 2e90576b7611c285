//! rml_rtmp, a protocol stack that we did not write, plays from the server.

use crate::support::message::Message;
use crate::support::{media, packets, rml, server};

fn plays(file: &str, name: &str) {
    let received = rml::play(server::shared().rtmp, "cfx/st", name);
    let messages: Vec<Message> = received
        .into_iter()
        .map(|(kind, time, body)| Message {
            chunk_stream: 0,
            kind,
            time,
            stream: 1,
            body,
        })
        .collect();
    let path = media::file(file);
    let source = if file.ends_with(".flv") {
        packets::messages(&packets::flv_tags(&path))
    } else {
        packets::source(&path)
    };
    packets::assert_played(
        &format!("rml_rtmp, {name}"),
        &source,
        &packets::messages(&messages),
    );
}

#[test]
fn rml_rtmp_plays_mp4() {
    plays("bframes.mp4", "mp4:bframes.mp4");
}

#[test]
fn rml_rtmp_plays_flv() {
    plays("no_index.flv", "no_index");
}

#[test]
fn rml_rtmp_plays_mp3() {
    plays("vbr_bare.mp3", "mp3:vbr_bare");
}

/// Many chunks a message, and many segments.
#[test]
fn rml_rtmp_plays_large_frames_and_files() {
    plays("huge_frame.mp4", "mp4:huge_frame.mp4");
    plays("large.mp4", "mp4:large.mp4");
}
