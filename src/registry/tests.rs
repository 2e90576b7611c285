use std::collections::{BTreeSet, HashSet};

use futures_util::future::join_all;
use proptest::prelude::*;

mod invariants;
mod neighbours;
mod streaming;
mod writing;

use super::*;
use crate::distribution::StreamingConfig;
use crate::distribution::host::HostPattern;
use crate::distribution::record::{
    FORMER_MAX, Head, IdentityConfig, IdentityRecord, KeyGroupConfig, PublicKeyConfig,
    PublicKeyRecord, Tags,
};
use crate::distribution::streaming::{ConfigFault, PriceClass, Signer};
use crate::store::memory::Memory;
use crate::store::{Kind, Record};

const NEW: &str = "2020-05-31";
const OLD: &str = "2010-11-01";

fn account(n: u8) -> AccountId {
    AccountId::parse(&format!("{n:012}")).unwrap()
}

/// Somebody of account `n` with a new version of the API.
fn author(n: u8) -> Author {
    Author {
        account: account(n),
        version: NEW.into(),
    }
}

fn config(reference: &str) -> StreamingConfig {
    StreamingConfig {
        caller_reference: reference.into(),
        origin_domain: "media.s3.amazonaws.com".into(),
        origin_access_identity: None,
        aliases: vec![],
        comment: String::new(),
        logging: None,
        trusted_signers: vec![],
        price_class: PriceClass::All,
        enabled: true,
    }
}

fn alias(name: &str) -> HostPattern {
    HostPattern::parse(name).unwrap()
}

fn named(reference: &str, name: &str) -> StreamingConfig {
    StreamingConfig {
        aliases: vec![alias(name)],
        ..config(reference)
    }
}

fn disabled(reference: &str) -> StreamingConfig {
    StreamingConfig {
        enabled: false,
        ..config(reference)
    }
}

fn tags(pairs: &[(&str, &str)]) -> Tags {
    let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    pairs.iter().map(own).collect()
}

async fn open(store: &Arc<Memory>, rules: Rules) -> Registry {
    Registry::open(store.clone(), Fixed::default(), rules)
        .await
        .unwrap()
}

async fn fresh() -> Registry {
    open(&Arc::default(), Rules::default()).await
}

impl Registry {
    async fn make(&self, n: u8, config: StreamingConfig) -> Arc<StreamingRecord> {
        self.try_make(n, config).await.unwrap()
    }

    async fn try_make(
        &self,
        n: u8,
        config: StreamingConfig,
    ) -> Result<Arc<StreamingRecord>, RegistryError> {
        self.create_streaming(&author(n), config, Tags::new(), Repeat::Refused)
            .await
    }

    async fn remove(&self, n: u8, record: &StreamingRecord) -> Result<(), RegistryError> {
        self.deployed(&record.head.id, &record.head.etag);
        self.delete_streaming(&author(n), &record.head.id, Some(&record.head.etag))
            .await
    }

    async fn identity(&self, n: u8, reference: &str) -> Arc<IdentityRecord> {
        let config = IdentityConfig {
            caller_reference: reference.into(),
            comment: String::new(),
        };
        self.create_identity(&author(n), config, Repeat::Refused)
            .await
            .unwrap()
    }

    async fn key(&self, n: u8, name: &str) -> Result<Arc<PublicKeyRecord>, RegistryError> {
        self.create_public_key(&author(n), key_config(name, name))
            .await
    }
}

fn key_config(reference: &str, name: &str) -> PublicKeyConfig {
    PublicKeyConfig {
        caller_reference: reference.into(),
        name: name.into(),
        encoded_key: crate::access::key::tests::RSA_KEY.into(),
        comment: String::new(),
    }
}

fn group(name: &str, keys: &[&str]) -> KeyGroupConfig {
    KeyGroupConfig {
        name: name.into(),
        keys: keys.iter().map(|key| (*key).to_owned()).collect(),
        comment: String::new(),
    }
}
