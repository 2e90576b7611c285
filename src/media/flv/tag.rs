//! One FLV tag: its 11-byte head (annex E.4.1) and what the first bytes of its body tell (E.4.2.1,
//! E.4.3.1; Enhanced RTMP v2, "Enhanced Audio" and "Enhanced Video").

use crate::media::Kind;
use crate::units::Millis;
use crate::wire::{Reader, Truncated};

/// Length of a tag head, bytes.
pub(super) const HEAD: u64 = 11;
/// The same, to index with.
pub(super) const HEAD_LEN: usize = 11;
/// Length of the field behind each tag that repeats its size (PreviousTagSize), bytes.
pub(super) const TRAILER: u64 = 4;
/// How much of a body is looked at to tell what it is, bytes: enough for an Enhanced RTMP tag with
/// one ModEx part, and for the frame head of MPEG audio.
pub(super) const LEAD: u64 = 16;

/// The head of a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TagHead {
    /// What it carries, or `None` for a type that does not exist.
    pub(super) kind: Option<Kind>,
    /// Whether the body is encrypted (the filter bit).
    pub(super) filtered: bool,
    /// Length of the body, bytes.
    pub(super) size: u64,
    /// Timestamp.
    pub(super) millis: Millis,
    /// Whether every field has a value that the specification allows.
    pub(super) sane: bool,
}

impl TagHead {
    /// Reads a head.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Truncated> {
        let mut reader = Reader::new(bytes);
        let first = reader.u8()?;
        let kind = match first & 0x1f {
            8 => Some(Kind::Audio),
            9 => Some(Kind::Video),
            18 => Some(Kind::Data),
            _ => None,
        };
        let size = u64::from(reader.u24()?);
        let low = reader.u24()?;
        let high = u32::from(reader.u8()?);
        let stream = reader.u24()?;
        Ok(Self {
            kind,
            filtered: first & 0x20 != 0,
            size,
            millis: Millis(low | high << 24),
            sane: kind.is_some() && first & 0xc0 == 0 && stream == 0,
        })
    }

    /// What PreviousTagSize behind this tag should say.
    pub(super) const fn whole(&self) -> u64 {
        HEAD.saturating_add(self.size)
    }
}

/// A codec as a tag names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CodecId {
    /// A codec id or sound format of the classic table.
    Classic(u8),
    /// The FourCC of an Enhanced RTMP tag.
    Enhanced([u8; 4]),
}

/// What part a tag plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// A codec head (sequence header).
    Head,
    /// Media: a frame.
    Media,
    /// Anything else: end of sequence, command frame, HDR metadata, channel layout.
    Other,
}

/// What the first bytes of a body tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lead {
    /// The codec; `None` where the tag does not say (a command frame, several tracks).
    pub(super) codec: Option<CodecId>,
    /// The part the tag plays.
    pub(super) role: Role,
    /// Whether it is marked as a key frame; always true for audio.
    pub(super) key: bool,
}

const OTHER: Lead = Lead {
    codec: None,
    role: Role::Other,
    key: false,
};

impl Lead {
    /// What a body that begins with these bytes is.
    pub(super) fn of(kind: Kind, body: &[u8]) -> Self {
        match kind {
            Kind::Video => video(body).unwrap_or(OTHER),
            Kind::Audio => audio(body).unwrap_or(OTHER),
            Kind::Data => OTHER,
        }
    }
}

/// Frame type 1 is a key frame, 5 a command or information frame without media.
const KEY: u8 = 1;
const COMMAND: u8 = 5;

