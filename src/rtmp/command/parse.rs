//! From a command message to a typed command.

use super::number::{position, truth, unsigned};
use super::play::text;
use super::{Command, Connect, Play, Play2};
use crate::amf::{self, AmfError, Limits, Value, amf3};
use crate::units::MediaTime;

/// A command and the number under which its answer is awaited.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The transaction; 0 where no answer is awaited.
    pub transaction: f64,
    /// The command.
    pub command: Command,
}

/// Why a command message is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// Its values cannot be read.
    #[error(transparent)]
    Amf(#[from] AmfError),
    /// It does not begin with a name.
    #[error("a command has no name")]
    NoName,
}

impl Call {
    /// Reads the payload of a command message of type 20.
    pub fn parse(payload: &[u8], limits: &Limits) -> Result<Self, CallError> {
        Self::from_values(amf::decode_all(payload, limits)?)
    }

    /// Reads the payload of a command message of type 17.
    ///
    /// Flash sends a 0 and then AMF0, with AMF3 values behind their marker. Some senders leave the
    /// 0 out, some send AMF3 throughout, after a byte of any other value or none.
    pub fn parse_amf3(payload: &[u8], limits: &Limits) -> Result<Self, CallError> {
        const AMF0_STRING: u8 = 0x02;
        const AMF3_STRING: u8 = 0x06;
        let values = match payload.split_first() {
            Some((0, rest)) => amf::decode_all(rest, limits)?,
            Some((&AMF0_STRING, _)) => amf::decode_all(payload, limits)?,
            Some((&AMF3_STRING, _)) => amf3::decode_all(payload, limits)?,
            Some((_, rest)) => amf3::decode_all(rest, limits)?,
            None => Vec::new(),
        };
        Self::from_values(values)
    }

    fn from_values(values: Vec<Value>) -> Result<Self, CallError> {
        let mut values = values.into_iter();
        let Some(Value::String(name)) = values.next() else {
            return Err(CallError::NoName);
        };
        let transaction = values.next().and_then(|value| value.as_number());
        let object = values.next();
        let arguments: Vec<Value> = values.collect();
        Ok(Self {
            transaction: transaction
                .filter(|number| number.is_finite())
                .unwrap_or(0.0),
            command: command(name, object, arguments),
        })
    }
}

fn command(name: String, object: Option<Value>, arguments: Vec<Value>) -> Command {
    let first = arguments.first();
    let number = |value: Option<&Value>| value.and_then(Value::as_number);
    let switch = truth(first).unwrap_or(true);
    match name.as_str() {
        "connect" => Command::Connect(Box::new(Connect {
            object: properties(object),
            extra: arguments,
        })),
        "releaseStream" => Command::ReleaseStream,
        "FCPublish" => Command::FcPublish,
        "FCUnpublish" => Command::FcUnpublish,
        "FCSubscribe" => Command::FcSubscribe(text(first)),
        "FCUnsubscribe" => Command::FcUnsubscribe(text(first)),
        "_checkbw" => Command::CheckBw,
        "checkBandwidth" => Command::CheckBandwidth,
        "createStream" => Command::CreateStream,
        "deleteStream" => Command::DeleteStream(number(first).and_then(unsigned).unwrap_or(0)),
        "closeStream" => Command::CloseStream,
        "getStreamLength" => Command::GetStreamLength(text(first)),
        "play" if first.and_then(Value::as_bool) == Some(false) => Command::CloseStream,
        "play" => Command::Play(Play::parse(&arguments)),
        "play2" => Command::Play2(Play2::parse(&arguments)),
        "pause" | "pauseRaw" => Command::Pause {
            pause: switch,
            time: number(arguments.get(1))
                .and_then(position)
                .unwrap_or(MediaTime::ZERO),
            raw: name == "pauseRaw",
        },
        "seek" => Command::Seek(number(first).and_then(position)),
        "receiveAudio" => Command::ReceiveAudio(switch),
        "receiveVideo" => Command::ReceiveVideo(switch),
        "publish" => Command::Publish(text(first)),
        _ => Command::Unknown(name),
    }
}

