//! Where distributions and their neighbours are kept: records, changed in atomic batches.
//!
//! A store knows no rules; the registry decides what may be written. It is a trait because a fleet
//! of edges will share one: then `commit` finds that another edge wrote first
//! ([`StoreError::Conflict`]), and `load` shows what.

pub mod embedded;
#[cfg(test)]
pub mod memory;

use std::fmt::Debug;

use futures_util::future::BoxFuture;

use crate::distribution::record::{
    Head, IdentityRecord, KeyGroupRecord, PublicKeyRecord, StreamingRecord,
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

impl Record {
    /// Its kind.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Streaming(_) => Kind::Streaming,
            Self::Identity(_) => Kind::Identity,
            Self::PublicKey(_) => Kind::PublicKey,
            Self::KeyGroup(_) => Kind::KeyGroup,
        }
    }

    /// What every record has.
    pub fn head(&self) -> &Head {
        match self {
            Self::Streaming(record) => &record.head,
            Self::Identity(record) => &record.head,
            Self::PublicKey(record) => &record.head,
            Self::KeyGroup(record) => &record.head,
        }
    }
}

impl From<StreamingRecord> for Record {
    fn from(record: StreamingRecord) -> Self {
        Self::Streaming(record)
    }
}

impl From<IdentityRecord> for Record {
    fn from(record: IdentityRecord) -> Self {
        Self::Identity(record)
    }
}

impl From<PublicKeyRecord> for Record {
    fn from(record: PublicKeyRecord) -> Self {
        Self::PublicKey(record)
    }
}

impl From<KeyGroupRecord> for Record {
    fn from(record: KeyGroupRecord) -> Self {
        Self::KeyGroup(record)
    }
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

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Streaming,
        Self::Identity,
        Self::PublicKey,
        Self::KeyGroup,
    ];

    /// What a person calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Streaming => "streaming distribution",
            Self::Identity => "origin access identity",
            Self::PublicKey => "public key",
            Self::KeyGroup => "key group",
        }
    }
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
    /// See [`StoreError`]; then none of them counts as made. (After a failure to flush, nobody can
    /// say what the disk holds: it may be found at the next start.)
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
