//! Files of the spool as they are on the disk, written by this process or one that was killed.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::distribution::streaming::Logging;
use crate::log::shelf::{Kept, Stage};

pub use super::name::object_key;

/// The ending of a file that rows come into.
pub(super) const OPEN: &str = "open";

/// The ending of one that is not written any more.
pub(super) const ROWS: &str = "rows";

/// The longest file that is read: the longest that is written, with the rows of one round on top.
const READ_MAX: u64 = 128 << 20;

/// The first line.
#[derive(Serialize, Deserialize)]
struct Head {
    bucket: String,
    prefix: String,
}

/// The first line of a file with rows for this destination.
pub(super) fn head(to: &Logging) -> io::Result<String> {
    let head = Head {
        bucket: to.bucket.clone(),
        prefix: to.prefix.clone(),
    };
    Ok(serde_json::to_string(&head)? + "\n")
}

pub(super) fn path(directory: &Path, name: &str, ending: &str) -> PathBuf {
    directory.join(format!("{name}.{ending}"))
}

/// An open file is closed. A start after a crash that forgets the new name finds the old one, and
/// closes it again.
pub(super) fn close(directory: &Path, name: &str) -> io::Result<()> {
    fs::rename(path(directory, name, OPEN), path(directory, name, ROWS))
}

/// Flushes names to the disk. Where that fails, flushing the files does too, and says so.
pub(super) fn sync(directory: &Path) {
    let _ = File::open(directory).and_then(|directory| directory.sync_all());
}

/// A closed file goes.
pub(crate) fn remove(directory: &Path, name: &str) {
    discard(&path(directory, name, ROWS));
}

/// A file goes.
pub(super) fn discard(path: &Path) {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        let path = path.display();
        warn!(%path, %error, "an access log file cannot be removed");
    }
}

/// The rows of a closed file.
///
/// # Errors
/// It cannot be read, or is none of ours.
pub(crate) fn rows(directory: &Path, name: &str) -> io::Result<Vec<u8>> {
    let (_, mut bytes, start) = read(&path(directory, name, ROWS))?;
    bytes.drain(..start);
    Ok(bytes)
}

/// Destination, bytes, and where in them the rows begin. What stands behind the last whole row is
/// cut off.
fn read(path: &Path) -> io::Result<(Logging, Vec<u8>, usize)> {
    let mut bytes = Vec::new();
    File::open(path)?.take(READ_MAX).read_to_end(&mut bytes)?;
    bytes.truncate(whole(&bytes));
    let start = bytes.iter().position(|byte| *byte == b'\n');
    let start = start.map_or(0, |at| at + 1);
    let head = bytes.get(..start).unwrap_or_default();
    let Head { bucket, prefix } = serde_json::from_slice(head)?;
    Ok((Logging { bucket, prefix }, bytes, start))
}

/// How many of the bytes are whole lines: after a power loss a file may end in zeros.
fn whole(bytes: &[u8]) -> usize {
    let end = bytes.iter().position(|byte| *byte == 0);
    let sound = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
    let last = sound.iter().rposition(|byte| *byte == b'\n');
    last.map_or(0, |at| at + 1)
}

/// A file that an earlier run left.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) name: String,
    ending: &'static str,
}

/// What an earlier run left.
pub(super) fn found(directory: &Path) -> io::Result<Vec<Found>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let ending = path.extension().and_then(|ending| ending.to_str());
        let ending = [OPEN, ROWS].into_iter().find(|it| Some(*it) == ending);
        let name = path.file_stem().and_then(|name| name.to_str());
        if let (Some(ending), Some(name)) = (ending, name) {
            let name = name.to_owned();
            all.push(Found { name, ending });
        }
    }
    Ok(all)
}

impl Found {
    /// Closes it if need be, up to its last whole row; `None` where there was no row in it.
    pub(super) fn take_over(&self, directory: &Path) -> io::Result<Option<Kept>> {
        let path = path(directory, &self.name, self.ending);
        let about = fs::metadata(&path)?;
        let read = read(&path);
        if self.ending == OPEN && matches!(&read, Err(error) if is_torn(error)) {
            // It was killed before the first line was whole.
            let torn = fs::read(&path)?;
            if !torn.contains(&b'\n') {
                fs::remove_file(&path)?;
                return Ok(None);
            }
        }
        let (to, bytes, start) = read?;
        let rows = count(bytes.get(start..).unwrap_or_default());
        if self.ending == OPEN {
            let whole = bytes.len() as u64;
            if rows == 0 {
                fs::remove_file(&path)?;
                return Ok(None);
            }
            let file = File::options().write(true).open(&path)?;
            if whole < about.len() {
                file.set_len(whole)?;
            }
            file.sync_all()?;
            close(directory, &self.name)?;
        }
        Ok(Some(Kept {
            to: Arc::new(to),
            bytes: bytes.len() as u64,
            rows,
            since: about.modified().unwrap_or_else(|_| SystemTime::now()),
            stage: Stage::Closed,
        }))
    }
}

/// Whether the first line is none of ours, where the file can be read.
pub(crate) fn is_torn(error: &io::Error) -> bool {
    // What serde_json says of bytes that end too soon, and of others.
    use io::ErrorKind::{InvalidData, UnexpectedEof};
    matches!(error.kind(), InvalidData | UnexpectedEof)
}

/// Rows in some bytes.
pub(crate) fn count(rows: &[u8]) -> u64 {
    rows.iter().filter(|byte| **byte == b'\n').count() as u64
}
