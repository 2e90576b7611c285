//! A capped viewer on a fake clock: player, pacer and rate together, and a socket in between.

use std::sync::Arc;

use proptest::prelude::*;

use super::super::pacer::{DEFAULT_BUFFER, Pacer};
use super::super::player::{Action, Cued, Extent, Player};
use super::*;
use crate::media::{Heads, Kind};
use crate::render::{Cue, SegmentId};
use crate::units::MediaTime;

/// A film of one segment: messages of these times and sizes.
#[derive(Debug)]
struct Film {
    cues: Vec<Cue>,
    len: u32,
}

impl Cued for Film {
    fn cues(&self) -> &[Cue] {
        &self.cues
    }

    fn len(&self) -> u32 {
        self.len
    }

    fn next(&self) -> Option<SegmentId> {
        None
    }

    fn heads_at(&self, _: u32) -> Heads {
        Heads::default()
    }
}

impl Film {
    /// One message every `gap` milliseconds.
    fn of(gap: i64, sizes: &[u32]) -> Arc<Self> {
        let mut len = 0;
        let cue = |(n, size): (i64, &u32)| {
            let offset = len;
            len += size;
            Cue {
                time: MediaTime::from_millis(n * gap),
                offset,
                kind: Kind::Video,
                entry: true,
                head: false,
            }
        };
        let cues = (0..).zip(sizes).map(cue).collect();
        Arc::new(Self { cues, len })
    }

    fn largest(&self) -> u32 {
        let ends = self.cues.iter().skip(1).map(|cue| cue.offset);
        let ends = ends.chain([self.len]);
        let sizes = self
            .cues
            .iter()
            .zip(ends)
            .map(|(cue, end)| end - cue.offset);
        sizes.max().unwrap_or_default()
    }
}

/// What a viewer does while a film plays.
#[derive(Debug, Clone)]
enum Deed {
    Watch(u8),
    Pause(u64),
    Seek(i64),
    Buffer(u64),
    /// Reads nothing for so long.
    Stall(u64),
    /// Reads so many bytes a millisecond; 0: all at once.
    Read(u32),
}

struct Stage {
    film: Arc<Film>,
    player: Player<Film>,
    rate: Rate,
    cap: Option<u64>,
    buffer: Duration,
    start: Instant,
    now: Instant,
    /// How late timers are.
    late: Duration,
    stall: Duration,
    read: u32,
    sent: Vec<(Instant, u64)>,
    /// Time of the last message that was sent.
    reached: MediaTime,
    ended: bool,
}

impl Stage {
    fn new(film: &Arc<Film>, cap: Option<u64>, buffer: Duration) -> Self {
        let start = Instant::now();
        Self {
            film: Arc::clone(film),
            player: Self::player(0, buffer),
            rate: Rate::new(cap.and_then(NonZeroU64::new), start),
            cap,
            buffer,
            start,
            now: start,
            late: Duration::ZERO,
            stall: Duration::ZERO,
            read: 0,
            sent: Vec::new(),
            reached: MediaTime::ZERO,
            ended: false,
        }
    }

    fn player(time: i64, buffer: Duration) -> Player<Film> {
        let time = MediaTime::from_millis(time);
        Player::new(SegmentId::FIRST, time, Extent::All, Pacer::new(buffer))
    }

    /// One thing; whether it was a wait.
    fn step(&mut self) -> bool {
        let quota = self.rate.quota(self.now, u32::MAX);
        match self.player.poll(self.now, quota) {
            Action::Need(id) => self.player.supply(self.now, id, Arc::clone(&self.film)),
            Action::Preface { .. } => {}
            Action::Run(run) => {
                let last = self.film.cues[run.cues.end as usize - 1].time;
                self.reached = self.reached.max(last);
                self.deliver(run.bytes.end - run.bytes.start);
            }
            Action::Wait(at) => {
                assert!(at > self.now, "a wait that is over");
                self.now = at + self.late;
                return true;
            }
            Action::End => self.ended = true,
            Action::Idle => return true,
        }
        false
    }

    /// The socket takes a run, as quickly as the viewer reads.
    fn deliver(&mut self, mut bytes: u32) {
        self.now += std::mem::take(&mut self.stall);
        while bytes > 0 {
            let piece = if self.read == 0 {
                bytes
            } else {
                self.now += Duration::from_millis(1);
                bytes.min(self.read)
            };
            self.rate.sent(self.now, piece as usize);
            self.sent.push((self.now, u64::from(piece)));
            bytes -= piece;
        }
    }

