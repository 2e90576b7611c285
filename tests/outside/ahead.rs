//! What reading ahead costs the S3 server: every byte once for a crowd, and no more than is stated
//! for one who leaves.

use std::sync::{Arc, Barrier};

use crate::support::client::Client;
use crate::support::message::Message;
use crate::support::proxy::Proxy;
use crate::support::server::{Server, Setup};
use crate::support::{kernel, media, seaweed};

/// A segment at most (design.md).
const SEGMENT: u64 = 512 << 10;
/// The first read of an object.
const PROBE: u64 = 144 << 10;
/// Head of an answer.
const HEAD: u64 = 1 << 10;

/// A server of its own whose S3 traffic goes through a proxy.
fn behind_a_proxy() -> (Proxy, Server) {
    let proxy = Proxy::start(seaweed::shared().address);
    let mut setup = Setup::s3(seaweed::shared());
    setup.environment = seaweed::environment(proxy.address);
    let server = setup.start();
    (proxy, server)
}

fn size(name: &str) -> u64 {
    std::fs::metadata(media::file(name)).expect("a file").len()
}

/// Plays to the end; how many messages of media came.
fn watch(mut client: Client, name: &str) -> usize {
    client.play_all(1, name);
    let mut count = 0;
    loop {
        let message = client.next().expect("the play ends before the connection");
        count += usize::from(message.is_media());
        let code = message.status().map(|status| status.code);
        match code.as_deref() {
            Some("NetStream.Play.Stop") => return count,
            Some("NetStream.Play.Failed") => panic!("the play failed"),
            _ => {}
        }
    }
}

/// Two hundred viewers who come at once to an object that nobody has played cost every byte of it
/// once, and hardly more: an indexed file, and one that is walked.
#[test]
fn a_crowd_of_cold_viewers_costs_every_byte_once() {
    for (name, file) in [
        ("mp4:large.mp4", "large.mp4"),
        ("large_no_index", "large_no_index.flv"),
    ] {
        let (proxy, server) = behind_a_proxy();
        let before = proxy.delivered();
        let start = Arc::new(Barrier::new(200));
        let address = server.rtmp;
        let viewers: Vec<_> = (0..200)
            .map(|_| {
                let start = Arc::clone(&start);
                std::thread::spawn(move || {
                    let client = Client::unpaced(address);
                    start.wait();
                    watch(client, name)
                })
            })
            .collect();
        let counts: Vec<usize> = viewers
            .into_iter()
            .map(|viewer| viewer.join().expect("a viewer plays to the end"))
            .collect();
        assert!(counts[0] > 1_000 && counts.iter().all(|count| *count == counts[0]));
        let (size, requests) = (size(file), proxy.requests(file).len());
        let spent = proxy.delivered() - before;
        eprintln!("{file}: {spent} bytes in {requests} requests for {size}");
        assert!(
            spent * 100 <= size * 105,
            "{file}: {spent} bytes read for {size}, in {requests} requests"
        );
    }
}

/// Length of the moov box of a file that has one before the media.
fn index_of(name: &str) -> u64 {
    let bytes = std::fs::read(media::file(name)).expect("a file");
    let at = bytes.windows(4).position(|window| window == b"moov");
    let at = at.expect("a moov box");
    let length: [u8; 4] = bytes[at - 4..at].try_into().expect("4 bytes");
    u64::from(u32::from_be_bytes(length))
}

/// Who watches a minute of an hour costs the index, what was watched, and what is stated: the rest of
/// the segment in progress and one segment more (in a file that is walked, one read of that length),
/// beside the probe and what is read with the index.
#[test]
fn a_minute_of_an_hour_costs_a_minute() {
    for (name, file, index) in [
        ("mp4:hour.mp4", "hour.mp4", index_of("hour.mp4")),
        // Its table of key frames is in the probe or behind it, and its last 64 KiB tell how long it is.
        ("hour", "hour.flv", 256 << 10),
    ] {
        let (proxy, server) = behind_a_proxy();
        let before = proxy.delivered();
        let mut client = Client::open(server.rtmp);
        client.create_stream();
        // The lead is what a client buffer holds: the minute comes at once.
        client.set_buffer(1, 59_000);
        client.play_all(1, name);
        client.until("a minute of media", |message: &Message| {
            message.is_media() && message.time >= 59_900
        });
        let spent = proxy.delivered() - before;
        let sent = client.received() + kernel::held(&client);
        let requests = proxy.requests(file).len() as u64;
        let most = index + 2 * PROBE + sent + 2 * SEGMENT + requests * HEAD;
        let size = size(file);
        eprintln!("{file}: {spent} bytes in {requests} requests for {sent} of {size}");
        assert!(
            spent <= most,
            "{file}: {spent} bytes read for {sent} of {size} that were sent, in {requests} requests"
        );
        assert!(most < size / 3, "the bound says nothing of {size} bytes");
    }
}
