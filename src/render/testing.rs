//! What the tests of segments stand on: a file made of a list of samples ([`Tape`]), a reader of
//! chunk bytes that shares no code with the muxer ([`messages`]), and somebody who reads the ranges
//! that a render asks for ([`Reads`]).

use bytes::Bytes;
use proptest::prelude::*;
use rml_rtmp::chunk_io::ChunkDeserializer;

use super::render_one::{Render, RenderError, Rendered};
use super::segment::{Group, Rendering, SegmentId};
use crate::media::{
    Container, Demux, Fetched, Found, Heads, Kind, MediaError, MediaInfo, Next, Prefix, Sample,
    Step,
};
use crate::units::{ByteRange, MediaTime};

/// Both tracks.
pub(crate) const BOTH: Rendering = Rendering {
    video: true,
    audio: true,
};

/// Head and trailer of a sample in the object, as large as those of an FLV tag.
const TAG_HEAD: u64 = 11;
const TAG_TRAILER: u64 = 4;

/// A file made of a list of samples.
#[derive(Debug, Clone)]
pub(crate) struct Tape {
    pub samples: Vec<Sample>,
    /// Number of the first sample of each group; the first is 0.
    pub groups: Vec<usize>,
    /// Whether the head of a sample must be read before it is known, as in FLV.
    pub walked: bool,
    /// Reading this sample is an error.
    pub broken_at: Option<usize>,
    pub object: Bytes,
    info: MediaInfo,
}

/// A place on a tape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spot {
    pub next: usize,
    pub end: usize,
}

impl Tape {
    /// A file in one group of these samples, whose payloads stand where the samples say.
    pub fn new(samples: Vec<Sample>) -> Self {
        let size = samples.iter().map(|s| s.payload.end).max().unwrap_or(0) + TAG_TRAILER;
        Self {
            samples,
            groups: vec![0],
            walked: false,
            broken_at: None,
            object: (0..size).map(noise).collect::<Vec<u8>>().into(),
            info: MediaInfo::default(),
        }
    }

    /// Puts the payloads one behind the other, as in a well interleaved file.
    pub fn laid_out(mut samples: Vec<Sample>) -> Self {
        let mut at = 13;
        for sample in &mut samples {
            sample.payload = ByteRange::at(at + TAG_HEAD, sample.payload.len());
            at = sample.payload.end + TAG_TRAILER;
        }
        Self::new(samples)
    }

    /// The message body of a sample.
    pub fn body(&self, sample: &Sample) -> Vec<u8> {
        let payload = sample.payload.start as usize..sample.payload.end as usize;
        [sample.prefix.as_slice(), &self.object[payload]].concat()
    }

    /// What a viewer of `rendering` must receive.
    pub fn expected(&self, rendering: Rendering) -> Vec<Message> {
        let wanted = |s: &&Sample| match s.kind {
            Kind::Video => rendering.video,
            Kind::Audio => rendering.audio,
            Kind::Data => true,
        };
        let samples = &self.samples[..self.broken_at.unwrap_or(self.samples.len())];
        samples
            .iter()
            .filter(wanted)
            .map(|s| Message {
                timestamp: (s.time.millis() as u64 % (1 << 32)) as u32,
                type_id: match s.kind {
                    Kind::Audio => 8,
                    Kind::Video => 9,
                    Kind::Data => 18,
                },
                stream: 1,
                body: self.body(s),
            })
            .collect()
    }

    pub fn broken(&self) -> MediaError {
        MediaError::malformed(Container::Flv, 99, "torn")
    }
}

impl Demux for Tape {
    type Cursor = Spot;

    fn info(&self) -> &MediaInfo {
        &self.info
    }

    fn groups(&self) -> u32 {
        self.groups.len() as u32
    }

    fn open(&self, group: u32) -> Option<Spot> {
        let next = *self.groups.get(group as usize)?;
        let end = self.groups.get(group as usize + 1).copied();
        Some(Spot {
            next,
            end: end.unwrap_or(self.samples.len()),
        })
    }

    fn group_at(&self, time: MediaTime) -> u32 {
        let begins = |at: &usize| self.samples.get(*at).is_some_and(|s| s.time <= time);
        self.groups
            .iter()
            .filter(|at| begins(at))
            .count()
            .saturating_sub(1) as u32
    }

