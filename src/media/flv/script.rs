//! The onMetaData tag (annex E.5): what it says of the file, and what of it a player is sent.

use super::claim::{self, Claim};
use super::tag::CodecId;
use crate::amf::{Decoder, Limits, Value};
use crate::media::Kind;
use crate::media::codec::{AudioCodec, VideoCodec};
use crate::units::{ByteRange, MediaTime};

/// Longest onMetaData that is read, bytes: [`Limits::METADATA`] holds no more numbers than fit in it.
/// A longer one is passed over, and the file is played without its keyframe table.
pub(super) const LONGEST: u64 = 4 << 20;

/// Longest table of key frame times that is sent on to players, bytes of AMF (design.md, delivery
/// rule 4: a play must not begin with a long message that few players read).
const LONGEST_TIMES: usize = 64 << 10;

/// Length of a number in AMF0.
const NUMBER: usize = 9;

type Properties = Vec<(String, Value)>;

/// What an onMetaData tag says.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Script {
    /// Its properties, in order, without the keyframe table and other positions in the file.
    pub(super) properties: Properties,
    /// `duration`, where it can be one.
    pub(super) duration: Option<MediaTime>,
    /// The group starts of the keyframe table.
    pub(super) claims: Vec<Claim>,
}

/// Whether a script tag that begins with these bytes is onMetaData, also as a recorder may have
/// stored it, with the command that set it (`@setDataFrame`) before.
pub(super) fn is_metadata(first: &[u8]) -> bool {
    first.starts_with(b"\x02\x00\x0aonMetaData") || first.starts_with(b"\x02\x00\x0d@setDataFrame")
}

impl Script {
    /// Reads the body of an onMetaData tag. What cannot be read counts as empty: the file can be
    /// played without. `media`: where claims may lie.
    pub(super) fn parse(body: &[u8], media: ByteRange) -> Self {
        let mut decoder = Decoder::new(body, &Limits::METADATA);
        while let Ok(Some(value)) = decoder.value() {
            if let Value::Object(properties) | Value::EcmaArray(properties) = value {
                return Self::new(properties, media);
            }
        }
        Self::default()
    }

    fn new(properties: Properties, media: ByteRange) -> Self {
        let mut script = Self::default();
        for (name, value) in properties {
            match name.as_str() {
                "keyframes" => {
                    if script.claims.is_empty() {
                        script.claims = claim::choose(&value, media);
                    }
                    script
                        .properties
                        .extend(times(value).map(|value| (name, value)));
                }
                "duration" => script.duration = duration(&value),
                "lastkeyframelocation" | "lastkeyframeposition" => {}
                _ => script.properties.push((name, value)),
            }
        }
        script
    }

    /// Whether it has a property of that name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.properties.iter().any(|(key, _)| key == name)
    }

    /// The properties to send: duration first, then those of the file, and the codec ids where the
    /// file does not have them, for players take from them which tracks to wait for.
    pub(super) fn sent(
        self,
        duration: Option<MediaTime>,
        video: Option<&VideoCodec>,
        audio: Option<&AudioCodec>,
    ) -> Properties {
        let ids = [
            ("videocodecid", video.map(VideoCodec::classic_id)),
            ("audiocodecid", audio.map(AudioCodec::classic_id)),
        ];
        let missing: Vec<_> = ids
            .into_iter()
            .filter(|(name, _)| !self.has(name))
            .filter_map(|(name, id)| Some((name.to_owned(), Value::Number(id?))))
            .collect();
        let duration =
            duration.map(|duration| ("duration".to_owned(), Value::Number(duration.seconds())));
        duration
            .into_iter()
            .chain(self.properties)
            .chain(missing)
            .collect()
    }
}

/// The keyframe table with its times alone, where that is short; ActionScript programs read them to
/// snap seeks.
fn times(keyframes: Value) -> Option<Value> {
    let (Value::Object(columns) | Value::EcmaArray(columns)) = keyframes else {
        return None;
    };
    let times = columns.into_iter().find(|(name, _)| name == "times")?;
    match &times.1 {
        Value::StrictArray(values) if values.len().saturating_mul(NUMBER) <= LONGEST_TIMES => {
            Some(Value::Object(vec![times]))
        }
        _ => None,
    }
}

/// Seconds as milliseconds, where they are a time that a file can last.
fn duration(value: &Value) -> Option<MediaTime> {
    let seconds = value.as_number()?;
    // A hundred years.
    if !(seconds > 0.0 && seconds < 3.2e9) {
        return None;
    }
    // In range, as was just checked.
    #[allow(clippy::cast_possible_truncation)]
    let millis = (seconds * 1000.0).round() as i64;
    Some(MediaTime::from_millis(millis))
}

