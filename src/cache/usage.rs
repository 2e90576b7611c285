//! What the media in this process takes, in one place.
//!
//! A segment's bytes are counted once, for as long as anybody holds them: the memory tier, a viewer
//! who is being sent to, the queue for the disk, a render that was just finished. So the bound is
//! a sum:
//!
//! | what | bound |
//! |---|---|
//! | cached | `cache.memory` |
//! | pinned, that is sent while evicted | one segment (512 KiB, or one message) for each connection that takes no byte, for `limits.stall_timeout` |
//! | being rendered | 64 renders, each what it reads and what it makes of it |
//! | waiting for the disk | 16 MiB, and two buffers of 8 MiB |
//! | being read from the disk | 16 values, twice |
//! | read ahead, held by the stream that will send it | `cache.read_ahead` |

use super::segment;

/// What segments take in this process now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CacheUse {
    /// Bytes of all segments that somebody holds: cached, pinned, or waiting for the disk.
    pub segment_bytes: u64,
    /// Files (memfds) among them.
    pub segment_files: u64,
    /// Segments that went to the heap for want of a descriptor, since the start.
    pub heap_fallbacks: u64,
}

/// What segments take in this process now. What the memory tier holds of it is in
/// [`super::MemoryUse`], and what waits for the disk in [`super::DiskUse`]; the rest is pinned by
/// viewers.
pub fn usage() -> CacheUse {
    CacheUse {
        segment_bytes: segment::live_bytes(),
        segment_files: segment::open_files(),
        heap_fallbacks: segment::heap_fallbacks(),
    }
}
