//! How a value is written in a field of the log (cloudfront.md, section 4.3). Pure.

/// The characters that are written as a percent sign and two digits, beside those up to the blank
/// and those from DEL on.
const ENCODED: &[u8] = b"<>\"#%{}|\\^~[]`'";

/// Writes a value. `double`: the percent sign of `%22`, `%5C` and `%20` is written as `%25`, as the
/// documents up to 2019 say.
pub fn encode(out: &mut String, value: &str, double: bool) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |value: u8| char::from(DIGITS[usize::from(value & 0xF)]);
    for byte in value.bytes() {
        if byte > 32 && byte < 127 && !ENCODED.contains(&byte) {
            out.push(char::from(byte));
            continue;
        }
        out.push('%');
        if double && matches!(byte, b' ' | b'"' | b'\\') {
            out.push_str("25");
        }
        out.extend([digit(byte >> 4), digit(byte)]);
    }
}

/// The same; nothing at all is written as a hyphen.
pub fn field(out: &mut String, value: &str, double: bool) {
    if value.is_empty() {
        out.push('-');
    } else {
        encode(out, value, double);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use percent_encoding::percent_decode_str;
    use proptest::prelude::*;

    fn encoded(value: &str, double: bool) -> String {
        let mut out = String::new();
        encode(&mut out, value, double);
        out
    }

    #[test]
    fn the_documented_characters_are_encoded_and_no_others() {
        for byte in 0..=127_u8 {
            let value = char::from(byte).to_string();
            let wanted = byte <= 32 || byte == 127 || "<>\"#%{}|\\^~[]`'".contains(&value);
            let expected = if wanted {
                format!("%{byte:02X}")
            } else {
                value.clone()
            };
            assert_eq!(encoded(&value, false), expected);
        }
        assert_eq!(encoded("é", true), "%C3%A9");
    }

    #[test]
    fn three_characters_have_a_double_form() {
        assert_eq!(encoded("LNX 10,0,32,18", false), "LNX%2010,0,32,18");
        assert_eq!(encoded("a b\"c\\d%e", true), "a%2520b%2522c%255Cd%25e");
    }

    proptest! {
        #[test]
        fn a_field_is_one_field_and_can_be_read_back(value in "\\PC{0,40}|[\0-\x7f]{0,40}") {
            let mut out = String::new();
            field(&mut out, &value, false);
            prop_assert!(out.bytes().all(|byte| byte > 32 && byte < 127));
            if !value.is_empty() {
                let decoded = percent_decode_str(&out).decode_utf8().unwrap();
                prop_assert_eq!(decoded, value);
            }
        }

        #[test]
        fn what_is_encoded_twice_is_read_back_in_two_steps(value in "[ \"\\\\a-z]{1,40}") {
            let decode = |text: &str| percent_decode_str(text).decode_utf8().unwrap().into_owned();
            prop_assert_eq!(decode(&decode(&encoded(&value, true))), value);
        }
    }
}
