//! Readers that do not read: nothing grows, nothing is lost, and others do not notice.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::support::amf::Amf;
use crate::support::client::{Client, UNPACED};
use crate::support::message::{Message, chunks, codes};
use crate::support::packets::{self, Kind};
use crate::support::proxy::Proxy;
use crate::support::{kernel, media, seaweed, server};

/// For tests whose readers stall for as long as something else takes on a busy machine.
const PATIENT: &str = "[limits]\nstall_timeout = \"10m\"\n";

/// While one reader stalls with a full socket, everything else the bucket has is played; when it
/// reads again, every byte is right.
#[test]
fn a_stalled_reader_finds_every_byte_right() {
    let server = server::Setup::s3(seaweed::shared()).start();
    let mut stalled = Client::unpaced(server.rtmp);
    stalled.play_all(1, "mp4:large.mp4");
    let mut messages = stalled.until("media", Message::is_media);
    for name in [
        "large_no_index",
        "mp4:huge_frame.mp4",
        "mp4:bframes.mp4",
        "index",
        "mp3:vbr_bare",
    ] {
        let mut other = Client::unpaced(server.rtmp);
        other.play_all(1, name);
        other.until_status("NetStream.Play.Stop");
    }
    messages.extend(stalled.until_status("NetStream.Play.Stop"));
    let source = packets::source(&media::file("large.mp4"));
    packets::assert_played("a stalled reader", &source, &packets::messages(&messages));
}

/// A seek under a backlog: what was queued may still come, then only what is after the seek.
#[test]
fn a_seek_under_a_backlog_is_clean() {
    let server = server::Setup::s3(seaweed::shared()).start();
    let mut client = Client::unpaced(server.rtmp);
    client.play_all(1, "mp4:large.mp4");
    client.until("media", Message::is_media);
    // Let it fill the socket as far as it will go.
    std::thread::sleep(Duration::from_millis(500));
    client.seek(1, 30_100.0);
    let before = client.until_status("NetStream.Seek.Notify");
    assert!(
        !codes(&before).contains(&"NetStream.Play.Stop".to_owned()),
        "{:?}",
        codes(&before)
    );
    let after = client.until_status("NetStream.Play.Stop");
    let received = packets::messages(&after);
    let first = received
        .iter()
        .find(|p| p.kind == Kind::Video)
        .expect("pictures");
    assert!(
        first.key && (first.dts - 30_000.0).abs() <= 100.0,
        "{first:?}"
    );
    let source = packets::expected(&packets::source(&media::file("large.mp4")));
    let tail = |table: &packets::Table| -> packets::Table {
        let pictures = table
            .iter()
            .filter(|p| p.kind == Kind::Video && p.dts >= first.dts - 1.0);
        pictures.cloned().collect()
    };
    packets::assert_same("after the seek", &tail(&source), &tail(&received));
}

/// The cache is too small for the object that the stalled reader plays, and all of it is filled
/// with other objects twice over: what is queued for the reader stays right, and so does the rest.
#[test]
fn a_stalled_reader_outlives_the_whole_cache() {
    let proxy = Proxy::start(seaweed::shared().address);
    let mut setup = server::Setup::s3(seaweed::shared())
        .argument("--cache-memory")
        .argument("8MiB")
        .config(PATIENT);
    setup.environment = seaweed::environment(proxy.address);
    let server = setup.start();
    let mut stalled = Client::unpaced(server.rtmp);
    stalled.play_all(1, "mp4:large.mp4");
    let mut messages = stalled.until("media", |m| m.is_media() && m.time > 2_000);
    let size = std::fs::metadata(media::file("large.mp4"))
        .expect("a file")
        .len();
    let sent = kernel::held_by_stalled(&stalled) + stalled.received();
    assert!(
        sent < size * 9 / 10,
        "{sent} of {size} bytes are sent: it does not stall in the middle"
    );
    // Two viewers of each, so that their segments count as worth keeping.
    for name in ["large_no_index", "mp4:huge_frame.mp4", "large_no_index"] {
        let mut others = [0, 1].map(|_| Client::unpaced(server.rtmp));
        for other in &mut others {
            other.play_all(1, name);
        }
        for other in &mut others {
            other.until_status("NetStream.Play.Stop");
        }
    }
    // What the reader was sent last is not in the cache any more: it is read from the bucket again.
    let before = proxy.delivered();
    let mut witness = Client::unpaced(server.rtmp);
    let (start, length) = (f64::from(messages.last().map_or(0, |m| m.time)), 3_000.0);
    witness.play(1, "mp4:large.mp4", start, length, true);
    witness.until_status("NetStream.Play.Stop");
    let spent = proxy.delivered() - before;
    assert!(
        spent > 500_000,
        "{spent} bytes read for 3 s of media: its segments were still cached"
    );
    messages.extend(stalled.until_status("NetStream.Play.Stop"));
    let source = packets::source(&media::file("large.mp4"));
    packets::assert_played("the stalled reader", &source, &packets::messages(&messages));
}

