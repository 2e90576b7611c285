//! Viewers who come through HTTP: the sessions of the tunnel, and their two ends.
//!
//! At one end requests come in ([`Session::request`]), on the runtime that serves HTTP; at the other
//! a connection reads and writes as if there were a socket ([`TunnelEnd`]), on a thread that
//! delivers. Between them is one [`Session`] with a lock of its own, held for one step of its state
//! machine ([`crate::rtmp::tunnel`]) and never while anything waits. The table of sessions is locked
//! to find one, in parts, so that viewers hardly ever meet there.
//!
//! Whoever opens a session takes a seat, as every viewer; without one there is no session. So what
//! bounds the seats bounds the sessions, and each waits with at most `OUTPUT_MAX` for its viewer, as
//! much in the last reply, and 192 KiB of what the viewer sent. All together, once that is more than
//! [`MEMORY_MAX`], each gets only [`SCARCE`] more.

mod carriage;
mod end;
mod memory;
mod session;
mod table;

use std::fmt::Debug;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

pub use self::carriage::Carriage;
pub use self::end::TunnelEnd;
pub use self::memory::{MEMORY_MAX, SCARCE};
pub use self::session::{Refused, Session};

use self::memory::Memory;
use self::table::Table;
use crate::rtmp::tunnel::TunnelId;

/// Who lets viewers in.
pub trait Admission: Send + Sync + Debug {
    /// Begins a connection at this end of a tunnel, for the viewer with this address.
    ///
    /// # Errors
    /// There is no place for one more. The end is gone, and the session with it.
    fn open(&self, viewer: SocketAddr, end: TunnelEnd) -> Result<(), NoPlace>;
}

/// There is no place for one more viewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no place for one more viewer")]
pub struct NoPlace;

/// The sessions of a server.
#[derive(Debug)]
pub struct Tunnels {
    table: Arc<Table>,
    memory: Arc<Memory>,
    admission: Arc<dyn Admission>,
}

impl Tunnels {
    /// No sessions yet.
    pub fn new(admission: Arc<dyn Admission>) -> Self {
        Self {
            table: Arc::default(),
            memory: Arc::default(),
            admission,
        }
    }

    /// Begins a session for the viewer with this address.
    ///
    /// # Errors
    /// There is no place for it.
    pub fn open(&self, viewer: SocketAddr) -> Result<(TunnelId, Arc<Session>), NoPlace> {
        let mut bits = [0; 16];
        if let Err(error) = getrandom::fill(&mut bits) {
            tracing::warn!(%error, "no random bytes for the id of a tunnel");
            return Err(NoPlace);
        }
        let id = TunnelId(bits);
        let session = Arc::new(Session::new(Instant::now(), Arc::clone(&self.memory)));
        self.table.insert(id, &session);
        let end = TunnelEnd::new(id, Arc::clone(&session), Arc::clone(&self.table));
        self.admission.open(viewer, end)?;
        Ok((id, session))
    }

    /// The session with this id.
    pub fn get(&self, id: TunnelId) -> Option<Arc<Session>> {
        self.table.get(id)
    }

    /// How many sessions there are.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes that wait in all of them.
    pub fn waiting(&self) -> usize {
        self.memory.taken()
    }
}

#[cfg(test)]
mod tests;
