//! Codecs that need Enhanced RTMP, by the server's policy: `always` to everybody (the default; what
//! PyAV makes of it is in `plays`), `negotiated` to those who announce the codec, `never` to nobody.
//! What is not sent is not promised, and where nothing is left the play says so.

use tempfile::TempDir;

use crate::support::amf::Amf;
use crate::support::client::{Client, UNPACED};
use crate::support::message::{Message, assert_end, codes, samples};
use crate::support::packets::{self, Kind, Table};
use crate::support::server::{Server, Setup};
use crate::support::{media, players, tools};

/// What onMetaData says of pictures, and of sound.
const OF_VIDEO: [&str; 5] = [
    "width",
    "height",
    "framerate",
    "videocodecid",
    "videodatarate",
];
const OF_AUDIO: [&str; 4] = [
    "audiocodecid",
    "audiosamplerate",
    "audiodatarate",
    "audiosamplesize",
];

/// A server of that policy over a folder with HEVC with sound, HEVC alone, and sound in Opus.
fn server(policy: &str) -> (Server, TempDir) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for name in ["hevc_aac.mp4", "h264_opus.mp4", "plain.mp4"] {
        std::fs::copy(media::file(name), folder.path().join(name)).expect("a copy");
    }
    let (whole, alone) = (
        folder.path().join("hevc_aac.mp4"),
        folder.path().join("hevc_only.mp4"),
    );
    let arguments = [
        "-v",
        "error",
        "-i",
        &whole.display().to_string(),
        "-an",
        "-c",
        "copy",
        &alone.display().to_string(),
    ]
    .map(str::to_owned);
    players::run(tools::tool("ffmpeg"), &arguments).good("HEVC without sound");
    let setup =
        Setup::directory(folder.path()).config(&format!("[rtmp]\nenhanced = \"{policy}\"\n"));
    (setup.start(), folder)
}

/// `fourCcList` of these codecs.
fn announcing(codecs: &[&str]) -> Vec<(&'static str, Amf)> {
    let list = codecs.iter().map(|codec| Amf::text(codec)).collect();
    vec![("fourCcList", Amf::List(list))]
}

/// A client that says these things in its connect, with stream 1 made and unpaced.
fn client(server: &Server, connect: &[(&str, Amf)]) -> Client {
    let mut client = Client::shake(server.rtmp);
    let url = Amf::Text(format!("rtmp://{}/cfx/st", server.rtmp));
    let mut fields = vec![("tcUrl", url)];
    fields.extend(connect.iter().cloned());
    let answer = client.connect_with("cfx/st", &fields);
    assert_eq!(answer.name().as_deref(), Some("_result"), "{answer:?}");
    assert_eq!(client.create_stream(), 1);
    client.set_buffer(1, UNPACED);
    client
}

fn play(server: &Server, connect: &[(&str, Amf)], name: &str) -> Vec<Message> {
    let mut client = client(server, connect);
    client.play_all(1, name);
    let messages = client.until_status("NetStream.Play.Stop");
    assert_end(&messages, 1);
    messages
}

/// The media among messages, codec heads included.
fn media_of(messages: &[Message]) -> Vec<&Message> {
    messages
        .iter()
        .filter(|message| message.is_media())
        .collect()
}

fn metadata(messages: &[Message]) -> Amf {
    let message = messages
        .iter()
        .find(|message| message.name().as_deref() == Some("onMetaData"));
    let values = message.and_then(Message::command).expect("onMetaData");
    values.get(1).expect("properties").clone()
}

/// Whether the metadata promises any of these.
fn promises(metadata: &Amf, names: &[&str]) -> bool {
    names.iter().any(|name| metadata.get(name).is_some())
}

/// HEVC and its sound, as the server of the policy `always` sends it.
fn assert_whole(what: &str, always: &[Message], messages: &[Message]) {
    assert_eq!(media_of(messages), media_of(always), "{what}");
    let pictures = samples(messages)
        .into_iter()
        .filter(|message| message.kind == 9);
    assert!(
        pictures.clone().count() > 50
            && pictures
                .clone()
                .all(|picture| picture.body.get(1..5) == Some(b"hvc1".as_slice())),
        "{what}: the pictures are HEVC"
    );
    assert!(
        promises(&metadata(messages), &OF_VIDEO),
        "{what}: the metadata tells of video"
    );
}

/// The sound of `hevc_aac.mp4` and nothing of its pictures, heads and metadata included.
fn assert_audio_alone(what: &str, messages: &[Message]) {
    assert!(
        messages.iter().all(|message| message.kind != 9),
        "{what}: no video message"
    );
    let source = packets::expected(&packets::source(&media::file("hevc_aac.mp4")));
    let sound: Table = source
        .into_iter()
        .filter(|packet| packet.kind == Kind::Audio)
        .collect();
    packets::assert_same(what, &sound, &packets::messages(messages));
    let metadata = metadata(messages);
    assert!(
        !promises(&metadata, &OF_VIDEO) && promises(&metadata, &OF_AUDIO),
        "{what}: {metadata:?} promises what is not sent"
    );
}

