//! How a value is written in a field of the log (cloudfront.md, section 4.3). Pure.

/// The characters that are written as a percent sign and two digits, beside those up to the blank
/// and those from DEL on.
const ENCODED: &[u8] = b"<>\"#%{}|\\^~[]`'";

/// The longest field, bytes as written: a viewer chooses what stands there, and an escape is three
/// or five bytes for one of theirs. A signed name, the longest that is real, has some 2 KiB.
pub const FIELD_MAX: usize = 4096;

/// Writes a value, cut before the first character that would make it longer than [`FIELD_MAX`].
/// `double`: the percent sign of `%22`, `%5C` and `%20` is written as `%25`, as the documents up to
/// 2019 say.
pub fn encode(out: &mut String, value: &str, double: bool) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |value: u8| char::from(DIGITS[usize::from(value & 0xF)]);
    let end = out.len() + FIELD_MAX;
    // Up to where whole characters are written and fit.
    let mut whole = out.len();
    for (at, byte) in value.bytes().enumerate() {
        if value.is_char_boundary(at) {
            if out.len() > end {
                break;
            }
            whole = out.len();
        }
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
    if out.len() > end {
        out.truncate(whole);
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

    #[test]
    fn a_field_is_cut_at_the_last_character_that_fits() {
        let plain = "x".repeat(FIELD_MAX);
        assert_eq!(encoded(&plain, false), plain);
        assert_eq!(encoded(&format!("{plain}y"), false), plain);
        // Six bytes each.
        let cut = encoded(&"é".repeat(FIELD_MAX), false);
        assert_eq!(cut, "%C3%A9".repeat(FIELD_MAX / 6));
        let cut = encoded(&format!("{}é", "x".repeat(FIELD_MAX - 5)), false);
        assert_eq!(cut, "x".repeat(FIELD_MAX - 5));
    }

    proptest! {
        #[test]
        fn no_field_is_too_long_and_what_is_cut_is_the_end(
            value in "(\\PC|[\0-\x7f]){0,40}", times in 1..200_usize, double: bool,
        ) {
            let value = value.repeat(times);
            let mut out = String::from("before");
            encode(&mut out, &value, double);
            let written = out.strip_prefix("before").unwrap();
            prop_assert!(written.len() <= FIELD_MAX);
            let decode = |text: &str| percent_decode_str(text).decode_utf8().unwrap().into_owned();
            if !double {
                prop_assert!(value.starts_with(&decode(written)));
                prop_assert!(written.len() + 12 > FIELD_MAX || decode(written) == value);
            }
        }

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
