//! Data messages that open a play.

use super::Outgoing;
use crate::amf::{Value, encode, encode_name};
use crate::rtmp::chunk::CSID_DATA;
use crate::rtmp::message::DATA;

/// The longest metadata that is sent, bytes: one chunk. It goes to each viewer at each seek, by a
/// write of its own, and a keyframe table of hours is the only honest thing that is longer.
pub const METADATA_MAX: usize = 64 * 1024;

/// Whether a player may look at the samples that it plays: audio, then video.
pub fn sample_access() -> Outgoing {
    Outgoing::data(&["|RtmpSampleAccess".into(), true.into(), true.into()])
}

/// onMetaData with these properties, as an ECMA array: ffmpeg takes nothing else for metadata.
/// Above [`METADATA_MAX`] `keyframes` is left out, then every property that no longer fits.
pub fn metadata(properties: &[(String, Value)]) -> Outgoing {
    let encoded: Vec<(&str, Vec<u8>)> = properties.iter().map(property).collect();
    let whole = encoded
        .iter()
        .map(|(_, bytes)| bytes.len())
        .fold(0, usize::saturating_add);
    let mut room = METADATA_MAX.saturating_sub(ENDS);
    let fits = |(name, bytes): &(&str, Vec<u8>)| {
        if whole > METADATA_MAX.saturating_sub(ENDS) && *name == "keyframes" {
            return false;
        }
        let left = room.checked_sub(bytes.len());
        room = left.unwrap_or(room);
        left.is_some()
    };
    let kept: Vec<(&str, Vec<u8>)> = encoded.into_iter().filter(fits).collect();
    let mut payload = Vec::new();
    encode(&"onMetaData".into(), &mut payload);
    payload.push(0x08);
    payload.extend_from_slice(&u32::try_from(kept.len()).unwrap_or(u32::MAX).to_be_bytes());
    kept.iter()
        .for_each(|(_, bytes)| payload.extend_from_slice(bytes));
    payload.extend_from_slice(&[0, 0, 0x09]);
    Outgoing {
        csid: CSID_DATA,
        type_id: DATA,
        payload,
    }
}

/// Bytes of an onMetaData message without properties: its name, the head and the end of its array.
const ENDS: usize = 13 + 5 + 3;

fn property((name, value): &(String, Value)) -> (&str, Vec<u8>) {
    let mut bytes = Vec::new();
    encode_name(name, &mut bytes);
    encode(value, &mut bytes);
    (name, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::amf::{Limits, decode_all};

    fn sent(properties: &[(String, Value)]) -> Vec<(String, Value)> {
        let outgoing = metadata(properties);
        assert_eq!((outgoing.csid, outgoing.type_id), (5, 18));
        assert!(outgoing.payload.len() <= METADATA_MAX);
        let mut values = decode_all(
            &outgoing.payload,
            &Limits {
                values: 100_000,
                ..Limits::COMMAND
            },
        )
        .unwrap();
        match (values.remove(0), values.remove(0)) {
            (Value::String(name), Value::EcmaArray(properties)) if name == "onMetaData" => {
                properties
            }
            other => panic!("{other:?}"),
        }
    }

    fn keyframes(count: usize) -> (String, Value) {
        let times = Value::StrictArray(vec![1.0.into(); count]);
        (
            "keyframes".into(),
            Value::Object(vec![("times".into(), times)]),
        )
    }

    #[test]
    fn short_metadata_is_sent_whole() {
        assert_eq!(
            sample_access().payload,
            b"\x02\x00\x11|RtmpSampleAccess\x01\x01\x01\x01"
        );
        let all = [("duration".into(), 12.5.into()), keyframes(100)];
        assert_eq!(sent(&all), all);
        assert_eq!(
            metadata(&[]).payload,
            b"\x02\x00\x0aonMetaData\x08\x00\x00\x00\x00\x00\x00\x09"
        );
    }

    #[test]
    fn what_is_too_long_is_left_out() {
        let duration = ("duration".to_owned(), Value::from(12.5));
        assert_eq!(
            sent(&[keyframes(20_000), duration.clone()]),
            std::slice::from_ref(&duration)
        );
        let xmp = ("xmp".to_owned(), Value::from("x".repeat(70_000)));
        assert_eq!(sent(&[xmp, duration.clone()]), [duration]);
    }

    #[test]
    fn the_limit_is_exact() {
        // Name 2 + 1, marker 1, long length 4: the text takes the rest.
        let text = "x".repeat(METADATA_MAX - ENDS - 8);
        let fits = [("a".to_owned(), Value::Xml(text.clone()))];
        assert_eq!(metadata(&fits).payload.len(), METADATA_MAX);
        let longer = [("a".to_owned(), Value::Xml(text + "x"))];
        assert_eq!(sent(&longer), []);
    }
}
