//! Codecs and their heads, and the FLV tag bytes that announce them: classic tags (Adobe, Video
//! File Format Specification 10.1, annex E.4) and Enhanced RTMP tags (veovera, enhanced-rtmp v2).
//!
//! A tag body is a *prefix* (at most 8 bytes) and the access unit as the container holds it, so
//! nothing of the payload is rewritten. Codec records go out verbatim. Every body of a head was
//! compared with what FFmpeg 8.0 writes for the same file, and read back by it.

use std::borrow::Cow;

use bytes::Bytes;

use super::Prefix;

/// A video codec, with what its sequence header holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VideoCodec {
    /// H.264. `config`: AVCDecoderConfigurationRecord (the body of an avcC box).
    Avc {
        /// See above.
        config: Bytes,
    },
    /// H.265, sent as Enhanced RTMP `hvc1`. `config`: HEVCDecoderConfigurationRecord (hvcC).
    Hevc {
        /// See above.
        config: Bytes,
    },
    /// AV1, `av01`. `config`: AV1CodecConfigurationRecord (av1C).
    Av1 {
        /// See above.
        config: Bytes,
    },
    /// VP9, `vp09`. `config`: VPCodecConfigurationRecord, with the version and flags of the vpcC box.
    Vp9 {
        /// See above.
        config: Bytes,
    },
    /// A codec of the classic FLV table that passes through untouched, by its codec id (2 Sorenson
    /// H.263, 3 screen video, 4 VP6, 5 VP6 with alpha, 6 screen video 2, and ids beyond the table).
    Classic(u8),
    /// An Enhanced RTMP codec in an FLV file that passes through untouched, by its FourCC.
    Enhanced([u8; 4]),
}

/// An audio codec, with what its sequence header holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AudioCodec {
    /// AAC. `config`: AudioSpecificConfig.
    Aac {
        /// See above.
        config: Bytes,
    },
    /// MPEG audio layer III (and II), one frame a message; no sequence header.
    Mp3 {
        /// Samples a second.
        rate: u32,
        /// 1 or 2.
        channels: u8,
    },
    /// Opus, Enhanced RTMP `Opus`. `config`: the OpusHead of RFC 7845.
    Opus {
        /// See above.
        config: Bytes,
    },
    /// FLAC, `fLaC`. `config`: the 34 bytes of STREAMINFO, without `fLaC` marker and block header.
    /// Enhanced RTMP can be read as asking for both; FFmpeg 8 writes neither, decodes either form,
    /// and can remux only this one into MP4.
    Flac {
        /// See above.
        config: Bytes,
    },
    /// AC-3, `ac-3`; no sequence header.
    Ac3,
    /// Enhanced AC-3, `ec-3`; no sequence header.
    Eac3,
    /// A codec of the classic FLV table that passes through untouched, by its sound format.
    Classic(u8),
    /// An Enhanced RTMP codec in an FLV file that passes through untouched, by its FourCC.
    Enhanced([u8; 4]),
}

/// Video packet types of Enhanced RTMP: sequence start, coded frames, coded frames whose
/// composition time is 0.
const SEQUENCE_START: u8 = 0;
const CODED_FRAMES: u8 = 1;
const CODED_FRAMES_X: u8 = 3;

/// First byte of an Enhanced RTMP video tag: IsExHeader and the frame type (1 key, 2 inter).
const EX_KEY: u8 = 0x90;
const EX_INTER: u8 = 0xA0;
/// First byte of an Enhanced RTMP audio tag: sound format 9.
const EX_AUDIO: u8 = 0x90;

impl VideoCodec {
    /// The body of the message that carries the sequence header, or `None` where the codec has
    /// none (or it comes as a tag of its own, in FLV).
    pub fn head(&self) -> Option<Bytes> {
        let config = match self {
            Self::Avc { config }
            | Self::Hevc { config }
            | Self::Av1 { config }
            | Self::Vp9 { config } => config,
            Self::Classic(_) | Self::Enhanced(_) => return None,
        };
        Some(joined(&self.head_prefix()?, config))
    }

