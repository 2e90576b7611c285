//! The index of an FLV file, and walking along its tags.

use super::claim::{self, Claim};
use super::cursor::FlvCursor;
use super::prologue;
use super::resync;
use super::tag::Role;
use super::walk::{self, Look, Tag};
use crate::media::{
    Demux, Fetched, Found, Heads, Kind, MediaError, MediaInfo, Next, Prefix, Sample, Step,
};
use crate::units::{ByteRange, MediaTime};

/// What is known of an FLV file. See [`super`] for what its groups are.
///
/// A group whose claim turns out wrong answers [`Next::End`] at once; who wants a sample at its
/// time opens the group before it.
#[derive(Debug, Clone)]
pub struct FlvIndex {
    pub(super) info: MediaInfo,
    /// Where the tags are.
    pub(super) media: ByteRange,
    /// Time of the first tag as the file counts, unrolled.
    pub(super) first: MediaTime,
    /// What is added to the file's count, so that no time is negative; milliseconds.
    pub(super) shift: i64,
    /// Where the onMetaData tag is that became part of `info`.
    pub(super) metadata_at: Option<u64>,
    /// The first codec heads.
    pub(super) heads: Heads,
    /// The starts of groups 1 and up.
    pub(super) claims: Vec<Claim>,
}

/// A tag to look at, or what ends the walk here.
enum Stand {
    Tag(Tag),
    End,
    Broken(MediaError),
}

impl FlvIndex {
    /// Whether there is video.
    pub(super) fn has_video(&self) -> bool {
        self.info.video.is_some()
    }

    /// A cursor that walks from `at` to the end of the file. `near`: about the time there.
    pub(super) fn cursor_at(&self, at: u64, near: MediaTime) -> FlvCursor {
        FlvCursor {
            at,
            near: near.plus(self.shift.saturating_neg()),
            claim: usize::MAX,
            opening: false,
            heads: self.heads.clone(),
        }
    }

    /// Moves `cursor` past the next sample; the error is what must be read first.
    fn advance(
        &self,
        cursor: &mut FlvCursor,
        fetched: &Fetched,
    ) -> Result<Result<Next, MediaError>, ByteRange> {
        loop {
            let tag = match self.stand(cursor, fetched)? {
                Stand::Tag(tag) => tag,
                Stand::End => return Ok(Ok(Next::End)),
                Stand::Broken(error) => return Ok(Err(error)),
            };
            if self.metadata_at == Some(cursor.at) {
                cursor.at = tag.end;
                continue;
            }
            let head = prologue::head_of(&tag, fetched)?;
            let time = tag.millis.unroll(cursor.near);
            let sample = Sample {
                kind: tag.kind,
                time: time.plus(self.shift),
                sync: tag.lead.role == Role::Media && tag.lead.key,
                head: head.is_some(),
                prefix: Prefix::EMPTY,
                payload: tag.body,
            };
            match tag.kind {
                Kind::Video => cursor.heads.video = head.or(cursor.heads.video.take()),
                Kind::Audio => cursor.heads.audio = head.or(cursor.heads.audio.take()),
                Kind::Data => {}
            }
            // Script tags often have no time of their own; the count goes on from the media.
            if tag.kind != Kind::Data {
                cursor.near = time;
            }
            cursor.at = tag.end;
            return Ok(Ok(Next::Sample(sample)));
        }
    }

