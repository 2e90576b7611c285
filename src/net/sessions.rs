//! All sessions of this server, by id, for who lists and ends them.
//!
//! A lock is taken when a viewer is let in and when they are gone, and for a page of a list;
//! delivery never takes it. Sessions are held weakly: one that is gone is gone, whoever looks on.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::delivery::session::{ClientId, Session};

/// Sessions that are looked at under the lock at once: some 10 microseconds.
const STRETCH: usize = 256;

type All = BTreeMap<ClientId, Weak<Session>>;

/// The sessions of a server.
#[derive(Debug, Clone, Default)]
pub struct Sessions(Arc<Mutex<All>>);

/// A session on the list; off it when this is dropped.
#[derive(Debug)]
pub struct Listed {
    /// The session.
    pub session: Arc<Session>,
    sessions: Sessions,
}

impl Sessions {
    /// Puts a session on the list.
    pub fn list(&self, session: &Arc<Session>) -> Listed {
        let weak = Arc::downgrade(session);
        self.lock().insert(session.facts.id, weak);
        Listed {
            session: Arc::clone(session),
            sessions: self.clone(),
        }
    }

    /// The session with this id.
    pub fn get(&self, id: ClientId) -> Option<Arc<Session>> {
        self.lock().get(&id)?.upgrade()
    }

    /// At most `most` sessions that `wanted` accepts, ordered by id, behind `after`.
    pub fn page(
        &self,
        after: Option<ClientId>,
        most: usize,
        wanted: impl Fn(&Session) -> bool,
    ) -> Vec<Arc<Session>> {
        let mut page = Vec::new();
        let mut after = after.map_or(Bound::Unbounded, Bound::Excluded);
        loop {
            let stretch: Vec<_> = {
                let all = self.lock();
                let behind = all.range((after, Bound::Unbounded)).take(STRETCH);
                behind.map(|(id, weak)| (*id, weak.upgrade())).collect()
            };
            let Some((last, _)) = stretch.last() else {
                return page;
            };
            after = Bound::Excluded(*last);
            let alive = stretch.into_iter().filter_map(|(_, session)| session);
            page.extend(alive.filter(|session| wanted(session)));
            if page.len() >= most {
                page.truncate(most);
                return page;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, All> {
        // Every change of it is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.sessions.lock().remove(&self.session.facts.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::served::Served;
    use crate::delivery::session::testing::{facts, terms};
    use crate::delivery::session::{Facts, Nobody};

    fn session(number: u16) -> Arc<Session> {
        let mut id = [0; 16];
        id[..2].copy_from_slice(&number.to_be_bytes());
        let id = ClientId(id);
        let facts = Facts { id, ..facts() };
        Session::new(facts, Served::new("E1", terms()), Arc::new(Nobody))
    }

    #[test]
    fn pages_follow_each_other_and_leave_nobody_out() {
        let sessions = Sessions::default();
        let mut listed: Vec<_> = (0..1000).map(|n| sessions.list(&session(n))).collect();
        listed.retain(|it| it.session.facts.id.0[1] % 3 != 0);
        let wanted = |it: &Session| it.facts.id.0[1].is_multiple_of(2);
        let expected = listed.iter().map(|it| &it.session);
        let expected: Vec<_> = expected
            .filter(|it| wanted(it))
            .map(|it| it.facts.id)
            .collect();
        let mut seen = Vec::new();
        let mut after = None;
        loop {
            let page = sessions.page(after, 7, wanted);
            assert!(page.len() <= 7);
            let Some(last) = page.last() else { break };
            after = Some(last.facts.id);
            seen.extend(page.iter().map(|it| it.facts.id));
        }
        assert_eq!(seen, expected);
        let one = expected[0];
        assert!(sessions.get(one).is_some());
        drop(listed);
        assert!(sessions.get(one).is_none());
        assert!(sessions.lock().is_empty());
    }
}
