//! The plan of films whose index walks quickly, against that of the same films walked slowly.

use proptest::prelude::*;

use super::super::render_one::{Render, RenderError, Rendered};
use super::super::segment::{Group, Rendering, SegmentId};
use super::{Entry, Plan};
use crate::media::mp4::testing::any::{AnyMovie, any_movie};
use crate::media::mp4::{Mp4Cursor, Mp4Index};
use crate::media::{Demux, Fetched, Found, Heads, MediaError, MediaInfo, Next, Step};
use crate::units::MediaTime;

/// An index that is walked as any container is, one sample after the other.
#[derive(Debug)]
struct Slow<'a>(&'a Mp4Index);

impl Demux for Slow<'_> {
    type Cursor = Mp4Cursor;

    fn info(&self) -> &MediaInfo {
        self.0.info()
    }

    fn groups(&self) -> u32 {
        self.0.groups()
    }

    fn open(&self, group: u32) -> Option<Mp4Cursor> {
        self.0.open(group)
    }

    fn group_at(&self, time: MediaTime) -> u32 {
        self.0.group_at(time)
    }

    fn next(&self, cursor: &mut Mp4Cursor, fetched: &Fetched) -> Result<Next, MediaError> {
        self.0.next(cursor, fetched)
    }

    fn heads(&self, cursor: &Mp4Cursor) -> Heads {
        self.0.heads(cursor)
    }

    fn is_complete(&self) -> bool {
        self.0.is_complete()
    }

    fn guess(&self, time: MediaTime) -> Option<u64> {
        self.0.guess(time)
    }

    fn resync(
        &self,
        from: u64,
        fetched: &Fetched,
    ) -> Result<Step<Option<Found<Mp4Cursor>>>, MediaError> {
        self.0.resync(from, fetched)
    }
}

const GROUP: Group = Group::Indexed(0);

/// The segments of a plan, in order.
fn starts(plan: &Plan<Mp4Cursor>) -> Vec<(SegmentId, Mp4Cursor)> {
    let part = |part| plan.nearest(SegmentId { group: GROUP, part });
    let named = |n| part(n).filter(|(id, _)| id.part == n);
    (0..).map_while(named).collect()
}

fn render<D: Demux<Cursor = Mp4Cursor>>(
    index: &D,
    rendering: Rendering,
    (id, start): (SegmentId, Mp4Cursor),
    fetched: &Fetched,
) -> Result<Rendered<Mp4Cursor>, RenderError> {
    match Render::new(index, rendering, id, start).step(fetched)? {
        Step::Done(rendered) => Ok(rendered),
        Step::Need(ranges) => panic!("all of it was read, but {ranges:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn walking_quickly_changes_no_cut(
        AnyMovie { index, fetched, passes_over } in any_movie(),
        (video, audio) in prop::sample::select(vec![(true, true), (true, false), (false, true)]),
    ) {
        let rendering = Rendering { video, audio };
        let slow = Slow(&index);
        let plan = Plan::whole(&index, rendering);
        let due = Plan::whole(&slow, rendering);
        let (all, all_due) = (starts(&plan), starts(&due));
        prop_assert_eq!(all.len(), all_due.len());
        let mut times = vec![MediaTime::ZERO, MediaTime::MAX];
        for (start, start_due) in all.into_iter().zip(all_due) {
            // Not only from where its own plan begins: the cursors of both are as good.
            let (ours, crossed) = (
                render(&index, rendering, start.clone(), &fetched),
                render(&slow, rendering, start, &fetched),
            );
            let theirs = render(&slow, rendering, start_due, &fetched);
            prop_assert_eq!(ours.is_ok(), theirs.is_ok());
            prop_assert_eq!(ours.is_ok(), crossed.is_ok());
            let (Ok(ours), Ok(crossed), Ok(theirs)) = (&ours, &crossed, &theirs) else {
                prop_assert_eq!(ours.err(), theirs.err());
                continue;
            };
            for other in [crossed, theirs] {
                prop_assert!(ours.bytes == other.bytes, "the bytes of a segment");
                prop_assert_eq!(&ours.cues, &other.cues);
                prop_assert_eq!(&ours.used, &other.used);
                let next = |part: &Rendered<Mp4Cursor>| part.next.as_ref().map(|(id, _)| *id);
                prop_assert_eq!(next(ours), next(other));
            }
            if !passes_over {
                prop_assert_eq!(&ours.heads, &theirs.heads);
            }
            let around = |time: MediaTime| [time.plus(-1), time, time.plus(1)];
            times.extend(ours.cues.iter().flat_map(|cue| around(cue.time)));
        }
        for time in times {
            let entry: Entry = plan.entry(GROUP, time);
            prop_assert_eq!(entry, due.entry(GROUP, time), "at {}", time);
        }
    }
}
