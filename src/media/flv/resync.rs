//! Entering a file without a keyframe table: from any byte to the next key frame.

use super::PIECE;
use super::chain::{self, Chain};
use super::cursor::FlvCursor;
use super::index::FlvIndex;
use crate::media::{Demux, Fetched, Found, Kind, MediaError, Next, Step};
use crate::units::{ByteRange, MediaTime};

/// How far a tag is looked for, bytes: a little more than the longest tag.
const LONGEST_SEARCH: u64 = 17 << 20;

/// How far a key frame is looked for, bytes: 20 s of 25 Mbit/s.
const LONGEST_WALK: u64 = 64 << 20;

/// The longest read, bytes. Reads grow from [`PIECE`] with the distance already searched, so that a
/// long way does not take a read for every piece.
const LONGEST_READ: u64 = 1 << 20;

type Answer = Result<Step<Option<Found<FlvCursor>>>, MediaError>;

/// See [`Demux::resync`]. Answers `None` also where there is no key frame within a bound.
pub(super) fn resync(index: &FlvIndex, from: u64, fetched: &Fetched) -> Answer {
    let from = from.max(index.media.start);
    let at = match first_tag(index.media, from, fetched) {
        Ok(Some(at)) => at,
        Ok(None) => return Ok(Step::Done(None)),
        Err(ranges) => return Ok(Step::Need(ranges)),
    };
    let mut cursor = index.cursor_at(at, about(index, at));
    loop {
        let before = cursor.clone();
        match index.next(&mut cursor, fetched)? {
            Next::Sample(sample) => {
                let entry = sample.sync && (sample.kind == Kind::Video || !index.has_video());
                if entry {
                    // The tag itself: what was passed over before it is not part of the place.
                    let position = sample.payload.start.saturating_sub(super::tag::HEAD);
                    return Ok(Step::Done(Some(Found {
                        cursor: FlvCursor {
                            at: position,
                            ..before
                        },
                        position,
                        time: sample.time,
                    })));
                }
            }
            Next::Need(range) => return Ok(Step::Need(vec![longer(index.media, from, range)])),
            Next::End => return Ok(Step::Done(None)),
        }
        if cursor.at.saturating_sub(from) > LONGEST_WALK {
            return Ok(Step::Done(None));
        }
    }
}

/// The first position from `from` on where tags begin.
fn first_tag(
    media: ByteRange,
    from: u64,
    fetched: &Fetched,
) -> Result<Option<u64>, Vec<ByteRange>> {
    // The start is known to be one, also where too few tags follow for a chain.
    if from == media.start {
        return Ok(Some(from));
    }
    let limit = from.saturating_add(LONGEST_SEARCH).min(media.end);
    let mut at = from;
    while at < limit {
        let piece = longer(media, from, ByteRange::at(at, 1));
        match chain::find(piece.start, piece.end.min(limit), fetched) {
            Chain::At(found) => return Ok(Some(found)),
            Chain::Need(ranges) => return Err(ranges),
            Chain::None => at = piece.end,
        }
    }
    Ok(None)
}

/// A read that has `range` in it, the longer the further it is from where the search began.
fn longer(media: ByteRange, from: u64, range: ByteRange) -> ByteRange {
    let far = range.start.saturating_sub(from).clamp(PIECE, LONGEST_READ);
    let end = range.end.max(range.start.saturating_add(far));
    ByteRange::new(range.start, end).clamp_to(media.end)
}

