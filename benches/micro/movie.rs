//! A made-up MP4: H.264 with a key frame every two seconds and AAC, interleaved sample by sample,
//! as long and as fat as is asked for. Its tables are those of a file that was well made.

use bytes::Bytes;
use streamfront::media::{Fetched, Index, IndexBuilder, Step};

/// Pictures a second.
const RATE: u64 = 25;
/// Pictures from one key frame to the next.
const GOP: u64 = 50;
/// Ticks of the video track a second, and of the audio track.
const VIDEO_SCALE: u32 = 12_800;
const AUDIO_SCALE: u32 = 44_100;
/// Samples of sound in one AAC frame.
const AAC_FRAME: u32 = 1_024;

/// Where a sample lies, and what it is.
struct Place {
    video: bool,
    size: u32,
}

/// A movie: its head (everything but the payloads), and how long the whole file is.
pub struct Movie {
    /// ftyp, moov, and the head of mdat.
    pub head: Bytes,
    /// Bytes of the file.
    pub size: u64,
}

impl Movie {
    /// A movie of so many seconds and bits a second. Key frames stay below 64 KiB up to 4 Mbit/s,
    /// because rml_rtmp, asked for full headers, does not split a message right.
    pub fn new(seconds: u64, bits: u64) -> Self {
        let places = places(seconds, bits);
        let body: u64 = places.iter().map(|place| u64::from(place.size)).sum();
        let first = head(&places, 0, body).len();
        let head = head(&places, u32::try_from(first).expect("a short head"), body);
        Self {
            size: head.len() as u64 + body,
            head: head.into(),
        }
    }

    /// The whole file, its payloads filled with noise.
    pub fn bytes(&self) -> Bytes {
        let mut bytes = self.head.to_vec();
        let noise = |at: u64| (at.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8;
        bytes.extend((bytes.len() as u64..self.size).map(noise));
        bytes.into()
    }

    /// What a server has read when it builds the index.
    pub fn fetched(&self) -> Fetched {
        let mut fetched = Fetched::new(self.size);
        fetched.insert(0, self.head.clone());
        fetched
    }
}

/// Builds the index from what was read, which must be enough.
pub fn index(fetched: &Fetched, head: &[u8]) -> Index {
    let mut builder = IndexBuilder::new("a.mp4", head, fetched.size()).expect("an MP4");
    match builder.step(fetched) {
        Ok(Step::Done(index)) => index,
        other => panic!("the index needs more: {other:?}"),
    }
}

/// All samples in the order of the file.
fn places(seconds: u64, bits: u64) -> Vec<Place> {
    let sound = 370;
    let sounds = seconds * u64::from(AUDIO_SCALE) / u64::from(AAC_FRAME);
    let picture = (bits / 8 - 43 * u64::from(sound)) / RATE;
    let mut places = Vec::new();
    let mut heard = 0;
    for number in 0..seconds * RATE {
        // A key frame is three times as large as the others; those vary by a tenth.
        let other = picture * GOP / (GOP + 2);
        let size = match number % GOP {
            0 => other * 3,
            n => other - other / 20 + other * (n * 7 % 10) / 100,
        };
        places.push(Place {
            video: true,
            size: u32::try_from(size).expect("a picture"),
        });
        while heard < sounds
            && heard * u64::from(AAC_FRAME) * RATE < (number + 1) * u64::from(AUDIO_SCALE)
        {
            places.push(Place {
                video: false,
                size: sound + u32::try_from(heard % 8).expect("small"),
            });
            heard += 1;
        }
    }
    places
}

fn head(places: &[Place], start: u32, body: u64) -> Vec<u8> {
    let mut at = start;
    let mut video = (Vec::new(), Vec::new());
    let mut audio = (Vec::new(), Vec::new());
    for place in places {
        let (sizes, offsets) = if place.video { &mut video } else { &mut audio };
        sizes.push(place.size);
        offsets.push(at);
        at = at.wrapping_add(place.size);
    }
    let keys: Vec<u32> = (1..=video.0.len() as u32).step_by(GOP as usize).collect();
    let picture = VIDEO_SCALE / RATE as u32;
    let tables = [
        trak(
            1,
            b"vide",
            VIDEO_SCALE,
            picture,
            &picture_entry(),
            &video,
            &keys,
        ),
        trak(
            2,
            b"soun",
            AUDIO_SCALE,
            AAC_FRAME,
            &sound_entry(),
            &audio,
            &[],
        ),
    ];
    let mvhd = full(b"mvhd", &words(&[0, 0, 1_000, 0]));
    let moov = boxed(b"moov", &[mvhd, tables.concat()].concat());
    let mdat = u32::try_from(body + 8).expect("below 4 GiB").to_be_bytes();
    let ftyp = boxed(b"ftyp", b"isom\0\0\0\0");
    [&ftyp[..], &moov, &mdat, b"mdat"].concat()
}

fn trak(
    id: u32,
    handler: &[u8; 4],
    scale: u32,
    ticks: u32,
    entry: &[u8],
    (sizes, offsets): &(Vec<u32>, Vec<u32>),
    keys: &[u32],
) -> Vec<u8> {
    let count = sizes.len() as u32;
    let mut tables = vec![
        full(b"stsd", &[&words(&[1])[..], entry].concat()),
        full(b"stts", &words(&[1, count, ticks])),
        full(b"stsc", &words(&[1, 1, 1, 1])),
        full(b"stsz", &[words(&[0, count]), words(sizes)].concat()),
        full(b"stco", &[words(&[count]), words(offsets)].concat()),
    ];
    if !keys.is_empty() {
        let count = words(&[keys.len() as u32]);
        tables.push(full(b"stss", &[count, words(keys)].concat()));
    }
    let mdia = [
        full(b"mdhd", &words(&[0, 0, scale, count * ticks, 0])),
        full(b"hdlr", &[&[0; 4][..], handler, &[0; 13]].concat()),
        boxed(b"minf", &boxed(b"stbl", &tables.concat())),
    ];
    let tkhd = full(b"tkhd", &words(&[0, 0, id, 0, 0]));
    boxed(b"trak", &[tkhd, boxed(b"mdia", &mdia.concat())].concat())
}

fn picture_entry() -> Vec<u8> {
    let mut body = vec![0; 24];
    body.extend([2, 128, 1, 104]);
    body.resize(78, 0);
    body.extend(boxed(
        b"avcC",
        &[1, 100, 0, 30, 0xFF, 0xE1, 0, 2, 103, 100, 1, 0, 1, 104],
    ));
    boxed(b"avc1", &body)
}

fn sound_entry() -> Vec<u8> {
    let mut body = vec![0; 16];
    body.extend([0, 2]);
    body.resize(24, 0);
    body.extend((AUDIO_SCALE << 16).to_be_bytes());
    let config = [&[0x40, 0x15][..], &[0; 11], &[5, 2, 0x12, 0x10]].concat();
    let stream = [&[0, 1, 0, 4, config.len() as u8][..], &config].concat();
    body.extend(full(
        b"esds",
        &[&[3, stream.len() as u8][..], &stream].concat(),
    ));
    boxed(b"mp4a", &body)
}

fn boxed(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let size = u32::try_from(body.len() + 8).expect("a small box");
    [&size.to_be_bytes()[..], kind, body].concat()
}

fn full(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    boxed(kind, &[&[0; 4], body].concat())
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}
