//! Any bytes are an MP3 file or an error: the index is built and walked from exactly the ranges
//! that are asked for, in bounded steps; samples lie in the file, in order, and none comes twice.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use streamfront::media::mp3::{Mp3Builder, Mp3Cursor, Mp3Index};
use streamfront::media::{Demux, Fetched, Next, Step, probe};
use streamfront::units::{ByteRange, MediaTime};

fn feed(file: &Bytes, fetched: &mut Fetched, ranges: &[ByteRange]) {
    assert!(!ranges.is_empty());
    for range in ranges {
        assert!(range.end <= fetched.size() && fetched.missing(*range).is_some());
        let span = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
        fetched.insert(range.start, file.slice(span));
    }
}

fn build(file: &Bytes) -> Option<(Mp3Index, Fetched)> {
    let size = u64::try_from(file.len()).unwrap();
    let mut fetched = Fetched::new(size);
    let mut builder = Mp3Builder::new(size);
    for _ in 0..1_000 {
        match builder.step(&fetched).ok()? {
            Step::Done(index) => return Some((index, fetched)),
            Step::Need(ranges) => feed(file, &mut fetched, &ranges),
        }
    }
    panic!("the builder does not end");
}

/// Position and time of the first sample from a cursor on.
fn walk(
    index: &Mp3Index,
    mut cursor: Mp3Cursor,
    file: &Bytes,
    fetched: &mut Fetched,
) -> Option<(u64, MediaTime)> {
    let mut first = None;
    let mut last = 0;
    loop {
        match index.next(&mut cursor, fetched) {
            Ok(Next::Sample(sample)) => {
                assert!(sample.payload.end <= fetched.size() && sample.payload.len() >= 4);
                assert!(sample.payload.start >= last, "a sample came twice");
                last = sample.payload.end;
                first.get_or_insert((sample.payload.start, sample.time));
            }
            Ok(Next::Need(range)) => feed(file, fetched, &[range]),
            Ok(Next::End) => {
                assert_eq!(index.next(&mut cursor, fetched), Ok(Next::End));
                return first;
            }
            Err(_) => return first,
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let _ = probe::detect("", bytes);
    let file = Bytes::copy_from_slice(bytes);
    let Some((index, mut fetched)) = build(&file) else {
        return;
    };
    for group in 0..index.groups() {
        let cursor = index.open(group).expect("the group is there");
        walk(&index, cursor, &file, &mut fetched);
    }
    // Four places, one of them chosen by the bytes.
    let size = fetched.size();
    let chosen = bytes.last().map_or(0, |byte| size / 256 * u64::from(*byte));
    let half = index
        .info()
        .duration
        .map_or(0, |duration| duration.millis() / 2);
    let guess = index
        .guess(MediaTime::from_millis(half))
        .unwrap_or_default();
    assert!(guess <= size);
    for from in [0, size / 2, chosen, guess] {
        let found = loop {
            match index.resync(from, &fetched) {
                Ok(Step::Done(found)) => break found,
                Ok(Step::Need(ranges)) => feed(&file, &mut fetched, &ranges),
                Err(_) => break None,
            }
        };
        if let Some(found) = found {
            assert!(found.position >= from);
            let place = (found.position, found.time);
            assert_eq!(walk(&index, found.cursor, &file, &mut fetched), Some(place));
        }
    }
});
