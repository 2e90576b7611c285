//! How long a bucket that failed is left alone.

use std::time::Duration;

/// After the first failure.
const FIRST: Duration = Duration::from_secs(1);

/// After many: an outage of hours is over for the log within a minute of its end.
const LONGEST: Duration = Duration::from_secs(60);

/// The rest after so many failures in a row: between half and all of a time that doubles. `chance`
/// says where between, from 0 to `u32::MAX`.
pub(super) fn rest(failures: u32, chance: u32) -> Duration {
    let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
    let longest = FIRST.saturating_mul(doubled).min(LONGEST);
    longest.mul_f64(0.5 + 0.5 * f64::from(chance) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_double_up_to_a_bound_and_are_spread() {
        assert_eq!(rest(1, u32::MAX), FIRST);
        assert_eq!(rest(1, 0), FIRST / 2);
        assert_eq!(rest(3, u32::MAX), FIRST * 4);
        assert_eq!(rest(u32::MAX, u32::MAX), LONGEST);
    }
}
