//! What the owner of a connection says to its client. Everything is appended to the output in the
//! order of the calls, so that a step's replies leave in one write.

use super::{Phase, Server};
use crate::amf::Value;
use crate::rtmp::chunk::{CHUNK_SIZE, CSID_AUDIO, CSID_DATA, CSID_VIDEO, write_message};
use crate::rtmp::message::{self, PeerBandwidth, UserControl};
use crate::rtmp::status::{self, Rejection, Status};
use crate::units::Millis;

/// The window that we announce, bytes: what Adobe's server announces. Acknowledgements are of no
/// use to us, so it is large.
const WINDOW: u32 = 2_500_000;

/// Bytes that may be under way to the client without an acknowledgement: as many as can be said.
/// librtmp acknowledges each tenth part. Through the tunnel each such request makes the next reply
/// follow the one that is being read, and where the head of that reply does not fit into the rest
/// of its buffer it takes the connection for closed: with 2,500,000, after some tens of MB.
const PEER_BANDWIDTH: u32 = 0x7fff_ffff;

impl Server {
    /// Accepts the connect that was asked for. Nothing happens where none was.
    pub fn accept_connect(&mut self) {
        let Phase::Asked {
            transaction,
            connect,
        } = &self.phase
        else {
            return;
        };
        let result = status::connect_result(*transaction, connect);
        self.phase = Phase::Connected;
        let out = &mut self.output;
        message::window_acknowledgement_size(out, WINDOW);
        message::peer_bandwidth(out, PEER_BANDWIDTH, PeerBandwidth::Dynamic);
        message::set_chunk_size(out, CHUNK_SIZE);
        self.chunk_size = CHUNK_SIZE;
        UserControl::StreamBegin(0).write(out);
        self.send(&result);
        self.send(&status::on_bw_done());
        let held = std::mem::take(&mut self.held);
        // A violation in it is kept, and told by `check`.
        let _ = self.unless_violated(|server| server.consume(&held));
    }

    /// Refuses the connect that was asked for. The owner closes the connection once this is sent;
    /// until then what the client says is ignored.
    pub fn reject_connect(&mut self, rejection: Rejection) {
        if let Phase::Asked { transaction, .. } = self.phase {
            self.send(&status::connect_error(transaction, rejection));
            self.phase = Phase::Rejected;
        }
    }

    /// Tells the client that its connection ends, and why. The owner closes it once this is sent.
    pub fn close_connect(&mut self, reason: &str) {
        self.send(&status::connect_closed(reason));
    }

    /// Answers [`super::Event::StreamLength`], in seconds; `None` where there is nothing to tell.
    pub fn stream_length(&mut self, transaction: f64, seconds: Option<f64>) {
        let reply = match seconds {
            Some(seconds) => status::result(transaction, seconds.into()),
            None => status::error(transaction, "The length of the stream is not known."),
        };
        self.send(&reply);
    }

    /// Tells a status of a message stream. `timestamp` is where the stream is: players handle data
    /// messages (see [`Status`]) when they have played up to there.
    pub fn status(&mut self, stream: u32, timestamp: Millis, status: &Status<'_>) {
        let outgoing = status.outgoing(stream, &self.client_id);
        outgoing.write(&mut self.output, self.chunk_size, timestamp, stream);
    }

    /// Sends a user control event.
    pub fn user_control(&mut self, event: UserControl) {
        event.write(&mut self.output);
    }

    /// Sends onMetaData; see [`status::metadata`] for what is left out.
    pub fn metadata(&mut self, stream: u32, timestamp: Millis, properties: &[(String, Value)]) {
        let outgoing = status::metadata(properties);
        outgoing.write(&mut self.output, self.chunk_size, timestamp, stream);
    }

    /// Allows a player to look at the samples that it plays.
    pub fn sample_access(&mut self, stream: u32, timestamp: Millis) {
        let outgoing = status::sample_access();
        outgoing.write(&mut self.output, self.chunk_size, timestamp, stream);
    }

    /// Sends a media message of a preface: a codec head or one picture. Copies its body.
    pub fn media_message(&mut self, type_id: u8, timestamp: Millis, stream: u32, body: &[u8]) {
        let csid = match type_id {
            message::AUDIO => CSID_AUDIO,
            message::VIDEO => CSID_VIDEO,
            _ => CSID_DATA,
        };
        let chunk_size = self.chunk_size;
        write_message(
            &mut self.output,
            chunk_size,
            csid,
            timestamp,
            type_id,
            stream,
            body,
        );
    }
}
