//! What a connection waits for between two rounds: the viewer, the socket, a job, a time, the end
//! of the server.
//!
//! Written out as one poll, because it is what a paced viewer does twice a second: a timer that is
//! set anew and not made anew, the socket's own two places for a waker, and no list that other
//! connections lock.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use futures_util::future::FutureExt;
use futures_util::stream::StreamExt;
use pin_project_lite::pin_project;
use tokio::sync::futures::Notified;
use tokio::time::{Sleep, sleep_until};

use super::{Connection, Length, MAX_LEFTOVERS};
use crate::delivery::job::Done;
use crate::net::shared::Shared;
use crate::net::stages::{Moment, Stages};
use crate::rtmp::handshake::KeyAgreed;
use crate::rtmp::status::Rejection;

/// What ended a wait.
#[derive(Debug)]
pub(super) enum Woken {
    /// The viewer said something.
    Readable,
    /// A job of a stream came to something.
    Job(u32, Done),
    /// A getStreamLength came to something.
    Length(Length),
    /// The keys of an encrypted connection.
    Agreed(Option<KeyAgreed>),
    /// Whether the viewer who arrives may come in.
    Checked(Result<(), Rejection>),
    /// There is room in the socket, it is time, or the server goes on to its end.
    Other,
}

pin_project! {
    /// What wakes a connection beside its socket and its jobs.
    pub(super) struct Alarm<'a> {
        stages: &'a Stages,
        seen: Moment,
        listening: bool,
        #[pin]
        sleep: Sleep,
        #[pin]
        changed: Notified<'a>,
    }
}

impl<'a> Alarm<'a> {
    pub(super) fn new(shared: &'a Shared) -> Self {
        Self {
            changed: shared.stages.changed(),
            seen: shared.stages.moment(),
            stages: &shared.stages,
            listening: false,
            sleep: sleep_until(Instant::now().into()),
        }
    }

    /// The stage of the server and the calls so far; from here on the next change wakes.
    pub(super) fn moment(self: Pin<&mut Self>) -> Moment {
        let mut alarm = self.project();
        let moment = alarm.stages.moment();
        if moment != *alarm.seen {
            alarm.changed.set(alarm.stages.changed());
            *alarm.seen = alarm.stages.moment();
            *alarm.listening = false;
        }
        *alarm.seen
    }

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>, until: Instant) -> Poll<()> {
        let mut alarm = self.project();
        if alarm.stages.moment() != *alarm.seen {
            return Poll::Ready(());
        }
        // Looking again would lock what all connections share, and a task has one waker for life.
        if !*alarm.listening {
            *alarm.listening = true;
            if alarm.changed.poll(cx).is_ready() {
                return Poll::Ready(());
            }
        }
        if alarm.sleep.deadline() != until.into() {
            alarm.sleep.as_mut().reset(until.into());
        }
        alarm.sleep.poll(cx)
    }
}

impl Connection<'_> {
    /// Waits for whatever comes first.
    pub(super) async fn wait(
        &mut self,
        mut alarm: Pin<&mut Alarm<'_>>,
        until: Instant,
        blocked: bool,
    ) -> io::Result<Woken> {
        let may_read = self.has_room() && self.leftovers.len() < MAX_LEFTOVERS;
        poll_fn(|cx| {
            if let Poll::Ready(woken) = self.poll_jobs(cx) {
                return Poll::Ready(Ok(woken));
            }
            if may_read && let Poll::Ready(readable) = self.transport.poll_readable(cx) {
                return Poll::Ready(readable.map(|()| Woken::Readable));
            }
            if blocked && let Poll::Ready(writable) = self.transport.poll_writable(cx) {
                return Poll::Ready(writable.map(|()| Woken::Other));
            }
            ready!(alarm.as_mut().poll(cx, until));
            Poll::Ready(Ok(Woken::Other))
        })
        .await
    }

    fn poll_jobs(&mut self, cx: &mut Context<'_>) -> Poll<Woken> {
        if let Some(agreeing) = &mut self.agreeing
            && let Poll::Ready(agreed) = agreeing.poll_unpin(cx)
        {
            return Poll::Ready(Woken::Agreed(agreed));
        }
        if let Some(arriving) = &mut self.arriving
            && let Poll::Ready(checked) = arriving.check.poll_unpin(cx)
        {
            return Poll::Ready(Woken::Checked(checked));
        }
        if let Poll::Ready(Some(length)) = self.lengths.poll_next_unpin(cx) {
            return Poll::Ready(Woken::Length(length));
        }
        // Nobody wants what they come to, but room comes free.
        if let Poll::Ready(Some(_)) = self.leftovers.poll_next_unpin(cx) {
            return Poll::Ready(Woken::Other);
        }
        for stream in self.streams.iter_mut() {
            let id = stream.id();
            for slot in stream.jobs() {
                if let Poll::Ready(done) = slot.poll(cx) {
                    return Poll::Ready(done.map_or(Woken::Other, |done| Woken::Job(id, done)));
                }
            }
        }
        Poll::Pending
    }
}
