//! The registry of this server: its store, what the settings add to its rules, and who follows it.

use std::sync::Arc;
use std::time::Instant;

use tokio_util::task::AbortOnDropHandle;

use super::deploy::Deploy;
use super::fixed::fixed;
use crate::config::Settings;
use crate::distribution::host::HostPattern;
use crate::registry::{Quotas, Registry, Rules};
use crate::store::StoreError;
use crate::store::embedded::Embedded;

/// Opens the registry in the data directory, with what the configuration file has beside what is
/// stored. `None` where nothing is stored and there is no access key to change that.
pub(super) async fn open(settings: &Settings) -> Result<Option<Registry>, StoreError> {
    if !settings.has_api() && !settings.has_store() {
        return Ok(None);
    }
    let store = Embedded::open(&settings.data_dir)?;
    let registry = Registry::open(Arc::new(store), fixed(settings), rules(settings));
    registry.await.map(Some)
}

/// What the settings add to the rules.
fn rules(settings: &Settings) -> Rules {
    let named = settings.distributions.iter().flat_map(|distribution| {
        let own = HostPattern::Exact(distribution.domain_name.clone());
        distribution.aliases.iter().cloned().chain([own])
    });
    let signers = settings.access.keys().map(|(account, ..)| account);
    Rules {
        accounts: settings.api.accounts().chain(signers).collect(),
        suffixes: settings.bucket_suffixes().map(str::to_owned).collect(),
        domain_suffix: settings.domain_suffix.clone(),
        taken: named.collect(),
        quotas: Quotas::default(),
    }
}

/// Deploys what the registry has, and goes on with what comes. Ends when the handle is dropped.
pub(super) async fn follow(mut deploy: Deploy, registry: &Registry) -> AbortOnDropHandle<()> {
    let state = registry.state();
    let fixed = state.streaming.values().filter(|record| record.read_only);
    fixed.for_each(|record| registry.deployed(&record.head.id, &record.head.etag));
    let teller = registry.clone();
    let told = move |id: &str, etag: &str| teller.deployed(id, etag);
    deploy.take(&state, Instant::now(), &told).await;
    AbortOnDropHandle::new(tokio::spawn(deploy.follow(registry.watch(), told)))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::config::Overrides;
    use crate::distribution::AccountId;

    #[test]
    fn whoever_has_a_key_is_an_account_that_others_may_trust() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"[[api.key]]\nid = 'A'\nsecret = 's'\naccount = '000000000001'\n")
            .unwrap();
        let settings = Settings::load(Some(file.path()), Overrides::default()).unwrap();
        let account = AccountId::parse("000000000001").unwrap();
        assert!(rules(&settings).accounts.contains(&account));
    }

    #[test]
    fn whoever_has_a_signer_in_the_file_is_one_too() {
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("key.pem");
        std::fs::write(&key, crate::access::key::tests::RSA_KEY).unwrap();
        let file = folder.path().join("streamfront.toml");
        let text = format!(
            "[[api.key]]\nid = 'A'\nsecret = 's'\n\
             [[signer]]\nid = 'K'\naccount = '000000000002'\npublic_key = '{}'\n",
            key.display()
        );
        std::fs::write(&file, text).unwrap();
        let settings = Settings::load(Some(&file), Overrides::default()).unwrap();
        let account = AccountId::parse("000000000002").unwrap();
        assert!(rules(&settings).accounts.contains(&account));
    }
}