fn video(body: &[u8]) -> Result<Lead, Truncated> {
    let mut reader = Reader::new(body);
    let first = reader.u8()?;
    let frame = first >> 4 & 7;
    let key = frame == KEY;
    if first & 0x80 != 0 {
        return enhanced(&mut reader, first & 0x0f, Some(frame));
    }
    if frame == COMMAND {
        return Ok(OTHER);
    }
    let codec = first & 0x0f;
    // H.264 (7) has a packet type; so have HEVC and AV1 in the ids that were in use before
    // Enhanced RTMP (12, 13).
    let role = match codec {
        7 | 12 | 13 => match reader.u8()? {
            0 => Role::Head,
            1 => Role::Media,
            _ => Role::Other,
        },
        _ => Role::Media,
    };
    Ok(Lead {
        codec: Some(CodecId::Classic(codec)),
        role,
        key,
    })
}

fn audio(body: &[u8]) -> Result<Lead, Truncated> {
    let mut reader = Reader::new(body);
    let first = reader.u8()?;
    let format = first >> 4;
    if format == 9 {
        return enhanced(&mut reader, first & 0x0f, None);
    }
    // Only AAC (10) has a packet type; 0 is the sequence header.
    let head = format == 10 && reader.peek() == Some(0);
    Ok(Lead {
        codec: Some(CodecId::Classic(format)),
        role: if head { Role::Head } else { Role::Media },
        key: true,
    })
}

/// The rest of an Enhanced RTMP body after its first byte. `frame` is the video frame type.
///
/// The sequence start of several tracks in one tag (multitrack) is not a codec head here: a head
/// stands for the one track of its kind, and such a tag passes like media.
fn enhanced(reader: &mut Reader<'_>, packet: u8, frame: Option<u8>) -> Result<Lead, Truncated> {
    let key = frame.is_none_or(|frame| frame == KEY);
    let packet = skip_modifiers(reader, packet)?;
    let several = packet == if frame.is_some() { 6 } else { 5 };
    if frame == Some(COMMAND) && packet != 4 {
        return Ok(OTHER);
    }
    if several {
        let inner = reader.u8()? & 0x0f;
        return Ok(Lead {
            codec: None,
            role: if is_frames(inner, frame) {
                Role::Media
            } else {
                Role::Other
            },
            key,
        });
    }
    let role = match packet {
        0 => Role::Head,
        packet if is_frames(packet, frame) => Role::Media,
        _ => Role::Other,
    };
    Ok(Lead {
        codec: Some(CodecId::Enhanced(reader.array()?)),
        role,
        key,
    })
}

/// Whether a packet type is coded frames: 1, and for video 3 (without composition time) too.
const fn is_frames(packet: u8, frame: Option<u8>) -> bool {
    packet == 1 || (packet == 3 && frame.is_some())
}

