//! Requests of a tunnel in any order, cut off, repeated and overtaken: what they bring comes out
//! once and in order, what is written comes out once and in order, who asks again is told the same,
//! and no more waits than may.

#![no_main]

use std::collections::HashMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use streamfront::rtmp::tunnel::{
    Arrival, BODY_MAX, Fault, HELD_BYTES, INPUT_MAX, Incoming, Kind, Number, OUTPUT_MAX, Request,
    Tunnel,
};

/// A session, what was told it, and what it told.
struct Play {
    tunnel: Tunnel,
    now: Instant,
    /// What the first request with each number brought, until it was given up.
    bodies: HashMap<u32, Vec<u8>>,
    replies: HashMap<u32, Bytes>,
    /// Bytes that were taken and not read yet.
    taken: Vec<u8>,
    /// Bytes that were written and not fetched yet.
    written: Vec<u8>,
    answered: u32,
    /// A number from which every byte is made, so that no two are easily mistaken.
    stamp: u8,
}

impl Play {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            tunnel: Tunnel::new(now),
            now,
            bodies: HashMap::new(),
            replies: HashMap::new(),
            taken: Vec::new(),
            written: Vec::new(),
            answered: 0,
            stamp: 0,
        }
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        self.stamp = self.stamp.wrapping_add(37);
        vec![self.stamp; len]
    }

    fn request(&mut self, kind: Kind, number: u32, len: usize) {
        let body = self.bytes(len);
        let request = Incoming {
            kind,
            number: Some(Number(number)),
            body: Bytes::from(body.clone()),
        };
        match self.tunnel.arrive(request, self.now) {
            Ok(Arrival::Waits(waits)) => {
                assert_eq!(waits, Number(number));
                let brings = if kind == Kind::Send { body } else { Vec::new() };
                self.bodies.entry(number).or_insert(brings);
            }
            Ok(Arrival::Again(reply)) => assert_eq!(reply, self.replies[&number]),
            Err(_) => {}
        }
    }

    fn settle(&mut self) {
        while let Some(reply) = self.tunnel.reply(self.now) {
            let number = reply.number.0;
            match reply.body {
                Ok(body) => {
                    assert_eq!(number, self.answered);
                    self.answered = self.answered.wrapping_add(1);
                    let (interval, said) = body.split_first().expect("never empty");
                    assert!((1..=0x21).contains(interval) && said.len() <= OUTPUT_MAX);
                    assert!(self.written.starts_with(said));
                    self.written.drain(..said.len());
                    // A reply is made when its request was taken, and in order.
                    self.taken.extend(&self.bodies[&number]);
                    self.replies.insert(number, body);
                }
                Err(fault) => {
                    assert_eq!(fault, Fault::Overdue);
                    self.bodies.remove(&number);
                }
            }
        }
    }

    fn read(&mut self, len: usize) {
        let mut buffer = vec![0; len.max(1)];
        let readable = self.tunnel.is_readable(self.now);
        let read = self.tunnel.read(&mut buffer, self.now);
        assert_eq!(read.is_some(), readable);
        let said = &buffer[..read.unwrap_or(0)];
        // What the open request brought is not yet among what was taken for sure.
        let open = self.bodies.get(&self.answered).cloned();
        let mut wanted = self.taken.clone();
        wanted.extend(open.iter().flatten());
        assert!(wanted.starts_with(said));
        let sure = said.len().min(self.taken.len());
        self.taken.drain(..sure);
        if let Some(body) = self.bodies.get_mut(&self.answered) {
            body.drain(..said.len() - sure);
        }
    }

    fn write(&mut self, len: usize, most: usize) {
        let bytes = self.bytes(len);
        let taken = self.tunnel.write(&bytes, most);
        assert!(taken == len || self.tunnel.waiting() >= most);
        self.written.extend(&bytes[..taken]);
        assert_eq!(self.written.len(), self.tunnel.waiting());
    }
}

fuzz_target!(|bytes: &[u8]| {
    if let Ok(path) = std::str::from_utf8(bytes) {
        Request::parse("POST", path);
    }
    let mut play = Play::new();
    for act in bytes.chunks_exact(4) {
        let [what, number, low, high] = act else {
            return;
        };
        let size = usize::from(u16::from_be_bytes([*high, *low]));
        let near = play
            .answered
            .wrapping_add_signed(i32::from(number.cast_signed() / 16));
        match what % 8 {
            0 | 1 => play.request(Kind::Send, near, size),
            2 => play.request(Kind::Idle, near, 1),
            3 => play.request(Kind::Close, near, 1),
            4 => play.read(size),
            5 | 6 => play.write(size, (usize::from(*number) * 1024).clamp(1, OUTPUT_MAX)),
            _ if *number == 0 => play.tunnel.finish(),
            _ => play.now += Duration::from_millis(size as u64),
        }
        play.settle();
        let most = INPUT_MAX + HELD_BYTES + BODY_MAX + 2 * (OUTPUT_MAX + 1);
        assert!(play.tunnel.held() <= most);
        assert!(play.tunnel.due().is_none_or(|due| due > play.now));
    }
});
