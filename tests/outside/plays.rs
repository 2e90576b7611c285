//! Every container and codec, from the S3 server to the end, packet by packet as in the source.

use tempfile::tempdir;

use crate::support::amf::Amf;
use crate::support::client::{Client, UNPACED};
use crate::support::message::{assert_end, samples};
use crate::support::packets::{self, Table};
use crate::support::{media, players, server};

/// The packets that must arrive of a generated file.
fn source(file: &str) -> Table {
    let path = media::file(file);
    if file.ends_with(".flv") {
        packets::messages(&packets::flv_tags(&path))
    } else {
        packets::source(&path)
    }
}

/// ffmpeg's own reader (ffprobe is it, without a file between), rtmpdump, and our client.
fn plays_everywhere(file: &str, name: &str) {
    let server = server::shared();
    let wanted = source(file);

    let probed = packets::ffprobe(&server.url(name), &[]);
    packets::assert_played(&format!("ffmpeg, {name}"), &wanted, &probed);
    if !file.ends_with(".mp3") {
        let composed = packets::expected(&wanted);
        packets::assert_composed(&format!("ffmpeg, {name}"), &composed, &probed);
    }

    let folder = tempdir().expect("a temporary folder");
    let out = folder.path().join("dumped.flv");
    let address = server.rtmp.to_string();
    // Its exit status says only what it thinks of the duration; what it wrote is what counts.
    let outcome = players::rtmpdump_split(&address, "cfx/st", name, &[], &out);
    assert!(
        out.is_file(),
        "rtmpdump, {name}: nothing written: {}",
        outcome.stderr
    );
    let dumped = packets::messages(&packets::flv_tags(&out));
    packets::assert_played(&format!("rtmpdump, {name}"), &wanted, &dumped);

    let mut client = Client::unpaced(server.rtmp);
    client.play_all(1, name);
    let messages = client.until_status("NetStream.Play.Stop");
    assert_end(&messages, 1);
    packets::assert_played(
        &format!("own client, {name}"),
        &wanted,
        &packets::messages(&messages),
    );
    assert!(
        messages
            .iter()
            .filter(|m| m.is_media())
            .all(|m| m.stream == 1),
        "all on stream 1"
    );
    server.assert_alive();
}

/// Through FFmpeg 8, which reads Enhanced RTMP.
fn plays_with_pyav(file: &str, name: &str) {
    let server = server::shared();
    let wanted = packets::pyav(&media::file(file).display().to_string());
    let received = packets::pyav(&server.url(name));
    packets::assert_played(&format!("PyAV, {name}"), &wanted, &received);
    packets::assert_composed(
        &format!("PyAV, {name}"),
        &packets::expected(&wanted),
        &received,
    );
}

macro_rules! plays {
    ($how:ident: $($test:ident, $file:literal, $name:literal;)*) => {$(
        #[test]
        fn $test() {
            $how($file, $name);
        }
    )*};
}

plays! { plays_everywhere:
    mp4_with_moov_first, "plain.mp4", "mp4:plain.mp4";
    mp4_with_b_frames, "bframes.mp4", "mp4:bframes.mp4";
    mp4_with_moov_last, "moov_last.mp4", "mp4:moov_last.mp4";
    mp4_in_fragments_with_mfra, "fragmented_mfra.mp4", "mp4:fragmented_mfra.mp4";
    mp4_in_fragments_without_any_index, "fragmented_bare.mp4", "mp4:fragmented_bare.mp4";
    mp4_in_fragments_with_one_sidx, "fragmented_sidx.mp4", "mp4:fragmented_sidx.mp4";
    mp4_in_fragments_as_dash_makes_them, "fragmented_dash.mp4", "mp4:fragmented_dash.mp4";
    mp4_with_sound_that_starts_later, "audio_delayed.mp4", "mp4:audio_delayed.mp4";
    mp4_poorly_interleaved, "poorly_interleaved.mp4", "mp4:poorly_interleaved.mp4";
    mp4_with_64_bit_offsets, "wide_offsets.mp4", "mp4:wide_offsets.mp4";
    mp4_with_two_audio_tracks_and_subtitles, "two_audio.mp4", "mp4:two_audio.mp4";
    mp4_with_a_frame_larger_than_a_segment, "huge_frame.mp4", "mp4:huge_frame.mp4";
    mp4_with_mp3_sound, "h264_mp3.mp4", "mp4:h264_mp3.mp4";
    mp4_of_many_segments, "large.mp4", "mp4:large.mp4";
    mov, "quicktime.mov", "mp4:quicktime.mov";
    m4v, "apple.m4v", "mp4:apple.m4v";
    f4v, "flash.f4v", "mp4:flash.f4v";
    m4a, "song.m4a", "mp4:song.m4a";
    flv_with_a_keyframe_index, "index.flv", "index";
    flv_without_an_index, "no_index.flv", "no_index";
    flv_without_an_index_of_many_segments, "large_no_index.flv", "large_no_index";
    flv_with_sorenson_and_mp3, "sorenson_mp3.flv", "sorenson_mp3";
    flv_with_speex, "speex.flv", "speex";
    flv_with_nellymoser, "nellymoser.flv", "nellymoser";
    flv_with_sound_only, "audio_only.flv", "audio_only";
    flv_with_times_past_2_24, "past_2_24.flv", "past_2_24";
    flv_with_times_past_2_32, "past_2_32.flv", "past_2_32";
    mp3_of_constant_rate, "cbr_bare.mp3", "mp3:cbr_bare";
    mp3_with_tags_before_and_after, "cbr_id3.mp3", "mp3:cbr_id3";
    mp3_of_variable_rate_with_a_table, "vbr_xing.mp3", "mp3:vbr_xing";
    mp3_of_variable_rate_without_a_table, "vbr_bare.mp3", "mp3:vbr_bare";
    mp3_of_mpeg_2, "mpeg2_mono.mp3", "mp3:mpeg2_mono";
}

