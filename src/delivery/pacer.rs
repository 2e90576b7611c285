//! How far a viewer may be now.
//!
//! A viewer gets a lead of media at once and then real time: `lead = clamp(client buffer, 1 s,
//! 60 s) + 1 s`. A client buffer of 600 s or more says that it wants the file as fast as it comes
//! (rtmpdump asks for 36,000 s). The clock is the message timestamp, as a running maximum; a jump
//! forward in a broken file is not waited for.
//!
//! Pure: the time that has passed comes in with each call.

use std::time::{Duration, Instant};

use crate::units::MediaTime;

/// The client buffer until SetBufferLength comes (ffmpeg's own default).
pub const DEFAULT_BUFFER: Duration = Duration::from_secs(3);

/// The least client buffer that is believed: below it a late timer would be heard.
const MIN_BUFFER: Duration = Duration::from_secs(1);

/// The largest client buffer that is filled ahead of real time: what a viewer who leaves wasted.
const MAX_BUFFER: Duration = Duration::from_secs(60);

/// On top of the client buffer, so that a player that waits for it to fill is never starved by
/// rounding.
const EXTRA_LEAD: Duration = Duration::from_secs(1);

/// A client buffer from which on nothing is paced.
const UNPACED_BUFFER: Duration = Duration::from_secs(600);

/// A jump of the timestamps above this is a fault of the file and not waited for, milliseconds.
const MAX_JUMP_MILLIS: i64 = 10_000;

/// How much media is sent at one wake-up in steady state: fewer and larger steps cost less
/// (spec/performance.md C: 500 ms against 250 ms), and the lead is never less than 2 s.
pub const STEP: Duration = Duration::from_millis(500);

/// The clock of one play.
#[derive(Debug, Clone)]
pub struct Pacer {
    buffer: Duration,
    /// When the clock was started, and the media time that it showed then.
    origin: Option<(Instant, MediaTime)>,
    /// Largest message time seen.
    reached: MediaTime,
    /// Where the clock was stopped.
    paused: Option<MediaTime>,
}

impl Pacer {
    /// A stopped clock for a viewer with that client buffer.
    pub fn new(buffer: Duration) -> Self {
        Self {
            buffer,
            origin: None,
            reached: MediaTime::ZERO,
            paused: None,
        }
    }

    /// Takes a new client buffer length.
    pub fn set_buffer(&mut self, buffer: Duration) {
        self.buffer = buffer;
    }

    /// Starts the clock anew: the viewer is at media time `at` now.
    pub fn start(&mut self, now: Instant, at: MediaTime) {
        self.origin = Some((now, at));
        self.reached = at;
        self.paused = None;
    }

    /// The largest message time that was admitted.
    pub fn reached(&self) -> MediaTime {
        self.reached
    }

    /// Where a viewer who plays without stalling is now.
    pub fn position(&self, now: Instant) -> MediaTime {
        match self.origin {
            Some((start, at)) => at.plus(millis(now.saturating_duration_since(start))),
            None => self.paused.unwrap_or(self.reached),
        }
    }

    /// Stops the clock, if it runs: a paused viewer stays where they are.
    pub fn pause(&mut self, now: Instant) {
        if self.origin.is_some() {
            self.paused = Some(self.position(now).min(self.reached));
            self.origin = None;
        }
    }

    /// Lets a paused clock go on, from where it was stopped.
    pub fn resume(&mut self, now: Instant) {
        if let Some(at) = self.paused.take() {
            self.origin = Some((now, at));
        }
    }

    /// Whether a message of that time may be sent now. Messages are asked for in the order in
    /// which they are sent.
    pub fn admits(&mut self, now: Instant, time: MediaTime) -> bool {
        let next = time.max(self.reached);
        if self.origin.is_some() && self.position(now) > next {
            // A viewer is never beyond what they were sent: who stalled for an hour is not owed it.
            self.origin = Some((now, next));
        }
        let jump = time.since(self.reached);
        if jump > MAX_JUMP_MILLIS
            && let Some((_, at)) = &mut self.origin
        {
            *at = at.plus(jump);
            self.reached = time;
        }
        let admitted = self.is_unpaced() || time <= self.position(now).plus(self.lead());
        if admitted {
            self.reached = self.reached.max(time);
        }
        admitted
    }

