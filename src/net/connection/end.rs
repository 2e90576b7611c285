//! Why and how a connection ends.

use std::future::poll_fn;
use std::io;
use std::task::{Poll, ready};
use std::time::Duration;

use super::READ_BYTES;
use crate::net::transport::Transport;
use crate::rtmp::server::Violation;

/// How long a refused viewer, one who is sent away, or one who plays nothing when
/// the server stops, may take to read the last answer: a close with unread commands would be a
/// reset, which overtakes it.
pub(super) const LINGER: Duration = Duration::from_secs(1);

/// How long a viewer whose play has ended may take to read the last of it, when the server stops.
pub(super) const LAST_BYTES: Duration = Duration::from_secs(10);

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum End {
    #[error("the viewer closed the connection")]
    Closed,
    #[error("the connection broke: {0}")]
    Broken(#[from] io::Error),
    #[error("a limit or rule was broken: {0}")]
    Violation(#[from] Violation),
    #[error("connect was refused: {0}")]
    Rejected(&'static str),
    #[error("no connect within {0:?}")]
    NoConnect(Duration),
    #[error("the address shakes hands too often")]
    TooOften,
    #[error("nothing happened for {0:?}")]
    Idle(Duration),
    #[error("the viewer took no byte for {0:?}")]
    Stalled(Duration),
    #[error("the distribution was disabled")]
    Disabled,
    #[error("the session was ended by a call")]
    Ended,
    #[error("the server stops, and nothing plays any more")]
    Drained,
    #[error("the server stops")]
    Stopping,
    #[error("the keys of the connection could not be computed")]
    NoKeys,
}

/// Gives a viewer time to read what was sent last: a reset must not overtake it.
pub(super) async fn linger(mut transport: Transport, limit: Duration) {
    transport.close();
    let drained = poll_fn(|cx| {
        while ready!(transport.poll_readable(cx)).is_ok() {
            if has_ended(&mut transport) {
                break;
            }
        }
        Poll::Ready(())
    });
    let _ = tokio::time::timeout(limit, drained).await;
}

// A function of its own, so that the buffer is no part of every connection's task.
fn has_ended(transport: &mut Transport) -> bool {
    let mut buffer = [0; READ_BYTES];
    match transport.try_read(&mut buffer) {
        Err(error) => error.kind() != io::ErrorKind::WouldBlock,
        Ok(read) => read == 0,
    }
}
