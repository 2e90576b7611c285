//! The AMF0 writer. It cannot fail: what AMF0 has no form for is written in the nearest one.

use super::Value;

/// Bytes of AMF3 that one length can say: 28 bits.
const AMF3_LEN_MAX: usize = (1 << 28) - 1;

/// Appends `value` to `out`. Text above 4 GiB and names above 64 KiB are cut at a character.
pub fn encode(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Number(number) => {
            out.push(0x00);
            out.extend_from_slice(&number.to_be_bytes());
        }
        Value::Boolean(boolean) => out.extend_from_slice(&[0x01, u8::from(*boolean)]),
        Value::String(text) if text.len() <= usize::from(u16::MAX) => {
            out.push(0x02);
            encode_name(text, out);
        }
        Value::String(text) => long_text(0x0c, text, out),
        Value::Object(properties) => {
            out.push(0x03);
            encode_properties(properties, out);
        }
        Value::EcmaArray(properties) => {
            out.push(0x08);
            out.extend_from_slice(&count(properties.len()).to_be_bytes());
            encode_properties(properties, out);
        }
        Value::StrictArray(elements) => {
            out.push(0x0a);
            out.extend_from_slice(&count(elements.len()).to_be_bytes());
            elements.iter().for_each(|element| encode(element, out));
        }
        Value::TypedObject(class, properties) => {
            out.push(0x10);
            encode_name(class, out);
            encode_properties(properties, out);
        }
        Value::Date(millis, zone) => {
            out.push(0x0b);
            out.extend_from_slice(&millis.to_be_bytes());
            out.extend_from_slice(&zone.to_be_bytes());
        }
        Value::Xml(text) => long_text(0x0f, text, out),
        Value::Reference(index) => {
            out.push(0x07);
            out.extend_from_slice(&index.to_be_bytes());
        }
        Value::Bytes(bytes) => byte_array(bytes, out),
        Value::Null => out.push(0x05),
        Value::Undefined => out.push(0x06),
        Value::Unsupported => out.push(0x0d),
    }
}

