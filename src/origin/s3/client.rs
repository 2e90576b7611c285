//! Clients of the S3 servers that hold buckets, set up as every AWS tool is.
//!
//! Settings come from the environment, the shared configuration files and the machine's role, by
//! the SDK's own chains; what is decided here is only what the SDK leaves open or what this server
//! does itself: retries are in [`super::super::retry`], stalled bodies are found in
//! [`super::answer`], a server that is not Amazon's is addressed path style, and the metadata
//! service of a cloud machine, which is asked last, may hold up the first read for a moment only.
//!
//! There may be thousands of buckets. The settings are read once ([`Base`]), all clients share one
//! pool of connections, and buckets on one server that are read as one holder share a client, which
//! is made at the first read and lives as long as one of them does.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::environment::region::EnvironmentVariableRegionProvider;
use aws_config::imds::{self, region::ImdsRegionProvider};
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{
    Credentials, IdentityCache, RequestChecksumCalculation, ResponseChecksumValidation,
    SharedCredentialsProvider, SharedHttpClient,
};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_types::service_config::ServiceConfigKey;
use futures_util::future::FutureExt;
use tokio::sync::OnceCell;

use crate::distribution::{Access, S3Bucket};

use super::super::Tuning;

/// How long the metadata service of a cloud machine may take; it answers within milliseconds, and
/// elsewhere packets to its address often vanish.
const METADATA_TIMEOUT: Duration = Duration::from_secs(1);

/// The region where none is configured: other servers than Amazon's do not care, and Amazon's
/// answer names the right one.
const FALLBACK_REGION: &str = "us-east-1";

/// Names the source of configured keys in the SDK's messages.
const PROVIDER: &str = "streamfront";

/// A client of a server.
#[derive(Debug)]
pub(super) struct S3Client {
    pub(super) client: Client,
    /// What it speaks to, for messages.
    pub(super) place: String,
}

/// Which buckets share a client.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Server {
    endpoint: Option<String>,
    region: Option<String>,
    amazon_region: Option<String>,
    access: Access,
}

/// The clients of all buckets.
#[derive(Debug)]
pub struct Clients {
    tuning: Tuning,
    http: SharedHttpClient,
    base: OnceCell<Base>,
    known: Mutex<HashMap<Server, Weak<S3Client>>>,
}

/// What the environment, the configuration files and the machine say.
#[derive(Debug)]
struct Base {
    sdk: SdkConfig,
    /// The endpoint that is configured there; none: Amazon's.
    endpoint: Option<String>,
    /// The region that is configured there.
    region: Option<Region>,
    /// The region that this machine is in, where Amazon runs it.
    own_region: OnceCell<Option<Region>>,
}

impl Clients {
    /// No client yet, and nothing read.
    pub fn new(tuning: &Tuning) -> Self {
        Self {
            tuning: tuning.clone(),
            http: aws_smithy_http_client::Builder::new()
                .tls_provider(Provider::Rustls(CryptoMode::Ring))
                .build_https(),
            base: OnceCell::new(),
            known: Mutex::default(),
        }
    }

    /// How long an answer may rest.
    pub(super) fn idle_timeout(&self) -> Duration {
        self.tuning.idle_timeout
    }

