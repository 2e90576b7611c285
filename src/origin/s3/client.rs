//! A client of the S3 server that holds a bucket, set up as every AWS tool is.
//!
//! Settings come from the environment, the shared configuration files and the machine's role, by
//! the SDK's own chains; what is decided here is only what the SDK leaves open or what this server
//! does itself: retries are in [`super::super::retry`], stalled bodies are found in
//! [`super::answer`], a server that is not Amazon's is addressed path style, and the metadata
//! service of a cloud machine, which is asked last, may hold up the start for a moment only.

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
    RequestChecksumCalculation, ResponseChecksumValidation, SharedHttpClient,
};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_types::service_config::ServiceConfigKey;

use crate::distribution::{Access, S3Bucket};

use super::super::Tuning;

/// How long the metadata service of a cloud machine may take; it answers within milliseconds, and
/// elsewhere packets to its address often vanish.
const METADATA_TIMEOUT: Duration = Duration::from_secs(1);

/// The region where none is configured: other servers than Amazon's do not care, and Amazon's
/// answer names the right one.
const FALLBACK_REGION: &str = "us-east-1";

/// A client, and the address that it speaks to, for messages.
pub(super) async fn client(bucket: &S3Bucket, tuning: &Tuning) -> (Client, String) {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let shared = shared_config(bucket, tuning, &http).await;
    let endpoint = endpoint(&shared);
    let foreign = endpoint.as_deref().is_some_and(|url| !is_amazon(url));
    let mut config = aws_sdk_s3::config::Builder::from(&shared)
        .force_path_style(foreign)
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        // Checksums are of whole objects; a range has none.
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
    let mut region = shared.region().cloned();
    if !foreign && configured_region(bucket).await.is_none() {
        region = own_region(&http).await.or(region);
        config.set_region(region.clone());
    }
    if bucket.access == Access::Anonymous {
        config = config.allow_no_auth();
    }
    let place = endpoint.unwrap_or_else(|| {
        let region = region.as_ref().map_or(FALLBACK_REGION, AsRef::as_ref);
        format!("Amazon S3 ({region})")
    });
    (Client::from_conf(config.build()), place)
}

async fn shared_config(bucket: &S3Bucket, tuning: &Tuning, http: &SharedHttpClient) -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(tuning.connect_timeout)
        .read_timeout(tuning.answer_timeout)
        .build();
    let provider = ProviderConfig::without_region().with_http_client(http.clone());
    let region = configured_region(bucket)
        .await
        .unwrap_or_else(|| Region::from_static(FALLBACK_REGION));
    // Pinned: a newer SDK must not change its manners under us.
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(http.clone())
        .timeout_config(timeouts)
        .retry_config(RetryConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .region(region.clone());
    if let Some(endpoint) = &bucket.endpoint {
        loader = loader.endpoint_url(endpoint);
    }
    loader = match bucket.access {
        Access::Anonymous => loader.no_credentials(),
        Access::Chain => loader.credentials_provider(
            DefaultCredentialsChain::builder()
                .configure(provider.clone())
                .region(region)
                .imds_client(metadata_client(&provider))
                .build()
                .await,
        ),
    };
    loader.load().await
}

fn metadata_client(provider: &ProviderConfig) -> imds::Client {
    imds::Client::builder()
        .configure(provider)
        .max_attempts(1)
        .connect_timeout(METADATA_TIMEOUT)
        .read_timeout(METADATA_TIMEOUT)
        .build()
}

/// The bucket's own region, else what the environment or the profile says.
async fn configured_region(bucket: &S3Bucket) -> Option<Region> {
    RegionProviderChain::first_try(bucket.region.clone().map(Region::new))
        .or_else(EnvironmentVariableRegionProvider::new())
        .or_else(ProfileFileRegionProvider::new())
        .region()
        .await
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
