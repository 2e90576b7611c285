//! RTMPT: an RTMP connection in the bodies of HTTP requests and replies.
//!
//! The viewer asks, the server answers. `/open/1` makes a session and tells its id; then requests
//! `/send/ID/N` carry the viewer's bytes, `/idle/ID/N` carry none, and each reply carries what the
//! server has to say, behind one byte that says how long to wait until the next request. `/close/ID/N`
//! is the end. N begins at 0 and counts up, so that requests can be put in order whichever TCP
//! connection or proxy each of them came through, and one that was repeated can be told.
//!
//! The protocol was never published; this is what librtmp and ffmpeg send and need, and what Red5
//! writes of it (rtmp.md, section 5). Nothing here knows HTTP, a clock or a socket: [`Request`]
//! reads a path, [`Tunnel`] is one session, and both are told the time.

mod id;
mod input;
mod interval;
mod number;
mod output;
mod request;
mod session;

use std::time::Duration;

pub use self::id::TunnelId;
pub use self::number::Number;
pub use self::request::{Kind, Request};
pub use self::session::{Arrival, Fault, Incoming, Reply, Tunnel};

/// Bytes in the body of one request: what a viewer may say before connect, and as much as the
/// longest message by default. Players send a few hundred.
pub const BODY_MAX: usize = 64 * 1024;

/// Bytes of the viewer that wait to be read: one body always fits, and two never have to.
pub const INPUT_MAX: usize = BODY_MAX;

/// Bytes for the viewer that wait to be fetched, and so in one reply. On a line of 100 ms that is
/// 2.5 MB a second to a viewer who asks again after each reply.
pub const OUTPUT_MAX: usize = 256 * 1024;

/// Requests that came before their turn, or for whose body there is no room yet. Players have one
/// under way, those with several connections two or three.
pub const HELD_MAX: usize = 8;

/// Bytes in the bodies of these.
pub const HELD_BYTES: usize = BODY_MAX;

/// How long a request is held for those before it, or for room. A proxy that lost one of them says
/// so sooner, and the player has given up by then.
pub const HELD_TIME: Duration = Duration::from_secs(10);

/// How long an idle request waits for something to say. It saves most of the requests of a viewer
/// who has nothing to fetch; a pause or seek that a player cannot send before the reply has come is
/// late by no more than this.
pub const IDLE_WAIT: Duration = Duration::from_millis(80);

/// The same for a request that brings bytes. Most of them are answered within a millisecond, and
/// librtmp sends several in a row, each of which waits for the reply to the one before.
pub const SEND_WAIT: Duration = Duration::from_millis(20);

/// A viewer who asks for nothing for so long is gone: as long as one on plain TCP may take no byte,
/// and enough for a reply of 256 KiB on a telephone line.
pub const SILENCE_MAX: Duration = Duration::from_secs(60);
