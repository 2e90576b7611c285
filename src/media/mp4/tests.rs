//! Whole files, built by hand, through builder and cursor.

use bytes::Bytes;
use proptest::prelude::*;

use super::testing::*;
use super::*;
use crate::amf::Value;
use crate::media::{Demux, Fetched, Kind, MediaError, Next, Sample, Step};
use crate::units::{ByteRange, MediaTime};

/// Bytes of an object that is read piece by piece, as it is asked for.
struct Object {
    bytes: Bytes,
    fetched: Fetched,
    reads: Vec<ByteRange>,
}

impl Object {
    fn new(bytes: impl Into<Bytes>, probe: usize) -> Self {
        let bytes = bytes.into();
        let mut fetched = Fetched::new(u64::try_from(bytes.len()).unwrap());
        fetched.insert(0, bytes.slice(..probe.min(bytes.len())));
        Self {
            bytes,
            fetched,
            reads: Vec::new(),
        }
    }

    fn read(&mut self, range: ByteRange) {
        assert!(
            !range.is_empty() && range.end <= self.fetched.size(),
            "{range:?}"
        );
        assert!(self.fetched.missing(range).is_some(), "{range:?} was read");
        let at = |at: u64| usize::try_from(at).unwrap();
        self.fetched.insert(
            range.start,
            self.bytes.slice(at(range.start)..at(range.end)),
        );
        self.reads.push(range);
    }

    fn index(&mut self) -> Result<Mp4Index, MediaError> {
        let mut builder = Mp4Builder::new(self.fetched.size());
        for _ in 0..10_000 {
            match builder.step(&self.fetched)? {
                Step::Done(index) => return Ok(index),
                Step::Need(ranges) => {
                    assert!(!ranges.is_empty());
                    ranges.into_iter().for_each(|range| self.read(range));
                }
            }
        }
        panic!("the builder never ends");
    }

    /// The samples from `cursor` on, and how they end.
    fn walk(
        &mut self,
        index: &Mp4Index,
        mut cursor: Mp4Cursor,
    ) -> (Vec<Sample>, Option<MediaError>) {
        let mut samples = Vec::new();
        for _ in 0..100_000 {
            match index.next(&mut cursor, &self.fetched) {
                Ok(Next::Sample(sample)) => samples.push(sample),
                Ok(Next::Need(range)) => self.read(range),
                Ok(Next::End) => return (samples, None),
                Err(error) => return (samples, Some(error)),
            }
        }
        panic!("the cursor never ends");
    }

    fn play(&mut self, index: &Mp4Index, group: u32) -> Vec<Sample> {
        let cursor = index.open(group).unwrap();
        let (samples, error) = self.walk(index, cursor);
        assert_eq!(error, None);
        samples
    }
}

fn whole(bytes: Vec<u8>) -> (Object, Mp4Index) {
    let mut object = Object::new(bytes, usize::MAX);
    let index = object.index().unwrap();
    assert_eq!(object.reads, []);
    (object, index)
}

/// Kind, time, composition offset where there is one, position, length, sync.
fn brief(sample: &Sample) -> (char, i64, i32, u64, u64, bool) {
    let prefix = sample.prefix.as_slice();
    let (kind, composition) = match sample.kind {
        Kind::Video => (
            'v',
            i32::from_be_bytes([0, prefix[2], prefix[3], prefix[4]]),
        ),
        _ => ('a', 0),
    };
    let ByteRange { start, .. } = sample.payload;
    (
        kind,
        sample.time.millis(),
        composition,
        start,
        sample.payload.len(),
        sample.sync,
    )
}

fn briefs(samples: &[Sample]) -> Vec<(char, i64, i32, u64, u64, bool)> {
    samples.iter().map(brief).collect()
}