    fn next(&self, cursor: &mut Spot, fetched: &Fetched) -> Result<Next, MediaError> {
        if cursor.next >= cursor.end {
            return Ok(Next::End);
        }
        if self.broken_at == Some(cursor.next) {
            // A real index may have moved its cursor when it finds out.
            cursor.next += 1;
            return Err(self.broken());
        }
        let sample = self.samples[cursor.next];
        if self.walked {
            let start = sample.payload.start;
            let head = ByteRange::new(start - TAG_HEAD, start);
            if fetched.missing(head).is_some() {
                return Ok(Next::Need(head));
            }
        }
        cursor.next += 1;
        Ok(Next::Sample(sample))
    }

    /// The bodies of the last head of each kind before the cursor.
    fn heads(&self, cursor: &Spot) -> Heads {
        let last = |kind| {
            let before = self.samples[..cursor.next].iter().rev();
            before
                .filter(|s| s.kind == kind)
                .find(|s| s.head)
                .map(|s| self.body(s).into())
        };
        Heads {
            video: last(Kind::Video),
            audio: last(Kind::Audio),
        }
    }

    fn is_complete(&self) -> bool {
        !self.walked
    }

    fn guess(&self, _: MediaTime) -> Option<u64> {
        None
    }

    fn resync(&self, _: u64, _: &Fetched) -> Result<Step<Option<Found<Spot>>>, MediaError> {
        Ok(Step::Done(None))
    }
}

/// The byte at a position of every object: no period that a wrong offset could hide in.
fn noise(at: u64) -> u8 {
    (at.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8
}

/// One message, as a viewer sees it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub timestamp: u32,
    pub type_id: u8,
    pub stream: u32,
    pub body: Vec<u8>,
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            timestamp,
            type_id,
            stream,
            body,
        } = self;
        let start = &body[..body.len().min(8)];
        write!(
            f,
            "{type_id}@{timestamp}/{stream} {}:{start:02x?}",
            body.len()
        )
    }
}

/// Reads chunk bytes as RTMP 1.0 section 5.3.1 has them, at a chunk size of 65,536: full headers
/// at message starts, type 3 inside messages, the extended timestamp repeated on each. Anything
/// else fails the test. Answers with each message and the position where it begins.
pub(crate) fn messages(mut bytes: &[u8]) -> Vec<(u32, Message)> {
    fn take<'a>(bytes: &mut &'a [u8], len: usize) -> &'a [u8] {
        assert!(
            len <= bytes.len(),
            "{len} bytes wanted, {} left",
            bytes.len()
        );
        let (taken, rest) = bytes.split_at(len);
        *bytes = rest;
        taken
    }
    let big = |bytes: &[u8]| bytes.iter().fold(0u32, |n, byte| n << 8 | u32::from(*byte));
    let whole = bytes.len();
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let at = (whole - bytes.len()) as u32;
        let basic = take(&mut bytes, 1)[0];
        assert_eq!(
            basic >> 6,
            0,
            "a message begins with a full header (byte {at})"
        );
        let csid = basic & 0x3f;
        assert!(csid > 2, "media on a chunk stream of its own, not {csid}");
        let field = big(take(&mut bytes, 3));
        let len = big(take(&mut bytes, 3)) as usize;
        let type_id = take(&mut bytes, 1)[0];
        let stream = take(&mut bytes, 4);
        let stream = u32::from_le_bytes(stream.try_into().unwrap());
        let extended = (field == 0xff_ffff).then(|| big(take(&mut bytes, 4)));
        assert!(
            extended.is_none_or(|t| t >= 0xff_ffff),
            "extended without need"
        );
        let mut body = Vec::new();
        loop {
            let want = (len - body.len()).min(65_536);
            body.extend_from_slice(take(&mut bytes, want));
            if body.len() == len {
                break;
            }
            assert_eq!(
                take(&mut bytes, 1)[0],
                0xc0 | csid,
                "a type 3 header inside a message"
            );
            if let Some(timestamp) = extended {
                assert_eq!(
                    big(take(&mut bytes, 4)),
                    timestamp,
                    "extended timestamp repeated"
                );
            }
        }
        let timestamp = extended.unwrap_or(field);
        found.push((
            at,
            Message {
                timestamp,
                type_id,
                stream,
                body,
            },
        ));
    }
    found
}

