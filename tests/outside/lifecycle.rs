//! Ready, drained, and the demo.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::support::amf::Amf;
use crate::support::client::Client;
use crate::support::message::{Message, assert_end};
use crate::support::{media, packets, players, ports, seaweed, server};

#[test]
fn the_ready_line_names_the_address() {
    let server = server::shared();
    assert!(
        server.ready_line.contains(&server.rtmp.to_string()),
        "{:?}",
        server.ready_line
    );
}

/// Waits until nobody listens there any more; how soon that is, is the server's affair.
fn until_refused(address: SocketAddr) {
    for _ in 0..3_000 {
        if TcpStream::connect(address).is_err() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("{address} still takes connections");
}

/// On SIGTERM running plays go on to their end, new ones are not taken, and the exit is 0.
#[test]
fn sigterm_drains_running_plays() {
    let mut server = server::Setup::s3(seaweed::shared()).start();
    let mut playing = Client::open(server.rtmp);
    playing.create_stream();
    playing.set_buffer(1, 1_000);
    playing.play_all(1, "mp4:plain.mp4");
    let mut messages = playing.until("media", Message::is_media);
    let mut idle = Client::unpaced(server.rtmp);

    server.terminate();
    until_refused(server.rtmp);
    assert!(
        Client::try_shake(server.rtmp).is_err(),
        "no new connections while draining"
    );

    playing.set_buffer(1, crate::support::client::UNPACED);
    messages.extend(playing.until_status("NetStream.Play.Stop"));
    assert_end(&messages, 1);
    let source = packets::source(&media::file("plain.mp4"));
    packets::assert_played(
        "a play that was drained",
        &source,
        &packets::messages(&messages),
    );

    // No new play on the connection that played nothing: an error or a close, never media. Where it
    // was closed already, the writing may fail too.
    let mut play = Vec::new();
    Amf::text("play").write(&mut play);
    Amf::Number(0.0).write(&mut play);
    Amf::Null.write(&mut play);
    Amf::text("mp4:plain.mp4").write(&mut play);
    let _ = idle.try_send(&Message {
        chunk_stream: 3,
        kind: 20,
        time: 0,
        stream: 1,
        body: play,
    });
    assert!(
        !idle.until_closed().iter().any(Message::is_media),
        "no new plays while draining"
    );
    drop(playing);
    let status = server.wait();
    assert_eq!(status.code(), Some(0), "{}", server.log());
}

#[test]
fn sigterm_ends_an_idle_server_at_once() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut server = server::Setup::directory(folder.path()).start();
    server.terminate();
    assert_eq!(server.wait().code(), Some(0), "{}", server.log());
}

/// A directory plays like a bucket.
#[test]
fn a_directory_plays_like_a_bucket() {
    let server = server::Setup::directory(media::folder()).start();
    for (file, name) in [
        ("bframes.mp4", "mp4:bframes.mp4"),
        ("cbr_id3.mp3", "mp3:cbr_id3"),
    ] {
        let received = packets::ffprobe(&server.url(name), &[]);
        packets::assert_played(name, &packets::source(&media::file(file)), &received);
    }
}

/// `streamfront demo` needs nothing and says what to play; what it prints plays.
#[test]
fn the_demo_plays_what_it_prints() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let address = ports::address();
    let mut arguments = vec!["demo".to_owned()];
    for (flag, address) in [
        ("--rtmp", address),
        ("--http", ports::address()),
        ("--api", ports::address()),
    ] {
        arguments.extend([flag.to_owned(), address.to_string()]);
    }
    let (mut demo, _) = server::launch(&arguments, &[], folder.path())
        .unwrap_or_else(|refusal| panic!("the demo does not start: {refusal:?}"));
    for (file, name) in [
        ("sample.mp4", "mp4:sample.mp4"),
        ("sample.flv", "sample"),
        ("sample.mp3", "mp3:sample"),
    ] {
        let path = crate::support::tools::root()
            .join("src/cli/demo")
            .join(file);
        let source = if file.ends_with("flv") {
            packets::messages(&packets::flv_tags(&path))
        } else {
            packets::source(&path)
        };
        let received = packets::ffprobe(&format!("rtmp://{address}/cfx/st/{name}"), &[]);
        packets::assert_played(name, &source, &received);
    }
    demo.signal(rustix::process::Signal::TERM);
    let status = demo
        .wait(Duration::from_secs(60))
        .expect("SIGTERM ends the demo");
    assert!(status.success(), "{status}");
}

/// Without ports of its own choosing a second server would not start; --help needs none.
#[test]
fn help_and_version_are_printed() {
    let binary = std::path::PathBuf::from(env!("CARGO_BIN_EXE_streamfront"));
    let help = players::run(binary.clone(), &["--help"]).good("--help");
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    assert!(help.contains("serve") && help.contains("demo"), "{help}");
    let version = players::run(binary, &["--version"]).good("--version");
    let version = String::from_utf8_lossy(&version.stdout).into_owned();
    assert!(version.contains(env!("CARGO_PKG_VERSION")), "{version}");
}

/// A draining server refuses a new play on a connection that plays, by its status, and what plays
/// there goes on to its end.
#[test]
fn sigterm_refuses_a_new_play_beside_one_that_goes_on() {
    let mut server = server::Setup::s3(seaweed::shared()).start();
    let mut client = Client::open(server.rtmp);
    client.create_stream();
    client.create_stream();
    client.set_buffer(1, 1_000);
    client.play_all(1, "mp4:plain.mp4");
    let mut messages = client.until("media", Message::is_media);
    server.terminate();
    until_refused(server.rtmp);
    for stream in [2, 1] {
        client.play_all(stream, "mp4:bframes.mp4");
        messages.extend(client.until_status("NetStream.Play.Failed"));
        let status = messages.last().and_then(Message::status);
        assert_eq!(status.expect("a status").stream, stream);
    }
    client.set_buffer(1, crate::support::client::UNPACED);
    messages.extend(client.until_status("NetStream.Play.Stop"));
    assert_end(&messages, 1);
    let source = packets::source(&media::file("plain.mp4"));
    packets::assert_played("beside it", &source, &packets::messages(&messages));
    drop(client);
    let status = server.wait();
    assert_eq!(status.code(), Some(0), "{}", server.log());
}