/// A seek of a viewer who does not read, under megabytes that are queued for it: before Seek.Notify
/// comes what the kernel held and the message in flight, and nothing else; behind it, only what is
/// at the new place and after it.
#[test]
fn a_seek_under_megabytes_sends_no_more_of_the_old_place() {
    /// Room for unread bytes in the kernel, which may grant less.
    const WINDOW: usize = 2 << 20;
    let server = server::Setup::s3(seaweed::shared()).config(PATIENT).start();
    let largest = packets::source(&media::file("large.mp4"))
        .iter()
        .map(|packet| packet.size)
        .max()
        .expect("packets");
    let mut client = Client::shake_with_window(server.rtmp, WINDOW);
    client.connect("cfx/st");
    client.create_stream();
    client.set_buffer(1, UNPACED);
    client.play_all(1, "mp4:large.mp4");
    client.until("media", Message::is_media);
    let held = kernel::held_by_stalled(&client);
    let window = client.window();
    assert!(
        held >= window / 4,
        "only {held} bytes are queued where there is room for {window}"
    );
    client.seek(1, 30_100.0);
    kernel::until_heard(&client);
    let before = client.received();
    let old = client.until_status("NetStream.Seek.Notify");
    let read = client.received() - before;
    // The replies around it (StreamEOF, StreamBegin, Seek.Notify) and a message's chunk headers.
    let replies = 1_024;
    assert!(
        read <= held + largest as u64 + replies,
        "{read} bytes before Seek.Notify; {held} were queued, and a message has at most {largest}"
    );
    assert!(
        !codes(&old).contains(&"NetStream.Play.Stop".to_owned()),
        "{:?}",
        codes(&old)
    );
    let after = packets::messages(&client.until_status("NetStream.Play.Stop"));
    let first = after
        .iter()
        .find(|packet| packet.kind == Kind::Video)
        .expect("pictures");
    assert!(
        first.key && first.dts <= 30_100.0 && first.dts > 28_000.0,
        "{first:?}"
    );
    let early = after.iter().find(|packet| packet.dts < first.dts - 100.0);
    assert!(early.is_none(), "{early:?} is of the old place");
    let source = packets::expected(&packets::source(&media::file("large.mp4")));
    for kind in [Kind::Video, Kind::Audio] {
        let of = |table: &packets::Table| -> packets::Table {
            table.iter().filter(|p| p.kind == kind).cloned().collect()
        };
        let (source, after) = (of(&source), of(&after));
        let skip = source.len() - after.len();
        packets::assert_same("after the seek", &source[skip..].to_vec(), &after);
    }
}

/// Fifty readers that stop reading cost next to nothing, and another viewer plays on.
#[test]
fn stalled_readers_cost_no_memory() {
    let server = server::Setup::s3(seaweed::shared()).start();
    let mut warm = Client::unpaced(server.rtmp);
    warm.play_all(1, "mp4:large.mp4");
    warm.until_status("NetStream.Play.Stop");
    let before = server.resident();
    let mut stalled: Vec<Client> = (0..50)
        .map(|_| {
            let mut client = Client::unpaced(server.rtmp);
            client.set_buffer(1, UNPACED);
            client.play_all(1, "mp4:large.mp4");
            client.until("media", Message::is_media);
            client
        })
        .collect();
    let mut other = Client::unpaced(server.rtmp);
    other.play_all(1, "mp4:bframes.mp4");
    other.until_status("NetStream.Play.Stop");
    let grown = server.resident().saturating_sub(before);
    // Each could have had 14 MB queued for it.
    assert!(
        grown < 50 << 20,
        "fifty stalled readers cost {} MiB",
        grown >> 20
    );
    let last = stalled
        .pop()
        .map(|mut client| client.until_status("NetStream.Play.Stop"));
    assert!(last.is_some_and(|messages| !messages.is_empty()));
}