/// The same bytes as a second implementation of RTMP reads them.
pub(crate) fn rml_messages(bytes: &[u8]) -> Vec<Message> {
    let mut reader = ChunkDeserializer::new();
    reader.set_max_chunk_size(65_536).unwrap();
    let mut found = Vec::new();
    let mut input = bytes;
    while let Some(message) = reader.get_next_message(std::mem::take(&mut input)).unwrap() {
        found.push(Message {
            timestamp: message.timestamp.value,
            type_id: message.type_id,
            stream: message.message_stream_id,
            body: message.data.to_vec(),
        });
    }
    found
}

/// What was read of an object to render a segment.
#[derive(Debug, Default, Clone)]
pub(crate) struct Reads {
    /// The ranges of each answer that asked for some.
    pub rounds: Vec<Vec<ByteRange>>,
}

impl Reads {
    /// Steps a render to its end and checks what every answer must keep to.
    pub fn finish<D: Demux>(
        &mut self,
        render: &mut Render<'_, D>,
        fetched: &mut Fetched,
        object: &Bytes,
    ) -> Result<Rendered<D::Cursor>, RenderError> {
        for _ in 0..20_000 {
            let ranges = match render.step(fetched)? {
                Step::Done(rendered) => return Ok(rendered),
                Step::Need(ranges) => ranges,
            };
            assert!(!ranges.is_empty(), "needs nothing");
            for range in &ranges {
                assert!(!range.is_empty(), "an empty range");
                assert!(
                    range.end <= fetched.size(),
                    "{range} is past {}",
                    fetched.size()
                );
                assert!(fetched.missing(*range).is_some(), "{range} was read");
                let span = range.start as usize..range.end as usize;
                fetched.insert(range.start, object.slice(span));
            }
            for pair in ranges.windows(2) {
                let gap = pair[1]
                    .start
                    .checked_sub(pair[0].end)
                    .expect("rising and apart");
                assert!(gap > 32 * 1024, "{pair:?} are near enough for one request");
            }
            self.rounds.push(ranges);
        }
        panic!("never done");
    }

    /// Bytes read.
    pub fn bytes(&self) -> u64 {
        self.rounds.iter().flatten().map(|range| range.len()).sum()
    }
}

/// Renders one segment with nothing read before.
pub(crate) fn render_alone(
    tape: &Tape,
    rendering: Rendering,
    id: SegmentId,
    start: Spot,
) -> Result<(Rendered<Spot>, Reads), RenderError> {
    let mut fetched = Fetched::new(tape.object.len() as u64);
    let mut reads = Reads::default();
    let mut render = Render::new(tape, rendering, id, start);
    let rendered = reads.finish(&mut render, &mut fetched, &tape.object)?;
    Ok((rendered, reads))
}

/// A rendered segment, with its name and the cursor it was rendered from.
pub(crate) type Part = (SegmentId, Spot, Rendered<Spot>);

/// Renders all segments in order, up to an error.
pub(crate) fn render_all(tape: &Tape, rendering: Rendering) -> (Vec<Part>, Option<RenderError>) {
    let mut parts: Vec<Part> = Vec::new();
    let mut next = Some((SegmentId::FIRST, None));
    while let Some((id, cursor)) = next {
        let Group::Indexed(group) = id.group else {
            panic!("{id} was not found by searching");
        };
        let cursor = cursor.unwrap_or_else(|| tape.open(group).unwrap());
        match render_alone(tape, rendering, id, cursor) {
            Ok((rendered, _)) => {
                next = rendered.next;
                parts.push((id, cursor, rendered));
            }
            Err(error) => return (parts, Some(error)),
        }
    }
    (parts, None)
}

/// The chunk bytes of all segments.
pub(crate) fn joined(parts: &[Part]) -> Vec<u8> {
    parts
        .iter()
        .flat_map(|(_, _, part)| part.bytes.iter().copied())
        .collect()
}

/// A sample of a kind at a time, with a payload of some length somewhere.
pub(crate) fn sample(kind: Kind, time: i64, len: u64) -> Sample {
    Sample {
        kind,
        time: MediaTime::from_millis(time),
        sync: kind == Kind::Audio,
        head: false,
        prefix: Prefix::EMPTY,
        payload: ByteRange::at(0, len),
    }
}

/// A key frame.
pub(crate) fn key(time: i64, len: u64) -> Sample {
    Sample {
        sync: true,
        ..sample(Kind::Video, time, len)
    }
}

