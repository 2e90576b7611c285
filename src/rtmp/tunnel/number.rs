//! The number of a request, which counts up by one and begins again some day.
//!
//! A client that counts in 32 bits comes from 4,294,967,295 back to 0, one with a sign from
//! 2,147,483,647 to -2,147,483,648, and one with more bits goes on: modulo 2^32 all are the same.

/// The number of a request within its session, modulo 2^32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Number(pub u32);

impl Number {
    /// Reads decimal digits, with a sign where the number is negative.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let plain = !digits.is_empty() && digits.bytes().all(|it| it.is_ascii_digit());
        let number = plain.then(|| text.parse::<i64>().ok())??;
        let low = number.cast_unsigned() & u64::from(u32::MAX);
        u32::try_from(low).ok().map(Self)
    }

    /// The next one.
    pub const fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }

    /// How far it is ahead of `other`; beyond 2^31 it is behind.
    pub const fn ahead_of(self, other: Self) -> u32 {
        self.0.wrapping_sub(other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_way_to_count_is_the_same(number: u32) {
            let wide = u64::from(number) + (7 << 32);
            for text in [number.to_string(), number.cast_signed().to_string(), wide.to_string()] {
                prop_assert_eq!(Number::parse(&text), Some(Number(number)));
            }
            prop_assert_eq!(Number(number).next().ahead_of(Number(number)), 1);
        }

        #[test]
        fn whatever_is_there_is_read_or_refused(text: String) {
            Number::parse(&text);
        }
    }

    #[test]
    fn what_is_no_number() {
        for text in ["", "-", "+1", "1 ", "0x1", "9223372036854775808", "１"] {
            assert_eq!(Number::parse(text), None, "{text}");
        }
    }
}
