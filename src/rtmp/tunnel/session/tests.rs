use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::rtmp::tunnel::{INPUT_MAX, OUTPUT_MAX};

/// A session and a clock for it.
struct Bench {
    tunnel: Tunnel,
    now: Instant,
}

impl Bench {
    fn new() -> Self {
        let now = Instant::now();
        let tunnel = Tunnel::new(now);
        Self { tunnel, now }
    }

    fn arrive(&mut self, kind: Kind, number: u32, body: &[u8]) -> Result<Arrival, Fault> {
        let request = Incoming {
            kind,
            number: Some(Number(number)),
            body: Bytes::copy_from_slice(body),
        };
        self.tunnel.arrive(request, self.now)
    }

    fn send(&mut self, number: u32, body: &[u8]) -> Result<Arrival, Fault> {
        self.arrive(Kind::Send, number, body)
    }

    fn idle(&mut self, number: u32) -> Result<Arrival, Fault> {
        self.arrive(Kind::Idle, number, &[0])
    }

    /// Number and body of the next reply.
    fn reply(&mut self) -> Option<(u32, Vec<u8>)> {
        let reply = self.tunnel.reply(self.now)?;
        let body = reply.body.expect("no fault");
        Some((reply.number.0, body.to_vec()))
    }

    fn read(&mut self) -> Option<Vec<u8>> {
        let mut buffer = [0; INPUT_MAX];
        let read = self.tunnel.read(&mut buffer, self.now)?;
        Some(buffer[..read].to_vec())
    }

    fn write(&mut self, bytes: &[u8]) -> usize {
        self.tunnel.write(bytes, OUTPUT_MAX)
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
    }
}

fn waits(number: u32) -> Result<Arrival, Fault> {
    Ok(Arrival::Waits(Number(number)))
}

#[test]
fn one_request_after_the_other() {
    let mut bench = Bench::new();
    assert_eq!(bench.send(0, b"hello"), waits(0));
    assert_eq!(bench.reply(), None, "there is nothing to say yet");
    assert_eq!(bench.read().as_deref(), Some(&b"hello"[..]));
    assert_eq!(bench.read(), None);
    assert_eq!(bench.write(b"answer"), 6);
    assert_eq!(bench.reply(), Some((0, b"\x01answer".to_vec())));
    assert_eq!(bench.write(b"more"), 4);
    assert_eq!(bench.reply(), None, "nobody asks");
    assert_eq!(bench.idle(1), waits(1));
    assert_eq!(bench.reply(), Some((1, b"\x01more".to_vec())));
    assert_eq!(
        bench.read(),
        None,
        "the body of an idle request means nothing"
    );
}

#[test]
fn who_has_nothing_to_fetch_waits_a_little() {
    let mut bench = Bench::new();
    for (number, kind, wait) in [(0, Kind::Idle, IDLE_WAIT), (1, Kind::Send, SEND_WAIT)] {
        bench.arrive(kind, number, b"").unwrap();
        assert_eq!(bench.reply(), None);
        assert_eq!(bench.tunnel.due(), Some(bench.now + wait));
        bench.pass(wait - Duration::from_millis(1));
        assert_eq!(bench.reply(), None);
        bench.pass(Duration::from_millis(1));
        assert_eq!(bench.reply(), Some((number, vec![1])));
        assert_eq!(bench.tunnel.due(), None);
    }
}

#[test]
fn a_request_that_overtook_others_waits_for_its_turn() {
    let mut bench = Bench::new();
    bench.send(2, b"c").unwrap();
    bench.send(1, b"b").unwrap();
    assert_eq!((bench.reply(), bench.read()), (None, None));
    bench.send(0, b"a").unwrap();
    // The first two are answered at once, for the next has come.
    assert_eq!(bench.reply(), Some((0, vec![1])));
    assert_eq!(bench.reply(), Some((1, vec![1])));
    assert_eq!(bench.reply(), None);
    assert_eq!(bench.read().as_deref(), Some(&b"abc"[..]));
}