#[test]
fn tracks_are_merged_by_time_and_moved_by_one_constant() {
    let (mut object, index) = whole(plain());
    assert_eq!((index.groups(), index.is_complete()), (1, true));
    let samples = object.play(&index, 0);
    assert_eq!(
        briefs(&samples),
        [
            ('v', 0, 40, 24, 10, true),
            ('v', 40, 120, 34, 5, false),
            ('a', 40, 0, 46, 2, true),
            ('v', 80, 0, 39, 4, false),
            ('a', 80, 0, 48, 2, true),
            ('v', 120, 0, 43, 3, false),
            ('a', 120, 0, 50, 2, true),
            ('a', 160, 0, 52, 2, true),
        ]
    );
    assert_eq!(samples[0].prefix.as_slice(), [0x17, 1, 0, 0, 40]);
    assert_eq!(samples[2].prefix.as_slice(), [0xAF, 1]);
    let heads = index.heads(&index.open(0).unwrap());
    assert_eq!(&heads.video.unwrap()[..], [0x17, 0, 0, 0, 0, 1, 0x64]);
    assert_eq!(&heads.audio.unwrap()[..], [0xAF, 0, 0x12, 0x08]);
}

#[test]
fn what_a_player_is_told() {
    let (_, index) = whole(plain());
    let told = |name: &str| {
        let found = index.info().metadata.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.clone())
    };
    assert_eq!(index.info().duration, Some(MediaTime::from_millis(200)));
    assert_eq!(told("duration"), Some(Value::Number(0.2)));
    assert_eq!(told("width"), Some(Value::Number(320.0)));
    assert_eq!(told("framerate"), Some(Value::Number(25.0)));
    assert_eq!(told("videocodecid"), Some(Value::Number(7.0)));
    // 22 bytes in 0.2 s.
    assert_eq!(told("videodatarate"), Some(Value::Number(0.88)));
    assert_eq!(told("audiosamplerate"), Some(Value::Number(8000.0)));
    assert_eq!(told("stereo"), Some(Value::Boolean(false)));
    assert_eq!(told("filesize"), None);
}

#[test]
fn edits_cut_delay_and_end() {
    let video = TrackSpec::video(1000)
        .with([&[4, 40], &[], &[1, 4, 1], &[24], &[1, 2, 3, 4], &[1, 3]])
        .edited(&[(80, 60)]);
    let audio = TrackSpec::audio(8000)
        .with([&[6, 800], &[], &[1, 6, 1], &[34], &[1, 1, 1, 1, 1, 1], &[]])
        .edited(&[(50, u32::MAX), (150, 2400)]);
    let mdat = boxed(b"mdat", &[0; 16]);
    let (mut object, index) = whole([ftyp(), mdat, moov(&[video, audio], &[])].concat());
    assert_eq!(
        briefs(&object.play(&index, 0)),
        [
            // Decoded, not shown: with the first picture that is, at 80 ms of the media, and that
            // at the edit's start.
            ('v', 0, 0, 24, 1, true),
            ('v', 0, 0, 25, 2, false),
            ('v', 0, 0, 27, 3, true),
            ('v', 40, 0, 30, 4, false),
            // The first three are wholly before 300 ms, the last one begins behind 450 ms.
            ('a', 50, 0, 37, 1, true),
            ('a', 150, 0, 38, 1, true),
        ]
    );
    assert_eq!(index.info().duration, Some(MediaTime::from_millis(200)));
}

#[test]
fn a_cut_deep_in_the_media_begins_at_the_last_key_frame() {
    let video = TrackSpec::video(1000)
        .with([
            &[4, 1000],
            &[],
            &[1, 4, 1],
            &[24],
            &[1, 1, 1, 1],
            &[1, 2, 4],
        ])
        .edited(&[(0, 2500)]);
    let mdat = boxed(b"mdat", &[0; 4]);
    let (mut object, index) = whole([ftyp(), mdat, moov(&[video], &[])].concat());
    assert_eq!(
        briefs(&object.play(&index, 0)),
        [
            ('v', 0, 0, 25, 1, true),
            ('v', 0, 0, 26, 1, false),
            ('v', 0, 0, 27, 1, true),
        ]
    );
    assert_eq!(index.info().duration, Some(MediaTime::from_millis(1000)));
}

