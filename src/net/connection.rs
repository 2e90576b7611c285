//! One connection: reads commands, drives its streams, sends what they plan.
//!
//! One task, one loop. Each round does everything that can be done without waiting: events of the
//! protocol core, results of jobs, steps of streams, bytes to the socket. Then it waits for
//! whichever comes first: something to read, room to write, a job, a time.

mod account;
mod commands;
mod encryption;
mod end;
mod rules;
mod streams;
mod wait;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::stream::FuturesUnordered;
use tracing::{debug, info};

pub use self::rules::Rules;

use self::account::Account;
use self::encryption::Agreeing;
use self::end::{End, LAST_BYTES, LINGER, linger};
use self::streams::Streams;
use self::wait::{Alarm, Woken};
use super::seats::Place;
use super::shared::Shared;
use super::site::Check;
use super::stages::Stage;
use super::transport::Transport;
use super::visitor::{Door, Visitor};
use crate::catalog::PlayError;
use crate::delivery::job::{Done, Job, Opened};
use crate::delivery::media::RunMedia;
use crate::delivery::pacer::DEFAULT_BUFFER;
use crate::delivery::sender::{MAX_CONTROL, Output, Sender};
use crate::delivery::session::ClientId;
use crate::delivery::stream::{Context, Step, Stream};
use crate::delivery::viewer::Viewer;
use crate::rtmp::handshake::Seed;
use crate::rtmp::server::Server;
use futures_util::future::BoxFuture;

/// Bytes read at once: commands are a few hundred bytes.
const READ_BYTES: usize = 4 * 1024;

/// Steps of one stream in a row that send nothing, before the viewer's commands are looked at.
const MAX_STEPS: u32 = 64;

/// Bytes of one stream's run while several streams of the connection play: they alternate.
const SHARED_RUN: u32 = 64 * 1024;

/// A wait without an end, in a form that can be added to a time.
const KEEP_LOOKING: Duration = Duration::from_secs(3600);

/// getStreamLength calls that may wait for an answer; a client asks once for each play.
const MAX_LENGTHS: usize = 8;

/// Jobs of deleted streams that may be under way before the viewer's commands have to wait: who
/// opens and deletes streams in a loop asks the origin no faster than it answers.
const MAX_LEFTOVERS: usize = 8;

/// What a viewer is told whose distribution is disabled.
const DISABLED: &str = "the distribution is disabled";

/// What a viewer is told whose session was ended by a call.
const ENDED: &str = "the session was ended";

/// Where a connection stands when it can do nothing more without waiting.
#[derive(Debug, Clone, Copy)]
struct Standstill {
    /// The socket takes no more now, or has had its turn.
    blocked: bool,
    /// When a stream has something to send again.
    wake: Option<Instant>,
}

/// A viewer who is let in if the check says so.
struct Arriving {
    viewer: Viewer,
    place: Place,
    check: Check,
}

/// What a getStreamLength came to, with its transaction and the name.
#[derive(Debug)]
pub(super) struct Length {
    transaction: f64,
    name: String,
    opened: Result<Opened, PlayError>,
}

/// One connection of one viewer.
pub struct Connection<'a> {
    transport: Transport,
    /// The viewer's address.
    peer: SocketAddr,
    /// Which way they came.
    door: Door,
    shared: &'a Shared,
    server: Server,
    id: ClientId,
    sender: Sender<RunMedia>,
    viewer: Option<Arc<Viewer>>,
    streams: Streams,
    /// The stream whose turn it is: the first one with this number or above.
    turn: u32,
    lengths: FuturesUnordered<BoxFuture<'static, Length>>,
    /// Jobs of streams that were deleted.
    leftovers: FuturesUnordered<Job>,
    buffer: Duration,
    /// The keys of an encrypted connection, while they are computed.
    agreeing: Option<Agreeing>,
    /// Whether the viewer's address shakes hands too often.
    too_often: bool,
    /// A viewer whose connect is being looked at.
    arriving: Option<Arriving>,
    /// The word that connect was refused with.
    rejected: Option<&'static str>,
    /// What the viewer was told of why the connection ends, where that is not their doing.
    leaving: Option<&'static str>,
    started: Instant,
    /// When the viewer last said something, or a stream last ended.
    heard: Instant,
    /// Since when the transport has taken no byte of what there is to send.
    blocked: Option<Instant>,
    /// Since when the transport holds the last of what there was to send. Nobody is behind by that.
    unflushed: Option<Instant>,
    /// Whether the kernel holds few unsent bytes for this viewer (rule 5).
    shallow: bool,
    account: Account,
}

