//! What there is: streaming distributions, origin access identities, public keys, key groups and
//! tags, and the rules by which they change.
//!
//! Everything is in memory ([`State`], which readers get as it is at one moment) and in the store.
//! One task makes all changes, in the order in which they come: it works on a copy of the state,
//! writes what changed as one batch (however many requests waited), and shows the copy when the
//! store has it. So what was answered is on the disk, and nobody sees what is not.
//!
//! Whether this edge serves the newest version of a distribution is told by whoever deploys it
//! ([`Registry::deployed`]), and is not kept: after a start it deploys everything anew.

mod error;
mod state;

use std::sync::Arc;

pub use error::RegistryError;
pub use state::{Page, State, Status};

use crate::distribution::record::{
    IdentityConfig, IdentityRecord, KeyGroupConfig, KeyGroupRecord, PublicKeyConfig,
    PublicKeyRecord, StreamingRecord, Tags,
};
use crate::distribution::{AccountId, StreamingConfig};

/// What a second create with a known caller reference means: it differs between versions of the API
/// (cloudfront.md, section 5.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// The same settings: what is there is answered; other settings: an error.
    Answered,
    /// An error.
    Refused,
}

/// Who changes something, and in which version of the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    /// Whose account.
    pub account: AccountId,
    /// The version, `2020-05-31`.
    pub version: String,
}

/// All that there is, and how it changes. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Registry {
    // Skeleton: the helper who builds the registry replaces this.
    _state: Arc<State>,
}

#[allow(
    clippy::todo,
    unused_variables,
    missing_docs,
    clippy::missing_errors_doc
)]
impl Registry {
    /// What there is now.
    pub fn state(&self) -> Arc<State> {
        todo!()
    }

    /// Told of each new state. Whoever deploys waits here.
    pub fn watch(&self) -> tokio::sync::watch::Receiver<Arc<State>> {
        todo!()
    }

    /// This edge serves distribution `id` as it was in version `etag`: the status becomes Deployed
    /// if that is still the newest.
    pub fn deployed(&self, id: &str, etag: &str) {
        todo!()
    }

    pub async fn create_streaming(
        &self,
        author: &Author,
        config: StreamingConfig,
        tags: Tags,
        repeat: Repeat,
    ) -> Result<Arc<StreamingRecord>, RegistryError> {
        todo!()
    }

    pub async fn update_streaming(
        &self,
        author: &Author,
        id: &str,
        if_match: Option<&str>,
        config: StreamingConfig,
    ) -> Result<Arc<StreamingRecord>, RegistryError> {
        todo!()
    }

    pub async fn delete_streaming(
        &self,
        author: &Author,
        id: &str,
        if_match: Option<&str>,
    ) -> Result<(), RegistryError> {
        todo!()
    }

    /// Adds tags to a streaming distribution, or gives them other values.
    pub async fn tag(&self, author: &Author, arn: &str, tags: Tags) -> Result<(), RegistryError> {
        todo!()
    }

    pub async fn untag(
        &self,
        author: &Author,
        arn: &str,
        keys: Vec<String>,
    ) -> Result<(), RegistryError> {
        todo!()
    }

    pub async fn create_identity(
        &self,
        author: &Author,
        config: IdentityConfig,
        repeat: Repeat,
    ) -> Result<Arc<IdentityRecord>, RegistryError> {
        todo!()
    }

    pub async fn update_identity(
        &self,
        author: &Author,
        id: &str,
        if_match: Option<&str>,
        config: IdentityConfig,
    ) -> Result<Arc<IdentityRecord>, RegistryError> {
        todo!()
    }

    pub async fn delete_identity(
        &self,
        author: &Author,
        id: &str,
        if_match: Option<&str>,
    ) -> Result<(), RegistryError> {
        todo!()
    }

    pub async fn create_public_key(
        &self,
        author: &Author,
        config: PublicKeyConfig,
    ) -> Result<Arc<PublicKeyRecord>, RegistryError> {
        todo!()
    }

    pub async fn update_public_key(
        &self,
        author: &Author,
        id: &str,
        if_match: Option<&str>,
        config: PublicKeyConfig,
    ) -> Result<Arc<PublicKeyRecord>, RegistryError> {
        todo!()
    }

    pub async fn delete_public_key(
        &self,
        author: &Author,
        id: &str,
        if_match: Option<&str>,
    ) -> Result<(), RegistryError> {
        todo!()
    }

    pub async fn create_key_group(
        &self,
        author: &Author,
        config: KeyGroupConfig,
    ) -> Result<Arc<KeyGroupRecord>, RegistryError> {
        todo!()
    }

    pub async fn update_key_group(
        &self,
        author: &Author,
        id: &str,
        if_match: Option<&str>,
        config: KeyGroupConfig,
    ) -> Result<Arc<KeyGroupRecord>, RegistryError> {
        todo!()
    }

    pub async fn delete_key_group(
        &self,
        author: &Author,
        id: &str,
        if_match: Option<&str>,
    ) -> Result<(), RegistryError> {
        todo!()
    }
}

/// `arn:aws:cloudfront::ACCOUNT:streaming-distribution/ID`.
pub fn arn(record: &StreamingRecord) -> String {
    let head = &record.head;
    format!(
        "arn:aws:cloudfront::{}:streaming-distribution/{}",
        head.account, head.id
    )
}
