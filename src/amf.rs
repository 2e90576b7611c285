//! Action Message Format: the values inside commands and metadata.
//!
//! AMF0 in both directions, AMF3 only in (message types 15 and 17, and the AMF0 marker that
//! switches to it), because every player reads AMF0. Properties keep their order. Viewers and
//! files are hostile: depth, number of values and bytes are bounded by [`Limits`], nothing is
//! allocated by a count that the input claims, and decoding is a recursion that the depth limit
//! ends, so the deepest nesting costs a few kilobytes of stack.
//!
//! Follows the AMF 0 specification (2006) and the AMF 3 specification (2013).

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

pub mod amf3;
mod decode;
mod encode;
mod error;
mod limits;
mod value;

pub use decode::{Decoder, decode_all};
pub use encode::{encode, encode_name};
pub use error::AmfError;
pub use limits::Limits;
pub use value::Value;
