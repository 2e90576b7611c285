//! Where the segments of one rendering begin, as far as that is known.
//!
//! The plan of a file whose index is complete is made at once. Any other grows as it is played:
//! rendering a segment tells where the next one begins. Starts are kept when segments are evicted,
//! because they are small (a cursor and a time).

use std::collections::HashMap;

use super::cut::Cut;
use super::segment::{Group, Rendering, SegmentId};
use crate::media::{Demux, Fetched, Walked};
use crate::units::MediaTime;

/// Most groups found by searching that are remembered: each seek into unknown parts adds one.
const MAX_FOUND: usize = 1_024;

/// Where to begin to play at some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// In this segment is the last entry at or before the time. Where there is none, it is the
    /// first segment of the group, whether it can be entered or not: what is sent before the first
    /// key frame (audio, mostly) belongs to a play from the start.
    In(SegmentId),
    /// Nothing is known from this segment on, and the time may lie there.
    From(SegmentId),
    /// The group is not open yet.
    Unopened,
}

/// What follows on a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// This one.
    Segment(SegmentId),
    /// Nothing: it is the last.
    End,
    /// That is not known before it has been rendered.
    Unknown,
}

/// The starts that are known, group by group, each group from its first part without gaps.
#[derive(Debug)]
pub struct Plan<C> {
    groups: HashMap<Group, Starts<C>>,
    /// How many of them were found by searching.
    found: usize,
}

/// The starts of one group.
#[derive(Debug)]
struct Starts<C> {
    /// A cursor at the first sample of each part.
    cursors: Vec<C>,
    /// For each part that was walked: the time of its first entry, if it has one.
    walked: HashMap<u32, Option<MediaTime>>,
    /// How many parts from the first on have been walked without a gap.
    frontier: u32,
    /// First entries of the parts below the frontier, times never falling.
    entries: Vec<(MediaTime, u32)>,
    /// Whether the last cursor is that of the group's last part.
    finished: bool,
}

impl<C> Starts<C> {
    fn new(first: C) -> Self {
        Self {
            cursors: vec![first],
            walked: HashMap::new(),
            frontier: 0,
            entries: Vec::new(),
            finished: false,
        }
    }

    fn walked(&mut self, part: u32, entry: Option<MediaTime>) {
        if part < self.frontier {
            return;
        }
        self.walked.insert(part, entry);
        while let Some(entry) = self.walked.remove(&self.frontier) {
            if let Some(time) = entry
                && self.entries.last().is_none_or(|(last, _)| *last <= time)
            {
                self.entries.push((time, self.frontier));
            }
            self.frontier = self.frontier.saturating_add(1);
        }
    }

    fn entry(&self, group: Group, time: MediaTime) -> Entry {
        let after = self.entries.partition_point(|(first, _)| *first <= time);
        let known_beyond = after < self.entries.len();
        let all_walked = usize::try_from(self.frontier).is_ok_and(|n| n >= self.cursors.len());
        if known_beyond || (self.finished && all_walked) {
            let part = after
                .checked_sub(1)
                .and_then(|last| self.entries.get(last))
                .map_or(0, |(_, part)| *part);
            return Entry::In(SegmentId { group, part });
        }
        let last = u32::try_from(self.cursors.len().saturating_sub(1)).unwrap_or(u32::MAX);
        Entry::From(SegmentId {
            group,
            part: self.frontier.min(last),
        })
    }
}

impl<C> Default for Plan<C> {
    fn default() -> Self {
        Self {
            groups: HashMap::new(),
            found: 0,
        }
    }
}

impl<C: Clone> Plan<C> {
    /// The whole plan of a file whose index is complete: walks every sample once, so it belongs
    /// off the async workers. A file that is broken somewhere is planned up to there; the render
    /// of that segment reports what is wrong.
    pub fn whole<D: Demux<Cursor = C>>(index: &D, rendering: Rendering) -> Self {
        let mut plan = Self::default();
        for number in 0..index.groups() {
            if let Some(cursor) = index.open(number) {
                let group = Group::Indexed(number);
                plan.open(group, cursor.clone());
                plan.walk(index, rendering, group, cursor);
                plan.finish(group);
            }
        }
        plan
    }

