//! The changes that can be asked for, each with its rule.

use std::sync::Arc;

use super::{Author, Registry, RegistryError, Repeat};
use super::{identity, key_group, public_key, streaming, tagging};
use crate::distribution::StreamingConfig;
use crate::distribution::record::{
    IdentityConfig, IdentityRecord, KeyGroupConfig, KeyGroupRecord, PublicKeyConfig,
    PublicKeyRecord, StreamingRecord, Tags,
};

impl Registry {
    /// Makes a distribution.
    ///
    /// # Errors
    /// See [`RegistryError`].
    pub async fn create_streaming(
        &self,
        author: &Author,
        config: StreamingConfig,
        tags: Tags,
        repeat: Repeat,
    ) -> Result<Arc<StreamingRecord>, RegistryError> {
        let author = author.clone();
        self.change(move |draft| streaming::create(draft, &author, config, tags, repeat))
            .await
    }

    /// Gives a distribution other settings, all of them.
    ///
    /// # Errors
    /// See [`RegistryError`].
    pub async fn update_streaming(
        &self,
        author: &Author,
        id: &str,
        if_match: Option<&str>,
        config: StreamingConfig,
    ) -> Result<Arc<StreamingRecord>, RegistryError> {
        let (author, id) = (author.clone(), id.to_owned());
        let if_match = if_match.map(str::to_owned);
        self.change(move |draft| {
            streaming::update(draft, &author, &id, if_match.as_deref(), config)
        })
        .await
    }

    /// Deletes a distribution that is disabled, and nowhere served any more.
    ///
    /// # Errors
    /// See [`RegistryError`].
    pub async fn delete_streaming(
        &self,
        author: &Author,
        id: &str,
        if_match: Option<&str>,
    ) -> Result<(), RegistryError> {
        let (author, id) = (author.clone(), id.to_owned());
        let if_match = if_match.map(str::to_owned);
        self.change(move |draft| streaming::delete(draft, &author, &id, if_match.as_deref()))
            .await
    }

    /// Adds tags to a streaming distribution, or gives them other values.
    ///
    /// # Errors
    /// See [`RegistryError`].
    pub async fn tag(&self, author: &Author, arn: &str, tags: Tags) -> Result<(), RegistryError> {
        let (author, arn) = (author.clone(), arn.to_owned());
        self.change(move |draft| tagging::tag(draft, &author, &arn, tags))
            .await
    }

    /// Takes tags away; keys that are not there do not matter.
    ///
    /// # Errors
    /// See [`RegistryError`].
    pub async fn untag(
        &self,
        author: &Author,
        arn: &str,
        keys: Vec<String>,
    ) -> Result<(), RegistryError> {
        let (author, arn) = (author.clone(), arn.to_owned());
        self.change(move |draft| tagging::untag(draft, &author, &arn, &keys))
            .await
    }

    /// Makes an origin access identity.
    ///
    /// # Errors
    /// See [`RegistryError`].
    pub async fn create_identity(
        &self,
        author: &Author,
        config: IdentityConfig,
        repeat: Repeat,
    ) -> Result<Arc<IdentityRecord>, RegistryError> {
        let author = author.clone();
        self.change(move |draft| identity::create(draft, &author, config, repeat))
            .await
    }

    /// Gives an origin access identity other settings, as far as they may change.
    ///
    /// # Errors
    /// See [`RegistryError`].
    pub async fn update_identity(
        &self,
        author: &Author,
        id: &str,
        if_match: Option<&str>,
        config: IdentityConfig,
    ) -> Result<Arc<IdentityRecord>, RegistryError> {
        let (author, id) = (author.clone(), id.to_owned());
        let if_match = if_match.map(str::to_owned);
        self.change(move |draft| identity::update(draft, &author, &id, if_match.as_deref(), config))
            .await
    }

    /// Deletes an origin access identity that nothing refers to.
    ///
    /// # Errors
    /// See [`RegistryError`].
    pub async fn delete_identity(
        &self,
        author: &Author,
        id: &str,
        if_match: Option<&str>,
    ) -> Result<(), RegistryError> {
        let (author, id) = (author.clone(), id.to_owned());
        let if_match = if_match.map(str::to_owned);
        self.change(move |draft| identity::delete(draft, &author, &id, if_match.as_deref()))
            .await
    }

    /// Makes a public key.
    ///
    /// # Errors
    /// See [`RegistryError`].
    pub async fn create_public_key(
        &self,
        author: &Author,
        config: PublicKeyConfig,
    ) -> Result<Arc<PublicKeyRecord>, RegistryError> {
        let author = author.clone();
        self.change(move |draft| public_key::create(draft, &author, config))
            .await
    }

    /// Gives a public key other settings, as far as they may change.
    ///
    /// # Errors
    /// See [`RegistryError`].
    pub async fn update_public_key(
        &self,
        author: &Author,
        id: &str,
        if_match: Option<&str>,
        config: PublicKeyConfig,
    ) -> Result<Arc<PublicKeyRecord>, RegistryError> {
        let (author, id) = (author.clone(), id.to_owned());
        let if_match = if_match.map(str::to_owned);
        self.change(move |draft| {
            public_key::update(draft, &author, &id, if_match.as_deref(), config)
        })
        .await
    }

    /// Deletes a public key that nothing refers to.
    ///
    /// # Errors
    /// See [`RegistryError`].
    pub async fn delete_public_key(
        &self,
        author: &Author,
        id: &str,
        if_match: Option<&str>,
    ) -> Result<(), RegistryError> {
        let (author, id) = (author.clone(), id.to_owned());
        let if_match = if_match.map(str::to_owned);
        self.change(move |draft| public_key::delete(draft, &author, &id, if_match.as_deref()))
            .await
    }

    /// Makes a key group.
    ///
    /// # Errors
    /// See [`RegistryError`].
    pub async fn create_key_group(
        &self,
        author: &Author,
        config: KeyGroupConfig,
    ) -> Result<Arc<KeyGroupRecord>, RegistryError> {
        let author = author.clone();
        self.change(move |draft| key_group::create(draft, &author, config))
            .await
    }

    /// Gives a key group other settings, as far as they may change.
    ///
    /// # Errors
    /// See [`RegistryError`].
    pub async fn update_key_group(
        &self,
        author: &Author,
        id: &str,
        if_match: Option<&str>,
        config: KeyGroupConfig,
    ) -> Result<Arc<KeyGroupRecord>, RegistryError> {
        let (author, id) = (author.clone(), id.to_owned());
        let if_match = if_match.map(str::to_owned);
        self.change(move |draft| {
            key_group::update(draft, &author, &id, if_match.as_deref(), config)
        })
        .await
    }

    /// Deletes a key group that nothing refers to.
    ///
    /// # Errors
    /// See [`RegistryError`].
    pub async fn delete_key_group(
        &self,
        author: &Author,
        id: &str,
        if_match: Option<&str>,
    ) -> Result<(), RegistryError> {
        let (author, id) = (author.clone(), id.to_owned());
        let if_match = if_match.map(str::to_owned);
        self.change(move |draft| key_group::delete(draft, &author, &id, if_match.as_deref()))
            .await
    }
}