    /// The client that reads `bucket`.
    pub(super) async fn get(&self, bucket: &S3Bucket) -> Arc<S3Client> {
        let server = Server {
            endpoint: bucket.endpoint.clone(),
            region: bucket.region.clone(),
            amazon_region: bucket.amazon_region.clone(),
            access: bucket.access.clone(),
        };
        let known = |server| self.lock().get(server).and_then(Weak::upgrade);
        if let Some(client) = known(&server) {
            return client;
        }
        // The SDK's futures are deep and large, and no read needs room for them.
        let made = Arc::new(self.make(&server).boxed().await);
        let mut all = self.lock();
        // Two that came at once share the first one's.
        if let Some(client) = all.get(&server).and_then(Weak::upgrade) {
            return client;
        }
        all.retain(|_, client| client.strong_count() > 0);
        all.insert(server, Arc::downgrade(&made));
        made
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Server, Weak<S3Client>>> {
        // Every operation on it is whole.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn make(&self, server: &Server) -> S3Client {
        let base = self.base.get_or_init(|| self.load().boxed()).await;
        let endpoint = server.endpoint.as_ref().or(base.endpoint.as_ref());
        let foreign = endpoint.is_some_and(|url| !is_amazon(url));
        let region = self.region(base, server, foreign).await;
        let mut sdk = base.sdk.clone().into_builder();
        match &server.access {
            Access::Chain => {}
            Access::Anonymous => {
                sdk.set_credentials_provider(None);
            }
            Access::Keys(keys) => {
                let (id, secret) = (&keys.access_key_id, &keys.secret_access_key);
                let keys = Credentials::new(id, secret, None, None, PROVIDER);
                sdk.set_credentials_provider(Some(SharedCredentialsProvider::new(keys)));
                // They never expire; the shared cache has room for those that do.
                sdk.set_identity_cache(Some(IdentityCache::no_cache()));
            }
        }
        let mut config = aws_sdk_s3::config::Builder::from(&sdk.build())
            .region(region.clone())
            .force_path_style(foreign)
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            // Checksums are of whole objects; a range has none.
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
        if let Some(endpoint) = &server.endpoint {
            config = config.endpoint_url(endpoint);
        }
        if server.access == Access::Anonymous {
            config = config.allow_no_auth();
        }
        let place = endpoint
            .cloned()
            .unwrap_or_else(|| format!("Amazon S3 ({region})"));
        S3Client {
            client: Client::from_conf(config.build()),
            place,
        }
    }

    /// The region in the bucket's name, else that which is configured, else what the environment or
    /// the profile says, else the machine's.
    async fn region(&self, base: &Base, server: &Server, foreign: bool) -> Region {
        let of_domain = server.amazon_region.as_ref().filter(|_| !foreign);
        // What the bucket's own name says is never wrong; what is configured is for all.
        let own = of_domain.or(server.region.as_ref());
        let configured = own
            .cloned()
            .map(Region::new)
            .or_else(|| base.region.clone());
        let of_machine = async {
            if foreign {
                return None;
            }
            let asked = base.own_region.get_or_init(|| own_region(&self.http));
            asked.await.clone()
        };
        match configured {
            Some(region) => region,
            None => of_machine
                .await
                .unwrap_or_else(|| Region::from_static(FALLBACK_REGION)),
        }
    }

    async fn load(&self) -> Base {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(self.tuning.connect_timeout)
            .read_timeout(self.tuning.answer_timeout)
            .build();
        let provider = ProviderConfig::without_region().with_http_client(self.http.clone());
        let configured = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
            .or_else(ProfileFileRegionProvider::new())
            .region()
            .await;
        let region = configured
            .clone()
            .unwrap_or_else(|| Region::from_static(FALLBACK_REGION));
        let chain = DefaultCredentialsChain::builder()
            .configure(provider.clone())
            .region(region.clone())
            .imds_client(metadata_client(&provider))
            .build()
            .await;
        // Pinned: a newer SDK must not change its manners under us.
        let sdk = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .http_client(self.http.clone())
            .timeout_config(timeouts)
            .retry_config(RetryConfig::disabled())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .region(region)
            .credentials_provider(chain)
            .load()
            .await;
        Base {
            endpoint: endpoint(&sdk),
            region: configured,
            own_region: OnceCell::new(),
            sdk,
        }
    }
}

fn metadata_client(provider: &ProviderConfig) -> imds::Client {
    imds::Client::builder()
        .configure(provider)
        .max_attempts(1)
        .connect_timeout(METADATA_TIMEOUT)
        .read_timeout(METADATA_TIMEOUT)
        .build()
}

/// The region that this machine is in, where Amazon runs it.
async fn own_region(http: &SharedHttpClient) -> Option<Region> {
    let provider = ProviderConfig::without_region().with_http_client(http.clone());
    ImdsRegionProvider::builder()
        .imds_client(metadata_client(&provider))
        .build()
        .region()
        .await
}

/// The endpoint that is configured anywhere, as the SDK will find it; `None` is Amazon's.
fn endpoint(shared: &SdkConfig) -> Option<String> {
    let key = ServiceConfigKey::builder()
        .service_id("S3")
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build()
        .ok()?;
    let of_s3 = shared
        .service_config()
        .and_then(|config| config.load_config(key));
    of_s3.or_else(|| shared.endpoint_url().map(str::to_owned))
}

/// Whether `url` is one of Amazon's own, where buckets are host names.
fn is_amazon(url: &str) -> bool {
    let host = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = host
        .split(['/', ':'])
        .next()
        .unwrap_or(host)
        .to_ascii_lowercase();
    host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribution::{Keys, OriginSpec};

    #[tokio::test]
    async fn buckets_of_one_server_share_a_client_while_one_is_there() {
        let clients = Clients::new(&Tuning::default());
        let bucket = |name: &str, endpoint: &str, access| {
            let Ok(OriginSpec::S3(mut bucket)) = OriginSpec::parse(&format!("s3://{name}")) else {
                panic!("a bucket")
            };
            bucket.set_endpoint(endpoint).unwrap();
            bucket.region = Some("r".into());
            bucket.access = access;
            bucket
        };
        let keys = |holder: &str| {
            Access::Keys(Keys {
                holder: holder.into(),
                access_key_id: "id".into(),
                secret_access_key: "secret".into(),
            })
        };
        let (one, two) = ("http://127.0.0.1:1", "http://127.0.0.1:2");
        let first = clients.get(&bucket("a", one, keys("x"))).await;
        let same = clients.get(&bucket("b", one, keys("x"))).await;
        assert!(Arc::ptr_eq(&first, &same));
        assert_eq!(first.place, one);
        for other in [
            bucket("a", two, keys("x")),
            bucket("a", one, keys("y")),
            bucket("a", one, Access::Anonymous),
        ] {
            let other = clients.get(&other).await;
            assert!(!Arc::ptr_eq(&first, &other));
        }
        assert!(!format!("{first:?}").contains("secret\""), "{first:?}");
        drop((first, same));
        let last = clients.get(&bucket("c", two, Access::Anonymous)).await;
        assert_eq!(clients.lock().len(), 1, "{last:?}");
    }

    #[test]
    fn only_amazons_own_hosts_are_amazons() {
        assert!(is_amazon("https://s3.eu-west-1.amazonaws.com"));
        assert!(is_amazon("https://s3.cn-north-1.amazonaws.com.cn/"));
        assert!(!is_amazon("http://127.0.0.1:8333"));
        assert!(!is_amazon(
            "https://amazonaws.com.example.org/s3.amazonaws.com"
        ));
        assert!(!is_amazon("https://s3.example.amazonaws.com.evil:443"));
    }
}
