//! From segments to one viewer.
//!
//! Three parts are pure: where a viewer is ([`player`]), how far they may be ([`pacer`]), and what
//! goes to their socket next ([`sender`]). [`stream`] brings them together for one message stream:
//! commands, playlists, and what the viewer is told ([`reply`]). [`socket`] is the thin edge to
//! the kernel.

pub mod ahead;
pub mod filter;
pub mod job;
pub mod media;
pub mod pacer;
pub mod player;
pub mod reply;
pub mod sender;
pub mod socket;
pub mod stream;
pub mod viewer;
