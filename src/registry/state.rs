//! All that there is at one moment.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use crate::distribution::AccountId;
use crate::distribution::record::{
    Head, IdentityRecord, KeyGroupRecord, PublicKeyRecord, StreamingRecord,
};
use crate::distribution::streaming::Signer;

/// Ids of the public keys of the configuration file, by the account that they belong to.
pub type FixedKeys = BTreeMap<AccountId, BTreeSet<String>>;

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
    /// Public keys of the configuration file: they count, and are nobody's to change.
    pub(super) fixed_keys: Arc<FixedKeys>,
    /// Which version (ETag) of a distribution this edge serves, by id. Shared strings: all of this
    /// is copied with each change.
    pub(super) deployed: HashMap<Arc<str>, Arc<str>>,
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

/// Public keys of an account that count: CloudFront's accounts had two active key pairs
/// (cloudfront.md, section 6).
const KEYS_PER_SIGNER: usize = 2;

impl State {
    /// A distribution of an account.
    pub fn streaming_of(&self, account: &AccountId, id: &str) -> Option<&Arc<StreamingRecord>> {
        self.streaming
            .get(id)
            .filter(|record| record.head.account == *account)
    }

    /// An origin access identity of an account.
    pub fn identity_of(&self, account: &AccountId, id: &str) -> Option<&Arc<IdentityRecord>> {
        self.identities
            .get(id)
            .filter(|record| record.head.account == *account)
    }

    /// A public key of an account.
    pub fn public_key_of(&self, account: &AccountId, id: &str) -> Option<&Arc<PublicKeyRecord>> {
        self.public_keys
            .get(id)
            .filter(|record| record.head.account == *account)
    }

    /// A key group of an account.
    pub fn key_group_of(&self, account: &AccountId, id: &str) -> Option<&Arc<KeyGroupRecord>> {
        self.key_groups
            .get(id)
            .filter(|record| record.head.account == *account)
    }

    /// The distribution with this ARN, if the account has it.
    pub fn tagged(&self, account: &AccountId, arn: &str) -> Option<&Arc<StreamingRecord>> {
        let (_, id) = arn.rsplit_once('/')?;
        self.streaming_of(account, id)
            .filter(|record| super::arn(record) == arn)
    }

    /// Whether the newest version of a distribution is served.
    pub fn status(&self, record: &StreamingRecord) -> Status {
        match self.deployed.get(record.head.id.as_str()) {
            Some(etag) if **etag == *record.head.etag => Status::Deployed,
            _ => Status::InProgress,
        }
    }

    /// The distributions of an account behind `marker` (an id, which need not be there any more),
    /// `most` of them, of which there is at least one; likewise for the other kinds.
    pub fn list_streaming(
        &self,
        account: &AccountId,
        marker: Option<&str>,
        most: usize,
    ) -> Page<Arc<StreamingRecord>> {
        page(&self.streaming, |it| &it.head, account, marker, most)
    }

    /// See [`State::list_streaming`].
    pub fn list_identities(
        &self,
        account: &AccountId,
        marker: Option<&str>,
        most: usize,
    ) -> Page<Arc<IdentityRecord>> {
        page(&self.identities, |it| &it.head, account, marker, most)
    }

    /// See [`State::list_streaming`].
    pub fn list_public_keys(
        &self,
        account: &AccountId,
        marker: Option<&str>,
        most: usize,
    ) -> Page<Arc<PublicKeyRecord>> {
        page(&self.public_keys, |it| &it.head, account, marker, most)
    }

    /// See [`State::list_streaming`].
    pub fn list_key_groups(
        &self,
        account: &AccountId,
        marker: Option<&str>,
        most: usize,
    ) -> Page<Arc<KeyGroupRecord>> {
        page(&self.key_groups, |it| &it.head, account, marker, most)
    }

    /// The trusted signers of a distribution, each with the ids of its keys that count: those of
    /// the registry ([`State::active_keys`]), then those of the configuration file. A signer
    /// without a key can sign nothing.
    pub fn active_signers(&self, record: &StreamingRecord) -> Vec<(Signer, Vec<String>)> {
        let signers = record.config.trusted_signers.iter();
        signers
            .map(|signer| {
                let account = signer.account(&record.head.account);
                (signer.clone(), self.counting_keys(account))
            })
            .collect()
    }

    fn counting_keys(&self, account: &AccountId) -> Vec<String> {
        let mut keys = self.active_keys(account);
        // One that has the id of another takes its place.
        let fixed = self.fixed_keys.get(account).into_iter().flatten();
        let more: Vec<String> = fixed.filter(|id| !keys.contains(id)).cloned().collect();
        keys.extend(more);
        keys
    }

    /// The public keys of an account that count, of those in the registry: the oldest two, and
    /// those of its key groups.
    pub fn active_keys(&self, account: &AccountId) -> Vec<String> {
        let mut keys: Vec<&Head> = self
            .public_keys
            .values()
            .map(|record| &record.head)
            .filter(|head| head.account == *account)
            .collect();
        keys.sort_by_key(|head| (head.created, &head.id));
        let groups = self.key_groups.values();
        let own = groups.filter(|group| group.head.account == *account);
        let grouped: BTreeSet<&String> = own.flat_map(|group| &group.config.keys).collect();
        let oldest = keys.iter().take(KEYS_PER_SIGNER);
        let rest = keys.iter().skip(KEYS_PER_SIGNER);
        let chosen = rest.filter(|head| grouped.contains(&head.id));
        oldest.chain(chosen).map(|head| head.id.clone()).collect()
    }
}

/// Walks over the records of other accounts too: an account has a hundred of a kind, and there are
/// some thousands at the most.
fn page<T>(
    records: &BTreeMap<String, Arc<T>>,
    head: fn(&T) -> &Head,
    account: &AccountId,
    marker: Option<&str>,
    most: usize,
) -> Page<Arc<T>> {
    let from = marker.map_or(Bound::Unbounded, Bound::Excluded);
    let mut rest = records
        .range::<str, _>((from, Bound::Unbounded))
        .map(|(_, record)| record)
        .filter(|record| head(record).account == *account);
    let items: Vec<Arc<T>> = rest.by_ref().take(most.max(1)).cloned().collect();
    let next = match (rest.next(), items.last()) {
        (Some(_), Some(last)) => Some(head(last).id.clone()),
        _ => None,
    };
    Page { items, next }
}