plays! { plays_with_pyav:
    hevc_and_aac, "hevc_aac.mp4", "mp4:hevc_aac.mp4";
    av1_and_opus, "av1_opus.mp4", "mp4:av1_opus.mp4";
    vp9_and_opus, "vp9_opus.mp4", "mp4:vp9_opus.mp4";
    h264_and_opus, "h264_opus.mp4", "mp4:h264_opus.mp4";
    h264_and_flac, "h264_flac.mp4", "mp4:h264_flac.mp4";
    h264_and_ac3, "h264_ac3.mp4", "mp4:h264_ac3.mp4";
    h264_and_eac3, "h264_eac3.mp4", "mp4:h264_eac3.mp4";
    h264_and_aac, "bframes.mp4", "mp4:bframes.mp4";
    flv_by_ffmpeg_8, "index.flv", "index";
}

/// Of a file cut in mid-GOP the pictures before the cut come at the edit's start and the sound
/// before it not at all (rule 8).
#[test]
fn mp4_cut_by_an_edit_list() {
    plays_everywhere("edit_list.mp4", "mp4:edit_list.mp4");
}

/// FLV tags are messages already: bodies and times arrive as they stand in the file, script tags
/// and ends of sequence included.
#[test]
fn flv_tags_arrive_byte_for_byte() {
    for (file, name) in [
        ("index.flv", "index"),
        ("speex.flv", "speex"),
        ("past_2_32.flv", "past_2_32"),
    ] {
        let tags = packets::flv_tags(&media::file(file));
        let mut client = Client::unpaced(server::shared().rtmp);
        client.play_all(1, name);
        let messages = client.until_status("NetStream.Play.Stop");
        let got = samples(&messages);
        let wanted = samples(&tags);
        assert_eq!(got.len(), wanted.len(), "{file}");
        for (number, (got, wanted)) in got.iter().zip(&wanted).enumerate() {
            assert_eq!(got.body, wanted.body, "{file}: body {number}");
            assert_eq!(got.time, wanted.time, "{file}: time {number}");
            assert_eq!(got.kind, wanted.kind, "{file}: kind {number}");
        }
    }
}

/// rtmp2src plays one of each container to its own end of stream, and writes an FLV file.
#[test]
fn gstreamer_plays_one_of_each_container() {
    let server = server::shared();
    let folder = tempdir().expect("a temporary folder");
    for (file, name) in [
        ("plain.mp4", "mp4:plain.mp4"),
        ("index.flv", "index.flv"),
        ("cbr_bare.mp3", "mp3:cbr_bare"),
    ] {
        let out = folder.path().join(format!("{file}.flv"));
        players::rtmp2src(&server.url(name), &out).good(&format!("rtmp2src, {name}"));
        let received = packets::messages(&packets::flv_tags(&out));
        packets::assert_played(&format!("rtmp2src, {name}"), &source(file), &received);
    }
}

/// At the pace of the media, as a viewer watches, nothing is lost either.
#[test]
fn ffmpeg_with_its_default_buffer_loses_nothing() {
    let server = server::shared();
    let folder = tempdir().expect("a temporary folder");
    let out = folder.path().join("paced.flv");
    players::ffmpeg(
        &server.url("mp4:plain.mp4"),
        &["-rtmp_buffer", "3000"],
        &out,
    )
    .good("ffmpeg");
    let received = packets::messages(&packets::flv_tags(&out));
    let hashes = |table: &Table| -> Vec<(packets::Kind, String)> {
        let mut hashes: Vec<_> = table.iter().map(|p| (p.kind, p.hash.clone())).collect();
        hashes.sort_by_key(|(kind, _)| *kind);
        hashes
    };
    assert_eq!(hashes(&received), hashes(&source("plain.mp4")));
}

/// connect, createStream and play in one write: answered in that order, and it plays.
#[test]
fn a_play_sent_with_its_connect_plays() {
    let server = server::shared();
    let url = Amf::Text(format!("rtmp://{}/cfx/st", server.rtmp));
    let mut client = Client::shake(server.rtmp);
    client.at_once(|client| {
        let about = Client::about("cfx/st", &[("tcUrl", url)]);
        client.command(0, "connect", 1.0, &[about]);
        client.command(0, "createStream", 2.0, &[Amf::Null]);
        client.set_buffer(1, UNPACED);
        client.play_all(1, "mp4:plain.mp4");
    });
    let messages = client.until_status("NetStream.Play.Stop");
    assert_end(&messages, 1);
    let said: Vec<(String, Option<f64>)> = messages
        .iter()
        .filter(|message| message.kind == 20)
        .filter_map(|message| {
            let values = message.command()?;
            let name = values.first()?.as_text()?.to_owned();
            Some((name, values.get(1).and_then(Amf::as_number)))
        })
        .filter(|(name, _)| name != "onBWDone")
        .take(3)
        .collect();
    let wanted = [("_result", 1.0), ("_result", 2.0), ("onStatus", 0.0)];
    assert_eq!(
        said,
        wanted.map(|(name, transaction)| (name.to_owned(), Some(transaction)))
    );
    let wanted = source("plain.mp4");
    packets::assert_played("sent at once", &wanted, &packets::messages(&messages));
}
