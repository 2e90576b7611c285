//! From samples to *segments*: runs of whole RTMP messages, muxed once for all viewers.
//!
//! With full (type 0) chunk headers, absolute media timestamps, a fixed chunk size, fixed chunk
//! streams and message stream id 1, the bytes of an object are the same for every viewer and every
//! position. So a segment is a pure function of an index and of ranges of its object. This module
//! holds that function ([`Render`]), the rule that cuts an object into segments ([`cut`]), and what
//! is known of where the segments begin ([`Plan`]). It reads nothing itself: like an index builder,
//! a render says which ranges it needs next.

// Pure code that reads what viewers and files control: what could panic does not compile.
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation
    )
)]

pub mod cut;
mod mux;
mod patch;
mod plan;
mod render_one;
mod search;
mod segment;
#[cfg(test)]
pub(crate) mod testing;

pub use mux::STREAM_ID;
pub use patch::{Patched, patch};
pub use plan::{After, Entry, Plan};
pub use render_one::{Render, RenderError, Rendered, coalesce};
pub use search::Search;
pub use segment::{Cue, Group, Rendering, SegmentId};

/// The version of the bytes that this module makes: part of every cache key, to be raised with
/// every change of them.
pub const RENDER_VERSION: u32 = 1;
