//! A player's place in the tally: it is counted once in each column, however it leaves.

use std::sync::Arc;
use std::time::Duration;

use super::clock::Clock;
use super::session::Counts;
use super::tally::Tally;

/// The place of one player.
#[derive(Debug)]
pub(super) struct Seat {
    tally: Arc<Tally>,
    playing: bool,
    left: bool,
    counted: Counts,
    underruns: u64,
    stalled: Duration,
}

impl Seat {
    /// The place of a player that starts.
    pub(super) fn take(tally: Arc<Tally>) -> Self {
        tally.started.add(1);
        Self {
            tally,
            playing: false,
            left: false,
            counted: Counts::default(),
            underruns: 0,
            stalled: Duration::ZERO,
        }
    }

    pub(super) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Something to play has come.
    pub(super) fn playing(&mut self) {
        self.tally.plays.add(1);
        if !self.playing {
            self.playing = true;
            self.tally.played.add(1);
            self.tally.playing.add(1);
        }
    }

    /// Adds what was received since the last time.
    pub(super) fn received(&mut self, counts: Counts) {
        let before = std::mem::replace(&mut self.counted, counts);
        self.tally.wire.add(counts.wire.saturating_sub(before.wire));
        self.tally
            .media
            .add(counts.media.saturating_sub(before.media));
        let messages = counts.messages.saturating_sub(before.messages);
        self.tally.messages.add(messages);
    }

    /// Adds what the playback clock has counted since the last time.
    pub(super) fn stood_still(&mut self, clock: &Clock) {
        let (underruns, stalled) = (clock.underruns(), clock.stalled());
        if underruns > self.underruns {
            if self.underruns == 0 {
                self.tally.ran_dry.add(1);
            }
            self.tally.underruns.add(underruns - self.underruns);
            self.underruns = underruns;
        }
        if stalled > self.stalled {
            let more = stalled - self.stalled;
            let micros = u64::try_from(more.as_micros()).unwrap_or(u64::MAX);
            self.tally.stalled.add(micros);
            self.stalled = stalled;
        }
    }

    /// It has seen the end.
    pub(super) fn ended(&mut self) {
        self.leave();
        self.tally.ended.add(1);
    }

    /// It cannot go on.
    pub(super) fn failed(&mut self, kind: &'static str, why: &str) {
        self.leave();
        self.tally.failed.add(1);
        self.tally.error(kind, why);
    }

    fn leave(&mut self) {
        self.left = true;
        if std::mem::take(&mut self.playing) {
            self.tally.playing.less(1);
        }
    }
}

impl Drop for Seat {
    /// A player that neither ended nor failed was stopped, because the time was over.
    fn drop(&mut self) {
        if !self.left {
            self.leave();
            self.tally.stopped.add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_player_is_counted_once_however_it_leaves() {
        let tally = Arc::new(Tally::new().unwrap());
        let sit = || {
            let mut seat = Seat::take(Arc::clone(&tally));
            seat.playing();
            seat.playing();
            seat
        };
        sit().ended();
        sit().failed("closed", "bye");
        let seat = sit();
        assert_eq!(tally.playing.get(), 1);
        drop(seat);
        Seat::take(Arc::clone(&tally)).failed("closed", "other");
        let counts = [&tally.started, &tally.played, &tally.playing, &tally.ended];
        assert_eq!(counts.map(|it| it.get()), [4, 3, 0, 1]);
        let counts = [&tally.failed, &tally.stopped, &tally.plays];
        assert_eq!(counts.map(|it| it.get()), [2, 1, 6]);
        let errors = &tally.rare().errors["closed"];
        assert_eq!((errors.count, errors.example.as_str()), (2, "bye"));
    }

    #[test]
    fn figures_that_only_grow_are_added_once() {
        let tally = Arc::new(Tally::new().unwrap());
        let mut seat = Seat::take(Arc::clone(&tally));
        for wire in [10, 10, 25] {
            let media = wire / 2;
            seat.received(Counts {
                wire,
                media,
                messages: 1,
            });
        }
        assert_eq!(
            (tally.wire.get(), tally.media.get(), tally.messages.get()),
            (25, 12, 1)
        );
    }
}
