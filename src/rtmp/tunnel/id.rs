//! The name of a session: 128 bits that nobody can guess, in hexadecimal digits.
//!
//! It is all that shows that a request belongs to a session, so whoever makes one takes it from a
//! random source. Players keep at most 63 characters; these are 32.

use std::fmt::{self, Display};

/// The id of a tunnel.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TunnelId(pub [u8; 16]);

impl TunnelId {
    /// Reads an id as it is shown, and in no other way.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.len() == 32
            && text
                .bytes()
                .all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'));
        let bits = digits.then(|| u128::from_str_radix(text, 16).ok())??;
        Some(Self(bits.to_be_bytes()))
    }
}

impl Display for TunnelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

/// Who reads an id in a log could take the session over, so that only its beginning is told.
impl fmt::Debug for TunnelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, ..] = self.0;
        write!(f, "TunnelId({a:02x}{b:02x}..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_shown_is_read_again(bits: [u8; 16]) {
            let shown = TunnelId(bits).to_string();
            prop_assert_eq!(shown.len(), 32);
            prop_assert_eq!(TunnelId::parse(&shown), Some(TunnelId(bits)));
        }

        #[test]
        fn nothing_else_is_an_id(text: String) {
            if let Some(id) = TunnelId::parse(&text) {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }

    #[test]
    fn digits_that_u128_would_take_are_none() {
        for text in [
            "+0000000000000000000000000000001",
            "0000000000000000000000000000000A",
            "",
        ] {
            assert_eq!(TunnelId::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_log_does_not_tell_it() {
        assert_eq!(format!("{:?}", TunnelId([0xAB; 16])), "TunnelId(abab..)");
    }
}
