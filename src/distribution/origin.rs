//! Where the objects of a distribution are.

use std::fmt;
use std::path::PathBuf;

use super::DistributionError;

/// A place of objects.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum OriginSpec {
    /// A bucket on an S3 server.
    S3(S3Bucket),
    /// A directory; keys are paths below it.
    Directory(PathBuf),
}

/// A bucket on an S3 server.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct S3Bucket {
    /// Its name.
    pub name: String,
    /// What every key starts with: empty, or ending in `/`.
    pub prefix: String,
    /// The server, `http://` or `https://`; where there is none, what the environment and the
    /// AWS configuration files say, else Amazon's.
    pub endpoint: Option<String>,
    /// The region; where there is none, as with `endpoint`.
    pub region: Option<String>,
    /// The region that the bucket's domain name says. It counts where there is no other, and the
    /// server is Amazon's.
    pub amazon_region: Option<String>,
    /// Whose credentials are used.
    pub access: Access,
}

/// Whose credentials an origin is read with.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Access {
    /// Those that every AWS tool would find: environment, profile, container or instance role.
    #[default]
    Chain,
    /// None: the objects are public.
    Anonymous,
    /// These.
    Keys(Keys),
}

/// An access key with its secret, which is never shown.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Keys {
    /// Whose it is, for as long as only the key is exchanged for another: the id of an origin
    /// access identity, or empty for the server's own.
    pub holder: String,
    /// The access key's id.
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: String,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys")
            .field("holder", &self.holder)
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}

impl OriginSpec {
    /// Reads `s3://NAME`, `s3://NAME/PREFIX`, or the path of a directory.
    ///
    /// # Errors
    /// [`DistributionError::Bucket`].
    pub fn parse(text: &str) -> Result<Self, DistributionError> {
        let wrong = || DistributionError::Bucket(text.to_owned());
        let Some((scheme, rest)) = text.split_once("://") else {
            if text.is_empty() || text.contains('\0') {
                return Err(wrong());
            }
            return Ok(Self::Directory(PathBuf::from(text)));
        };
        if scheme != "s3" {
            return Err(wrong());
        }
        let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = prefix.trim_end_matches('/');
        // A prefix is not cut at a `..` and not at an empty part by S3, but by servers that keep
        // objects as files; nobody means one.
        if !is_bucket(name) || (!prefix.is_empty() && !prefix.split('/').all(is_part)) {
            return Err(wrong());
        }
        Ok(Self::S3(S3Bucket {
            name: name.to_owned(),
            prefix: if prefix.is_empty() {
                String::new()
            } else {
                format!("{prefix}/")
            },
            endpoint: None,
            region: None,
            amazon_region: None,
            access: Access::default(),
        }))
    }
}

impl OriginSpec {
    /// Which objects it means and as whom they are read, in words that stay the same from version
    /// to version and hold no secret: what is cached of one place is never taken for another's.
    pub fn identity(&self) -> String {
        match self {
            Self::Directory(path) => format!("directory\n{}", path.display()),
            Self::S3(bucket) => {
                let whose = match &bucket.access {
                    Access::Chain => "chain",
                    Access::Anonymous => "anonymous",
                    Access::Keys(keys) => &format!("keys {}", keys.holder),
                };
                let or_none = |text: &Option<String>| text.clone().unwrap_or_default();
                let endpoint = or_none(&bucket.endpoint);
                let amazon = bucket
                    .amazon_region
                    .as_ref()
                    .filter(|_| bucket.endpoint.is_none());
                let region = amazon
                    .or(bucket.region.as_ref())
                    .cloned()
                    .unwrap_or_default();
                let (name, prefix) = (&bucket.name, &bucket.prefix);
                format!("s3\n{endpoint}\n{region}\n{name}\n{prefix}\n{whose}")
            }
        }
    }
}