#[test]
fn in_a_file_cut_in_mid_gop_audio_before_the_edit_is_no_priming() {
    let file = |start: u32| {
        let video = TrackSpec::video(1000)
            .with([&[4, 40], &[], &[1, 4, 1], &[24], &[1, 1, 1, 1], &[1]])
            .edited(&[(0, start)]);
        let audio = TrackSpec::audio(8000)
            .with([&[4, 320], &[], &[1, 4, 1], &[28], &[1, 1, 1, 1], &[]])
            .edited(&[(0, 640)]);
        let mdat = boxed(b"mdat", &[0; 8]);
        let (mut object, index) = whole([ftyp(), mdat, moov(&[video, audio], &[])].concat());
        let samples = object.play(&index, 0);
        let audio = samples.iter().filter(|sample| sample.kind == Kind::Audio);
        audio.map(|sample| sample.time.millis()).collect::<Vec<_>>()
    };
    // 80 ms before the edit: priming, and so video and audio both wait for it.
    assert_eq!(file(0), [0, 40, 80, 120]);
    assert_eq!(file(80), [0, 40]);
}

#[test]
fn a_new_description_is_sent_as_a_head_from_its_place() {
    let mut video = TrackSpec::video(1000);
    video.entries.push(visual_entry(
        b"avc1",
        64,
        48,
        &boxed(b"avcC", b"\x01\x4D\x00"),
    ));
    video.entries.push(visual_entry(b"jpeg", 64, 48, b""));
    let layout: &[u32] = &[1, 1, 1, 2, 1, 2, 3, 1, 3, 4, 1, 2];
    let video = video.with([&[4, 40], &[], layout, &[24, 25, 26, 27], &[1, 1, 1, 1], &[]]);
    let mdat = boxed(b"mdat", &[0; 4]);
    let (mut object, index) = whole([ftyp(), mdat, moov(&[video], &[])].concat());
    let samples = object.play(&index, 0);
    let times: Vec<_> = samples
        .iter()
        .map(|sample| (sample.time.millis(), sample.head))
        .collect();
    // The third one is a picture that cannot be sent.
    assert_eq!(times, [(0, false), (40, true), (40, false), (120, false)]);
    let head = samples[1];
    let record = object.fetched.slice(head.payload).unwrap();
    assert_eq!(head.prefix.as_slice(), [0x17, 0, 0, 0, 0]);
    assert_eq!(&record[..], b"\x01\x4D\x00");
    let mut cursor = index.open(0).unwrap();
    index.next(&mut cursor, &object.fetched).unwrap();
    let second = index.heads(&cursor).video.unwrap();
    assert_eq!(&second[..], [0x17, 0, 0, 0, 0, 1, 0x4D, 0]);
}

#[test]
fn what_is_before_a_broken_sample_is_played() {
    let broken = |stco: &[u32], stsz: &[u32]| {
        let layout = &[1, 1, 1][..];
        let video = TrackSpec::video(1000).with([&[9, 40], &[], layout, stco, stsz, &[]]);
        let mdat = boxed(b"mdat", &[0; 4]);
        let (mut object, index) = whole([ftyp(), mdat, moov(&[video], &[])].concat());
        let cursor = index.open(0).unwrap();
        let (samples, error) = object.walk(&index, cursor);
        (samples.len(), error.map(|error| error.to_string()))
    };
    let (count, error) = broken(&[24, 25, 50_000], &[1, 1, 1]);
    assert_eq!(count, 2);
    assert!(error.unwrap().contains("past the end"));
    let (count, error) = broken(&[24, 24, 24], &[1, 0x100_0000, 1]);
    assert_eq!((count, error.is_some()), (1, true));
    let (count, error) = broken(&[24, 24, 24, 24], &[300, 300, 300, 300]);
    assert!(count < 4 && error.unwrap().contains("overlap"));
    let (count, error) = broken(&[24, 25, 26], &[1, 1]);
    assert_eq!((count, error), (2, None));
}

#[test]
fn claimed_counts_are_not_believed() {
    let mut video =
        TrackSpec::video(1000).with([&[u32::MAX, 40], &[], &[1, u32::MAX, 1], &[24], &[], &[]]);
    let with_size = |video: &mut TrackSpec, size| {
        video
            .tables
            .push(full(b"stsz", 0, 0, &words(&[size, u32::MAX])));
    };
    with_size(&mut video, 1);
    let bytes = [ftyp(), boxed(b"mdat", &[0; 4]), moov(&[video], &[])].concat();
    let size = bytes.len();
    let (mut object, index) = whole(bytes);
    let cursor = index.open(0).unwrap();
    let (samples, error) = object.walk(&index, cursor);
    assert_eq!((samples.len(), error.is_some()), (size - 24, true));

    let mut video =
        TrackSpec::video(1000).with([&[u32::MAX, 40], &[], &[1, u32::MAX, 1], &[24], &[], &[]]);
    video
        .tables
        .push(full(b"stz2", 0, 0, &words(&[4, u32::MAX])));
    let bytes = [ftyp(), boxed(b"mdat", &[0; 4]), moov(&[video], &[])].concat();
    assert!(Object::new(bytes, usize::MAX).index().is_err());
}

