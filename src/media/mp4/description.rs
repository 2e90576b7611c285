//! Sample descriptions: the stsd box, and which codec each of its entries means (ISO/IEC 14496-12
//! section 8.5.2, 14496-15 for avcC and hvcC; AV1, VP9, Opus, FLAC and AC-3 each in the document
//! that binds it to ISO files; QuickTime File Format for sound entries of version 1 and 2).
//!
//! Codec records are kept verbatim, with their place in the object: a change of description in
//! mid-track is sent as a codec head read from there.

use bytes::{BufMut, Bytes, BytesMut};

use super::boxes::{Atom, limit};
use super::descriptors::elementary;
use crate::media::codec::{AudioCodec, VideoCodec, printable};
use crate::media::{MediaError, Prefix};
use crate::units::ByteRange;
use crate::wire::{Reader, Truncated};

/// Most descriptions that one track may have. Files joined from many takes have a few dozen; each
/// costs some hundred bytes here for as little as eight in the file.
pub(super) const MAX_DESCRIPTIONS: usize = 256;

/// Length of a visual sample entry before its boxes.
const VISUAL_ENTRY: usize = 78;
/// Length of a STREAMINFO block.
const STREAMINFO: usize = 34;

/// One entry of an stsd box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Description {
    /// Video that can be sent.
    Video {
        /// The codec with its record.
        codec: VideoCodec,
        /// Pixels.
        width: u16,
        /// Pixels.
        height: u16,
        /// Where the record is in the object.
        record: ByteRange,
    },
    /// Audio that can be sent.
    Audio {
        /// The codec with its record.
        codec: AudioCodec,
        /// Samples a second.
        rate: u32,
        /// How many.
        channels: u32,
        /// Where the record is in the object; empty where the head is not a slice of the file.
        record: ByteRange,
    },
    /// What cannot be sent, and why.
    Unplayable(String),
}

impl Description {
    /// Whether samples of it can be sent.
    pub fn is_playable(&self) -> bool {
        !matches!(self, Self::Unplayable(_))
    }

    /// The whole tag body of its codec head.
    pub fn head(&self) -> Option<Bytes> {
        match self {
            Self::Video { codec, .. } => codec.head(),
            Self::Audio { codec, .. } => codec.head(),
            Self::Unplayable(_) => None,
        }
    }

    /// Its codec head as a prefix and a range of the object, where it is one.
    pub fn head_in_place(&self) -> Option<(Prefix, ByteRange)> {
        let (prefix, record) = match self {
            Self::Video { codec, record, .. } => (codec.head_prefix(), *record),
            Self::Audio { codec, record, .. } => (codec.head_prefix(), *record),
            Self::Unplayable(_) => (None, ByteRange::default()),
        };
        (!record.is_empty())
            .then_some(prefix?)
            .map(|prefix| (prefix, record))
    }

    /// What goes before an access unit of it.
    pub fn prefix(&self, sync: bool, composition_ms: i32) -> Prefix {
        match self {
            Self::Video { codec, .. } => codec.prefix(sync, composition_ms),
            Self::Audio { codec, .. } => codec.prefix(),
            Self::Unplayable(_) => Prefix::EMPTY,
        }
    }
}

/// Reads an stsd box of a track with handler `handler`.
pub(super) fn descriptions(stsd: &Atom, handler: [u8; 4]) -> Result<Vec<Description>, MediaError> {
    let (version, _, _) = stsd.full()?;
    let mut all = Vec::new();
    for entry in stsd.children(8) {
        if all.len() >= MAX_DESCRIPTIONS {
            return Err(limit(
                "sample descriptions of a track",
                super::boxes::length(MAX_DESCRIPTIONS),
            ));
        }
        all.push(match &handler {
            b"vide" => video(&entry),
            b"soun" => audio(&entry, version),
            _ => Description::Unplayable(printable(&entry.kind)),
        });
    }
    Ok(all)
}