impl S3Bucket {
    /// Sets the server.
    ///
    /// # Errors
    /// [`DistributionError::Endpoint`].
    pub fn set_endpoint(&mut self, endpoint: &str) -> Result<(), DistributionError> {
        let host = endpoint
            .strip_prefix("http://")
            .or_else(|| endpoint.strip_prefix("https://"));
        if host.is_none_or(|host| host.is_empty() || host.contains(char::is_whitespace)) {
            return Err(DistributionError::Endpoint(endpoint.to_owned()));
        }
        self.endpoint = Some(endpoint.trim_end_matches('/').to_owned());
        Ok(())
    }
}

/// Whether `name` can be a bucket: 3 to 63 of today's characters, and those that old buckets and
/// other servers have. (Amazon S3 user guide, "Bucket naming rules"; one letter is allowed too,
/// because other servers do.)
pub(super) fn is_bucket(name: &str) -> bool {
    (1..=255).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
        && name
            .bytes()
            .next()
            .is_some_and(|b| b.is_ascii_alphanumeric())
}

fn is_part(part: &str) -> bool {
    !part.is_empty() && part != "." && part != ".." && !part.chars().any(char::is_control)
}

impl fmt::Display for OriginSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::S3(bucket) => write!(f, "s3://{}/{}", bucket.name, bucket.prefix),
            Self::Directory(path) => write!(f, "{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s3(text: &str) -> S3Bucket {
        match OriginSpec::parse(text) {
            Ok(OriginSpec::S3(bucket)) => bucket,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn buckets_with_and_without_prefix() {
        assert_eq!(
            (s3("s3://media").name, s3("s3://media").prefix),
            ("media".into(), "".into())
        );
        assert_eq!(s3("s3://media/").prefix, "");
        assert_eq!(s3("s3://media/a").prefix, "a/");
        assert_eq!(s3("s3://media/a/b/").prefix, "a/b/");
        let spec = OriginSpec::S3(s3("s3://media/a/b"));
        assert_eq!(spec.to_string(), "s3://media/a/b/");
    }

    #[test]
    fn anything_without_a_scheme_is_a_directory() {
        assert_eq!(
            OriginSpec::parse("./media/x").unwrap(),
            OriginSpec::Directory("./media/x".into())
        );
        for text in [
            "",
            "http://x/y",
            "s3://",
            "s3:///a",
            "s3://a b",
            "s3://a/../b",
            "s3://a//b",
        ] {
            assert!(OriginSpec::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn secrets_are_shown_nowhere_and_change_no_identity() {
        let with = |holder: &str, secret: &str| {
            let mut bucket = s3("s3://media");
            bucket.access = Access::Keys(Keys {
                holder: holder.into(),
                access_key_id: format!("id of {secret}"),
                secret_access_key: secret.into(),
            });
            OriginSpec::S3(bucket)
        };
        let shown = format!("{:?} {}", with("E1", "hush"), with("E1", "hush"));
        assert!(shown.contains("id of hush"), "{shown}");
        assert!(!shown.replace("id of hush", "").contains("hush"), "{shown}");
        assert_eq!(
            with("E1", "hush").identity(),
            with("E1", "other").identity()
        );
        let plain = OriginSpec::S3(s3("s3://media"));
        let mut all = vec![
            plain.identity(),
            with("", "hush").identity(),
            with("E1", "hush").identity(),
            OriginSpec::S3(s3("s3://media/a")).identity(),
            OriginSpec::S3(s3("s3://other")).identity(),
            OriginSpec::parse("media").unwrap().identity(),
        ];
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 6);
        assert_eq!(plain.identity(), "s3\n\n\nmedia\n\nchain");
    }

    #[test]
    fn an_endpoint_is_an_address() {
        let mut bucket = s3("s3://media");
        assert!(bucket.set_endpoint("localhost:8333").is_err());
        assert!(bucket.set_endpoint("http://").is_err());
        bucket.set_endpoint("http://localhost:8333/").unwrap();
        assert_eq!(bucket.endpoint.as_deref(), Some("http://localhost:8333"));
    }
}
