//! Where objects are read from: an S3 bucket or a directory, one ranged read at a time.
//!
//! Everything above reads through [`Origin`], which has one call. There is no HEAD: the first read
//! of an object, its probe, answers with size, version ([`ETag`]) and head bytes together, and
//! every later read names that version ([`Condition::Match`]), so that bytes of two versions never
//! meet (design.md, rules 17, 18 and 20). A read answers with the whole range, cut only by the end of
//! the object, or with an error: never with less.
//!
//! Positions and sizes are bytes. What an origin reads into memory is bounded by the length of the
//! range that the caller asks for, whatever the origin sends.

use std::fmt::{self, Debug};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;

use crate::distribution::OriginSpec;
use crate::units::ByteRange;

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
    /// See [`OriginError`]; among them [`OriginError::OutOfRange`] where the range holds no byte of the
    /// object (every range of an object of zero bytes does), and [`OriginError::Changed`] where
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

/// Opens the origin that `spec` describes, makes sure that it answers, counts what is asked of it in
/// `meter`, and puts hedges and retries around that.
///
/// # Errors
/// One clear line: the bucket or directory is missing, the credentials are refused, nothing
/// answers at the endpoint.
pub async fn connect(
    spec: &OriginSpec,
    tuning: &Tuning,
    meter: &Arc<OriginMeter>,
) -> Result<Arc<dyn Origin>, ConnectError> {
    let meter = Arc::clone(meter);
    match spec {
        // Nothing to retry there: what a disk refuses once it refuses again.
        OriginSpec::Directory(path) => {
            Ok(Arc::new(Metered::new(DirectoryOrigin::open(path)?, meter)))
        }
        OriginSpec::S3(bucket) => {
            let origin = S3Origin::connect(bucket, tuning).await;
            origin.check().await?;
            let hedges = Arc::clone(&meter.hedges);
            let origin = Hedged::new(Metered::new(origin, meter), tuning.hedge, hedges);
            Ok(Arc::new(Retrying::new(origin, tuning)))
        }
    }
}
