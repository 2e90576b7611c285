//! How much waits in all sessions together, and so how much one may let wait.
//!
//! A viewer on plain TCP who takes nothing fills buffers of the kernel, which bounds them all
//! together; here they are this process's own, and it does the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

use crate::rtmp::tunnel::OUTPUT_MAX;

/// Bytes that may wait in all sessions before each may have only little more: a thousand viewers
/// who are sent to as fast as they take it.
pub const MEMORY_MAX: usize = 512 * 1024 * 1024;

/// Bytes that may wait for one viewer, and that one request may bring, when all together is too
/// much: they get on, slowly.
pub const SCARCE: usize = 16 * 1024;

/// What waits in all sessions, and on its way from them.
#[derive(Debug, Default)]
pub(super) struct Memory(AtomicUsize);

/// A reply that HTTP has not written yet. A viewer who does not read it has it kept, whatever their
/// session has gone on to meanwhile.
struct OnItsWay {
    body: Bytes,
    memory: Arc<Memory>,
}

impl AsRef<[u8]> for OnItsWay {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

impl Drop for OnItsWay {
    fn drop(&mut self) {
        self.memory.changed(self.body.len(), 0);
    }
}

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

    /// The same bytes, counted until the last who has them lets go.
    pub(super) fn on_its_way(self: &Arc<Self>, body: Bytes) -> Bytes {
        self.changed(0, body.len());
        let memory = Arc::clone(self);
        Bytes::from_owner(OnItsWay { body, memory })
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
    fn a_reply_counts_until_it_is_written() {
        let memory = Arc::new(Memory::default());
        let body = memory.on_its_way(Bytes::from_static(b"reply"));
        let other = body.clone();
        drop(body);
        assert_eq!((memory.taken(), &other[..]), (5, &b"reply"[..]));
        drop(other);
        assert_eq!(memory.taken(), 0);
    }

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