#[test]
fn tracks_that_cannot_be_sent_are_left_out_or_named() {
    let tables: [&[u32]; 6] = [&[1, 40], &[], &[1, 1, 1], &[24], &[1], &[]];
    let odd = |kind: &[u8; 4]| {
        let mut video = TrackSpec::video(1000);
        video.entries = vec![visual_entry(kind, 1, 1, b"")];
        video.with(tables)
    };
    let file = |tracks: &[TrackSpec]| [ftyp(), boxed(b"mdat", &[0; 4]), moov(tracks, &[])].concat();
    let (_, index) = whole(file(&[odd(b"mp4v"), TrackSpec::audio(8000).with(tables)]));
    assert!(index.info().video.is_none() && index.info().audio.is_some());

    let error = Object::new(file(&[odd(b"mp4v"), odd(b"encv")]), usize::MAX).index();
    let text = error.unwrap_err().to_string();
    assert_eq!(
        text,
        "no track of the file can be sent: mp4v, encv (it is encrypted)"
    );

    let compressed = tree(b"moov", &[boxed(b"cmov", b"")]);
    let error = Object::new([ftyp(), compressed].concat(), usize::MAX).index();
    assert!(error.unwrap_err().to_string().contains("cmov"));
}

#[test]
fn a_header_behind_the_media_costs_one_more_step() {
    let mut bytes = [ftyp(), boxed(b"mdat", &vec![0; 3 << 20])].concat();
    let mdat_end = u64::try_from(bytes.len()).unwrap();
    let audio = TrackSpec::audio(8000).with([&[1, 320], &[], &[1, 1, 1], &[24], &[2], &[]]);
    bytes.extend(moov(&[audio], &[]));
    let mut close = Object::new(
        [&bytes[..], &boxed(b"free", &vec![0; 2 << 20])].concat(),
        4096,
    );
    close.index().unwrap();
    let end = u64::try_from(close.bytes.len()).unwrap();
    assert_eq!(close.reads, [ByteRange::new(mdat_end, end)]);
    // Much behind it, so that the tail alone does not reach back to its head.
    bytes.extend(boxed(b"free", &vec![0; (4 << 20) + (200 << 10)]));
    let size = u64::try_from(bytes.len()).unwrap();
    let mut object = Object::new(bytes, 4096);
    object.index().unwrap();
    assert_eq!(
        object.reads,
        [
            ByteRange::at(mdat_end, 64 << 10),
            ByteRange::new(size - (1 << 20), size)
        ]
    );
    let mut near = Object::new(plain(), 20);
    near.index().unwrap();
    assert_eq!(near.reads.len(), 1);
}

#[test]
fn sizes_of_top_level_boxes() {
    let build = |bytes: Vec<u8>| Object::new(bytes, usize::MAX).index().map(drop);
    let tables: [&[u32]; 6] = [&[1, 40], &[], &[1, 1, 1], &[32], &[1], &[]];
    let header = moov(&[TrackSpec::audio(8000).with(tables)], &[]);
    let long = b"\0\0\0\x01mdat\0\0\0\0\0\0\0\x1412345";
    assert_eq!(build([&ftyp()[..], &long[..20], &header].concat()), Ok(()));
    // To the end: there can be no moov behind it, but one before.
    let open = b"\0\0\0\0mdat12345678901234567890";
    assert!(build([&ftyp()[..], open, &header].concat()).is_err());
    assert_eq!(build([&ftyp()[..], &header, open].concat()), Ok(()));
    assert!(build([ftyp(), header[..header.len() - 1].to_vec()].concat()).is_err());
    assert!(build(Vec::new()).is_err());

    let mut fetched = Fetched::new(u64::MAX / 2);
    fetched.insert(0, Bytes::from_static(b"\x10\0\0\x01moov\0\0\0\0\0\0\0\0"));
    let error = Mp4Builder::new(u64::MAX / 2).step(&fetched).unwrap_err();
    assert!(matches!(error, MediaError::Limit { .. }), "{error}");
}

