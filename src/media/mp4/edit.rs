//! The edit list of a track (ISO/IEC 14496-12 section 8.6.6), reduced to what is honoured: empty
//! edits at its front delay the track, and the first other edit says where in the media it begins.
//!
//! Later edits only move the end: cutting and repeating in mid-track would need a second timeline,
//! and the files that have such lists (joined takes) mostly list one run of media in pieces.

use super::boxes::Atom;
use crate::media::MediaError;
use crate::wire::{Reader, Truncated};

/// What an edit list asks for. The default is that of a track without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Edit {
    /// How long the track waits, ticks of its media timescale.
    pub delay: i64,
    /// Composition time at which it begins, ticks of the media.
    pub start: i64,
    /// Composition time at which it ends; `None`: with its last sample.
    pub end: Option<i64>,
    /// Whether there is an edit that is not empty.
    pub begun: bool,
}

impl Edit {
    /// Reads an elst box. Durations in it are in `movie_scale`, media times in `media_scale`.
    pub fn read(elst: &Atom, movie_scale: u32, media_scale: u32) -> Result<Self, MediaError> {
        let (version, _, mut reader) = elst.full()?;
        reader.skip(4).map_err(|error| elst.cut(error))?;
        let mut edit = Self::default();
        while let Ok((duration, media_time)) = entry(&mut reader, version) {
            let ticks = rescale(duration, movie_scale, media_scale);
            if media_time < 0 {
                if !edit.begun {
                    edit.delay = edit.delay.saturating_add(ticks);
                }
                continue;
            }
            // A duration of 0 means "all of it": fragmented files, whose length is not known when
            // the list is written.
            let end = (duration > 0).then(|| media_time.saturating_add(ticks));
            edit.end = match edit.begun {
                false => end,
                true => edit.end.zip(end).map(|(known, end)| known.max(end)),
            };
            if !edit.begun {
                edit.start = media_time;
                edit.begun = true;
            }
        }
        Ok(edit)
    }
}

/// Duration and media time of the next entry.
fn entry(reader: &mut Reader<'_>, version: u8) -> Result<(u64, i64), Truncated> {
    let times = match version {
        0 => (u64::from(reader.u32()?), i64::from(reader.i32()?)),
        _ => (reader.u64()?, reader.i64()?),
    };
    reader.skip(4)?;
    Ok(times)
}

/// `ticks` of one timescale in another, to the nearest. A timescale of 0 counts as 1.
pub(super) fn rescale(ticks: u64, from: u32, to: u32) -> i64 {
    let from = u128::from(from.max(1));
    let doubled = u128::from(ticks)
        .saturating_mul(u128::from(to.max(1)))
        .saturating_mul(2)
        .saturating_add(from);
    let rounded = doubled.checked_div(from.saturating_mul(2)).unwrap_or(0);
    i64::try_from(rounded).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::testing::words;
    use super::*;

    fn read(version: u8, entries: &[Vec<u8>]) -> Edit {
        let mut body = vec![version, 0, 0, 0, 0, 0, 0, 9];
        entries
            .iter()
            .for_each(|entry| body.extend_from_slice(entry));
        let elst = Atom {
            kind: *b"elst",
            body_at: 0,
            body: body.into(),
        };
        Edit::read(&elst, 1000, 44_100).unwrap()
    }

    fn v0(duration: u32, media_time: u32) -> Vec<u8> {
        words(&[duration, media_time, 0x1_0000])
    }

    #[test]
    fn empty_edits_delay_and_the_first_other_one_begins() {
        let edit = read(0, &[v0(500, u32::MAX), v0(500, u32::MAX), v0(2000, 1024)]);
        let expected = Edit {
            delay: 44_100,
            start: 1024,
            end: Some(1024 + 88_200),
            begun: true,
        };
        assert_eq!(edit, expected);
    }

    #[test]
    fn later_edits_move_the_end_only() {
        let edit = read(0, &[v0(1000, 10), v0(10, u32::MAX), v0(1000, 44_110)]);
        assert_eq!(
            edit,
            Edit {
                delay: 0,
                start: 10,
                end: Some(88_210),
                begun: true
            }
        );
    }

    #[test]
    fn duration_zero_is_open_and_version_one_is_long() {
        assert_eq!(
            read(0, &[v0(0, 1024)]),
            Edit {
                delay: 0,
                start: 1024,
                end: None,
                begun: true
            }
        );
        let long = [
            &1u64.to_be_bytes()[..],
            &(1i64 << 40).to_be_bytes(),
            &[0, 1, 0, 0],
        ]
        .concat();
        let end = Some((1 << 40) + 44);
        assert_eq!(
            read(1, &[long]),
            Edit {
                delay: 0,
                start: 1 << 40,
                end,
                begun: true
            }
        );
        assert_eq!(read(0, &[]), Edit::default());
    }

    #[test]
    fn rescaling_rounds_to_the_nearest_and_never_overflows() {
        assert_eq!(rescale(1, 1000, 44_100), 44);
        assert_eq!(rescale(u64::MAX, 0, u32::MAX), i64::MAX);
    }
}
