//! All that there is at one moment.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::distribution::AccountId;
use crate::distribution::record::{
    IdentityRecord, KeyGroupRecord, PublicKeyRecord, StreamingRecord,
};
use crate::distribution::streaming::Signer;

/// All that there is at one moment. Readers look into the maps; the writer keeps further tables
/// beside them (names, references).
#[derive(Debug, Clone, Default)]
pub struct State {
    /// Streaming distributions of all accounts by id, those of the configuration file included.
    pub streaming: BTreeMap<String, Arc<StreamingRecord>>,
    /// Origin access identities of all accounts by id.
    pub identities: BTreeMap<String, Arc<IdentityRecord>>,
    /// Public keys of all accounts by id.
    pub public_keys: BTreeMap<String, Arc<PublicKeyRecord>>,
    /// Key groups of all accounts by id.
    pub key_groups: BTreeMap<String, Arc<KeyGroupRecord>>,
}

/// Whether the newest version of a distribution is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Not yet.
    InProgress,
    /// It is.
    Deployed,
}

/// A page of a list, ordered by id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// The marker of the next page, if there is one.
    pub next: Option<String>,
}

#[allow(clippy::todo, unused_variables)]
impl State {
    /// A distribution of an account.
    pub fn streaming_of(&self, account: &AccountId, id: &str) -> Option<&Arc<StreamingRecord>> {
        self.streaming
            .get(id)
            .filter(|record| record.head.account == *account)
    }

    /// Whether the newest version of a distribution is served.
    pub fn status(&self, record: &StreamingRecord) -> Status {
        todo!()
    }

    /// The distributions of an account behind `marker` (an id, which need not be there any more), `most` of
    /// them; likewise for the other kinds.
    pub fn list_streaming(
        &self,
        account: &AccountId,
        marker: Option<&str>,
        most: usize,
    ) -> Page<Arc<StreamingRecord>> {
        todo!()
    }

    /// See [`State::list_streaming`].
    pub fn list_identities(
        &self,
        account: &AccountId,
        marker: Option<&str>,
        most: usize,
    ) -> Page<Arc<IdentityRecord>> {
        todo!()
    }

    /// See [`State::list_streaming`].
    pub fn list_public_keys(
        &self,
        account: &AccountId,
        marker: Option<&str>,
        most: usize,
    ) -> Page<Arc<PublicKeyRecord>> {
        todo!()
    }

    /// See [`State::list_streaming`].
    pub fn list_key_groups(
        &self,
        account: &AccountId,
        marker: Option<&str>,
        most: usize,
    ) -> Page<Arc<KeyGroupRecord>> {
        todo!()
    }

    /// The trusted signers of a distribution, each with the ids of its keys that count: the oldest
    /// two public keys of the account. A signer without a key can sign nothing.
    pub fn active_signers(&self, record: &StreamingRecord) -> Vec<(Signer, Vec<String>)> {
        todo!()
    }
}
