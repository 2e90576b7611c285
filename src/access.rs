//! Who may play what. Pure.
//!
//! So far: whether a cross-domain policy admits the site that a player was loaded from. Signed
//! names will stand beside it.

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

pub mod crossdomain;
