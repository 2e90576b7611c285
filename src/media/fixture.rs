//! What the tests of every container do with a file in memory: read the ranges that are asked for,
//! build the index, walk to the end.

use bytes::Bytes;

use super::{Demux, Fetched, MediaError, Next, Sample, Step};
use crate::units::ByteRange;

/// Most steps that an index may take to build from a small file.
const MOST_STEPS: usize = 60;

/// Reads ranges of a file, which must be there and must not have been read.
pub(crate) fn feed(file: &[u8], fetched: &mut Fetched, ranges: &[ByteRange]) {
    assert!(!ranges.is_empty(), "nothing is asked for");
    for range in ranges {
        assert!(range.end <= fetched.size(), "{range} is past the end");
        assert!(fetched.missing(*range).is_some(), "{range} was read");
        let span = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
        fetched.insert(range.start, Bytes::copy_from_slice(&file[span]));
    }
}

/// The index of a file, and what was read for it, beginning with nothing.
pub(crate) fn build<I>(
    file: &[u8],
    mut step: impl FnMut(&Fetched) -> Result<Step<I>, MediaError>,
) -> Result<(I, Fetched, Vec<Vec<ByteRange>>), MediaError> {
    let mut fetched = Fetched::new(u64::try_from(file.len()).unwrap());
    let mut reads = Vec::new();
    loop {
        match step(&fetched)? {
            Step::Done(index) => return Ok((index, fetched, reads)),
            Step::Need(ranges) => {
                feed(file, &mut fetched, &ranges);
                reads.push(ranges);
            }
        }
        assert!(reads.len() < MOST_STEPS, "too many steps: {reads:?}");
    }
}

/// All samples from a cursor to its end.
pub(crate) fn walk<D: Demux>(
    index: &D,
    cursor: &mut D::Cursor,
    file: &[u8],
    fetched: &mut Fetched,
) -> Result<Vec<Sample>, MediaError> {
    let mut samples = Vec::new();
    loop {
        let before = format!("{cursor:?}");
        match index.next(cursor, fetched)? {
            Next::Sample(sample) => samples.push(sample),
            Next::Need(range) => {
                assert_eq!(format!("{cursor:?}"), before, "the cursor moved");
                feed(file, fetched, &[range]);
            }
            Next::End => {
                assert_eq!(index.next(cursor, fetched)?, Next::End, "an end stays one");
                return Ok(samples);
            }
        }
    }
}

/// All samples of all groups, one group after another.
pub(crate) fn all_groups<D: Demux>(
    index: &D,
    file: &[u8],
    fetched: &mut Fetched,
) -> Result<Vec<Sample>, MediaError> {
    let mut samples = Vec::new();
    for group in 0..index.groups() {
        let mut cursor = index.open(group).unwrap();
        samples.extend(walk(index, &mut cursor, file, fetched)?);
    }
    Ok(samples)
}
