//! Descriptors of files that rows come into: few, those that were used last, for descriptors are
//! for viewers. A file that has none is opened again when it is needed.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::file::{OPEN, path};

/// Descriptors at once.
pub(super) const HANDLES_MAX: usize = 64;

/// The descriptors, by the names of their files.
#[derive(Debug, Default)]
pub(super) struct Handles {
    held: HashMap<Arc<str>, (u64, File)>,
    /// Names by when they were used, counted.
    order: BTreeMap<u64, Arc<str>>,
    uses: u64,
}

impl Handles {
    /// The descriptor of a file that is there.
    pub(super) fn get(&mut self, directory: &Path, name: &Arc<str>) -> io::Result<&mut File> {
        let file = match self.forget(name) {
            Some(file) => file,
            None => options().open(path(directory, name, OPEN))?,
        };
        Ok(self.put(name, file))
    }

    /// Makes a file that must not be there yet.
    pub(super) fn create(&mut self, directory: &Path, name: &Arc<str>) -> io::Result<&mut File> {
        let file = options()
            .create_new(true)
            .open(path(directory, name, OPEN))?;
        Ok(self.put(name, file))
    }

    /// Gives a descriptor away.
    pub(super) fn forget(&mut self, name: &str) -> Option<File> {
        let (used, file) = self.held.remove(name)?;
        self.order.remove(&used);
        Some(file)
    }

    fn put(&mut self, name: &Arc<str>, file: File) -> &mut File {
        while self.held.len() >= HANDLES_MAX
            && let Some((_, longest)) = self.order.pop_first()
        {
            self.held.remove(&longest);
        }
        self.uses = self.uses.saturating_add(1);
        self.order.insert(self.uses, Arc::clone(name));
        let held = self.held.entry(Arc::clone(name));
        &mut held.insert_entry((self.uses, file)).into_mut().1
    }
}

fn options() -> std::fs::OpenOptions {
    let mut options = File::options();
    // Read where a flush has failed.
    options.read(true).append(true);
    options
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    #[test]
    fn the_files_used_last_keep_their_descriptors_and_the_others_are_opened_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut handles = Handles::default();
        let names: Vec<Arc<str>> = (0..HANDLES_MAX + 2)
            .map(|number| number.to_string().into())
            .collect();
        for name in &names {
            handles.create(folder.path(), name).unwrap();
            // The first is always the one that was used last but for that.
            handles.get(folder.path(), &names[0]).unwrap();
        }
        assert_eq!(handles.held.len(), HANDLES_MAX);
        assert_eq!(handles.order.len(), HANDLES_MAX);
        assert!(handles.held.contains_key(&names[0]));
        assert!(!handles.held.contains_key(&names[1]));
        let file = handles.get(folder.path(), &names[1]).unwrap();
        file.write_all(b"x").unwrap();
        assert!(handles.create(folder.path(), &names[1]).is_err());
        drop(handles.forget(&names[1]));
        let mut text = String::new();
        let file = handles.get(folder.path(), &names[1]).unwrap();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "x");
    }
}
