//! How long a connection may be silent between two requests: as long as the port says, or, while it
//! carries a session of the tunnel, as long as that goes on. A player whose buffer is full asks for
//! nothing for a while, and the session itself knows when that is too long.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use hyper::rt;
use tokio::time;

use super::Hold;

/// Between two looks whether a connection still carries a session.
const LOOK: Duration = Duration::from_secs(5);

/// hyper's clock for one connection.
#[derive(Debug, Clone)]
pub(super) struct Patience(pub(super) Arc<Hold>);

impl rt::Timer for Patience {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn rt::Sleep>> {
        self.sleep_until(Instant::now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn rt::Sleep>> {
        Box::pin(Wait {
            hold: Arc::clone(&self.0),
            sleep: Box::pin(time::sleep_until(deadline.into())),
        })
    }
}

/// A wait that does not end while its connection carries a session.
#[derive(Debug)]
struct Wait {
    hold: Arc<Hold>,
    sleep: Pin<Box<time::Sleep>>,
}

impl Future for Wait {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.sleep.as_mut().poll(cx));
            if !self.hold.carries() {
                return Poll::Ready(());
            }
            self.sleep.as_mut().reset(time::Instant::now() + LOOK);
        }
    }
}

impl rt::Sleep for Wait {}
