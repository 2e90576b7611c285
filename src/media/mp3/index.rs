//! The index of an MP3 file, and walking along its frames.

use super::cursor::Mp3Cursor;
use super::frame::FrameHead;
use super::malformed;
use super::pace::Pace;
use super::sync::{self, Frame, Search};
use crate::media::codec::AudioCodec;
use crate::media::{Demux, Fetched, Found, Heads, Kind, MediaError, MediaInfo, Next, Sample, Step};
use crate::units::{ByteRange, MediaTime};

/// What is known of an MP3 file.
#[derive(Debug, Clone)]
pub struct Mp3Index {
    pub(super) info: MediaInfo,
    /// The first frame of sound.
    pub(super) first: FrameHead,
    /// Where the sound is, and how it is spread.
    pub(super) pace: Pace,
}

impl Mp3Index {
    fn media(&self) -> ByteRange {
        self.pace.media
    }

    fn cursor(&self, at: u64, number: u64) -> Mp3Cursor {
        Mp3Cursor {
            at,
            like: self.first,
            number,
            base: MediaTime::ZERO,
        }
    }

    /// The frame at the cursor, or the next one behind other bytes.
    fn frame(&self, cursor: &Mp3Cursor, fetched: &Fetched) -> Result<Search, ByteRange> {
        let media = self.media();
        if cursor.at.saturating_add(super::frame::HEAD) > media.end {
            return Ok(Search::End);
        }
        let bytes = sync::head_bytes(cursor.at, media, fetched)?;
        match FrameHead::parse(&bytes) {
            Some(head) if head.is_like(&cursor.like) => Ok(Search::Frame(Frame {
                at: cursor.at,
                head,
            })),
            _ => sync::find(cursor.at, Some(&cursor.like), media, fetched),
        }
    }
}

impl Demux for Mp3Index {
    type Cursor = Mp3Cursor;

    fn info(&self) -> &MediaInfo {
        &self.info
    }

    fn groups(&self) -> u32 {
        1
    }

    fn open(&self, group: u32) -> Option<Mp3Cursor> {
        (group == 0).then(|| self.cursor(self.media().start, 0))
    }

    fn group_at(&self, _time: MediaTime) -> u32 {
        0
    }

    fn next(&self, cursor: &mut Mp3Cursor, fetched: &Fetched) -> Result<Next, MediaError> {
        let Frame { at, head } = match self.frame(cursor, fetched) {
            Ok(Search::Frame(frame)) => frame,
            Ok(Search::End) => return Ok(Next::End),
            Ok(Search::Lost) => {
                return Err(malformed(
                    cursor.at,
                    "no frame stands here, and none within the next 1 MiB",
                ));
            }
            Err(range) => return Ok(Next::Need(range)),
        };
        if !head.is_like(&cursor.like) {
            cursor.base = cursor.time();
            cursor.number = 0;
        }
        cursor.like = head;
        let time = cursor.time();
        let payload = ByteRange::at(at, head.len).clamp_to(self.media().end);
        cursor.at = payload.end;
        cursor.number = cursor.number.saturating_add(1);
        Ok(Next::Sample(Sample {
            kind: Kind::Audio,
            time,
            sync: true,
            head: false,
            prefix: codec(&head).prefix(),
            payload,
        }))
    }

    fn heads(&self, _cursor: &Mp3Cursor) -> Heads {
        Heads::default()
    }

    fn is_complete(&self) -> bool {
        false
    }

    fn guess(&self, time: MediaTime) -> Option<u64> {
        let millis = u64::try_from(time.millis()).unwrap_or_default();
        let samples = u128::from(millis).saturating_mul(u128::from(self.first.rate)) / 1000;
        let number = samples.checked_div(u128::from(self.first.samples))?;
        Some(
            self.pace
                .position(u64::try_from(number).unwrap_or(u64::MAX)),
        )
    }

    fn resync(
        &self,
        from: u64,
        fetched: &Fetched,
    ) -> Result<Step<Option<Found<Mp3Cursor>>>, MediaError> {
        let media = self.media();
        let from = from.max(media.start);
        let found = if from == media.start {
            Search::Frame(Frame {
                at: from,
                head: self.first,
            })
        } else {
            match sync::find(from, Some(&self.first), media, fetched) {
                Ok(found) => found,
                Err(range) => return Ok(Step::Need(vec![range])),
            }
        };
        let Search::Frame(frame) = found else {
            return Ok(Step::Done(None));
        };
        let cursor = self.cursor(frame.at, self.pace.number(frame.at));
        Ok(Step::Done(Some(Found {
            position: frame.at,
            time: cursor.time(),
            cursor,
        })))
    }
}

