//! Which session an id names.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::Session;
use crate::rtmp::tunnel::TunnelId;

/// Parts with a lock of their own. An id is random, so that its first bits choose fairly.
const PARTS: usize = 16;

type Part = RwLock<HashMap<TunnelId, Arc<Session>>>;

/// All sessions.
#[derive(Debug, Default)]
pub(super) struct Table([Part; PARTS]);

impl Table {
    pub(super) fn insert(&self, id: TunnelId, session: &Arc<Session>) {
        let mut part = self
            .part(id)
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        part.insert(id, Arc::clone(session));
    }

    pub(super) fn remove(&self, id: TunnelId) {
        let mut part = self
            .part(id)
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        part.remove(&id);
    }

    pub(super) fn get(&self, id: TunnelId) -> Option<Arc<Session>> {
        let part = self.part(id).read().unwrap_or_else(PoisonError::into_inner);
        part.get(&id).cloned()
    }

    pub(super) fn len(&self) -> usize {
        let parts = self.0.iter();
        let lens = parts.map(|part| part.read().unwrap_or_else(PoisonError::into_inner).len());
        lens.sum()
    }

    // Every operation on a part is whole, so that a panic elsewhere spoils none.
    fn part(&self, TunnelId([first, ..]): TunnelId) -> &Part {
        &self.0[usize::from(first) % PARTS]
    }
}
