//! Rendered bytes, kept for every viewer who wants them: segment files, the memory tier, and the
//! table of renders in flight.
//!
//! The cache does not know what it stores. A caller names what it wants by a key and hands in how
//! it is rendered; the answer comes from memory, from the render of another caller that is under
//! way, or from a render of its own ([`RenderCache`]). Media indexes go through the same door as
//! segments: anything that can be cloned cheaply and says what it weighs ([`Weigh`]).
//!
//! Between the claim of a key and its render stands the disk tier ([`disk`]), where there is one:
//! a key that is on the disk is in one caller's hands and nobody else's while it is read.

pub mod descriptors;
pub mod disk;
pub mod flight;
pub mod memory;
mod pages;
pub mod rendered;
pub mod segment;
pub mod tier;
pub mod usage;

pub use disk::{Disk, DiskError, DiskUse, Stored, StoredKey};
pub use flight::{Landed, RenderError};
pub use memory::{Memory, MemorySize, MemoryUse, Weigh};
pub use rendered::{RENDERS_MAX, RenderCache, Run, SourceUse};
pub use segment::SegmentFile;
pub use tier::Tier;
pub use usage::{CacheUse, usage};
