//! One connection: reads commands, drives its streams, sends what they plan.
//!
//! One task, one loop. Each round does everything that can be done without waiting: events of the
//! protocol core, results of jobs, steps of streams, bytes to the socket. Then it waits for
//! whichever comes first: something to read, room to write, a job, a time.

mod commands;
mod end;
mod rules;

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::net::TcpStream;
use tracing::{debug, info};

pub use self::rules::Rules;

use self::end::{End, LAST_BYTES, LINGER, linger};
use super::listener::Shared;
use crate::catalog::PlayError;
use crate::delivery::job::{Done, Job, Opened};
use crate::delivery::media::RunMedia;
use crate::delivery::pacer::DEFAULT_BUFFER;
use crate::delivery::sender::{MAX_CONTROL, Output, Sender};
use crate::delivery::socket;
use crate::delivery::stream::{Context, Step, Stream};
use crate::delivery::viewer::Viewer;
use crate::rtmp::handshake::Seed;
use crate::rtmp::server::Server;
use futures_util::future::BoxFuture;

/// Bytes read at once: commands are a few hundred bytes.
const READ_BYTES: usize = 4 * 1024;

/// Bytes sent before other connections get a turn on this worker.
const TURN_BYTES: usize = 1024 * 1024;

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

/// Where a connection stands when it can do nothing more without waiting.
#[derive(Debug, Clone, Copy)]
struct Standstill {
    /// The socket takes no more now, or has had its turn.
    blocked: bool,
    /// When a stream has something to send again.
    wake: Option<Instant>,
}

type Length = BoxFuture<'static, (f64, Result<Opened, PlayError>)>;

/// One connection of one viewer.
pub struct Connection<'a> {
    socket: &'a TcpStream,
    shared: &'a Shared,
    server: Server,
    sender: Sender<RunMedia>,
    viewer: Option<Arc<Viewer>>,
    streams: BTreeMap<u32, Stream>,
    /// The stream whose turn it is: the first one with this number or above.
    turn: u32,
    lengths: FuturesUnordered<Length>,
    /// Jobs of streams that were deleted.
    leftovers: FuturesUnordered<Job>,
    buffer: Duration,
    /// The word that connect was refused with.
    rejected: Option<&'static str>,
    started: Instant,
    /// When the viewer last said something, or a stream last ended.
    heard: Instant,
    /// Since when the viewer has taken no byte of what there is to send.
    blocked: Option<Instant>,
}