/// The time at byte `at` if the file were spread evenly, to know which turn of the 32-bit count
/// is meant.
fn about(index: &FlvIndex, at: u64) -> MediaTime {
    let start = index.first.plus(index.shift);
    let Some(duration) = index.info.duration else {
        return start;
    };
    let whole = u128::from(duration.since(start).max(0).unsigned_abs());
    let part = u128::from(at.saturating_sub(index.media.start));
    let millis = whole
        .saturating_mul(part)
        .checked_div(u128::from(index.media.len()));
    start.plus(
        millis
            .and_then(|millis| i64::try_from(millis).ok())
            .unwrap_or_default(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::flv::fixture::{Flv, build, feed, walk};

    fn found(
        index: &FlvIndex,
        from: u64,
        file: &[u8],
        fetched: &mut Fetched,
    ) -> Option<Found<FlvCursor>> {
        for _ in 0..200 {
            match resync(index, from, fetched).unwrap() {
                Step::Done(found) => return found,
                Step::Need(ranges) => feed(file, fetched, &ranges),
            }
        }
        panic!("too many steps");
    }

    #[test]
    fn any_byte_leads_to_the_next_key_frame() {
        let file = Flv::movie(60);
        let (index, mut fetched, _) = build(&file.bytes).unwrap();
        for from in 0..file.len() + 5 {
            let expected = file.keys.iter().find(|key| key.0 >= from.max(13));
            let found = found(&index, from, &file.bytes, &mut fetched);
            let told = found
                .as_ref()
                .map(|found| (found.position, found.time.millis()));
            assert_eq!(told, expected.copied(), "from {from}");
            if let Some(mut found) = found {
                let samples = walk(&index, &mut found.cursor, &file.bytes, &mut fetched).unwrap();
                assert_eq!(samples[0].time, found.time);
                assert!(samples[0].sync);
                let expected = file
                    .starts
                    .iter()
                    .filter(|start| **start >= found.position)
                    .count();
                assert_eq!(samples.len(), expected);
            }
        }
    }

    #[test]
    fn audio_alone_is_entered_anywhere() {
        let mut file = Flv::new(4);
        for n in 0..200 {
            file.sound(n * 23, 40);
        }
        let (index, mut fetched, _) = build(&file.bytes).unwrap();
        let from = file.starts[100] - 3;
        let found = found(&index, from, &file.bytes, &mut fetched).unwrap();
        assert_eq!(
            (found.position, found.time.millis()),
            (file.starts[100], 2_300)
        );
    }

    #[test]
    fn a_guess_and_a_search_lead_to_about_the_time() {
        let file = Flv::movie(1_000);
        let (index, mut fetched, _) = build(&file.bytes).unwrap();
        for seconds in 0..38 {
            let time = MediaTime::from_millis(seconds * 1000);
            let from = index.guess(time).unwrap();
            let found = found(&index, from, &file.bytes, &mut fetched).unwrap();
            assert!(
                found.time.since(time).abs() <= 800,
                "{time}: {}",
                found.time
            );
        }
        assert_eq!(index.guess(MediaTime::from_millis(-5)), Some(13));
        assert_eq!(index.guess(MediaTime::MAX), Some(file.len()));
    }

    #[test]
    fn times_found_are_in_the_right_turn_of_the_count() {
        let mut file = Flv::new(1);
        for n in 0..120u32 {
            file.frame(86_400_000u32.wrapping_mul(n), true, 50);
        }
        let (mut index, mut fetched, _) = build(&file.bytes).unwrap();
        index.info.duration = Some(MediaTime::from_millis(119 * 86_400_000));
        let from = file.starts[100];
        let found = found(&index, from, &file.bytes, &mut fetched).unwrap();
        assert_eq!(found.time.millis(), 100 * 86_400_000);
    }

    #[test]
    fn a_long_way_to_a_key_frame_takes_few_reads() {
        let mut file = Flv::movie(1);
        for n in 1..200 {
            file.frame(n * 40, false, 40_000);
        }
        file.film(200, 10, 50);
        let (index, mut fetched, _) = build(&file.bytes).unwrap();
        let mut reads = 0;
        let found = loop {
            match resync(&index, 100_000, &fetched).unwrap() {
                Step::Done(found) => break found.unwrap(),
                Step::Need(ranges) => feed(&file.bytes, &mut fetched, &ranges),
            }
            reads += 1;
        };
        assert_eq!(found.position, file.keys[1].0);
        assert!(reads < 20, "{reads}");
    }
}
