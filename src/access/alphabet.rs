//! Base64 as it stands in signed names: `+`, `=` and `/` are written `-`, `_` and `~`
//! (cloudfront.md, section 3.5).
//!
//! Lenient where real signers differ: the signs of plain base64 are read too, padding may be
//! missing, and what an HTTP library wrote with percent signs is undone. Bits that mean nothing
//! must be zero, so that no bit of a signature can be changed unnoticed.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use percent_encoding::percent_decode_str;

const ENGINE: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// As it stands in a name.
pub fn encode(bytes: &[u8]) -> String {
    let sign = |sign| match sign {
        '+' => '-',
        '=' => '_',
        '/' => '~',
        other => other,
    };
    ENGINE.encode(bytes).chars().map(sign).collect()
}

/// What stands in a name; `None` where that is no base64.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let sign = |sign| match sign {
        b'-' => b'+',
        b'_' => b'=',
        b'~' => b'/',
        other => other,
    };
    let plain: Vec<u8> = percent_decode_str(text).map(sign).collect();
    ENGINE.decode(plain).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_three_signs_and_their_lenient_forms() {
        let bytes = [0xfb, 0xff, 0xfe, 0xff];
        assert_eq!(encode(&bytes), "-~~-~w__");
        for text in [
            "-~~-~w__",
            "-~~-~w",
            "+//+/w==",
            "-%7E%7e-~w__",
            "%2B%2F~-~w%3D%3D",
        ] {
            assert_eq!(decode(text).as_deref(), Some(&bytes[..]), "{text}");
        }
        for text in ["-~~-~x__", "a", "a b_", "\u{e4}", "abc!", "____", "a___"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(bytes: Vec<u8>) {
            let text = encode(&bytes);
            prop_assert!(!text.contains(['+', '=', '/']));
            prop_assert_eq!(decode(&text), Some(bytes));
        }

        #[test]
        fn no_text_is_a_surprise(text in "\\PC{0,100}") {
            let _ = decode(&text);
        }
    }
}