fn properties(object: Option<Value>) -> Vec<(String, Value)> {
    match object {
        Some(
            Value::Object(properties)
            | Value::EcmaArray(properties)
            | Value::TypedObject(_, properties),
        ) => properties,
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Length, Reset, Start};
    use super::*;

    fn parse(values: &[Value]) -> Result<Call, CallError> {
        let mut payload = Vec::new();
        values
            .iter()
            .for_each(|value| amf::encode(value, &mut payload));
        let call = Call::parse(&payload, &Limits::COMMAND);
        // The same through type 17, with and without the leading 0.
        assert_eq!(
            Call::parse_amf3(&[&[0], payload.as_slice()].concat(), &Limits::COMMAND),
            call
        );
        if call.is_ok() {
            assert_eq!(Call::parse_amf3(&payload, &Limits::COMMAND), call);
        }
        call
    }

    fn call(name: &str, arguments: &[Value]) -> Command {
        let mut values = vec![name.into(), 5.0.into(), Value::Null];
        values.extend_from_slice(arguments);
        let call = parse(&values).unwrap();
        assert_eq!(call.transaction, 5.0);
        call.command
    }

    #[test]
    fn connect_keeps_everything_in_order() {
        let object = vec![
            ("tcUrl".to_owned(), Value::from("rtmp://h/a")),
            ("app".to_owned(), "a".into()),
        ];
        let values = [
            "connect".into(),
            1.0.into(),
            Value::Object(object.clone()),
            "token".into(),
        ];
        let connect = Connect {
            object,
            extra: vec!["token".into()],
        };
        assert_eq!(
            parse(&values),
            Ok(Call {
                transaction: 1.0,
                command: Command::Connect(Box::new(connect))
            })
        );
    }

    #[test]
    fn every_command_has_its_form() {
        let at = MediaTime::from_millis;
        let text = |text: &str| Value::from(text);
        assert_eq!(call("releaseStream", &[text("x")]), Command::ReleaseStream);
        assert_eq!(
            call("FCSubscribe", &[text("x")]),
            Command::FcSubscribe("x".into())
        );
        assert_eq!(
            call("FCUnsubscribe", &[text("x")]),
            Command::FcUnsubscribe("x".into())
        );
        assert_eq!(call("FCPublish", &[text("x")]), Command::FcPublish);
        assert_eq!(call("FCUnpublish", &[text("x")]), Command::FcUnpublish);
        assert_eq!(call("_checkbw", &[]), Command::CheckBw);
        assert_eq!(call("checkBandwidth", &[]), Command::CheckBandwidth);
        assert_eq!(call("createStream", &[]), Command::CreateStream);
        assert_eq!(
            call("deleteStream", &[2.0.into()]),
            Command::DeleteStream(2)
        );
        assert_eq!(
            call("deleteStream", &[f64::NAN.into()]),
            Command::DeleteStream(0)
        );
        assert_eq!(call("closeStream", &[]), Command::CloseStream);
        assert_eq!(
            call("getStreamLength", &[text("mp4:a?b")]),
            Command::GetStreamLength("mp4:a?b".into())
        );
        assert_eq!(call("play", &[false.into()]), Command::CloseStream);
        let play = Play {
            name: "a".into(),
            start: Start::At(at(0)),
            length: Length::Picture,
            reset: Reset::Append,
        };
        assert_eq!(
            call("play", &[text("a"), 0.0.into(), 0.0.into(), false.into()]),
            Command::Play(play)
        );
        assert_eq!(
            call("pause", &[true.into(), 1500.0.into()]),
            Command::Pause {
                pause: true,
                time: at(1500),
                raw: false
            }
        );
        assert_eq!(
            call("pauseRaw", &[false.into()]),
            Command::Pause {
                pause: false,
                time: at(0),
                raw: true
            }
        );
        assert_eq!(call("seek", &[(-5.0).into()]), Command::Seek(Some(at(0))));
        assert_eq!(call("seek", &[f64::NAN.into()]), Command::Seek(None));
        assert_eq!(call("seek", &[]), Command::Seek(None));
        assert_eq!(
            call("receiveAudio", &[false.into()]),
            Command::ReceiveAudio(false)
        );
        assert_eq!(
            call("receiveVideo", &[1.0.into()]),
            Command::ReceiveVideo(true)
        );
        assert_eq!(
            call("publish", &[text("a"), text("live")]),
            Command::Publish("a".into())
        );
        assert_eq!(call("Play", &[]), Command::Unknown("Play".into()));
    }

    #[test]
    fn short_and_odd_commands_do_no_harm() {
        let bare = |name: &str| {
            Ok(Call {
                transaction: 0.0,
                command: Command::Unknown(name.into()),
            })
        };
        assert_eq!(parse(&["x".into()]), bare("x"));
        assert_eq!(parse(&["x".into(), f64::NAN.into()]), bare("x"));
        assert_eq!(
            parse(&["x".into(), f64::INFINITY.into(), Value::Null]),
            bare("x")
        );
        assert_eq!(parse(&[]), Err(CallError::NoName));
        assert_eq!(parse(&[1.0.into()]), Err(CallError::NoName));
        assert!(matches!(
            Call::parse(&[2, 0, 9], &Limits::COMMAND),
            Err(CallError::Amf(_))
        ));
    }

    #[test]
    fn a_command_wholly_in_amf3() {
        let bytes = b"\x11\x06\x0bcloseIgnored";
        assert!(Call::parse_amf3(bytes, &Limits::COMMAND).is_err());
        let bytes = b"\x06\x19createStream\x04\x02\x01";
        let expected = Call {
            transaction: 2.0,
            command: Command::CreateStream,
        };
        assert_eq!(
            Call::parse_amf3(bytes, &Limits::COMMAND),
            Ok(expected.clone())
        );
        assert_eq!(
            Call::parse_amf3(&[&[0x11], bytes.as_slice()].concat(), &Limits::COMMAND),
            Ok(expected)
        );
    }
}
