//! Six two-second files whose message tables were written before the server was.

use crate::support::client::Client;
use crate::support::message::{Message, samples};
use crate::support::packets::{self, Kind};
use crate::support::{media, server};

fn meets_its_table(file: &str, name: &str) {
    let written = packets::written(&media::six(&format!("{file}.expected")));
    let mut client = Client::unpaced(server::shared().rtmp);
    client.play_all(1, name);
    let messages = client.until_status("NetStream.Play.Stop");
    let sent = samples(&messages);
    let clock: Vec<u32> = sent.iter().map(|message| message.time).collect();
    assert!(
        clock.is_sorted(),
        "{file}: messages come in the order of their times: {clock:?}"
    );
    for (kind, number) in [(Kind::Audio, 8), (Kind::Video, 9)] {
        let wanted: Vec<_> = written.iter().filter(|line| line.0 == kind).collect();
        let got: Vec<&&Message> = sent
            .iter()
            .filter(|message| message.kind == number)
            .collect();
        assert_eq!(got.len(), wanted.len(), "{file}: count of {kind:?}");
        for (at, (got, (_, time, size, key))) in got.iter().zip(wanted).enumerate() {
            assert_eq!(got.body.len(), *size, "{file}: size of {kind:?} {at}");
            assert_eq!(got.is_key(), *key, "{file}: key flag of {kind:?} {at}");
            let off = i64::from(got.time) - time;
            assert!(
                off.abs() <= 1,
                "{file}: {kind:?} {at} is at {}, not {time}",
                got.time
            );
        }
    }
}

#[test]
fn plain_x264() {
    meets_its_table("plain.mp4", "mp4:six/plain.mp4");
}

#[test]
fn cut_in_mid_gop() {
    meets_its_table("cut.mp4", "mp4:six/cut.mp4");
}

#[test]
fn fragmented() {
    meets_its_table("fragmented.mp4", "mp4:six/fragmented.mp4");
}

#[test]
fn flv_without_index() {
    meets_its_table("no_index.flv", "six/no_index");
}

#[test]
fn vbr_mp3() {
    meets_its_table("vbr.mp3", "mp3:six/vbr");
}

#[test]
fn poorly_interleaved() {
    meets_its_table("poorly_interleaved.mp4", "mp4:six/poorly_interleaved.mp4");
}
