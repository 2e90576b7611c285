//! Hexadecimal, lowercase, as signatures and hashes are written.

/// Bytes as hexadecimal digits.
pub(super) fn encode(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes that lowercase digits stand for.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let sound = text
        .bytes()
        .all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    if !sound || !text.len().is_multiple_of(2) {
        return None;
    }
    text.as_bytes()
        .chunks_exact(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_lowercase_and_in_pairs() {
        assert_eq!(encode(&[0, 0xaf, 0xff]), "00afff");
        assert_eq!(decode("00afff"), Some(vec![0, 0xaf, 0xff]));
        assert_eq!(decode(""), Some(Vec::new()));
        for wrong in ["0", "0A", "0x", "+1", " 1", "ä"] {
            assert_eq!(decode(wrong), None, "{wrong:?}");
        }
    }
}
