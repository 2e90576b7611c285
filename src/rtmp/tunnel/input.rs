//! What the viewer has sent and nobody has read yet.
//!
//! Bodies are copied: they are small, and a body of one byte would keep the whole buffer alive that
//! HTTP read it into.

use std::collections::VecDeque;
use std::io::Read;

use super::INPUT_MAX;

/// Bytes that an empty queue keeps room for.
const KEPT: usize = 4 * 1024;

/// A queue of bytes.
#[derive(Debug, Default)]
pub(super) struct Input(VecDeque<u8>);

impl Input {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether so many bytes more may wait.
    pub(super) fn has_room(&self, more: usize) -> bool {
        self.len().saturating_add(more) <= INPUT_MAX
    }

    pub(super) fn push(&mut self, body: &[u8]) {
        self.0.extend(body);
    }

    /// Moves what fits to `buffer`; how much that was.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> usize {
        let mut total = 0_usize;
        // One call reads up to where the ring of bytes turns.
        while let Some(rest) = buffer.get_mut(total..).filter(|rest| !rest.is_empty())
            && let Ok(read @ 1..) = self.0.read(rest)
        {
            total = total.saturating_add(read);
        }
        if self.0.is_empty() {
            self.0.shrink_to(KEPT);
        }
        total
    }
}
