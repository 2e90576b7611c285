//! How sound is spread over the bytes of a file: what the first frame says of it (Xing or Info, by
//! LAME and most others: 100 points; VBRI, by Fraunhofer: a table of sizes), or a steady rate.

use super::frame::FrameHead;
use crate::units::ByteRange;
use crate::wire::{Reader, Truncated};

/// Points are kept at most this many: a VBRI table has up to 65,535, and 100 are what Xing has.
const POINTS: usize = 1_000;

/// Position in the frame behind its head where VBRI stands: always that of MPEG 1 stereo.
const VBRI: usize = 32;

/// What the encoder's own first frame says; a claim, like all counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Note {
    /// Frames of sound.
    pub(super) frames: Option<u64>,
    /// Bytes of the stream with this frame.
    pub(super) bytes: Option<u64>,
    /// Byte offsets from this frame on at equal distances of time, the first at 0, the end not
    /// among them; never falling.
    pub(super) points: Vec<u64>,
}

/// What a frame says that is no sound, or `None` where it is an ordinary frame.
pub(super) fn note(head: &FrameHead, frame: &[u8]) -> Option<Note> {
    if !head.is_layer_3() {
        return None;
    }
    let side = match (head.is_version_1(), head.channels) {
        (true, 1) | (false, 2) => 17,
        (true, _) => 32,
        (false, _) => 9,
    };
    let body = frame.get(4..)?;
    // As ffmpeg does, and only so: a note that says neither length nor size is taken as sound.
    let says = |note: &Note| note.frames.is_some() || note.bytes.is_some();
    let at_side = body
        .get(side..)
        .and_then(|bytes| xing(bytes).ok().flatten());
    let vbri = || {
        body.get(VBRI..)
            .and_then(|bytes| vbri(bytes).ok().flatten())
    };
    at_side.or_else(vbri).filter(says)
}

fn xing(bytes: &[u8]) -> Result<Option<Note>, Truncated> {
    let mut reader = Reader::new(bytes);
    let mark: [u8; 4] = reader.array()?;
    if &mark != b"Xing" && &mark != b"Info" {
        return Ok(None);
    }
    let flags = reader.u32()?;
    let mut note = Note::default();
    if flags & 1 != 0 {
        note.frames = positive(reader.u32()?);
    }
    if flags & 2 != 0 {
        note.bytes = positive(reader.u32()?);
    }
    if let (true, Some(bytes)) = (flags & 4 != 0, note.bytes) {
        let table = reader.take(100)?;
        let points = table
            .iter()
            .map(|part| bytes.saturating_mul(u64::from(*part)) / 256);
        note.points = risen(points);
    }
    Ok(Some(note))
}

fn vbri(bytes: &[u8]) -> Result<Option<Note>, Truncated> {
    let mut reader = Reader::new(bytes);
    if &reader.array()? != b"VBRI" {
        return Ok(None);
    }
    // Version, delay, quality.
    reader.skip(6)?;
    let mut note = Note {
        bytes: positive(reader.u32()?),
        frames: positive(reader.u32()?),
        points: Vec::new(),
    };
    let entries = usize::from(reader.u16()?);
    let scale = u64::from(reader.u16()?);
    let width = usize::from(reader.u16()?);
    reader.skip(2)?;
    let Ok(table) = reader.take(entries.saturating_mul(width)) else {
        return Ok(Some(note));
    };
    let sizes = table.chunks(width.max(1)).map(|entry| {
        let value = entry
            .iter()
            .fold(0u64, |value, byte| value << 8 | u64::from(*byte));
        value.saturating_mul(scale)
    });
    let sums = sizes.scan(0u64, |sum, size| {
        let before = *sum;
        *sum = sum.saturating_add(size);
        Some(before)
    });
    let step = entries.div_ceil(POINTS).max(1);
    // Thinned only where the distances stay equal.
    if entries.checked_rem(step) == Some(0) && (1..=4).contains(&width) {
        note.points = risen(sums.step_by(step));
    }
    Ok(Some(note))
}

fn positive(number: u32) -> Option<u64> {
    (number > 0).then_some(u64::from(number))
}

/// The points where each is at least the one before.
fn risen(points: impl Iterator<Item = u64>) -> Vec<u64> {
    points
        .scan(0u64, |highest, point| {
            *highest = point.max(*highest);
            Some(*highest)
        })
        .collect()
}

