//! One session between its two ends: the state machine under a lock, and who waits for what.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Instant;

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::timeout_at;
use tokio_util::sync::CancellationToken;

use super::memory::{Memory, SCARCE};
use crate::rtmp::tunnel::{Arrival, Fault, HELD_MAX, IDLE_WAIT, Incoming, Number, Tunnel};

/// Requests of one session that may wait at once: those that are held, the open one, and as many
/// that repeat one of them.
const WAITING_MAX: usize = 2 * (HELD_MAX + 1);

/// Why a request gets no reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The session has ended.
    #[error("session has ended")]
    Ended,
    /// The viewer did what no player does.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// Too many requests of the session wait already.
    #[error("too many requests of the session wait")]
    TooMany,
    /// It brings much, and too much waits in all sessions together.
    #[error("too much waits in all sessions together")]
    Scarce,
}

/// A session.
#[derive(Debug)]
pub struct Session {
    state: Mutex<State>,
    memory: Arc<Memory>,
    /// Cancelled when the session has ended.
    over: CancellationToken,
    /// Whether a connection carries it.
    carried: AtomicBool,
}

/// What both ends share.
#[derive(Debug)]
pub(super) struct State {
    pub(super) tunnel: Tunnel,
    waiting: Vec<Waiting>,
    /// Whom to wake when the tunnel has become readable.
    pub(super) reader: Option<Waker>,
    /// Whom to wake when there is room, or all has been fetched.
    pub(super) writer: Option<Waker>,
    /// Bytes that are counted as held.
    counted: usize,
}

/// A request that waits for its reply.
#[derive(Debug)]
struct Waiting {
    number: Number,
    reply: oneshot::Sender<Result<Bytes, Fault>>,
}

impl Session {
    pub(super) fn new(now: Instant, memory: Arc<Memory>) -> Self {
        Self {
            state: Mutex::new(State {
                tunnel: Tunnel::new(now),
                waiting: Vec::new(),
                reader: None,
                writer: None,
                counted: 0,
            }),
            memory,
            over: CancellationToken::new(),
            carried: AtomicBool::new(false),
        }
    }

    /// The body of the reply to a request, when there is one. Who stops waiting may ask again.
    ///
    /// # Errors
    /// There is none.
    pub async fn request(&self, request: Incoming) -> Result<Bytes, Refused> {
        let body = self.reply_to(request).await?;
        Ok(self.memory.on_its_way(body))
    }

    async fn reply_to(&self, request: Incoming) -> Result<Bytes, Refused> {
        let mut reply = match self.arrive(request)? {
            Ok(body) => return Ok(body),
            Err(reply) => reply,
        };
        loop {
            // Whose turn comes while they wait has a time of their own from then on, so that all
            // look up as often.
            let due = self.settle(|state, now| {
                let soon = now + IDLE_WAIT;
                state.tunnel.due().map_or(soon, |due| due.min(soon))
            });
            match timeout_at(due.into(), &mut reply).await {
                Ok(Ok(body)) => return Ok(body?),
                Ok(Err(_)) => return Err(Refused::Ended),
                Err(_) => {}
            }
        }
    }

    /// Hands in a request: its reply, or where that will come from.
    fn arrive(
        &self,
        request: Incoming,
    ) -> Result<Result<Bytes, oneshot::Receiver<Result<Bytes, Fault>>>, Refused> {
        if self.memory.is_scarce() && request.body.len() > SCARCE {
            return Err(Refused::Scarce);
        }
        self.settle(|state, now| {
            if self.over.is_cancelled() {
                return Err(Refused::Ended);
            }
            state.waiting.retain(|waiting| !waiting.reply.is_closed());
            if state.waiting.len() >= WAITING_MAX {
                return Err(Refused::TooMany);
            }
            match state.tunnel.arrive(request, now)? {
                Arrival::Again(body) => Ok(Ok(body)),
                Arrival::Waits(number) => {
                    let (reply, comes) = oneshot::channel();
                    state.waiting.push(Waiting { number, reply });
                    Ok(Err(comes))
                }
            }
        })
    }

    /// Does something with the state and then all that follows from it: replies that are due are
    /// given, and whoever can go on is woken.
    pub(super) fn settle<T>(&self, act: impl FnOnce(&mut State, Instant) -> T) -> T {
        let now = Instant::now();
        let mut state = self.lock();
        let done = act(&mut state, now);
        let fetched = state.reply(now);
        self.count(&mut state);
        let readable = state.tunnel.is_readable(now);
        let reader = state.reader.take_if(|_| readable);
        let writer = state.writer.take_if(|_| fetched);
        // They look at the state next, so not before it is free.
        drop(state);
        reader.into_iter().chain(writer).for_each(Waker::wake);
        done
    }

    /// Writes to the viewer, and replies only where there is no room otherwise: what is written
    /// in one go leaves in one reply.
    pub(super) fn write(&self, bytes: &[u8]) -> usize {
        let most = self.memory.most();
        let written = {
            let mut state = self.lock();
            let written = state.tunnel.write(bytes, most);
            self.count(&mut state);
            written
        };
        if written > 0 {
            return written;
        }
        self.settle(|state, now| {
            state.reply(now);
            state.tunnel.write(bytes, most)
        })
    }

    /// Whether there is room for more to the viewer.
    pub(super) fn has_room(&self, state: &State) -> bool {
        state.tunnel.waiting() < self.memory.most()
    }

    /// Ends the session: who waits is told so, and what the viewer has not fetched is lost.
    pub(super) fn end(&self) {
        self.over.cancel();
        self.settle(|state, now| {
            state.tunnel.finish();
            state.reply(now);
            state.waiting.clear();
        });
    }

    pub(super) fn over(&self) -> &CancellationToken {
        &self.over
    }

    /// Whether the caller is the one who carries the session from now on.
    pub(super) fn enter_carriage(&self) -> bool {
        !self.carried.swap(true, Ordering::AcqRel)
    }

    pub(super) fn leave_carriage(&self) {
        self.carried.store(false, Ordering::Release);
    }

    /// Counts what the session holds now.
    fn count(&self, state: &mut State) {
        let held = state.tunnel.held();
        if held != state.counted {
            self.memory.changed(state.counted, held);
            state.counted = held;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A step of the state machine cannot panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let counted = self.lock().counted;
        self.memory.changed(counted, 0);
    }
}

impl State {
    /// Gives the replies that are due; whether there was one.
    pub(super) fn reply(&mut self, now: Instant) -> bool {
        let mut fetched = false;
        while let Some(reply) = self.tunnel.reply(now) {
            fetched = true;
            let number = reply.number;
            for waiting in self.waiting.extract_if(.., |it| it.number == number) {
                // Who does not wait any more can ask again.
                let _ = waiting.reply.send(reply.body.clone());
            }
        }
        fetched
    }
}
