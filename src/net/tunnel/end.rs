//! The connection's end of a tunnel.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Instant;

use tokio::time::{Sleep, sleep_until};

use super::Session;
use super::table::Table;
use crate::net::transport::Channel;
use crate::rtmp::tunnel::TunnelId;

/// What a connection reads from and writes to. With it goes the session.
#[derive(Debug)]
pub struct TunnelEnd {
    id: TunnelId,
    session: Arc<Session>,
    table: Arc<Table>,
    /// Whether the connection waits for all to be fetched, and not for room.
    flushes: bool,
    /// When the viewer counts as gone. Made where it is waited for: it belongs to that thread.
    silence: Option<Pin<Box<Sleep>>>,
}

impl TunnelEnd {
    pub(super) const fn new(id: TunnelId, session: Arc<Session>, table: Arc<Table>) -> Self {
        Self {
            id,
            session,
            table,
            flushes: false,
            silence: None,
        }
    }

    /// Ready when the viewer has been silent for too long.
    fn poll_silence(&mut self, mut at: Instant, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let silence = self
                .silence
                .get_or_insert_with(|| Box::pin(sleep_until(at.into())));
            ready!(silence.as_mut().poll(cx));
            // Requests came meanwhile, which is the rule: the timer is set anew only when it rings.
            at = self.session.settle(|state, _| state.tunnel.silent_at());
            if at <= Instant::now() {
                return Poll::Ready(());
            }
            silence.as_mut().reset(at.into());
        }
    }
}

impl Channel for TunnelEnd {
    fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self
            .session
            .settle(|state, now| state.tunnel.read(buffer, now));
        read.ok_or_else(|| io::ErrorKind::WouldBlock.into())
    }

    fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.flushes = false;
        match self.session.write(bytes) {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            written => Ok(written),
        }
    }

    fn try_flush(&mut self) -> io::Result<()> {
        // A request that waits is answered here, with all that was written.
        self.flushes = self.session.settle(|state, now| {
            state.reply(now);
            state.tunnel.waiting() > 0
        });
        if self.flushes {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(())
    }

    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let silent_at = self.session.settle(|state, now| {
            let readable = state.tunnel.is_readable(now);
            if !readable {
                wake_later(&mut state.reader, cx);
            }
            (!readable).then(|| state.tunnel.silent_at())
        });
        match silent_at {
            None => Poll::Ready(Ok(())),
            Some(at) => self.poll_silence(at, cx).map(Ok),
        }
    }

    fn poll_writable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let (session, flushes) = (&self.session, self.flushes);
        let writable = session.settle(|state, _| {
            let waits = state.tunnel.waiting() > 0;
            let writable = !waits || !flushes && session.has_room(state);
            if !writable {
                wake_later(&mut state.writer, cx);
            }
            writable
        });
        if writable {
            Poll::Ready(Ok(()))
        } else {
            Poll::Pending
        }
    }

    fn close(&mut self) {
        self.session.settle(|state, _| state.tunnel.finish());
    }
}

impl Drop for TunnelEnd {
    fn drop(&mut self) {
        self.table.remove(self.id);
        self.session.end();
    }
}

/// Keeps the waker of the task that waits, made anew only where it is another's.
fn wake_later(place: &mut Option<Waker>, cx: &Context<'_>) {
    match place {
        Some(waker) => waker.clone_from(cx.waker()),
        None => *place = Some(cx.waker().clone()),
    }
}
