//! `[[s3]]`: the S3 servers that buckets of distributions are on, and as whom they are read.
//!
//! A distribution that was created by the API names its bucket by a domain name
//! ([`BucketDomain`]) and says at most which origin access identity reads it. Here that becomes a
//! server, a region and credentials (cloudfront.md, section 5.2).

use std::collections::HashSet;

use serde::Deserialize;

use super::Settings;
use super::api::{de_secret, de_some_secret};
use crate::api::Secret;
use crate::distribution::bucket::{BucketDomain, S3Server};
use crate::distribution::host::HostPattern;
use crate::distribution::{Access, DistributionError, Keys, OriginSpec, S3Bucket};

/// One `[[s3]]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S3 {
    /// A bucket of it is called `BUCKET.SUFFIX`. Lowercase.
    pub suffix: String,
    /// Its address.
    pub endpoint: String,
    /// Its region; none: as everywhere.
    pub region: Option<String>,
    /// The key for identities that have none of their own; none: as every AWS tool finds one.
    pub access_key_id: Option<String>,
    /// Its secret.
    #[serde(default, deserialize_with = "de_some_secret")]
    pub secret_access_key: Option<Secret>,
    /// Keys of single origin access identities.
    #[serde(default)]
    pub identity: Vec<Identity>,
}

/// One `[[s3.identity]]`: the key of an origin access identity.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// Id of the origin access identity.
    pub id: String,
    /// Its key.
    pub access_key_id: String,
    /// The secret of the key.
    #[serde(deserialize_with = "de_secret")]
    pub secret_access_key: Secret,
}

/// What is wrong with an `[[s3]]`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum S3Error {
    #[error("the suffix {0:?} is not a host name, such as s3.example.com")]
    Suffix(String),
    #[error("there are two S3 servers with the suffix {0}")]
    SuffixTwice(String),
    #[error(transparent)]
    Endpoint(DistributionError),
    #[error("access_key_id and secret_access_key are given together or not at all")]
    HalfAKey,
    #[error("the identity {0:?} is there twice")]
    IdentityTwice(String),
}

impl S3 {
    /// Whether it holds what its fields promise; the suffix becomes lowercase.
    fn check(&mut self) -> Result<(), S3Error> {
        match HostPattern::parse(&self.suffix) {
            Ok(HostPattern::Exact(suffix)) => self.suffix = suffix,
            _ => return Err(S3Error::Suffix(self.suffix.clone())),
        }
        self.bucket(String::new()).map_err(S3Error::Endpoint)?;
        if self.access_key_id.is_some() != self.secret_access_key.is_some() {
            return Err(S3Error::HalfAKey);
        }
        let mut ids = HashSet::new();
        match self.identity.iter().find(|it| !ids.insert(&it.id)) {
            Some(twice) => Err(S3Error::IdentityTwice(twice.id.clone())),
            None => Ok(()),
        }
    }

    fn bucket(&self, name: String) -> Result<S3Bucket, DistributionError> {
        let mut bucket = S3Bucket {
            name,
            prefix: String::new(),
            endpoint: None,
            region: self.region.clone(),
            amazon_region: None,
            access: Access::Anonymous,
        };
        bucket.set_endpoint(&self.endpoint)?;
        Ok(bucket)
    }

    /// As whom it is read for an identity.
    fn access(&self, identity: &str) -> Access {
        let keys = |holder: &str, id: &String, secret: &Secret| {
            Access::Keys(Keys {
                holder: holder.to_owned(),
                access_key_id: id.clone(),
                secret_access_key: secret.text().to_owned(),
            })
        };
        if let Some(own) = self.identity.iter().find(|it| it.id == identity) {
            return keys(identity, &own.access_key_id, &own.secret_access_key);
        }
        match (&self.access_key_id, &self.secret_access_key) {
            (Some(id), Some(secret)) => keys("", id, secret),
            _ => Access::Chain,
        }
    }
}