    fn walk<D: Demux<Cursor = C>>(
        &mut self,
        index: &D,
        rendering: Rendering,
        group: Group,
        mut cursor: C,
    ) {
        let nothing = Fetched::new(0);
        let mut id = SegmentId::start_of(group);
        loop {
            let mut cut = Cut::new(id);
            let mut entry = None;
            let walked = index.walk(&mut cursor, &nothing, |sample| {
                let goes_on = cut.goes_on(rendering, sample);
                if goes_on && entry.is_none() && rendering.enters(sample) {
                    entry = Some(sample.time);
                }
                goes_on
            });
            self.walked(id, entry);
            if walked != Ok(Walked::Refused) {
                return;
            }
            id = id.following();
            self.learn(id, cursor.clone());
        }
    }

    /// Opens a group at its first cursor. When very many groups were found by searching, all of
    /// those are forgotten: they can be found again.
    pub fn open(&mut self, group: Group, cursor: C) {
        if self.groups.contains_key(&group) {
            return;
        }
        if matches!(group, Group::Found(_)) {
            if self.found >= MAX_FOUND {
                self.groups
                    .retain(|group, _| matches!(group, Group::Indexed(_)));
                self.found = 0;
            }
            self.found = self.found.saturating_add(1);
        }
        self.groups.insert(group, Starts::new(cursor));
    }

    /// A cursor at the last known start of the group at or before `id`, and which start it is: a
    /// walk to `id` begins there. `None` where the group is not open.
    pub fn nearest(&self, id: SegmentId) -> Option<(SegmentId, C)> {
        let starts = self.groups.get(&id.group)?;
        let last = u32::try_from(starts.cursors.len().checked_sub(1)?).ok()?;
        let part = id.part.min(last);
        let cursor = starts.cursors.get(usize::try_from(part).ok()?)?;
        let found = SegmentId {
            group: id.group,
            part,
        };
        Some((found, cursor.clone()))
    }

    /// Learns where a segment begins. Only the one after the last known of its group is news.
    pub fn learn(&mut self, id: SegmentId, cursor: C) {
        if let Some(starts) = self.groups.get_mut(&id.group)
            && usize::try_from(id.part).is_ok_and(|part| part == starts.cursors.len())
        {
            starts.cursors.push(cursor);
            if starts.finished {
                // Only a file that is broken there has a segment behind the last: nobody enters it.
                starts.walked(id.part, None);
            }
        }
    }

    /// Learns when a segment can first be entered, or that it cannot.
    pub fn walked(&mut self, id: SegmentId, entry: Option<MediaTime>) {
        if let Some(starts) = self.groups.get_mut(&id.group) {
            starts.walked(id.part, entry);
        }
    }

    /// Learns that the last known segment of a group is its last.
    pub fn finish(&mut self, group: Group) {
        if let Some(starts) = self.groups.get_mut(&group) {
            starts.finished = true;
        }
    }

    /// What follows on the segment `id`, as far as that is known. `groups`: how many the index has.
    pub fn after(&self, id: SegmentId, groups: u32) -> After {
        let Some(starts) = self.groups.get(&id.group) else {
            return After::Unknown;
        };
        let following = id.following();
        let known = usize::try_from(following.part).is_ok_and(|part| part < starts.cursors.len());
        match id.group {
            _ if known => After::Segment(following),
            _ if !starts.finished => After::Unknown,
            Group::Indexed(number) if number.saturating_add(1) < groups => {
                let next = Group::Indexed(number.saturating_add(1));
                After::Segment(SegmentId::start_of(next))
            }
            Group::Indexed(_) | Group::Found(_) => After::End,
        }
    }

    /// The time up to which the entries of a group are known; `None` while none is.
    pub fn scanned(&self, group: Group) -> Option<MediaTime> {
        let starts = self.groups.get(&group)?;
        starts.entries.last().map(|(time, _)| *time)
    }

    /// Where in `group` to begin to play at `time`.
    pub fn entry(&self, group: Group, time: MediaTime) -> Entry {
        self.groups
            .get(&group)
            .map_or(Entry::Unopened, |starts| starts.entry(group, time))
    }
}