#[test]
fn a_repeated_request_gets_the_same_reply_and_is_taken_once() {
    let mut bench = Bench::new();
    bench.send(0, b"x").unwrap();
    assert_eq!(bench.send(0, b"x"), waits(0), "while it is open");
    assert_eq!(bench.send(2, b"z"), waits(2));
    assert_eq!(bench.send(2, b"other"), waits(2), "while it is held");
    bench.write(b"said");
    assert_eq!(bench.reply(), Some((0, b"\x01said".to_vec())));
    bench.write(b"later");
    let again = Ok(Arrival::Again(Bytes::from_static(b"\x01said")));
    assert_eq!(bench.send(0, b"x"), again);
    bench.send(1, b"y").unwrap();
    assert_eq!(bench.reply(), Some((1, b"\x01later".to_vec())));
    assert_eq!(
        bench.send(0, b"x"),
        Err(Fault::Behind),
        "the one before the last"
    );
    bench.write(b"!");
    assert_eq!(bench.reply(), Some((2, b"\x01!".to_vec())));
    assert_eq!(bench.read().as_deref(), Some(&b"xyz"[..]));
}

#[test]
fn numbers_go_round() {
    let mut bench = Bench::new();
    bench.tunnel.turn = Number(u32::MAX);
    bench.send(0, b"b").unwrap();
    bench.send(u32::MAX, b"a").unwrap();
    assert_eq!(bench.reply(), Some((u32::MAX, vec![1])));
    bench.write(b"it");
    assert_eq!(bench.reply(), Some((0, b"\x01it".to_vec())));
    assert_eq!(bench.read().as_deref(), Some(&b"ab"[..]));
}

#[test]
fn only_so_much_is_held() {
    let mut bench = Bench::new();
    assert_eq!(bench.send(HELD_MAX as u32 + 1, b""), Err(Fault::Ahead));
    assert_eq!(bench.send(1, &[0; BODY_MAX + 1]), Err(Fault::TooMuch));
    assert_eq!(bench.send(1, &[0; HELD_BYTES - 1]), waits(1));
    assert_eq!(bench.send(2, &[0; 2]), Err(Fault::TooMuch));
    for number in 2..=HELD_MAX as u32 {
        assert_eq!(bench.send(number, b""), waits(number));
    }
    // The one that all wait for is taken nevertheless.
    assert_eq!(bench.send(0, &[0; 8]), waits(0));
    assert_eq!(
        bench.reply(),
        None,
        "there is no room yet for the one behind it"
    );
    assert_eq!(bench.read().map(|read| read.len()), Some(8));
    assert_eq!(
        bench.reply(),
        Some((0, vec![1])),
        "now there is room for the next"
    );
}

#[test]
fn a_body_waits_until_there_is_room_for_it() {
    let mut bench = Bench::new();
    bench.send(0, &[1; INPUT_MAX]).unwrap();
    bench.write(b"x");
    assert!(bench.reply().is_some());
    bench.send(1, &[2; 10]).unwrap();
    bench.write(b"y");
    assert_eq!(bench.reply(), None, "not before it was taken");
    assert_eq!(bench.read().map(|read| read.len()), Some(INPUT_MAX));
    assert_eq!(bench.reply(), Some((1, b"\x01y".to_vec())));
    assert_eq!(bench.read(), Some(vec![2; 10]));
}

#[test]
fn who_is_held_too_long_is_told_so() {
    let mut bench = Bench::new();
    bench.send(1, b"x").unwrap();
    assert_eq!(bench.tunnel.due(), Some(bench.now + HELD_TIME));
    bench.pass(HELD_TIME);
    let reply = bench.tunnel.reply(bench.now).unwrap();
    assert_eq!((reply.number, reply.body), (Number(1), Err(Fault::Overdue)));
    assert_eq!(bench.tunnel.held(), 0);
    bench.send(0, b"a").unwrap();
    bench.send(1, b"b").unwrap();
    assert_eq!(bench.reply(), Some((0, vec![1])));
    assert_eq!(bench.reply(), None);
    assert_eq!(bench.read().as_deref(), Some(&b"ab"[..]));
}

