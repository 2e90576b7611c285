//! Where one stream of one viewer is in an object, and what it needs next. Pure.
//!
//! The player walks segments by their cues. It answers [`Player::poll`] with what to do; the
//! owner brings segments, writes prefaces, hands runs to the sender, and wakes it when asked. A
//! player holds a segment only while it sends from it: between two steps of a paced play it holds
//! a name and a number, so that evicting a segment frees it.

use std::ops::Range;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::pacer::Pacer;
use super::rate::Quota;
use crate::media::{Heads, Kind};
use crate::render::{Cue, SegmentId};
use crate::units::MediaTime;

/// What the player must know of a segment.
pub trait Cued {
    /// One cue for each message, in order.
    fn cues(&self) -> &[Cue];
    /// Length of the segment in bytes.
    fn len(&self) -> u32;
    /// The segment after it; `None` at the end of the object.
    fn next(&self) -> Option<SegmentId>;
    /// The codec heads in force at that cue.
    fn heads_at(&self, cue: u32) -> Heads;
    /// Whether it has no messages.
    fn is_empty(&self) -> bool {
        self.cues().is_empty()
    }
}

/// What the player wants done.
#[derive(Debug)]
pub enum Action<S> {
    /// Bring this segment to [`Player::supply`].
    Need(SegmentId),
    /// Write the preface of a play or seek that enters at this time with these codec heads. It is
    /// asked for once, before the first run.
    Preface {
        /// Time of the first message that will be sent.
        time: MediaTime,
        /// Heads in force there that the media does not begin with.
        heads: Heads,
    },
    /// Send these messages.
    Run(Run<S>),
    /// Nothing may be sent before this time.
    Wait(Instant),
    /// The end was reached. Said once.
    End,
    /// One picture was shown and the stream is paused, or it has ended, or it has not begun.
    Idle,
}

/// Some whole messages of one segment.
#[derive(Debug)]
pub struct Run<S> {
    /// Name of the segment.
    pub id: SegmentId,
    /// The segment.
    pub segment: Arc<S>,
    /// Which of its cues.
    pub cues: Range<u32>,
    /// Which of its bytes.
    pub bytes: Range<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Waits for a segment to enter at the last entry at or before the time.
    Entering(MediaTime),
    /// Waits for segments to find the first message later than the time, at the latest the
    /// message at this place.
    Rejoining(MediaTime, Place),
    Running,
    Paused,
    /// The next poll says that the end was reached.
    Ending,
    Ended,
}

/// The place of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    id: SegmentId,
    cue: u32,
}

/// How much of the object is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// To its end.
    All,
    /// Messages before this time.
    Until(MediaTime),
    /// One picture (or, without video, one message).
    Picture,
}

/// The player of one object on one stream.
#[derive(Debug)]
pub struct Player<S> {
    place: Place,
    phase: Phase,
    extent: Extent,
    /// Where another object takes over, if one is to.
    switch_at: Option<MediaTime>,
    /// The clock of this play.
    pub pacer: Pacer,
    segment: Option<(SegmentId, Arc<S>)>,
    /// The segment of the last step: as long as it is cached it need not be looked up, which would
    /// count as a use of it at every step.
    last: (SegmentId, Weak<S>),
    /// The run that was handed out last.
    in_flight: Option<(SegmentId, Range<u32>)>,
    preface_due: bool,
    /// Stop after the next message: a seek while paused shows one picture.
    then_pause: bool,
    /// When to look again, and the time of the message that waits.
    waiting: Option<Instant>,
    bytes: u64,
}

impl<S: Cued> Player<S> {
    /// A player that enters in segment `id` at the last entry at or before `time`.
    pub fn new(id: SegmentId, time: MediaTime, extent: Extent, pacer: Pacer) -> Self {
        Self {
            place: Place { id, cue: 0 },
            phase: Phase::Entering(time),
            extent,
            switch_at: None,
            pacer,
            segment: None,
            last: (id, Weak::new()),
            in_flight: None,
            preface_due: true,
            then_pause: false,
            waiting: None,
            bytes: 0,
        }
    }

    /// A player that has already reached the end: a seek past it.
    pub fn at_end(pacer: Pacer) -> Self {
        let mut player = Self::new(SegmentId::FIRST, MediaTime::ZERO, Extent::All, pacer);
        player.phase = Phase::Ending;
        player.preface_due = false;
        player
    }

    /// Bytes of media handed out so far and not taken back.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether it is paused, or will be after one picture.
    pub fn is_paused(&self) -> bool {
        self.phase == Phase::Paused || self.then_pause
    }

    /// Whether it has said that it reached the end.
    pub fn is_ended(&self) -> bool {
        self.phase == Phase::Ended
    }

    /// Shows one picture and pauses: after a seek of a paused stream.
    pub fn pause_after_picture(&mut self) {
        self.then_pause = true;
    }