    /// What goes before the codec record to make [`VideoCodec::head`].
    pub fn head_prefix(&self) -> Option<Prefix> {
        match self {
            Self::Avc { .. } => Some(Prefix::new(&[0x17, 0, 0, 0, 0])),
            Self::Hevc { .. } | Self::Av1 { .. } | Self::Vp9 { .. } => {
                Some(enhanced(EX_KEY | SEQUENCE_START, self.fourcc()?))
            }
            Self::Classic(_) | Self::Enhanced(_) => None,
        }
    }

    /// What goes before an access unit to make a tag body. `composition_ms` is presentation minus
    /// decoding time, milliseconds; it is clamped to the signed 24 bits that a tag has for it, and
    /// left out for codecs that have no such field (AV1, VP9).
    pub fn prefix(&self, sync: bool, composition_ms: i32) -> Prefix {
        let ex = if sync { EX_KEY } else { EX_INTER };
        let [a, b, c] = signed_24(composition_ms);
        match self {
            Self::Avc { .. } => Prefix::new(&[if sync { 0x17 } else { 0x27 }, 1, a, b, c]),
            Self::Hevc { .. } if composition_ms == 0 => enhanced(ex | CODED_FRAMES_X, *b"hvc1"),
            Self::Hevc { .. } => {
                let [f, g, h, i] = *b"hvc1";
                Prefix::new(&[ex | CODED_FRAMES, f, g, h, i, a, b, c])
            }
            Self::Av1 { .. } => enhanced(ex | CODED_FRAMES, *b"av01"),
            Self::Vp9 { .. } => enhanced(ex | CODED_FRAMES, *b"vp09"),
            Self::Classic(_) | Self::Enhanced(_) => Prefix::EMPTY,
        }
    }

    /// The FourCC by which Enhanced RTMP and its `fourCcList` know the codec.
    pub fn fourcc(&self) -> Option<[u8; 4]> {
        match self {
            Self::Avc { .. } => Some(*b"avc1"),
            Self::Hevc { .. } => Some(*b"hvc1"),
            Self::Av1 { .. } => Some(*b"av01"),
            Self::Vp9 { .. } => Some(*b"vp09"),
            Self::Enhanced(fourcc) => Some(*fourcc),
            Self::Classic(_) => None,
        }
    }

    /// Whether it is sent as a tag of the classic FLV table, which every player knows.
    pub fn is_classic(&self) -> bool {
        matches!(self, Self::Avc { .. } | Self::Classic(_))
    }

    /// Its name for logs.
    pub fn name(&self) -> Cow<'static, str> {
        match self {
            Self::Avc { .. } => "H.264".into(),
            Self::Hevc { .. } => "H.265".into(),
            Self::Av1 { .. } => "AV1".into(),
            Self::Vp9 { .. } => "VP9".into(),
            Self::Classic(2) => "Sorenson H.263".into(),
            Self::Classic(3) => "Screen video".into(),
            Self::Classic(4) => "VP6".into(),
            Self::Classic(5) => "VP6 with alpha".into(),
            Self::Classic(6) => "Screen video 2".into(),
            Self::Classic(id) => format!("FLV video codec {id}").into(),
            Self::Enhanced(fourcc) => printable(fourcc).into(),
        }
    }

    /// The `videocodecid` property of onMetaData: the id of the FLV table, or, beyond it, the
    /// FourCC as a number (as FFmpeg 8 writes it).
    pub fn classic_id(&self) -> f64 {
        match self {
            Self::Avc { .. } => 7.0,
            Self::Classic(id) => f64::from(*id),
            _ => self.fourcc().map_or(0.0, fourcc_number),
        }
    }
}

impl AudioCodec {
    /// The body of the message that carries the sequence header, or `None` where the codec has
    /// none (or it comes as a tag of its own, in FLV). AC-3 and E-AC-3 have none: FFmpeg 8 writes
    /// an empty one and plays without it.
    pub fn head(&self) -> Option<Bytes> {
        match self {
            Self::Aac { config } | Self::Opus { config } | Self::Flac { config } => {
                Some(joined(&self.head_prefix()?, config))
            }
            _ => None,
        }
    }