#[test]
fn a_close_is_taken_in_its_turn() {
    let mut bench = Bench::new();
    bench.arrive(Kind::Close, 1, &[0]).unwrap();
    assert_eq!(bench.read(), None);
    bench.send(0, b"last words").unwrap();
    bench.write(b"x");
    assert_eq!(bench.reply(), Some((0, b"\x01x".to_vec())));
    assert_eq!(bench.reply(), Some((1, vec![1])));
    assert_eq!(bench.read().as_deref(), Some(&b"last words"[..]));
    assert_eq!(bench.read(), Some(vec![]));
    assert_eq!(bench.idle(2), Err(Fault::Closed));
    let again = bench.arrive(Kind::Close, 1, &[0]);
    assert_eq!(again, Ok(Arrival::Again(Bytes::from_static(&[1]))));
}

#[test]
fn a_close_without_a_number_is_the_next() {
    let mut bench = Bench::new();
    let close = Incoming {
        kind: Kind::Close,
        number: None,
        body: Bytes::new(),
    };
    assert_eq!(bench.tunnel.arrive(close, bench.now), waits(0));
    assert_eq!(bench.reply(), Some((0, vec![1])));
    assert_eq!(bench.read(), Some(vec![]));
}

#[test]
fn a_close_without_a_number_is_behind_what_is_held() {
    let mut bench = Bench::new();
    bench.send(0, &[7; INPUT_MAX]).unwrap();
    assert_eq!(bench.reply(), None);
    // There is no room for it yet.
    assert_eq!(bench.send(1, b"held"), waits(1));
    let close = Incoming {
        kind: Kind::Close,
        number: None,
        body: Bytes::new(),
    };
    assert_eq!(bench.tunnel.arrive(close, bench.now), waits(2));
    assert_eq!(bench.read().map(|read| read.len()), Some(INPUT_MAX));
    while bench.reply().is_some() {}
    assert_eq!(bench.read().as_deref(), Some(&b"held"[..]));
    while bench.reply().is_some() {}
    assert_eq!(bench.read(), Some(vec![]));
}

#[test]
fn who_asks_for_nothing_is_gone_after_a_while() {
    let mut bench = Bench::new();
    bench.pass(SILENCE_MAX / 2);
    bench.idle(0).unwrap();
    bench.pass(SILENCE_MAX - Duration::from_millis(1));
    assert_eq!(bench.read(), None);
    assert!(!bench.tunnel.is_readable(bench.now));
    bench.pass(Duration::from_millis(1));
    assert_eq!(bench.now, bench.tunnel.silent_at());
    assert!(bench.tunnel.is_readable(bench.now));
    assert_eq!(bench.read(), Some(vec![]));
}

#[test]
fn who_was_told_the_last_is_done() {
    let mut bench = Bench::new();
    bench.write(b"goodbye");
    bench.tunnel.finish();
    assert_eq!(bench.read(), None, "they have not been told yet");
    bench.idle(0).unwrap();
    assert_eq!(bench.reply(), Some((0, b"\x01goodbye".to_vec())));
    assert_eq!(bench.read(), Some(vec![]));
    bench.idle(1).unwrap();
    assert_eq!(bench.reply(), Some((1, vec![1])), "without a wait");
}

#[test]
fn what_waits_is_counted() {
    let mut bench = Bench::new();
    assert_eq!(bench.tunnel.held(), 0);
    bench.send(0, &[0; 100]).unwrap();
    bench.send(2, &[0; 10]).unwrap();
    assert_eq!(bench.tunnel.held(), 110);
    assert_eq!(bench.tunnel.write(&[0; 10_000], 4_000), 4_000);
    assert_eq!(bench.tunnel.waiting(), 4_000);
    assert_eq!(bench.tunnel.held(), 110 + 4_001);
    assert!(bench.reply().is_some());
    assert_eq!(bench.tunnel.waiting(), 0);
    assert_eq!(bench.tunnel.held(), 110 + 4_001, "for who asks again");
}

