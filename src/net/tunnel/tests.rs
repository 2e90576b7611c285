use std::future::poll_fn;
use std::io;
use std::sync::Mutex;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::net::transport::Channel;
use crate::rtmp::tunnel::{Fault, Incoming, Kind, Number, OUTPUT_MAX, SILENCE_MAX};

/// Lets viewers in up to a number, and keeps their ends.
#[derive(Debug)]
struct Door {
    most: usize,
    ends: Mutex<Vec<TunnelEnd>>,
}

impl Admission for Door {
    fn open(&self, _: SocketAddr, end: TunnelEnd) -> Result<(), NoPlace> {
        let mut ends = self.ends.lock().unwrap();
        if ends.len() == self.most {
            return Err(NoPlace);
        }
        ends.push(end);
        Ok(())
    }
}

fn tunnels(most: usize) -> (Arc<Door>, Tunnels) {
    let door = Arc::new(Door {
        most,
        ends: Mutex::default(),
    });
    (Arc::clone(&door), Tunnels::new(door))
}

fn viewer() -> SocketAddr {
    "192.0.2.1:1".parse().unwrap()
}

/// A session and its end.
fn opened() -> (Arc<Session>, TunnelEnd, Tunnels) {
    let (door, tunnels) = tunnels(1);
    let (_, session) = tunnels.open(viewer()).unwrap();
    let end = door.ends.lock().unwrap().pop().unwrap();
    (session, end, tunnels)
}

fn send(number: u32, body: &[u8]) -> Incoming {
    Incoming {
        kind: Kind::Send,
        number: Some(Number(number)),
        body: Bytes::copy_from_slice(body),
    }
}

fn idle(number: u32) -> Incoming {
    Incoming {
        kind: Kind::Idle,
        ..send(number, &[0])
    }
}

/// Waits for what the viewer says.
async fn hear(end: &mut TunnelEnd) -> Vec<u8> {
    let mut buffer = vec![0; 100_000];
    poll_fn(|cx| end.poll_readable(cx)).await.unwrap();
    let read = end.try_read(&mut buffer).unwrap();
    buffer[..read].to_vec()
}

fn would_block<T: std::fmt::Debug>(result: io::Result<T>) {
    assert_eq!(result.unwrap_err().kind(), io::ErrorKind::WouldBlock);
}

#[tokio::test]
async fn what_is_written_in_one_go_leaves_in_one_reply() {
    let (session, mut end, _tunnels) = opened();
    would_block(end.try_read(&mut [0; 10]));
    let asking = Arc::clone(&session);
    let asking = tokio::spawn(async move { asking.request(send(0, b"hello")).await });
    assert_eq!(hear(&mut end).await, b"hello");
    assert_eq!(end.try_write(b"wor").unwrap(), 3);
    assert_eq!(end.try_write(b"ld").unwrap(), 2);
    end.try_flush().unwrap();
    let reply = asking.await.unwrap().unwrap();
    assert_eq!(reply, &b"\x01world"[..]);
}

#[tokio::test]
async fn who_asks_later_gets_what_waits_and_wakes_the_writer() {
    let (session, mut end, _tunnels) = opened();
    let bytes = vec![7; OUTPUT_MAX + 1];
    assert_eq!(end.try_write(&bytes).unwrap(), OUTPUT_MAX);
    would_block(end.try_write(&bytes));
    let asking = Arc::clone(&session);
    let asking = tokio::spawn(async move { asking.request(idle(0)).await });
    poll_fn(|cx| end.poll_writable(cx)).await.unwrap();
    assert_eq!(end.try_write(b"more").unwrap(), 4);
    assert_eq!(asking.await.unwrap().unwrap().len(), OUTPUT_MAX + 1);
    // There is room, but not all has left.
    would_block(end.try_flush());
    let asking = tokio::spawn(async move { session.request(idle(1)).await });
    poll_fn(|cx| end.poll_writable(cx)).await.unwrap();
    end.try_flush().unwrap();
    assert_eq!(asking.await.unwrap().unwrap(), &b"\x01more"[..]);
}

#[tokio::test]
async fn requests_that_overtake_each_other_are_answered_in_order() {
    let (session, mut end, _tunnels) = opened();
    let ask = |request| {
        let session = Arc::clone(&session);
        tokio::spawn(async move { session.request(request).await })
    };
    let (third, second) = (ask(send(2, b"c")), ask(send(1, b"b")));
    tokio::task::yield_now().await;
    let first = ask(send(0, b"a"));
    assert_eq!(first.await.unwrap().unwrap(), &[1][..]);
    assert_eq!(second.await.unwrap().unwrap(), &[1][..]);
    assert_eq!(hear(&mut end).await, b"abc");
    end.try_write(b"all").unwrap();
    end.try_flush().unwrap();
    assert_eq!(third.await.unwrap().unwrap(), &b"\x01all"[..]);
}

