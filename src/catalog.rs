//! From what a player asks for to what is stored: host to distribution, stream name to object key,
//! object to its index and segments.
//!
//! [`host`], [`name`] and [`freshness`] are pure; the first two read what viewers send. `open`
//! binds names to versions of objects, `check` asks the origin for them, `purge` forgets them; an
//! [`Object`] is one version with its index, and renders its segments into the cache.

mod binding;
mod check;
mod error;
pub mod freshness;
pub mod host;
pub mod name;
mod object;
mod open;
mod purge;
mod reader;
mod segment;

pub use binding::{NEGATIVE_TTL, Policy};
pub use error::{Failure, PlayError};
pub use freshness::Freshness;
pub use name::StreamName;
pub use object::{Brought, Object, ObjectKey, Stretch};
pub use open::{CrossDomain, Objects, ObjectsUse};
pub use purge::{Purge, Purged};
pub use segment::{Segment, SegmentKey};

use std::sync::Arc;

use crate::cache::RenderCache;

/// The segments of all objects of all distributions.
pub type SegmentCache = RenderCache<SegmentKey, Arc<Segment>, PlayError>;
