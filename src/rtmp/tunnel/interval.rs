//! The first byte of each reply: how long a player is to wait until it asks again.
//!
//! The unit is about 1/64 s, and 1 means at once. As Red5 does: 1 after a reply that said
//! something; doubled after each ten that did not, up to half a second. ffmpeg and librtmp ignore
//! it, Flash goes by it.

/// Empty replies in a row after which the interval is raised.
const RAISED_AFTER: u8 = 10;

/// The longest delay; on the wire one more.
const DELAY_MAX: u8 = 32;

/// The interval of a session.
#[derive(Debug, Default)]
pub(super) struct Interval {
    delay: u8,
    empty: u8,
}

impl Interval {
    /// The byte of the next reply, which says something or not.
    pub(super) fn next(&mut self, says: bool) -> u8 {
        if says {
            *self = Self::default();
        } else {
            self.empty = self.empty.saturating_add(1);
        }
        if self.empty >= RAISED_AFTER {
            self.empty = 0;
            self.delay = self.delay.max(1).saturating_mul(2).min(DELAY_MAX);
        }
        self.delay.saturating_add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raised_after_every_ten_and_back_at_once() {
        let mut interval = Interval::default();
        let said: Vec<u8> = (0..100).map(|_| interval.next(false)).collect();
        let at = |number: usize| said[number - 1];
        assert_eq!([at(9), at(10), at(19), at(20)], [1, 3, 3, 5]);
        assert_eq!([at(30), at(40), at(50), at(100)], [9, 17, 0x21, 0x21]);
        assert_eq!(interval.next(true), 1);
        assert_eq!(interval.next(false), 1);
    }
}
