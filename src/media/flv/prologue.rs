//! The first tags of a file: metadata, codecs and their heads, and the time at which it starts.

use bytes::Bytes;

use super::script::{self, Script};
use super::tag::{CodecId, Role};
use super::walk::{self, Look, Tag};
use super::{PIECE, get};
use crate::media::codec::{AudioCodec, VideoCodec};
use crate::media::mp3::FrameHead;
use crate::media::{Fetched, Heads, Kind, MediaError};
use crate::units::{ByteRange, MediaTime, Millis};

/// How far behind the metadata a track that was announced is looked for, bytes: a second of video
/// of 2 Mbit/s. Tracks that begin later are sent, but no head of theirs is known at a seek.
const LONGEST: u64 = 256 << 10;

/// How far a track is looked for that nothing has announced; the first read of a file has it.
const SHORTEST: u64 = 32 << 10;

/// Longest codec head that is kept for entries later in the file. H.264 and AAC heads have some
/// tens of bytes, and each cursor holds them; longer ones are sent in their place only.
pub(super) const LONGEST_HEAD: u64 = 64 << 10;

/// What the first tags tell.
#[derive(Debug, Clone)]
pub(super) struct Prologue {
    /// Where the first onMetaData tag begins, which is not sent as a sample.
    pub(super) metadata_at: Option<u64>,
    /// What it says.
    pub(super) script: Script,
    /// The first video codec.
    pub(super) video: Option<VideoCodec>,
    /// The first audio codec.
    pub(super) audio: Option<AudioCodec>,
    /// The first codec heads.
    pub(super) heads: Heads,
    /// Time of the first tag of audio or video as the file counts, unrolled: negative where the
    /// count wraps shortly after.
    pub(super) first: MediaTime,
    /// The smallest time among those tags.
    pub(super) smallest: MediaTime,
}

