//! Building the index of an FLV file: in two reads beyond the first, the second only where the
//! first tags are long.

use super::claim;
use super::index::FlvIndex;
use super::malformed;
use super::prologue::{self, Prologue};
use super::tag::{HEAD, TagHead};
use super::tail;
use crate::media::{Fetched, MediaError, MediaInfo, Step};
use crate::units::{ByteRange, MediaTime, Millis};
use crate::wire::Reader;

/// The first read, where nothing was read before: holds the metadata of most files, and is the
/// first segment anyway.
const FIRST_READ: u64 = 128 << 10;

/// What the first segment takes: 128 KiB, and the tag behind.
const FIRST_SEGMENT: u64 = FIRST_READ + (4 << 10);

/// Length of the file header, bytes.
const HEADER: u64 = 9;

/// How many entries of a keyframe table are looked at before any is used. A table that belongs to
/// another version of the file (cut, or edited, after it was written) is wrong from some point on,
/// so its middle and its end show it.
const CHECKS: usize = 2;

/// Makes an [`FlvIndex`] from what is read of a file.
#[derive(Debug, Clone)]
pub struct FlvBuilder {
    size: u64,
    prologue: Option<(ByteRange, Prologue)>,
}

impl FlvBuilder {
    /// For a file of `size` bytes.
    pub fn new(size: u64) -> Self {
        Self {
            size,
            prologue: None,
        }
    }

    /// Goes on with what has been read.
    ///
    /// # Errors
    /// It is no FLV file, or nothing in its first part can be sent.
    pub fn step(&mut self, fetched: &Fetched) -> Result<Step<FlvIndex>, MediaError> {
        let mut needs = Vec::new();
        if self.prologue.is_none() {
            match start(self.size, fetched) {
                Ok(prologue) => self.prologue = Some(prologue?),
                Err(range) => needs.push(range),
            }
        }
        // The end is read along with the first tags, to save a round trip.
        let media = self
            .prologue
            .as_ref()
            .map_or(ByteRange::new(0, self.size), |known| known.0);
        let last = tail::last_time(media, fetched).unwrap_or_else(|range| {
            needs.push(range);
            None
        });
        if let Some((_, prologue)) = &mut self.prologue {
            match check(prologue, fetched) {
                Ok(true) => {}
                Ok(false) => prologue.script.claims = Vec::new(),
                Err(ranges) => needs.extend(ranges),
            }
        }
        if let Some((media, prologue)) = &self.prologue
            && !needs.is_empty()
        {
            needs.extend(first_segment(*media, prologue, fetched));
        }
        match self.prologue.take_if(|_| needs.is_empty()) {
            Some((media, prologue)) => Ok(Step::Done(finish(media, prologue, last))),
            None => Ok(Step::Need(apart(&needs))),
        }
    }
}

/// What is missing of the first tags to be sent: long metadata may have left no room for them in the
/// first read, and along with other reads they cost no round trip.
fn first_segment(media: ByteRange, prologue: &Prologue, fetched: &Fetched) -> Option<ByteRange> {
    let metadata = prologue.metadata_at.and_then(|at| {
        let head = fetched.slice(ByteRange::at(at, HEAD))?;
        Some(at.saturating_add(TagHead::parse(&head).ok()?.whole()))
    });
    let start = metadata.unwrap_or(media.start);
    fetched.missing(ByteRange::at(start, FIRST_SEGMENT).clamp_to(media.end))
}

/// These ranges without those that lie in an earlier one.
fn apart(ranges: &[ByteRange]) -> Vec<ByteRange> {
    let mut kept: Vec<ByteRange> = Vec::new();
    for range in ranges {
        if !kept.iter().any(|other| other.covers(*range)) {
            kept.push(*range);
        }
    }
    kept
}