    /// What goes before the codec record to make [`AudioCodec::head`].
    pub fn head_prefix(&self) -> Option<Prefix> {
        match self {
            Self::Aac { .. } => Some(Prefix::new(&[0xAF, 0])),
            Self::Opus { .. } | Self::Flac { .. } => {
                Some(enhanced(EX_AUDIO | SEQUENCE_START, self.fourcc()?))
            }
            _ => None,
        }
    }

    /// What goes before an access unit to make a tag body.
    pub fn prefix(&self) -> Prefix {
        match self {
            Self::Aac { .. } => Prefix::new(&[0xAF, 1]),
            Self::Mp3 { rate, channels } => Prefix::new(&[mp3_flags(*rate, *channels)]),
            Self::Opus { .. } => enhanced(EX_AUDIO | CODED_FRAMES, *b"Opus"),
            Self::Flac { .. } => enhanced(EX_AUDIO | CODED_FRAMES, *b"fLaC"),
            Self::Ac3 => enhanced(EX_AUDIO | CODED_FRAMES, *b"ac-3"),
            Self::Eac3 => enhanced(EX_AUDIO | CODED_FRAMES, *b"ec-3"),
            Self::Classic(_) | Self::Enhanced(_) => Prefix::EMPTY,
        }
    }

    /// The FourCC by which Enhanced RTMP and its `fourCcList` know the codec.
    pub fn fourcc(&self) -> Option<[u8; 4]> {
        match self {
            Self::Aac { .. } => Some(*b"mp4a"),
            Self::Mp3 { .. } => Some(*b".mp3"),
            Self::Opus { .. } => Some(*b"Opus"),
            Self::Flac { .. } => Some(*b"fLaC"),
            Self::Ac3 => Some(*b"ac-3"),
            Self::Eac3 => Some(*b"ec-3"),
            Self::Enhanced(fourcc) => Some(*fourcc),
            Self::Classic(_) => None,
        }
    }

    /// Whether it is sent as a tag of the classic FLV table, which every player knows.
    pub fn is_classic(&self) -> bool {
        matches!(self, Self::Aac { .. } | Self::Mp3 { .. } | Self::Classic(_))
    }

    /// Its name for logs.
    pub fn name(&self) -> Cow<'static, str> {
        match self {
            Self::Aac { .. } => "AAC".into(),
            Self::Mp3 { .. } => "MP3".into(),
            Self::Opus { .. } => "Opus".into(),
            Self::Flac { .. } => "FLAC".into(),
            Self::Ac3 => "AC-3".into(),
            Self::Eac3 => "E-AC-3".into(),
            Self::Classic(0 | 3) => "PCM".into(),
            Self::Classic(1) => "ADPCM".into(),
            Self::Classic(4..=6) => "Nellymoser".into(),
            Self::Classic(7 | 8) => "G.711".into(),
            Self::Classic(11) => "Speex".into(),
            Self::Classic(id) => format!("FLV sound format {id}").into(),
            Self::Enhanced(fourcc) => printable(fourcc).into(),
        }
    }

    /// The `audiocodecid` property of onMetaData: the sound format of the FLV table, or, beyond
    /// it, the FourCC as a number (as FFmpeg 8 writes it).
    pub fn classic_id(&self) -> f64 {
        match self {
            Self::Aac { .. } => 10.0,
            Self::Mp3 { .. } => 2.0,
            Self::Classic(id) => f64::from(*id),
            _ => self.fourcc().map_or(0.0, fourcc_number),
        }
    }
}

/// Sound format 2 with the FLV rate nearest to the true one (decoders read the frame itself).
/// Format 14, "MP3 8 kHz", is not used: FFmpeg does not know it, and plays 8 kHz sent as format 2.
fn mp3_flags(rate: u32, channels: u8) -> u8 {
    let index = match rate {
        0..=8_268 => 0u8,
        8_269..=16_537 => 1,
        16_538..=27_562 => 2,
        _ => 3,
    };
    0x22 | (index << 2) | u8::from(channels > 1)
}

fn enhanced(first: u8, fourcc: [u8; 4]) -> Prefix {
    let [a, b, c, d] = fourcc;
    Prefix::new(&[first, a, b, c, d])
}

fn joined(prefix: &Prefix, config: &[u8]) -> Bytes {
    [prefix.as_slice(), config].concat().into()
}