    /// When to wake up to send the message of that time and a step of media behind it.
    pub fn wake(&self, now: Instant, time: MediaTime) -> Instant {
        let ahead = time.since(self.position(now).plus(self.lead()));
        let wait = Duration::from_millis(u64::try_from(ahead).unwrap_or_default());
        now.checked_add(wait)
            .and_then(|at| at.checked_add(STEP))
            .unwrap_or(now)
    }

    /// Whether the viewer takes media as fast as it comes.
    pub fn is_unpaced(&self) -> bool {
        is_unpaced(self.buffer)
    }

    /// How far ahead of the viewer's position media is sent, milliseconds.
    fn lead(&self) -> i64 {
        millis(self.buffer.clamp(MIN_BUFFER, MAX_BUFFER) + EXTRA_LEAD)
    }
}

/// Whether a client buffer says that media is taken as fast as it comes.
pub fn is_unpaced(buffer: Duration) -> bool {
    buffer >= UNPACED_BUFFER
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    fn at(millis: i64) -> MediaTime {
        MediaTime::from_millis(millis)
    }

    fn started(buffer: u64) -> (Pacer, Instant) {
        let now = Instant::now();
        let mut pacer = Pacer::new(Duration::from_millis(buffer));
        pacer.start(now, at(0));
        (pacer, now)
    }

    #[test]
    fn sends_the_client_buffer_and_a_second_ahead() {
        for (buffer, lead) in [
            (0, 2_000),
            (100, 2_000),
            (3_000, 4_000),
            (30_000, 31_000),
            (90_000, 61_000),
        ] {
            let (mut pacer, now) = started(buffer);
            for time in (0..=lead).step_by(1_000) {
                assert!(pacer.admits(now, at(time)), "{time} of {buffer}");
            }
            assert!(!pacer.admits(now, at(lead + 1)), "{buffer}");
            let later = now + Duration::from_millis(700);
            assert!(pacer.admits(later, at(lead + 700)));
            assert!(!pacer.admits(later, at(lead + 701)));
        }
    }

    #[test]
    fn a_buffer_of_ten_minutes_is_not_paced() {
        let (mut pacer, now) = started(600_000);
        assert!(pacer.admits(now, at(9_000)));
        assert!(pacer.admits(now, at(900_000_000)));
    }

    #[test]
    fn a_viewer_who_stalled_is_not_owed_the_time() {
        let (mut pacer, now) = started(3_000);
        assert!(pacer.admits(now, at(4_000)));
        let later = now + Duration::from_secs(3_600);
        assert!(pacer.admits(later, at(4_020)));
        assert!(pacer.admits(later, at(8_020)));
        assert!(!pacer.admits(later, at(8_040)));
    }

    #[test]
    fn a_jump_forward_is_not_waited_for() {
        let (mut pacer, now) = started(3_000);
        assert!(pacer.admits(now, at(4_000)));
        assert!(!pacer.admits(now, at(5_000)));
        assert!(pacer.admits(now, at(3_600_000)));
        let wake = pacer.wake(now, at(3_601_000));
        assert!(wake <= now + Duration::from_secs(11), "{:?}", wake - now);
    }

    #[test]
    fn wakes_when_a_step_of_media_may_be_sent() {
        let (pacer, now) = started(3_000);
        assert_eq!(
            pacer.wake(now, at(4_200)),
            now + Duration::from_millis(200) + STEP
        );
    }

    #[test]
    fn a_larger_buffer_takes_effect_at_once() {
        let (mut pacer, now) = started(3_000);
        assert!(!pacer.admits(now, at(5_000)));
        pacer.set_buffer(Duration::from_secs(10));
        assert!(pacer.admits(now, at(5_000)));
    }

    #[test]
    fn a_smaller_buffer_waits_for_the_viewer_to_use_up_what_they_have() {
        let (mut pacer, now) = started(30_000);
        for second in 0..=31 {
            assert!(pacer.admits(now, at(second * 1_000)));
        }
        pacer.set_buffer(Duration::from_secs(3));
        assert!(!pacer.admits(now, at(31_040)));
        let later = now + Duration::from_millis(27_039);
        assert!(!pacer.admits(later, at(31_040)), "the lead is 4 s now");
        assert!(pacer.admits(later + Duration::from_millis(1), at(31_040)));
    }

    #[test]
    fn a_viewer_who_took_it_unpaced_and_then_asks_for_a_pace_has_it_all() {
        let (mut pacer, now) = started(600_000);
        for second in 0..=3_600 {
            assert!(pacer.admits(now, at(second * 1_000)));
        }
        pacer.set_buffer(Duration::from_secs(3));
        assert!(!pacer.admits(now, at(3_600_040)));
        assert_eq!(
            pacer.wake(now, at(3_600_040)),
            now + Duration::from_millis(3_596_040) + STEP
        );
        assert!(pacer.admits(now + HOUR, at(3_600_040)));
    }

    #[test]
    fn a_seek_begins_with_a_burst_of_its_own_and_owes_nothing() {
        let (mut pacer, now) = started(3_000);
        assert!(pacer.admits(now, at(4_000)));
        for place in [3_600_000, 0] {
            pacer.start(now, at(place));
            assert!(pacer.admits(now, at(place + 4_000)), "{place}");
            assert!(!pacer.admits(now, at(place + 4_001)), "{place}");
        }
    }

    #[test]
    fn a_slow_viewer_is_paced_again_once_they_are_quick() {
        let (mut pacer, mut now) = started(3_000);
        // The line carries half of the bit rate for a minute: two seconds go by for each of media.
        for second in 0..30 {
            assert!(pacer.admits(now, at(second * 1_000)));
            now += Duration::from_secs(2);
        }
        // They are where they were sent to, and get the lead and no more.
        assert!(pacer.admits(now, at(30_000)));
        assert!(pacer.admits(now, at(34_000)));
        assert!(!pacer.admits(now, at(34_001)));
    }

    #[test]
    fn an_hour_of_pause_brings_no_burst() {
        let (mut pacer, now) = started(3_000);
        assert!(pacer.admits(now, at(4_000)));
        let later = now + Duration::from_secs(1);
        pacer.pause(later);
        assert_eq!(
            pacer.position(later + HOUR),
            at(1_000),
            "the viewer stands still"
        );
        // A second command to pause changes nothing.
        pacer.pause(later + HOUR);
        pacer.resume(later + HOUR);
        assert!(pacer.admits(later + HOUR, at(5_000)));
        assert!(!pacer.admits(later + HOUR, at(5_001)));
    }

    #[test]
    fn a_step_back_is_no_jump_forward_afterwards() {
        let (mut pacer, now) = started(3_000);
        assert!(pacer.admits(now, at(4_000)));
        assert!(pacer.admits(now, at(0)));
        assert!(
            !pacer.admits(now, at(13_000)),
            "9 s after the largest so far"
        );
    }

    #[test]
    fn a_second_command_to_go_on_brings_no_burst() {
        let (mut pacer, now) = started(3_000);
        assert!(pacer.admits(now, at(4_000)));
        pacer.resume(now);
        assert!(!pacer.admits(now, at(4_001)));
    }

    #[test]
    fn a_viewer_who_could_not_read_is_not_taken_to_have_seen_it() {
        let (mut pacer, now) = started(3_000);
        assert!(pacer.admits(now, at(4_000)));
        // Nothing more went out for an hour, so nobody can have seen more than 4 s.
        pacer.pause(now + HOUR);
        pacer.resume(now + HOUR);
        assert!(pacer.admits(now + HOUR, at(8_000)));
        assert!(!pacer.admits(now + HOUR, at(8_001)));
    }

    #[derive(Debug, Clone)]
    enum Op {
        /// So many milliseconds go by.
        Pass(u64),
        /// Sends all that may be sent.
        Send,
        Pause,
        Resume,
        Buffer(u64),
        Seek(i64),
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            4 => (0u64..3_000).prop_map(Op::Pass),
            1 => (0u64..4_000_000).prop_map(Op::Pass),
            5 => Just(Op::Send),
            1 => Just(Op::Pause),
            1 => Just(Op::Resume),
            1 => (0u64..90_000).prop_map(Op::Buffer),
            1 => (0i64..4_000_000).prop_map(Op::Seek),
        ]
    }

    proptest! {
        /// The viewer: a clock that runs while it plays and stands while it is paused, and never
        /// shows more than was sent when a pause begins or more is sent.
        #[test]
        fn never_sends_more_than_the_lead_ahead(
            ops in prop::collection::vec(op(), 0..80),
            step in 1i64..2_000,
        ) {
            let (mut pacer, mut now) = started(3_000);
            let (mut viewer, mut playing, mut buffer) = (0i64, true, 3_000i64);
            let (mut next, mut sent) = (0i64, 0i64);
            for op in ops {
                match op {
                    Op::Pass(millis) => {
                        now += Duration::from_millis(millis);
                        viewer += if playing { millis as i64 } else { 0 };
                    }
                    Op::Send if playing => {
                        let lead = buffer.clamp(1_000, 60_000) + 1_000;
                        viewer = viewer.min(next.max(sent));
                        while pacer.admits(now, at(next)) {
                            prop_assert!(next <= viewer + lead, "{} at {}", next, viewer);
                            sent = sent.max(next);
                            next += step;
                        }
                        prop_assert!(next > viewer + lead, "{} is due at {}", next, viewer);
                        prop_assert!(pacer.wake(now, at(next)) > now);
                    }
                    Op::Pause => {
                        pacer.pause(now);
                        viewer = if playing { viewer.min(sent) } else { viewer };
                        playing = false;
                    }
                    Op::Resume => {
                        pacer.resume(now);
                        playing = true;
                    }
                    Op::Buffer(millis) => {
                        buffer = millis as i64;
                        pacer.set_buffer(Duration::from_millis(millis));
                    }
                    Op::Seek(to) => {
                        (viewer, next, sent, playing) = (to, to, to, true);
                        pacer.start(now, at(to));
                    }
                    Op::Send => {}
                }
                prop_assert_eq!(pacer.position(now), at(viewer));
            }
        }

        /// However the frames lie, sleeping as told sends the whole file, in its time less the
        /// lead, one step later at the most.
        #[test]
        fn a_whole_file_takes_its_time_less_the_lead(
            gaps in prop::collection::vec(prop_oneof![9 => 0i64..200, 1 => 0i64..10_001], 1..400),
            buffer in 0u64..90_000,
        ) {
            let (mut pacer, start) = started(buffer);
            let (mut now, mut time, mut sleeps) = (start, 0i64, 0);
            for gap in gaps {
                time += gap;
                while !pacer.admits(now, at(time)) {
                    let wake = pacer.wake(now, at(time));
                    let longest = gap.max(1) as u64 + 500;
                    prop_assert!(wake > now && wake - now <= Duration::from_millis(longest));
                    now = wake;
                    sleeps += 1;
                }
            }
            let lead = buffer.clamp(1_000, 60_000) as i64 + 1_000;
            let took = (now - start).as_millis() as i64;
            prop_assert!(took >= time - lead, "{} ms for {}", took, time);
            prop_assert!(took <= (time - lead).max(0) + 500, "{} ms for {}", took, time);
            prop_assert!(sleeps <= took / 500, "woken {} times in {} ms", sleeps, took);
        }

        #[test]
        fn times_that_make_no_sense_always_come_to_an_end(
            times in prop::collection::vec(prop_oneof![0..i64::MAX, 0i64..100_000], 0..50),
            first in prop_oneof![0..i64::MAX, 0i64..100_000],
        ) {
            let (mut pacer, mut now) = started(3_000);
            pacer.start(now, at(first));
            for time in times {
                let mut sleeps = 0;
                while !pacer.admits(now, at(time)) {
                    now = pacer.wake(now, at(time));
                    sleeps += 1;
                    prop_assert!(sleeps < 3);
                }
            }
            prop_assert!(now - Instant::now() < Duration::from_secs(50 * 11));
        }
    }
}
