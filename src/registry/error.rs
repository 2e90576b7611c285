//! Why something was not changed. The caller is to blame, but for the store's failures.

use crate::distribution::streaming::ConfigFault;
use crate::store::{Kind, StoreError};

/// Why something was not changed. Each is one error of the API, which adds what the code is called
/// for this kind of resource.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// The settings break a rule of their own.
    #[error(transparent)]
    Fault(#[from] ConfigFault),
    /// A value that cannot be.
    #[error("{0}")]
    Argument(String),
    /// The account has no such resource.
    #[error("there is no such resource")]
    NotFound(Kind),
    /// No resource has this ARN.
    #[error("no resource has this ARN")]
    NoResource,
    /// A resource with this caller reference, or this name, exists.
    #[error("{1}")]
    Exists(Kind, String),
    /// A name is taken by another distribution, of this account or another.
    #[error("the CNAME {0} belongs to another distribution")]
    AliasTaken(String),
    /// The account has as many as it may.
    #[error("an account may have {1} of these")]
    TooMany(Kind, usize),
    /// A trusted signer is no account that is known here.
    #[error("there is no account {0}")]
    NoSigner(String),
    /// The origin access identity is ill-formed or not one of this account.
    #[error("the account has no origin access identity {0:?}")]
    NoIdentity(String),
    /// If-Match is missing, or names no version that ever was.
    #[error("If-Match is missing or names no version of this resource")]
    BadIfMatch,
    /// If-Match names an earlier version.
    #[error("the resource was changed since the version that If-Match names")]
    Stale,
    /// It must be disabled, and that deployed, before it is deleted.
    #[error("disable the distribution and wait until that is deployed")]
    NotDisabled,
    /// Something else refers to it.
    #[error("{1}")]
    InUse(Kind, String),
    /// A field of a public key that never changes.
    #[error("only the comment of a public key can be changed")]
    Immutable,
    /// Something that never changes was changed, or an old version of the API would lose settings.
    #[error("{0}")]
    IllegalUpdate(String),
    /// Tags that cannot be.
    #[error("{0}")]
    Tagging(String),
    /// It stands in the configuration file.
    #[error("this distribution stands in the server's configuration file and is changed there")]
    ReadOnly,
    /// The store failed: our fault.
    #[error("the change could not be kept: {0}")]
    Store(#[from] StoreError),
}
