//! One session: requests in, whatever their order; bytes in order to and from the connection behind.
//!
//! A request is *held* until its turn, *taken* once (its body becomes input), and *open* until it is
//! answered. Only one is open at a time, so that replies are made in order too. An open request is
//! answered as soon as there is something to say, when the next one has come, or after a short wait.
//! The last reply is kept: who asks for it again, because a line broke or a proxy tried twice, gets
//! the same bytes, and what the request brought is not taken a second time.
//!
//! Whoever owns a session calls [`Tunnel::reply`] until it gives none, after anything it told the
//! session, and at [`Tunnel::due`].

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::input::Input;
use super::interval::Interval;
use super::output::Output;
use super::{
    BODY_MAX, HELD_BYTES, HELD_MAX, HELD_TIME, IDLE_WAIT, Kind, Number, SEND_WAIT, SILENCE_MAX,
};

/// From here on a number that is ahead is one that is behind.
const BEHIND: u32 = 1 << 31;

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// What for.
    pub kind: Kind,
    /// Its number; without one it is the next.
    pub number: Option<Number>,
    /// Its body.
    pub body: Bytes,
}

/// What becomes of a request that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arrival {
    /// It is answered by the [`Reply`] with this number.
    Waits(Number),
    /// It was answered before, so.
    Again(Bytes),
}

/// What one or more requests of a number are answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The number.
    pub number: Number,
    /// The body, the interval first.
    pub body: Result<Bytes, Fault>,
}

/// Why a request is not served. The session goes on without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It was answered long ago.
    #[error("request is behind those that were answered")]
    Behind,
    /// Too many before it are missing.
    #[error("request is too far ahead")]
    Ahead,
    /// It brings more than may wait.
    #[error("request brings more than may wait")]
    TooMuch,
    /// It was held too long.
    #[error("request waited too long for its turn")]
    Overdue,
    /// The viewer has closed the session.
    #[error("session was closed")]
    Closed,
}

/// A request that waits for its turn, or for room.
#[derive(Debug)]
struct Held {
    number: Number,
    kind: Kind,
    body: Bytes,
    until: Instant,
}

/// The request that was taken and not answered yet.
#[derive(Debug, Clone, Copy)]
struct Open {
    number: Number,
    until: Instant,
}

/// One session.
#[derive(Debug)]
pub struct Tunnel {
    input: Input,
    output: Output,
    /// Whose turn it is to be taken.
    turn: Number,
    /// No two have the same number.
    held: Vec<Held>,
    open: Option<Open>,
    last: Option<(Number, Bytes)>,
    interval: Interval,
    /// When the last request came.
    heard: Instant,
    /// The viewer has closed the session.
    closed: bool,
    /// The connection will write no more.
    finished: bool,
}

impl Tunnel {
    /// A session that was just opened.
    pub fn new(now: Instant) -> Self {
        Self {
            input: Input::default(),
            output: Output::default(),
            turn: Number(0),
            held: Vec::new(),
            open: None,
            last: None,
            interval: Interval::default(),
            heard: now,
            closed: false,
            finished: false,
        }
    }

    /// A request came.
    ///
    /// # Errors
    /// It is not served.
    pub fn arrive(&mut self, request: Incoming, now: Instant) -> Result<Arrival, Fault> {
        self.heard = now;
        let number = request.number.unwrap_or_else(|| self.next_number());
        if number.ahead_of(self.turn) >= BEHIND {
            return self.again(number);
        }
        if self.closed {
            return Err(Fault::Closed);
        }
        if !self.held.iter().any(|held| held.number == number) {
            self.check(number, &request.body)?;
            self.held.push(Held {
                number,
                kind: request.kind,
                body: request.body,
                until: later(now, HELD_TIME),
            });
        }
        Ok(Arrival::Waits(number))
    }

    /// The number of a request that comes without one: behind those that are held in a row.
    fn next_number(&self) -> Number {
        let mut number = self.turn;
        while self.held.iter().any(|held| held.number == number) {
            number = number.next();
        }
        number
    }

    /// A request that was taken before.
    fn again(&self, number: Number) -> Result<Arrival, Fault> {
        if self.open.is_some_and(|open| open.number == number) {
            return Ok(Arrival::Waits(number));
        }
        let last = self.last.as_ref().filter(|(last, _)| *last == number);
        let (_, body) = last.ok_or(Fault::Behind)?;
        Ok(Arrival::Again(body.clone()))
    }