/// The name under which a track of `kind` is announced.
pub(super) const fn announced_as(kind: Kind) -> &'static str {
    match kind {
        Kind::Video => "videocodecid",
        _ => "audiocodecid",
    }
}

/// The codec that a tag names, before its head is known.
pub(super) fn video_codec(id: CodecId) -> VideoCodec {
    match id {
        CodecId::Classic(7) => VideoCodec::Avc {
            config: bytes::Bytes::new(),
        },
        CodecId::Classic(id) => VideoCodec::Classic(id),
        CodecId::Enhanced(four) => VideoCodec::Enhanced(four),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::flv::fixture::amf0;
    use bytes::Bytes;

    const MEDIA: ByteRange = ByteRange::new(13, 10_000_000);

    #[test]
    fn positions_stay_and_the_rest_goes_on() {
        let keyframes = amf0::object(&[
            ("filepositions", amf0::numbers([500.0, 600_000.0])),
            ("times", amf0::numbers([0.0, 4.0])),
        ]);
        let body = amf0::on_metadata(&[
            ("width", amf0::number(320.0)),
            ("duration", amf0::number(12.5)),
            ("lastkeyframelocation", amf0::number(600_000.0)),
            ("keyframes", keyframes),
            ("title", amf0::string("x")),
        ]);
        assert!(is_metadata(&body));
        let script = Script::parse(&body, MEDIA);
        assert_eq!(script.duration, Some(MediaTime::from_millis(12_500)));
        assert_eq!(
            script.claims,
            [Claim {
                position: 600_000,
                time: MediaTime::from_millis(4_000)
            }]
        );
        let avc = VideoCodec::Avc {
            config: Bytes::new(),
        };
        let sent = script.sent(Some(MediaTime::from_millis(13_000)), Some(&avc), None);
        let times = Value::StrictArray(vec![Value::Number(0.0), Value::Number(4.0)]);
        let expected = [
            ("duration", Value::Number(13.0)),
            ("width", Value::Number(320.0)),
            ("keyframes", Value::Object(vec![("times".into(), times)])),
            ("title", Value::String("x".into())),
            ("videocodecid", Value::Number(7.0)),
        ];
        assert_eq!(sent, expected.map(|(name, value)| (name.to_owned(), value)));
    }

    #[test]
    fn an_object_and_a_stored_command_are_read_too() {
        let properties = [("width", amf0::number(320.0))];
        let object = [amf0::string("onMetaData"), amf0::object(&properties)].concat();
        let command = [
            amf0::string("@setDataFrame"),
            amf0::on_metadata(&properties),
        ]
        .concat();
        for body in [object, command] {
            assert!(is_metadata(&body));
            assert!(Script::parse(&body, MEDIA).has("width"));
        }
        assert!(!is_metadata(&amf0::string("onCuePoint")));
    }

    #[test]
    fn a_long_table_of_times_is_not_sent() {
        for (count, kept) in [(7_281, true), (7_282, false)] {
            let times = (0..count).map(f64::from);
            let keyframes = amf0::object(&[("times", amf0::numbers(times))]);
            let script = Script::parse(&amf0::on_metadata(&[("keyframes", keyframes)]), MEDIA);
            assert_eq!(script.has("keyframes"), kept, "{count}");
        }
    }

    #[test]
    fn durations_that_cannot_be_are_none() {
        for seconds in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e30] {
            let body = amf0::on_metadata(&[("duration", amf0::number(seconds))]);
            assert_eq!(Script::parse(&body, MEDIA).duration, None);
        }
        assert_eq!(
            Script::parse(b"\x02\0\x0aonMetaData\xff", MEDIA),
            Script::default()
        );
    }

    #[test]
    fn codec_ids_of_the_file_are_kept() {
        let body = amf0::on_metadata(&[("audiocodecid", amf0::string("mp4a"))]);
        let audio = AudioCodec::Enhanced(*b"Opus");
        let sent = Script::parse(&body, MEDIA).sent(None, None, Some(&audio));
        assert_eq!(
            sent,
            [("audiocodecid".to_owned(), Value::String("mp4a".into()))]
        );
        let sent = Script::default().sent(None, None, Some(&audio));
        assert_eq!(
            sent,
            [(
                "audiocodecid".to_owned(),
                Value::Number(f64::from(0x4f70_7573))
            )]
        );
    }
}
