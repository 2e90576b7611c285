//! The arguments of play and play2 (NetStream.play in Adobe's documentation; spec/rtmp.md 4.3).

use super::number::{millis, position};
use crate::amf::Value;
use crate::units::MediaTime;

/// What to play, from where, how much.
#[derive(Debug, Clone, PartialEq)]
pub struct Play {
    /// The stream name, as sent: with prefix and query.
    pub name: String,
    /// Where to start.
    pub start: Start,
    /// How much to play.
    pub length: Length,
    /// What becomes of what plays already.
    pub reset: Reset,
}

/// Where a play starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// -2 (the default): the live stream of that name, or the recorded one from its start.
    VodOrLive,
    /// -1: only a live stream.
    LiveOnly,
    /// The recorded stream at this time.
    At(MediaTime),
}

/// How much of a stream is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// To its end.
    All,
    /// One picture.
    Picture,
    /// So many milliseconds, above 0.
    Millis(MediaTime),
}

/// What a play does to the playlist of its message stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reset {
    /// `false` or 0: appends to it.
    Append,
    /// `true` (the default) or 1: ends what plays, empties it, and plays at once.
    Replace,
    /// 2: appends, and sends without waiting for real time.
    AppendUnpaced,
    /// 3: replaces, and sends without waiting for real time.
    ReplaceUnpaced,
}

/// A play that follows on another.
#[derive(Debug, Clone, PartialEq)]
pub struct Play2 {
    /// The stream to play.
    pub stream_name: String,
    /// The stream that it replaces; empty where none is named.
    pub old_stream_name: String,
    /// Where to start.
    pub start: Start,
    /// How much to play.
    pub length: Length,
    /// Where to switch, where the client names it: a time of the stream that plays.
    pub offset: Option<MediaTime>,
    /// How to go over to it.
    pub transition: Transition,
}

/// How one stream follows on another (NetStreamPlayTransitions).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transition {
    /// Appends to the playlist.
    Append,
    /// Appends, and waits before it plays.
    AppendAndWait,
    /// Empties the playlist and plays.
    Reset,
    /// Goes on with it on a new connection.
    Resume,
    /// Ends.
    Stop,
    /// Replaces another content in the playlist.
    Swap,
    /// Another rendition of the same content: switches where it fits.
    Switch,
    /// Something else.
    Other(String),
}

impl Play {
    /// From the arguments after the command object.
    pub(super) fn parse(arguments: &[Value]) -> Self {
        Self {
            name: text(arguments.first()),
            start: Start::parse(arguments.get(1)),
            length: Length::parse(arguments.get(2)),
            reset: Reset::parse(arguments.get(3)),
        }
    }
}

impl Play2 {
    /// From the arguments after the command object: one object.
    pub(super) fn parse(arguments: &[Value]) -> Self {
        let get = |name| arguments.first().and_then(|object| object.get(name));
        let offset = get("offset").and_then(Value::as_number);
        Self {
            stream_name: text(get("streamName")),
            old_stream_name: text(get("oldStreamName")),
            start: Start::parse(get("start")),
            length: Length::parse(get("len")),
            // -1 is the default: the server chooses.
            offset: offset.filter(|offset| *offset >= 0.0).and_then(millis),
            transition: Transition::parse(get("transition")),
        }
    }
}

impl Start {
    fn parse(value: Option<&Value>) -> Self {
        match value.and_then(Value::as_number).and_then(millis) {
            Some(start) if start >= MediaTime::ZERO => Self::At(start),
            // Clients that think in seconds send these unmultiplied.
            Some(start) if matches!(start.millis(), -1 | -1000) => Self::LiveOnly,
            _ => Self::VodOrLive,
        }
    }
}

impl Length {
    fn parse(value: Option<&Value>) -> Self {
        match value.and_then(Value::as_number) {
            Some(0.0) => Self::Picture,
            Some(length) if length > 0.0 && length.is_finite() => {
                let least = MediaTime::from_millis(1);
                Self::Millis(position(length).unwrap_or(least).max(least))
            }
            _ => Self::All,
        }
    }
}

