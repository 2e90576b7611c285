//! RTMP: handshake, chunks, messages, commands, and the server's side of a connection. Pure.

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

pub mod chunk;
pub mod command;
pub mod handshake;
pub mod message;
pub mod server;
pub mod status;
pub mod tunnel;