/// The header and the first tags; the outer error is what must be read first.
fn start(
    size: u64,
    fetched: &Fetched,
) -> Result<Result<(ByteRange, Prologue), MediaError>, ByteRange> {
    let header = ByteRange::new(0, HEADER);
    if size < header.end {
        return Ok(Err(malformed(size, "the file ends inside its header")));
    }
    let bytes = fetched
        .slice(header)
        .ok_or(ByteRange::new(0, FIRST_READ).clamp_to(size))?;
    let (flags, offset) = match parse_header(&bytes) {
        Ok(parsed) => parsed,
        Err(error) => return Ok(Err(error)),
    };
    // The size field of the tag before the first, always 0, stands between.
    let media = ByteRange::new(u64::from(offset).saturating_add(4), size);
    let prologue = match prologue::read(media, flags, fetched)? {
        Ok(prologue) => prologue,
        Err(error) => return Ok(Err(error)),
    };
    if prologue.video.is_none() && prologue.audio.is_none() {
        return Ok(Err(MediaError::NoTrack(
            "the FLV file does not begin with audio or video, or it is encrypted".into(),
        )));
    }
    Ok(Ok((media, prologue)))
}

/// The flags and the data offset.
fn parse_header(bytes: &[u8]) -> Result<(u8, u32), MediaError> {
    let short = |_| malformed(0, "the file ends inside its header");
    let mut reader = Reader::new(bytes);
    if reader.array().map_err(short)? != *b"FLV" {
        return Err(malformed(0, "the file does not begin with FLV"));
    }
    // The version is 1 in every file; one that says otherwise has the same tags.
    reader.skip(1).map_err(short)?;
    let flags = reader.u8().map_err(short)?;
    let offset = reader.u32().map_err(short)?;
    if u64::from(offset) < HEADER {
        return Err(malformed(5, "the data offset lies inside the header"));
    }
    Ok((flags, offset))
}

/// Whether the claims that are looked at hold.
fn check(prologue: &Prologue, fetched: &Fetched) -> Result<bool, Vec<ByteRange>> {
    let claims = &prologue.script.claims;
    let middle = claims.get(claims.len() / 2);
    let looked_at: [_; CHECKS] = [middle, claims.last()];
    let mut needs = Vec::new();
    for claim in looked_at.into_iter().flatten() {
        match claim::holds(*claim, prologue.video.is_some(), fetched) {
            Ok(true) => {}
            Ok(false) => return Ok(false),
            Err(range) => needs.push(range),
        }
    }
    if needs.is_empty() {
        Ok(true)
    } else {
        Err(needs)
    }
}

fn finish(media: ByteRange, prologue: Prologue, last: Option<Millis>) -> FlvIndex {
    let claimed = prologue.script.duration;
    let shift = prologue.smallest.millis().min(0).saturating_neg();
    let duration = match last {
        Some(last) => Some(
            end_time(last, prologue.first, claimed)
                .plus(shift)
                .max(MediaTime::ZERO),
        ),
        None => claimed,
    };
    let metadata =
        prologue
            .script
            .clone()
            .sent(duration, prologue.video.as_ref(), prologue.audio.as_ref());
    FlvIndex {
        info: MediaInfo {
            duration,
            video: prologue.video,
            audio: prologue.audio,
            metadata,
        },
        media,
        first: prologue.first,
        shift,
        metadata_at: prologue.metadata_at,
        heads: prologue.heads,
        claims: prologue.script.claims,
    }
}

/// How far the last tag may be from the metadata's duration for that to tell the turn of its count.
const TURN_MILLIS: u64 = 3_600_000;