/// Reads the first tags of `media`, the part of the file behind its header. `flags`: those of the
/// header (1 video, 4 audio).
///
/// # Errors
/// The outer one: what must be read first.
pub(super) fn read(
    media: ByteRange,
    flags: u8,
    fetched: &Fetched,
) -> Result<Result<Prologue, MediaError>, ByteRange> {
    let mut scan = Scan::new(media, flags);
    loop {
        if scan.is_done() {
            break;
        }
        match walk::look(scan.at, fetched) {
            Ok(Look::Tag(tag)) => {
                scan.tag(&tag, fetched)?;
                scan.at = tag.end;
            }
            Ok(Look::Pass(to)) => scan.at = to,
            Ok(Look::Need(range)) => return Err(scan.piece(range)),
            Ok(Look::End) => break,
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(Ok(scan.finish()))
}

struct Scan {
    media: ByteRange,
    flags: u8,
    at: u64,
    /// Where the limits count from: behind the metadata.
    from: u64,
    metadata_at: Option<u64>,
    script: Script,
    video: Option<(CodecId, Option<Bytes>)>,
    audio: Option<(CodecId, Option<Bytes>, Bytes)>,
    times: Vec<Millis>,
}

impl Scan {
    fn new(media: ByteRange, flags: u8) -> Self {
        Self {
            media,
            flags,
            at: media.start,
            from: media.start,
            metadata_at: None,
            script: Script::default(),
            video: None,
            audio: None,
            times: Vec::new(),
        }
    }

    /// A read that has `range` in it and does not come in small pieces.
    fn piece(&self, range: ByteRange) -> ByteRange {
        let end = range.end.max(range.start.saturating_add(PIECE));
        ByteRange::new(range.start, end).clamp_to(self.media.end)
    }

    fn is_done(&self) -> bool {
        let read = self.at.saturating_sub(self.from);
        let video = self
            .video
            .as_ref()
            .is_some_and(|(id, head)| head.is_some() || !video_has_head(*id));
        let audio = self
            .audio
            .as_ref()
            .is_some_and(|(id, head, _)| head.is_some() || !audio_has_head(*id));
        let (wants_video, wants_audio) = self.announced();
        let enough = (video && audio) || read >= SHORTEST;
        let late_start = self
            .times
            .first()
            .is_some_and(|first| first.0 > i32::MAX.unsigned_abs());
        read >= LONGEST
            || (enough
                && (video || !wants_video)
                && (audio || !wants_audio)
                && (read >= SHORTEST || !late_start))
    }

    /// Which tracks to wait for: those that the header or the metadata announces, or, where neither
    /// says anything, both.
    fn announced(&self) -> (bool, bool) {
        let says =
            |flag: u8, kind| self.flags & flag != 0 || self.script.has(script::announced_as(kind));
        match (says(1, Kind::Video), says(4, Kind::Audio)) {
            (false, false) => (true, true),
            both => both,
        }
    }

    fn tag(&mut self, tag: &Tag, fetched: &Fetched) -> Result<(), ByteRange> {
        match tag.kind {
            Kind::Data => return self.data(tag, fetched),
            Kind::Video => self.video(tag, fetched)?,
            Kind::Audio => self.audio(tag, fetched)?,
        }
        self.times.push(tag.millis);
        Ok(())
    }

    fn data(&mut self, tag: &Tag, fetched: &Fetched) -> Result<(), ByteRange> {
        if self.metadata_at.is_some() || !script::is_metadata(&tag.first) {
            return Ok(());
        }
        if tag.body.len() <= script::LONGEST {
            let body = fetched.slice(tag.body).ok_or_else(|| {
                // And what comes behind it, which is asked for next.
                ByteRange::new(tag.body.start, tag.body.end.saturating_add(SHORTEST))
                    .clamp_to(self.media.end)
            })?;
            self.script = Script::parse(&body, self.media);
        }
        self.metadata_at = Some(self.at);
        self.from = tag.end;
        Ok(())
    }

    fn video(&mut self, tag: &Tag, fetched: &Fetched) -> Result<(), ByteRange> {
        let Some(id) = tag.lead.codec else {
            return Ok(());
        };
        let known = self.video.get_or_insert((id, None));
        if known.0 == id && known.1.is_none() {
            known.1 = head_of(tag, fetched)?;
        }
        Ok(())
    }

    fn audio(&mut self, tag: &Tag, fetched: &Fetched) -> Result<(), ByteRange> {
        let Some(id) = tag.lead.codec else {
            return Ok(());
        };
        let known = self
            .audio
            .get_or_insert_with(|| (id, None, Bytes::copy_from_slice(&tag.first)));
        if known.0 == id && known.1.is_none() {
            known.1 = head_of(tag, fetched)?;
        }
        Ok(())
    }

    fn finish(self) -> Prologue {
        let (first, smallest) = start(&self.times);
        let video = self
            .video
            .as_ref()
            .map(|(id, head)| match script::video_codec(*id) {
                VideoCodec::Avc { .. } => VideoCodec::Avc {
                    config: behind(head.as_ref(), AVC_PREFIX),
                },
                other => other,
            });
        let audio = self.audio.as_ref().map(|(id, head, first)| match id {
            CodecId::Classic(10) => AudioCodec::Aac {
                config: behind(head.as_ref(), AAC_PREFIX),
            },
            CodecId::Classic(2 | 14) => mpeg(first),
            CodecId::Classic(id) => AudioCodec::Classic(*id),
            CodecId::Enhanced(four) => AudioCodec::Enhanced(*four),
        });
        Prologue {
            metadata_at: self.metadata_at,
            script: self.script,
            video,
            audio,
            heads: Heads {
                video: self.video.and_then(|(_, head)| head),
                audio: self.audio.and_then(|(_, head, _)| head),
            },
            first,
            smallest,
        }
    }
}

/// Bytes before the configuration record in the body of a sequence header.
const AVC_PREFIX: usize = 5;
const AAC_PREFIX: usize = 2;

fn behind(head: Option<&Bytes>, prefix: usize) -> Bytes {
    head.map(|head| head.slice(prefix.min(head.len())..))
        .unwrap_or_default()
}

/// The body of a codec head, copied so that it does not hold on to all that was read with it; `None`
/// where the tag is no head, or too long for one.
pub(super) fn head_of(tag: &Tag, fetched: &Fetched) -> Result<Option<Bytes>, ByteRange> {
    if tag.lead.role != Role::Head || tag.body.len() > LONGEST_HEAD {
        return Ok(None);
    }
    get(fetched, tag.body).map(|body| Some(Bytes::copy_from_slice(&body)))
}

const fn video_has_head(id: CodecId) -> bool {
    matches!(id, CodecId::Classic(7 | 12 | 13) | CodecId::Enhanced(_))
}

const fn audio_has_head(id: CodecId) -> bool {
    match id {
        CodecId::Classic(id) => id == 10,
        // AC-3 and MP3 frames tell everything themselves.
        CodecId::Enhanced(four) => !matches!(&four, b"ac-3" | b"ec-3" | b".mp3"),
    }
}

/// MPEG audio: from the head of its first frame, else from the tag's own bits (annex E.4.2.1).
fn mpeg(first: &[u8]) -> AudioCodec {
    let flags = first.first().copied().unwrap_or_default();
    if let Some(frame) = first.get(1..).and_then(FrameHead::parse) {
        return AudioCodec::Mp3 {
            rate: frame.rate,
            channels: frame.channels,
        };
    }
    let rate = match (flags >> 4, flags >> 2 & 3) {
        (14, _) => 8_000,
        (_, 0) => 5_512,
        (_, 1) => 11_025,
        (_, 2) => 22_050,
        _ => 44_100,
    };
    AudioCodec::Mp3 {
        rate,
        channels: if flags & 1 == 0 { 1 } else { 2 },
    }
}

/// The first and the smallest of these timestamps. Counts are taken as unsigned, except where one
/// of them is past a wrap of the first.
fn start(times: &[Millis]) -> (MediaTime, MediaTime) {
    let Some(first) = times.first() else {
        return (MediaTime::ZERO, MediaTime::ZERO);
    };
    let wraps = times.iter().any(|time| time.0 <= i32::MAX.unsigned_abs());
    let first = if wraps {
        first.unroll(MediaTime::ZERO)
    } else {
        MediaTime::from_millis(i64::from(first.0))
    };
    let unrolled = times.iter().scan(first, |last, time| {
        *last = time.unroll(*last);
        Some(*last)
    });
    (first, unrolled.min().unwrap_or(first))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::flv::fixture::{AAC_HEAD, AVC_HEAD, Flv, amf0};

    fn read_all(file: &Flv) -> Prologue {
        let fetched = Fetched::whole(file.bytes.clone().into());
        let media = ByteRange::new(13, fetched.size());
        read(media, file.bytes[4], &fetched).unwrap().unwrap()
    }

    #[test]
    fn heads_and_codecs_are_found() {
        let prologue = read_all(&Flv::movie(20));
        assert_eq!(prologue.heads.video.as_deref(), Some(AVC_HEAD));
        assert_eq!(prologue.heads.audio.as_deref(), Some(AAC_HEAD));
        let config = Bytes::from_static(&AVC_HEAD[5..]);
        assert_eq!(prologue.video, Some(VideoCodec::Avc { config }));
        let config = Bytes::from_static(&AAC_HEAD[2..]);
        assert_eq!(prologue.audio, Some(AudioCodec::Aac { config }));
        assert_eq!(prologue.metadata_at, None);
    }

    #[test]
    fn an_announced_track_is_looked_for_further_than_another() {
        for (flags, found) in [(5, true), (1, false), (0, true)] {
            let mut file = Flv::new(flags);
            file.tag(9, 0, AVC_HEAD);
            file.frame(0, true, 100_000);
            file.sound(0, 10);
            assert_eq!(read_all(&file).audio.is_some(), found, "flags {flags}");
        }
        let mut file = Flv::new(0);
        file.tag(
            18,
            0,
            &amf0::on_metadata(&[("videocodecid", amf0::number(7.0))]),
        );
        file.tag(9, 0, AVC_HEAD);
        file.frame(0, true, 100_000);
        file.sound(0, 10);
        assert_eq!(read_all(&file).audio, None);
        assert_eq!(read_all(&file).metadata_at, Some(13));
    }

    #[test]
    fn mpeg_audio_is_told_by_its_frame() {
        // MPEG-2 layer III, 64 kbit/s, 24,000 Hz, mono; the tag says 22,050 Hz, stereo.
        let mut file = Flv::new(4);
        file.tag(8, 0, &[0x2b, 0xff, 0xf3, 0x84, 0xc4, 0, 0]);
        assert_eq!(
            read_all(&file).audio,
            Some(AudioCodec::Mp3 {
                rate: 24_000,
                channels: 1
            })
        );
        let mut file = Flv::new(4);
        file.tag(8, 0, &[0x2b, 0, 0]);
        assert_eq!(
            read_all(&file).audio,
            Some(AudioCodec::Mp3 {
                rate: 22_050,
                channels: 2
            })
        );
    }

    #[test]
    fn a_count_that_wraps_at_once_began_below_zero() {
        let millis = |times: &[u32]| {
            let times: Vec<Millis> = times.iter().copied().map(Millis).collect();
            let (first, smallest) = start(&times);
            (first.millis(), smallest.millis())
        };
        assert_eq!(millis(&[]), (0, 0));
        assert_eq!(millis(&[40, 20, 60]), (40, 20));
        assert_eq!(millis(&[u32::MAX - 9, u32::MAX - 19, 20]), (-10, -20));
        assert_eq!(
            millis(&[u32::MAX - 9, u32::MAX - 5]),
            (4_294_967_286, 4_294_967_286)
        );
    }
}
