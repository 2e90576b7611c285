//! The message streams of a connection.

use std::collections::BTreeMap;

/// Characters of a name that are kept: the refusal of a seek repeats them, and a viewer must not
/// make us send much more than it sends.
const NAME_KEPT: usize = 64;

/// Which message streams are open, and the start of the name that was last played on each.
#[derive(Debug)]
pub(super) struct Streams {
    names: BTreeMap<u32, String>,
    limit: u32,
}

impl Streams {
    pub(super) const fn new(limit: u32) -> Self {
        Self {
            names: BTreeMap::new(),
            limit,
        }
    }

    /// Opens the stream with the lowest free number, from 1; `None` where all are taken.
    pub(super) fn create(&mut self) -> Option<u32> {
        let free = (1..=self.limit).find(|stream| !self.contains(*stream))?;
        self.names.insert(free, String::new());
        Some(free)
    }

    /// Whether it was open.
    pub(super) fn delete(&mut self, stream: u32) -> bool {
        self.names.remove(&stream).is_some()
    }

    pub(super) fn contains(&self, stream: u32) -> bool {
        self.names.contains_key(&stream)
    }

    pub(super) fn set_name(&mut self, stream: u32, name: &str) {
        if let Some(known) = self.names.get_mut(&stream) {
            *known = name.chars().take(NAME_KEPT).collect();
        }
    }

    pub(super) fn name(&self, stream: u32) -> &str {
        self.names.get(&stream).map_or("", String::as_str)
    }
}