#[cfg(test)]
mod films;

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;
    use crate::media::{Kind, Sample};
    use crate::units::ByteRange;
    use proptest::prelude::*;

    const FIRST: Group = Group::Indexed(0);

    fn part(part: u32) -> SegmentId {
        SegmentId { group: FIRST, part }
    }

    fn at(millis: i64) -> MediaTime {
        MediaTime::from_millis(millis)
    }

    /// The part that a viewer must begin in, by looking at every message of every part; `None` where
    /// no entry is at or before the time.
    fn naive(parts: &[Part], group: Group, time: MediaTime) -> Option<SegmentId> {
        let own = parts.iter().filter(|(id, ..)| id.group == group);
        let cues = own.flat_map(|(id, _, part)| part.cues.iter().map(move |cue| (*id, cue)));
        let mut cues = cues.filter(|(_, cue)| cue.entry);
        cues.rfind(|(_, cue)| cue.time <= time).map(|(id, _)| id)
    }

    /// Times at and around everything that happens in a file.
    fn times(tape: &Tape) -> Vec<MediaTime> {
        let around = |s: &Sample| [s.time.plus(-1), s.time, s.time.plus(1)];
        let ends = [MediaTime::ZERO, MediaTime::MAX];
        tape.samples.iter().flat_map(around).chain(ends).collect()
    }

    fn groups(tape: &Tape) -> impl Iterator<Item = Group> {
        (0..tape.groups.len() as u32).map(Group::Indexed)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_whole_plan_is_what_rendering_finds(tape in any_grouped(60), video: bool) {
            let rendering = Rendering { video, audio: true };
            let (parts, _) = render_all(&tape, rendering);
            let plan = Plan::whole(&tape, rendering);
            for (id, spot, _) in &parts {
                prop_assert_eq!(plan.nearest(*id), Some((*id, *spot)));
            }
            let count = tape.groups.len() as u32;
            let ids = parts.iter().map(|(id, ..)| *id);
            for (id, next) in ids.clone().zip(ids.skip(1)) {
                prop_assert_eq!(plan.after(id, count), After::Segment(next));
            }
            prop_assert_eq!(plan.after(parts.last().unwrap().0, count), After::End);
            for group in groups(&tape) {
                let last = parts.iter().rev().find(|(id, ..)| id.group == group).unwrap();
                let far = SegmentId { group, part: 9_999 };
                prop_assert_eq!(plan.nearest(far), Some((last.0, last.1)));
                for time in times(&tape) {
                    let due = naive(&parts, group, time).unwrap_or(SegmentId::start_of(group));
                    prop_assert_eq!(plan.entry(group, time), Entry::In(due), "at {}", time);
                }
            }
        }

        #[test]
        fn a_plan_that_grows_never_says_what_it_does_not_know(
            tape in any_tape(60),
            known in any::<prop::sample::Index>(),
            shuffled: u64,
        ) {
            let (parts, _) = render_all(&tape, BOTH);
            let known = known.index(parts.len() + 1);
            let mut plan = Plan::default();
            prop_assert_eq!(plan.entry(FIRST, MediaTime::ZERO), Entry::Unopened);
            plan.open(FIRST, parts[0].1);
            for (id, spot, _) in parts.iter().take(known + 1) {
                plan.learn(*id, *spot);
            }
            // Many viewers render: the segments are walked in any order.
            let mut order: Vec<usize> = (0..known).collect();
            order.sort_by_key(|n| (*n as u64).wrapping_mul(shuffled | 1));
            for number in order {
                plan.walked(parts[number].0, parts[number].2.first_entry());
            }
            if known == parts.len() {
                plan.finish(FIRST);
            }
            for time in times(&tape) {
                let due = naive(&parts, FIRST, time).unwrap_or(SegmentId::FIRST);
                match plan.entry(FIRST, time) {
                    Entry::In(found) => prop_assert_eq!(found, due, "at {}", time),
                    Entry::From(found) => {
                        prop_assert!(known < parts.len(), "everything is known");
                        prop_assert_eq!(found, parts[known].0);
                        let later = parts[..known].iter().any(|(_, _, part)| {
                            part.first_entry().is_some_and(|first| first > time)
                        });
                        prop_assert!(!later, "{} is known to be before {}", time, found);
                    }
                    Entry::Unopened => prop_assert!(false, "it is open"),
                }
            }
        }
    }

    #[test]
    fn what_is_before_the_first_entry_belongs_to_the_first_part() {
        let mut plan = Plan::default();
        plan.open(FIRST, ());
        plan.learn(part(1), ());
        plan.walked(part(0), None);
        plan.walked(part(1), Some(at(9_000)));
        assert_eq!(plan.entry(FIRST, at(8_999)), Entry::In(part(0)));
        plan.finish(FIRST);
        assert_eq!(plan.entry(FIRST, at(9_000)), Entry::In(part(1)));
    }

    #[test]
    fn of_parts_that_begin_at_the_same_time_the_last_is_entered() {
        let mut plan = Plan::default();
        plan.open(FIRST, ());
        for number in 0..3 {
            plan.learn(part(number), ());
            plan.walked(part(number), Some(at(0)));
        }
        plan.finish(FIRST);
        assert_eq!(plan.entry(FIRST, at(0)), Entry::In(part(2)));
    }

    #[test]
    fn a_part_that_was_not_walked_is_not_known_when_the_last_is() {
        let mut plan = Plan::default();
        plan.open(FIRST, ());
        plan.learn(part(1), ());
        plan.walked(part(1), Some(at(5_000)));
        plan.finish(FIRST);
        assert_eq!(plan.entry(FIRST, at(4_000)), Entry::From(part(0)));
        plan.walked(part(0), Some(at(0)));
        plan.walked(part(0), Some(at(9_000)));
        assert_eq!(plan.entry(FIRST, at(4_000)), Entry::In(part(0)));
        assert!(
            plan.groups[&FIRST].walked.is_empty(),
            "nothing is kept twice"
        );
    }

    #[test]
    fn only_the_next_start_is_news() {
        let mut plan = Plan::default();
        plan.open(FIRST, 'a');
        plan.learn(part(2), 'x');
        plan.learn(part(1), 'b');
        plan.learn(part(1), 'x');
        plan.open(FIRST, 'x');
        assert_eq!(plan.after(part(0), 2), After::Segment(part(1)));
        assert_eq!(plan.after(part(1), 2), After::Unknown);
        assert_eq!(plan.nearest(part(7)), Some((part(1), 'b')));
        assert_eq!(plan.nearest(part(0)), Some((part(0), 'a')));
        assert_eq!(plan.nearest(SegmentId::start_of(Group::Found(5))), None);
        assert_eq!(
            plan.entry(FIRST, at(0)),
            Entry::From(part(0)),
            "nothing was walked"
        );
    }

    #[test]
    fn a_file_broken_in_the_middle_can_be_entered_before_that() {
        let frames = (0..100).map(|n| key(n * 1_000, 20_000)).collect();
        let mut tape = Tape::laid_out(frames);
        tape.broken_at = Some(50);
        let mut plan = Plan::whole(&tape, BOTH);
        let (parts, _) = render_all(&tape, BOTH);
        let last = parts.last().unwrap();
        assert_eq!(plan.entry(FIRST, at(90_000)), Entry::In(last.0));
        // Who plays up to there learns of a segment after the last, which cannot be rendered.
        let (broken, start) = last.2.next.unwrap();
        plan.learn(broken, start.unwrap());
        assert_eq!(plan.nearest(broken), Some((broken, start.unwrap())));
        assert_eq!(plan.entry(FIRST, at(90_000)), Entry::In(last.0));
    }

    #[test]
    fn groups_found_by_searching_are_bounded_and_those_of_the_index_stay() {
        let mut plan = Plan::default();
        plan.open(Group::Found(7), ());
        for number in 0..2_000 {
            plan.open(Group::Indexed(number), ());
        }
        assert_ne!(
            plan.entry(Group::Found(7), at(0)),
            Entry::Unopened,
            "the index crowds none out"
        );
        for number in 0..5_000 {
            plan.open(Group::Found(number), ());
        }
        let held = |group: &Group| plan.entry(*group, at(0)) != Entry::Unopened;
        let found = (0..5_000).map(Group::Found).filter(held).count();
        assert!(found <= 1_024, "{found} are held");
        assert!(held(&Group::Found(4_999)));
        assert!((0..2_000).map(Group::Indexed).all(|group| held(&group)));
    }

    #[test]
    fn a_plan_goes_on_behind_a_sample_that_cannot_be_sent() {
        let mut tape = Tape::laid_out((0..5).map(|n| key(n * 40, 100)).collect());
        tape.samples[2].payload = ByteRange::at(0, 1 << 40);
        let plan = Plan::whole(&tape, BOTH);
        assert_eq!(plan.entry(FIRST, at(80)), Entry::In(part(1)));
        let (id, start) = plan.nearest(part(1)).unwrap();
        assert!(render_alone(&tape, BOTH, id, start).is_err());
        assert_eq!(plan.entry(FIRST, at(120)), Entry::In(part(2)));
        let (id, start) = plan.nearest(part(2)).unwrap();
        assert_eq!(
            render_alone(&tape, BOTH, id, start).unwrap().0.cues.len(),
            2
        );
        assert_eq!(tape.samples[0].kind, Kind::Video);
    }
}
