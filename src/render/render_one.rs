//! The rendering of one segment, step by step.

use super::cut::Cut;
use super::mux::{Mux, check_len};
use super::segment::{Cue, Group, Rendering, SegmentId};
use crate::media::{Demux, Fetched, Heads, MediaError, Sample, Step, Walked};
use crate::units::{ByteRange, MediaTime};

/// Ranges of one segment that are this close are read as one: a request costs more than the bytes.
const COALESCE_GAP: u64 = 32 * 1024;

/// Most bytes that are read for nothing in one segment by joining ranges. Audio alone out of a
/// file with video reads the video between its samples, 8 s of 4 Mbit/s; a layout that wants more
/// is made up, and gets a request for each range.
const COALESCE_WASTE: u64 = 4 * 1024 * 1024;

/// Payloads this close are told as one range: what is between them is trailer and head of an FLV
/// tag (15 bytes), and no payload of another segment.
const USED_GAP: u64 = 15;

/// Read beyond the room that is left while walking a file that has no index: the head of the tag
/// after the last one.
const WALK_SLACK: u64 = 4 * 1024;

/// Why a segment cannot be rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// The file is broken in this segment.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// A message of RTMP cannot be that long.
    #[error("the sample at byte {at} makes a message of {len} bytes; 16777215 is the most")]
    MessageTooLarge {
        /// Position of the payload in the object.
        at: u64,
        /// Length the message would have.
        len: u64,
    },
    /// A payload is said to lie, in part, where the object has no more bytes.
    #[error("a sample is said to be at {0}, which is past the end of the object")]
    PastEnd(ByteRange),
    /// The caller stepped on without having read what was asked for.
    #[error("{0} was not read")]
    Unread(ByteRange),
    /// The group or the segment does not exist.
    #[error("there is no segment {0}")]
    NoSegment(SegmentId),
}

/// A rendered segment, before it is put into a file.
#[derive(Debug, PartialEq, Eq)]
pub struct Rendered<C> {
    /// Chunk bytes.
    pub bytes: Vec<u8>,
    /// One cue for each message, offsets rising. Empty where the group has no samples left, or so
    /// many that are not sent (see [`super::cut`]).
    pub cues: Vec<Cue>,
    /// Codec heads in force from each cue on, where they change; the first is for cue 0.
    pub heads: Vec<(u32, Heads)>,
    /// Where in the object its payloads are, in order, those that lie close together as one: what
    /// was read beside them belongs to other segments.
    pub used: Vec<ByteRange>,
    /// The segment after this one, with a cursor at its start where it is of the same group; `None`
    /// at the end of the object.
    pub next: Option<(SegmentId, Option<C>)>,
}

impl<C> Rendered<C> {
    /// Time of the first message at which a viewer may enter.
    pub fn first_entry(&self) -> Option<MediaTime> {
        self.cues.iter().find(|cue| cue.entry).map(|cue| cue.time)
    }
}

/// The rendering of one segment from a cursor at its start. Step it until it is done:
/// first it walks the samples of the segment, then it asks for their payloads, then it muxes.
#[derive(Debug)]
pub struct Render<'a, D: Demux> {
    index: &'a D,
    rendering: Rendering,
    id: SegmentId,
    start: D::Cursor,
    cursor: D::Cursor,
    cut: Cut,
    samples: Vec<Sample>,
    next: Option<Option<(SegmentId, Option<D::Cursor>)>>,
}

impl<'a, D: Demux> Render<'a, D> {
    /// The segment `id`, which begins at `start`.
    pub fn new(index: &'a D, rendering: Rendering, id: SegmentId, start: D::Cursor) -> Self {
        Self {
            index,
            rendering,
            id,
            cursor: start.clone(),
            start,
            cut: Cut::new(id),
            samples: Vec::new(),
            next: None,
        }
    }

    /// Goes on with what has been read so far.
    ///
    /// # Errors
    /// The file is broken inside this segment.
    pub fn step(&mut self, fetched: &Fetched) -> Result<Step<Rendered<D::Cursor>>, RenderError> {
        if self.next.is_none()
            && let Some(range) = self.walk(fetched)?
        {
            return Ok(Step::Need(vec![range]));
        }
        let missing = self.missing(fetched);
        if !missing.is_empty() {
            return Ok(Step::Need(missing));
        }
        self.mux(fetched).map(Step::Done)
    }