/// Which turn of its 32-bit count the last timestamp is in: the first that is not before the first
/// tag, or a later one where the metadata says so.
fn end_time(last: Millis, first: MediaTime, claimed: Option<MediaTime>) -> MediaTime {
    let soonest = first.plus(i64::from(last.0.wrapping_sub(first.wire().0)));
    claimed
        .map(|claimed| (last.unroll(claimed), claimed))
        .filter(|(end, claimed)| {
            *end > soonest && end.since(*claimed).unsigned_abs() <= TURN_MILLIS
        })
        .map_or(soonest, |(end, _)| end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::amf::Value;
    use crate::media::Demux;
    use crate::media::flv::fixture::{Flv, all_groups, amf0, build};

    fn ranges(steps: &[Vec<ByteRange>]) -> Vec<Vec<(u64, u64)>> {
        let pairs =
            |step: &Vec<ByteRange>| step.iter().map(|range| (range.start, range.end)).collect();
        steps.iter().map(pairs).collect()
    }

    #[test]
    fn the_first_tags_and_the_last_are_read_at_once() {
        let mut file = Flv::movie(10);
        file.film(10, 5_000, 90);
        let (index, _, reads) = build(&file.bytes).unwrap();
        let size = file.len();
        assert_eq!(ranges(&reads), [[(0, 131_072), (size - 65_536, size)]]);
        let end = 5_009 * 40 + 10;
        assert_eq!(index.info().duration, Some(MediaTime::from_millis(end)));
    }

    #[test]
    fn the_measured_duration_takes_the_place_of_the_claimed() {
        let mut file = Flv::new(5);
        file.tag(
            18,
            0,
            &amf0::on_metadata(&[("duration", amf0::number(1_000.0))]),
        );
        file.heads();
        file.film(0, 25, 50);
        let (index, ..) = build(&file.bytes).unwrap();
        assert_eq!(
            index.info().metadata[0],
            ("duration".to_owned(), Value::Number(0.97))
        );
        // 30 bytes that are no tag at the end of a file too long to be looked at: the claim counts.
        file.bytes.extend([0xff; 200_000]);
        let (index, ..) = build(&file.bytes).unwrap();
        assert_eq!(
            index.info().duration,
            Some(MediaTime::from_millis(1_000_000))
        );
    }

    #[test]
    fn long_metadata_is_read_whole_and_once() {
        let times = amf0::numbers((0..30_000).map(f64::from));
        let positions = amf0::numbers((0..30_000).map(|n| f64::from(n) * 10_000.0));
        let keyframes = amf0::object(&[("times", times), ("filepositions", positions)]);
        let body = amf0::on_metadata(&[("keyframes", keyframes)]);
        let mut file = Flv::new(5);
        file.tag(18, 0, &body);
        file.heads();
        file.film(0, 10, 50);
        let (index, mut fetched, reads) = build(&file.bytes).unwrap();
        assert_eq!(reads.len(), 2, "{reads:?}");
        // The table is nonsense, so it is not used; its times are too many to be sent.
        assert_eq!(index.groups(), 1);
        assert!(
            !index
                .info()
                .metadata
                .iter()
                .any(|(name, _)| name == "keyframes")
        );
        assert_eq!(
            all_groups(&index, &file.bytes, &mut fetched).unwrap().len(),
            22
        );
    }

    #[test]
    fn the_data_offset_is_honoured() {
        let mut file = Flv::movie(5);
        let header: Vec<u8> = b"FLV\x01\x05\0\0\0\x14more header\0\0\0\0".to_vec();
        file.bytes.splice(..13, header);
        let (index, mut fetched, _) = build(&file.bytes).unwrap();
        assert_eq!(
            all_groups(&index, &file.bytes, &mut fetched).unwrap().len(),
            12
        );
    }

    #[test]
    fn files_that_hold_nothing_to_send_are_refused() {
        let refused = |bytes: &[u8]| build(bytes).err();
        assert!(matches!(
            refused(b""),
            Some(MediaError::Malformed { at: 0, .. })
        ));
        assert!(matches!(
            refused(b"FLV\x01\x05\0\0\0"),
            Some(MediaError::Malformed { at: 8, .. })
        ));
        assert!(matches!(
            refused(b"RIFF\x05\0\0\0\x09"),
            Some(MediaError::Malformed { at: 0, .. })
        ));
        assert!(matches!(
            refused(b"FLV\x01\x05\0\0\0\x08"),
            Some(MediaError::Malformed { at: 5, .. })
        ));
        assert!(matches!(
            refused(&Flv::new(5).bytes),
            Some(MediaError::NoTrack(_))
        ));
        assert!(matches!(
            refused(b"FLV\x01\x05\xff\xff\xff\xff"),
            Some(MediaError::NoTrack(_))
        ));
        let mut file = Flv::new(4);
        file.tag(0x28, 0, b"encrypted");
        assert!(matches!(refused(&file.bytes), Some(MediaError::NoTrack(_))));
    }

    #[test]
    fn the_last_turn_of_the_count_is_told_by_the_metadata() {
        let end = |last, claimed: Option<i64>| {
            let claimed = claimed.map(MediaTime::from_millis);
            end_time(Millis(last), MediaTime::from_millis(0), claimed).millis()
        };
        assert_eq!(end(5_000, None), 5_000);
        assert_eq!(end(5_000, Some(6_000)), 5_000);
        assert_eq!(end(5_000, Some((1 << 32) + 6_000)), (1 << 32) + 5_000);
        assert_eq!(end(5_000, Some(1 << 50)), 5_000 + (1 << 50));
        assert_eq!(end(5_000, Some(99_000_000)), 5_000);
    }
}
