//! The state as the writer works on it: what rules look at, with tables beside it that answer in
//! one step whose a name is and how many an account has.

use std::collections::HashMap;
use std::sync::Arc;

use super::claim::{Claim, claims};
use super::{FixedKeys, RegistryError, Rules, State};
use crate::distribution::AccountId;
use crate::distribution::record::StreamingRecord;
use crate::store::{Change, Kind, Record, StoreError};

/// What a rule says: what is answered, and what is changed for it, if anything.
pub(super) type Verdict<T> = Result<(T, Option<Change>), RegistryError>;

/// The state as the writer works on it.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) rules: Rules,
    /// Milliseconds since 1970, of the batch.
    pub(super) now: i64,
    state: Arc<State>,
    claims: HashMap<Claim, String>,
    /// Records an account has, those of the configuration file left out.
    counts: HashMap<(Kind, AccountId), usize>,
}

impl Draft {
    pub(super) fn new(rules: Rules, fixed_keys: FixedKeys) -> Self {
        let fixed_keys = Arc::new(fixed_keys);
        Self {
            rules,
            now: 0,
            state: Arc::new(State {
                fixed_keys,
                ..State::default()
            }),
            claims: HashMap::new(),
            counts: HashMap::new(),
        }
    }

    pub(super) fn state(&self) -> &State {
        &self.state
    }

    /// For everybody else to see.
    pub(super) fn shown(&self) -> Arc<State> {
        Arc::clone(&self.state)
    }

    /// The id of the record that has this, if any has.
    pub(super) fn holder(&self, claim: &Claim) -> Option<&str> {
        self.claims.get(claim).map(String::as_str)
    }

    /// Whether an account exists: it has a key or owns something.
    pub(super) fn knows(&self, account: &AccountId) -> bool {
        let owns = |kind| self.counts.contains_key(&(kind, account.clone()));
        self.rules.accounts.contains(account) || Kind::ALL.into_iter().any(owns)
    }

    /// Whether an account may have one more.
    ///
    /// # Errors
    /// [`RegistryError::TooMany`].
    pub(super) fn room(&self, kind: Kind, account: &AccountId) -> Result<(), RegistryError> {
        let most = self.rules.quotas.of(kind);
        let count = self.counts.get(&(kind, account.clone()));
        if count.copied().unwrap_or_default() < most {
            Ok(())
        } else {
            Err(RegistryError::TooMany(kind, most))
        }
    }

    /// Does what a rule said.
    pub(super) fn apply(&mut self, change: &Change) {
        match change {
            Change::Put(record) => self.put((**record).clone()),
            Change::Delete(kind, id) => {
                self.take(*kind, id);
                if *kind == Kind::Streaming {
                    Arc::make_mut(&mut self.state).deployed.remove(id.as_str());
                }
            }
        }
    }

    /// Puts a record in the place of what had its id.
    pub(super) fn put(&mut self, record: Record) {
        let (kind, id) = (record.kind(), record.head().id.clone());
        self.take(kind, &id);
        for claim in claims(&record) {
            // Only a store that was written under other rules has two: the later one is found.
            if let Some(other) = self.claims.insert(claim.clone(), id.clone()) {
                tracing::warn!(?claim, id, other, "two records have what only one can have");
            }
        }
        if counts(&record) {
            let key = (kind, record.head().account.clone());
            let count = self.counts.entry(key).or_default();
            *count = count.saturating_add(1);
        }
        let state = Arc::make_mut(&mut self.state);
        match record {
            Record::Streaming(record) => drop(state.streaming.insert(id, Arc::new(record))),
            Record::Identity(record) => drop(state.identities.insert(id, Arc::new(record))),
            Record::PublicKey(record) => drop(state.public_keys.insert(id, Arc::new(record))),
            Record::KeyGroup(record) => drop(state.key_groups.insert(id, Arc::new(record))),
        }
    }

    /// Puts a distribution of the configuration file.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where the store has the same id.
    pub(super) fn put_fixed(&mut self, record: StreamingRecord) -> Result<(), StoreError> {
        if self.state.streaming.contains_key(&record.head.id) {
            return Err(StoreError::Damaged(format!(
                "the distribution {} of the configuration file is in the store too: give it \
                 another id",
                record.head.id
            )));
        }
        self.put(Record::Streaming(StreamingRecord {
            read_only: true,
            ..record
        }));
        Ok(())
    }

    /// Takes a record away, if it is there, with all that it holds.
    fn take(&mut self, kind: Kind, id: &str) {
        let state = Arc::make_mut(&mut self.state);
        let old = match kind {
            Kind::Streaming => state
                .streaming
                .remove(id)
                .map(|it| Record::Streaming((*it).clone())),
            Kind::Identity => state
                .identities
                .remove(id)
                .map(|it| Record::Identity((*it).clone())),
            Kind::PublicKey => state
                .public_keys
                .remove(id)
                .map(|it| Record::PublicKey((*it).clone())),
            Kind::KeyGroup => state
                .key_groups
                .remove(id)
                .map(|it| Record::KeyGroup((*it).clone())),
        };
        let Some(old) = old else {
            return;
        };
        for claim in claims(&old) {
            if self.holder(&claim) == Some(id) {
                self.claims.remove(&claim);
            }
        }
        let key = (kind, old.head().account.clone());
        if counts(&old)
            && let Some(count) = self.counts.get_mut(&key)
        {
            *count = count.saturating_sub(1);
            // An account that owns nothing any more is forgotten.
            if *count == 0 {
                self.counts.remove(&key);
            }
        }
    }

    /// Notes which versions are served now; whether that changed anything.
    pub(super) fn deploy(&mut self, served: HashMap<String, String>) -> bool {
        let mut changed = false;
        for (id, etag) in served {
            let newest = self.state.streaming.get(&id);
            let known = self.state.deployed.get(id.as_str());
            if newest.is_some_and(|record| record.head.etag == etag)
                && known.is_none_or(|known| **known != *etag)
            {
                let state = Arc::make_mut(&mut self.state);
                state.deployed.insert(id.into(), etag.into());
                changed = true;
            }
        }
        changed
    }

    /// Goes back to what was shown, after a failure.
    pub(super) fn reset(&mut self, state: Arc<State>) {
        self.claims.clear();
        self.counts.clear();
        self.state = Arc::new(State {
            deployed: state.deployed.clone(),
            fixed_keys: Arc::clone(&state.fixed_keys),
            ..State::default()
        });
        let streaming = state.streaming.values().cloned();
        streaming.for_each(|it| self.put(Record::Streaming((*it).clone())));
        let identities = state.identities.values().cloned();
        identities.for_each(|it| self.put(Record::Identity((*it).clone())));
        let keys = state.public_keys.values().cloned();
        keys.for_each(|it| self.put(Record::PublicKey((*it).clone())));
        let groups = state.key_groups.values().cloned();
        groups.for_each(|it| self.put(Record::KeyGroup((*it).clone())));
    }
}

/// That a record is put in the place of what had its id, and answered.
pub(super) fn put<T: Clone + Into<Record>>(record: T) -> (Arc<T>, Option<Change>) {
    let change = Change::Put(Box::new(record.clone().into()));
    (Arc::new(record), Some(change))
}

/// Whether a record counts against the quota.
fn counts(record: &Record) -> bool {
    !matches!(record, Record::Streaming(record) if record.read_only)
}