/// Checks all entries side by side.
///
/// # Errors
/// The number of the entry, from 0, and what is wrong with it.
pub(super) fn check(all: &mut [S3]) -> Result<(), (usize, S3Error)> {
    let mut suffixes = HashSet::new();
    for (index, server) in all.iter_mut().enumerate() {
        server.check().map_err(|error| (index, error))?;
        if !suffixes.insert(server.suffix.clone()) {
            let twice = S3Error::SuffixTwice(server.suffix.clone());
            return Err((index, twice));
        }
    }
    Ok(())
}

impl Settings {
    /// What buckets of the configured servers end in: see [`BucketDomain::parse`].
    pub fn bucket_suffixes(&self) -> impl Iterator<Item = &str> + Clone {
        self.s3.iter().map(|server| server.suffix.as_str())
    }

    /// The place that a bucket's domain name stands for, read as an origin access identity, or
    /// anonymously. `None` where the name stands for no bucket.
    pub fn origin_of(&self, domain: &str, identity: Option<&str>) -> Option<OriginSpec> {
        let BucketDomain { bucket, server } = BucketDomain::parse(domain, self.bucket_suffixes())?;
        let spec = match server {
            S3Server::Configured(suffix) => {
                let server = self.s3.iter().find(|server| server.suffix == suffix)?;
                let access = identity.map_or(Access::Anonymous, |id| server.access(id));
                S3Bucket {
                    access,
                    ..server.bucket(bucket).ok()?
                }
            }
            S3Server::Amazon(amazon_region) => S3Bucket {
                name: bucket,
                prefix: String::new(),
                endpoint: self.origin.endpoint.clone(),
                region: self.origin.region.clone(),
                amazon_region,
                access: identity.map_or(Access::Anonymous, |_| Access::Chain),
            },
        };
        Some(OriginSpec::S3(spec))
    }

    /// The domain name of a place, as an S3Origin shows it; of a directory its path.
    pub fn domain_of(&self, origin: &OriginSpec) -> String {
        let bucket = match origin {
            OriginSpec::Directory(path) => return path.display().to_string(),
            OriginSpec::S3(bucket) => bucket,
        };
        let trimmed = |url: &str| url.trim_end_matches('/').to_owned();
        let suffix = match &bucket.endpoint {
            None => "s3.amazonaws.com".to_owned(),
            Some(endpoint) => {
                let endpoint = trimmed(endpoint);
                let known = self.s3.iter().find(|it| trimmed(&it.endpoint) == endpoint);
                known.map_or_else(|| host(&endpoint), |server| server.suffix.clone())
            }
        };
        format!("{}.{suffix}", bucket.name)
    }
}

