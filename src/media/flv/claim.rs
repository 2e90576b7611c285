//! The keyframe table of onMetaData (`keyframes.times`, seconds, and `keyframes.filepositions`,
//! bytes): a convention of FLV tools, not of the specification. Each entry is a claim; see the
//! module above for what that means.

use super::get;
use super::tag::{HEAD, HEAD_LEN, LEAD, Lead, TRAILER, TagHead};
use crate::amf::Value;
use crate::media::{Fetched, Kind};
use crate::units::{ByteRange, MediaTime};
use crate::wire::Reader;

/// Groups are this far apart in bytes or in time, whichever comes first: the size of a segment, so
/// that the table stays small and a seek reads little more than what it sends.
const APART_BYTES: u64 = 512 << 10;
const APART_MILLIS: i64 = 8_000;

/// Groups are at least this far apart in bytes: a table whose entries lie closer is not one of key
/// frames, and each entry that a tag spans may cost a read.
const APART_LEAST: u64 = 4 << 10;

/// How far the time of a tag may be from its claim: tables written from presentation times are off
/// by the composition offset.
const TOLERANCE_MILLIS: u64 = 1_000;

/// A position at which, by the table, a key frame of that time stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Claim {
    /// Where its tag begins.
    pub(super) position: u64,
    /// Its time as the file counts, unrolled.
    pub(super) time: MediaTime,
}

/// The group starts that a table gives: those of its entries that lie inside `within`, in order,
/// far enough apart. Entries out of order are left out.
pub(super) fn choose(keyframes: &Value, within: ByteRange) -> Vec<Claim> {
    let mut chosen = Vec::new();
    let mut last = Claim {
        position: within.start,
        time: MediaTime::ZERO,
    };
    for (time, position) in numbers(keyframes, "times").zip(numbers(keyframes, "filepositions")) {
        let (Some(time), Some(position)) = (whole(time * 1000.0), whole(position)) else {
            continue;
        };
        let Ok(position) = u64::try_from(position) else {
            continue;
        };
        let time = MediaTime::from_millis(time);
        let bytes = position.saturating_sub(last.position);
        let millis = time.since(last.time);
        let far = bytes >= APART_BYTES || millis >= APART_MILLIS;
        if far && bytes >= APART_LEAST && millis >= 0 && position < within.end {
            last = Claim { position, time };
            chosen.push(last);
        }
    }
    chosen.shrink_to_fit();
    chosen
}

/// The numbers of one of the table's columns: a strict array, or one with the indexes as names.
fn numbers<'a>(keyframes: &'a Value, name: &str) -> Box<dyn Iterator<Item = f64> + 'a> {
    match keyframes.get(name) {
        Some(Value::StrictArray(values)) => Box::new(values.iter().map(number)),
        Some(other) => {
            let values = other.properties().unwrap_or_default();
            Box::new(values.iter().map(|(_, value)| number(value)))
        }
        None => Box::new(std::iter::empty()),
    }
}

fn number(value: &Value) -> f64 {
    value.as_number().unwrap_or(f64::NAN)
}

/// The nearest whole number, where it is one that a file can mean.
fn whole(number: f64) -> Option<i64> {
    // 2^53: above it a double does not hold every whole number.
    let limit = 9_007_199_254_740_992.0;
    if !(0.0..limit).contains(&number) {
        return None;
    }
    #[allow(
        clippy::cast_possible_truncation,
        reason = "in range, as was just checked"
    )]
    let whole = number.round() as i64;
    Some(whole)
}

/// The one question about a claim: whether a key frame tag (where there is no video: an audio tag)
/// stands there at about its time, behind the end of another tag. The answer depends on the bytes
/// around the position only, so that everybody who asks gets the same.
///
/// # Errors
/// The range that must be read first.
pub(super) fn holds(claim: Claim, video: bool, fetched: &Fetched) -> Result<bool, ByteRange> {
    let range = question(claim, fetched.size());
    let bytes = get(fetched, range)?;
    let mut reader = Reader::new(&bytes);
    let (Ok(before), Ok(head)) = (reader.u32(), TagHead::parse(reader.rest())) else {
        return Ok(false);
    };
    let before = u64::from(before);
    let body = reader.rest().get(HEAD_LEN..).unwrap_or_default();
    let lead = head.kind.map(|kind| Lead::of(kind, body));
    let kind = if video { Kind::Video } else { Kind::Audio };
    let end = claim.position.saturating_add(head.whole());
    let time = head.millis.unroll(claim.time);
    Ok(head.sane
        && !head.filtered
        && head.size > 0
        && head.kind == Some(kind)
        && lead.is_some_and(|lead| lead.key)
        && end <= fetched.size()
        && before >= HEAD
        && before.saturating_add(TRAILER) <= claim.position
        && time.since(claim.time).unsigned_abs() <= TOLERANCE_MILLIS)
}

/// What must be read to answer [`holds`].
pub(super) fn question(claim: Claim, size: u64) -> ByteRange {
    let start = claim.position.saturating_sub(TRAILER);
    let end = claim.position.saturating_add(HEAD).saturating_add(LEAD);
    ByteRange::new(start, end).clamp_to(size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::flv::fixture::Flv;

    fn table(entries: &[(f64, f64)]) -> Value {
        let times = entries.iter().map(|entry| Value::Number(entry.0)).collect();
        let positions = entries.iter().map(|entry| Value::Number(entry.1)).collect();
        Value::Object(vec![
            ("times".into(), Value::StrictArray(times)),
            ("filepositions".into(), Value::StrictArray(positions)),
        ])
    }

    fn chosen(entries: &[(f64, f64)]) -> Vec<(u64, i64)> {
        choose(&table(entries), ByteRange::new(1_000, 3_000_000))
            .into_iter()
            .map(|claim| (claim.position, claim.time.millis()))
            .collect()
    }

    #[test]
    fn groups_are_8_s_or_512_kib_apart() {
        let entries = [
            (0.0, 1_000.0),
            (7.999, 9_000.0),
            (8.0, 9_500.0),
            (8.5, 533_787.0),
            (8.6, 533_788.0),
        ];
        assert_eq!(chosen(&entries), [(9_500, 8_000), (533_788, 8_600)]);
    }

    #[test]
    fn entries_that_cannot_be_are_left_out() {
        let entries = [
            (f64::NAN, 600_000.0),
            (10.0, f64::INFINITY),
            (10.0, -1.0),
            (10.0, 700_000.0),
            (9.0, 1_300_000.0),
            (20.0, 650_000.0),
            (20.0, 701_000.0),
            (30.0, 1_400_000.0),
            (40.0, 3_000_000.0),
        ];
        assert_eq!(chosen(&entries), [(700_000, 10_000), (1_400_000, 30_000)]);
    }

    #[test]
    fn a_claim_holds_only_at_a_key_frame_of_its_time() {
        let file = Flv::movie(40);
        let fetched = Fetched::whole(file.bytes.clone().into());
        let (position, time) = file.keys[1];
        for at in 0..fetched.size() {
            let right = file
                .keys
                .iter()
                .any(|key| key.0 == at && (key.1 - time).abs() <= 1_000);
            let claim = Claim {
                position: at,
                time: MediaTime::from_millis(time),
            };
            assert_eq!(holds(claim, true, &fetched), Ok(right), "at {at}");
        }
        let late = Claim {
            position,
            time: MediaTime::from_millis(time + 1_001),
        };
        assert_eq!(holds(late, true, &fetched), Ok(false));
    }
}