/// How frames are spread over the sound of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pace {
    /// Where the sound is.
    pub(super) media: ByteRange,
    /// How many frames there are in it, exactly or by estimate; at least 1.
    pub(super) frames: u64,
    /// Positions in the file at equal distances of time, the first the start and the last the end
    /// of the sound; never falling, at least two.
    pub(super) points: Vec<u64>,
}

impl Pace {
    /// Frames spread evenly.
    pub(super) fn even(media: ByteRange, frames: u64) -> Self {
        Self {
            media,
            frames: frames.max(1),
            points: vec![media.start, media.end],
        }
    }

    /// Frames spread as a note at `at` says.
    pub(super) fn noted(media: ByteRange, frames: u64, at: u64, note: &Note) -> Self {
        if note.points.len() < 2 {
            return Self::even(media, frames);
        }
        let inside = |point: &u64| at.saturating_add(*point).clamp(media.start, media.end);
        let points = note.points.iter().map(inside);
        let mut points: Vec<u64> = points.chain(std::iter::once(media.end)).collect();
        if let Some(first) = points.first_mut() {
            *first = media.start;
        }
        Self {
            media,
            frames: frames.max(1),
            points,
        }
    }

    /// About where frame `number` is.
    pub(super) fn position(&self, number: u64) -> u64 {
        let total = u128::from(self.frames);
        let spans = self.spans();
        let scaled = u128::from(number.min(self.frames)).saturating_mul(u128::from(spans));
        // The span that it is in, and how far in it.
        let span = scaled
            .checked_div(total)
            .and_then(|span| u64::try_from(span).ok());
        let span = span.unwrap_or_default().min(spans.saturating_sub(1));
        let past = scaled.saturating_sub(u128::from(span).saturating_mul(total));
        let (low, high) = self.span(span);
        let part = u128::from(high.saturating_sub(low))
            .saturating_mul(past)
            .checked_div(total);
        low.saturating_add(
            part.and_then(|part| u64::try_from(part).ok())
                .unwrap_or_default(),
        )
    }

    /// About which frame is at `position`: the nearest.
    pub(super) fn number(&self, position: u64) -> u64 {
        let spans = self.spans();
        let after = self.points.partition_point(|point| *point <= position);
        let span = u64::try_from(after.saturating_sub(1))
            .unwrap_or_default()
            .min(spans.saturating_sub(1));
        let (low, high) = self.span(span);
        let width = u128::from(high.saturating_sub(low)).max(1);
        let past = u128::from(position.clamp(low, high).saturating_sub(low));
        // (span + past / width) * frames / spans, rounded.
        let numerator = u128::from(span).saturating_mul(width).saturating_add(past);
        let whole = width.saturating_mul(u128::from(spans));
        let doubled = numerator
            .saturating_mul(u128::from(self.frames))
            .saturating_mul(2)
            .saturating_add(whole);
        let number = doubled
            .checked_div(whole.saturating_mul(2))
            .unwrap_or_default();
        u64::try_from(number).unwrap_or(u64::MAX).min(self.frames)
    }

    fn spans(&self) -> u64 {
        u64::try_from(self.points.len())
            .unwrap_or(u64::MAX)
            .saturating_sub(1)
            .max(1)
    }

