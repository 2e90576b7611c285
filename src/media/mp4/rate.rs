//! Ticks to milliseconds without a division.
//!
//! Planning an hour of film turns half a million ticks into times, and with a divisor that is not
//! known before it runs, the division is the dearest step of it. So it is made a multiplication by
//! the reciprocal, once and for all found when the track is opened, and one correction. The result
//! is that of [`MediaTime::from_ticks`], to the millisecond, for all ticks: what the short way does
//! not reach (times before 0, and beyond 2^53 ticks) goes the long way.

use crate::units::MediaTime;

/// A media timescale, ready to convert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rate {
    timescale: u32,
    /// Twice the ticks of a second: the divisor, doubled so that rounding halves up is exact.
    divisor: u64,
    /// 2^64 by the divisor, rounded down.
    reciprocal: u64,
}

impl Rate {
    /// Of so many ticks a second; 0 counts as 1.
    pub fn new(timescale: u32) -> Self {
        let divisor = u64::from(timescale.max(1)).saturating_mul(2);
        Self {
            timescale,
            divisor,
            reciprocal: u64::MAX.checked_div(divisor).unwrap_or(0),
        }
    }

    /// Ticks a second.
    pub fn timescale(self) -> u32 {
        self.timescale
    }

    /// The time of an absolute tick count.
    pub fn time(self, ticks: i64) -> MediaTime {
        self.multiplied(ticks)
            .unwrap_or_else(|| MediaTime::from_ticks(ticks, self.timescale))
    }

    fn multiplied(self, ticks: i64) -> Option<MediaTime> {
        let half = i64::try_from(self.divisor).ok()?.checked_div(2)?;
        let doubled = ticks.checked_mul(2_000)?.checked_add(half)?;
        let doubled = u64::try_from(doubled).ok()?;
        // The reciprocal is less than 1 short, so the product is less than 1 short of the
        // quotient: what comes out is the quotient, or one less.
        let product = u128::from(doubled).wrapping_mul(u128::from(self.reciprocal));
        let low = u64::try_from(product >> 64).ok()?;
        let rest = doubled.wrapping_sub(low.wrapping_mul(self.divisor));
        let millis = low.wrapping_add(u64::from(rest >= self.divisor));
        i64::try_from(millis).ok().map(MediaTime::from_millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scales() -> impl Strategy<Value = u32> {
        prop_oneof![
            any::<u32>(),
            0u32..10,
            prop::sample::select(vec![1_000, 12_800, 30_000, 44_100, 48_000, 90_000]),
        ]
    }

    #[test]
    fn an_hour_goes_the_short_way() {
        let rate = Rate::new(90_000);
        assert_eq!(
            rate.multiplied(324_000_000),
            Some(MediaTime::from_millis(3_600_000))
        );
        assert_eq!(rate.multiplied(45), Some(MediaTime::from_millis(1)));
        assert_eq!(rate.multiplied(44), Some(MediaTime::ZERO));
    }

    proptest! {
        #[test]
        fn times_are_those_of_a_division(
            ticks in prop_oneof![any::<i64>(), -9_000i64..9_000, 0i64..1 << 40, Just(i64::MAX)],
            scale in scales(),
        ) {
            prop_assert_eq!(Rate::new(scale).time(ticks), MediaTime::from_ticks(ticks, scale));
        }

        #[test]
        fn and_at_every_edge_of_a_millisecond(millis in 0i64..1 << 33, scale in scales(), off in -2i64..3) {
            let edge = i128::from(millis * 2 - 1) * i128::from(scale) / 2_000;
            let ticks = i64::try_from(edge).unwrap() + off;
            prop_assert_eq!(Rate::new(scale).time(ticks), MediaTime::from_ticks(ticks, scale));
        }
    }
}
