//! Times and sizes as people write them: `10s`, `250ms`, `5m`, `24h`; `64KiB`, `256MiB`, `1GB`.
//!
//! A number without a unit is refused for a time, because nobody knows which was meant, and is
//! bytes for a size.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use serde::de::{Deserializer, Error, Visitor};

/// Units of time and how many milliseconds each is.
const TIMES: [(&str, u64); 5] = [
    ("ms", 1),
    ("s", 1000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];

/// Units of size and how many bytes each is.
const SIZES: [(&str, u64); 8] = [
    ("", 1),
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("kB", 1000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
];

/// Reads a time such as `10s`.
///
/// # Errors
/// One line that says how a time is written.
pub fn duration(text: &str) -> Result<Duration, String> {
    measure(text, &TIMES)
        .map(Duration::from_millis)
        .ok_or_else(|| format!("{text:?} is not a time such as 250ms, 10s, 5m or 24h"))
}

/// Reads a size such as `256MiB`.
///
/// # Errors
/// One line that says how a size is written.
pub fn size(text: &str) -> Result<u64, String> {
    measure(text, &SIZES)
        .ok_or_else(|| format!("{text:?} is not a size such as 512, 64KiB, 256MiB or 2GB"))
}

/// Reads digits, then one of `units`, spaces between them allowed.
fn measure(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim();
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    let number: u64 = digits.parse().ok()?;
    let (_, scale) = units.iter().find(|(name, _)| *name == unit.trim())?;
    number.checked_mul(*scale)
}

/// For `#[serde(deserialize_with)]`: a time, as a string.
pub(super) fn de_duration<'de, D: Deserializer<'de>>(de: D) -> Result<Duration, D::Error> {
    de.deserialize_str(Text(duration, "a time such as \"10s\"", PhantomData))
}

/// For `#[serde(deserialize_with)]`: a time that need not be given, as a string.
pub(super) fn de_some_duration<'de, D: Deserializer<'de>>(
    de: D,
) -> Result<Option<Duration>, D::Error> {
    de_duration(de).map(Some)
}

/// For `#[serde(deserialize_with)]`: a size, as a string or a number of bytes.
pub(super) fn de_size<'de, D: Deserializer<'de>>(de: D) -> Result<u64, D::Error> {
    de.deserialize_any(Text(size, "a size such as \"256MiB\"", PhantomData))
}

/// As [`de_size`], for a key without a default.
pub(super) fn de_some_size<'de, D: Deserializer<'de>>(de: D) -> Result<Option<u64>, D::Error> {
    de_size(de).map(Some)
}

/// Reads a string by a function. A whole number goes through it as text.
struct Text<T, F>(F, &'static str, PhantomData<T>);

impl<T, F: FnOnce(&str) -> Result<T, String>> Visitor<'_> for Text<T, F> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.1)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        (self.0)(text).map_err(E::custom)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit() {
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("10s"), Ok(Duration::from_secs(10)));
        assert_eq!(duration(" 5 m "), Ok(Duration::from_secs(300)));
        assert_eq!(duration("24h"), Ok(Duration::from_secs(86_400)));
        assert_eq!(duration("0s"), Ok(Duration::ZERO));
        for text in [
            "",
            "10",
            "s",
            "-1s",
            "1.5s",
            "10 s s",
            "10S",
            "99999999999999999d",
            "١s",
        ] {
            assert!(duration(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn sizes_are_binary_or_decimal() {
        assert_eq!(size("512"), Ok(512));
        assert_eq!(size("64KiB"), Ok(65_536));
        assert_eq!(size("256MiB"), Ok(268_435_456));
        assert_eq!(size("2GB"), Ok(2_000_000_000));
        assert_eq!(size("0"), Ok(0));
        for text in ["", "MiB", "-1", "1.5GiB", "1K", "1mib", "99999999999GiB"] {
            assert!(size(text).is_err(), "{text:?}");
        }
    }
}
