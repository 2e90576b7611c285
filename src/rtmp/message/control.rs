//! Protocol control messages, as bytes: whole messages on chunk stream 2, message stream 0.

use super::{ACKNOWLEDGEMENT, SET_CHUNK_SIZE, SET_PEER_BANDWIDTH, WINDOW_ACKNOWLEDGEMENT_SIZE};
use crate::rtmp::chunk::{CSID_CONTROL, DEFAULT_CHUNK_SIZE, write_message};
use crate::units::Millis;

/// How strictly a peer is to keep to a bandwidth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerBandwidth {
    /// It must.
    Hard,
    /// It must, unless it keeps to less already.
    Soft,
    /// It may; what servers have always sent.
    Dynamic,
}

/// Set Chunk Size: from here on our chunks hold up to `size` bytes.
pub fn set_chunk_size(out: &mut Vec<u8>, size: u32) {
    control(out, SET_CHUNK_SIZE, &size.to_be_bytes());
}

/// Acknowledgement: `total` bytes have been received since the start, modulo 2^32.
pub fn acknowledgement(out: &mut Vec<u8>, total: u32) {
    control(out, ACKNOWLEDGEMENT, &total.to_be_bytes());
}

/// Window Acknowledgement Size: an acknowledgement is wanted each `size` bytes.
pub fn window_acknowledgement_size(out: &mut Vec<u8>, size: u32) {
    control(out, WINDOW_ACKNOWLEDGEMENT_SIZE, &size.to_be_bytes());
}

/// Set Peer Bandwidth: no more than `size` bytes should be under way to us.
pub fn peer_bandwidth(out: &mut Vec<u8>, size: u32, limit: PeerBandwidth) {
    let [a, b, c, d] = size.to_be_bytes();
    let limit = match limit {
        PeerBandwidth::Hard => 0,
        PeerBandwidth::Soft => 1,
        PeerBandwidth::Dynamic => 2,
    };
    control(out, SET_PEER_BANDWIDTH, &[a, b, c, d, limit]);
}

/// A message of the protocol itself: short enough to be one chunk of any size that we use.
pub(super) fn control(out: &mut Vec<u8>, type_id: u8, payload: &[u8]) {
    let none = Millis(0);
    write_message(
        out,
        DEFAULT_CHUNK_SIZE,
        CSID_CONTROL,
        none,
        type_id,
        0,
        payload,
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out);
        out
    }

    #[test]
    fn are_written_as_the_specification_draws_them() {
        assert_eq!(
            written(|out| set_chunk_size(out, 65_536)),
            [2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 1, 0, 0]
        );
        assert_eq!(
            written(|out| acknowledgement(out, 7)),
            [2, 0, 0, 0, 0, 0, 4, 3, 0, 0, 0, 0, 0, 0, 0, 7]
        );
        assert_eq!(
            written(|out| window_acknowledgement_size(out, 2_500_000)),
            [2, 0, 0, 0, 0, 0, 4, 5, 0, 0, 0, 0, 0x00, 0x26, 0x25, 0xa0]
        );
        assert_eq!(
            written(|out| peer_bandwidth(out, 2_500_000, PeerBandwidth::Dynamic)),
            [
                2, 0, 0, 0, 0, 0, 5, 6, 0, 0, 0, 0, 0x00, 0x26, 0x25, 0xa0, 2
            ]
        );
    }
}