/// Whoever was waiting is gone; the same request by another way gets the reply.
#[tokio::test]
async fn a_request_that_was_cut_off_can_be_repeated() {
    let (session, mut end, _tunnels) = opened();
    let cut = Arc::clone(&session);
    let cut = tokio::spawn(async move { cut.request(send(0, b"x")).await });
    assert_eq!(hear(&mut end).await, b"x");
    cut.abort();
    assert!(cut.await.unwrap_err().is_cancelled());
    end.try_write(b"said").unwrap();
    assert_eq!(
        session.request(send(0, b"x")).await.unwrap(),
        &b"\x01said"[..]
    );
    assert_eq!(
        session.request(send(0, b"x")).await.unwrap(),
        &b"\x01said"[..]
    );
    would_block(end.try_read(&mut [0; 10]));
}

#[tokio::test]
async fn the_end_of_the_connection_ends_the_session() {
    let (session, end, tunnels) = opened();
    assert_eq!(tunnels.len(), 1);
    let asking = Arc::clone(&session);
    let asking = tokio::spawn(async move { asking.request(idle(1)).await });
    tokio::task::yield_now().await;
    drop(end);
    assert_eq!(asking.await.unwrap(), Err(Refused::Ended));
    assert_eq!(session.request(idle(0)).await, Err(Refused::Ended));
    assert!(tunnels.is_empty());
}

#[tokio::test]
async fn the_last_words_are_fetched_before_the_connection_sees_the_end() {
    let (session, mut end, _tunnels) = opened();
    end.try_write(b"goodbye").unwrap();
    end.close();
    let leaving = tokio::spawn(async move {
        let heard = hear(&mut end).await;
        drop(end);
        heard
    });
    assert_eq!(session.request(idle(0)).await.unwrap(), &b"\x01goodbye"[..]);
    assert_eq!(leaving.await.unwrap(), b"");
    assert_eq!(session.request(idle(1)).await, Err(Refused::Ended));
}

#[tokio::test]
async fn a_silent_viewer_is_gone() {
    let heard = Instant::now().checked_sub(SILENCE_MAX).unwrap();
    let session = Session::new(heard + Duration::from_millis(50), Arc::default());
    let session = Arc::new(session);
    let mut end = TunnelEnd::new(TunnelId([0; 16]), Arc::clone(&session), Arc::default());
    assert_eq!(hear(&mut end).await, b"");
    // A request is a sign of life.
    session.request(idle(0)).await.unwrap();
    would_block(end.try_read(&mut [0; 10]));
    let pends = poll_fn(|cx| Poll::Ready(end.poll_readable(cx).is_pending()));
    assert!(pends.await);
}

#[test]
fn without_a_place_there_is_no_session() {
    let (door, tunnels) = tunnels(2);
    let ids: Vec<TunnelId> = (0..2).map(|_| tunnels.open(viewer()).unwrap().0).collect();
    assert_ne!(ids[0], ids[1]);
    assert_eq!(tunnels.open(viewer()).unwrap_err(), NoPlace);
    assert_eq!(tunnels.len(), 2);
    assert!(ids.iter().all(|id| tunnels.get(*id).is_some()));
    door.ends.lock().unwrap().clear();
    assert!(ids.iter().all(|id| tunnels.get(*id).is_none()));
}

#[tokio::test]
async fn only_so_many_requests_wait() {
    let (session, _end, _tunnels) = opened();
    let ask = || {
        let session = Arc::clone(&session);
        tokio::spawn(async move { session.request(idle(1)).await })
    };
    let asking: Vec<_> = (0..18).map(|_| ask()).collect();
    tokio::task::yield_now().await;
    assert_eq!(session.request(idle(1)).await, Err(Refused::TooMany));
    // Who stops waiting leaves room.
    for asks in &asking {
        asks.abort();
    }
    tokio::task::yield_now().await;
    let last = ask();
    tokio::task::yield_now().await;
    assert!(!last.is_finished());
}

#[tokio::test]
async fn what_waits_is_counted_and_given_back() {
    let (session, mut end, tunnels) = opened();
    end.try_write(&[0; 1_000]).unwrap();
    assert!((1_000..2_000).contains(&tunnels.waiting()));
    session.request(idle(0)).await.unwrap();
    assert!(tunnels.waiting() >= 1_000, "who asks again gets it again");
    assert_eq!(session.request(idle(0)).await.unwrap().len(), 1_001);
    let behind = session.request(idle(u32::MAX)).await;
    assert_eq!(behind, Err(Refused::Fault(Fault::Behind)));
    drop((session, end));
    assert_eq!(tunnels.waiting(), 0);
}

#[tokio::test]
async fn when_too_much_waits_everybody_gets_on_slowly() {
    let (session, mut end, tunnels) = opened();
    tunnels.memory.changed(0, MEMORY_MAX);
    assert_eq!(end.try_write(&[0; OUTPUT_MAX]).unwrap(), SCARCE);
    let much = session.request(send(0, &[0; SCARCE + 1])).await;
    assert_eq!(much, Err(Refused::Scarce));
    let reply = session.request(send(0, &[0; SCARCE])).await.unwrap();
    assert_eq!(reply.len(), SCARCE + 1);
}

#[test]
fn one_connection_carries_a_session() {
    let (session, end, _tunnels) = opened();
    let carriage = Carriage::of(&session).unwrap();
    assert!(Carriage::of(&session).is_none());
    drop(carriage);
    let carriage = Carriage::of(&session).unwrap();
    assert!(!carriage.is_over());
    drop(end);
    assert!(carriage.is_over());
    drop(carriage);
    assert!(Carriage::of(&session).is_none(), "the session has ended");
}