    /// Goes on to the next tag that can be sent, or to the end of the group.
    fn stand(&self, cursor: &mut FlvCursor, fetched: &Fetched) -> Result<Stand, ByteRange> {
        if cursor.opening {
            let claim = cursor
                .claim
                .checked_sub(1)
                .and_then(|index| self.claims.get(index));
            let holds = claim.map(|claim| self.holds(*claim, fetched)).transpose()?;
            if holds != Some(true) {
                return Ok(Stand::End);
            }
            cursor.opening = false;
        }
        loop {
            if self
                .border(cursor, cursor.at.saturating_add(1), fetched)?
                .is_some()
            {
                return Ok(Stand::End);
            }
            let (end, tag) = match walk::look(cursor.at, fetched) {
                Ok(Look::Tag(tag)) => (tag.end, Some(tag)),
                Ok(Look::Pass(to)) => (to, None),
                Ok(Look::Need(range)) => return Err(range),
                Ok(Look::End) => return Ok(Stand::End),
                Err(error) => return Ok(Stand::Broken(error)),
            };
            if let Some(border) = self.border(cursor, end, fetched)? {
                // A group begins inside of what claims to be one tag: its size is wrong.
                cursor.at = border;
                return Ok(Stand::End);
            }
            match tag {
                Some(tag) => return Ok(Stand::Tag(tag)),
                None => cursor.at = end,
            }
        }
    }

    /// The first group start from the cursor to before `end`.
    fn border(
        &self,
        cursor: &mut FlvCursor,
        end: u64,
        fetched: &Fetched,
    ) -> Result<Option<u64>, ByteRange> {
        while let Some(claim) = self.claims.get(cursor.claim) {
            if claim.position >= end {
                break;
            }
            if claim.position >= cursor.at && self.holds(*claim, fetched)? {
                return Ok(Some(claim.position));
            }
            cursor.claim = cursor.claim.saturating_add(1);
        }
        Ok(None)
    }

    fn holds(&self, claim: Claim, fetched: &Fetched) -> Result<bool, ByteRange> {
        claim::holds(claim, self.has_video(), fetched)
    }
}

impl Demux for FlvIndex {
    type Cursor = FlvCursor;

    fn info(&self) -> &MediaInfo {
        &self.info
    }

    fn groups(&self) -> u32 {
        u32::try_from(self.claims.len())
            .unwrap_or(u32::MAX)
            .saturating_add(1)
    }

    fn open(&self, group: u32) -> Option<FlvCursor> {
        let group = usize::try_from(group).ok()?;
        let (at, near) = match group.checked_sub(1) {
            None => (self.media.start, self.first),
            Some(index) => {
                let claim = self.claims.get(index)?;
                (claim.position, claim.time)
            }
        };
        Some(FlvCursor {
            at,
            near,
            claim: group,
            opening: group > 0,
            heads: self.heads.clone(),
        })
    }

    fn group_at(&self, time: MediaTime) -> u32 {
        let before = self
            .claims
            .partition_point(|claim| claim.time.plus(self.shift) <= time);
        u32::try_from(before).unwrap_or(u32::MAX)
    }

    fn next(&self, cursor: &mut FlvCursor, fetched: &Fetched) -> Result<Next, MediaError> {
        self.advance(cursor, fetched)
            .unwrap_or_else(|range| Ok(Next::Need(range)))
    }

    fn heads(&self, cursor: &FlvCursor) -> Heads {
        cursor.heads.clone()
    }

    fn is_complete(&self) -> bool {
        false
    }

    fn guess(&self, time: MediaTime) -> Option<u64> {
        if !self.claims.is_empty() {
            return None;
        }
        let start = self.first.plus(self.shift);
        let whole = self.info.duration?.since(start);
        let part = time.since(start).clamp(0, whole.max(0));
        let bytes = u128::from(self.media.len())
            .checked_mul(u128::from(part.unsigned_abs()))?
            .checked_div(u128::from(whole.unsigned_abs()))?;
        Some(self.media.start.saturating_add(u64::try_from(bytes).ok()?))
    }

