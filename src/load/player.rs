//! One player: a task that connects, plays, seeks and pauses as the options ask, and counts.
//!
//! Its loop: do what is due, send what waits, take what has come, and wait for more of either. It
//! holds no buffer (see [`super::discard`]) and one timer, which is moved only when something is
//! due earlier than it.

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::time::Sleep;

use super::clock::Clock;
use super::discard::{Taken, take};
use super::options::{Options, Start};
use super::random::Random;
use super::seat::Seat;
use super::session::{Event, Opening, Session, SessionError};
use super::tally::{Tally, record};

/// Reads in a row before others get their turn: 2 MiB.
const TURN: usize = 8;

/// How long Play.Stop may come after Play.Complete. Some servers send only the latter.
const STOP_GRACE: Duration = Duration::from_secs(1);

/// A stream, ready to be asked for.
#[derive(Debug, Clone)]
pub(super) struct Stream {
    pub(super) address: SocketAddr,
    pub(super) opening: Opening,
    pub(super) name: Arc<str>,
    /// Milliseconds, where it is known.
    pub(super) length: Option<u64>,
}

/// Why a player could not go on.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("{0}")]
    Connect(io::Error),
    #[error("{0}")]
    Session(#[from] SessionError),
    #[error("{0}")]
    Play(String),
    #[error("no answer to {0} in time")]
    Timeout(&'static str),
    #[error("{0}")]
    Closed(&'static str),
    #[error("{0}")]
    Socket(io::Error),
}

impl Failure {
    /// Under what it is counted; part of the JSON report.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Connect(_) => "connect",
            Self::Session(SessionError::Refused { .. }) => "refused",
            Self::Session(_) => "protocol",
            Self::Play(_) => "play",
            Self::Timeout(_) => "timeout",
            Self::Closed(_) | Self::Socket(_) => "closed",
        }
    }
}

/// What is waited for, and since when.
#[derive(Debug, Clone, Copy)]
struct Asked {
    what: Answer,
    at: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// connect and createStream.
    Stream,
    /// The first media of a play.
    Media,
    /// The first media of a seek.
    Seek,
}

impl Answer {
    const fn word(self) -> &'static str {
        match self {
            Self::Stream => "connect",
            Self::Media => "play",
            Self::Seek => "seek",
        }
    }
}

/// When a player does what.
#[derive(Debug, Default)]
struct Agenda {
    seek: Option<Instant>,
    pause: Option<Instant>,
    resume: Option<Instant>,
    /// When an end that was not told in full counts as one.
    end: Option<Instant>,
}

struct Player<'a> {
    options: &'a Options,
    stream: &'a Stream,
    seat: Seat,
    random: Random,
    socket: TcpStream,
    session: Session,
    clock: Clock,
    agenda: Agenda,
    asked: Option<Asked>,
    /// When it connected, until connect is answered.
    opened: Instant,
    play_began: Instant,
    plays: u64,
    length: Option<u64>,
    /// The play before this one ended without anything to play.
    was_barren: bool,
    /// The end was told while a seek was under way.
    ended_before_seek: bool,
    timer: Pin<Box<Sleep>>,
}

/// Plays, and counts it in `tally`.
pub(super) async fn play(options: &Options, stream: &Stream, tally: Arc<Tally>, random: Random) {
    let seat = Seat::take(tally);
    let opened = Instant::now();
    let connect = tokio::time::timeout(options.timeout, TcpStream::connect(stream.address)).await;
    let connected = match connect {
        Ok(connected) => connected.and_then(|socket| socket.set_nodelay(true).map(|()| socket)),
        Err(_) => Err(ErrorKind::TimedOut.into()),
    };
    let mut seat = seat;
    let socket = match connected {
        Ok(socket) => socket,
        Err(error) => {
            let failure = Failure::Connect(error);
            return seat.failed(failure.kind(), &failure.to_string());
        }
    };
    let mut player = Player::new(options, stream, seat, random, socket, opened);
    match player.run().await {
        Ok(()) => player.seat.ended(),
        Err(failure) => player.seat.failed(failure.kind(), &failure.to_string()),
    }
}

impl<'a> Player<'a> {
    fn new(
        options: &'a Options,
        stream: &'a Stream,
        seat: Seat,
        random: Random,
        socket: TcpStream,
        opened: Instant,
    ) -> Self {
        let asked = Asked {
            what: Answer::Stream,
            at: opened,
        };
        let deadline = opened + options.timeout;
        Self {
            options,
            stream,
            seat,
            random,
            socket,
            session: Session::new(stream.opening.clone()),
            clock: Clock::new(options.buffer),
            agenda: Agenda::default(),
            asked: Some(asked),
            opened,
            play_began: opened,
            plays: 0,
            length: stream.length,
            was_barren: false,
            ended_before_seek: false,
            timer: Box::pin(tokio::time::sleep_until(deadline.into())),
        }
    }

