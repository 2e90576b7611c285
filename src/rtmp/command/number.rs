//! Numbers that clients send as times and ids: doubles, of which many are no such thing.

use crate::amf::Value;
use crate::units::MediaTime;

/// The latest time that a client can name: 2^48 ms, nine thousand years. Sums of a few of them
/// stay far from the ends of every integer.
const LATEST: f64 = 281_474_976_710_656.0;

/// A whole number of milliseconds, at most [`LATEST`] from zero; `None` for what is no number.
pub(super) fn millis(number: f64) -> Option<MediaTime> {
    if number.is_nan() {
        return None;
    }
    // A whole number below 2^53 after the clamp: the conversion is exact.
    #[allow(clippy::cast_possible_truncation)]
    let millis = number.round().clamp(-LATEST, LATEST) as i64;
    Some(MediaTime::from_millis(millis))
}

/// A time that is not before the start; `None` for what is no number.
pub(super) fn position(number: f64) -> Option<MediaTime> {
    millis(number).map(|time| time.max(MediaTime::ZERO))
}

/// An id or a set of flags: a whole number from 0 to 2^32 - 1.
pub(super) fn unsigned(number: f64) -> Option<u32> {
    u32::try_from(millis(number)?.millis()).ok()
}

/// A boolean, or a number that stands for one.
pub(super) fn truth(value: Option<&Value>) -> Option<bool> {
    let value = value?;
    let number = value.as_number().map(|number| number != 0.0);
    value.as_bool().or(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absurd_numbers_are_clamped_or_refused() {
        assert_eq!(millis(f64::NAN), None);
        assert_eq!(millis(f64::INFINITY), Some(MediaTime::from_millis(1 << 48)));
        assert_eq!(millis(-1e300), Some(MediaTime::from_millis(-(1 << 48))));
        assert_eq!(millis(20_000.4), Some(MediaTime::from_millis(20_000)));
        assert_eq!(position(-5.0), Some(MediaTime::ZERO));
        assert_eq!(unsigned(-1.0), None);
        assert_eq!(unsigned(4_294_967_295.0), Some(u32::MAX));
        assert_eq!(unsigned(4_294_967_296.0), None);
    }
}