/// Two fragments of 80 ms, and where the first begins.
fn two() -> (Vec<u8>, u64) {
    let head = fragmented_head();
    let at = u64::try_from(head.len()).unwrap();
    ([head, fragment(0, true), fragment(80, true)].concat(), at)
}

#[test]
fn fragments_are_walked_as_they_come() {
    let (bytes, first) = two();
    let mut object = Object::new(bytes.clone(), usize::try_from(first).unwrap());
    let index = object.index().unwrap();
    assert_eq!((index.groups(), index.is_complete()), (1, false));
    assert_eq!(index.info().duration, None);
    let len = (u64::try_from(bytes.len()).unwrap() - first) / 2;
    let data = |fragment: u64| first + (fragment + 1) * len - 12;
    assert_eq!(
        briefs(&object.play(&index, 0)),
        [
            ('v', 0, 0, data(0), 5, true),
            ('a', 0, 0, data(0) + 8, 2, true),
            ('v', 40, 40, data(0) + 5, 3, false),
            ('a', 40, 0, data(0) + 10, 2, true),
            ('v', 80, 0, data(1), 5, true),
            ('a', 80, 0, data(1) + 8, 2, true),
            ('v', 120, 40, data(1) + 5, 3, false),
            ('a', 120, 0, data(1) + 10, 2, true),
        ]
    );
    // A file that is cut in the second fragment plays the first.
    let cut = bytes.len() - usize::try_from(len).unwrap() + 60;
    let mut object = Object::new(bytes[..cut].to_vec(), usize::MAX);
    let index = object.index().unwrap();
    assert_eq!(object.play(&index, 0).len(), 4);
}

#[test]
fn a_segment_index_makes_groups() {
    let fragments = [fragment(0, true), fragment(80, true), fragment(160, true)];
    let bytes = [fragmented_head(), sidx(&fragments), fragments.concat()].concat();
    let (mut object, index) = whole(bytes);
    assert_eq!(index.groups(), 3);
    assert_eq!(index.info().duration, Some(MediaTime::from_millis(240)));
    let group_at = |time| index.group_at(MediaTime::from_millis(time));
    assert_eq!(
        [-1, 0, 79, 80, 159, 160, 9999].map(group_at),
        [0, 0, 0, 1, 1, 2, 2]
    );
    let times = |samples: &[Sample]| -> Vec<i64> {
        samples.iter().map(|sample| sample.time.millis()).collect()
    };
    assert_eq!(times(&object.play(&index, 1)), [80, 80, 120, 120]);
    assert_eq!(times(&object.play(&index, 2)), [160, 160, 200, 200]);
    assert!(index.open(3).is_none());
    assert_eq!(index.guess(MediaTime::from_millis(100)), None);
}

#[test]
fn random_access_points_make_groups_where_they_are_key_frames() {
    let file = |key: bool| {
        let head = fragmented_head();
        let at = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap();
        let mut bytes = [head, fragment(0, true)].concat();
        let second = at(&bytes);
        bytes.extend(fragment(80, key));
        bytes.extend(mfra(&[(0, second - at(&fragment(0, true))), (80, second)]));
        bytes
    };
    let (mut object, index) = whole(file(true));
    assert_eq!(index.groups(), 2);
    // The last picture is shown at 120 + 40 for 40 ms.
    assert_eq!(index.info().duration, Some(MediaTime::from_millis(200)));
    assert_eq!(object.play(&index, 1).len(), 4);

    let (_, index) = whole(file(false));
    assert_eq!(index.groups(), 1);
    assert!(index.guess(MediaTime::from_millis(100)).is_some());
}

