//! All keys that names may be signed with: those of the configuration file, and those that the
//! registry has, read once and looked up by account.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tracing::error;

use crate::access::SignerKey;
use crate::access::SignerKeys;
use crate::access::signers::{ById, Owners};
use crate::config::Settings;
use crate::distribution::AccountId;
use crate::distribution::record::{KeyGroupRecord, PublicKeyRecord};
use crate::registry::State;

/// Which keys count, by account.
#[derive(Debug)]
pub(super) struct Keyring {
    strict: bool,
    /// Those of the configuration file, which always count.
    fixed: Vec<(AccountId, String, Arc<SignerKey>)>,
    /// Those of the registry by id, whether they count or not.
    stored: HashMap<String, Arc<SignerKey>>,
    /// What the registry had when it was last looked at.
    seen: Seen,
    counting: HashMap<AccountId, ById>,
    owners: Arc<Owners>,
}

#[derive(Debug, Default)]
struct Seen {
    keys: BTreeMap<String, Arc<PublicKeyRecord>>,
    groups: BTreeMap<String, Arc<KeyGroupRecord>>,
}

impl Keyring {
    /// The keys of the configuration file.
    pub(super) fn new(settings: &Settings) -> Self {
        let fixed = settings.access.keys();
        let mut keyring = Self {
            strict: settings.access.strict,
            fixed: fixed.collect(),
            stored: HashMap::new(),
            seen: Seen::default(),
            counting: HashMap::new(),
            owners: Arc::default(),
        };
        keyring.count(&State::default());
        keyring
    }

    /// The keys of these accounts; `None` where there is no account: nothing need be signed.
    pub(super) fn keys(&self, accounts: &[AccountId]) -> Option<Arc<SignerKeys>> {
        if accounts.is_empty() {
            return None;
        }
        let counting = accounts.iter().filter_map(|it| self.counting.get(it));
        let trusted = counting.flatten();
        Some(Arc::new(SignerKeys {
            trusted: trusted
                .map(|(id, key)| (id.clone(), Arc::clone(key)))
                .collect(),
            owners: Arc::clone(&self.owners),
            strict: self.strict,
        }))
    }

    /// Takes the keys that the registry has now. Whether any came, went or changed its standing.
    pub(super) fn renew(&mut self, state: &State) -> bool {
        let seen = &self.seen;
        if same(&seen.keys, &state.public_keys) && same(&seen.groups, &state.key_groups) {
            return false;
        }
        self.stored
            .retain(|id, _| state.public_keys.contains_key(id));
        for (id, record) in &state.public_keys {
            if self.stored.contains_key(id) {
                // A key never becomes another one, and no id is given twice.
                continue;
            }
            match SignerKey::parse(&record.config.encoded_key) {
                Ok(key) => drop(self.stored.insert(id.clone(), Arc::new(key))),
                Err(cause) => error!(id, %cause, "a public key cannot be used"),
            }
        }
        self.count(state);
        self.seen = Seen {
            keys: state.public_keys.clone(),
            groups: state.key_groups.clone(),
        };
        true
    }

    fn count(&mut self, state: &State) {
        let mut owners = Owners::new();
        let mut counting: HashMap<AccountId, ById> = HashMap::new();
        for record in state.public_keys.values() {
            let account = &record.head.account;
            owners.insert(record.head.id.clone(), account.clone());
            counting.entry(account.clone()).or_default();
        }
        for (account, keys) in &mut counting {
            let ids = state.active_keys(account).into_iter();
            let known = ids.filter_map(|id| Some((id.clone(), Arc::clone(self.stored.get(&id)?))));
            keys.extend(known);
        }
        for (account, id, key) in &self.fixed {
            owners.insert(id.clone(), account.clone());
            let keys = counting.entry(account.clone()).or_default();
            keys.insert(id.clone(), Arc::clone(key));
        }
        self.counting = counting;
        self.owners = Arc::new(owners);
    }
}

/// Whether two maps hold the very same records.
fn same<T>(one: &BTreeMap<String, Arc<T>>, other: &BTreeMap<String, Arc<T>>) -> bool {
    let pairs = one.values().zip(other.values());
    one.len() == other.len()
        && pairs
            .into_iter()
            .all(|(one, other)| Arc::ptr_eq(one, other))
}