    /// Collects the samples of the segment. Answers with a range that must be read first.
    fn walk(&mut self, fetched: &Fetched) -> Result<Option<ByteRange>, RenderError> {
        self.next = match self.collect(fetched) {
            Ok(Walked::Need(range)) => return Ok(Some(self.widen(range, fetched))),
            Ok(Walked::End) => Some(self.following_group()),
            Ok(Walked::Refused) => Some(self.following_part()),
            // What comes before the broken place is sent; the next segment reports the error.
            Err(_) if !self.samples.is_empty() => Some(self.following_part()),
            Err(error) => return Err(error),
        };
        Ok(None)
    }

    /// Takes samples until the segment is full or one of them cannot be sent.
    fn collect(&mut self, fetched: &Fetched) -> Result<Walked, RenderError> {
        let mut wrong = None;
        let walked = self.index.walk(&mut self.cursor, fetched, |sample| {
            let takes = self.rendering.takes(sample.kind);
            if takes && let Err(error) = sendable(sample, fetched.size()) {
                wrong = Some(error);
                return false;
            }
            let goes_on = self.cut.goes_on(self.rendering, sample);
            if goes_on && takes {
                self.samples.push(*sample);
            }
            goes_on
        });
        wrong.map_or(Ok(walked?), Err)
    }

    /// A file without an index is walked from tag head to tag head: reads the rest of the segment
    /// at once instead, since its payloads are needed too.
    fn widen(&self, range: ByteRange, fetched: &Fetched) -> ByteRange {
        let ahead = self.cut.room().saturating_add(WALK_SLACK);
        let wide = ByteRange::new(
            range.start,
            range.end.max(range.start.saturating_add(ahead)),
        )
        .clamp_to(fetched.size());
        fetched.missing(wide).unwrap_or(range)
    }

    fn following_part(&self) -> Option<(SegmentId, Option<D::Cursor>)> {
        Some((self.id.following(), Some(self.cursor.clone())))
    }

    fn following_group(&self) -> Option<(SegmentId, Option<D::Cursor>)> {
        let Group::Indexed(group) = self.id.group else {
            return None;
        };
        let next = group.saturating_add(1);
        (next < self.index.groups()).then(|| (SegmentId::start_of(Group::Indexed(next)), None))
    }

    /// The payload ranges that have not been read, neighbours taken together.
    fn missing(&self, fetched: &Fetched) -> Vec<ByteRange> {
        let mut gaps: Vec<ByteRange> = self
            .samples
            .iter()
            .filter_map(|sample| fetched.missing(sample.payload))
            .collect();
        gaps.sort_unstable();
        coalesce(gaps)
    }

    fn used(&self) -> Vec<ByteRange> {
        let mut payloads: Vec<ByteRange> =
            self.samples.iter().map(|sample| sample.payload).collect();
        payloads.sort_unstable();
        join(payloads, USED_GAP, u64::MAX)
    }

    fn mux(&mut self, fetched: &Fetched) -> Result<Rendered<D::Cursor>, RenderError> {
        let len: u64 = self
            .samples
            .iter()
            .map(|sample| sample.message_len().saturating_add(18))
            .sum();
        let capacity = usize::try_from(len).unwrap_or_default();
        let mut mux = Mux::new(self.index.heads(&self.start), capacity);
        for sample in &self.samples {
            mux.push(self.rendering, sample, fetched)?;
        }
        Ok(Rendered {
            bytes: mux.bytes,
            cues: mux.cues,
            heads: mux.heads,
            used: self.used(),
            next: self.next.take().flatten(),
        })
    }
}

/// Whether a sample can be sent: its length and place are what the file claims, and nothing is read
/// by a claim that cannot be true.
fn sendable(sample: &Sample, size: u64) -> Result<(), RenderError> {
    check_len(sample)?;
    if sample.payload.end > size {
        return Err(RenderError::PastEnd(sample.payload));
    }
    Ok(())
}

/// Joins ranges, sorted, that are cheaper to read as one: their gaps are small, and all gaps together
/// are bearable.
pub fn coalesce(sorted: Vec<ByteRange>) -> Vec<ByteRange> {
    join(sorted, COALESCE_GAP, COALESCE_WASTE)
}

