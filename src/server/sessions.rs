//! Sessions, from the API to the connections.

use std::collections::HashSet;
use std::sync::Arc;

use crate::api;
use crate::api::caller::Caller;
use crate::delivery::session::{ClientId, Session};
use crate::distribution::AccountId;
use crate::net::shared::Shared;
use crate::registry::Registry;

/// The sessions of this server, and whose distributions they are at.
#[derive(Debug)]
pub(super) struct Visible {
    pub(super) shared: Arc<Shared>,
    pub(super) registry: Option<Registry>,
}

impl Visible {
    /// The ids of the distributions that a caller may see; `None`: all.
    fn distributions(&self, caller: &Caller) -> Option<HashSet<String>> {
        if caller.account == AccountId::operator() {
            return None;
        }
        let state = self.registry.as_ref().map(Registry::state);
        let records = state.iter().flat_map(|state| state.streaming.values());
        let own = records.filter(|record| record.head.account == caller.account);
        Some(own.map(|record| record.head.id.clone()).collect())
    }
}

impl api::Sessions for Visible {
    fn page(&self, caller: &Caller, after: Option<ClientId>, most: usize) -> Vec<Arc<Session>> {
        let own = self.distributions(caller);
        let seen = |session: &Session| {
            let id = session.distribution.id();
            own.as_ref().is_none_or(|own| own.contains(&**id))
        };
        self.shared.sessions.page(after, most, seen)
    }

    fn end(&self, caller: &Caller, id: ClientId) -> bool {
        let Some(session) = self.shared.sessions.get(id) else {
            return false;
        };
        let own = self.distributions(caller);
        if own.is_some_and(|own| !own.contains(&**session.distribution.id())) {
            return false;
        }
        session.end();
        self.shared.stages.call();
        true
    }
}