    fn play_out(&mut self) {
        for _ in 0..100_000 {
            if self.ended {
                return;
            }
            self.step();
        }
        panic!("it never ends");
    }

    fn deed(&mut self, deed: &Deed) {
        match *deed {
            Deed::Watch(steps) => {
                for _ in 0..steps {
                    self.step();
                }
            }
            Deed::Pause(millis) => {
                self.player.pause(self.now);
                self.step();
                self.now += Duration::from_millis(millis);
                self.player.resume(self.now);
            }
            Deed::Seek(time) => {
                self.player = Self::player(time, self.buffer);
                self.ended = false;
            }
            Deed::Buffer(millis) => {
                self.buffer = Duration::from_millis(millis);
                self.player.set_buffer(self.buffer);
            }
            Deed::Stall(millis) => self.stall = Duration::from_millis(millis),
            Deed::Read(bytes) => self.read = bytes,
        }
    }

    /// Never more in any stretch of time than the rate and one step, or half a step and a message.
    fn assert_capped(&self) {
        let Some(cap) = self.cap else { return };
        let step = cap / 2;
        let more = step.max(step / 2 + u64::from(self.film.largest()));
        for (from, (begin, _)) in self.sent.iter().enumerate() {
            let mut bytes = 0;
            for (end, piece) in &self.sent[from..] {
                bytes += piece;
                let nanos = (*end - *begin).as_nanos();
                let due = (nanos * u128::from(cap)).div_ceil(NANOS) as u64;
                assert!(
                    bytes <= due + more + 2,
                    "{bytes} bytes in {:?} at {cap} B/s, messages of {}",
                    *end - *begin,
                    self.film.largest()
                );
            }
        }
    }

    fn total(&self) -> u64 {
        self.sent.iter().map(|(_, bytes)| bytes).sum()
    }
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        6 => (1u8..20).prop_map(Deed::Watch),
        1 => (0u64..20_000).prop_map(Deed::Pause),
        1 => (0i64..20_000).prop_map(Deed::Seek),
        1 => prop_oneof![0u64..20_000, Just(3_600_000)].prop_map(Deed::Buffer),
        1 => (0u64..20_000).prop_map(Deed::Stall),
        1 => prop_oneof![Just(0u32), 1u32..200].prop_map(Deed::Read),
    ]
}

proptest! {
    #[test]
    fn never_more_than_the_rate_and_a_step_whatever_the_viewer_does(
        sizes in prop::collection::vec(prop_oneof![8 => 1u32..2_000, 1 => 2_000u32..40_000], 1..120),
        gap in 1i64..200,
        cap in 1_000u64..200_000,
        late in 0u64..400,
        deeds in prop::collection::vec(deed(), 0..30),
    ) {
        let film = Film::of(gap, &sizes);
        let mut stage = Stage::new(&film, Some(cap), DEFAULT_BUFFER);
        stage.late = Duration::from_millis(late);
        for deed in &deeds {
            stage.deed(deed);
        }
        stage.play_out();
        stage.assert_capped();
    }

    /// An unpaced viewer gets the whole rate, however late the timers are (up to half a step).
    #[test]
    fn the_rate_is_used_up(
        sizes in prop::collection::vec(prop_oneof![8 => 1u32..2_000, 1 => 2_000u32..40_000], 1..300),
        cap in 1_000u64..200_000,
        late in 0u64..=250,
    ) {
        let film = Film::of(20, &sizes);
        let mut stage = Stage::new(&film, Some(cap), Duration::MAX);
        stage.late = Duration::from_millis(late);
        stage.play_out();
        prop_assert_eq!(stage.total(), u64::from(film.len));
        let (last, _) = stage.sent.last().unwrap();
        let whole = Duration::from_nanos((u128::from(film.len) * NANOS / u128::from(cap)) as u64);
        prop_assert!(*last - stage.start <= whole + Duration::from_millis(1));
    }

    /// Where the cap is far above the film's own rate, a paced viewer is sent the same bytes at the
    /// same times.
    #[test]
    fn a_paced_viewer_below_the_cap_is_not_touched(
        size in 1u32..2_000,
        gap in 1i64..100,
        buffer in 0u64..20_000,
    ) {
        let film = Film::of(gap, &vec![size; 300]);
        let buffer = Duration::from_millis(buffer);
        let second = u64::from(size) * 1_000 / gap as u64 + u64::from(size);
        let lead = buffer.as_secs() + 4;
        let mut free = Stage::new(&film, None, buffer);
        let mut capped = Stage::new(&film, Some(second * lead * 2), buffer);
        free.play_out();
        capped.play_out();
        let times = |stage: &Stage| -> Vec<(Duration, u64)> {
            let since = |(at, bytes): &(Instant, u64)| (*at - stage.start, *bytes);
            stage.sent.iter().map(since).collect()
        };
        prop_assert_eq!(times(&free), times(&capped));
    }

    /// Where it is a little above, the start takes longer, and nobody is ever without media.
    #[test]
    fn a_paced_viewer_never_starves(
        size in 1u32..2_000,
        gap in 1i64..50,
        buffer in 0u64..20_000,
        late in 0u64..200,
    ) {
        let film = Film::of(gap, &vec![size; 1_000]);
        let second = u64::from(size) * 1_000 / gap as u64;
        let cap = second * 5 / 4 + u64::from(size) * 8;
        let mut stage = Stage::new(&film, Some(cap), Duration::from_millis(buffer));
        stage.late = Duration::from_millis(late);
        while !stage.ended {
            if stage.step() && !stage.ended {
                let seen = (stage.now - stage.start).as_millis() as i64;
                let held = stage.reached.millis() + gap;
                let all = stage.total() == u64::from(film.len);
                prop_assert!(held >= seen || all, "at {} ms sent up to {} ms", seen, held);
            }
        }
        stage.assert_capped();
    }
}

