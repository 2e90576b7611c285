//! From what a player asks for to what is stored: host to distribution, stream name to object key,
//! object to its index and segments.
//!
//! [`host`] and [`name`] are pure; they read what viewers send. `open` binds names to versions of
//! objects; an [`Object`] is one version with its index, and renders its segments into the cache.

mod error;
pub mod host;
pub mod name;
mod object;
mod open;
mod reader;
mod segment;

pub use error::{Failure, PlayError};
pub use name::StreamName;
pub use object::{Brought, Object, ObjectKey, Stretch};
pub use open::Objects;
pub use segment::{Segment, SegmentKey};

use std::sync::Arc;

use crate::cache::RenderCache;

/// The segments of all objects of all distributions.
pub type SegmentCache = RenderCache<SegmentKey, Arc<Segment>, PlayError>;
