//! How much waits in all sessions together, and so how much one may let wait.
//!
//! A viewer on plain TCP who takes nothing fills buffers of the kernel, which bounds them all
//! together; here they are this process's own, and it does the same.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::rtmp::tunnel::OUTPUT_MAX;

/// Bytes that may wait in all sessions before each may have only little more: a thousand viewers
/// who are sent to as fast as they take it.
pub const MEMORY_MAX: usize = 512 * 1024 * 1024;

/// Bytes that may wait for one viewer, and that one request may bring, when all together is too
/// much: they get on, slowly.
pub const SCARCE: usize = 16 * 1024;

/// What waits in all sessions.
#[derive(Debug, Default)]
pub(super) struct Memory(AtomicUsize);

impl Memory {
    /// Bytes that may wait for one viewer now, and so what a seek or pause is behind at most
    /// (rule 5).
    pub(super) fn most(&self) -> usize {
        if self.is_scarce() { SCARCE } else { OUTPUT_MAX }
    }

    /// Whether too much waits already.
    pub(super) fn is_scarce(&self) -> bool {
        self.taken() >= MEMORY_MAX
    }

    /// A session that held `before` bytes holds `after`.
    pub(super) fn changed(&self, before: usize, after: usize) {
        if after >= before {
            self.0.fetch_add(after - before, Ordering::Relaxed);
        } else {
            self.0.fetch_sub(before - after, Ordering::Relaxed);
        }
    }

    pub(super) fn taken(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_much_waits_little_more_may() {
        let memory = Memory::default();
        assert_eq!(memory.most(), OUTPUT_MAX);
        memory.changed(0, MEMORY_MAX);
        assert_eq!(memory.most(), SCARCE);
        memory.changed(MEMORY_MAX, MEMORY_MAX - 1);
        assert_eq!(memory.most(), OUTPUT_MAX);
        memory.changed(MEMORY_MAX - 1, 0);
        assert_eq!(memory.taken(), 0);
    }
}
