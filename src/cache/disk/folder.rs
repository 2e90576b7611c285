//! The directory of the disk tier: whose it is, and room for it.
//!
//! One server at a time has it (a lock that ends with the process). The space is taken from the
//! file system at once, so that a disk that fills up later does not stop the cache, and one that
//! is full already is found out at the start. The segments lie in a folder that is named by their
//! layout; folders of another layout are removed.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, FlockOperation, fallocate, flock};
use rustix::io::Errno;

/// What the names of our folders begin with.
const PREFIX: &str = "segments-";

/// The directory of one running server.
#[derive(Debug)]
pub(super) struct Folder {
    segments: PathBuf,
    // Held for as long as it lives.
    _lock: File,
}

impl Folder {
    /// Takes the directory `root`, which is created if need be, for files of `block` bytes that
    /// come to `capacity` together.
    pub(super) fn take(root: &Path, capacity: usize, block: usize) -> io::Result<Self> {
        fs::create_dir_all(root)?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(root.join("lock"))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|error| match error {
            Errno::WOULDBLOCK => io::Error::other("another server uses it"),
            error => error.into(),
        })?;
        let name = format!("{PREFIX}{block}x{}", capacity / block);
        for entry in fs::read_dir(root)?.flatten() {
            let other = entry.file_name();
            let other = other.to_string_lossy();
            if other.starts_with(PREFIX) && other != name {
                fs::remove_dir_all(entry.path())?;
            }
        }
        let segments = root.join(name);
        fs::create_dir_all(&segments)?;
        Ok(Self {
            segments,
            _lock: lock,
        })
    }

    /// Where the segments are.
    pub(super) fn segments(&self) -> &Path {
        &self.segments
    }

    /// Takes room on the disk for all files, as long as they are. File systems that cannot do so
    /// are left as they are.
    pub(super) fn reserve(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.segments)? {
            let file = OpenOptions::new().write(true).open(entry?.path())?;
            let len = file.metadata()?.len();
            match fallocate(&file, FallocateFlags::empty(), 0, len) {
                Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Gives the room back, also that of files which are still open somewhere.
    pub(super) fn give_up(&self) {
        for entry in fs::read_dir(&self.segments).into_iter().flatten().flatten() {
            // What cannot be cut is removed below, as far as that goes.
            let _ = OpenOptions::new()
                .write(true)
                .open(entry.path())
                .and_then(|file| file.set_len(0));
        }
        if let Err(error) = fs::remove_dir_all(&self.segments) {
            tracing::debug!(%error, "the folder of the disk cache could not be removed");
        }
    }
}