#[test]
fn a_fragment_is_found_from_any_byte() {
    let (bytes, first) = two();
    let size = u64::try_from(bytes.len()).unwrap();
    let len = (size - first) / 2;
    let mut object = Object::new(bytes, usize::try_from(first).unwrap());
    let index = object.index().unwrap();
    for from in 0..size {
        let found = loop {
            match index.resync(from, &object.fetched).unwrap() {
                Step::Done(found) => break found,
                Step::Need(ranges) => ranges.into_iter().for_each(|range| object.read(range)),
            }
        };
        let expected = if from <= first {
            Some((first, 0))
        } else if from <= first + len {
            Some((first + len, 80))
        } else {
            None
        };
        let place = found
            .as_ref()
            .map(|found| (found.position, found.time.millis()));
        assert_eq!(place, expected, "from {from}");
        if let Some(found) = found {
            let (samples, error) = object.walk(&index, found.cursor);
            assert_eq!((samples[0].time, error), (found.time, None));
        }
    }
}

#[test]
fn a_fragment_for_each_track_is_merged_all_the_same() {
    let one = |id: u32, time: u32| {
        let traf = tree(
            b"traf",
            &[
                full(b"tfhd", 0, 0x2_0010, &words(&[id, 1])),
                full(b"tfdt", 0, 0, &words(&[time])),
                full(b"trun", 0, 0, &words(&[2])),
            ],
        );
        [
            tree(b"moof", &[full(b"mfhd", 0, 0, &words(&[1])), traf]),
            boxed(b"mdat", b"12"),
        ]
        .concat()
    };
    let bytes = [
        fragmented_head(),
        one(1, 0),
        one(2, 0),
        one(1, 80),
        one(2, 80),
    ]
    .concat();
    let (mut object, index) = whole(bytes);
    let order: Vec<_> = object
        .play(&index, 0)
        .iter()
        .map(|sample| (sample.kind.type_id(), sample.time.millis()))
        .collect();
    assert_eq!(
        order,
        [
            (9, 0),
            (8, 0),
            (9, 40),
            (8, 40),
            (9, 80),
            (8, 80),
            (9, 120),
            (8, 120)
        ]
    );
}

#[test]
fn a_track_that_has_ended_is_not_searched_through_the_whole_file() {
    let one = |time: u32| {
        let traf = tree(
            b"traf",
            &[
                full(b"tfhd", 0, 0x2_0010, &words(&[1, 1])),
                full(b"tfdt", 0, 0, &words(&[time])),
                full(b"trun", 0, 0, &words(&[1])),
            ],
        );
        // Media of 8 KiB, so that each fragment must be read for.
        let moof = tree(b"moof", &[full(b"mfhd", 0, 0, &words(&[1])), traf]);
        [moof, boxed(b"mdat", &[0; 8192])].concat()
    };
    let mut bytes = [fragmented_head(), fragment(0, true)].concat();
    (2..102).for_each(|number| bytes.extend(one(number * 40)));
    let mut object = Object::new(bytes, 4096);
    let index = object.index().unwrap();
    let mut cursor = index.open(0).unwrap();
    object.reads.clear();
    // The first fragment has four samples; the fifth one is video while audio is looked for.
    for _ in 0..5 {
        while let Next::Need(range) = index.next(&mut cursor, &object.fetched).unwrap() {
            object.read(range);
        }
    }
    assert!(
        (5..=12).contains(&object.reads.len()),
        "{}",
        object.reads.len()
    );
    let (rest, _) = object.walk(&index, cursor);
    assert_eq!(rest.len(), 99);
}

#[test]
fn a_search_passes_over_fragments_without_a_key_frame() {
    let head = fragmented_head();
    let from = u64::try_from(head.len()).unwrap();
    let len = u64::try_from(fragment(0, false).len()).unwrap();
    let fragments = [fragment(0, true), fragment(80, false), fragment(160, true)];
    let (object, index) = whole([head, fragments.concat()].concat());
    let Step::Done(Some(found)) = index.resync(from + 1, &object.fetched).unwrap() else {
        panic!("there is a key frame");
    };
    assert_eq!((found.position, found.time.millis()), (from + 2 * len, 160));
}

