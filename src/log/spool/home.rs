//! The directory of the spool: whose it is.
//!
//! One server at a time has it, by a lock on a file in it that ends with the process. Two who took
//! each other's files for left ones would deliver them twice, or tear them.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// The file that is locked.
const LOCK: &str = "lock";

/// Why the directory cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HomeError {
    #[error("another server uses {0}; give each a data_dir of its own")]
    Taken(PathBuf),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The directory, as long as this lives.
#[derive(Debug)]
pub(crate) struct Home {
    _lock: File,
}

impl Home {
    /// Takes the directory, which is made if need be.
    pub(crate) fn take(directory: &Path) -> Result<Self, HomeError> {
        fs::create_dir_all(directory)?;
        let path = directory.join(LOCK);
        let lock = File::options().append(true).create(true).open(path)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(HomeError::Taken(directory.to_owned())),
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }
}

impl From<HomeError> for io::Error {
    fn from(error: HomeError) -> Self {
        match error {
            HomeError::Io(error) => error,
            taken => Self::other(taken),
        }
    }
}