/// The host of an address, without port.
fn host(url: &str) -> String {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = authority.split('/').next().unwrap_or(authority);
    let port = authority
        .rsplit_once(':')
        .filter(|(_, port)| !port.contains(']'));
    port.map_or(authority, |(host, _)| host).to_owned()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::config::Overrides;

    const TWO: &str = "
[[s3]]
suffix = 'S3.Example.com'
endpoint = 'http://127.0.0.1:8333/'
access_key_id = 'server'
secret_access_key = 'hush'
[[s3.identity]]
id = 'E1'
access_key_id = 'one'
secret_access_key = 'hush'
[[s3]]
suffix = 'plain.example.com'
endpoint = 'https://plain'
region = 'r'
";

    fn load(text: &str) -> Result<Settings, String> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let overrides = Overrides {
            bucket: Some("media".into()),
            ..Overrides::default()
        };
        let name = file.path().display().to_string();
        Settings::load(Some(file.path()), overrides)
            .map_err(|error| error.to_string().replace(&name, "FILE"))
    }

    fn origin(settings: &Settings, domain: &str, identity: Option<&str>) -> S3Bucket {
        match settings.origin_of(domain, identity) {
            Some(OriginSpec::S3(bucket)) => bucket,
            other => panic!("{domain}: {other:?}"),
        }
    }

    fn key(bucket: &S3Bucket) -> &str {
        match &bucket.access {
            Access::Keys(keys) => &keys.access_key_id,
            Access::Chain => "chain",
            Access::Anonymous => "anonymous",
        }
    }

    #[test]
    fn the_suffix_chooses_the_server_and_the_identity_the_key() {
        let settings = load(TWO).unwrap();
        let of = |domain: &str, identity| {
            let bucket = origin(&settings, domain, identity);
            let endpoint = bucket.endpoint.clone().unwrap_or_default();
            (endpoint, key(&bucket).to_owned(), bucket.name)
        };
        let at = |endpoint: &str, key: &str| (endpoint.into(), key.into(), "media".into());
        let first = "media.s3.example.com";
        assert_eq!(of(first, None), at("http://127.0.0.1:8333", "anonymous"));
        assert_eq!(of(first, Some("E1")), at("http://127.0.0.1:8333", "one"));
        assert_eq!(of(first, Some("E2")), at("http://127.0.0.1:8333", "server"));
        let second = "media.plain.example.com";
        assert_eq!(of(second, Some("E1")), at("https://plain", "chain"));
        assert_eq!(origin(&settings, second, None).region.as_deref(), Some("r"));
        assert_eq!(of("media.s3.amazonaws.com", Some("E1")), at("", "chain"));
        let regional = origin(&settings, "media.s3.eu-west-1.amazonaws.com", None);
        assert_eq!(regional.amazon_region.as_deref(), Some("eu-west-1"));
        assert_eq!(settings.origin_of("www.example.com", None), None);
    }

    #[test]
    fn what_stands_in_for_amazon_is_asked_for_its_names() {
        let text = "[origin]\nendpoint = 'http://127.0.0.1:9'\nregion = 'here'\n";
        let settings = load(text).unwrap();
        let bucket = origin(&settings, "media.s3.eu-west-1.amazonaws.com", Some("E1"));
        assert_eq!(bucket.endpoint.as_deref(), Some("http://127.0.0.1:9"));
        assert_eq!(bucket.region.as_deref(), Some("here"));
    }

    #[test]
    fn a_place_has_a_domain_name() {
        let settings = load(TWO).unwrap();
        for domain in ["media.s3.example.com", "media.s3.amazonaws.com"] {
            let spec = settings.origin_of(domain, None).unwrap();
            assert_eq!(settings.domain_of(&spec), domain);
        }
        let mut elsewhere = origin(&settings, "media.s3.amazonaws.com", None);
        elsewhere.set_endpoint("http://store.local:9000/x").unwrap();
        let elsewhere = OriginSpec::S3(elsewhere);
        assert_eq!(settings.domain_of(&elsewhere), "media.store.local");
        let directory = OriginSpec::parse("./media").unwrap();
        assert_eq!(settings.domain_of(&directory), "./media");
    }

    #[test]
    fn secrets_are_not_shown() {
        let settings = load(TWO).unwrap();
        assert!(!format!("{settings:?}").contains("hush"));
        let half = TWO.replace("access_key_id = 'server'\n", "");
        let error = load(&half).unwrap_err();
        assert!(
            error.contains("together") && !error.contains("hush"),
            "{error}"
        );
    }

    #[test]
    fn each_rule_is_checked() {
        let server = |lines: &str| load(&format!("\n[[s3]]\n{lines}\n")).unwrap_err();
        for (lines, expected) in [
            (
                "suffix = '*.a'\nendpoint = 'http://b'",
                "is not a host name",
            ),
            ("suffix = 'a'\nendpoint = 'b'", "\"b\""),
            (
                "suffix = 'a'\nendpoint = 'http://b'\naccess_key_id = 'x'",
                "together or not at all",
            ),
            (
                "suffix = 'a'\nendpoint = 'http://b'\n[[s3]]\nsuffix = 'A.'\nendpoint = 'http://b'",
                "two S3 servers with the suffix a",
            ),
        ] {
            let error = server(lines);
            assert!(
                error.contains(expected) && error.starts_with("FILE:"),
                "{error}"
            );
        }
        let identity = "[[s3.identity]]\nid = 'E1'\naccess_key_id = 'x'\nsecret_access_key = 'y'\n";
        let twice = format!("{TWO}{identity}{identity}");
        // The line is that of the second server.
        assert_eq!(
            load(&twice).unwrap_err(),
            "FILE:11: s3: the identity \"E1\" is there twice"
        );
    }
}