/// Passes over ModEx parts (packet type 7), each of which names the packet type that follows it.
fn skip_modifiers(reader: &mut Reader<'_>, mut packet: u8) -> Result<u8, Truncated> {
    while packet == 7 {
        let mut size = usize::from(reader.u8()?).saturating_add(1);
        if size == 256 {
            size = usize::from(reader.u16()?).saturating_add(1);
        }
        reader.skip(size)?;
        packet = reader.u8()? & 0x0f;
    }
    Ok(packet)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_head_has_its_high_time_byte_last() {
        let head = TagHead::parse(&[9, 0, 1, 2, 0x11, 0x22, 0x33, 0x44, 0, 0, 0]).unwrap();
        assert_eq!(head.kind, Some(Kind::Video));
        assert_eq!(head.size, 0x0102);
        assert_eq!(head.millis, Millis(0x4411_2233));
        assert_eq!(head.whole(), 0x0102 + 11);
        assert!(head.sane && !head.filtered);
    }

    #[test]
    fn heads_that_no_file_should_hold_are_told() {
        let sane = |bytes: [u8; 11]| TagHead::parse(&bytes).unwrap().sane;
        assert!(sane([18, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]));
        assert!(
            sane([0x28, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]),
            "encrypted audio"
        );
        assert!(!sane([10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]), "no such type");
        assert!(!sane([0x49, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]), "reserved bit");
        assert!(!sane([9, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1]), "stream id");
    }

    fn lead(kind: Kind, body: &[u8]) -> (Option<CodecId>, Role, bool) {
        let lead = Lead::of(kind, body);
        (lead.codec, lead.role, lead.key)
    }

    #[test]
    fn classic_video() {
        let avc = Some(CodecId::Classic(7));
        let video = |body: &[u8]| lead(Kind::Video, body);
        assert_eq!(video(&[0x17, 0]), (avc, Role::Head, true));
        assert_eq!(video(&[0x17, 1]), (avc, Role::Media, true));
        assert_eq!(video(&[0x27, 1]), (avc, Role::Media, false));
        assert_eq!(
            video(&[0x17, 2]),
            (avc, Role::Other, true),
            "end of sequence"
        );
        assert_eq!(
            video(&[0x12]),
            (Some(CodecId::Classic(2)), Role::Media, true)
        );
        assert_eq!(
            video(&[0x32]),
            (Some(CodecId::Classic(2)), Role::Media, false)
        );
        assert_eq!(video(&[0x57, 0]), (None, Role::Other, false), "command");
        assert_eq!(video(&[0x17]), (None, Role::Other, false), "cut short");
    }

    #[test]
    fn classic_audio() {
        let audio = |body: &[u8]| lead(Kind::Audio, body);
        assert_eq!(
            audio(&[0xaf, 0]),
            (Some(CodecId::Classic(10)), Role::Head, true)
        );
        assert_eq!(
            audio(&[0xaf, 1]),
            (Some(CodecId::Classic(10)), Role::Media, true)
        );
        assert_eq!(
            audio(&[0x2f, 0]),
            (Some(CodecId::Classic(2)), Role::Media, true)
        );
        assert_eq!(
            audio(&[0xb2]),
            (Some(CodecId::Classic(11)), Role::Media, true)
        );
    }

    #[test]
    fn enhanced_tags() {
        let hevc = Some(CodecId::Enhanced(*b"hvc1"));
        let video = |body: &[u8]| lead(Kind::Video, body);
        assert_eq!(video(b"\x90hvc1"), (hevc, Role::Head, true));
        assert_eq!(video(b"\x91hvc1"), (hevc, Role::Media, true));
        assert_eq!(video(b"\xa3hvc1"), (hevc, Role::Media, false));
        assert_eq!(
            video(b"\x92hvc1"),
            (hevc, Role::Other, true),
            "sequence end"
        );
        assert_eq!(
            video(b"\x94hvc1"),
            (hevc, Role::Other, true),
            "HDR metadata"
        );
        assert_eq!(video(b"\xd1\0"), (None, Role::Other, false), "command");
        // ModEx of 3 bytes (size byte 2), then type 0 and packet type 1: coded frames.
        assert_eq!(video(b"\x97\x02\0\0\0\x01hvc1"), (hevc, Role::Media, true));
        // Multitrack: one track, coded frames.
        assert_eq!(video(b"\x96\x01hvc1\0"), (None, Role::Media, true));
        let opus = Some(CodecId::Enhanced(*b"Opus"));
        let audio = |body: &[u8]| lead(Kind::Audio, body);
        assert_eq!(audio(b"\x90Opus"), (opus, Role::Head, true));
        assert_eq!(audio(b"\x91Opus"), (opus, Role::Media, true));
        assert_eq!(
            audio(b"\x94Opus"),
            (opus, Role::Other, true),
            "channel layout"
        );
        assert_eq!(
            audio(b"\x95\x01Opus\0"),
            (None, Role::Media, true),
            "multitrack"
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_something(body: Vec<u8>, kind in 0..3) {
            let kind = [Kind::Audio, Kind::Video, Kind::Data][usize::try_from(kind).unwrap()];
            let lead = Lead::of(kind, &body);
            prop_assert!(lead.role != Role::Head || lead.codec.is_some());
        }
    }
}