    /// Whether it stands still with a place to go on from.
    pub fn is_stopped(&self) -> bool {
        self.phase == Phase::Paused
    }

    /// Takes a new client buffer length, which may admit at once what was waiting.
    pub fn set_buffer(&mut self, buffer: Duration) {
        self.pacer.set_buffer(buffer);
        self.waiting = None;
    }

    /// Ends before the first message of that time, where it would go on past it: another object
    /// takes over there.
    pub fn switch_at(&mut self, time: MediaTime) {
        self.switch_at = Some(time);
    }

    /// No other object takes over.
    pub fn go_on_alone(&mut self) {
        if self.switch_at.take().is_some() && self.phase == Phase::Ending {
            // Where that was the end of the object too, the next poll finds out again.
            self.phase = Phase::Running;
        }
    }

    /// The time before which it ends, if not with the object.
    fn end(&self) -> Option<MediaTime> {
        match (self.extent, self.switch_at) {
            (Extent::Until(end), Some(switch)) => Some(end.min(switch)),
            (Extent::Until(end), None) => Some(end),
            (_, switch) => switch,
        }
    }

    /// Stops sending. A run in flight must have been cut off and taken back before.
    pub fn pause(&mut self, now: Instant) {
        match self.phase {
            Phase::Running => {
                self.phase = Phase::Paused;
                self.segment = None;
                self.pacer.pause(now);
            }
            // Nothing was sent since it was paused before.
            Phase::Rejoining(_, stopped) => {
                self.phase = Phase::Paused;
                self.place = stopped;
            }
            Phase::Entering(_) => self.then_pause = true,
            Phase::Paused | Phase::Ending | Phase::Ended => {}
        }
        self.waiting = None;
    }

    /// Goes on where it stopped.
    pub fn resume(&mut self, now: Instant) {
        self.then_pause = false;
        if self.phase == Phase::Paused {
            self.phase = Phase::Running;
            self.pacer.resume(now);
        }
    }

    /// Goes on at the first message later than `time`, at the latest where it stopped. `from` is a
    /// segment that begins at or before that message.
    pub fn rejoin(&mut self, time: MediaTime, from: SegmentId) {
        self.then_pause = false;
        if self.phase == Phase::Paused {
            self.phase = Phase::Rejoining(time, self.place);
            self.place = Place { id: from, cue: 0 };
        }
    }

    /// Takes back the messages of the run in flight from cue `cue` on: they were cut off.
    pub fn take_back(&mut self, cue: u32, bytes: u64) {
        if let Some((id, cues)) = self.in_flight.take()
            && cues.contains(&cue)
        {
            self.place = Place { id, cue };
            self.bytes = self.bytes.saturating_sub(bytes);
            if matches!(self.phase, Phase::Ending) {
                self.phase = Phase::Running;
            }
        }
    }

    /// Brings a segment that was asked for.
    pub fn supply(&mut self, now: Instant, id: SegmentId, segment: Arc<S>) {
        if id != self.place.id {
            return;
        }
        match self.phase {
            Phase::Entering(time) => self.enter(now, time, &*segment),
            Phase::Rejoining(time, limit) => self.look_for(now, time, limit, &*segment),
            _ => {}
        }
        // Looking may have gone on to the next segment, and a segment may come when the play has
        // been paused: neither is held.
        if id == self.place.id && self.phase == Phase::Running {
            self.segment = Some((id, segment));
        }
    }

    fn enter(&mut self, now: Instant, time: MediaTime, segment: &S) {
        let cues = segment.cues();
        let entries = || (0u32..).zip(cues).filter(|(_, cue)| cue.entry);
        let before = entries().take_while(|(_, cue)| cue.time <= time).last();
        // A play from the start begins with the first message, which need not be a key frame.
        let from_start = self.place.id == SegmentId::FIRST
            && self.extent != Extent::Picture
            && (time <= MediaTime::ZERO || before.is_none());
        let chosen = before.or_else(|| entries().next()).filter(|_| !from_start);
        let at = chosen.or_else(|| (0u32..).zip(cues).next());
        self.place.cue = at.map_or(0, |(number, _)| number);
        self.pacer.start(now, at.map_or(time, |(_, cue)| cue.time));
        self.phase = Phase::Running;
    }

    fn look_for(&mut self, now: Instant, time: MediaTime, limit: Place, segment: &S) {
        let end = if self.place.id == limit.id {
            limit.cue
        } else {
            u32::MAX
        };
        let found = (0u32..)
            .zip(segment.cues())
            .find(|(number, cue)| cue.time > time || *number >= end);
        match (found, segment.next()) {
            (Some((number, cue)), _) => {
                self.place.cue = number;
                self.go_on(now, time.min(cue.time));
            }
            (None, Some(next)) if self.place.id != limit.id => {
                self.place = Place { id: next, cue: 0 };
            }
            // The limit stands at the end of its segment, or the walk missed it.
            _ => {
                self.place = limit;
                let last = segment.cues().last();
                self.go_on(now, last.map_or(time, |cue| time.min(cue.time)));
            }
        }
    }