impl Reset {
    /// Whether what plays ends and the playlist is emptied.
    pub const fn replaces(self) -> bool {
        matches!(self, Self::Replace | Self::ReplaceUnpaced)
    }

    fn parse(value: Option<&Value>) -> Self {
        match value {
            Some(Value::Boolean(false)) => Self::Append,
            Some(Value::Number(number)) if *number == 0.0 => Self::Append,
            Some(Value::Number(number)) if *number == 2.0 => Self::AppendUnpaced,
            Some(Value::Number(number)) if *number == 3.0 => Self::ReplaceUnpaced,
            _ => Self::Replace,
        }
    }
}

impl Transition {
    fn parse(value: Option<&Value>) -> Self {
        match value.and_then(Value::as_str).unwrap_or_default() {
            "append" => Self::Append,
            "appendAndWait" => Self::AppendAndWait,
            // What Adobe's NetStreamPlayOptions has from the start.
            "reset" | "" => Self::Reset,
            "resume" => Self::Resume,
            "stop" => Self::Stop,
            "swap" => Self::Swap,
            "switch" => Self::Switch,
            other => Self::Other(other.to_owned()),
        }
    }
}

/// A text, empty where there is none.
pub(super) fn text(value: Option<&Value>) -> String {
    value.and_then(Value::as_str).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> MediaTime {
        MediaTime::from_millis(millis)
    }

    #[test]
    fn start_is_milliseconds_or_one_of_two_wishes() {
        let start = |number: f64| Start::parse(Some(&number.into()));
        for number in [-2.0, -2000.0, -3.0, f64::NAN, f64::NEG_INFINITY] {
            assert_eq!(start(number), Start::VodOrLive, "{number}");
        }
        assert_eq!(
            (start(-1.0), start(-1000.0)),
            (Start::LiveOnly, Start::LiveOnly)
        );
        assert_eq!(
            (start(0.0), start(29_870.0)),
            (Start::At(at(0)), Start::At(at(29_870)))
        );
        assert_eq!(start(f64::INFINITY), Start::At(at(1 << 48)));
        assert_eq!(Start::parse(None), Start::VodOrLive);
        assert_eq!(Start::parse(Some(&Value::Null)), Start::VodOrLive);
    }

    #[test]
    fn length_is_all_or_a_picture_or_milliseconds() {
        let length = |number: f64| Length::parse(Some(&number.into()));
        for number in [-1.0, -1000.0, f64::NAN, f64::INFINITY] {
            assert_eq!(length(number), Length::All, "{number}");
        }
        assert_eq!(
            (length(0.0), length(-0.0)),
            (Length::Picture, Length::Picture)
        );
        assert_eq!(
            (length(0.2), length(5000.0)),
            (Length::Millis(at(1)), Length::Millis(at(5000)))
        );
        assert_eq!(Length::parse(None), Length::All);
    }

    #[test]
    fn reset_is_a_boolean_or_a_number() {
        let reset = |value: Value| Reset::parse(Some(&value));
        assert_eq!(
            (reset(true.into()), reset(false.into())),
            (Reset::Replace, Reset::Append)
        );
        assert_eq!(
            (reset(0.0.into()), reset(1.0.into())),
            (Reset::Append, Reset::Replace)
        );
        assert_eq!(
            (reset(2.0.into()), reset(3.0.into())),
            (Reset::AppendUnpaced, Reset::ReplaceUnpaced)
        );
        assert_eq!(
            (reset(f64::NAN.into()), Reset::parse(None)),
            (Reset::Replace, Reset::Replace)
        );
    }

    #[test]
    fn play2_reads_its_options() {
        let options = Value::Object(vec![
            ("streamName".into(), "b".into()),
            ("oldStreamName".into(), "a".into()),
            ("start".into(), 0.0.into()),
            ("len".into(), (-1.0).into()),
            ("offset".into(), (-1.0).into()),
            ("transition".into(), "switch".into()),
        ]);
        let expected = Play2 {
            stream_name: "b".into(),
            old_stream_name: "a".into(),
            start: Start::At(at(0)),
            length: Length::All,
            offset: None,
            transition: Transition::Switch,
        };
        assert_eq!(Play2::parse(&[options]), expected);
    }
}
