//! PutObject, one try, through the clients that origins share.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt};

use super::Clients;
use crate::distribution::S3Bucket;
use crate::origin::bucket::{Bucket, WriteError};
use crate::origin::error::{chain, one_line};

/// From a request to the head of its answer: a body of some MiB goes up before it, unlike with a
/// read.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// A bucket on an S3 server, to be written to.
#[derive(Debug)]
pub struct S3Writer {
    bucket: S3Bucket,
    clients: Arc<Clients>,
}

impl S3Writer {
    /// Describes it; the client is looked for when the first object is written.
    pub fn new(bucket: S3Bucket, clients: Arc<Clients>) -> Self {
        Self { bucket, clients }
    }

    async fn put_once(&self, key: &str, kind: &str, body: Bytes) -> Result<(), WriteError> {
        let client = self.clients.get(&self.bucket).await;
        let patience = TimeoutConfig::builder()
            .read_timeout(ANSWER_TIMEOUT)
            .operation_attempt_timeout(ANSWER_TIMEOUT)
            .build();
        let patience = aws_sdk_s3::config::Config::builder().timeout_config(patience);
        let sent = client
            .client
            .put_object()
            .bucket(&self.bucket.name)
            .key(format!("{}{key}", self.bucket.prefix))
            .content_type(kind)
            .body(ByteStream::from(body))
            .customize()
            .config_override(patience)
            .send();
        let Err(error) = sent.await else {
            return Ok(());
        };
        let place = &client.place;
        let bucket = &self.bucket.name;
        let Some(answer) = error.raw_response() else {
            let cause = one_line(&chain(&error));
            return Err(WriteError::Unavailable(format!("{place}: {cause}")));
        };
        let status = answer.status().as_u16();
        let code = error.code().unwrap_or_default();
        let cause = one_line(&format!(
            "bucket {bucket} at {place} answered {status} {code}: {}",
            error.message().unwrap_or_default()
        ));
        Err(match status {
            400..=499 if !matches!(status, 408 | 429) => WriteError::Refused(cause),
            _ => WriteError::Unavailable(cause),
        })
    }
}

impl Bucket for S3Writer {
    fn put<'a>(
        &'a self,
        key: &'a str,
        content_type: &'a str,
        body: Bytes,
    ) -> BoxFuture<'a, Result<(), WriteError>> {
        self.put_once(key, content_type, body).boxed()
    }
}
