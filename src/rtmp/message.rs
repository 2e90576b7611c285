//! Messages: their types, and the small ones that steer the protocol itself.
//!
//! RTMP 1.0 sections 5.4 (protocol control), 6.2 (user control) and 7.1 (types). A user control
//! event that we do not know is kept as such and does no harm.

mod control;
mod user;

pub use control::{
    PeerBandwidth, acknowledgement, peer_bandwidth, set_chunk_size, window_acknowledgement_size,
};
pub use user::UserControl;

use bytes::Bytes;

use crate::units::Millis;

/// Set Chunk Size: 4 bytes.
pub const SET_CHUNK_SIZE: u8 = 1;
/// Abort: the chunk stream whose unfinished message is dropped.
pub const ABORT: u8 = 2;
/// Acknowledgement: how many bytes the sender has received in all.
pub const ACKNOWLEDGEMENT: u8 = 3;
/// User control: an event and its arguments.
pub const USER_CONTROL: u8 = 4;
/// Window Acknowledgement Size: after how many bytes the sender wants an acknowledgement.
pub const WINDOW_ACKNOWLEDGEMENT_SIZE: u8 = 5;
/// Set Peer Bandwidth.
pub const SET_PEER_BANDWIDTH: u8 = 6;
/// Audio.
pub const AUDIO: u8 = 8;
/// Video.
pub const VIDEO: u8 = 9;
/// Data, AMF3.
pub const DATA_AMF3: u8 = 15;
/// Command, AMF3.
pub const COMMAND_AMF3: u8 = 17;
/// Data, AMF0: metadata and the like.
pub const DATA: u8 = 18;
/// Command, AMF0.
pub const COMMAND: u8 = 20;
/// Several messages in one.
pub const AGGREGATE: u8 = 22;

/// The longest message that a header can announce: 24 bits.
pub const MESSAGE_MAX: u32 = 0xff_ffff;

/// One whole message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its time, milliseconds modulo 2^32.
    pub timestamp: Millis,
    /// Its type: a constant of this module, or one that we do not know.
    pub type_id: u8,
    /// The message stream that it belongs to; 0 is the connection itself.
    pub stream: u32,
    /// What it carries.
    pub payload: Bytes,
    /// At which byte of the connection its first header begins.
    pub at: u64,
}
