//! The quick walk of a file whose samples are all in its tables, which is what planning and
//! rendering do.
//!
//! [`Mp4Index::next`](crate::media::Demux::next) looks at both tracks for every sample, because it
//! can forget: between two calls there is nothing but the cursor. A walk is one call for many
//! samples, so each track keeps what stands at its place and when that is due, and only the one
//! that was sent looks again. What it says, sample for sample, is what `next` says (a property test
//! holds them together), and where it stops there is a cursor again.

use super::cursor::{Mp4Cursor, Place};
use super::description::Description;
use super::index::Mp4Index;
use super::tables::{Entry, TableWalk};
use super::track::Track;
use crate::media::{MediaError, Sample, Walked};
use crate::units::MediaTime;

/// Walks both tracks, merged by time, from `cursor` on, until `take` refuses a sample.
///
/// # Errors
/// The file is broken where the cursor then stands.
pub(super) fn walk(
    index: &Mp4Index,
    cursor: &mut Mp4Cursor,
    mut take: impl FnMut(&Sample) -> bool,
) -> Result<Walked, MediaError> {
    let [mut video, mut audio] = [0, 1].map(|slot| {
        index
            .track(slot)
            .and_then(|track| Lane::new(track, slot, cursor))
    });
    let walked = merge(&mut video, &mut audio, &mut take);
    for (slot, lane) in [video, audio].into_iter().enumerate() {
        leave(lane, slot, cursor);
    }
    walked
}

fn merge<'a>(
    video: &mut Option<Lane<'a>>,
    audio: &mut Option<Lane<'a>>,
    take: &mut impl FnMut(&Sample) -> bool,
) -> Result<Walked, MediaError> {
    let due = |lane: &Option<Lane<'a>>| lane.as_ref().and_then(|lane| lane.due);
    loop {
        let next = match (due(video), due(audio)) {
            (Some(at), Some(other)) if at <= other => &mut *video,
            (Some(_), None) => &mut *video,
            (_, Some(_)) => &mut *audio,
            (None, None) => return Ok(Walked::End),
        };
        if let Some(lane) = next
            && !lane.send(take)?
        {
            return Ok(Walked::Refused);
        }
    }
}

/// Puts the place of a track back into the cursor.
fn leave(lane: Option<Lane<'_>>, slot: usize, cursor: &mut Mp4Cursor) {
    if let Some(place) = cursor.places.get_mut(slot) {
        *place = match &lane {
            Some(lane) if lane.due.is_some() => Place::Tables(lane.tables.cursor()),
            _ => Place::End,
        };
    }
    if let (Some(lane), Some(known)) = (lane, cursor.descriptions.get_mut(slot)) {
        *known = lane.known;
    }
}

/// One track in a walk.
struct Lane<'a> {
    track: &'a Track,
    tables: TableWalk<'a>,
    /// When what stands at its place is sent. `None`: the track has ended.
    due: Option<MediaTime>,
    /// What stands there. `None`: it cannot be sent, or there is nothing.
    entry: Option<Entry>,
    /// The description that was used last, by its index, if it can be sent.
    description: (u32, Option<&'a Description>),
    /// The description whose head the viewer has.
    known: u32,
}

impl<'a> Lane<'a> {
    /// `None`: the track has ended.
    fn new(track: &'a Track, slot: usize, cursor: &Mp4Cursor) -> Option<Self> {
        let Some(Place::Tables(at)) = cursor.places.get(slot) else {
            return None;
        };
        let known = *cursor.descriptions.get(slot)?;
        let mut lane = Self {
            track,
            tables: TableWalk::new(&track.tables, *at),
            due: None,
            entry: None,
            description: (known, track.playable(known)),
            known,
        };
        lane.look();
        Some(lane)
    }

    /// Looks at what stands at its place.
    fn look(&mut self) {
        let survey = &self.track.survey;
        let timeline = &self.track.timeline;
        if self.tables.sample() < survey.end {
            self.entry = self.tables.entry();
            self.due = self.entry.as_ref().map(|entry| timeline.time(entry.dts));
        } else {
            self.entry = None;
            let broken = survey.broken.is_some();
            self.due = broken.then(|| timeline.time(self.tables.dts()));
        }
    }

    /// Sends what stands at its place, or passes over it. `false`: it was refused.
    fn send(&mut self, take: &mut impl FnMut(&Sample) -> bool) -> Result<bool, MediaError> {
        let (Some(entry), Some(time)) = (self.entry, self.due) else {
            return match &self.track.survey.broken {
                Some(error) => Err(error.clone()),
                None => Ok(true),
            };
        };
        if let Some(description) = self.describe(entry.description) {
            if self.known != entry.description
                && let Some(head) = self.track.head(&entry, description)
            {
                if !take(&head) {
                    return Ok(false);
                }
                self.known = entry.description;
            }
            if !take(&self.track.sample_at(time, &entry, description)) {
                return Ok(false);
            }
            self.known = entry.description;
        }
        self.tables.advance(&entry);
        self.look();
        Ok(true)
    }

    /// The description with that index, if its samples can be sent.
    fn describe(&mut self, index: u32) -> Option<&'a Description> {
        if self.description.0 != index {
            self.description = (index, self.track.playable(index));
        }
        self.description.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::mp4::testing::any::{AnyMovie, any_movie};
    use crate::media::{Demux, Fetched, Next};
    use proptest::prelude::*;

    /// The samples from `cursor` on as `next` tells them, and how they end.
    fn slowly(
        index: &Mp4Index,
        mut cursor: Mp4Cursor,
        most: usize,
    ) -> (Vec<Sample>, Result<Walked, MediaError>) {
        let mut all = Vec::new();
        while all.len() < most {
            match index.next(&mut cursor, &Fetched::new(0)) {
                Ok(Next::Sample(sample)) => all.push(sample),
                Ok(Next::Need(range)) => panic!("{range} of a file that is known"),
                Ok(Next::End) => return (all, Ok(Walked::End)),
                Err(error) => return (all, Err(error)),
            }
        }
        (all, Ok(Walked::Refused))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        #[test]
        fn a_walk_shows_what_next_tells(
            AnyMovie { index, .. } in any_movie(),
            stops in prop::collection::vec(0usize..60, 1..20),
        ) {
            let mut cursor = index.open(0).unwrap();
            let (due, end) = slowly(&index, cursor.clone(), usize::MAX);
            let mut due = due.into_iter();
            for stop in stops.into_iter().chain([usize::MAX]) {
                let mut shown = Vec::new();
                let mut refused = None;
                let walked = index.walk(&mut cursor, &Fetched::new(0), |sample| {
                    assert!(refused.is_none(), "it goes on after a refusal");
                    if shown.len() == stop {
                        refused = Some(*sample);
                        return false;
                    }
                    shown.push(*sample);
                    true
                });
                prop_assert_eq!(&shown, &due.by_ref().take(shown.len()).collect::<Vec<_>>());
                match refused {
                    // Where it stopped is a place like any other, for `next` too.
                    Some(sample) => {
                        prop_assert_eq!(walked, Ok(Walked::Refused));
                        let rest = slowly(&index, cursor.clone(), usize::MAX);
                        prop_assert_eq!(rest.0.first(), Some(&sample));
                        prop_assert_eq!(&rest, &(due.clone().collect(), end.clone()));
                    }
                    None => {
                        prop_assert_eq!(&walked, &end);
                        prop_assert_eq!(due.len(), 0);
                        prop_assert_eq!(slowly(&index, cursor.clone(), 1), (vec![], end.clone()));
                    }
                }
            }
        }
    }
}