/// Appends a property name: a string without a marker.
pub fn encode_name(name: &str, out: &mut Vec<u8>) {
    let mut end = name.len().min(usize::from(u16::MAX));
    while !name.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    let name = name.get(..end).unwrap_or_default();
    let len = u16::try_from(name.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(name.as_bytes());
}

fn encode_properties(properties: &[(String, Value)], out: &mut Vec<u8>) {
    for (name, value) in properties {
        encode_name(name, out);
        encode(value, out);
    }
    out.extend_from_slice(&[0, 0, 0x09]);
}

fn long_text(marker: u8, text: &str, out: &mut Vec<u8>) {
    out.push(marker);
    out.extend_from_slice(&count(text.len()).to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

fn count(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

/// AMF0 has no raw bytes: an AMF3 byte array after the marker that switches.
fn byte_array(bytes: &[u8], out: &mut Vec<u8>) {
    if bytes.len() > AMF3_LEN_MAX {
        out.push(0x0d);
        return;
    }
    out.extend_from_slice(&[0x11, 0x0c]);
    // The lowest bit says that the bytes follow, rather than a reference to earlier ones.
    let head = count(bytes.len()).saturating_mul(2) | 1;
    let [a, b, c, d] = [head >> 22, head >> 15, head >> 8, head].map(low_byte);
    if head < 1 << 7 {
        out.push(d);
    } else if head < 1 << 14 {
        out.extend_from_slice(&[low_byte(head >> 7) | 0x80, d & 0x7f]);
    } else if head < 1 << 21 {
        let [upper, middle] = [head >> 14, head >> 7].map(|bits| low_byte(bits) | 0x80);
        out.extend_from_slice(&[upper, middle, d & 0x7f]);
    } else {
        // The fourth byte of this form has eight bits of its own.
        out.extend_from_slice(&[a | 0x80, b | 0x80, c | 0x80, d]);
    }
    out.extend_from_slice(bytes);
}

fn low_byte(bits: u32) -> u8 {
    let [.., low] = bits.to_be_bytes();
    low
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::{Decoder, Limits, decode_all};
    use super::*;
    use proptest::prelude::*;

    fn bytes(value: &Value) -> Vec<u8> {
        let mut out = Vec::new();
        encode(value, &mut out);
        out
    }

    #[test]
    fn writes_the_forms_of_the_specification() {
        assert_eq!(bytes(&Value::from(1.0)), [0, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(bytes(&Value::from("ab")), b"\x02\x00\x02ab");
        let properties = vec![("a".to_owned(), Value::Boolean(true))];
        assert_eq!(
            bytes(&Value::Object(properties.clone())),
            b"\x03\x00\x01a\x01\x01\x00\x00\x09"
        );
        assert_eq!(
            bytes(&Value::EcmaArray(properties)),
            b"\x08\x00\x00\x00\x01\x00\x01a\x01\x01\x00\x00\x09"
        );
        let long = bytes(&Value::from("x".repeat(65_536)));
        assert_eq!(long.get(..6), Some(&b"\x0c\x00\x01\x00\x00x"[..]));
    }

    #[test]
    fn byte_arrays_of_every_length_form_come_back() {
        let limits = Limits {
            bytes: 3 << 20,
            ..Limits::COMMAND
        };
        for len in [0, 63, 64, 8191, 8192, (1 << 20) - 1, 1 << 20, (1 << 21) + 5] {
            let value = Value::Bytes(vec![7; len]);
            assert_eq!(
                decode_all(&bytes(&value), &limits),
                Ok(vec![value]),
                "{len}"
            );
        }
    }

    #[test]
    fn a_name_that_is_too_long_is_cut_at_a_character() {
        let mut out = Vec::new();
        encode_name(&"€".repeat(30_000), &mut out);
        assert_eq!(out.get(..2), Some(&[0xff, 0xff][..]));
        assert_eq!(
            std::str::from_utf8(out.get(2..).unwrap())
                .unwrap()
                .chars()
                .count(),
            21_845
        );
    }

    pub fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            // NaN is not equal to itself; its bits are tried in the fuzz target.
            (-1e300f64..1e300).prop_map(Value::Number),
            any::<bool>().prop_map(Value::Boolean),
            ".{0,20}".prop_map(Value::String),
            ((-1e15f64..1e15), any::<i16>()).prop_map(|(millis, zone)| Value::Date(millis, zone)),
            ".{0,20}".prop_map(Value::Xml),
            any::<u16>().prop_map(Value::Reference),
            any::<Vec<u8>>().prop_map(Value::Bytes),
            Just(Value::Null),
            Just(Value::Undefined),
            Just(Value::Unsupported),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            let properties = proptest::collection::vec(("[a-z]{0,5}", inner.clone()), 0..6);
            prop_oneof![
                properties.clone().prop_map(Value::Object),
                properties.clone().prop_map(Value::EcmaArray),
                ("[a-z]{0,5}", properties)
                    .prop_map(|(class, properties)| Value::TypedObject(class, properties)),
                proptest::collection::vec(inner, 0..6).prop_map(Value::StrictArray),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(values in proptest::collection::vec(any_value(), 0..5)) {
            let mut out = Vec::new();
            values.iter().for_each(|value| encode(value, &mut out));
            prop_assert_eq!(decode_all(&out, &Limits::COMMAND), Ok(values));
        }

        #[test]
        fn every_cut_is_an_error_or_a_whole_value(value in any_value(), cut: prop::sample::Index) {
            let out = bytes(&value);
            let cut = cut.index(out.len());
            let mut decoder = Decoder::new(&out[..cut], &Limits::COMMAND);
            prop_assert_eq!(decoder.value().is_ok(), cut == 0);
        }
    }
}