/// What a hostile or unlucky viewer and a connection may do.
#[derive(Debug, Clone)]
enum Act {
    /// A request with this number ahead of the first that was not sent yet, or behind it.
    Request(i8, bool, u16),
    Read(u16),
    Write(u16),
    Pass(u16),
    Finish,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        8 => (-3_i8..4, any::<bool>(), 0_u16..3000).prop_map(|(n, s, l)| Act::Request(n, s, l)),
        1 => (any::<i8>(), any::<bool>(), any::<u16>()).prop_map(|(n, s, l)| Act::Request(n, s, l)),
        4 => any::<u16>().prop_map(Act::Read),
        4 => any::<u16>().prop_map(Act::Write),
        2 => (0_u16..12_000).prop_map(Act::Pass),
        1 => Just(Act::Finish),
    ];
    prop::collection::vec(act, 0..120)
}

proptest! {
    /// In whatever order requests come, however often: what each brought comes out once and in
    /// order, what was written comes out once and in order, the same number always gets the same
    /// reply, and no more waits than may.
    #[test]
    fn nothing_is_lost_doubled_or_without_bound(acts in acts(), begin: u32) {
        let mut bench = Bench::new();
        bench.tunnel.turn = Number(begin);
        let mut bodies: HashMap<u32, Vec<u8>> = HashMap::new();
        let mut replies: HashMap<u32, Vec<u8>> = HashMap::new();
        let (mut next, mut answered) = (begin, begin);
        let (mut read, mut written, mut fetched) = (Vec::<u8>::new(), Vec::<u8>::new(), Vec::<u8>::new());
        for (step, act) in acts.into_iter().enumerate() {
            match act {
                Act::Request(ahead, sends, len) => {
                    let number = next.wrapping_add_signed(ahead.into());
                    let body = vec![step as u8; len.into()];
                    let kind = if sends { Kind::Send } else { Kind::Idle };
                    match bench.arrive(kind, number, &body) {
                        Ok(Arrival::Waits(_)) => {
                            let taken = if sends { body } else { Vec::new() };
                            bodies.entry(number).or_insert(taken);
                            if number == next {
                                next = next.wrapping_add(1);
                            }
                        }
                        Ok(Arrival::Again(body)) => prop_assert_eq!(&replies[&number], &body),
                        Err(_) => {}
                    }
                }
                Act::Read(len) => {
                    let mut buffer = vec![0; len.into()];
                    if let Some(len) = bench.tunnel.read(&mut buffer, bench.now) {
                        read.extend(&buffer[..len]);
                    }
                }
                Act::Write(len) => {
                    let bytes = vec![step as u8; len.into()];
                    let taken = bench.write(&bytes);
                    written.extend(&bytes[..taken]);
                }
                Act::Pass(time) => bench.pass(Duration::from_millis(time.into())),
                Act::Finish => bench.tunnel.finish(),
            }
            while let Some(reply) = bench.tunnel.reply(bench.now) {
                match reply.body {
                    Ok(body) => {
                        prop_assert_eq!(reply.number.0, answered);
                        prop_assert!((1..=0x21).contains(&body[0]));
                        prop_assert!(body.len() <= OUTPUT_MAX + 1);
                        answered = answered.wrapping_add(1);
                        fetched.extend(&body[1..]);
                        replies.insert(reply.number.0, body.to_vec());
                    }
                    Err(fault) => {
                        prop_assert_eq!(fault, Fault::Overdue);
                        bodies.remove(&reply.number.0);
                        next = bench.tunnel.turn.0;
                    }
                }
            }
            let most = INPUT_MAX + HELD_BYTES + 2 * (OUTPUT_MAX + 1);
            prop_assert!(bench.tunnel.held() <= most + BODY_MAX);
            prop_assert!(bench.tunnel.held.len() <= HELD_MAX + 1);
        }
        while bench.tunnel.is_readable(bench.now) {
            match bench.read() {
                Some(bytes) if !bytes.is_empty() => read.extend(bytes),
                _ => break,
            }
        }
        let turn = bench.tunnel.turn.0;
        let mut wanted = Vec::<u8>::new();
        for ahead in 0..turn.wrapping_sub(begin) {
            wanted.extend(&bodies[&begin.wrapping_add(ahead)]);
        }
        prop_assert_eq!(&wanted, &read);
        fetched.extend(&bench.tunnel.output.take(0)[1..]);
        prop_assert_eq!(fetched, written);
    }
}