    fn resync(
        &self,
        from: u64,
        fetched: &Fetched,
    ) -> Result<Step<Option<Found<FlvCursor>>>, MediaError> {
        resync::resync(self, from, fetched)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::flv::fixture::{AVC_HEAD, Flv, all_groups, amf0, build, noise, walk};
    use proptest::prelude::*;

    /// Every sample of a file, without the help of its table.
    fn plain(file: &[u8]) -> Vec<Sample> {
        let (mut index, mut fetched, _) = build(file).unwrap();
        index.claims = Vec::new();
        all_groups(&index, file, &mut fetched).unwrap()
    }

    /// A film of 40 s with a keyframe table, to whose positions `wrong` is added in order.
    fn with_table(frame: usize, wrong: &[i64]) -> Flv {
        let table = |keys: &[(u64, i64)]| {
            #[allow(clippy::cast_precision_loss)]
            let positions = keys.iter().zip(wrong.iter().chain(std::iter::repeat(&0)));
            let positions =
                positions.map(|(key, wrong)| (i64::try_from(key.0).unwrap() + wrong) as f64);
            #[allow(clippy::cast_precision_loss)]
            let times = keys.iter().map(|key| key.1 as f64 / 1000.0);
            let keyframes = amf0::object(&[
                ("times", amf0::numbers(times)),
                ("filepositions", amf0::numbers(positions)),
            ]);
            amf0::on_metadata(&[("duration", amf0::number(40.0)), ("keyframes", keyframes)])
        };
        let make = |metadata: &[u8]| {
            let mut file = Flv::new(5);
            file.tag(18, 0, metadata);
            file.heads();
            file.film(0, 1_000, frame);
            file
        };
        let blank = make(&table(&vec![(0, 0); 100]));
        make(&table(&blank.keys))
    }

    #[test]
    fn samples_are_the_tags() {
        let mut file = Flv::movie(3);
        file.tag(18, 80, b"\x02\0\x0aonCuePoint");
        file.tag(9, 120, b"\x57\0");
        file.tag(9, 120, b"");
        file.tag(0x28, 120, b"encrypted");
        file.tag(10, 120, b"no such type");
        file.tag(9, 160, b"\x17\x02\0\0\0");
        let (index, mut fetched, _) = build(&file.bytes).unwrap();
        let samples = all_groups(&index, &file.bytes, &mut fetched).unwrap();
        let told: Vec<_> = samples
            .iter()
            .map(|sample| (sample.kind, sample.time.millis(), sample.sync, sample.head))
            .collect();
        let expected = [
            (Kind::Video, 0, false, true),
            (Kind::Audio, 0, false, true),
            (Kind::Video, 0, true, false),
            (Kind::Audio, 10, true, false),
            (Kind::Video, 40, false, false),
            (Kind::Audio, 50, true, false),
            (Kind::Video, 80, false, false),
            (Kind::Audio, 90, true, false),
            (Kind::Data, 80, false, false),
            (Kind::Video, 120, false, false),
            (Kind::Video, 160, false, false),
        ];
        assert_eq!(told, expected);
        assert_eq!(samples[0].payload, ByteRange::at(24, 10));
        assert_eq!(samples[0].message_len(), 10);
    }

    #[test]
    fn metadata_is_not_a_sample_but_later_script_tags_are() {
        let mut file = Flv::new(5);
        file.tag(18, 0, &amf0::on_metadata(&[]));
        file.heads();
        file.tag(18, 0, &amf0::on_metadata(&[]));
        file.film(0, 2, 50);
        let samples = plain(&file.bytes);
        let data: Vec<_> = samples
            .iter()
            .filter(|sample| sample.kind == Kind::Data)
            .collect();
        assert_eq!(data.len(), 1);
        assert_eq!(data[0].payload.start, file.starts[3] + 11);
    }

    #[test]
    fn times_go_on_past_the_wrap_of_the_count() {
        let mut file = Flv::new(5);
        file.heads();
        for n in 0..9 {
            // Ten days apart, so that the count wraps between the fifth and the sixth.
            file.frame(864_000_000u32.wrapping_mul(n), true, 20);
            file.tag(18, 0, b"\x02\0\x01x");
        }
        let samples = plain(&file.bytes);
        let times: Vec<_> = samples
            .iter()
            .filter(|sample| sample.sync)
            .map(|sample| sample.time.millis())
            .collect();
        assert_eq!(times, (0..9).map(|n| n * 864_000_000).collect::<Vec<_>>());
    }

    #[test]
    fn a_start_below_zero_is_moved_to_zero() {
        let mut file = Flv::new(1);
        file.tag(9, u32::MAX - 59, AVC_HEAD);
        file.frame(u32::MAX - 59, true, 20);
        file.frame(u32::MAX - 19, false, 20);
        file.frame(20, false, 20);
        let (index, ..) = build(&file.bytes).unwrap();
        let times: Vec<_> = plain(&file.bytes)
            .iter()
            .map(|sample| sample.time.millis())
            .collect();
        assert_eq!(times, [0, 0, 40, 80]);
        assert_eq!(index.info().duration, Some(MediaTime::from_millis(80)));
    }

    #[test]
    fn groups_begin_at_the_key_frames_of_the_table() {
        let file = with_table(200, &[]);
        let (index, mut fetched, _) = build(&file.bytes).unwrap();
        // 40 s in groups of 8 s.
        assert_eq!(index.groups(), 5);
        assert_eq!(index.group_at(MediaTime::from_millis(7_999)), 0);
        assert_eq!(index.group_at(MediaTime::from_millis(8_000)), 1);
        assert_eq!(index.group_at(MediaTime::MAX), 4);
        assert_eq!(index.guess(MediaTime::from_millis(8_000)), None);
        let mut cursor = index.open(2).unwrap();
        assert_eq!(index.heads(&cursor).video.as_deref(), Some(AVC_HEAD));
        let samples = walk(&index, &mut cursor, &file.bytes, &mut fetched).unwrap();
        assert_eq!(samples[0].time.millis(), 16_000);
        assert!(samples[0].sync);
        assert_eq!(samples.last().unwrap().time.millis(), 23_970);
        assert!(index.open(5).is_none());
        assert_eq!(
            all_groups(&index, &file.bytes, &mut fetched).unwrap(),
            plain(&file.bytes)
        );
    }

    #[test]
    fn a_wrong_claim_makes_its_group_empty_and_the_one_before_longer() {
        // Entry 20 is the key frame of 8 s, the start of group 1.
        let mut wrong = vec![0; 20];
        wrong.push(1);
        let file = with_table(200, &wrong);
        let (index, mut fetched, _) = build(&file.bytes).unwrap();
        assert_eq!(index.groups(), 5);
        let mut cursor = index.open(1).unwrap();
        assert_eq!(
            walk(&index, &mut cursor, &file.bytes, &mut fetched).unwrap(),
            []
        );
        let mut cursor = index.open(0).unwrap();
        let samples = walk(&index, &mut cursor, &file.bytes, &mut fetched).unwrap();
        assert_eq!(samples.last().unwrap().time.millis(), 15_970);
        assert_eq!(
            all_groups(&index, &file.bytes, &mut fetched).unwrap(),
            plain(&file.bytes)
        );
    }

    #[test]
    fn a_table_that_is_wrong_at_its_end_is_not_used() {
        let mut wrong = vec![0; 50];
        wrong.resize(100, 7);
        let file = with_table(200, &wrong);
        let (index, ..) = build(&file.bytes).unwrap();
        assert_eq!(index.groups(), 1);
        assert!(index.guess(MediaTime::from_millis(20_000)).is_some());
    }

    #[test]
    fn a_group_that_begins_inside_of_a_tag_ends_it() {
        // The size of the sound before the key frame of 8 s says that it goes on past it.
        let mut file = with_table(200, &[]);
        let key = file.keys[20].0;
        let sound = *file
            .starts
            .iter()
            .rev()
            .find(|start| **start < key)
            .unwrap();
        file.bytes[usize::try_from(sound).unwrap() + 2] = 9;
        let (index, mut fetched, _) = build(&file.bytes).unwrap();
        let samples = all_groups(&index, &file.bytes, &mut fetched).unwrap();
        let count = |samples: &[Sample]| samples.len();
        assert_eq!(
            count(&samples),
            file.starts.len() - 2,
            "all but the metadata and that sound"
        );
        let starts: Vec<_> = samples.iter().map(|sample| sample.payload.start).collect();
        assert!(starts.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn heads_change_in_mid_file() {
        let mut file = Flv::movie(10);
        let head = [AVC_HEAD, b"other"].concat();
        file.tag(9, 400, &head);
        file.film(10, 10, 50);
        let (index, mut fetched, _) = build(&file.bytes).unwrap();
        let mut cursor = index.open(0).unwrap();
        assert_eq!(index.heads(&cursor).video.as_deref(), Some(AVC_HEAD));
        walk(&index, &mut cursor, &file.bytes, &mut fetched).unwrap();
        assert_eq!(index.heads(&cursor).video.as_deref(), Some(&head[..]));
    }

    #[test]
    fn garbage_is_passed_over_up_to_a_bound() {
        for (len, sound) in [(1usize, true), (30_000, true), (70_000, false)] {
            let mut file = Flv::movie(10);
            file.bytes.extend(noise(7, len));
            let garbage = file.len();
            file.film(10, 10, 50);
            let (index, mut fetched, _) = build(&file.bytes).unwrap();
            let samples = all_groups(&index, &file.bytes, &mut fetched);
            if sound {
                assert_eq!(samples.unwrap().len(), file.starts.len());
            } else {
                let at = garbage - u64::try_from(len).unwrap();
                assert!(
                    matches!(samples, Err(MediaError::Malformed { at: there, .. }) if there == at)
                );
            }
        }
    }

    #[test]
    fn a_cut_file_ends_with_its_last_whole_tag() {
        let file = Flv::movie(20);
        let whole = plain(&file.bytes);
        for end in usize::try_from(file.starts[4]).unwrap()..file.bytes.len() {
            let samples = plain(&file.bytes[..end]);
            let end = u64::try_from(end).unwrap();
            let expected: Vec<_> = whole
                .iter()
                .filter(|sample| sample.payload.end <= end)
                .copied()
                .collect();
            assert_eq!(samples, expected, "cut at {end}");
        }
    }

    #[test]
    fn tag_heads_are_read_and_nothing_else() {
        let mut file = Flv::movie(1);
        for n in 1..10 {
            file.frame(n * 40, false, 300_000);
        }
        let (index, mut fetched, _) = build(&file.bytes).unwrap();
        let before = fetched.held();
        all_groups(&index, &file.bytes, &mut fetched).unwrap();
        assert!(fetched.held() - before <= 10 * 27);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn all_groups_together_are_the_file(
            wrong in proptest::collection::vec(prop_oneof![2 => Just(0i64), 1 => -5_000i64..5_000], 100),
            frame in 20usize..400,
        ) {
            let mut wrong = wrong;
            // Those that are looked at first are right, so that the table is used.
            for n in [20, 40, 60, 80] {
                if wrong[n] % 2 == 0 {
                    wrong[n] = 0;
                }
            }
            let file = with_table(frame, &wrong);
            let (index, mut fetched, _) = build(&file.bytes).unwrap();
            let grouped = all_groups(&index, &file.bytes, &mut fetched).unwrap();
            prop_assert_eq!(grouped, plain(&file.bytes));
        }

        #[test]
        fn broken_files_do_no_harm(
            flips in proptest::collection::vec((0usize..8_000, 1u8..), 0..12),
            keep in 0usize..9_000,
        ) {
            let mut file = with_table(20, &[]).bytes;
            for (at, bits) in flips {
                file[at] ^= bits;
            }
            file.truncate(keep.max(13));
            if let Ok((index, mut fetched, _)) = build(&file)
                && let Ok(samples) = all_groups(&index, &file, &mut fetched)
            {
                prop_assert!(samples.len() <= file.len() / 12);
                prop_assert!(samples.iter().all(|sample| sample.payload.end <= fetched.size()));
                let starts: Vec<_> = samples.iter().map(|sample| sample.payload.start).collect();
                prop_assert!(starts.is_sorted_by(|a, b| a < b));
            }
        }

        #[test]
        fn random_bytes_do_no_harm(tail: Vec<u8>) {
            let file = [&b"FLV\x01\x05\0\0\0\x09\0\0\0\0"[..], &tail[..]].concat();
            if let Ok((index, mut fetched, _)) = build(&file) {
                let _ = all_groups(&index, &file, &mut fetched);
            }
        }
    }
}