impl<'a> Connection<'a> {
    /// A connection that was just accepted.
    ///
    /// # Errors
    /// The system has no random bytes.
    pub fn new(socket: &'a TcpStream, shared: &'a Shared) -> Result<Self, getrandom::Error> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed)?;
        let now = Instant::now();
        Ok(Self {
            socket,
            shared,
            server: Server::new(shared.rules.limits, Seed(seed)),
            sender: Sender::default(),
            viewer: None,
            streams: BTreeMap::new(),
            turn: 0,
            lengths: FuturesUnordered::new(),
            leftovers: FuturesUnordered::new(),
            buffer: DEFAULT_BUFFER,
            rejected: None,
            started: now,
            heard: now,
            blocked: None,
        })
    }

    /// Serves the viewer until one of the two ends it.
    pub async fn run(mut self) {
        let end = match self.serve().await {
            Ok(()) => return,
            Err(end) => end,
        };
        let sent = self.sender.total_sent();
        match &end {
            End::Violation(_) | End::NoConnect(_) | End::Idle(_) | End::Stalled(_) => {
                info!(sent, "closed: {end}");
            }
            _ => debug!(sent, "{end}"),
        }
        let stopping = self.shared.stopping.cancelled();
        match end {
            End::Rejected(_) => linger(self.socket, LINGER).await,
            End::Drained => {
                let played = !self.streams.is_empty();
                tokio::select! {
                    () = linger(self.socket, if played { LAST_BYTES } else { LINGER }) => {}
                    () = stopping => {}
                }
            }
            _ => {}
        }
    }

    async fn serve(&mut self) -> Result<(), End> {
        let draining = self.shared.draining.clone();
        loop {
            let now = Instant::now();
            self.events();
            self.server.check()?;
            let Standstill { blocked, wake } = self.advance(now).await?;
            if wake == Some(now) {
                tokio::task::yield_now().await;
            }
            if let Some(word) = self.rejected.filter(|_| self.sender.is_idle()) {
                return Err(End::Rejected(word));
            }
            if draining.is_cancelled() && self.is_done() {
                return Err(End::Drained);
            }
            if !blocked && self.has_room() && self.server.has_event() {
                // They had to wait for room, and there is room again.
                continue;
            }
            let deadline = self.deadline(now)?;
            // While the viewer takes nothing there is nothing to wake up for.
            let wake = wake.filter(|_| !blocked);
            let until = wake.map_or(deadline, |wake| wake.min(deadline));
            let may_read = self.has_room() && self.leftovers.len() < MAX_LEFTOVERS;
            let (socket, shared) = (self.socket, self.shared);
            tokio::select! {
                readable = socket.readable(), if may_read => {
                    readable?;
                    self.read()?;
                }
                writable = socket.writable(), if blocked => writable?,
                () = self.jobs() => {}
                () = tokio::time::sleep_until(until.into()) => {}
                () = draining.cancelled(), if !draining.is_cancelled() => {}
                () = shared.stopping.cancelled() => return Err(End::Stopping),
            }
        }
    }

    /// Reads what is there. The kernel's buffer is the only one that a viewer can fill.
    fn read(&mut self) -> Result<(), End> {
        let mut buffer = [0; READ_BYTES];
        match self.socket.try_read(&mut buffer) {
            Ok(0) => Err(End::Closed),
            Ok(n) => {
                self.heard = Instant::now();
                socket::acknowledge_at_once(self.socket);
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
            .values()
            .filter(|stream| stream.is_active())
            .count()
            > 1;
        let most = if several { SHARED_RUN } else { u32::MAX };
        let ids: Vec<u32> = {
            let from = self.streams.range(self.turn..).map(|(id, _)| *id);
            from.chain(self.streams.range(..self.turn).map(|(id, _)| *id))
                .collect()
        };
        for id in ids {
            let Some(stream) = self.streams.get_mut(&id) else {
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
                self.turn = id.saturating_add(1);
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
        loop {
            // Replies and the media behind them leave together.
            let wake = self.drive(now);
            let output = self.sender.next();
            if matches!(output, Output::Idle) {
                self.blocked = None;
                return Ok(Standstill {
                    blocked: false,
                    wake,
                });
            }
            match socket::send_some(self.socket, &output) {
                Ok(sent) => {
                    self.sender.sent(sent);
                    if let Some(since) = self.blocked.take() {
                        let time = now.saturating_duration_since(since);
                        self.streams
                            .values_mut()
                            .for_each(|stream| stream.held_up(time));
                    }
                    turn += sent;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.blocked.get_or_insert(now);
                    return Ok(Standstill {
                        blocked: true,
                        wake,
                    });
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
            if turn >= TURN_BYTES {
                // Others on this worker get a turn, and this viewer's commands are read.
                tokio::task::yield_now().await;
                return Ok(Standstill {
                    blocked: true,
                    wake,
                });
            }
        }
    }

    /// Waits for a job and takes its result. Pending for ever where there is none.
    async fn jobs(&mut self) {
        let Self {
            streams,
            lengths,
            leftovers,
            ..
        } = self;
        let (id, done) = poll_fn(|cx| {
            if let Poll::Ready(Some(length)) = lengths.poll_next_unpin(cx) {
                return Poll::Ready((0, Some(Err(length))));
            }
            if let Poll::Ready(Some(_)) = leftovers.poll_next_unpin(cx) {
                return Poll::Ready((0, None));
            }
            for (id, stream) in streams.iter_mut() {
                for slot in stream.jobs() {
                    if let Poll::Ready(done) = slot.poll(cx) {
                        return Poll::Ready((*id, done.map(Ok)));
                    }
                }
            }
            Poll::Pending
        })
        .await;
        match done {
            Some(Ok(done)) => self.done(id, done),
            Some(Err((transaction, opened))) => self.answer_length(transaction, opened),
            None => {}
        }
    }

    fn done(&mut self, id: u32, done: Done) {
        self.with_stream(id, |stream, cx| stream.done(cx, done));
    }

    /// When the connection has to end if nothing changes until then.
    fn deadline(&mut self, now: Instant) -> Result<Instant, End> {
        if self.streams.values().any(Stream::is_open) {
            self.heard = now;
        }
        let rules = &self.shared.rules;
        let (since, limit, end): (_, _, fn(Duration) -> End) = if !self.server.is_connected() {
            (self.started, rules.handshake_timeout, End::NoConnect)
        } else if let Some(blocked) = self.blocked {
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
        self.sender.is_idle() && self.streams.values().all(|stream| !stream.is_active())
    }
}
