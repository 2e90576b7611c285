//! Where objects are read from: an S3 bucket or a directory, one ranged read at a time.
//!
//! Everything above reads through [`Origin`], which has one call. There is no HEAD: the first read
//! of an object, its probe, answers with size, version ([`ETag`]) and head bytes together, and
//! every later read names that version ([`Condition::Match`]), so that bytes of two versions never
//! meet (design.md, rules 17, 18 and 20). A read answers with the whole range, cut only by the end
//! of the object, or with an error: never with less.
//!
//! Positions and sizes are bytes. What an origin reads into memory is bounded by the length of the
//! range that the caller asks for, whatever the origin sends.

use std::fmt::{self, Debug};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt};

use crate::distribution::{OriginSpec, S3Bucket};
use crate::units::ByteRange;

pub mod bucket;
pub mod directory;
pub mod error;
#[doc(hidden)]
pub mod fault;
pub mod hedge;
mod key;
#[doc(hidden)]
pub mod memory;
pub mod metered;
pub mod retry;
pub mod s3;
pub mod tuning;

pub use bucket::{Bucket, WriteError};
pub use directory::DirectoryOrigin;
pub use error::{Blame, ConnectError, OriginError};
pub use hedge::{HedgeCounts, Hedged};
pub use metered::{Metered, OriginMeter};
pub use retry::Retrying;
pub use s3::S3Origin;
pub use tuning::Tuning;

/// A place that objects are read from.
pub trait Origin: Send + Sync + Debug {
    /// Reads `range` of the object `key`. The range may reach past the end; it must not start
    /// there, and must not be empty.
    ///
    /// Dropping the future ends the read.
    ///
    /// # Errors
    /// See [`OriginError`]; among them [`OriginError::OutOfRange`] where the range holds no byte of
    /// the object (every range of an object of zero bytes does), and [`OriginError::Changed`] where
    /// [`Condition::Match`] names another version.
    fn read<'a>(
        &'a self,
        key: &'a str,
        range: ByteRange,
        condition: Condition<'a>,
    ) -> BoxFuture<'a, Result<Read, OriginError>>;
}

/// Which version of the object a read is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition<'a> {
    /// Any.
    None,
    /// Only this one (If-Match).
    Match(&'a ETag),
    /// Any but this one (If-None-Match): [`Read::NotModified`] where it is still this one.
    NoneMatch(&'a ETag),
}

/// The name of one version of an object, as the origin gave it, quotes included.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ETag(Arc<str>);

impl ETag {
    /// A version called `text`.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// As the origin wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Debug for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ETag({})", self.0)
    }
}

/// What a read answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Read {
    /// The bytes, and what is known of the object.
    Bytes(Object),
    /// The object is still the version that [`Condition::NoneMatch`] named.
    NotModified,
}

/// A part of one version of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Length of the whole object in bytes.
    pub size: u64,
    /// Its version.
    pub etag: ETag,
    /// The Content-Type that is stored with it.
    pub content_type: Option<String>,
    /// The Cache-Control that is stored with it, as written.
    pub cache_control: Option<String>,
    /// The Expires that is stored with it, as written.
    pub expires: Option<String>,
    /// What was read: the range that was asked for, up to the end of the object.
    pub range: ByteRange,
    /// The bytes of `range`, all of them.
    pub bytes: Bytes,
}

/// Opens origins, for all distributions: they share one pool of connections, and one count.
#[derive(Debug, Clone)]
pub struct Origins {
    tuning: Tuning,
    meter: Arc<OriginMeter>,
    clients: Arc<s3::Clients>,
}

impl Origins {
    /// Nothing is read or asked yet. What is asked later is counted in `meter`.
    pub fn new(tuning: Tuning, meter: Arc<OriginMeter>) -> Self {
        Self {
            clients: Arc::new(s3::Clients::new(&tuning)),
            tuning,
            meter,
        }
    }

    /// The origin that `spec` describes, with hedges and retries around it. A bucket is not asked
    /// for anything: one that cannot be reached holds up nobody, and shows when it is played from.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn open(&self, spec: &OriginSpec) -> Result<Arc<dyn Origin>, ConnectError> {
        match spec {
            // Nothing to retry there: what a disk refuses once it refuses again.
            OriginSpec::Directory(path) => {
                let directory = DirectoryOrigin::open(path)?;
                Ok(Arc::new(Metered::new(directory, Arc::clone(&self.meter))))
            }
            OriginSpec::S3(bucket) => Ok(self.around(self.bucket(bucket))),
        }
    }

    /// The same, and makes sure that a bucket answers.
    ///
    /// # Errors
    /// One clear line: the bucket or directory is missing, the credentials are refused, nothing
    /// answers at the endpoint.
    pub async fn connect(&self, spec: &OriginSpec) -> Result<Arc<dyn Origin>, ConnectError> {
        let OriginSpec::S3(bucket) = spec else {
            return self.open(spec);
        };
        let origin = self.bucket(bucket);
        origin.check().boxed().await?;
        Ok(self.around(origin))
    }

    /// A bucket to be written to. Nothing is asked before the first object.
    pub fn writer(&self, bucket: S3Bucket) -> Arc<dyn Bucket> {
        Arc::new(s3::S3Writer::new(bucket, Arc::clone(&self.clients)))
    }

    fn bucket(&self, bucket: &S3Bucket) -> S3Origin {
        S3Origin::new(bucket.clone(), Arc::clone(&self.clients))
    }

    fn around(&self, origin: S3Origin) -> Arc<dyn Origin> {
        let hedges = Arc::clone(&self.meter.hedges);
        let counted = Metered::new(origin, Arc::clone(&self.meter));
        let hedged = Hedged::new(counted, self.tuning.hedge, hedges);
        Arc::new(Retrying::new(hedged, &self.tuning))
    }
}