/// A seek does not begin a new bucket, and what was cut off was not paid for.
#[test]
fn seeks_without_end_get_no_more_than_the_rate() {
    let film = Film::of(20, &[1_000; 500]);
    let mut stage = Stage::new(&film, Some(10_000), Duration::MAX);
    for _ in 0..100 {
        stage.deed(&Deed::Seek(1_000));
        while !stage.step() {}
    }
    stage.assert_capped();
    let mut rate = Rate::new(NonZeroU64::new(1_000), stage.start);
    assert_eq!(rate.quota(stage.start, u32::MAX).most, 500);
    rate.sent(stage.start, 100);
    assert_eq!(
        rate.quota(stage.start, u32::MAX),
        400.into(),
        "of 500 only 100 left"
    );
    rate.sent(stage.start, 200);
    let quota = rate.quota(stage.start, 70);
    assert_eq!(quota.from, Some(stage.start + Duration::from_millis(50)));
    assert_eq!(quota.most, 70);
}

/// The first bytes do not wait, and after an hour there is one step, not an hour of them.
#[test]
fn nothing_is_saved_up() {
    let start = Instant::now();
    let mut rate = Rate::new(NonZeroU64::new(1_000_000), start);
    assert_eq!(rate.quota(start, u32::MAX), 500_000.into());
    rate.sent(start, 500_000);
    assert!(rate.quota(start, 1).from.is_some());
    let later = start + Duration::from_secs(3_600);
    assert_eq!(rate.quota(later, u32::MAX), 500_000.into());
}

#[test]
fn without_a_cap_there_is_none() {
    let start = Instant::now();
    let mut rate = Rate::new(None, start);
    rate.sent(start, usize::MAX);
    assert_eq!(rate.quota(start, u32::MAX), u32::MAX.into());
    // And no number of bytes is too many for one that has.
    let mut rate = Rate::new(NonZeroU64::MIN.into(), start);
    rate.sent(start, usize::MAX);
    rate.sent(start, usize::MAX);
    rate.quota(start, u32::MAX);
}

/// A capped viewer whose film needs more than the cap is sent at the cap, and the pacer does not
/// give a burst once they catch up.
#[test]
fn a_film_above_the_cap_goes_out_at_the_cap() {
    let film = Film::of(100, &[10_000; 50]);
    let mut stage = Stage::new(&film, Some(50_000), DEFAULT_BUFFER);
    stage.play_out();
    stage.assert_capped();
    let (last, _) = *stage.sent.last().unwrap();
    // 500,000 bytes less the step of the start.
    assert!(last - stage.start >= Duration::from_millis(9_250));
}

/// While they wait for the rate a viewer holds no segment, as while they wait for the pacer.
#[test]
fn a_wait_for_the_rate_pins_nothing() {
    let film = Film::of(20, &[1_000; 100]);
    let mut stage = Stage::new(&film, Some(10_000), Duration::MAX);
    while !stage.step() {}
    assert_eq!(
        Arc::strong_count(&film),
        2,
        "the test's and the stage's own"
    );
}