fn video(entry: &Atom) -> Description {
    let mut reader = Reader::new(&entry.body);
    let size = reader
        .skip(24)
        .and_then(|()| Ok((reader.u16()?, reader.u16()?)));
    let Ok((width, height)) = size else {
        return unplayable(entry, "its sample entry is cut");
    };
    let wanted: &[u8; 4] = match &entry.kind {
        b"avc1" | b"avc3" => b"avcC",
        b"hvc1" | b"hev1" => b"hvcC",
        b"av01" => b"av1C",
        b"vp09" => b"vpcC",
        b"encv" => return unplayable(entry, "it is encrypted"),
        _ => return Description::Unplayable(printable(&entry.kind)),
    };
    let record = entry
        .children(VISUAL_ENTRY)
        .find(|child| child.kind == *wanted);
    let Some(record) = record.filter(|record| !record.body.is_empty()) else {
        return unplayable(entry, "it has no codec record");
    };
    let config = record.body.clone();
    Description::Video {
        codec: match wanted {
            b"avcC" => VideoCodec::Avc { config },
            b"hvcC" => VideoCodec::Hevc { config },
            b"av1C" => VideoCodec::Av1 { config },
            // The record with version and flags of its box: so does FFmpeg 8 write it.
            _ => VideoCodec::Vp9 { config },
        },
        width,
        height,
        record: record.body_range(),
    }
}

/// What stands before the boxes of a sound sample entry.
struct SoundEntry {
    channels: u32,
    rate: u32,
    /// Where the boxes begin in the body.
    boxes: usize,
}

/// `stsd_version` 0 with an entry of version 1 or 2 is QuickTime's longer form.
fn sound_entry(body: &[u8], stsd_version: u8) -> Result<SoundEntry, Truncated> {
    let mut reader = Reader::new(body);
    reader.skip(8)?;
    let version = reader.u16()?;
    reader.skip(6)?;
    let mut channels = u32::from(reader.u16()?);
    reader.skip(6)?;
    let mut rate = reader.u32()? >> 16;
    match (stsd_version, version) {
        (0, 1) => reader.skip(16)?,
        (0, 2) => {
            reader.skip(4)?;
            rate = whole_rate(reader.f64()?);
            channels = reader.u32()?;
            reader.skip(20)?;
        }
        _ => {}
    }
    Ok(SoundEntry {
        channels,
        rate,
        boxes: reader.position(),
    })
}

/// A sample rate that is written as a float, as a whole number; 0 where it makes no sense.
fn whole_rate(rate: f64) -> u32 {
    // The range makes the cast exact.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let whole = |rate: f64| rate as u32;
    if (1.0..=10_000_000.0).contains(&rate) {
        whole(rate.round())
    } else {
        0
    }
}

fn audio(entry: &Atom, stsd_version: u8) -> Description {
    let Ok(sound) = sound_entry(&entry.body, stsd_version) else {
        return unplayable(entry, "its sample entry is cut");
    };
    let described = match &entry.kind {
        b"mp4a" => find(entry, &sound, b"esds")
            .map_or(Err("it has no esds box"), |esds| mpeg4(&esds, &sound)),
        b".mp3" | b"mp3 " | b"ms\0U" => Ok((mp3(&sound), ByteRange::default())),
        b"Opus" => find(entry, &sound, b"dOps")
            .and_then(|record| opus_head(&record.body))
            .map(|config| (AudioCodec::Opus { config }, ByteRange::default()))
            .ok_or("its dOps box is missing or cut"),
        b"fLaC" => find(entry, &sound, b"dfLa")
            .and_then(|record| flac(&record))
            .ok_or("its dfLa box is missing or cut"),
        b"ac-3" => Ok((AudioCodec::Ac3, ByteRange::default())),
        b"ec-3" => Ok((AudioCodec::Eac3, ByteRange::default())),
        b"enca" => Err("it is encrypted"),
        _ => return Description::Unplayable(printable(&entry.kind)),
    };
    match described {
        Ok((codec, record)) => Description::Audio {
            rate: match codec {
                // Opus always decodes to this, whatever the entry says of the recording.
                AudioCodec::Opus { .. } => 48_000,
                _ => sound.rate,
            },
            channels: sound.channels,
            codec,
            record,
        },
        Err(why) => unplayable(entry, why),
    }
}