/// A reader who leaves in the middle leaves nothing behind.
#[test]
fn readers_who_leave_leave_nothing_behind() {
    let server = server::Setup::s3(seaweed::shared()).start();
    let mut first = Client::unpaced(server.rtmp);
    first.play_all(1, "mp4:large.mp4");
    first.until_status("NetStream.Play.Stop");
    drop(first);
    let before = server.descriptors();
    for _ in 0..60 {
        let mut client = Client::unpaced(server.rtmp);
        client.play_all(1, "mp4:large.mp4");
        client.until("media", Message::is_media);
    }
    for _ in 0..200 {
        if server.descriptors() <= before {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!(
        "{} descriptors before, {} after",
        before,
        server.descriptors()
    );
}

/// Who sends commands without reading the answers is not read from any further, at no cost, and
/// gets every answer in its order once they read.
#[test]
fn who_floods_commands_without_reading_gets_every_answer() {
    const ROUNDS: u32 = 40_000;
    let server = server::Setup::directory(media::folder())
        .config(PATIENT)
        .start();
    let mut client = Client::shake_with_window(server.rtmp, 256 << 10);
    assert_eq!(client.connect("cfx/st").name().as_deref(), Some("_result"));
    assert_eq!(client.create_stream(), 1);
    client.set_buffer(1, 1_000);
    client.play_all(1, "mp4:large.mp4");
    client.until("media", Message::is_media);

    let transactions = |round: u32| [1_000 + 2 * round, 1_001 + 2 * round].map(f64::from);
    let mut flood = Vec::new();
    let mut say = |name: &str, transaction: f64, arguments: &[Amf]| {
        let mut body = Vec::new();
        Amf::text(name).write(&mut body);
        Amf::Number(transaction).write(&mut body);
        arguments.iter().for_each(|value| value.write(&mut body));
        let message = Message {
            chunk_stream: 3,
            kind: 20,
            time: 0,
            stream: 0,
            body,
        };
        flood.extend(chunks(&message, 128));
    };
    let unknown = "x".repeat(400);
    for round in 0..ROUNDS {
        let [first, second] = transactions(round);
        say("createStream", first, &[Amf::Null]);
        say("deleteStream", 0.0, &[Amf::Null, Amf::Number(2.0)]);
        say(&unknown, second, &[Amf::Null]);
    }
    let mut socket = client.socket().try_clone().expect("a second handle");
    let sent = Arc::new(AtomicBool::new(false));
    let done = Arc::clone(&sent);
    let writer = std::thread::spawn(move || {
        socket.set_write_timeout(None).expect("no timeout");
        socket.write_all(&flood).expect("the server reads");
        done.store(true, Ordering::SeqCst);
    });
    kernel::held_by_stalled(&client);
    let before = server.processor_time();
    std::thread::sleep(Duration::from_secs(2));
    let spent = server.processor_time() - before;
    assert!(spent < Duration::from_millis(500), "{spent:?} in 2 s");
    assert!(
        !sent.load(Ordering::SeqCst),
        "the server reads on without an end: its answers pile up"
    );

    // Acknowledgements of the reader must not come in the middle of what the writer writes.
    client.at_once(|client| {
        let wanted = (0..ROUNDS).flat_map(transactions);
        for transaction in wanted {
            let (name, number) = loop {
                let message = client.next().expect("an answer");
                let Some(values) = message.command().filter(|_| message.kind == 20) else {
                    continue;
                };
                let name = values.first().and_then(Amf::as_text).unwrap_or_default();
                if name.starts_with('_') {
                    break (name.to_owned(), values.get(1).and_then(Amf::as_number));
                }
            };
            assert_eq!(number, Some(transaction), "in order");
            let created = transaction % 2.0 == 0.0;
            assert_eq!(name, if created { "_result" } else { "_error" });
        }
        writer.join().expect("all was written");
    });
}
