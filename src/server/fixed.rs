//! What the configuration file has that the API shows beside its own: distributions as records, and
//! whose public keys there are.

use std::time::{SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};

use crate::api::error::NEWEST;
use crate::config::Settings;
use crate::distribution::host::HostPattern;
use crate::distribution::record::{Head, StreamingRecord, Tags};
use crate::distribution::streaming::PriceClass;
use crate::distribution::{AccountId, Distribution, Kind, StreamingConfig};
use crate::registry::{Fixed, FixedKeys};

/// What an ETag is made of, and how many behind its `E`.
const LETTERS: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const ETAG_LETTERS: usize = 13;

/// What the registry shows of the settings.
pub(super) fn fixed(settings: &Settings) -> Fixed {
    let mut keys = FixedKeys::new();
    for (account, id, _) in settings.access.keys() {
        keys.entry(account).or_default().insert(id);
    }
    Fixed {
        distributions: fixed_records(settings),
        keys,
    }
}

/// Records of the streaming distributions among the settings, which nobody can change. They are as
/// old as the process; their ETags change when their entries do.
fn fixed_records(settings: &Settings) -> Vec<StreamingRecord> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |now| i64::try_from(now.as_millis()).unwrap_or(i64::MAX));
    let all = settings.distributions.iter();
    let streaming = all.filter(|it| it.kind == Kind::Streaming);
    streaming.map(|it| record(settings, it, now)).collect()
}

fn record(settings: &Settings, distribution: &Distribution, now: i64) -> StreamingRecord {
    let aliases = distribution.aliases.iter();
    let named = aliases.filter(|alias| **alias != HostPattern::Any);
    StreamingRecord {
        head: Head {
            id: distribution.id.clone(),
            account: AccountId::operator(),
            etag: etag(distribution),
            former: Vec::new(),
            created: now,
            modified: now,
        },
        domain_name: distribution.domain_name.clone(),
        config: StreamingConfig {
            caller_reference: distribution.id.clone(),
            origin_domain: settings.domain_of(&distribution.origin),
            // The credentials stand in the file too, and are no identity.
            origin_access_identity: None,
            aliases: named.cloned().collect(),
            comment: String::new(),
            logging: distribution.logging.clone(),
            trusted_signers: distribution.trusted_signers.clone(),
            price_class: PriceClass::All,
            enabled: distribution.enabled,
        },
        tags: Tags::new(),
        written_by: NEWEST.to_owned(),
        read_only: true,
    }
}

/// `E` and letters that stand for all that the entry says.
fn etag(it: &Distribution) -> String {
    let aliases: Vec<String> = it.aliases.iter().map(ToString::to_string).collect();
    let signers = it.trusted_signers.iter();
    let signers = signers.map(|signer| signer.account(&AccountId::operator()).to_string());
    let text = [
        it.id.clone(),
        it.domain_name.clone(),
        aliases.join(","),
        it.enabled.to_string(),
        it.origin.identity(),
        it.apps.join(","),
        it.max_connections.map_or(0, u32::from).to_string(),
        it.max_rate.map_or(0, u64::from).to_string(),
        it.encrypted.to_string(),
        it.ttl.map_or(0, |ttl| ttl.as_millis()).to_string(),
        signers.collect::<Vec<_>>().join(","),
        it.logging
            .as_ref()
            .map_or_else(String::new, |to| format!("{}/{}", to.bucket, to.prefix)),
    ];
    let digest = Sha256::digest(text.join("\n").as_bytes());
    let letter = |byte: &u8| LETTERS.get(usize::from(*byte) % LETTERS.len());
    let letters = digest.iter().filter_map(letter).take(ETAG_LETTERS);
    let letters = letters.map(|letter| char::from(*letter));
    std::iter::once('E').chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Overrides;

    #[test]
    fn an_etag_is_that_of_the_entry() {
        let settings = |bucket: &str| {
            let overrides = Overrides {
                bucket: Some(bucket.into()),
                ..Overrides::default()
            };
            Settings::load(None, overrides).unwrap()
        };
        let record = |bucket: &str| fixed_records(&settings(bucket)).pop().unwrap();
        let (one, other) = (record("s3://media"), record("s3://other"));
        assert_eq!(one.head.etag.len(), 1 + ETAG_LETTERS);
        assert_eq!(one.head.etag, record("s3://media").head.etag);
        assert_ne!(one.head.etag, other.head.etag);
        assert_eq!(one.config.origin_domain, "media.s3.amazonaws.com");
        assert!(one.read_only && one.config.aliases.is_empty() && one.config.enabled);
    }
}