    /// Whether one more request may be held. The one whose turn it is always may, where its body
    /// fits: without it none of the others could go on.
    fn check(&self, number: Number, body: &Bytes) -> Result<(), Fault> {
        let turn = number == self.turn;
        let far = usize::try_from(number.ahead_of(self.turn)).map_or(true, |it| it > HELD_MAX);
        if far || self.held.len() >= HELD_MAX && !turn {
            return Err(Fault::Ahead);
        }
        let bytes = self.held_bytes().saturating_add(body.len());
        let at_once = turn && self.input.has_room(body.len());
        if body.len() > BODY_MAX || bytes > HELD_BYTES && !at_once {
            return Err(Fault::TooMuch);
        }
        Ok(())
    }

    /// The next reply that is due.
    pub fn reply(&mut self, now: Instant) -> Option<Reply> {
        if let Some(at) = self.held.iter().position(|held| held.until <= now) {
            let number = self.held.swap_remove(at).number;
            let body = Err(Fault::Overdue);
            return Some(Reply { number, body });
        }
        let open = self.open.or_else(|| self.take(now))?;
        let due = !self.output.is_empty()
            || self.is_ending()
            || open.until <= now
            || self.whose_turn().is_some();
        due.then(|| self.answer(open.number))
    }

    /// Takes the request whose turn it is.
    fn take(&mut self, now: Instant) -> Option<Open> {
        let held = self.held.swap_remove(self.whose_turn()?);
        let wait = match held.kind {
            Kind::Send => SEND_WAIT,
            Kind::Idle | Kind::Close => IDLE_WAIT,
        };
        match held.kind {
            Kind::Send => self.input.push(&held.body),
            Kind::Idle => {}
            Kind::Close => self.closed = true,
        }
        self.turn = self.turn.next();
        self.open = Some(Open {
            number: held.number,
            until: later(now, wait),
        });
        self.open
    }

    /// The place of the request whose turn it is, if it is here and there is room for it.
    fn whose_turn(&self) -> Option<usize> {
        if self.closed {
            return None;
        }
        let may = |held: &Held| {
            let fits = held.kind != Kind::Send || self.input.has_room(held.body.len());
            held.number == self.turn && fits
        };
        self.held.iter().position(may)
    }

    fn answer(&mut self, number: Number) -> Reply {
        let interval = self.interval.next(!self.output.is_empty());
        let body = self.output.take(interval);
        self.last = Some((number, body.clone()));
        self.open = None;
        Reply {
            number,
            body: Ok(body),
        }
    }

    /// When to look for replies again, if nothing happens before.
    pub fn due(&self) -> Option<Instant> {
        let open = self.open.map(|open| open.until);
        self.held.iter().map(|held| held.until).chain(open).min()
    }

    /// What the viewer said, to `buffer`: how many bytes, 0 where they will say no more, or `None`
    /// where they have said nothing yet.
    pub fn read(&mut self, buffer: &mut [u8], now: Instant) -> Option<usize> {
        if self.input.is_empty() {
            return self.is_over(now).then_some(0);
        }
        Some(self.input.read(buffer))
    }

    /// Whether [`Tunnel::read`] would say something.
    pub fn is_readable(&self, now: Instant) -> bool {
        !self.input.is_empty() || self.is_over(now)
    }

    /// Whether the viewer will say no more: they closed, are gone, or have been told all.
    fn is_over(&self, now: Instant) -> bool {
        let told = self.finished && self.output.is_empty();
        self.closed || told || self.silent_at() <= now
    }

    /// When the viewer counts as gone, if no request comes before.
    pub fn silent_at(&self) -> Instant {
        later(self.heard, SILENCE_MAX)
    }

    /// Takes as much of `bytes` for the viewer as fits where `most` may wait; how much that was.
    pub fn write(&mut self, bytes: &[u8], most: usize) -> usize {
        self.output.write(bytes, most)
    }

    /// Bytes that wait for the viewer's next request.
    pub fn waiting(&self) -> usize {
        self.output.len()
    }

    /// Nothing more will be written. Requests are answered at once from now on.
    pub fn finish(&mut self) {
        self.finished = true;
    }

    fn is_ending(&self) -> bool {
        self.closed || self.finished
    }

    /// Memory that the session takes for what waits, bytes.
    pub fn held(&self) -> usize {
        let last = self.last.as_ref().map_or(0, |(_, body)| body.len());
        [self.input.len(), self.output.held(), self.held_bytes()]
            .into_iter()
            .fold(last, usize::saturating_add)
    }

    fn held_bytes(&self) -> usize {
        let sizes = self.held.iter().map(|held| held.body.len());
        sizes.fold(0, usize::saturating_add)
    }
}

/// A time that cannot be told is never reached in any case.
fn later(time: Instant, by: Duration) -> Instant {
    time.checked_add(by).unwrap_or(time)
}

#[cfg(test)]
mod tests;