    /// Runs again, with the clock at `time`: never later than what is sent next, so that a time that
    /// a viewer made up brings no more than the lead.
    fn go_on(&mut self, now: Instant, time: MediaTime) {
        self.phase = Phase::Running;
        self.pacer.start(now, time);
    }

    /// What to do now. To be called only while no run of this player is in flight.
    /// `quota`: bytes of a run at the most (at least one message is sent), and when it may begin.
    pub fn poll(&mut self, now: Instant, quota: impl Into<Quota>) -> Action<S> {
        self.look(now, quota.into())
    }

    fn look(&mut self, now: Instant, quota: Quota) -> Action<S> {
        self.in_flight = None;
        match self.phase {
            Phase::Paused | Phase::Ended => return Action::Idle,
            Phase::Ending => {
                self.phase = Phase::Ended;
                return Action::End;
            }
            Phase::Entering(_) | Phase::Rejoining(..) => return Action::Need(self.place.id),
            Phase::Running => {}
        }
        if let Some(at) = self.waiting
            && now < at
            && !self.pacer.is_unpaced()
        {
            return Action::Wait(at);
        }
        self.waiting = None;
        let Some(segment) = self.current() else {
            return Action::Need(self.place.id);
        };
        let id = self.place.id;
        if usize::try_from(self.place.cue).is_ok_and(|cue| cue >= segment.cues().len()) {
            return self.step_over(now, &*segment, quota);
        }
        if self.preface_due {
            return self.preface(id, segment);
        }
        self.run(now, segment, quota)
    }

    /// The segment to send from, if it is held or still cached.
    fn current(&mut self) -> Option<Arc<S>> {
        let held = self.segment.take();
        let (id, segment) = held.or_else(|| Some((self.last.0, self.last.1.upgrade()?)))?;
        if id != self.place.id {
            return None;
        }
        self.last = (id, Arc::downgrade(&segment));
        Some(segment)
    }

    /// Goes on to the next segment, or to the end.
    fn step_over(&mut self, now: Instant, segment: &S, quota: Quota) -> Action<S> {
        match segment.next() {
            Some(next) => self.place = Place { id: next, cue: 0 },
            None => self.phase = Phase::Ending,
        }
        self.look(now, quota)
    }

    fn preface(&mut self, id: SegmentId, segment: Arc<S>) -> Action<S> {
        self.preface_due = false;
        let cues = segment.cues();
        let from = usize::try_from(self.place.cue).unwrap_or_default();
        let ahead = cues.get(from..).unwrap_or_default();
        let begins_with_head = |kind| {
            ahead
                .iter()
                .find(|cue| cue.kind == kind)
                .is_some_and(|cue| cue.head)
        };
        let mut heads = segment.heads_at(self.place.cue);
        if begins_with_head(Kind::Video) {
            heads.video = None;
        }
        if begins_with_head(Kind::Audio) {
            heads.audio = None;
        }
        let time = ahead.first().map_or(MediaTime::ZERO, |cue| cue.time);
        self.segment = Some((id, segment));
        Action::Preface { time, heads }
    }

    fn run(&mut self, now: Instant, segment: Arc<S>, quota: Quota) -> Action<S> {
        if let Some(at) = quota.from.filter(|at| now < *at) {
            return self.wait_for_rate(now, at, &*segment);
        }
        let from = self.place.cue;
        let to = self.admitted(now, &*segment, quota.most);
        let cues = segment.cues();
        let offset = |number: u32| {
            usize::try_from(number)
                .ok()
                .and_then(|number| cues.get(number))
                .map_or(segment.len(), |cue| cue.offset)
        };
        let next_time = usize::try_from(to)
            .ok()
            .and_then(|to| cues.get(to))
            .map(|cue| cue.time);
        if self.is_over(next_time, to > from) {
            self.phase = Phase::Ending;
        }
        if to == from {
            return match (self.phase, next_time) {
                (Phase::Running, Some(time)) => {
                    let at = self.pacer.wake(now, time);
                    self.waiting = Some(at);
                    Action::Wait(at)
                }
                _ => self.look(now, quota),
            };
        }
        let bytes = offset(from)..offset(to);
        self.bytes = self
            .bytes
            .saturating_add(u64::from(bytes.end.saturating_sub(bytes.start)));
        self.in_flight = Some((self.place.id, from..to));
        self.place.cue = to;
        if self.then_pause && self.phase == Phase::Running {
            self.then_pause = false;
            self.phase = Phase::Paused;
            self.pacer.pause(now);
        } else if self.phase == Phase::Running {
            self.segment = Some((self.place.id, Arc::clone(&segment)));
        }
        Action::Run(Run {
            id: self.place.id,
            segment,
            cues: from..to,
            bytes,
        })
    }

