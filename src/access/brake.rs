//! What keeps one connection from having one name after the other verified: after so many refusals
//! no more of its names are looked at for a while, and they are refused as if they had been.
//!
//! A token bucket, kept as the one time at which all refusals are paid for. Pure: the time comes in
//! with each call.

use std::time::{Duration, Instant};

/// Refused names in a row that are looked at: more than a player tries by itself, and a playlist of
/// a page whose signatures have expired goes through.
pub const BURST: u32 = 32;

/// How long one refusal counts: a player that asks for the same expired name each second is never
/// braked. At its worst a connection costs 22 verifications ([`super::VERIFICATIONS_MAX`]) a
/// second: with RSA of 2048 bits 0.05 % of a core, and one line of the log.
pub const EACH: Duration = Duration::from_secs(1);

/// The brake of one connection.
#[derive(Debug, Clone, Default)]
pub struct Brake {
    /// When all refusals are paid for; none: there were none.
    paid: Option<Instant>,
}

impl Brake {
    /// Takes that a name was refused. Whether that was the last one that is looked at for now.
    pub fn refused(&mut self, now: Instant) -> bool {
        let was_on = self.is_on(now);
        let paid = self.paid.map_or(now, |paid| paid.max(now));
        self.paid = paid.checked_add(EACH).or(self.paid);
        !was_on && self.is_on(now)
    }

    /// Whether names are refused unseen.
    pub fn is_on(&self, now: Instant) -> bool {
        let owed = self.paid.map(|paid| paid.saturating_duration_since(now));
        owed.is_some_and(|owed| owed > EACH.saturating_mul(BURST.saturating_sub(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_burst_is_looked_at_and_then_one_for_each_refusal_that_is_paid() {
        let start = Instant::now();
        let mut brake = Brake::default();
        assert!(!brake.is_on(start));
        for number in 1..BURST {
            assert!(!brake.refused(start), "{number}");
            assert!(!brake.is_on(start), "{number}");
        }
        assert!(brake.refused(start), "the last one");
        assert!(brake.is_on(start) && brake.is_on(start + EACH - Duration::from_nanos(1)));
        let next = start + EACH;
        assert!(!brake.is_on(next));
        assert!(brake.refused(next) && brake.is_on(next));
        assert!(!brake.refused(next), "it was on before");
        // Long after, all is as at the start.
        let later = start + EACH * (2 * BURST);
        for _ in 1..BURST {
            assert!(!brake.refused(later));
        }
        assert!(brake.refused(later));
    }

    #[test]
    fn who_asks_once_in_a_while_is_never_braked() {
        let start = Instant::now();
        let mut brake = Brake::default();
        for number in 0..10 * BURST {
            assert!(!brake.refused(start + EACH * number), "{number}");
        }
    }

    proptest! {
        /// In any stretch of time no more are looked at than a burst and those that were paid.
        #[test]
        fn no_more_are_looked_at_than_it_says(steps in prop::collection::vec(0_u64..400, 100..300)) {
            let start = Instant::now();
            let mut brake = Brake::default();
            let (mut now, mut looked) = (start, Vec::new());
            for step in steps {
                now += Duration::from_millis(step);
                if !brake.is_on(now) {
                    brake.refused(now);
                    looked.push(now);
                }
            }
            for (first, from) in looked.iter().enumerate() {
                for (last, to) in looked.iter().enumerate().skip(first) {
                    let most = u128::from(BURST) + (*to - *from).as_millis() / EACH.as_millis();
                    prop_assert!((last - first + 1) as u128 <= most);
                }
            }
        }
    }
}
