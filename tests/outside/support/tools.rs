//! Finds the programs the tests need. A missing one fails the test and says what installs it: a
//! test that skips is a test that nobody misses.

use std::env;
use std::path::{Path, PathBuf};

/// The root of the package.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A program on the PATH.
pub fn tool(name: &str) -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
        .unwrap_or_else(|| panic!("{name} is not installed: `make test` installs it"))
}

/// A program of the project's own virtual environment.
pub fn venv(name: &str) -> PathBuf {
    let file = root().join(".venv/bin").join(name);
    assert!(
        file.is_file(),
        "{} is missing: `make test` installs it",
        file.display()
    );
    file
}