    /// Waits until the rate allows a run; or longer, where the pacer does not yet: then the rate makes
    /// no difference.
    fn wait_for_rate(&mut self, now: Instant, from: Instant, segment: &S) -> Action<S> {
        let cue = usize::try_from(self.place.cue).unwrap_or_default();
        let next = segment.cues().get(cue).map(|cue| cue.time);
        let early = next.filter(|time| !self.pacer.clone().admits(now, *time));
        let Some(time) = early else {
            return Action::Wait(from);
        };
        let at = self.pacer.wake(now, time).max(from);
        self.waiting = Some(at);
        Action::Wait(at)
    }

    /// Whether the extent ends before a message of that time. `sent`: something of it was sent.
    fn is_over(&self, next: Option<MediaTime>, sent: bool) -> bool {
        let reached_end = next.zip(self.end()).is_some_and(|(time, end)| time >= end);
        reached_end || (sent && self.extent == Extent::Picture)
    }

    /// The first cue that may not be sent in this run.
    fn admitted(&mut self, now: Instant, segment: &S, most: u32) -> u32 {
        let from = self.place.cue;
        let cues = segment.cues();
        let first = usize::try_from(from).unwrap_or_default();
        let base = cues.get(first).map_or(0, |cue| cue.offset);
        let single = self.then_pause || self.extent == Extent::Picture;
        let mut to = from;
        for (index, cue) in cues.iter().enumerate().skip(first) {
            let end = cues
                .get(index + 1)
                .map_or(segment.len(), |next| next.offset);
            let over_bytes = to > from && end.saturating_sub(base) > most;
            let over_extent = self.end().is_some_and(|end| cue.time >= end);
            if over_bytes || over_extent || (!single && !self.pacer.admits(now, cue.time)) {
                break;
            }
            to = to.saturating_add(1);
            if single && cue.entry {
                break;
            }
        }
        to
    }
}

#[cfg(test)]
mod tests {
    use super::super::pacer::{DEFAULT_BUFFER, STEP};
    use super::*;
    use crate::render::Group;
    use bytes::Bytes;
    use proptest::prelude::*;
    use std::time::Duration;

    /// A segment of an object that is only cues.
    #[derive(Debug)]
    struct Fake {
        cues: Vec<Cue>,
        len: u32,
        next: Option<SegmentId>,
    }

    impl Cued for Fake {
        fn cues(&self) -> &[Cue] {
            &self.cues
        }

        fn len(&self) -> u32 {
            self.len
        }

        fn next(&self) -> Option<SegmentId> {
            self.next
        }

        /// Heads that name the cue.
        fn heads_at(&self, cue: u32) -> Heads {
            Heads {
                video: Some(Bytes::from(format!("video of {cue}"))),
                audio: Some(Bytes::from(format!("audio of {cue}"))),
            }
        }
    }

    /// The name of the segment with that number: three parts a group.
    fn id(number: usize) -> SegmentId {
        let number = number as u32;
        SegmentId {
            group: Group::Indexed(number / 3),
            part: number % 3,
        }
    }

    #[derive(Debug)]
    struct Object {
        segments: Vec<Arc<Fake>>,
    }

    impl Object {
        /// An object of messages (kind, time, whether it is an entry, whether it is a head); `lens`
        /// messages to each segment, and the last takes the rest.
        fn of(messages: &[(Kind, i64, bool, bool)], lens: &[usize]) -> Self {
            let mut rest = messages;
            let mut segments = Vec::new();
            for number in 0..=lens.len() {
                let count = lens
                    .get(number)
                    .map_or(rest.len(), |len| rest.len().min(*len));
                let (own, after) = rest.split_at(count);
                rest = after;
                let cue = |(n, (kind, time, entry, head)): (u32, &(Kind, i64, bool, bool))| Cue {
                    time: at(*time),
                    offset: n * 100,
                    kind: *kind,
                    entry: *entry,
                    head: *head,
                };
                segments.push(Arc::new(Fake {
                    cues: (0..).zip(own).map(cue).collect(),
                    len: count as u32 * 100,
                    next: (number < lens.len()).then(|| id(number + 1)),
                }));
            }
            Self { segments }
        }

        fn get(&self, wanted: SegmentId) -> Arc<Fake> {
            let number = (0..self.segments.len()).find(|number| id(*number) == wanted);
            Arc::clone(&self.segments[number.expect("a segment that exists")])
        }

        /// All messages in order: segment, cue number, cue.
        fn all(&self) -> Vec<(usize, u32, Cue)> {
            let own = |(number, segment): (usize, &Arc<Fake>)| {
                let cues = (0..).zip(segment.cues.clone());
                cues.map(move |(n, cue)| (number, n, cue))
                    .collect::<Vec<_>>()
            };
            self.segments.iter().enumerate().flat_map(own).collect()
        }

