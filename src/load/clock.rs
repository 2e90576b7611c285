//! A player's playback clock: when would the picture stand still?
//!
//! Nothing is decoded. Playback starts once [`Clock::START_MS`] of media is there, or as much as
//! the client buffer asks for if that is less, and then runs in real time. When it comes to the
//! end of what has arrived, that is an underrun; it lasts until as much as at the start is there
//! again. Pure: times come in, and an underrun is reckoned when the next media arrives, so that
//! no timer is needed.
//!
//! Media times and figures are milliseconds.

// Pure code over what servers control: what could panic does not compile.
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation
    )
)]

use std::time::{Duration, Instant};

/// How far playback is, and how often it stood still.
#[derive(Debug, Clone)]
pub struct Clock {
    /// Media that must be there before playback starts.
    start_with: i64,
    state: State,
    /// Media time of the last message that arrived.
    received: i64,
    underruns: u64,
    stalled: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing has arrived yet.
    Empty,
    /// Gathers media before it starts at `position`; since when it stands still, if it does.
    Filling {
        position: i64,
        still: Option<Instant>,
    },
    /// Was at `position` at `at` and runs.
    Running { at: Instant, position: i64 },
    /// Held by the viewer.
    Paused { position: i64 },
}

impl Clock {
    /// Media that starts playback however large the client buffer is.
    pub const START_MS: i64 = 1000;

    /// How long the last message is taken to play: messages say when they begin, not how long
    /// they last. The interval of 10 pictures a second.
    pub const MESSAGE_MS: i64 = 100;

    /// A clock for a client buffer of so many milliseconds.
    pub fn new(buffer: u32) -> Self {
        Self {
            start_with: i64::from(buffer).min(Self::START_MS),
            state: State::Empty,
            received: 0,
            underruns: 0,
            stalled: Duration::ZERO,
        }
    }

    /// Media from `first` to `latest` has arrived since the play or seek began.
    pub fn media(&mut self, now: Instant, first: i64, latest: i64) {
        self.catch_up(now);
        if self.state == State::Empty {
            self.received = first;
            self.state = State::Filling {
                position: first,
                still: None,
            };
        }
        self.received = self.received.max(latest);
        if let State::Filling { position, still } = self.state
            && self.received.saturating_sub(position) >= self.start_with
        {
            self.stood_still(now, still);
            self.state = State::Running { at: now, position };
        }
    }

    /// Where playback is.
    pub fn position(&self, now: Instant) -> i64 {
        match self.state {
            State::Empty => 0,
            State::Filling { position, .. } | State::Paused { position } => position,
            State::Running { at, position } => position
                .saturating_add(millis(now.saturating_duration_since(at)))
                .min(self.end()),
        }
    }

    /// The viewer pauses.
    pub fn pause(&mut self, now: Instant) {
        self.settle(now);
        if self.state != State::Empty {
            let position = self.position(now);
            self.state = State::Paused { position };
        }
    }

    /// The viewer resumes.
    pub fn resume(&mut self, now: Instant) {
        if let State::Paused { position } = self.state {
            let enough = self.received.saturating_sub(position) >= self.start_with;
            self.state = if enough {
                State::Running { at: now, position }
            } else {
                let still = None;
                State::Filling { position, still }
            };
        }
    }

    /// The viewer seeks, or plays anew: what was there is thrown away.
    pub fn restart(&mut self, now: Instant) {
        self.settle(now);
        self.state = State::Empty;
    }

    /// All of the media has arrived: nothing can run dry any more.
    pub fn complete(&mut self, now: Instant) {
        self.restart(now);
    }

    /// The player goes away, or is asked how it was.
    pub fn settle(&mut self, now: Instant) {
        self.catch_up(now);
        if let State::Filling { position, still } = self.state {
            self.stood_still(now, still);
            self.state = State::Filling {
                position,
                still: still.map(|_| now),
            };
        }
    }

    /// How often playback ran dry.
    pub const fn underruns(&self) -> u64 {
        self.underruns
    }

    /// How long it stood still for it.
    pub const fn stalled(&self) -> Duration {
        self.stalled
    }

    /// Sees whether playback has come to the end of what was there.
    fn catch_up(&mut self, now: Instant) {
        let State::Running { at, position } = self.state else {
            return;
        };
        let left = self.end().saturating_sub(position);
        let left = Duration::from_millis(u64::try_from(left).unwrap_or_default());
        let dry = at.checked_add(left).filter(|dry| *dry < now);
        if let Some(dry) = dry {
            self.underruns = self.underruns.saturating_add(1);
            self.state = State::Filling {
                position: self.end(),
                still: Some(dry),
            };
        }
    }