fn sizes() -> impl Strategy<Value = u64> {
    prop_oneof![
        2 => Just(0u64),
        20 => 1u64..3_000,
        8 => 3_000u64..60_000,
        4 => 65_536u64 - 10..65_536 + 10,
        1 => 2 * 65_536u64 - 10..2 * 65_536 + 10,
        4 => 60_000u64..300_000,
        1 => 500_000u64..700_000,
        1 => Just(1 << 20),
    ]
}

fn kinds() -> impl Strategy<Value = Kind> {
    prop_oneof![6 => Just(Kind::Audio), 6 => Just(Kind::Video), 1 => Just(Kind::Data)]
}

/// Samples of every shape; their payloads stand nowhere yet.
pub(crate) fn any_samples(most: usize) -> impl Strategy<Value = Vec<Sample>> {
    let steps =
        prop_oneof![3 => Just(0i64), 20 => 0i64..50, 6 => 0i64..3_000, 1 => 7_990i64..8_010];
    let start = prop_oneof![
        4 => Just(0i64),
        2 => (1i64 << 24) - 3_000..(1 << 24) + 10,
        2 => (1i64 << 32) - 3_000..(1 << 32) + 10,
        1 => 0i64..1 << 40,
    ];
    let prefix = prop::collection::vec(any::<u8>(), 0..9);
    let one = (
        kinds(),
        steps,
        prop::bool::weighted(0.3),
        0u8..8,
        prefix,
        sizes(),
    );
    (start, prop::collection::vec(one, 0..most)).prop_map(|(mut time, list)| {
        let mut build = |(kind, step, sync, head, prefix, len): (_, _, _, _, Vec<u8>, _)| {
            time += step;
            Sample {
                kind,
                time: MediaTime::from_millis(time),
                sync: kind == Kind::Audio || (kind == Kind::Video && sync),
                head: kind != Kind::Data && head == 0,
                prefix: Prefix::new(&prefix),
                payload: ByteRange::at(0, len),
            }
        };
        list.into_iter().map(&mut build).collect()
    })
}

/// Files of such samples: one behind the other, or scattered in any order with any gaps.
pub(crate) fn any_tape(most: usize) -> impl Strategy<Value = Tape> {
    let places = prop::collection::vec((any::<u16>(), 0u64..60_000), most);
    (any_samples(most), any::<bool>(), places).prop_map(|(mut samples, scattered, places)| {
        if !scattered {
            return Tape::laid_out(samples);
        }
        let mut order: Vec<usize> = (0..samples.len()).collect();
        order.sort_by_key(|number| places[*number].0);
        let mut at = 0;
        for number in order {
            let start = at + places[number].1;
            samples[number].payload = ByteRange::at(start, samples[number].payload.len());
            at = samples[number].payload.end;
        }
        Tape::new(samples)
    })
}

/// Such a file in several groups.
pub(crate) fn any_grouped(most: usize) -> impl Strategy<Value = Tape> {
    (
        any_tape(most),
        prop::collection::vec(any::<prop::sample::Index>(), 0..3),
    )
        .prop_map(|(mut tape, starts)| {
            if !tape.samples.is_empty() {
                let count = tape.samples.len();
                tape.groups
                    .extend(starts.iter().map(|start| start.index(count)));
                tape.groups.sort_unstable();
                tape.groups.dedup();
            }
            tape
        })
}

#[test]
fn the_reader_of_chunks_reads_what_the_specification_shows() {
    // RTMP 1.0 section 5.3.2.2: a video message of 307 bytes, here at our chunk size, and one with
    // an extended timestamp.
    let mut bytes = vec![4, 0, 3, 0xe8, 0, 1, 0x33, 9, 0x3a, 0x30, 0, 0];
    bytes.extend([7; 307]);
    bytes.extend([6, 0xff, 0xff, 0xff, 1, 0, 1, 8, 1, 0, 0, 0, 1, 0, 0, 0]);
    bytes.extend([8; 65_536]);
    bytes.extend([0xc6, 1, 0, 0, 0, 8]);
    let first = Message {
        timestamp: 1000,
        type_id: 9,
        stream: 12_346,
        body: vec![7; 307],
    };
    let second = Message {
        timestamp: 1 << 24,
        type_id: 8,
        stream: 1,
        body: vec![8; 65_537],
    };
    assert_eq!(
        messages(&bytes),
        [(0, first.clone()), (319, second.clone())]
    );
    assert_eq!(rml_messages(&bytes), [first, second]);
}
