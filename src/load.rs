//! Many players at once, and what they cost: `streamfront bench`.
//!
//! A stranger to the server: it speaks RTMP to any server, knows nothing of this one, and shares
//! only the plain format code (AMF, chunk writer, units) with it. It has a protocol stack of its
//! own, because a player must cost less than the server that it measures: [`skim`] walks chunk
//! headers and passes over payloads, which nobody copies or keeps.
//!
//! Pure are [`skim`], [`session`], [`clock`], [`zipf`] and [`target`]: bytes and times go in. Around
//! them stand tasks, one a player, on a few threads with one read buffer each (`player`,
//! `crew`), counters that a sampler reads (`tally`), what is seen of the server from outside
//! (`watch`), and reports ([`report`]).

pub mod clock;
mod crew;
mod discard;
mod options;
mod player;
mod probe;
mod random;
pub mod report;
mod run;
mod seat;
pub mod session;
pub mod skim;
mod tally;
pub mod target;
mod watch;
pub mod zipf;

pub use options::{Options, Start};
pub use report::Report;
pub use run::{LoadError, Progress, run};
pub use target::Target;