    fn span(&self, index: u64) -> (u64, u64) {
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        let low = self.points.get(index).copied().unwrap_or(self.media.start);
        let high = self
            .points
            .get(index.saturating_add(1))
            .copied()
            .unwrap_or(self.media.end);
        (low, high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// MPEG 1 layer III, stereo.
    const STEREO: [u8; 4] = [0xff, 0xfb, 0x90, 0];

    fn noted(head: [u8; 4], offset: usize, body: &[u8]) -> Option<Note> {
        let frame = [&head[..], &vec![0; offset], body].concat();
        note(&FrameHead::parse(&head).unwrap(), &frame)
    }

    #[test]
    fn xing_stands_behind_the_side_information() {
        let body = b"Info\0\0\0\x03\0\0\x01\0\0\0\x10\0";
        let expected = Note {
            frames: Some(256),
            bytes: Some(4096),
            points: Vec::new(),
        };
        let places = [
            (STEREO, 32),
            ([0xff, 0xfb, 0x90, 0xc0], 17),
            ([0xff, 0xf3, 0x80, 0], 17),
            ([0xff, 0xf3, 0x80, 0xc0], 9),
            ([0xff, 0xe3, 0x80, 0xc0], 9),
        ];
        for (head, offset) in places {
            assert_eq!(
                noted(head, offset, body),
                Some(expected.clone()),
                "{head:x?}"
            );
            assert_eq!(noted(head, offset + 1, body), None);
        }
        assert_eq!(noted([0xff, 0xfd, 0x80, 0], 32, body), None, "layer II");
        assert_eq!(noted(STEREO, 32, b"Xing\0\0\0\0"), None, "says nothing");
        assert_eq!(
            noted(STEREO, 32, b"Xing\0\0\0\x07\0\0\x01\0\0\0\x10\0\0"),
            None,
            "cut"
        );
    }

    #[test]
    fn points_of_xing_are_parts_of_256() {
        let table: Vec<u8> = (0..100).map(|n| if n == 50 { 0 } else { n * 2 }).collect();
        let body = [&b"Xing\0\0\0\x07\0\0\x01\0\0\x01\0\0"[..], &table].concat();
        let note = noted(STEREO, 32, &body).unwrap();
        assert_eq!(note.points.len(), 100);
        // 65,536 bytes: each part is 256. The one that falls stays with the one before it.
        assert_eq!(note.points[1], 512);
        assert_eq!(note.points[50], 49 * 512);
        assert_eq!(note.points[51], 51 * 512);
    }

    #[test]
    fn points_of_vbri_are_sums() {
        let body =
            b"VBRI\0\x01\0\0\0\0\0\0\x10\0\0\0\0\x30\0\x03\0\x02\0\x02\0\x10\0\x10\0\x20\0\x30";
        let expected = Note {
            frames: Some(48),
            bytes: Some(4096),
            points: vec![0, 32, 96],
        };
        assert_eq!(noted([0xff, 0xf3, 0x80, 0xc0], 32, body), Some(expected));
    }

    #[test]
    fn an_even_pace_is_a_straight_line() {
        let pace = Pace::even(ByteRange::new(100, 41_900), 100);
        assert_eq!(pace.position(0), 100);
        assert_eq!(pace.position(10), 4_280);
        assert_eq!(pace.position(500), 41_900);
        assert_eq!(pace.number(4_280), 10);
        assert_eq!(pace.number(4_281), 10);
        assert_eq!(pace.number(0), 0);
        assert_eq!(pace.number(u64::MAX), 100);
    }

    #[test]
    fn points_bend_it() {
        let note = Note {
            frames: Some(400),
            bytes: Some(1_000),
            points: vec![0, 100, 200, 600],
        };
        let pace = Pace::noted(ByteRange::new(1_010, 2_000), 400, 1_000, &note);
        assert_eq!(pace.points, [1_010, 1_100, 1_200, 1_600, 2_000]);
        assert_eq!(pace.position(0), 1_010);
        assert_eq!(pace.position(250), 1_400);
        assert_eq!(pace.number(1_400), 250);
        assert_eq!(pace.number(1_800), 350);
    }

    proptest! {
        #[test]
        fn positions_and_numbers_rise_together(
            points in proptest::collection::vec(0u64..1 << 40, 0..20),
            frames in 0u64..1 << 40,
            a: u64,
            b: u64,
        ) {
            let note = Note { frames: None, bytes: None, points: risen(points.into_iter()) };
            let pace = Pace::noted(ByteRange::new(1 << 10, 1 << 41), frames, 1 << 10, &note);
            let (low, high) = (a.min(b), a.max(b));
            prop_assert!(pace.position(low) <= pace.position(high));
            prop_assert!(pace.number(low) <= pace.number(high));
            prop_assert!(pace.media.start <= pace.position(low) && pace.position(high) <= pace.media.end);
        }

        #[test]
        fn any_bytes_are_a_note_or_none(body: Vec<u8>, mark in 0usize..3) {
            let marks = [&b"Xing"[..], b"VBRI", b""];
            let _ = noted(STEREO, 32, &[marks[mark], &body].concat());
        }
    }
}
