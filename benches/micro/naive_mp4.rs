//! The obvious way to an MP4's segments: expand the tables into a list of all samples, sort it by
//! time, cut it. For one sample a chunk only, which is what [`crate::movie`] writes.

use streamfront::media::{Kind, Prefix, Sample};
use streamfront::render::cut::Cut;
use streamfront::render::{Group, SegmentId};
use streamfront::units::{ByteRange, MediaTime};

use crate::movie::Movie;
use crate::muxer::BOTH;

/// Time of the first entry of each segment, if it has one.
pub type Starts = Vec<Option<MediaTime>>;

/// All samples, in the order in which they are sent: the two codec heads first.
pub fn samples(movie: &Movie) -> Vec<Sample> {
    let moov = child(&movie.head, &[b"moov"]).expect("a moov box");
    let mut samples = Vec::new();
    for (kind, trak) in [Kind::Video, Kind::Audio]
        .into_iter()
        .zip(children(moov, b"trak"))
    {
        samples.extend(track(kind, trak));
    }
    samples.sort_by_key(|sample: &Sample| (sample.time, !sample.head, sample.kind == Kind::Audio));
    samples
}

/// Cuts a list of samples into segments.
pub fn cut(samples: &[Sample]) -> Starts {
    let mut id = SegmentId::start_of(Group::Indexed(0));
    let mut cut = Cut::new(id);
    let mut starts = vec![None];
    for sample in samples {
        if !cut.goes_on(BOTH, sample) {
            id = id.following();
            cut = Cut::new(id);
            cut.goes_on(BOTH, sample);
            starts.push(None);
        }
        if let Some(start) = starts.last_mut()
            && start.is_none()
            && BOTH.enters(sample)
        {
            *start = Some(sample.time);
        }
    }
    starts
}

fn track(kind: Kind, trak: &[u8]) -> Vec<Sample> {
    let mdhd = child(trak, &[b"mdia", b"mdhd"]).expect("an mdhd box");
    let scale = word(mdhd, 3);
    let table = |name| child(trak, &[b"mdia", b"minf", b"stbl", name]).unwrap_or_default();
    let ticks = i64::from(word(table(b"stts"), 3));
    let (sizes, offsets, keys) = (table(b"stsz"), table(b"stco"), table(b"stss"));
    let (prefix, config) = if kind == Kind::Video {
        (&[0; 5][..], 14)
    } else {
        (&[0; 2][..], 2)
    };
    let mut samples = vec![Sample {
        kind,
        time: MediaTime::ZERO,
        sync: true,
        head: true,
        prefix: Prefix::new(prefix),
        payload: ByteRange::at(0, config),
    }];
    let mut key = 0;
    for number in 0..word(sizes, 2) as usize {
        let is_key = !keys.is_empty()
            && key < word(keys, 1)
            && word(keys, 2 + key as usize) as usize == number + 1;
        key += u32::from(is_key);
        samples.push(Sample {
            kind,
            time: MediaTime::from_ticks(number as i64 * ticks, scale),
            sync: keys.is_empty() || is_key,
            head: false,
            prefix: Prefix::new(prefix),
            payload: ByteRange::at(
                u64::from(word(offsets, 2 + number)),
                u64::from(word(sizes, 3 + number)),
            ),
        });
    }
    samples
}

/// The n-th 32-bit word of a box body.
fn word(body: &[u8], n: usize) -> u32 {
    let bytes = body.get(n * 4..n * 4 + 4).expect("a word");
    u32::from_be_bytes(bytes.try_into().expect("four bytes"))
}

fn children<'a>(mut body: &'a [u8], name: &'a [u8; 4]) -> impl Iterator<Item = &'a [u8]> {
    std::iter::from_fn(move || {
        while body.len() >= 8 {
            let len = (word(body, 0) as usize).min(body.len());
            let (whole, rest) = body.split_at(len);
            body = rest;
            if &whole[4..8] == name {
                return Some(&whole[8..]);
            }
        }
        None
    })
}

fn child<'a>(body: &'a [u8], path: &[&'a [u8; 4]]) -> Option<&'a [u8]> {
    path.iter()
        .try_fold(body, |body, name| children(body, name).next())
}
