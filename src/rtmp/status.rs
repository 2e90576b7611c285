//! What we say to players in commands and data messages: the one place that builds them.
//!
//! Codes and levels are Adobe's and load-bearing; the wording of descriptions is not (the table
//! "Status messages" of the design). Everything is AMF0, as deployed servers send it whatever
//! `objectEncoding` a client asks for.

mod connect;
mod data;
mod reply;
mod stream;

pub use connect::{Rejection, connect_closed, connect_error, connect_result};
pub use data::{METADATA_MAX, metadata, sample_access};
pub use reply::{call_failed, error, on_bw_done, on_fc_subscribe, result};
pub use stream::Status;

use crate::amf::{self, Value};
use crate::rtmp::chunk::{CSID_COMMAND, CSID_DATA, write_message};
use crate::rtmp::message::{COMMAND, DATA};
use crate::units::Millis;

/// A command or data message, before it is cut into chunks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// The chunk stream that it goes on.
    pub csid: u32,
    /// Its type.
    pub type_id: u8,
    /// What it carries.
    pub payload: Vec<u8>,
}

impl Outgoing {
    /// A command of the connection.
    fn call(values: &[Value]) -> Self {
        Self::new(CSID_COMMAND, COMMAND, values)
    }

    /// A command of a message stream.
    fn status(values: &[Value]) -> Self {
        Self::new(CSID_DATA, COMMAND, values)
    }

    /// Data of a message stream.
    fn data(values: &[Value]) -> Self {
        Self::new(CSID_DATA, DATA, values)
    }

    fn new(csid: u32, type_id: u8, values: &[Value]) -> Self {
        let mut payload = Vec::new();
        values
            .iter()
            .for_each(|value| amf::encode(value, &mut payload));
        Self {
            csid,
            type_id,
            payload,
        }
    }

    /// Appends it to `out` as chunks.
    pub fn write(&self, out: &mut Vec<u8>, chunk_size: u32, timestamp: Millis, stream: u32) {
        let Self {
            csid,
            type_id,
            payload,
        } = self;
        write_message(out, chunk_size, *csid, timestamp, *type_id, stream, payload);
    }
}

/// Properties in this order.
fn properties<const N: usize>(list: [(&str, Value); N]) -> Vec<(String, Value)> {
    list.into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}
