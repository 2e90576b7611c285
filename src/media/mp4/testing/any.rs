//! Files of any tables: what a walk over them must survive and get right.
//!
//! Their payloads are noise, and there is enough of it that a file fills several segments.

use std::sync::OnceLock;

use bytes::Bytes;
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

use super::{TrackSpec, boxed, ftyp, full, moov, table, visual_entry, words};
use crate::media::mp4::{Mp4Builder, Mp4Index};
use crate::media::{Fetched, Step};

/// Bytes of noise behind the head of each file.
const BODY: u32 = 3 << 20;

/// A file and what its index says.
#[derive(Debug)]
pub(crate) struct AnyMovie {
    pub index: Mp4Index,
    /// All of it.
    pub fetched: Fetched,
    /// Whether samples may be passed over: codec heads in force are then a matter of view, before
    /// those samples or after them.
    pub passes_over: bool,
}

/// The tables of one track.
#[derive(Debug, Clone)]
struct Tables {
    timescale: u32,
    durations: Vec<(u32, u32)>,
    offsets: Vec<(u32, i32)>,
    layout: Vec<(u32, u32, u32)>,
    chunks: Vec<u32>,
    sizes: Vec<u32>,
    syncs: Option<Vec<u32>>,
    edits: Vec<(u32, u32)>,
    /// An empty edit before them, milliseconds.
    delay: u32,
}

/// Runs of a table, with some of no samples at all.
fn runs<V: Strategy + Clone>(values: V) -> impl Strategy<Value = Vec<(u32, V::Value)>>
where
    V::Value: Clone,
{
    let count = prop_oneof![1 => Just(0u32), 4 => 1u32..4, 4 => 4u32..400];
    vec((count, values), 0..8)
}

fn tables() -> impl Strategy<Value = Tables> {
    let scale = prop::sample::select(vec![0u32, 1, 1_000, 8_000, 12_800, 44_100, 90_000]);
    let duration = prop_oneof![
        8 => 0u32..3_000,
        2 => Just(40u32),
        1 => 0u32..200_000,
        1 => any::<u32>(),
    ];
    let offset = prop_oneof![6 => -50i32..3_000, 1 => any::<i32>()];
    let layout = vec(
        (
            1u32..30,
            prop_oneof![1 => Just(0u32), 9 => 1u32..40],
            prop_oneof![8 => Just(1u32), 1 => 0u32..5],
        ),
        1..6,
    );
    let chunk = prop_oneof![40 => 0..BODY, 1 => any::<u32>()];
    let size = prop_oneof![8 => 0u32..2_000, 2 => 0u32..30_000, 1 => 0u32..400_000];
    let edits = prop_oneof![
        3 => Just(Vec::new()),
        2 => vec((0u32..20_000, 0u32..9_000), 1..3),
    ];
    let delay = prop_oneof![4 => Just(0u32), 1 => 1u32..5_000];
    (
        (scale, runs(duration), runs(offset), layout),
        vec(chunk, 0..120),
        vec(size, 0..600),
        prop::option::of(btree_set(1u32..600, 0..40)),
        (edits, delay),
    )
        .prop_map(|(runs, chunks, sizes, syncs, (edits, delay))| {
            let (timescale, durations, offsets, steps) = runs;
            let mut first = 1;
            let layout = steps
                .into_iter()
                .enumerate()
                .map(|(n, (step, samples, description))| {
                    first += if n > 0 { step } else { 0 };
                    (first, samples, description)
                });
            Tables {
                timescale,
                durations,
                offsets,
                layout: layout.collect(),
                chunks,
                sizes,
                syncs: syncs.map(|syncs| syncs.into_iter().collect()),
                edits,
                delay,
            }
        })
}

impl Tables {
    fn track(&self, mut track: TrackSpec, base: u32) -> TrackSpec {
        let count = u32::try_from(self.sizes.len()).unwrap();
        let pairs = |pairs: &[(u32, u32)]| -> Vec<u32> {
            pairs.iter().flat_map(|(a, b)| [*a, *b]).collect()
        };
        let signed: Vec<(u32, u32)> = self
            .offsets
            .iter()
            .map(|(count, value)| (*count, u32::from_ne_bytes(value.to_ne_bytes())))
            .collect();
        let layout: Vec<u32> = self
            .layout
            .iter()
            .flat_map(|(a, b, c)| [*a, *b, *c])
            .collect();
        let chunks: Vec<u32> = self
            .chunks
            .iter()
            .map(|at| at.saturating_add(base))
            .collect();
        track.tables = vec![
            table(b"stts", 2, &pairs(&self.durations)),
            table(b"ctts", 2, &pairs(&signed)),
            table(b"stsc", 3, &layout),
            table(b"stco", 1, &chunks),
            full(
                b"stsz",
                0,
                0,
                &[words(&[0, count]), words(&self.sizes)].concat(),
            ),
        ];
        if let Some(syncs) = &self.syncs {
            track.tables.push(table(b"stss", 1, syncs));
        }
        let delay = (self.delay > 0).then_some((self.delay, u32::MAX));
        let edits: Vec<(u32, u32)> = delay.into_iter().chain(self.edits.clone()).collect();
        track.edited(&edits)
    }

    fn passes_over(&self) -> bool {
        self.layout
            .iter()
            .any(|(.., description)| *description != 1)
    }
}

fn movie(tracks: &[TrackSpec]) -> Option<(Mp4Index, Fetched)> {
    static NOISE: OnceLock<Bytes> = OnceLock::new();
    let noise = NOISE.get_or_init(|| {
        let noise = |at: u64| (at.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8;
        (0..u64::from(BODY)).map(noise).collect()
    });
    let head: Bytes = [ftyp(), moov(tracks, &[]), words(&[BODY]), b"mdat".to_vec()]
        .concat()
        .into();
    let at = u64::try_from(head.len()).unwrap();
    let mut fetched = Fetched::new(at + u64::from(BODY) - 8);
    fetched.insert(0, head);
    fetched.insert(at, noise.slice(8..));
    match Mp4Builder::new(fetched.size()).step(&fetched) {
        Ok(Step::Done(index)) => Some((index, fetched)),
        Ok(Step::Need(ranges)) => panic!("all of it was read, but {ranges:?}"),
        Err(_) => None,
    }
}

/// A movie of one video track, one audio track or both, each of any tables: runs of every length,
/// chunks anywhere, edits, reordered pictures, new descriptions (one of which cannot be sent), and
/// now and then a sample that lies past the end.
pub(crate) fn any_movie() -> impl Strategy<Value = AnyMovie> {
    let both =
        prop_oneof![4 => Just((true, true)), 1 => Just((true, false)), 1 => Just((false, true))];
    (tables(), tables(), both).prop_filter_map("no index", |(pictures, sound, (video, audio))| {
        let mut tracks = Vec::new();
        if video {
            let mut track = TrackSpec::video(pictures.timescale);
            let record = boxed(b"avcC", b"\x01\x4D\x00");
            track.entries.push(visual_entry(b"jpeg", 64, 48, b""));
            track.entries.push(visual_entry(b"avc1", 64, 48, &record));
            tracks.push(pictures.track(track, 4_096));
        }
        if audio {
            tracks.push(sound.track(TrackSpec::audio(sound.timescale), 4_096));
        }
        let (index, fetched) = movie(&tracks)?;
        let odd = |tables: &Tables| tables.passes_over() || !tables.edits.is_empty();
        Some(AnyMovie {
            index,
            fetched,
            passes_over: (video && odd(&pictures)) || (audio && odd(&sound)),
        })
    })
}