#[test]
fn enabled_tracks_go_before_others() {
    let tables: [&[u32]; 6] = [&[1, 40], &[], &[1, 1, 1], &[24], &[1], &[]];
    let track = |width| {
        let mut video = TrackSpec::video(1000);
        video.entries = vec![visual_entry(b"avc1", width, 1, &boxed(b"avcC", b"\x01"))];
        video.with(tables)
    };
    let mut bytes = [
        ftyp(),
        boxed(b"mdat", &[0; 4]),
        moov(&[track(1), track(2)], &[]),
    ]
    .concat();
    let chosen = |bytes: Vec<u8>| {
        let (_, index) = whole(bytes);
        let width = index
            .info()
            .metadata
            .iter()
            .find(|(name, _)| name == "width");
        width.and_then(|(_, value)| value.as_number()).unwrap()
    };
    assert!((chosen(bytes.clone()) - 1.0).abs() < 0.1);
    // The flags of the first tkhd box.
    let at = bytes.windows(4).position(|word| word == b"tkhd").unwrap();
    bytes[at + 7] = 0;
    assert!((chosen(bytes) - 2.0).abs() < 0.1);
}

#[test]
fn a_file_of_too_many_tracks_is_refused() {
    let tracks: Vec<TrackSpec> = (0..513).map(|_| TrackSpec::audio(8000)).collect();
    let error = Object::new([ftyp(), moov(&tracks, &[])].concat(), usize::MAX).index();
    assert!(matches!(error.unwrap_err(), MediaError::Limit { .. }));
}

/// The files that hostile input is made of.
fn sound_files() -> Vec<Vec<u8>> {
    let fragments = [fragment(0, true), fragment(80, false), fragment(160, true)];
    let second = fragmented_head().len() + fragments[0].len();
    let points = mfra(&[(0, 0), (80, u32::try_from(second).unwrap())]);
    vec![
        plain(),
        [fragmented_head(), sidx(&fragments), fragments.concat()].concat(),
        [fragmented_head(), fragments.concat(), points].concat(),
    ]
}

/// Builds, walks every group, searches; holds what must be true of any file.
fn survive(bytes: Vec<u8>, probe: usize) {
    let mut object = Object::new(bytes, probe);
    let Ok(index) = object.index() else { return };
    for group in 0..index.groups().min(50) {
        let mut cursor = index.open(group).unwrap();
        index.heads(&cursor);
        let (samples, error) = object.walk(&index, cursor.clone());
        let mut shown = Vec::new();
        let walked = index.walk(&mut cursor, &object.fetched, |sample| {
            shown.push(*sample);
            true
        });
        assert_eq!((&shown, walked.err()), (&samples, error));
        for kind in [Kind::Audio, Kind::Video] {
            let of = || samples.iter().filter(|sample| sample.kind == kind);
            assert!(of().is_sorted_by_key(|sample| sample.time));
            let media = of().filter(|sample| !sample.head);
            let sent: u64 = media.map(|sample| sample.payload.len()).sum();
            assert!(sent <= 2 * object.fetched.size());
        }
        assert!(
            samples
                .iter()
                .all(|sample| sample.payload.end <= object.fetched.size())
        );
    }
    for _ in 0..1000 {
        match index.resync(20, &object.fetched).unwrap() {
            Step::Done(_) => return,
            Step::Need(ranges) => ranges.into_iter().for_each(|range| object.read(range)),
        }
    }
    panic!("the search never ends");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn flipped_and_cut_files_are_survived(
        file in 0usize..3,
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in proptest::option::of(any::<prop::sample::Index>()),
        probe in 0usize..2000,
    ) {
        let mut bytes = sound_files().swap_remove(file);
        for (at, value) in flips {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        survive(bytes, probe);
    }

    #[test]
    fn large_numbers_anywhere_are_survived(
        file in 0usize..3,
        at in any::<prop::sample::Index>(),
        value in prop_oneof![Just(u32::MAX), Just(1 << 31), Just(i32::MAX as u32), Just(0), Just(1)],
    ) {
        let mut bytes = sound_files().swap_remove(file);
        let at = at.index(bytes.len() / 4) * 4;
        bytes[at..at + 4].copy_from_slice(&value.to_be_bytes());
        survive(bytes, usize::MAX);
    }

    #[test]
    fn random_bytes_are_survived(bytes: Vec<u8>, probe in 0usize..100) {
        survive(bytes, probe);
    }
}
