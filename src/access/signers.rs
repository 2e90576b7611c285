//! The keys that count for a distribution.

use std::collections::HashMap;
use std::sync::Arc;

use super::Refusal;
use super::key::SignerKey;
use crate::distribution::AccountId;

/// Keys by id.
pub type ById = HashMap<String, Arc<SignerKey>>;

/// Whose a key is, by its id.
pub type Owners = HashMap<String, AccountId>;

/// The keys that count for a distribution, and who has others.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SignerKeys {
    /// Those that count.
    pub trusted: ById,
    /// All that there are.
    pub owners: Arc<Owners>,
    /// Whether only the plain forms of a name may have been signed; see [`super::asked`].
    pub strict: bool,
}

impl SignerKeys {
    /// The key with this id.
    ///
    /// # Errors
    /// There is none, or it does not count here.
    pub fn find(&self, id: &str) -> Result<&Arc<SignerKey>, Refusal> {
        if let Some(key) = self.trusted.get(id) {
            return Ok(key);
        }
        Err(match self.owners.get(id) {
            None => Refusal::UnknownKey(id.to_owned()),
            Some(account) => Refusal::UntrustedKey {
                id: id.to_owned(),
                account: account.clone(),
            },
        })
    }
}
