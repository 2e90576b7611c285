//! By what right an HTTP connection is open: a place among the few that the port has, for a short
//! while, or as the one that carries a session of the tunnel, as long as that goes on.
//!
//! So there are never more connections than places and sessions together, and neither players who
//! stay for hours nor those who open connections beside keep other clients out.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until};

use crate::net::tunnel::{Carriage, Session};

/// The part of its time, the last, in which a connection with a place tells its client to use
/// another: a proxy that keeps connections would else send a request into one that is being closed.
const LAST_PART: u32 = 6;

/// By what right one connection is open.
#[derive(Debug)]
pub struct Hold {
    places: Arc<Semaphore>,
    /// How long a place may be held.
    life: Duration,
    right: Mutex<Right>,
    changed: Notify,
}

#[derive(Debug)]
enum Right {
    /// A place, until then.
    Place {
        _place: OwnedSemaphorePermit,
        until: Instant,
    },
    /// A session.
    Session(Arc<Carriage>),
    /// None any more.
    Nothing,
}

impl Hold {
    /// That of a connection that was just accepted, and may hold a place for so long.
    pub(super) fn new(
        places: &Arc<Semaphore>,
        place: OwnedSemaphorePermit,
        life: Duration,
    ) -> Arc<Self> {
        Arc::new(Self {
            places: Arc::clone(places),
            life,
            right: Mutex::new(Right::place(place, life)),
            changed: Notify::new(),
        })
    }

    /// A request of this session has come by the connection: it gives up its place and carries the
    /// session, unless another does, or it carries one. Answers whether it lasts.
    pub fn carry(&self, session: &Arc<Session>) -> bool {
        let mut right = self.lock();
        match &*right {
            Right::Session(carriage) if !carriage.is_over() => true,
            Right::Session(_) | Right::Place { .. } => match Carriage::of(session) {
                Some(carriage) => {
                    *right = Right::Session(Arc::new(carriage));
                    self.changed.notify_one();
                    true
                }
                None => right.lasts(self.life / LAST_PART),
            },
            Right::Nothing => false,
        }
    }

    /// Whether the connection carries a session that goes on.
    pub(super) fn carries(&self) -> bool {
        matches!(&*self.lock(), Right::Session(carriage) if !carriage.is_over())
    }

    /// Waits until the connection has no right to be open any more.
    pub(super) async fn over(&self) {
        loop {
            let until = match &*self.lock() {
                Right::Place { until, .. } => Ok(*until),
                Right::Session(carriage) => Err(Arc::clone(carriage)),
                Right::Nothing => return,
            };
            match until {
                Ok(until) => tokio::select! {
                    () = sleep_until(until) => self.time_is_up(),
                    () = self.changed.notified() => {}
                },
                Err(carriage) => {
                    carriage.over().await;
                    self.take_a_place(&carriage);
                }
            }
        }
    }

    fn time_is_up(&self) {
        let mut right = self.lock();
        if matches!(&*right, Right::Place { .. }) {
            *right = Right::Nothing;
        }
    }

    /// Goes on with a place, now that the session has ended, if one is left.
    fn take_a_place(&self, ended: &Arc<Carriage>) {
        let mut right = self.lock();
        if matches!(&*right, Right::Session(carriage) if Arc::ptr_eq(carriage, ended)) {
            let place = Arc::clone(&self.places).try_acquire_owned();
            *right = place.map_or(Right::Nothing, |place| Right::place(place, self.life));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Right> {
        // Every change of it is whole.
        self.right.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Right {
    fn place(place: OwnedSemaphorePermit, life: Duration) -> Self {
        Self::Place {
            _place: place,
            until: Instant::now() + life,
        }
    }

    /// Whether one more request may come by the connection.
    fn lasts(&self, last_part: Duration) -> bool {
        match self {
            Self::Place { until, .. } => Instant::now() + last_part < *until,
            // A place may yet be had.
            Self::Session(_) => true,
            Self::Nothing => false,
        }
    }
}

#[cfg(test)]
mod tests;
