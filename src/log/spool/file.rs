//! Files of the spool as they are on the disk, written by this process or one that was killed.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
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

/// An open file is closed.
pub(super) fn close(directory: &Path, name: &str) -> io::Result<()> {
    fs::rename(path(directory, name, OPEN), path(directory, name, ROWS))?;
    sync(directory);
    Ok(())
}

/// Flushes names to the disk. Where that fails, flushing the files does too, and says so.
pub(super) fn sync(directory: &Path) {
    let _ = File::open(directory).and_then(|directory| directory.sync_all());
}

/// A closed file goes.
pub(crate) fn remove(directory: &Path, name: &str) {
    let removed = fs::remove_file(path(directory, name, ROWS));
    // Another server on the same directory may have delivered it too.
    if let Err(error) = removed.or_else(unless_gone) {
        warn!(name, %error, "an access log file cannot be removed");
    }
}

fn unless_gone(error: io::Error) -> io::Result<()> {
    match error.kind() {
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
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

/// Closes what a process left that was killed, and answers all files with rows.
pub(super) fn recover(directory: &Path) -> io::Result<Vec<(String, Kept)>> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let ending = path.extension().and_then(|ending| ending.to_str());
        let name = path.file_stem().and_then(|name| name.to_str());
        let (Some(ending @ (OPEN | ROWS)), Some(name)) = (ending, name) else {
            continue;
        };
        match take_over(directory, name, ending) {
            Ok(Some(kept)) => found.push((name.to_owned(), kept)),
            Ok(None) => {}
            Err(error) => {
                let path = path.display();
                warn!(%path, %error, "a file of the access log is left alone: it cannot be read");
            }
        }
    }
    Ok(found)
}

fn take_over(directory: &Path, name: &str, ending: &str) -> io::Result<Option<Kept>> {
    let path = path(directory, name, ending);
    let (length, modified) = {
        let about = fs::metadata(&path)?;
        (
            about.len(),
            about.modified().unwrap_or_else(|_| SystemTime::now()),
        )
    };
    if ending == OPEN && File::open(&path)?.try_lock().is_err() {
        // Rows still come into it, from another server.
        return Ok(None);
    }
    let read = read(&path);
    if ending == OPEN && matches!(&read, Err(error) if error.kind() != io::ErrorKind::NotFound) {
        // It was killed before the first line was whole.
        let torn = fs::read(&path)?;
        if !torn.contains(&b'\n') {
            fs::remove_file(&path)?;
            return Ok(None);
        }
    }
    let (to, bytes, start) = read?;
    let rows = bytes
        .iter()
        .skip(start)
        .filter(|byte| **byte == b'\n')
        .count();
    if ending == OPEN {
        let whole = bytes.len() as u64;
        if whole < length {
            let file = File::options().write(true).open(&path)?;
            file.set_len(whole)?;
            file.sync_all()?;
        }
        if rows == 0 {
            fs::remove_file(&path)?;
            return Ok(None);
        }
        close(directory, name)?;
    }
    Ok(Some(Kept {
        to,
        bytes: bytes.len() as u64,
        rows: rows as u64,
        since: modified,
        stage: Stage::Closed,
    }))
}
