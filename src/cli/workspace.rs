//! A directory for the time of one run.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// A directory that only this user may enter, removed with everything in it when dropped.
#[derive(Debug)]
pub(super) struct Workspace {
    path: PathBuf,
}

impl Workspace {
    /// Makes one among the temporary files.
    ///
    /// # Errors
    /// No name could be drawn, or the directory could not be made.
    pub(super) fn create() -> io::Result<Self> {
        // Drawn, so that nobody can be there first; `create` fails where somebody is.
        let chance = getrandom::u64().map_err(io::Error::other)?;
        let path = std::env::temp_dir().join(format!("streamfront-demo-{chance:016x}"));
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self { path })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        // What cannot be removed is a temporary file, which the system clears away.
        let _ = fs::remove_dir_all(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_with_everything_in_it() {
        let workspace = Workspace::create().unwrap();
        let path = workspace.path().to_owned();
        fs::write(path.join("file"), b"x").unwrap();
        assert_ne!(Workspace::create().unwrap().path(), path);
        drop(workspace);
        assert!(!path.exists());
    }
}
