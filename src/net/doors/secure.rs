//! TLS at the door: the handshake, and then once more the question which protocol is spoken.
//!
//! A handshake costs a signature, some hundred times as much as a step of delivery: it runs where
//! work runs, not on the threads that deliver, and goes on only with a permit, one step at a time
//! ([`in_turn`]). RTMP inside it goes to a thread that delivers afterwards, HTTP stays where it is.
//! Whatever is inside has the time that all have until they connect.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use rustls::ServerConfig;
use tokio::io::AsyncBufReadExt;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout_at;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::{Doors, Protocol};
use crate::net::transport::{TlsChannel, Transport};
use crate::net::visitor::{Door, Unserved, Visitor};

impl Doors {
    /// Shakes hands with one who speaks TLS, and leads them on.
    pub(super) fn secure(self: &Arc<Self>, stream: TcpStream, visitor: Visitor) {
        let Some(tls) = &self.tls else {
            return visitor.left(&Unserved::NoCertificate);
        };
        let shared = &self.shared;
        if !shared.admits(shared.handshakes.as_ref(), visitor.peer) {
            return visitor.left(&Unserved::TooOften);
        }
        let stream = match stream.into_std() {
            Ok(stream) => stream,
            Err(error) => return visitor.left(&error.into()),
        };
        let (doors, tls) = (Arc::clone(self), Arc::clone(tls));
        shared.routes.background.spawn(async move {
            let limit = visitor.since + doors.shared.rules.handshake_timeout;
            let hello = timeout_at(limit.into(), shake(stream, tls, &doors.shared.computing));
            match hello.await.unwrap_or(Err(Unserved::Silent)) {
                Ok((stream, Protocol::Http)) => doors.browse(stream, visitor).await,
                Ok(_) if doors.shared.stages.is_draining() => visitor.left(&Unserved::Draining),
                Ok((stream, _)) => doors.play_inside(stream, visitor),
                Err(unserved) => visitor.left(&unserved),
            }
        });
    }

    /// Takes a viewer who speaks RTMP inside TLS to a thread that delivers.
    fn play_inside(self: Arc<Self>, stream: TlsStream<TcpStream>, mut visitor: Visitor) {
        visitor.door = Door::Tls;
        let (socket, tls) = stream.into_inner();
        let socket = match socket.into_std() {
            Ok(socket) => socket,
            Err(error) => return visitor.left(&error.into()),
        };
        let doors = Arc::clone(&self);
        let Some((worker, assigned)) = self.workers.assign() else {
            return;
        };
        worker.spawn(async move {
            let _assigned = assigned;
            match TcpStream::from_std(socket) {
                Ok(socket) => {
                    let channel = TlsChannel::new(socket, tls);
                    doors.play(Transport::through(channel), visitor).await;
                }
                Err(error) => visitor.left(&error.into()),
            }
        });
    }
}

/// Shakes hands and waits for the first byte inside, which stays where it is.
async fn shake(
    stream: std::net::TcpStream,
    tls: Arc<ServerConfig>,
    permits: &Semaphore,
) -> Result<(TlsStream<TcpStream>, Protocol), Unserved> {
    let stream = TcpStream::from_std(stream)?;
    let shaken = in_turn(permits, TlsAcceptor::from(tls).accept(stream)).await;
    let mut stream = shaken.map_err(Unserved::Handshake)?;
    let first = stream.fill_buf().await?.first().copied();
    let protocol = first.map(Protocol::of).ok_or(Unserved::Left)?;
    Ok((stream, protocol))
}

/// Does what computes whenever it is woken, each time with a permit, which it does not hold while it
/// waits for others: whoever stops in the middle of a handshake is in nobody's way.
async fn in_turn<F: Future + Unpin>(permits: &Semaphore, mut work: F) -> F::Output {
    loop {
        // Nobody closes them; without them it would go on all the same.
        let permit = permits.acquire().await;
        let done = poll_fn(|cx| Poll::Ready(Pin::new(&mut work).poll(cx))).await;
        drop(permit);
        if let Poll::Ready(output) = done {
            return output;
        }
        woken().await;
    }
}

/// Ends as soon as the task is woken by what it waits for already.
async fn woken() {
    let mut waited = false;
    poll_fn(|_| match std::mem::replace(&mut waited, true) {
        true => Poll::Ready(()),
        false => Poll::Pending,
    })
    .await;
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn what_waits_in_the_middle_holds_no_permit() {
        let permits = Arc::new(Semaphore::new(1));
        let (tell, told) = oneshot::channel();
        let stopped = tokio::spawn({
            let permits = Arc::clone(&permits);
            async move { in_turn(&permits, told).await }
        });
        tokio::task::yield_now().await;
        assert_eq!(permits.available_permits(), 1);
        assert_eq!(in_turn(&permits, std::future::ready(7)).await, 7);
        tell.send(8).unwrap();
        assert_eq!(stopped.await.unwrap(), Ok(8));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn no_more_compute_at_once_than_there_are_permits() {
        let permits = Arc::new(Semaphore::new(2));
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let work = (0..40).map(|_| {
            let (permits, now, most) = (permits.clone(), now.clone(), most.clone());
            tokio::spawn(async move {
                let mut steps = 3;
                let work = poll_fn(|cx| {
                    let at_once = now.fetch_add(1, Ordering::SeqCst) + 1;
                    most.fetch_max(at_once, Ordering::SeqCst);
                    std::thread::sleep(Duration::from_millis(1));
                    now.fetch_sub(1, Ordering::SeqCst);
                    steps -= 1;
                    cx.waker().wake_by_ref();
                    if steps == 0 {
                        Poll::Ready(())
                    } else {
                        Poll::Pending
                    }
                });
                in_turn(&permits, work).await;
            })
        });
        for one in work.collect::<Vec<_>>() {
            one.await.unwrap();
        }
        assert!(most.load(Ordering::SeqCst) <= 2);
    }
}