    /// Plays until the end.
    async fn run(&mut self) -> Result<(), Failure> {
        loop {
            if self.act(Instant::now())? {
                return Ok(());
            }
            self.send()?;
            let mut more = false;
            for _ in 0..TURN {
                match self.receive()? {
                    Received::End => return Ok(()),
                    Received::Some => more = true,
                    Received::All => {
                        more = false;
                        break;
                    }
                }
            }
            self.send()?;
            if more {
                tokio::task::yield_now().await;
            } else {
                self.wait().await.map_err(Failure::Socket)?;
            }
        }
    }

    /// Takes what has come, and does what follows from it.
    fn receive(&mut self) -> Result<Received, Failure> {
        let skippable = self.session.skippable();
        let session = &mut self.session;
        let mut events = Vec::new();
        let mut failed = None;
        let mut hear = |mut bytes: &[u8], session: &mut Session| loop {
            match session.event(&mut bytes) {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        };
        let read =
            take(&self.socket, skippable, |bytes| hear(bytes, session)).map_err(Failure::Socket)?;
        if let Taken::Skipped(len) = read.taken {
            self.session.skipped(len);
            hear(&[], &mut self.session);
        }
        let now = Instant::now();
        let mut over = false;
        for event in events {
            over |= self.handle(event, now)?;
        }
        self.look(now);
        if let Some(error) = failed {
            return Err(error.into());
        }
        match read.taken {
            _ if over => Ok(Received::End),
            Taken::Closed => self.closed(),
            _ if read.more => Ok(Received::Some),
            _ => Ok(Received::All),
        }
    }

    /// The server has closed: the end, if it had told so.
    fn closed(&self) -> Result<Received, Failure> {
        if self.agenda.end.is_some() || self.ended_before_seek {
            return Ok(Received::End);
        }
        Err(Failure::Closed("the server closed the connection"))
    }

    /// Counts what has come, and times it.
    fn look(&mut self, now: Instant) {
        self.seat.received(self.session.counts());
        if let Some(asked) = self.asked
            && asked.what != Answer::Stream
            && self.session.has_media()
        {
            self.asked = None;
            let took = now.saturating_duration_since(asked.at);
            let mut rare = self.seat.tally().rare();
            if asked.what == Answer::Media {
                record(&mut rare.first_byte, took);
                drop(rare);
                self.seat.playing();
            } else {
                record(&mut rare.seek, took);
            }
        }
        // While an answer is waited for, its times are still those of the place before.
        if let Some((first, latest)) = self.session.times()
            && self.asked.is_none()
            && self.agenda.resume.is_none()
        {
            self.clock.media(now, first, latest);
            self.seat.stood_still(&self.clock);
        }
    }

    /// Whether all is over with this event.
    fn handle(&mut self, event: Event, now: Instant) -> Result<bool, Failure> {
        match event {
            Event::Connected => {
                let took = now.saturating_duration_since(self.opened);
                record(&mut self.seat.tally().rare().connect, took);
                self.seat.tally().connected.add(1);
            }
            Event::Ready => self.begin(now),
            Event::Length(millis) => self.length = self.length.or(Some(millis)),
            Event::Sought => self.ended_before_seek = false,
            Event::NotSought(why) => {
                self.asked = None;
                self.seat.tally().error("seek", &why);
            }
            Event::Stopped if self.session.is_seeking() => self.ended_before_seek = true,
            Event::Stopped => return Ok(self.end(now)),
            Event::Complete if self.session.is_seeking() => self.ended_before_seek = true,
            Event::Complete => self.agenda.end = Some(now + STOP_GRACE),
            Event::Failed(why) => return Err(Failure::Play(why)),
        }
        Ok(false)
    }

    /// Plays from the start, or on a repeat from the beginning.
    fn begin(&mut self, now: Instant) {
        let start = match self.options.start {
            _ if self.plays > 0 => -1,
            Start::At(0) => -1,
            Start::At(millis) => i64::try_from(millis).unwrap_or(-1),
            Start::Spread => self.anywhere(),
        };
        self.plays += 1;
        self.play_began = now;
        self.session
            .play(&self.stream.name, start, self.options.buffer);
        self.asked = Some(Asked {
            what: Answer::Media,
            at: now,
        });
        self.clock.restart(now);
        let (seek, pause) = (self.options.seek_every, self.options.pause_every);
        self.agenda = Agenda {
            // The first of each at a random time, so that players do not march in step.
            seek: seek.map(|every| now + every.mul_f64(0.5 + self.random.fraction())),
            pause: pause.map(|every| now + every.mul_f64(0.5 + self.random.fraction())),
            ..Agenda::default()
        };
    }

    /// A time somewhere in the stream, milliseconds.
    fn anywhere(&mut self) -> i64 {
        let length = self.length.unwrap_or_default() as f64;
        (self.random.fraction() * length) as i64
    }

    /// The end of the stream; true if that is all.
    fn end(&mut self, now: Instant) -> bool {
        self.clock.complete(now);
        self.seat.stood_still(&self.clock);
        self.agenda = Agenda::default();
        let took = now.saturating_duration_since(self.play_began);
        record(&mut self.seat.tally().rare().complete, took);
        let barren = self.asked.is_some_and(|asked| asked.what == Answer::Media);
        // A start near the end may bring nothing; twice nothing would become a storm of plays.
        if !self.options.repeat || (barren && self.was_barren) {
            return true;
        }
        self.was_barren = barren;
        self.ended_before_seek = false;
        self.session.renew();
        self.asked = Some(Asked {
            what: Answer::Stream,
            at: now,
        });
        false
    }

    /// Does what is due; true if all is over with it.
    fn act(&mut self, now: Instant) -> Result<bool, Failure> {
        let is_due = |time: Option<Instant>| time.is_some_and(|time| time <= now);
        if let Some(asked) = self.asked
            && asked.at + self.options.timeout <= now
        {
            if self.ended_before_seek {
                return Ok(self.end(now));
            }
            return Err(Failure::Timeout(asked.what.word()));
        }
        if is_due(self.agenda.end) {
            return Ok(self.end(now));
        }
        if is_due(self.agenda.resume) {
            self.agenda.resume = None;
            self.agenda.pause = self.options.pause_every.map(|every| now + every);
            let position = self.clock.position(now);
            self.clock.resume(now);
            self.session.pause(false, position);
        }
        let busy = self.asked.is_some() || self.agenda.resume.is_some();
        if !busy && is_due(self.agenda.seek) {
            self.agenda.seek = self.options.seek_every.map(|every| now + every);
            self.seek(now);
        } else if !busy && is_due(self.agenda.pause) {
            self.agenda.pause = None;
            self.agenda.resume = Some(now + self.options.pause_for);
            self.seat.tally().pauses.add(1);
            self.clock.pause(now);
            self.session.pause(true, self.clock.position(now));
        }
        Ok(false)
    }

    fn seek(&mut self, now: Instant) {
        let to = self.anywhere();
        self.seat.tally().seeks.add(1);
        self.clock.restart(now);
        self.seat.stood_still(&self.clock);
        self.session.seek(to);
        self.agenda.end = None;
        self.asked = Some(Asked {
            what: Answer::Seek,
            at: now,
        });
    }

    /// When something is due next.
    fn due(&self) -> Option<Instant> {
        let answer = self.asked.map(|asked| asked.at + self.options.timeout);
        let agenda = &self.agenda;
        let busy = self.asked.is_some() || agenda.resume.is_some();
        // What cannot be done now does not wake it.
        let wishes = [agenda.seek, agenda.pause].map(|time| time.filter(|_| !busy));
        [answer, agenda.resume, agenda.end]
            .into_iter()
            .chain(wishes)
            .flatten()
            .min()
    }

    /// Sends what the socket takes.
    fn send(&mut self) -> Result<(), Failure> {
        while !self.session.output().is_empty() {
            match self.socket.try_write(self.session.output()) {
                Ok(len) => self.session.sent(len),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(Failure::Socket(error)),
            }
        }
        Ok(())
    }

    /// Waits until there is something to read, to send or to do.
    async fn wait(&mut self) -> io::Result<()> {
        let due = self.due();
        if let Some(due) = due.map(tokio::time::Instant::from)
            && (due < self.timer.deadline() || self.timer.is_elapsed())
        {
            self.timer.as_mut().reset(due);
        }
        let has_output = !self.session.output().is_empty();
        let (socket, timer) = (&self.socket, &mut self.timer);
        poll_fn(|context| {
            if let Poll::Ready(ready) = socket.poll_read_ready(context) {
                return Poll::Ready(ready);
            }
            if has_output && let Poll::Ready(ready) = socket.poll_write_ready(context) {
                return Poll::Ready(ready);
            }
            // A timer that has run out and was not set again has nothing to say.
            if due.is_some() || !timer.is_elapsed() {
                return timer.as_mut().poll(context).map(Ok);
            }
            Poll::Pending
        })
        .await
    }
}

enum Received {
    /// There may be more.
    Some,
    /// That was all for now.
    All,
    /// The play is over.
    End,
}

impl Drop for Player<'_> {
    /// However it ends, what its clock has seen is counted.
    fn drop(&mut self) {
        self.clock.settle(Instant::now());
        self.seat.stood_still(&self.clock);
        self.seat.received(self.session.counts());
    }
}