/// A box of the entry, or of the `wave` box that QuickTime wraps around it.
fn find(entry: &Atom, sound: &SoundEntry, kind: &[u8; 4]) -> Option<Atom> {
    let boxes = || entry.children(sound.boxes);
    boxes()
        .find(|child| child.kind == *kind)
        .or_else(|| boxes().find(|child| child.kind == *b"wave")?.child(kind))
}

fn mpeg4(esds: &Atom, sound: &SoundEntry) -> Result<(AudioCodec, ByteRange), &'static str> {
    let parsed = elementary(&esds.body).map_err(|_| "its esds box is cut")?;
    match parsed.object_type {
        0x40 | 0x66..=0x68 => {
            let config = esds.body.get(parsed.specific.clone()).unwrap_or_default();
            if config.is_empty() {
                return Err("it has no AudioSpecificConfig");
            }
            let record = ByteRange::new(
                esds.position(parsed.specific.start),
                esds.position(parsed.specific.end),
            );
            let config = esds.body.slice_ref(config);
            Ok((AudioCodec::Aac { config }, record))
        }
        0x69 | 0x6B => Ok((mp3(sound), ByteRange::default())),
        _ => Err("its object type is neither AAC nor MP3"),
    }
}

fn mp3(sound: &SoundEntry) -> AudioCodec {
    AudioCodec::Mp3 {
        rate: sound.rate,
        channels: if sound.channels == 1 { 1 } else { 2 },
    }
}

/// The OpusHead of RFC 7845 section 5.1, little-endian, from the big-endian body of a dOps box
/// (Opus in ISO Base Media File Format, section 4.3.2).
fn opus_head(body: &[u8]) -> Option<Bytes> {
    let mut reader = Reader::new(body);
    reader.skip(1).ok()?;
    let channels = reader.u8().ok()?;
    let (skip, rate, gain) = (reader.u16().ok()?, reader.u32().ok()?, reader.i16().ok()?);
    let family = reader.u8().ok()?;
    let mut head = BytesMut::new();
    head.put_slice(b"OpusHead\x01");
    head.put_u8(channels);
    head.put_u16_le(skip);
    head.put_u32_le(rate);
    head.put_i16_le(gain);
    head.put_u8(family);
    if family != 0 {
        // Stream count, coupled count, and a mapping for each channel.
        let mapping = usize::from(channels).saturating_add(2);
        head.put_slice(reader.take(mapping).ok()?);
    }
    Some(head.freeze())
}

/// STREAMINFO, which must be the first metadata block (FLAC in ISO Base Media File Format, 3.3.2).
fn flac(record: &Atom) -> Option<(AudioCodec, ByteRange)> {
    let (_, _, mut reader) = record.full().ok()?;
    let block_type = reader.u8().ok()? & 0x7F;
    reader.skip(3).ok()?;
    let start = reader.position();
    let info = reader.take(STREAMINFO).ok()?;
    let range = ByteRange::new(record.position(start), record.position(reader.position()));
    let config = record.body.slice_ref(info);
    (block_type == 0).then_some((AudioCodec::Flac { config }, range))
}