    fn stood_still(&mut self, now: Instant, since: Option<Instant>) {
        let still = since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        self.stalled = self.stalled.saturating_add(still);
    }

    /// Where what has arrived ends.
    const fn end(&self) -> i64 {
        self.received.saturating_add(Self::MESSAGE_MS)
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fake {
        start: Instant,
        clock: Clock,
    }

    impl Fake {
        fn new(buffer: u32) -> Self {
            Self {
                start: Instant::now(),
                clock: Clock::new(buffer),
            }
        }

        fn at(&self, millis: u64) -> Instant {
            self.start + Duration::from_millis(millis)
        }

        fn media(&mut self, at: u64, first: i64, latest: i64) {
            let at = self.at(at);
            self.clock.media(at, first, latest);
        }

        fn figures(&self) -> (u64, u128) {
            (self.clock.underruns(), self.clock.stalled().as_millis())
        }
    }

    #[test]
    fn media_in_time_never_runs_dry() {
        let mut fake = Fake::new(3000);
        for step in 0..600 {
            // Five seconds of lead at once, then in real time.
            let latest = 5000 + i64::try_from(step).unwrap() * 100;
            fake.media(step * 100, 0, latest);
        }
        assert_eq!(fake.figures(), (0, 0));
        assert_eq!(fake.clock.position(fake.at(59_900)), 59_900);
    }

    #[test]
    fn it_starts_with_a_second_or_the_buffer_if_that_is_less() {
        for (buffer, needed) in [(3000, 1000), (1000, 1000), (300, 300), (0, 0)] {
            let mut fake = Fake::new(buffer);
            if needed > 0 {
                fake.media(0, 50, 50 + needed - 1);
                assert_eq!(fake.clock.position(fake.at(5000)), 50, "{buffer}");
            }
            fake.media(5000, 50, 50 + needed);
            assert_eq!(fake.clock.position(fake.at(5100)), 150, "{buffer}");
        }
    }

    #[test]
    fn running_dry_is_counted_once_and_lasts_until_enough_is_there() {
        let mut fake = Fake::new(3000);
        fake.media(0, 0, 2000);
        // Dry at 2,100; a little at 3,000 does not start it again.
        fake.media(3000, 0, 2500);
        assert_eq!(fake.figures(), (1, 0));
        fake.media(4000, 0, 3200);
        assert_eq!(fake.figures(), (1, 1900));
        assert_eq!(fake.clock.position(fake.at(4500)), 2600);
    }

    #[test]
    fn an_underrun_that_goes_on_is_counted_when_it_is_asked_for() {
        let mut fake = Fake::new(3000);
        fake.media(0, 0, 2000);
        let at = fake.at(2600);
        fake.clock.settle(at);
        assert_eq!(fake.figures(), (1, 500));
        let at = fake.at(2700);
        fake.clock.settle(at);
        assert_eq!(fake.figures(), (1, 600));
        fake.media(2800, 0, 4000);
        assert_eq!(fake.figures(), (1, 700));
    }

    #[test]
    fn nothing_runs_dry_while_paused_or_after_the_end() {
        let mut fake = Fake::new(3000);
        fake.media(0, 0, 2000);
        let at = fake.at(1000);
        fake.clock.pause(at);
        let at = fake.at(60_000);
        fake.clock.resume(at);
        assert_eq!(fake.clock.position(fake.at(60_500)), 1500);
        fake.media(60_500, 0, 4000);
        let at = fake.at(61_000);
        fake.clock.complete(at);
        let at = fake.at(100_000);
        fake.clock.settle(at);
        assert_eq!(fake.figures(), (0, 0));
    }

    #[test]
    fn a_seek_starts_anew() {
        let mut fake = Fake::new(3000);
        fake.media(0, 0, 2000);
        let at = fake.at(500);
        fake.clock.restart(at);
        fake.media(10_000, 90_000, 92_000);
        assert_eq!(fake.clock.position(fake.at(10_500)), 90_500);
        assert_eq!(fake.figures(), (0, 0));
    }

    #[test]
    fn times_of_any_size_do_no_harm() {
        let mut fake = Fake::new(u32::MAX);
        fake.media(0, i64::MIN, i64::MAX);
        fake.media(9, i64::MAX, i64::MIN);
        let at = fake.at(99);
        fake.clock.pause(at);
        fake.clock.resume(at);
        fake.clock.settle(at);
        assert_eq!(fake.clock.underruns(), 0);
    }
}