/// The codec of a frame.
pub(super) fn codec(head: &FrameHead) -> AudioCodec {
    AudioCodec::Mp3 {
        rate: head.rate,
        channels: head.channels,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::mp3::fixture::{
        CBR, HALF, OTHER, build, constant, feed, frame, note, samples, walk,
    };
    use proptest::prelude::*;

    fn told(file: &[u8]) -> Vec<(i64, u64, u64)> {
        let samples = samples(file).unwrap();
        let told = samples.iter().map(|sample| {
            assert!(sample.sync && !sample.head && sample.kind == Kind::Audio);
            (
                sample.time.millis(),
                sample.payload.start,
                sample.payload.len(),
            )
        });
        told.collect()
    }

    #[test]
    fn frames_are_samples_at_exact_times() {
        let file = constant(4_000);
        let samples = samples(&file).unwrap();
        assert_eq!(samples.len(), 4_000);
        // 3,999 * 1152 / 44100 s = 104,463.67 ms.
        assert_eq!(samples[3_999].time.millis(), 104_464);
        assert_eq!(samples[1].time.millis(), 26);
        assert_eq!(samples[1].payload, ByteRange::at(417, 418));
        assert_eq!(samples[0].prefix.as_slice(), [0x2f]);
    }

    #[test]
    fn the_frame_of_the_encoder_and_tags_are_not_sent() {
        let sound = constant(10);
        let id3 = [&b"ID3\x04\0\0\0\0\x01\0"[..], &[0; 128]].concat();
        let last = [&b"TAG"[..], &[0; 125]].concat();
        let file = [&id3[..], &note(10, 4_500), &sound, &last].concat();
        let samples = told(&file);
        assert_eq!(samples.len(), 10);
        assert_eq!(samples[0], (0, 138 + 417, 417));
    }

    #[test]
    fn other_bytes_between_frames_are_passed_over() {
        let sound = constant(10);
        let tag = [&b"ID3\x04\0\0\0\x7f\0\0"[..], &[0xff; 127 << 14]].concat();
        for between in [vec![0; 999], vec![0xff; 70_000], tag, vec![0xff; 3]] {
            let file = [&sound[..], &between, &sound].concat();
            let samples = told(&file);
            assert_eq!(samples.len(), 20);
            assert_eq!(samples[10].0, 261);
            let start = u64::try_from(sound.len() + between.len()).unwrap();
            assert_eq!(samples[10].1, start);
        }
        let lost = [&sound[..], &vec![0; 2 << 20], &sound].concat();
        assert!(matches!(
            samples(&lost),
            Err(MediaError::Malformed { at: 4_179, .. })
        ));
    }

    #[test]
    fn a_last_frame_that_is_cut_is_sent_as_far_as_it_goes() {
        let file = constant(10);
        let cut = told(&file[..file.len() - 400]);
        assert_eq!(cut.last(), Some(&(235, 3_761, 18)));
        let cut = told(&file[..file.len() - 415]);
        assert_eq!(cut.len(), 9, "three bytes are no head");
        let behind = told(&[&file[..], &[1; 5_000]].concat());
        assert_eq!(behind.len(), 10);
    }

    #[test]
    fn another_rate_goes_on_from_the_time_reached() {
        let file = [constant(10), frame(OTHER, 192).repeat(10)].concat();
        let samples = samples(&file).unwrap();
        assert_eq!(samples.len(), 20);
        // 10 frames of 1152 at 44,100 Hz; then 9 of 576 at 24,000 Hz, which are 24 ms each.
        assert_eq!(samples[10].time.millis(), 261);
        assert_eq!(samples[19].time.millis(), 261 + 9 * 24);
        assert_eq!(samples[19].prefix.as_slice(), [0x2a]);
    }

    #[test]
    fn entering_a_constant_rate_is_exact() {
        let file = [note(4_000, 0), constant(4_000)].concat();
        let (index, mut fetched, _) = build(&file).unwrap();
        let all = samples(&file).unwrap();
        for from in (0..file.len()).step_by(3_001) {
            let from = u64::try_from(from).unwrap();
            let found = found(&index, from, &file, &mut fetched);
            let expected = all.iter().find(|sample| sample.payload.start >= from);
            match (found, expected) {
                (Some(found), Some(sample)) => {
                    assert_eq!(
                        (found.position, found.time),
                        (sample.payload.start, sample.time)
                    );
                }
                (None, None) => {}
                (found, expected) => panic!("{from}: {found:?}, {expected:?}"),
            }
        }
        let time = MediaTime::from_millis(50_000);
        let from = index.guess(time).unwrap();
        let mut found = found(&index, from, &file, &mut fetched).unwrap();
        assert!(found.time.since(time).abs() <= 27, "{}", found.time);
        let rest = walk(&index, &mut found.cursor, &file, &mut fetched).unwrap();
        assert_eq!(rest[..], all[all.len() - rest.len()..]);
    }

    fn found(
        index: &Mp3Index,
        from: u64,
        file: &[u8],
        fetched: &mut Fetched,
    ) -> Option<Found<Mp3Cursor>> {
        loop {
            match index.resync(from, fetched).unwrap() {
                Step::Done(found) => return found,
                Step::Need(ranges) => feed(file, fetched, &ranges),
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn broken_files_do_no_harm(
            flips in proptest::collection::vec((0usize..20_000, 1u8..), 0..20),
            keep in 0usize..22_000,
            from in 0u64..25_000,
        ) {
            let mut file = [note(50, 20_000), constant(30), frame(HALF, 208).repeat(40)].concat();
            for (at, bits) in flips {
                file[at] ^= bits;
            }
            file.truncate(keep);
            if let Ok((index, mut fetched, _)) = build(&file) {
                let mut cursor = index.open(0).unwrap();
                let samples = walk(&index, &mut cursor, &file, &mut fetched).unwrap();
                prop_assert!(samples.iter().all(|sample| sample.payload.end <= fetched.size()));
                prop_assert!(samples.is_sorted_by(|a, b| a.payload.end <= b.payload.start));
                let _ = found(&index, from, &file, &mut fetched);
                prop_assert!(index.guess(MediaTime::from_millis(300)).unwrap() <= fetched.size());
            }
        }

        #[test]
        fn random_bytes_do_no_harm(bytes: Vec<u8>) {
            let _ = samples(&bytes);
            let _ = samples(&[&CBR[..], &bytes].concat());
        }
    }
}