fn unplayable(entry: &Atom, why: &str) -> Description {
    Description::Unplayable(format!("{} ({why})", printable(&entry.kind)))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{boxed, esds, full, sound_entry, visual_entry};
    use super::*;

    fn read(handler: &[u8; 4], entries: &[Vec<u8>]) -> Vec<Description> {
        let mut body = vec![0; 8];
        entries
            .iter()
            .for_each(|entry| body.extend_from_slice(entry));
        let stsd = Atom {
            kind: *b"stsd",
            body_at: 1000,
            body: body.into(),
        };
        descriptions(&stsd, *handler).unwrap()
    }

    #[test]
    fn video_records_are_verbatim_and_know_their_place() {
        let all = read(
            b"vide",
            &[
                visual_entry(b"avc1", 320, 180, &boxed(b"avcC", b"\x01abc")),
                visual_entry(
                    b"hev1",
                    64,
                    48,
                    &[boxed(b"fiel", b"ab"), boxed(b"hvcC", b"h")].concat(),
                ),
                visual_entry(b"vp09", 64, 48, &full(b"vpcC", 1, 0, b"v")),
            ],
        );
        // 8 (stsd head) + 8 + 78 + 8.
        let record = ByteRange::at(1000 + 8 + 8 + 78 + 8, 4);
        assert_eq!(
            all[0],
            Description::Video {
                codec: VideoCodec::Avc {
                    config: Bytes::from_static(b"\x01abc")
                },
                width: 320,
                height: 180,
                record,
            }
        );
        let (prefix, range) = all[0].head_in_place().unwrap();
        assert_eq!(
            (prefix.as_slice(), range),
            (&[0x17, 0, 0, 0, 0][..], record)
        );
        assert_eq!(&all[1].head().unwrap()[..], b"\x90hvc1h");
        assert_eq!(&all[2].head().unwrap()[..], b"\x90vp09\x01\0\0\0v");
    }

    #[test]
    fn what_cannot_be_sent_says_why() {
        let all = read(
            b"vide",
            &[
                visual_entry(b"encv", 1, 1, b""),
                visual_entry(b"avc1", 1, 1, b""),
                boxed(b"jpeg", b"ab"),
            ],
        );
        let why = |text: &str| Description::Unplayable(text.to_owned());
        assert_eq!(all[0], why("encv (it is encrypted)"));
        assert_eq!(all[1], why("avc1 (it has no codec record)"));
        assert_eq!(all[2], why("jpeg (its sample entry is cut)"));
    }

    #[test]
    fn aac_in_plain_and_in_quicktime_entries() {
        let esds = esds(0x40, &[0x12, 0x10]);
        let wave = boxed(b"wave", &[boxed(b"frma", b"mp4a"), esds.clone()].concat());
        let mut v2 = 48_000f64.to_be_bytes().to_vec();
        v2.extend_from_slice(&6u32.to_be_bytes());
        let v2 = [&[0; 4][..], &v2, &[0; 20], &wave].concat();
        let all = read(
            b"soun",
            &[
                sound_entry(b"mp4a", 0, 2, 44_100, &esds),
                sound_entry(b"mp4a", 1, 2, 44_100, &[&[0; 16][..], &wave].concat()),
                sound_entry(b"mp4a", 2, 3, 1, &v2),
            ],
        );
        let want = AudioCodec::Aac {
            config: Bytes::from_static(&[0x12, 0x10]),
        };
        for (description, expected) in all.iter().zip([(44_100, 2), (44_100, 2), (48_000, 6)]) {
            let Description::Audio {
                codec,
                rate,
                channels,
                record,
            } = description
            else {
                panic!("{description:?}");
            };
            assert_eq!((codec, (*rate, *channels)), (&want, expected));
            assert_eq!(record.len(), 2);
        }
    }

    #[test]
    fn mp3_opus_flac_and_dolby() {
        let dops = b"\0\x02\x01\x38\0\0\xbb\x80\xff\xfe\0";
        let info: Vec<u8> = (0..34).collect();
        let dfla = full(b"dfLa", 0, 0, &[&[0x80, 0, 0, 34][..], &info].concat());
        let all = read(
            b"soun",
            &[
                sound_entry(b"mp4a", 0, 1, 22_050, &esds(0x6B, &[])),
                sound_entry(b"Opus", 0, 2, 44_100, &boxed(b"dOps", dops)),
                sound_entry(b"fLaC", 0, 2, 44_100, &dfla),
                sound_entry(b"ec-3", 0, 2, 48_000, b""),
                sound_entry(b"mp4a", 0, 2, 48_000, &esds(0xA9, &[])),
            ],
        );
        assert!(matches!(
            all[0],
            Description::Audio {
                codec: AudioCodec::Mp3 {
                    rate: 22_050,
                    channels: 1
                },
                ..
            }
        ));
        assert_eq!(
            &all[1].head().unwrap()[..],
            b"\x90OpusOpusHead\x01\x02\x38\x01\x80\xbb\0\0\xfe\xff\0"
        );
        assert!(matches!(all[1], Description::Audio { rate: 48_000, .. }));
        assert_eq!(all[2].head().unwrap()[5..], info);
        assert_eq!(all[2].head_in_place().unwrap().1.len(), 34);
        assert_eq!((all[3].is_playable(), all[3].head()), (true, None));
        assert!(!all[4].is_playable());
    }
}