        /// Where to enter, as design.md has it: the number of the message, and its segment.
        fn entry(&self, time: i64) -> (usize, SegmentId) {
            let all = self.all();
            let mut entries = all.iter().enumerate().filter(|(_, (_, _, cue))| cue.entry);
            let before = entries.rfind(|(_, (_, _, cue))| cue.time <= at(time));
            match before {
                Some((number, (segment, ..))) if time > 0 => (number, id(*segment)),
                _ => (0, id(0)),
            }
        }

        /// Nobody but the object holds a segment.
        fn is_released(&self) -> bool {
            self.segments
                .iter()
                .all(|segment| Arc::strong_count(segment) == 1)
        }
    }

    fn at(millis: i64) -> MediaTime {
        MediaTime::from_millis(millis)
    }

    /// One play, and an obvious model of it.
    struct Bench<'a> {
        object: &'a Object,
        all: Vec<(usize, u32, Cue)>,
        player: Player<Fake>,
        now: Instant,
        /// The message that comes next.
        next: usize,
        /// The first message that is outside of the extent.
        over: usize,
        /// Where the play ends.
        end: usize,
        /// The message at which a rejoin began.
        limit: usize,
        prefaces: Vec<(MediaTime, Heads)>,
        ended: u32,
        /// Messages of the run in flight.
        flight: Option<Range<usize>>,
        wanted: Option<SegmentId>,
        waited: Duration,
    }

    /// What a poll came to.
    #[derive(Debug, PartialEq, Eq)]
    enum Came {
        Need,
        Preface,
        Run,
        Wait,
        End,
        Idle,
    }

    impl<'a> Bench<'a> {
        fn new(object: &'a Object, time: i64, extent: Extent, buffer: Duration) -> Self {
            let (next, from) = object.entry(time);
            let all = object.all();
            let over = |(_, _, cue): &(usize, u32, Cue)| matches!(extent, Extent::Until(end) if cue.time >= end);
            let over = all.iter().position(over).unwrap_or(all.len());
            Self {
                object,
                all,
                player: Player::new(from, at(time), extent, Pacer::new(buffer)),
                now: Instant::now(),
                next,
                over,
                end: over.max(next),
                limit: 0,
                prefaces: Vec::new(),
                ended: 0,
                flight: None,
                wanted: None,
                waited: Duration::ZERO,
            }
        }

        fn poll(&mut self, most: u32) -> Came {
            self.flight = None;
            match self.player.poll(self.now, most) {
                Action::Need(id) => {
                    self.wanted = Some(id);
                    Came::Need
                }
                Action::Preface { time, heads } => {
                    self.prefaces.push((time, heads));
                    Came::Preface
                }
                Action::Run(run) => {
                    self.ran(run, most);
                    Came::Run
                }
                Action::Wait(until) => {
                    assert!(self.object.is_released(), "held while waiting");
                    let long = until.checked_duration_since(self.now).unwrap();
                    assert!(
                        !long.is_zero() && long <= Duration::from_secs(80),
                        "{long:?}"
                    );
                    self.now = until;
                    self.waited += long;
                    Came::Wait
                }
                Action::End => {
                    assert_eq!(self.next, self.end, "the end comes when all is sent");
                    assert!(self.object.is_released(), "held after the end");
                    self.ended += 1;
                    assert_eq!(self.ended, 1, "said once");
                    Came::End
                }
                Action::Idle => {
                    assert!(self.player.is_paused() || self.player.is_ended());
                    assert_eq!(self.player.is_ended(), self.ended == 1);
                    assert!(self.object.is_released(), "held while idle");
                    Came::Idle
                }
            }
        }

        /// Checks a run, and takes it to be sent unless it is cut off before the next poll.
        fn ran(&mut self, run: Run<Fake>, most: u32) {
            assert_eq!(
                self.prefaces.len(),
                1,
                "the preface comes once, before the first run"
            );
            let (segment, cue, _) = self.all[self.next];
            assert!(
                Arc::ptr_eq(&run.segment, &self.object.segments[segment]),
                "segment {segment}"
            );
            assert_eq!(run.cues.start, cue, "nothing is lost, nothing doubled");
            assert_eq!(run.bytes, run.cues.start * 100..run.cues.end * 100);
            assert!(!run.cues.is_empty() && run.cues.end as usize <= run.segment.cues.len());
            assert!(run.cues.len() == 1 || run.bytes.end - run.bytes.start <= most);
            let from = self.next;
            self.next += run.cues.len();
            assert!(self.next <= self.end, "past the extent");
            self.flight = Some(from..self.next);
        }

        /// Brings what was asked for.
        fn supply(&mut self) {
            if let Some(wanted) = self.wanted.take() {
                self.player
                    .supply(self.now, wanted, self.object.get(wanted));
            }
        }

        /// Cuts off the run in flight at a message, and takes the rest back.
        fn cut(&mut self, share: prop::sample::Index) {
            let Some(flight) = self.flight.take() else {
                return;
            };
            let from = flight.start + share.index(flight.len() + 1);
            let (before, left) = (self.player.bytes(), (flight.end - from) as u64 * 100);
            if from < flight.end {
                self.player.take_back(self.all[from].1, left);
                self.next = from;
            } else {
                // A run that was sent whole ends at the cue after it: there is nothing to take back.
                self.player.take_back(self.all[from - 1].1 + 1, 0);
            }
            assert_eq!(self.player.bytes(), before - left);
        }

        fn pause(&mut self, share: prop::sample::Index) {
            self.cut(share);
            if matches!(self.player.phase, Phase::Rejoining(..)) {
                self.next = self.limit;
                self.end = self.over.max(self.next);
            }
            self.player.pause(self.now);
        }

        /// Goes on at a time, as rule 10 has it; `from`: how many segments early the walk begins.
        fn rejoin(&mut self, time: i64, early: usize) {
            if self.player.phase == Phase::Paused {
                self.limit = self.next;
                let later = self.all.iter().position(|(_, _, cue)| cue.time > at(time));
                self.next = later.unwrap_or(self.all.len()).min(self.limit);
                self.end = self.over.max(self.next);
            }
            // The end of the object is in its last segment.
            let last = self.object.segments.len() - 1;
            let target = self
                .all
                .get(self.next)
                .map_or(last, |(segment, ..)| *segment);
            let stopped = (0..=last)
                .find(|number| id(*number) == self.player.place.id)
                .unwrap();
            let from = target.min(stopped).saturating_sub(early);
            self.player.rejoin(at(time), id(from));
            self.wanted = None;
        }

        /// Plays until nothing more comes.
        fn play(&mut self, most: u32) {
            for _ in 0..10_000 {
                match self.poll(most) {
                    Came::Idle => return,
                    Came::Need => self.supply(),
                    _ => {}
                }
            }
            panic!("never done");
        }
    }

    /// Objects with times that never fall, of both tracks.
    fn objects() -> impl Strategy<Value = Object> {
        let kind =
            prop_oneof![4 => Just(Kind::Audio), 4 => Just(Kind::Video), 1 => Just(Kind::Data)];
        let step = prop_oneof![2 => Just(0i64), 8 => 0i64..300, 1 => 0i64..20_000];
        let start = prop_oneof![2 => Just(0i64), 1 => 1i64..50_000];
        let message = (
            kind,
            step,
            prop::bool::weighted(0.3),
            prop::bool::weighted(0.1),
        );
        let messages = prop::collection::vec(message, 0..60);
        (start, messages, prop::collection::vec(0usize..20, 0..6)).prop_map(
            |(start, list, lens)| {
                let mut time = start;
                let mut build = |(kind, step, entry, head): (Kind, i64, bool, bool)| {
                    time += step;
                    (
                        kind,
                        time,
                        entry && !head && kind == Kind::Video,
                        head && kind != Kind::Data,
                    )
                };
                let messages: Vec<_> = list.into_iter().map(&mut build).collect();
                Object::of(&messages, &lens)
            },
        )
    }

    fn buffers() -> impl Strategy<Value = Duration> {
        prop_oneof![3 => 0u64..10_000, 1 => 10_000u64..90_000, 1 => Just(600_000)]
            .prop_map(Duration::from_millis)
    }

    fn times() -> impl Strategy<Value = i64> {
        prop_oneof![1 => Just(0i64), 4 => 0i64..5_000, 2 => 0i64..60_000, 1 => 0i64..1_000_000]
    }

    #[derive(Debug, Clone)]
    enum Op {
        Poll(u32),
        Supply,
        Pass(u64),
        Pause(prop::sample::Index),
        Resume,
        Rejoin(i64, usize),
        Buffer(Duration),
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            8 => (0u32..1_000).prop_map(Op::Poll),
            5 => Just(Op::Supply),
            1 => (0u64..100_000).prop_map(Op::Pass),
            2 => any::<prop::sample::Index>().prop_map(Op::Pause),
            1 => Just(Op::Resume),
            2 => (times(), 0usize..3).prop_map(|(time, early)| Op::Rejoin(time, early)),
            1 => buffers().prop_map(Op::Buffer),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1024))]

        #[test]
        fn every_message_from_the_entry_on_is_sent_once(
            object in objects(),
            time in times(),
            until in prop::option::of(0i64..60_000),
            buffer in buffers(),
            most in 0u32..2_000,
        ) {
            let extent = until.map_or(Extent::All, |end| Extent::Until(at(end)));
            let mut bench = Bench::new(&object, time, extent, buffer);
            let (first, _) = object.entry(time);
            bench.play(most);
            prop_assert_eq!((bench.next, bench.ended), (bench.end, 1));
            prop_assert_eq!(bench.player.bytes(), (bench.end - first) as u64 * 100);
            if let Some((number, cue, first)) = bench.all.get(first).copied() {
                let ahead = &object.segments[number].cues[cue as usize..];
                let begins_with_head = |kind| ahead.iter().find(|c| c.kind == kind).is_some_and(|c| c.head);
                let heads = object.segments[number].heads_at(cue);
                let heads = Heads {
                    video: heads.video.filter(|_| !begins_with_head(Kind::Video)),
                    audio: heads.audio.filter(|_| !begins_with_head(Kind::Audio)),
                };
                prop_assert_eq!(&bench.prefaces, &[(first.time, heads)]);
            }
        }

        #[test]
        fn pausing_and_going_on_loses_and_doubles_nothing(
            object in objects(),
            time in times(),
            until in prop::option::of(0i64..60_000),
            buffer in buffers(),
            ops in prop::collection::vec(op(), 0..80),
        ) {
            let extent = until.map_or(Extent::All, |end| Extent::Until(at(end)));
            let mut bench = Bench::new(&object, time, extent, buffer);
            for op in ops {
                match op {
                    Op::Poll(most) => { bench.poll(most); }
                    Op::Supply => bench.supply(),
                    Op::Pass(millis) => bench.now += Duration::from_millis(millis),
                    Op::Pause(share) => bench.pause(share),
                    Op::Resume => bench.player.resume(bench.now),
                    Op::Rejoin(time, early) => bench.rejoin(time, early),
                    Op::Buffer(buffer) => bench.player.pacer.set_buffer(buffer),
                }
            }
            bench.play(500);
            while bench.ended == 0 {
                bench.player.resume(bench.now);
                bench.play(500);
            }
            prop_assert_eq!(bench.next, bench.end);
        }

        #[test]
        fn one_picture_is_one_picture(object in objects(), time in times(), pause: bool, most in 0u32..2_000) {
            let mut bench = Bench::new(&object, time, Extent::Picture, DEFAULT_BUFFER);
            let (_, from) = object.entry(time);
            let cues = object.get(from).cues.clone();
            let entries = || (0..).zip(&cues).filter(|(_, cue)| cue.entry);
            let before = entries().take_while(|(_, cue)| cue.time <= at(time)).last();
            let Some((picture, _)) = before.or_else(|| entries().next()) else {
                return Ok(());
            };
            let own = |(segment, cue, _): &(usize, u32, Cue)| id(*segment) == from && *cue == picture;
            bench.next = bench.all.iter().position(own).unwrap();
            bench.end = bench.next + 1;
            if pause {
                bench.player.pause(bench.now);
            }
            bench.play(most);
            bench.player.resume(bench.now);
            bench.play(most);
            prop_assert_eq!((bench.next, bench.ended), (bench.end, 1));
        }

        #[test]
        fn a_seek_while_paused_shows_one_picture(object in objects(), time in 1i64..60_000, most in 0u32..2_000) {
            let mut bench = Bench::new(&object, time, Extent::All, DEFAULT_BUFFER);
            let (first, _) = object.entry(time);
            if !bench.all.get(first).is_some_and(|(_, _, cue)| cue.entry) {
                return Ok(());
            }
            bench.player.pause_after_picture();
            prop_assert!(bench.player.is_paused());
            bench.play(most);
            prop_assert_eq!((bench.next, bench.ended), (first + 1, 0));
            prop_assert!(bench.player.is_paused());
            bench.player.resume(bench.now);
            bench.play(most);
            prop_assert_eq!((bench.next, bench.ended), (bench.end, 1));
        }
    }

    /// Ten seconds of video, a frame every 100 ms, a key frame every second, 20 frames a segment.
    fn film() -> Object {
        let frame = |n: i64| (Kind::Video, n * 100, n % 10 == 0, false);
        let frames: Vec<_> = (0..100).map(frame).collect();
        Object::of(&frames, &[20; 4])
    }

    #[test]
    fn a_play_from_the_start_sends_what_is_before_the_first_key_frame() {
        let audio = (Kind::Audio, 0, false, false);
        for key in [0, 40] {
            let frame = (Kind::Video, key, true, false);
            let object = Object::of(&[audio, audio, frame, audio], &[]);
            let mut bench = Bench::new(&object, 0, Extent::All, DEFAULT_BUFFER);
            bench.play(10_000);
            assert_eq!(bench.player.bytes(), 400);
            // Paused at once, it goes on to the first picture.
            let mut bench = Bench::new(&object, 0, Extent::All, DEFAULT_BUFFER);
            bench.player.pause(bench.now);
            bench.play(10_000);
            assert_eq!(bench.player.bytes(), 300);
        }
    }

    #[test]
    fn a_seek_past_the_end_only_ends() {
        let object = film();
        let mut bench = Bench::new(&object, 0, Extent::All, DEFAULT_BUFFER);
        bench.player = Player::at_end(Pacer::new(DEFAULT_BUFFER));
        bench.next = bench.end;
        assert_eq!(bench.poll(100), Came::End);
        assert_eq!(bench.poll(100), Came::Idle);
        assert_eq!(bench.prefaces, []);
    }

    #[test]
    fn goes_on_at_the_first_message_later_than_the_time_and_never_later_than_the_first_unsent() {
        let object = film();
        // Lead 4 s: messages 0 to 40 go out at once, and message 41 is the first unsent one.
        for (time, due) in [
            (0, 1),
            (1_949, 20),
            (1_950, 20),
            (2_000, 21),
            (4_000, 41),
            (9_999_999, 41),
        ] {
            let mut bench = Bench::new(&object, 0, Extent::All, DEFAULT_BUFFER);
            while bench.poll(500) != Came::Wait {
                bench.supply();
            }
            assert_eq!(bench.next, 41);
            bench.player.pause(bench.now);
            bench.rejoin(time, 1);
            assert_eq!(bench.next, due);
            // The clock runs from there, so that the lead is what it always is.
            let lead = Duration::from_millis(4_000);
            let due_end = (at(time)
                .min(at(4_100))
                .plus(lead.as_millis() as i64)
                .millis()
                / 100
                + 1)
            .min(100);
            while !matches!(bench.poll(500), Came::Wait | Came::End) {
                bench.supply();
            }
            assert_eq!(bench.next as i64, due_end, "from {time}");
        }
    }

    #[test]
    fn a_segment_that_comes_too_late_is_not_held() {
        let object = film();
        let mut bench = Bench::new(&object, 0, Extent::All, DEFAULT_BUFFER);
        while bench.next < 20 || bench.poll(500) != Came::Need {
            if bench.next < 20 {
                bench.poll(500);
            }
            bench.supply();
        }
        bench.player.pause(bench.now);
        bench.supply();
        assert!(object.is_released(), "held while paused");
        assert_eq!(bench.poll(500), Came::Idle);
        // Nor one that was never asked for.
        bench.player.resume(bench.now);
        bench.player.supply(bench.now, id(4), object.get(id(4)));
        assert!(object.is_released());
    }

    #[test]
    fn a_pause_while_the_place_is_looked_for_sends_nothing() {
        let object = film();
        let mut bench = Bench::new(&object, 0, Extent::All, DEFAULT_BUFFER);
        while bench.poll(500) != Came::Wait {
            bench.supply();
        }
        bench.player.pause(bench.now);
        bench.rejoin(500, 0);
        assert_eq!(bench.poll(500), Came::Need);
        bench.player.pause(bench.now);
        bench.next = 41;
        bench.supply();
        assert_eq!(bench.poll(500), Came::Idle);
        bench.player.resume(bench.now);
        bench.play(500);
        assert_eq!(bench.ended, 1);
    }

    #[test]
    fn a_run_holds_as_many_messages_as_were_asked_for_and_may_be_sent() {
        let object = film();
        let mut bench = Bench::new(&object, 0, Extent::All, DEFAULT_BUFFER);
        let mut runs = Vec::new();
        loop {
            let before = bench.next;
            match bench.poll(700) {
                Came::Run => runs.push(bench.next - before),
                Came::Wait => break,
                _ => bench.supply(),
            }
        }
        // 20 messages a segment, 41 in the lead.
        assert_eq!(runs, [7, 7, 6, 7, 7, 6, 1]);
    }

    #[test]
    fn asked_too_early_it_says_again_until_when_to_wait() {
        let object = film();
        let mut bench = Bench::new(&object, 0, Extent::All, DEFAULT_BUFFER);
        let start = bench.now;
        while bench.poll(500) != Came::Wait {
            bench.supply();
        }
        let until = std::mem::replace(&mut bench.now, start);
        assert_eq!(
            bench.poll(500),
            Came::Wait,
            "without asking for the segment"
        );
        assert_eq!(bench.now, until);
        // Still cached, so it need not be looked up.
        assert_eq!(bench.poll(500), Came::Run);
    }

    #[test]
    fn waits_are_a_step_long_in_steady_state() {
        let object = film();
        let mut bench = Bench::new(&object, 0, Extent::All, DEFAULT_BUFFER);
        let start = bench.now;
        bench.play(10_000);
        // 10 s of media less 4 s of lead, one step more at the most.
        let took = bench.now - start;
        assert!(
            took >= Duration::from_millis(5_900) && took <= Duration::from_millis(5_900) + STEP
        );
        assert_eq!(bench.waited, took);
    }
}
