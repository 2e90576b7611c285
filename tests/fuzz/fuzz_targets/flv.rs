//! Any bytes are an FLV file or an error: the index is built and walked from exactly the ranges
//! that are asked for, in bounded steps; samples lie in the file, in order, and none comes twice;
//! a file is the same with its keyframe table as walked from its start.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use streamfront::media::flv::{FlvBuilder, FlvCursor, FlvIndex};
use streamfront::media::{Demux, Fetched, Found, Kind, Next, Sample, Step};
use streamfront::units::{ByteRange, MediaTime};

fn feed(file: &Bytes, fetched: &mut Fetched, ranges: &[ByteRange]) {
    assert!(!ranges.is_empty());
    assert!(ranges.iter().any(|range| fetched.missing(*range).is_some()));
    for range in ranges {
        assert!(range.end <= fetched.size() && !range.is_empty());
        let span = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
        fetched.insert(range.start, file.slice(span));
    }
}

fn build(file: &Bytes) -> Option<(FlvIndex, Fetched)> {
    let size = u64::try_from(file.len()).unwrap();
    let mut fetched = Fetched::new(size);
    let mut builder = FlvBuilder::new(size);
    for _ in 0..10_000 {
        match builder.step(&fetched).ok()? {
            Step::Done(index) => return Some((index, fetched)),
            Step::Need(ranges) => feed(file, &mut fetched, &ranges),
        }
    }
    panic!("the builder does not end");
}

/// The samples from a cursor on, and whether they end well.
fn walk(
    index: &FlvIndex,
    mut cursor: FlvCursor,
    file: &Bytes,
    fetched: &mut Fetched,
) -> (Vec<Sample>, bool) {
    let mut samples: Vec<Sample> = Vec::new();
    loop {
        match index.next(&mut cursor, fetched) {
            Ok(Next::Sample(sample)) => {
                assert!(sample.payload.end <= fetched.size() && !sample.payload.is_empty());
                let last = samples.last().map_or(0, |last| last.payload.end);
                assert!(sample.payload.start > last, "a sample came twice");
                samples.push(sample);
            }
            Ok(Next::Need(range)) => feed(file, fetched, &[range]),
            Ok(Next::End) => {
                assert_eq!(index.next(&mut cursor, fetched), Ok(Next::End));
                return (samples, true);
            }
            Err(_) => return (samples, false),
        }
    }
}

fn resync(
    index: &FlvIndex,
    from: u64,
    file: &Bytes,
    fetched: &mut Fetched,
) -> Option<Found<FlvCursor>> {
    for _ in 0..100_000 {
        match index.resync(from, fetched).ok()? {
            Step::Done(found) => return found,
            Step::Need(ranges) => feed(file, fetched, &ranges),
        }
    }
    panic!("the search does not end");
}

fuzz_target!(|bytes: &[u8]| {
    let file = Bytes::copy_from_slice(bytes);
    let Some((index, mut fetched)) = build(&file) else {
        return;
    };
    let mut last = 0;
    for group in 0..index.groups() {
        let cursor = index.open(group).expect("the group is there");
        let (samples, sound) = walk(&index, cursor, &file, &mut fetched);
        if let Some(first) = samples.first() {
            assert!(group == 0 || first.payload.start > last);
        }
        last = samples.last().map_or(last, |sample| sample.payload.end);
        if !sound {
            break;
        }
    }
    assert!(index.open(index.groups()).is_none());
    // Three places, one of them chosen by the bytes.
    let size = fetched.size();
    let chosen = bytes.last().map_or(0, |byte| size / 256 * u64::from(*byte));
    for from in [0, size / 2, chosen] {
        if let Some(found) = resync(&index, from, &file, &mut fetched) {
            assert!(found.position >= from);
            let (samples, _) = walk(&index, found.cursor, &file, &mut fetched);
            let first = samples
                .first()
                .expect("there is a sample at what was found");
            assert!(first.sync && first.time == found.time);
            assert_eq!(first.payload.start, found.position + 11);
            assert!(first.kind == Kind::Video || index.info().video.is_none());
        }
    }
    let half = index
        .info()
        .duration
        .map_or(0, |duration| duration.millis() / 2);
    if let Some(guess) = index.guess(MediaTime::from_millis(half)) {
        assert!(guess <= size.max(13));
    }
    assert!(index.group_at(MediaTime::MAX) < index.groups());
});
