//! The store of one server: a redb file in the data directory.
//!
//! One table a kind, from id to JSON (`json`): small records that a person can read with any tool
//! for redb, and that a later version can give further members. redb writes copies of pages and
//! then one new root, so a crash at any moment leaves the state before or after a batch; each batch
//! is flushed before it counts (`Durability::Immediate`). The file is locked while it is open. When
//! writing fails, redb refuses everything from then on; so the file is opened anew before the next
//! batch (a disk that was full for a while costs no restart).

mod json;

use std::fmt::Debug;
use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::{BoxFuture, FutureExt};
use redb::backends::FileBackend;
use redb::{
    Builder, Database, DatabaseError, Durability, ReadableDatabase, ReadableTable, StorageError,
    TableDefinition, TableError,
};

use super::{Change, Kind, Record, Store, StoreError};

/// The file in the data directory.
pub const FILE: &str = "distributions.redb";

/// Only the server's own user reads what accounts configured.
const MODE: u32 = 0o600;

/// Memory that redb may keep pages in, bytes: everything is in memory already, and read only once.
const PAGES: usize = 4 << 20;

/// A store in a file.
#[derive(Debug, Clone)]
pub struct Embedded {
    open: Arc<Mutex<Open>>,
}

#[derive(Debug)]
struct Open {
    path: PathBuf,
    /// None: it failed, and is opened at the next use.
    database: Option<Database>,
}

impl Embedded {
    /// Opens the store in `directory`, which is made if need be.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] also when another process has it open.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        fs::create_dir_all(directory).map_err(|error| {
            StoreError::Unavailable(format!("{}: {error}", directory.display()))
        })?;
        let path = directory.join(FILE);
        if !path.exists() {
            make(&path)?;
        }
        let database = Some(open(&path)?);
        // The name of a new file shall outlive a crash as its content does.
        File::open(directory)
            .and_then(|folder| folder.sync_all())
            .map_err(|error| {
                StoreError::Unavailable(format!("{}: {error}", directory.display()))
            })?;
        Ok(Self {
            open: Arc::new(Mutex::new(Open { path, database })),
        })
    }

    /// Runs `work` on a thread that may wait for the disk.
    fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, StoreError> + Send + 'static,
    ) -> BoxFuture<'_, Result<T, StoreError>> {
        let open = Arc::clone(&self.open);
        async move {
            let done = tokio::task::spawn_blocking(move || {
                let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
                open.run(work)
            });
            done.await
                .unwrap_or_else(|error| Err(StoreError::Unavailable(format!("redb: {error}"))))
        }
        .boxed()
    }
}

impl Open {
    /// Taken out while it works: what fails, or panics, is not used again.
    fn run<T>(
        &mut self,
        work: impl FnOnce(&Database) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let database = match self.database.take() {
            Some(database) => database,
            None => open(&self.path)?,
        };
        let done = work(&database);
        if done.is_ok() {
            self.database = Some(database);
        }
        done
    }
}

impl Store for Embedded {
    fn load(&self) -> BoxFuture<'_, Result<Vec<Record>, StoreError>> {
        self.blocking(load)
    }

    fn commit(&self, changes: Vec<Change>) -> BoxFuture<'_, Result<(), StoreError>> {
        self.blocking(move |database| write(database, &changes))
    }
}

/// Makes a new file under another name first: who is killed in the middle of that leaves none that
/// cannot be opened.
fn make(path: &Path) -> Result<(), StoreError> {
    let new = path.with_extension("new");
    let failed = |error| StoreError::Unavailable(format!("{}: {error}", new.display()));
    match fs::remove_file(&new) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    drop(open(&new)?);
    File::open(&new)
        .and_then(|file| file.sync_all())
        .and_then(|()| fs::rename(&new, path))
        .map_err(failed)
}

fn open(path: &Path) -> Result<Database, StoreError> {
    let at = |cause: &dyn std::fmt::Display| format!("{}: {cause}", path.display());
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(MODE)
        .open(path)
        .map_err(|error| StoreError::Unavailable(at(&error)))?;
    FileBackend::new(file)
        .and_then(|file| {
            Builder::new()
                .set_cache_size(PAGES)
                // Else redb trusts a file that was closed well, and panics where the disk lied.
                .set_check_integrity_on_open(true)
                .create_with_backend(file)
        })
        .map_err(|error| match error {
            DatabaseError::DatabaseAlreadyOpen => {
                StoreError::Unavailable(at(&"another streamfront runs with this data directory"))
            }
            DatabaseError::UpgradeRequired(_)
            | DatabaseError::Storage(StorageError::Corrupted(_)) => StoreError::Damaged(at(&error)),
            _ => StoreError::Unavailable(at(&error)),
        })
}

type Table = TableDefinition<'static, &'static str, &'static [u8]>;

const fn table(kind: Kind) -> Table {
    TableDefinition::new(match kind {
        Kind::Streaming => "streaming_distributions",
        Kind::Identity => "origin_access_identities",
        Kind::PublicKey => "public_keys",
        Kind::KeyGroup => "key_groups",
    })
}

fn load(database: &Database) -> Result<Vec<Record>, StoreError> {
    let transaction = database.begin_read().map_err(failed)?;
    let mut records = Vec::new();
    for kind in Kind::ALL {
        let table = match transaction.open_table(table(kind)) {
            Ok(table) => table,
            // Nothing of this kind was ever written.
            Err(TableError::TableDoesNotExist(_)) => continue,
            Err(error) => return Err(failed(error)),
        };
        for entry in table.iter().map_err(failed)? {
            let (id, value) = entry.map_err(failed)?;
            records.push(json::read(kind, id.value(), value.value())?);
        }
    }
    Ok(records)
}

fn write(database: &Database, changes: &[Change]) -> Result<(), StoreError> {
    let mut transaction = database.begin_write().map_err(failed)?;
    transaction
        .set_durability(Durability::Immediate)
        .map_err(failed)?;
    for change in changes {
        match change {
            Change::Put(record) => {
                let value = json::write(record)?;
                transaction
                    .open_table(table(record.kind()))
                    .map_err(failed)?
                    .insert(record.head().id.as_str(), value.as_slice())
                    .map_err(failed)?;
            }
            Change::Delete(kind, id) => {
                transaction
                    .open_table(table(*kind))
                    .map_err(failed)?
                    .remove(id.as_str())
                    .map_err(failed)?;
            }
        }
    }
    transaction.commit().map_err(failed)
}

fn failed(error: impl Into<redb::Error>) -> StoreError {
    let error = error.into();
    match error {
        redb::Error::Corrupted(_) => StoreError::Damaged(format!("{FILE}: {error}")),
        _ => StoreError::Unavailable(format!("{FILE}: {error}")),
    }
}

#[cfg(test)]
mod tests;
