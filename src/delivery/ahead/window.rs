//! How many segments a stream reads ahead. Pure.
//!
//! The window opens at one segment and doubles with each segment that is sent in order, up to
//! [`MOST`]. It never holds more than [`MOST_BYTES`], by the size of the segments that were seen;
//! and for a paced viewer no more than plays in [`PACED_MILLIS`], but one segment at least: their
//! player has seconds of lead, the next segment is asked for when the one before it is begun, and
//! what is read further ahead is read in vain when they leave. More is asked for when half of the
//! window is used up, so that neighbours come with one read.
//!
//! A seek, a pause and the end close it; a socket that takes nothing narrows it to one segment.

use crate::render::{SegmentId, cut};

/// The widest window, segments.
pub const MOST: u32 = 16;

/// The widest window, bytes: an origin that answers in 50 ms fills 160 MB/s with that.
pub const MOST_BYTES: u64 = MOST as u64 * cut::SEGMENT_BYTES;

/// The widest window of a paced viewer, milliseconds of media.
pub const PACED_MILLIS: u64 = 2_000;

/// What is known of the segment that a viewer is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Here {
    /// The segment.
    pub id: SegmentId,
    /// The one after it.
    pub next: Option<SegmentId>,
    /// Its length.
    pub bytes: u32,
    /// How long it plays, milliseconds.
    pub millis: u64,
    /// Whether the viewer is paced.
    pub paced: bool,
}

/// The window of one stream. The default is closed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Window {
    /// Segments, as far as order alone decides.
    open: u32,
    /// The segment that was seen last, and the one that is expected now.
    seen: Option<SegmentId>,
    expected: Option<SegmentId>,
    /// Size and time of a segment here: the largest seen, fading. The last one of a group may be
    /// a fraction of the others.
    bytes: u64,
    millis: u64,
    /// How many segments after the one that was seen last are there or on their way.
    reach: u32,
}

impl Window {
    /// Whether that segment was seen last.
    pub fn is_at(&self, id: SegmentId) -> bool {
        self.seen == Some(id)
    }

    /// The viewer is sent this segment: how many after it are to be brought. 0: nothing is to be
    /// done now.
    pub fn at(&mut self, here: &Here) -> u32 {
        if self.is_at(here.id) {
            return 0;
        }
        if self.expected == Some(here.id) {
            self.open = self.open.saturating_mul(2).clamp(1, MOST);
            self.reach = self.reach.saturating_sub(1);
        } else {
            self.open = 1;
            self.reach = 0;
        }
        self.seen = Some(here.id);
        self.expected = here.next;
        self.bytes = fading(self.bytes, here.bytes.into());
        self.millis = fading(self.millis, here.millis);
        let wanted = self.width(here.paced);
        if here.next.is_some() && self.reach <= wanted / 2 {
            wanted
        } else {
            0
        }
    }

    /// So many segments after the one that was seen last are there or on their way.
    pub fn reaches(&mut self, segments: u32) {
        self.reach = segments;
    }

    /// The viewer takes bytes more slowly than they come.
    pub fn narrow(&mut self) {
        self.open = self.open.min(1);
    }

    fn width(&self, paced: bool) -> u32 {
        let fit = MOST_BYTES.checked_div(self.bytes).unwrap_or(MOST_BYTES);
        let in_time = if paced {
            PACED_MILLIS.checked_div(self.millis).unwrap_or(1)
        } else {
            u64::MAX
        };
        let width = u64::from(self.open).min(fit).min(in_time).max(1);
        u32::try_from(width).unwrap_or(MOST)
    }
}

/// The larger of a value and three quarters of what was largest before it.
fn fading(largest: u64, value: u64) -> u64 {
    (largest - largest / 4).max(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::Group;
    use proptest::prelude::*;

    const SEGMENT: u32 = cut::SEGMENT_BYTES as u32;

    fn part(part: u32) -> SegmentId {
        let group = Group::Indexed(0);
        SegmentId { group, part }
    }

    fn here(number: u32) -> Here {
        Here {
            id: part(number),
            next: Some(part(number + 1)),
            bytes: SEGMENT,
            millis: 1_000,
            paced: false,
        }
    }

    #[test]
    fn it_doubles_with_each_segment_in_order_and_is_filled_by_halves() {
        let mut window = Window::default();
        let mut asked = Vec::new();
        for number in 0..24 {
            let wanted = window.at(&here(number));
            if wanted > 0 {
                window.reaches(wanted);
            }
            asked.push(wanted);
            assert_eq!(window.at(&here(number)), 0, "once for each segment");
        }
        assert_eq!(asked[..6], [1, 2, 4, 8, 16, 0]);
        let later = asked[5..].iter().filter(|wanted| **wanted > 0);
        assert_eq!(later.copied().collect::<Vec<_>>(), [16, 16]);
    }

    #[test]
    fn a_paced_viewer_is_two_seconds_or_one_segment_ahead() {
        for (millis, widest) in [
            (7_000, 1),
            (1_500, 1),
            (1_000, 2),
            (250, 8),
            (1, 16),
            (0, 1),
        ] {
            let mut window = Window::default();
            let paced = |number| Here {
                paced: true,
                millis,
                ..here(number)
            };
            let asked = (0..20).map(|number| window.at(&paced(number))).max();
            assert_eq!(asked, Some(widest), "segments of {millis} ms");
        }
    }

    #[test]
    fn a_short_segment_among_long_ones_does_not_open_it() {
        let mut window = Window::default();
        for number in 0..40 {
            let millis = if number % 2 == 0 { 8_000 } else { 100 };
            let wanted = window.at(&Here {
                paced: true,
                millis,
                ..here(number)
            });
            assert!(wanted <= 1, "{wanted} at {number}");
        }
    }

    #[test]
    fn large_segments_make_it_narrow() {
        let mut window = Window::default();
        let large = |number| Here {
            bytes: 3 << 20,
            ..here(number)
        };
        assert_eq!(
            (0..20).map(|number| window.at(&large(number))).max(),
            Some(2)
        );
        let huge = |number| Here {
            bytes: 17 << 20,
            ..here(number)
        };
        assert_eq!(window.at(&huge(20)), 1);
    }

    #[test]
    fn a_jump_a_blocked_socket_and_the_end_close_it() {
        let mut window = Window::default();
        for number in 0..5 {
            window.at(&here(number));
        }
        assert_eq!(window.width(false), 16);
        window.narrow();
        assert_eq!(window.at(&here(5)), 2);
        window.at(&here(6));
        assert_eq!(window.at(&here(90)), 1);
        assert_eq!(
            window.at(&Here {
                next: None,
                ..here(91)
            }),
            0
        );
    }

    proptest! {
        #[test]
        fn it_never_asks_for_more_than_the_stated_bounds(
            steps in proptest::collection::vec((0u32..4, 0u32..2 << 20, 0u64..20_000, any::<bool>(), 0u32..20), 1..60),
        ) {
            let mut window = Window::default();
            let mut number = 0;
            for (jump, bytes, millis, paced, reach) in steps {
                number += jump;
                let here = Here { bytes, millis, paced, ..here(number) };
                let wanted = window.at(&here);
                prop_assert!(wanted <= MOST);
                prop_assert!(wanted <= 1 || u64::from(wanted) * u64::from(bytes) <= MOST_BYTES);
                prop_assert!(!paced || wanted <= 1 || u64::from(wanted) * millis <= PACED_MILLIS);
                window.reaches(reach);
            }
        }
    }
}
