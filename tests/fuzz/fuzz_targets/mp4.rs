//! Any bytes as an MP4 file: the index is built and every group walked, each range that is asked
//! for answered from the input. Held: the work is bounded, what is asked for lies in the object
//! and was not read, samples lie in the object, and no track goes back in time.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use streamfront::media::mp4::{Mp4Builder, Mp4Index};
use streamfront::media::{Demux, Fetched, Kind, Next, Step};
use streamfront::units::{ByteRange, MediaTime};

/// More steps than an input of the size that the fuzzer makes can need.
const MOST_READS: usize = 100_000;
/// Samples walked of one group: tables may describe 2^25 of no bytes.
const MOST_SAMPLES: usize = 20_000;
const MOST_GROUPS: u32 = 8;

fn read(fetched: &mut Fetched, object: &Bytes, range: ByteRange) {
    assert!(!range.is_empty() && range.end <= fetched.size());
    assert!(fetched.missing(range).is_some(), "{range} was read already");
    let at = |at: u64| usize::try_from(at).expect("the object is in memory");
    fetched.insert(range.start, object.slice(at(range.start)..at(range.end)));
}

fn build(fetched: &mut Fetched, object: &Bytes) -> Option<Mp4Index> {
    let mut builder = Mp4Builder::new(fetched.size());
    for _ in 0..MOST_READS {
        match builder.step(fetched).ok()? {
            Step::Done(index) => return Some(index),
            Step::Need(ranges) => {
                assert!(!ranges.is_empty());
                ranges
                    .into_iter()
                    .for_each(|range| read(fetched, object, range));
            }
        }
    }
    panic!("the builder never ends");
}

fn walk(index: &Mp4Index, group: u32, fetched: &mut Fetched, object: &Bytes) {
    let mut cursor = index.open(group).expect("a group of the index");
    let mut last = [MediaTime::from_millis(i64::MIN); 2];
    let mut reads = 0;
    for _ in 0..MOST_SAMPLES {
        index.heads(&cursor);
        match index.next(&mut cursor, fetched) {
            Ok(Next::Sample(sample)) => {
                assert!(sample.payload.end <= fetched.size());
                assert!(sample.message_len() < 1 << 24);
                let track = &mut last[usize::from(sample.kind == Kind::Audio)];
                assert!(*track <= sample.time, "back in time");
                *track = sample.time;
            }
            Ok(Next::Need(range)) => {
                reads += 1;
                assert!(reads < MOST_READS);
                read(fetched, object, range);
            }
            Ok(Next::End) | Err(_) => return,
        }
    }
}

fn search(index: &Mp4Index, from: u64, fetched: &mut Fetched, object: &Bytes) {
    for _ in 0..MOST_READS {
        match index.resync(from, fetched) {
            Ok(Step::Need(ranges)) => {
                ranges
                    .into_iter()
                    .for_each(|range| read(fetched, object, range));
            }
            Ok(Step::Done(Some(found))) => {
                assert!(found.position >= from && found.position < fetched.size());
                return;
            }
            Ok(Step::Done(None)) | Err(_) => return,
        }
    }
    panic!("the search never ends");
}

fuzz_target!(|input: &[u8]| {
    // The first byte says how much the probe has read.
    let Some((probe, bytes)) = input.split_first() else {
        return;
    };
    let object = Bytes::copy_from_slice(bytes);
    let mut fetched = Fetched::new(object.len() as u64);
    let probe = (usize::from(*probe) * 16).min(object.len());
    fetched.insert(0, object.slice(..probe));
    let Some(index) = build(&mut fetched, &object) else {
        return;
    };
    for group in 0..index.groups().min(MOST_GROUPS) {
        walk(&index, group, &mut fetched, &object);
    }
    let from = index.guess(MediaTime::from_millis(1000)).unwrap_or(8);
    search(&index, from, &mut fetched, &object);
});
