//! `[[distribution]]`: a distribution as the file describes it.

use std::num::{NonZeroU32, NonZeroU64};
use std::time::Duration;

use serde::Deserialize;

use super::Settings;
use super::quantity::{de_some_duration, de_some_size};
use crate::distribution::account::BadAccount;
use crate::distribution::host::HostPattern;
use crate::distribution::streaming::Logging;
use crate::distribution::{
    Access, DEFAULT_TTL, Distribution, DistributionError, Kind, OriginSpec, Signer,
};

/// One `[[distribution]]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    id: String,
    bucket: String,
    #[serde(default)]
    hosts: Vec<String>,
    #[serde(default)]
    kind: EntryKind,
    #[serde(default = "yes")]
    enabled: bool,
    endpoint: Option<String>,
    region: Option<String>,
    anonymous: Option<bool>,
    apps: Option<Vec<String>>,
    max_connections: Option<u32>,
    #[serde(default, deserialize_with = "de_some_size")]
    max_rate: Option<u64>,
    encrypted: Option<bool>,
    #[serde(default, deserialize_with = "de_some_duration")]
    ttl: Option<Duration>,
    #[serde(default)]
    trusted_signers: Vec<String>,
    log_bucket: Option<String>,
    #[serde(default)]
    log_prefix: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum EntryKind {
    #[default]
    Streaming,
    Download,
}

fn yes() -> bool {
    true
}

impl Entry {
    /// The cap on a viewer's rate that it sets itself.
    pub(super) fn max_rate(&self) -> Option<u64> {
        self.max_rate
    }

    /// As a distribution; what the entry leaves open is taken from `settings`.
    pub(super) fn resolve(&self, settings: &Settings) -> Result<Distribution, DistributionError> {
        let shared = &settings.origin;
        let origin = origin(
            &self.bucket,
            self.endpoint.as_ref().or(shared.endpoint.as_ref()),
            self.region.as_ref().or(shared.region.as_ref()),
            self.anonymous.unwrap_or(shared.anonymous),
        )?;
        let domain_name = format!(
            "{}.{}",
            self.id.to_ascii_lowercase(),
            settings.domain_suffix
        );
        let logging = self.log_bucket.as_ref().map(|bucket| Logging {
            bucket: bucket.clone(),
            prefix: self.log_prefix.clone(),
        });
        if let Some(logging) = &logging {
            let valid = logging.validate(settings.bucket_suffixes());
            valid.map_err(|fault| DistributionError::Logging(fault.to_string()))?;
        }
        let aliases = self.hosts.iter().map(|host| HostPattern::parse(host));
        Ok(Distribution {
            kind: match self.kind {
                EntryKind::Streaming => Kind::Streaming,
                EntryKind::Download => Kind::Download,
            },
            aliases: aliases.collect::<Result<_, _>>()?,
            enabled: self.enabled,
            apps: self.apps.clone().unwrap_or_else(|| settings.apps.clone()),
            max_connections: NonZeroU32::new(
                self.max_connections
                    .unwrap_or(settings.limits.max_connections_per_distribution),
            ),
            max_rate: NonZeroU64::new(self.max_rate.unwrap_or(settings.limits.max_rate)),
            encrypted: self.encrypted.unwrap_or(settings.rtmp.encrypted),
            ttl: Some(self.ttl.unwrap_or(DEFAULT_TTL)),
            domain_name,
            trusted_signers: signers(&self.trusted_signers)?,
            logging,
            ..Distribution::new(&self.id, origin)
        })
    }
}

fn signers(texts: &[String]) -> Result<Vec<Signer>, DistributionError> {
    let signers = texts.iter().map(|text| Signer::parse(text));
    let signers = signers.collect::<Result<_, _>>();
    signers.map_err(|BadAccount(text)| DistributionError::Signer(text))
}

/// The distribution of `bucket = ...` and of `--bucket`: any host.
pub(super) fn default_distribution(
    bucket: &str,
    settings: &Settings,
) -> Result<Distribution, DistributionError> {
    let shared = &settings.origin;
    let origin = origin(
        bucket,
        shared.endpoint.as_ref(),
        shared.region.as_ref(),
        shared.anonymous,
    )?;
    let limits = &settings.limits;
    let default = Distribution::default_for(origin);
    Ok(Distribution {
        domain_name: format!("{}.{}", default.id, settings.domain_suffix),
        apps: settings.apps.clone(),
        max_connections: NonZeroU32::new(limits.max_connections_per_distribution),
        max_rate: NonZeroU64::new(limits.max_rate),
        encrypted: settings.rtmp.encrypted,
        ttl: settings.cache.ttl,
        ..default
    })
}

fn origin(
    bucket: &str,
    endpoint: Option<&String>,
    region: Option<&String>,
    anonymous: bool,
) -> Result<OriginSpec, DistributionError> {
    let mut spec = OriginSpec::parse(bucket)?;
    if let OriginSpec::S3(bucket) = &mut spec {
        if let Some(endpoint) = endpoint {
            bucket.set_endpoint(endpoint)?;
        }
        bucket.region = region.cloned();
        bucket.access = if anonymous {
            Access::Anonymous
        } else {
            Access::Chain
        };
    }
    Ok(spec)
}