fn join(sorted: Vec<ByteRange>, largest_gap: u64, most_wasted: u64) -> Vec<ByteRange> {
    let mut joined: Vec<ByteRange> = Vec::new();
    let mut wasted = 0u64;
    for range in sorted {
        if let Some(last) = joined.last_mut() {
            let gap = range.start.saturating_sub(last.end);
            if gap <= largest_gap && wasted.saturating_add(gap) <= most_wasted {
                wasted = wasted.saturating_add(gap);
                last.end = last.end.max(range.end);
                continue;
            }
        }
        joined.push(range);
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;
    use crate::media::Kind;
    use proptest::prelude::*;
    use std::iter;

    fn renderings() -> impl Strategy<Value = Rendering> {
        let some = (any::<bool>(), any::<bool>());
        prop_oneof![
            Just(BOTH),
            some.prop_map(|(video, audio)| Rendering { video, audio }),
        ]
    }

    fn bodies(parts: &[Part]) -> Vec<Message> {
        let read = messages(&joined(parts)).into_iter();
        read.map(|(_, message)| message).collect()
    }

    /// The limits of a segment, in the words of design.md.
    fn limit(id: SegmentId) -> u64 {
        if id == SegmentId::FIRST {
            128 * 1024
        } else {
            512 * 1024
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]

        #[test]
        fn every_sample_becomes_its_message(tape in any_grouped(50), rendering in renderings()) {
            let (parts, error) = render_all(&tape, rendering);
            prop_assert_eq!(error, None);
            let expected = tape.expected(rendering);
            prop_assert_eq!(bodies(&parts), expected.clone());
            prop_assert_eq!(rml_messages(&joined(&parts)), expected);
        }

        #[test]
        fn cues_and_heads_tell_what_is_in_a_segment(tape in any_grouped(50), rendering in renderings()) {
            let (parts, _) = render_all(&tape, rendering);
            let taken = |s: &Sample| match s.kind {
                Kind::Video => rendering.video,
                Kind::Audio => rendering.audio,
                Kind::Data => true,
            };
            let way_in = if rendering.video { Kind::Video } else { Kind::Audio };
            let mut numbered = tape.samples.iter().enumerate().filter(|(_, s)| taken(s));
            for (_, _, part) in &parts {
                let begins: Vec<u32> = messages(&part.bytes).iter().map(|(at, _)| *at).collect();
                let offsets: Vec<u32> = part.cues.iter().map(|cue| cue.offset).collect();
                prop_assert_eq!(offsets, begins);
                prop_assert_eq!(part.heads.first().map(|(from, _)| *from), Some(0));
                for (number, cue) in (0u32..).zip(&part.cues) {
                    let (at, sample) = numbered.next().unwrap();
                    prop_assert_eq!((cue.time, cue.kind, cue.head), (sample.time, sample.kind, sample.head));
                    let entry = sample.kind == way_in && sample.sync && !sample.head;
                    prop_assert_eq!(cue.entry, entry);
                    let heads = part.heads.iter().rev().find(|(from, _)| *from <= number);
                    let heads = heads.map(|(_, heads)| heads).unwrap();
                    let due = tape.heads(&Spot { next: at, end: 0 });
                    if rendering.video {
                        prop_assert_eq!(&heads.video, &due.video);
                    }
                    if rendering.audio {
                        prop_assert_eq!(&heads.audio, &due.audio);
                    }
                }
                let first = part.cues.iter().find(|cue| cue.entry).map(|cue| cue.time);
                prop_assert_eq!(part.first_entry(), first);
            }
            prop_assert!(numbered.next().is_none());
        }

        #[test]
        fn segments_are_as_large_as_they_may_be(tape in any_grouped(80)) {
            let (parts, _) = render_all(&tape, BOTH);
            for (number, (id, spot, part)) in parts.iter().enumerate() {
                let times: Vec<MediaTime> = part.cues.iter().map(|cue| cue.time).collect();
                let (Some(first), Some(last)) = (times.first(), times.last()) else {
                    prop_assert!(spot.next == spot.end, "{} is empty", id);
                    continue;
                };
                let bytes = part.bytes.len() as u64;
                if times.len() > 1 {
                    // Chunk headers inside messages are not counted: 5 bytes every 64 KiB.
                    prop_assert!(bytes <= limit(*id) + 45, "{} has {} bytes", id, bytes);
                    prop_assert!(last.since(*first) < 8_000);
                }
                let follows = parts.get(number + 1).filter(|(next, ..)| next.group == id.group);
                if let Some((next, _, after)) = follows {
                    prop_assert_eq!(next.part, id.part + 1);
                    let one = after.cues.get(1).map_or(after.bytes.len(), |cue| cue.offset as usize);
                    let longer = after.cues[0].time.since(*first) >= 8_000;
                    let slack = 16 * times.len() as u64;
                    prop_assert!(longer || bytes + one as u64 + slack > limit(*id), "{} is cut early", id);
                }
            }
        }

        #[test]
        fn a_file_without_an_index_gives_the_same_segments(samples in any_samples(50), rendering in renderings()) {
            let mut tape = Tape::laid_out(samples);
            let (known, _) = render_all(&tape, rendering);
            tape.walked = true;
            let (walked, error) = render_all(&tape, rendering);
            prop_assert_eq!(error, None);
            prop_assert_eq!(known.len(), walked.len());
            for ((id, spot, part), (same_id, same_spot, same)) in known.iter().zip(&walked) {
                prop_assert_eq!((id, spot), (same_id, same_spot));
                prop_assert_eq!((&part.cues, &part.heads), (&same.cues, &same.heads));
                prop_assert!(part.bytes == same.bytes && part.next == same.next);
            }
        }

        #[test]
        fn a_segment_is_the_same_rendered_alone_or_in_sequence(
            mut tape in any_samples(50).prop_map(Tape::laid_out),
            walked: bool,
        ) {
            tape.walked = walked;
            let (alone, _) = render_all(&tape, BOTH);
            // In sequence: what was read for one segment serves the next.
            let mut fetched = Fetched::new(tape.object.len() as u64);
            let mut reads = Reads::default();
            for (id, spot, part) in &alone {
                let mut render = Render::new(&tape, BOTH, *id, *spot);
                let rendered = reads.finish(&mut render, &mut fetched, &tape.object).unwrap();
                prop_assert_eq!(&rendered.bytes, &part.bytes);
                prop_assert_eq!(&rendered.cues, &part.cues);
                prop_assert_eq!(rendered.next, part.next);
            }
            prop_assert!(reads.bytes() <= tape.object.len() as u64, "a byte was read twice");
        }

        #[test]
        fn what_is_read_is_what_is_sent(samples in any_samples(50)) {
            let tape = Tape::laid_out(samples);
            let (parts, _) = render_all(&tape, BOTH);
            for (id, spot, part) in &parts {
                let (_, reads) = render_alone(&tape, BOTH, *id, *spot).unwrap();
                let own = &tape.samples[spot.next..spot.next + part.cues.len()];
                let payload: u64 = own.iter().map(|s| s.payload.len()).sum();
                prop_assert!(reads.bytes() <= payload + 15 * own.len() as u64);
                let requests: usize = reads.rounds.iter().map(Vec::len).sum();
                prop_assert!(requests <= 1, "{} requests for one stretch", requests);
            }
        }

        #[test]
        fn all_before_a_broken_place_is_sent(
            mut tape in any_samples(50).prop_map(Tape::laid_out),
            at: prop::sample::Index,
            walked: bool,
            rendering in renderings(),
        ) {
            prop_assume!(!tape.samples.is_empty());
            tape.walked = walked;
            tape.broken_at = Some(at.index(tape.samples.len()));
            let (parts, error) = render_all(&tape, rendering);
            prop_assert_eq!(error, Some(RenderError::Media(tape.broken())));
            prop_assert_eq!(bodies(&parts), tape.expected(rendering));
        }
    }

    #[test]
    fn a_segment_holds_4096_messages_at_most() {
        let samples = iter::repeat_n(sample(Kind::Data, 0, 0), 10_000).collect();
        let (parts, _) = render_all(&Tape::laid_out(samples), BOTH);
        let counts: Vec<usize> = parts.iter().map(|(_, _, part)| part.cues.len()).collect();
        assert_eq!(counts, [4096, 4096, 1808]);
    }

    #[test]
    fn a_message_longer_than_any_can_be_is_an_error_before_it_is_read() {
        let mut tape = Tape::new(vec![key(0, 100), key(40, 100), key(80, 100)]);
        tape.object = vec![0; 0x110_0000].into();
        tape.samples[1].payload = ByteRange::at(100, 0xff_ffff);
        assert_eq!(
            bodies(&render_all(&tape, BOTH).0).len(),
            3,
            "the longest there can be"
        );
        let len = 0xff_ffff + 1;
        tape.samples[1].payload = ByteRange::at(100, len);
        let (parts, error) = render_all(&tape, BOTH);
        assert_eq!(bodies(&parts).len(), 1, "what comes before it is sent");
        assert_eq!(error, Some(RenderError::MessageTooLarge { at: 100, len }));
        let place = Spot { next: 1, end: 3 };
        let mut render = Render::new(&tape, BOTH, SegmentId::FIRST, place);
        let nothing = Fetched::new(tape.object.len() as u64);
        assert!(
            render.step(&nothing).is_err(),
            "without reading 16 MiB first"
        );
    }

    #[test]
    fn a_payload_past_the_end_of_the_object_is_an_error_and_not_asked_for() {
        let mut tape = Tape::laid_out(vec![key(0, 100), key(40, 100), key(80, 100)]);
        let cut_short = tape.samples[1].payload;
        tape.object = tape.object.slice(..cut_short.end as usize - 1);
        let (parts, error) = render_all(&tape, BOTH);
        assert_eq!(bodies(&parts).len(), 1, "what comes before it is sent");
        assert_eq!(error, Some(RenderError::PastEnd(cut_short)));
    }

    #[test]
    fn samples_that_are_not_sent_do_not_make_a_segment_endless() {
        // An hour of video behind the last audio: nothing of it may be read for one segment.
        let mut samples = vec![sample(Kind::Audio, 0, 100)];
        samples.extend((1..3_000).map(|n| key(n * 40, 20_000)));
        samples.push(sample(Kind::Audio, 120_000, 100));
        let mut tape = Tape::laid_out(samples);
        let audio = Rendering {
            video: false,
            audio: true,
        };
        for walked in [false, true] {
            tape.walked = walked;
            let (parts, error) = render_all(&tape, audio);
            assert_eq!(error, None);
            assert_eq!(bodies(&parts), tape.expected(audio));
            for (id, spot, _) in &parts {
                let (_, reads) = render_alone(&tape, audio, *id, *spot).unwrap();
                assert!(reads.bytes() < 10 << 20, "{} bytes for {id}", reads.bytes());
            }
        }
    }

    #[test]
    fn far_payloads_are_read_by_themselves_and_near_ones_together() {
        let place = |start, len| Sample {
            payload: ByteRange::at(start, len),
            ..key(0, 0)
        };
        // The gaps: 32,768 bytes and one more. The order in the file is not that of sending.
        let samples = vec![
            place(200_000, 100),
            place(0, 100),
            place(32_868, 100),
            place(65_737, 100),
        ];
        let tape = Tape::new(samples);
        let start = tape.open(0).unwrap();
        let (_, reads) = render_alone(&tape, BOTH, SegmentId::FIRST, start).unwrap();
        let ranges = [(0, 32_968), (65_737, 65_837), (200_000, 200_100)];
        assert_eq!(
            reads.rounds,
            [ranges.map(|(start, end)| ByteRange::new(start, end))]
        );
    }

    #[test]
    fn a_walk_reads_the_rest_of_the_segment_at_once_but_not_what_is_known() {
        let mut tape = Tape::laid_out((0..50).map(|n| key(n * 40, 10_000)).collect());
        tape.walked = true;
        let mut fetched = Fetched::new(tape.object.len() as u64);
        let mut render = Render::new(&tape, BOTH, SegmentId::FIRST, tape.open(0).unwrap());
        // The first tag head stands at 13; room for 128 KiB, and 4 KiB more.
        let all = ByteRange::new(13, 13 + 132 * 1024);
        assert_eq!(render.step(&fetched).unwrap(), Step::Need(vec![all]));
        fetched.insert(50_000, tape.object.slice(50_000..60_000));
        let before = ByteRange::new(13, 50_000);
        assert_eq!(render.step(&fetched).unwrap(), Step::Need(vec![before]));
    }

    #[test]
    fn heads_do_not_keep_what_was_read_alive() {
        let mut head = sample(Kind::Video, 0, 40);
        head.head = true;
        let tape = Tape::laid_out(vec![head, key(0, 1_000)]);
        let mut fetched = Fetched::whole(tape.object.clone());
        let mut render = Render::new(&tape, BOTH, SegmentId::FIRST, tape.open(0).unwrap());
        let rendered = Reads::default()
            .finish(&mut render, &mut fetched, &tape.object)
            .unwrap();
        let (_, heads) = &rendered.heads[1];
        let body = heads.video.as_ref().unwrap().as_ptr() as usize;
        let object = tape.object.as_ptr() as usize;
        assert!(!(object..object + tape.object.len()).contains(&body));
    }
}
