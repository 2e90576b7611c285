//! From segments to one viewer.
//!
//! Some parts are pure: where a viewer is ([`player`]), how far they may be ([`pacer`]), how fast
//! they are sent to where that is capped ([`rate`]), and what goes to their socket next
//! ([`sender`]). [`stream`] brings them together for one message stream: commands, playlists, and
//! what the viewer is told ([`reply`]). [`socket`] is the thin edge to the kernel; [`meter`]
//! counts, and [`session`] is what others see.

pub mod ahead;
pub mod filter;
pub mod job;
pub mod media;
pub mod meter;
pub mod pacer;
pub mod player;
pub mod rate;
pub mod reply;
pub mod sender;
pub mod served;
pub mod session;
pub mod socket;
pub mod stream;
pub mod viewer;