#[test]
fn negotiated_sends_a_codec_to_who_announces_it() {
    let (always, _folder) = server("always");
    let always = play(&always, &[], "mp4:hevc_aac.mp4");
    let (server, _folder) = server("negotiated");
    let map = |can: f64| {
        let entries = vec![("hvc1".to_owned(), Amf::Number(can))];
        vec![("videoFourCcInfoMap", Amf::Object(entries))]
    };
    for (what, connect) in [
        ("hvc1 announced", announcing(&["hvc1"])),
        ("hvc1 among others", announcing(&["av01", "hvc1", "Opus"])),
        ("every codec announced", announcing(&["*"])),
        ("hvc1 in the info map", map(1.0)),
    ] {
        let messages = play(&server, &connect, "mp4:hevc_aac.mp4");
        assert_whole(what, &always, &messages);
    }
    for (what, connect) in [
        ("nothing announced", vec![]),
        ("another codec announced", announcing(&["av01", "hev1"])),
        ("an empty list", announcing(&[])),
        ("hvc1 can be encoded and not decoded", map(2.0)),
    ] {
        let messages = play(&server, &connect, "mp4:hevc_aac.mp4");
        assert_audio_alone(what, &messages);
    }
}

#[test]
fn never_sends_it_to_nobody() {
    let (server, _folder) = server("never");
    for connect in [vec![], announcing(&["hvc1"]), announcing(&["*"])] {
        let messages = play(&server, &connect, "mp4:hevc_aac.mp4");
        assert_audio_alone("never", &messages);
    }
    // Sound that may not be sent leaves the pictures, and the metadata silent of sound.
    let messages = play(&server, &announcing(&["Opus"]), "mp4:h264_opus.mp4");
    assert!(messages.iter().all(|message| message.kind != 8));
    let source = packets::expected(&packets::source(&media::file("h264_opus.mp4")));
    let pictures: Table = source
        .into_iter()
        .filter(|packet| packet.kind == Kind::Video)
        .collect();
    packets::assert_same(
        "H.264 without Opus",
        &pictures,
        &packets::messages(&messages),
    );
    let metadata = metadata(&messages);
    assert!(
        promises(&metadata, &OF_VIDEO) && !promises(&metadata, &OF_AUDIO),
        "{metadata:?}"
    );
}

/// Where nothing may be sent the play says so, and the connection goes on.
#[test]
fn what_nobody_may_have_is_no_supported_track() {
    for (policy, connect) in [
        ("negotiated", vec![]),
        ("negotiated", announcing(&["av01"])),
        ("never", announcing(&["hvc1"])),
    ] {
        let (server, _folder) = server(policy);
        let mut client = client(&server, &connect);
        client.play_all(1, "mp4:hevc_only.mp4");
        let messages = client.until("an answer", |m| {
            m.status().is_some_and(|s| s.level == "error") || m.is_media()
        });
        assert_eq!(
            codes(&messages),
            ["NetStream.Play.NoSupportedTrackFound"],
            "{policy}"
        );
        client.play_all(1, "mp4:plain.mp4");
        client.until_status("NetStream.Play.Stop");
    }
    let (server, _folder) = server("negotiated");
    let messages = play(&server, &announcing(&["hvc1"]), "mp4:hevc_only.mp4");
    assert!(samples(&messages).len() > 50, "who announces it gets it");
}

/// getStreamLength is authorised as the play is (cloudfront.md 1.7): no length of what this client
/// could not play.
#[test]
fn get_stream_length_follows_the_policy() {
    let length = |server: &Server, connect: &[(&str, Amf)], name: &str| {
        let mut client = client(server, connect);
        let answer = client.call(0, "getStreamLength", &[Amf::Null, Amf::text(name)]);
        let values = answer.command().expect("a command");
        let seconds = values.last().and_then(Amf::as_number);
        seconds.filter(|_| answer.name().as_deref() == Some("_result"))
    };
    let (always, _folder) = server("always");
    let (negotiated, _other) = server("negotiated");
    let hevc = announcing(&["hvc1"]);
    for (what, seconds) in [
        ("always", length(&always, &[], "mp4:hevc_only.mp4")),
        ("announced", length(&negotiated, &hevc, "mp4:hevc_only.mp4")),
        (
            "the sound is left",
            length(&negotiated, &[], "mp4:hevc_aac.mp4"),
        ),
    ] {
        assert!(
            seconds.is_some_and(|seconds| (seconds - 4.0).abs() < 0.2),
            "{what}: {seconds:?}"
        );
    }
    assert_eq!(
        length(&negotiated, &[], "mp4:hevc_only.mp4"),
        None,
        "nothing is left"
    );
}