impl<'a> Connection<'a> {
    /// The connection of one who came.
    ///
    /// # Errors
    /// The system has no random bytes.
    pub fn new(
        transport: Transport,
        visitor: &Visitor,
        shared: &'a Shared,
    ) -> Result<Box<Self>, getrandom::Error> {
        let (mut seed, mut id) = ([0; 32], [0; 16]);
        getrandom::fill(&mut seed)?;
        getrandom::fill(&mut id)?;
        let now = Instant::now();
        Ok(Box::new(Self {
            transport,
            peer: visitor.peer,
            door: visitor.door,
            shared,
            server: Server::new(shared.rules.limits, Seed(seed)),
            id: ClientId(id),
            sender: Sender::default(),
            viewer: None,
            streams: Streams::default(),
            turn: 0,
            lengths: FuturesUnordered::new(),
            leftovers: FuturesUnordered::new(),
            buffer: DEFAULT_BUFFER,
            agreeing: None,
            too_often: false,
            arriving: None,
            rejected: None,
            leaving: None,
            started: visitor.since,
            heard: now,
            blocked: None,
            unflushed: None,
            shallow: false,
            account: Account::new(&shared.meter, visitor.refusal(), now),
        }))
    }

    /// Serves the viewer until one of the two ends it.
    pub async fn run(mut self: Box<Self>) {
        let end = match self.serve().await {
            Ok(()) => return,
            Err(end) => end,
        };
        self.account.ends(&end);
        let sent = self.sender.total_sent();
        match &end {
            End::Violation(_)
            | End::NoConnect(_)
            | End::Idle(_)
            | End::Stalled(_)
            | End::Disabled
            | End::Ended => {
                info!(sent, "closed: {end}");
            }
            _ => debug!(sent, "{end}"),
        }
        let shared = self.shared;
        let limit = match end {
            End::Rejected(_) | End::Disabled | End::Ended => LINGER,
            End::Drained if self.streams.is_empty() => LINGER,
            End::Drained => LAST_BYTES,
            _ => return,
        };
        let transport = self.into_transport();
        tokio::select! {
            () = linger(transport, limit) => {}
            () = shared.stages.reached(Stage::Stopping) => {}
        }
    }

    /// Gives up everything else.
    fn into_transport(self: Box<Self>) -> Transport {
        self.transport
    }

    async fn serve(&mut self) -> Result<(), End> {
        let mut alarm = std::pin::pin!(Alarm::new(self.shared));
        loop {
            let now = Instant::now();
            let stage = alarm.as_mut().moment().stage();
            if stage == Stage::Stopping {
                return Err(End::Stopping);
            }
            self.events();
            self.leave();
            self.server.check()?;
            if self.too_often {
                return Err(End::TooOften);
            }
            let Standstill { blocked, wake } = self.advance(now).await?;
            self.settle();
            if wake == Some(now) {
                tokio::task::yield_now().await;
            }
            let all_sent = self.sender.is_idle() && !blocked;
            if let Some(word) = self.rejected.filter(|_| all_sent) {
                return Err(End::Rejected(word));
            }
            if let Some(word) = self.leaving.filter(|_| all_sent) {
                return Err(if word == ENDED {
                    End::Ended
                } else {
                    End::Disabled
                });
            }
            if stage == Stage::Draining && all_sent && self.is_done() {
                return Err(End::Drained);
            }
            if !blocked && self.has_room() && self.server.has_event() {
                // They had to wait for room, and there is room again.
                continue;
            }
            let deadline = self.deadline(now)?;
            // While the viewer takes nothing there is nothing to wake up for.
            let wake = wake.filter(|_| self.blocked.is_none());
            // What is due now is not put off.
            let wake = wake.map(|wake| {
                if wake > now {
                    self.shared.tick(wake)
                } else {
                    wake
                }
            });
            let until = wake.map_or(deadline, |wake| wake.min(deadline));
            match self.wait(alarm.as_mut(), until, blocked).await? {
                Woken::Readable => self.read()?,
                Woken::Job(id, done) => self.done(id, done),
                Woken::Length(length) => self.answer_length(length),
                Woken::Agreed(agreed) => self.agreed(agreed)?,
                Woken::Checked(checked) => self.checked(checked),
                Woken::Other => {}
            }
        }
    }

    /// Ends what plays and tells the viewer so, once their distribution has sent them away or
    /// their session was ended. The connection ends when they have been sent that.
    fn leave(&mut self) {
        let Some(viewer) = self.viewer.as_ref().filter(|_| self.leaving.is_none()) else {
            return;
        };
        let word = if viewer.session.is_ended() {
            ENDED
        } else if viewer.is_sent_away() {
            DISABLED
        } else {
            return;
        };
        self.leaving = Some(word);
        let now = Instant::now();
        for stream in self.streams.iter_mut() {
            let mut cx = Context {
                viewer,
                server: &mut self.server,
                sender: &mut self.sender,
                rate: &self.account.rate,
                now,
            };
            stream.break_off(&mut cx);
        }
        self.server.close_connect(word);
    }

