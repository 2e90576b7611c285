//! Where distributions and their neighbours are kept: records, changed in atomic batches.
//!
//! A store knows no rules; the registry decides what may be written. It is a trait because a fleet
//! of edges will share one: then `commit` finds that another edge wrote first
//! ([`StoreError::Conflict`]), and `load` shows what.

use std::fmt::Debug;

use futures_util::future::BoxFuture;

use crate::distribution::record::{
    IdentityRecord, KeyGroupRecord, PublicKeyRecord, StreamingRecord,
};

/// One record of any kind.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the records say it")]
pub enum Record {
    Streaming(StreamingRecord),
    Identity(IdentityRecord),
    PublicKey(PublicKeyRecord),
    KeyGroup(KeyGroupRecord),
}

/// A kind of record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the records say it")]
pub enum Kind {
    Streaming,
    Identity,
    PublicKey,
    KeyGroup,
}

/// What is done to one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It is there from now on, in the place of what had its kind and id.
    Put(Box<Record>),
    /// It is gone.
    Delete(Kind, String),
}

/// A place where records are kept.
pub trait Store: Send + Sync + Debug {
    /// Every record.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn load(&self) -> BoxFuture<'_, Result<Vec<Record>, StoreError>>;

    /// Makes all of `changes` or none of them. When it returns they outlive a crash of the machine.
    ///
    /// # Errors
    /// See [`StoreError`]; then none of them was made.
    fn commit(&self, changes: Vec<Change>) -> BoxFuture<'_, Result<(), StoreError>>;
}

/// Why records cannot be read or written. The operator is to blame, or the disk.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The file cannot be opened, read or written.
    #[error("{0}")]
    Unavailable(String),
    /// A record cannot be understood: it was written by a newer version, or is damaged.
    #[error("{0}")]
    Damaged(String),
    /// Somebody else wrote in the meantime.
    #[error("the store was changed by another server")]
    Conflict,
}
