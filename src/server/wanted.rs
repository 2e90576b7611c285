//! What is to be served: distributions of the configuration file, and records of the registry, in
//! one form.

use std::num::NonZeroU64;
use std::sync::Arc;

use super::keyring::Keyring;
use crate::catalog::{Freshness, Policy};
use crate::config::Settings;
use crate::delivery::served::Terms;
use crate::distribution::host::HostPattern;
use crate::distribution::record::{ENCRYPTION_TAG, StreamingRecord};
use crate::distribution::streaming::Logging;
use crate::distribution::{AccountId, DEFAULT_TTL, Distribution, Kind, OriginSpec, Signer};
use crate::net::seats::Room;
use crate::origin::Origin;

/// A distribution as it is to be served.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) id: String,
    /// Every name that it answers to, its own among them.
    pub(super) names: Arc<[HostPattern]>,
    pub(super) origin: OriginSpec,
    pub(super) policy: Policy,
    kind: Kind,
    enabled: bool,
    /// The accounts whose keys may sign names; none: no name need be signed.
    pub(super) signers: Vec<AccountId>,
    apps: Arc<[String]>,
    max_rate: Option<NonZeroU64>,
    pub(super) encrypted: bool,
    max_connections: u64,
    logging: Option<Arc<Logging>>,
}

impl Wanted {
    /// One of the configuration file.
    pub(super) fn of_distribution(settings: &Settings, distribution: &Distribution) -> Self {
        let own = HostPattern::Exact(distribution.domain_name.clone());
        let ttl = distribution.ttl;
        let freshness = ttl.map_or(Freshness::EachPlay, Freshness::TimeToLive);
        let most = distribution.max_connections;
        Self {
            id: distribution.id.clone(),
            names: distribution.aliases.iter().cloned().chain([own]).collect(),
            policy: policy(settings, freshness, &distribution.origin),
            origin: distribution.origin.clone(),
            kind: distribution.kind,
            enabled: distribution.enabled,
            signers: accounts(&distribution.trusted_signers, &AccountId::operator()),
            apps: distribution.apps.clone().into(),
            max_rate: distribution.max_rate,
            encrypted: distribution.encrypted,
            max_connections: most.map_or(u64::MAX, |most| u64::from(most.get())),
            logging: distribution.logging.clone().map(Arc::new),
        }
    }

    /// One of the registry; what a record does not say is taken from the settings. `None` where its
    /// origin names no bucket: a server was taken out of the configuration.
    pub(super) fn of_record(settings: &Settings, record: &StreamingRecord) -> Option<Self> {
        let config = &record.config;
        let identity = config.origin_access_identity.as_deref();
        let origin = settings.origin_of(&config.origin_domain, identity)?;
        let own = HostPattern::Exact(record.domain_name.clone());
        let limits = &settings.limits;
        Some(Self {
            id: record.head.id.clone(),
            names: config.aliases.iter().cloned().chain([own]).collect(),
            policy: policy(settings, Freshness::TimeToLive(DEFAULT_TTL), &origin),
            origin,
            kind: Kind::Streaming,
            enabled: config.enabled,
            signers: accounts(&config.trusted_signers, &record.head.account),
            apps: settings.apps.clone().into(),
            max_rate: NonZeroU64::new(limits.max_rate),
            encrypted: may_encrypt(settings, record),
            max_connections: match limits.max_connections_per_distribution {
                0 => u64::MAX,
                most => u64::from(most),
            },
            logging: config.logging.clone().map(Arc::new),
        })
    }

    /// On what terms, from that origin and with those keys.
    pub(super) fn terms(&self, origin: Arc<dyn Origin>, keyring: &Keyring) -> Terms {
        Terms {
            kind: self.kind,
            enabled: self.enabled,
            signers: keyring.keys(&self.signers),
            apps: Arc::clone(&self.apps),
            origin,
            max_rate: self.max_rate,
            encrypted: self.encrypted,
            logging: self.logging.clone(),
        }
    }

    /// An empty room for its connections.
    pub(super) fn room(&self) -> Arc<Room> {
        Room::new(self.max_connections)
    }
}

/// Whether players may connect to it by RTMPE.
pub(super) fn may_encrypt(settings: &Settings, record: &StreamingRecord) -> bool {
    match record.tags.get(ENCRYPTION_TAG).map(String::as_str) {
        Some("on") => true,
        Some("off") => false,
        _ => settings.rtmp.encrypted,
    }
}

fn accounts(signers: &[Signer], owner: &AccountId) -> Vec<AccountId> {
    let accounts = signers.iter().map(|signer| signer.account(owner).clone());
    accounts.collect()
}

fn policy(settings: &Settings, freshness: Freshness, origin: &OriginSpec) -> Policy {
    Policy::new(freshness, settings.cache.negative_ttl, &origin.identity())
}
