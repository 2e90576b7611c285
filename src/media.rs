//! Containers and codecs: from the bytes of an object to its samples, in the order and at the
//! times in which they are sent. Pure: bytes that were read go in; ranges that must be read next,
//! and samples, come out.
//!
//! Every container does two things. A *builder* makes the index: `step(&Fetched)` answers with the
//! ranges it needs next or with the index ([`Step`]). The index is a [`Demux`]: it opens cursors,
//! and a cursor walked with [`Demux::next`] yields [`Sample`]s. A sample never holds its payload,
//! only where the payload is and the FLV tag head that goes before it, so that an index of a
//! ten-hour file stays small and a segment is rendered from exactly the ranges that it sends.
//!
//! Nothing here believes a count that a file claims: tables stay slices of what was read.

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

pub mod codec;
mod demux;
mod error;
mod fetched;
#[cfg(test)]
mod fixture;
pub mod flv;
mod index;
mod info;
pub mod mp3;
pub mod mp4;
pub mod probe;
mod sample;
mod stored;

pub use demux::{Demux, Found, Next, Step, Walked};
pub use error::{Container, MediaError};
pub use fetched::Fetched;
pub use index::{Cursor, Index, IndexBuilder};
pub use info::{Heads, MediaInfo};
pub use sample::{Kind, Prefix, Sample};
