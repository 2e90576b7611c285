//! `[access]` and `[[signer]]`: how signed names are verified, and the keys of the configuration
//! file.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;

use super::ConfigError;
use super::error::Source;
use crate::access::SignerKey;
use crate::distribution::AccountId;

/// How signed names are verified.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Access {
    /// Whether only the plain forms of a name may have been signed; see [`crate::access::asked`].
    pub strict: bool,
    /// The keys of `[[signer]]`.
    #[serde(skip)]
    keys: Vec<(AccountId, String, Arc<SignerKey>)>,
}

/// One `[[signer]]`: a public key.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SignerEntry {
    account: Option<AccountId>,
    id: String,
    public_key: PathBuf,
}

impl Access {
    /// The keys of the file: whose each is, its id, the key.
    pub fn keys(&self) -> impl Iterator<Item = (AccountId, String, Arc<SignerKey>)> {
        self.keys.iter().cloned()
    }

    /// Reads the keys.
    pub(super) fn resolve(
        &mut self,
        entries: &[SignerEntry],
        source: &Source,
    ) -> Result<(), ConfigError> {
        for (index, entry) in entries.iter().enumerate() {
            let wrong = |cause: String| source.wrong_entry("signer", index, &cause);
            let id = &entry.id;
            if self.keys.iter().any(|(_, known, _)| known == id) {
                return Err(wrong(format!("there are two keys with the id {id}")));
            }
            let file = entry.public_key.display();
            let text = fs::read_to_string(&entry.public_key)
                .map_err(|error| wrong(format!("cannot read {file}: {error}")))?;
            let key = SignerKey::parse(&text)
                .map_err(|error| wrong(format!("{file} is no public key: {error}")))?;
            let account = entry.account.clone().unwrap_or_else(AccountId::operator);
            self.keys.push((account, id.clone(), Arc::new(key)));
        }
        Ok(())
    }
}