/// The low 24 bits of `value`, clamped to what 24 signed bits can hold.
fn signed_24(value: i32) -> [u8; 3] {
    let [_, a, b, c] = value.clamp(-0x80_0000, 0x7F_FFFF).to_be_bytes();
    [a, b, c]
}

fn fourcc_number(fourcc: [u8; 4]) -> f64 {
    f64::from(u32::from_be_bytes(fourcc))
}

/// A FourCC as text, whatever its bytes are.
pub(crate) fn printable(fourcc: &[u8; 4]) -> String {
    fourcc.escape_ascii().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: Bytes = Bytes::from_static(&[1, 2, 3]);

    fn avc() -> VideoCodec {
        VideoCodec::Avc { config: CONFIG }
    }

    #[test]
    fn heads_carry_the_record_behind_the_announcing_bytes() {
        let hevc = VideoCodec::Hevc { config: CONFIG };
        let opus = AudioCodec::Opus { config: CONFIG };
        let aac = AudioCodec::Aac { config: CONFIG };
        assert_eq!(&avc().head().unwrap()[..], [0x17, 0, 0, 0, 0, 1, 2, 3]);
        assert_eq!(&hevc.head().unwrap()[..], b"\x90hvc1\x01\x02\x03");
        assert_eq!(&aac.head().unwrap()[..], [0xAF, 0, 1, 2, 3]);
        assert_eq!(&opus.head().unwrap()[..], b"\x90Opus\x01\x02\x03");
        assert_eq!(AudioCodec::Ac3.head(), None);
        assert_eq!(VideoCodec::Classic(4).head(), None);
    }

    #[test]
    fn composition_times_are_24_bits_signed_and_clamped() {
        assert_eq!(avc().prefix(true, 80).as_slice(), [0x17, 1, 0, 0, 80]);
        assert_eq!(
            avc().prefix(false, -1).as_slice(),
            [0x27, 1, 0xFF, 0xFF, 0xFF]
        );
        assert_eq!(
            avc().prefix(false, i32::MAX).as_slice(),
            [0x27, 1, 0x7F, 0xFF, 0xFF]
        );
        assert_eq!(
            avc().prefix(false, i32::MIN).as_slice(),
            [0x27, 1, 0x80, 0, 0]
        );
    }

    #[test]
    fn only_hevc_has_a_composition_time_among_the_enhanced() {
        let hevc = VideoCodec::Hevc { config: CONFIG };
        let av1 = VideoCodec::Av1 { config: CONFIG };
        let vp9 = VideoCodec::Vp9 { config: CONFIG };
        assert_eq!(hevc.prefix(true, 0x43).as_slice(), b"\x91hvc1\x00\x00\x43");
        assert_eq!(hevc.prefix(false, 0).as_slice(), b"\xa3hvc1");
        assert_eq!(av1.prefix(true, 40).as_slice(), b"\x91av01");
        assert_eq!(vp9.prefix(false, 40).as_slice(), b"\xa1vp09");
    }

    #[test]
    fn mp3_flags_name_the_nearest_rate_and_the_channels() {
        let flags = |rate, channels| AudioCodec::Mp3 { rate, channels }.prefix().as_slice()[0];
        assert_eq!(flags(44_100, 2), 0x2F);
        assert_eq!(flags(48_000, 1), 0x2E);
        assert_eq!(flags(24_000, 2), 0x2B);
        assert_eq!(flags(11_025, 1), 0x26);
        assert_eq!(flags(8_000, 1), 0x22);
    }

    #[test]
    fn ids_beyond_the_classic_table_are_fourccs_as_numbers() {
        assert!((VideoCodec::Hevc { config: CONFIG }.classic_id() - 1_752_589_105.0).abs() < 0.5);
        assert!((avc().classic_id() - 7.0).abs() < 0.1);
        assert!(
            (AudioCodec::Mp3 {
                rate: 8000,
                channels: 1
            }
            .classic_id()
                - 2.0)
                .abs()
                < 0.1
        );
        assert!(!AudioCodec::Eac3.is_classic() && avc().is_classic());
        assert_eq!(VideoCodec::Enhanced(*b"vvc1").name(), "vvc1");
    }
}
