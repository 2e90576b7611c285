//! Writing chunks: plain functions, because a type 0 header needs to know nothing of what went before.

use super::{CSID_MAX, EXTENDED};
use crate::rtmp::message::MESSAGE_MAX;
use crate::units::Millis;

/// Appends a whole message in chunks of up to `chunk_size` bytes of payload.
///
/// A header cannot say a payload above [`MESSAGE_MAX`]; one that is longer is cut there, so that
/// the peer stays in step. `csid` is clamped to 2..=65599.
pub fn write_message(
    out: &mut Vec<u8>,
    chunk_size: u32,
    csid: u32,
    timestamp: Millis,
    type_id: u8,
    stream: u32,
    payload: &[u8],
) {
    let max = usize::try_from(MESSAGE_MAX).unwrap_or(usize::MAX);
    let payload = payload.get(..max).unwrap_or(payload);
    let len = u32::try_from(payload.len()).unwrap_or(MESSAGE_MAX);
    message_head(out, csid, timestamp, len, type_id, stream);
    let chunk_size = usize::try_from(chunk_size.max(1)).unwrap_or(usize::MAX);
    for (index, chunk) in payload.chunks(chunk_size).enumerate() {
        if index > 0 {
            continuation_head(out, csid, timestamp);
        }
        out.extend_from_slice(chunk);
    }
}

/// Appends the header of a message's first chunk: type 0. `len` is that of the whole message and
/// at most [`MESSAGE_MAX`].
pub fn message_head(
    out: &mut Vec<u8>,
    csid: u32,
    timestamp: Millis,
    len: u32,
    type_id: u8,
    stream: u32,
) {
    basic_head(out, 0, csid);
    push_u24(out, timestamp.0.min(EXTENDED));
    push_u24(out, len.min(MESSAGE_MAX));
    out.push(type_id);
    out.extend_from_slice(&stream.to_le_bytes());
    extended_timestamp(out, timestamp);
}

/// Appends the header of a message's later chunk: type 3, with the message's timestamp again
/// where that is extended.
pub fn continuation_head(out: &mut Vec<u8>, csid: u32, timestamp: Millis) {
    basic_head(out, 3, csid);
    extended_timestamp(out, timestamp);
}

fn extended_timestamp(out: &mut Vec<u8>, timestamp: Millis) {
    if timestamp.0 >= EXTENDED {
        out.extend_from_slice(&timestamp.0.to_be_bytes());
    }
}

/// The form of header and the chunk stream, in one to three bytes.
fn basic_head(out: &mut Vec<u8>, format: u8, csid: u32) {
    let format = format << 6;
    let csid = csid.clamp(2, CSID_MAX);
    let [.., high, low] = csid.saturating_sub(64).to_be_bytes();
    match csid {
        ..64 => out.push(format | u8::try_from(csid).unwrap_or(u8::MAX)),
        64..320 => out.extend_from_slice(&[format, low]),
        _ => out.extend_from_slice(&[format | 1, low, high]),
    }
}

fn push_u24(out: &mut Vec<u8>, number: u32) {
    let [_, a, b, c] = number.to_be_bytes();
    out.extend_from_slice(&[a, b, c]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_a_full_header_and_short_continuations() {
        let mut out = Vec::new();
        write_message(&mut out, 2, 6, Millis(0x01_0203), 9, 1, b"abcde");
        assert_eq!(
            out,
            b"\x06\x01\x02\x03\x00\x00\x05\x09\x01\x00\x00\x00ab\xc6cd\xc6e"
        );
    }

    #[test]
    fn an_extended_timestamp_is_on_each_chunk() {
        let mut out = Vec::new();
        write_message(&mut out, 2, 6, Millis(0xff_ffff), 9, 1, b"abc");
        assert_eq!(out, b"\x06\xff\xff\xff\x00\x00\x03\x09\x01\x00\x00\x00\x00\xff\xff\xffab\xc6\x00\xff\xff\xffc");
        out.clear();
        write_message(&mut out, 2, 6, Millis(0xff_fffe), 9, 1, b"abc");
        assert_eq!(
            out,
            b"\x06\xff\xff\xfe\x00\x00\x03\x09\x01\x00\x00\x00ab\xc6c"
        );
    }

    #[test]
    fn chunk_stream_ids_take_one_to_three_bytes() {
        for (csid, head) in [
            (2, &[0xc2][..]),
            (63, &[0xff]),
            (64, &[0xc0, 0]),
            (319, &[0xc0, 255]),
            (320, &[0xc1, 0, 1]),
            (65_599, &[0xc1, 255, 255]),
        ] {
            let mut out = Vec::new();
            continuation_head(&mut out, csid, Millis(0));
            assert_eq!(out, head, "{csid}");
        }
    }

    #[test]
    fn an_empty_message_is_a_header() {
        let mut out = Vec::new();
        write_message(&mut out, 128, 4, Millis(5), 8, 1, b"");
        assert_eq!(out, [4, 0, 0, 5, 0, 0, 0, 8, 1, 0, 0, 0]);
    }
}
