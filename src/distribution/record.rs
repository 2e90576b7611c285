//! What is kept of a distribution and its neighbours: origin access identities, public keys, key
//! groups. Each is one record of the store.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::account::AccountId;
use super::streaming::StreamingConfig;

/// The tag that says whether players may connect to a distribution by RTMPE: `on` or `off`. The
/// documents of CloudFront have no place for it.
pub const ENCRYPTION_TAG: &str = "streamfront:rtmpe";

/// Tags of a resource: key -> value.
pub type Tags = BTreeMap<String, String>;

/// What every record has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Its id: unique among the records of its kind, and never given twice.
    pub id: String,
    /// Whose it is.
    pub account: AccountId,
    /// The name of this version of it, which changes with each update; an ETag without quotes.
    pub etag: String,
    /// Names of earlier versions, the newest last, [`FORMER_MAX`] at the most: they tell an old
    /// version from one that never was.
    pub former: Vec<String>,
    /// When it was made, milliseconds since 1970.
    pub created: i64,
    /// When it was changed last, milliseconds since 1970.
    pub modified: i64,
}

/// Earlier ETags that are remembered of each record.
pub const FORMER_MAX: usize = 100;

/// A streaming distribution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamingRecord {
    /// Id, owner, version. A tag that comes or goes is no new version.
    pub head: Head,
    /// Its own name, lowercase. Never changes, and is never given twice.
    pub domain_name: String,
    /// What its owner configured.
    pub config: StreamingConfig,
    /// Tags.
    pub tags: Tags,
    /// The version of the API that wrote it last, `2020-05-31`.
    pub written_by: String,
    /// Whether it stands in the configuration file, where alone it can be changed. Such a record is
    /// not in the store.
    #[serde(skip)]
    pub read_only: bool,
}

/// An origin access identity: what a bucket is read as.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityRecord {
    /// Id, owner, version.
    pub head: Head,
    /// What S3 calls it: 64 hexadecimal digits.
    pub canonical_user_id: String,
    /// Its settings.
    pub config: IdentityConfig,
}

/// Settings of an origin access identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityConfig {
    /// As with a distribution. Never changes.
    pub caller_reference: String,
    /// What its owner wants to remember.
    pub comment: String,
}

/// A public key, whose id serves as Key-Pair-Id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicKeyRecord {
    /// Id, owner, version.
    pub head: Head,
    /// Its settings.
    pub config: PublicKeyConfig,
}

/// Settings of a public key. Only the comment may change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicKeyConfig {
    /// As with a distribution.
    pub caller_reference: String,
    /// Its name, unique in its account.
    pub name: String,
    /// The key, PEM (`BEGIN PUBLIC KEY`), as given.
    pub encoded_key: String,
    /// What its owner wants to remember.
    pub comment: String,
}

/// Public keys under one name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyGroupRecord {
    /// Id, owner, version.
    pub head: Head,
    /// Its settings.
    pub config: KeyGroupConfig,
}

/// Settings of a key group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyGroupConfig {
    /// Its name, unique in its account.
    pub name: String,
    /// Ids of public keys of the same account.
    pub keys: Vec<String>,
    /// What its owner wants to remember.
    pub comment: String,
}
