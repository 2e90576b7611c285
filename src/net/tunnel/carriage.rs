//! The one HTTP connection that a session keeps open.
//!
//! A player sends all its requests through one connection and does not survive its end, so that
//! connection has to live as long as the session, and must not take up what other HTTP clients
//! need. It goes without a place of its own, for the session has a seat: one connection for each
//! session, whatever a viewer or a proxy opens beside it.

use std::sync::Arc;

use super::Session;

/// That a connection carries a session; given up when it is dropped.
#[derive(Debug)]
pub struct Carriage(Arc<Session>);

impl Carriage {
    /// That of `session`, if no other connection has it and the session goes on.
    pub fn of(session: &Arc<Session>) -> Option<Self> {
        let carriage = session.enter_carriage().then(|| Self(Arc::clone(session)));
        carriage.filter(|carriage| !carriage.is_over())
    }

    /// Whether the session has ended.
    pub fn is_over(&self) -> bool {
        self.0.over().is_cancelled()
    }

    /// Waits for the end of the session.
    pub async fn over(&self) {
        self.0.over().cancelled().await;
    }
}

impl Drop for Carriage {
    fn drop(&mut self) {
        self.0.leave_carriage();
    }
}