    /// Reads what is there. The kernel's buffer is the only one that a viewer can fill.
    fn read(&mut self) -> Result<(), End> {
        let mut buffer = [0; READ_BYTES];
        match self.transport.try_read(&mut buffer) {
            Ok(0) => Err(End::Closed),
            Ok(n) => {
                self.heard = Instant::now();
                self.server.input(buffer.get(..n).unwrap_or_default())?;
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Handles what the viewer asked for, while there is room for the answers.
    fn events(&mut self) {
        while self.has_room()
            && let Some(event) = self.server.event()
        {
            self.event(event);
        }
    }

    fn has_room(&self) -> bool {
        self.sender.control_len() + self.server.output_len() < MAX_CONTROL
    }

    /// Lets each stream in turn do what it can, until a run of media is under way or nothing is
    /// left to do. Answers when to look again.
    fn drive(&mut self, now: Instant) -> Option<Instant> {
        self.flush_replies();
        let mut wake: Option<Instant> = None;
        let viewer = self.viewer.as_ref().filter(|_| self.sender.is_free())?;
        let several = self
            .streams
            .iter()
            .filter(|stream| stream.is_active())
            .count()
            > 1;
        let most = if several { SHARED_RUN } else { u32::MAX };
        let turn = self.turn;
        for nth in 0..self.streams.len() {
            let Some(stream) = self.streams.in_turn(turn, nth) else {
                continue;
            };
            let mut steps = 0;
            while self.sender.is_free() {
                steps += 1;
                if self.sender.control_len() + self.server.output_len() >= MAX_CONTROL {
                    // The replies have to go out first.
                    break;
                }
                if steps > MAX_STEPS {
                    // It goes on without sending, because its tracks are switched off.
                    wake = Some(now);
                    break;
                }
                let mut cx = Context {
                    viewer,
                    server: &mut self.server,
                    sender: &mut self.sender,
                    rate: &self.account.rate,
                    now,
                };
                match stream.step(&mut cx, most) {
                    Step::Progress => {}
                    Step::Wait(at) => {
                        wake = Some(wake.map_or(at, |wake| wake.min(at)));
                        break;
                    }
                    Step::Idle => break,
                }
            }
            if !self.sender.is_free() {
                self.turn = stream.id().saturating_add(1);
                break;
            }
        }
        self.flush_replies();
        wake
    }

    fn flush_replies(&mut self) {
        if self.server.output_len() > 0 {
            let replies = self.server.take_output();
            self.sender.control(&replies);
        }
    }

    /// Sends until the socket takes no more, nothing is left, or others have to get a turn.
    async fn advance(&mut self, now: Instant) -> Result<Standstill, End> {
        let mut turn = 0;
        self.bound_unsent();
        loop {
            // Replies and the media behind them leave together.
            let wake = self.drive(now);
            let output = self.sender.next();
            if matches!(output, Output::Idle) {
                self.blocked = None;
                let blocked = self.flush(now)?;
                return Ok(Standstill { blocked, wake });
            }
            let media = matches!(output, Output::Media { .. });
            match self.transport.send_some(&output) {
                Ok(sent) => {
                    self.took(media, sent, now);
                    self.sender.sent(sent);
                    self.unflushed = None;
                    if let Some(since) = self.blocked.take() {
                        let time = now.saturating_duration_since(since);
                        self.streams
                            .iter_mut()
                            .for_each(|stream| stream.held_up(time));
                    }
                    turn += sent;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.blocked.get_or_insert(now);
                    self.account.blocked(media, now);
                    return Ok(Standstill {
                        blocked: true,
                        wake,
                    });
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
            if turn >= self.transport.turn() {
                // Others on this worker get a turn, and this viewer's commands are read.
                tokio::task::yield_now().await;
                return Ok(Standstill {
                    blocked: true,
                    wake,
                });
            }
        }
    }

    /// Lets go of what the transport has taken; answers whether some of it has to wait.
    fn flush(&mut self, now: Instant) -> Result<bool, End> {
        match self.transport.try_flush() {
            Ok(()) => {
                self.unflushed = None;
                Ok(false)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.unflushed.get_or_insert(now);
                Ok(true)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Keeps what waits in the kernel small for those who are paced, so that a seek is not behind
    /// it; for those who take what comes it would only cost wake-ups (benches/RESULTS.md).
    fn bound_unsent(&mut self) {
        let shallow = self
            .streams
            .iter()
            .any(|stream| stream.is_active() && stream.is_paced());
        if shallow != self.shallow {
            self.shallow = shallow;
            self.transport.bound_unsent(shallow);
        }
    }

    fn done(&mut self, id: u32, done: Done) {
        self.with_stream(id, |stream, cx| stream.done(cx, done));
    }

    /// When the connection has to end if nothing changes until then.
    fn deadline(&mut self, now: Instant) -> Result<Instant, End> {
        if self.streams.iter().any(Stream::is_open) {
            self.heard = now;
        }
        let rules = &self.shared.rules;
        let (since, limit, end): (_, _, fn(Duration) -> End) = if !self.server.is_connected() {
            (self.started, rules.handshake_timeout, End::NoConnect)
        } else if let Some(blocked) = self.blocked.or(self.unflushed) {
            (blocked, rules.stall_timeout, End::Stalled)
        } else {
            // A paused viewer may stay; TCP keepalive tells when they are gone.
            (self.heard, rules.idle_timeout, End::Idle)
        };
        match since.checked_add(limit) {
            Some(at) if at <= now => Err(end(limit)),
            Some(at) => Ok(at),
            None => Ok(now + KEEP_LOOKING),
        }
    }

    /// Whether nothing is under way that a draining server waits for.
    fn is_done(&self) -> bool {
        self.streams.iter().all(|stream| !stream.is_active())
    }
}
