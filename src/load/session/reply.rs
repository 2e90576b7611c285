//! What a server answers, as far as a player minds it.

use crate::amf::{Decoder, Limits, Value};
use crate::load::skim::Message;
use crate::rtmp::message::{COMMAND, COMMAND_AMF3, DATA, DATA_AMF3};

/// How much of a command or data message is read. One that was cut
/// ([`super::super::skim::BODY_MAX`]) counts as far as it goes.
const LIMITS: Limits = Limits {
    lenient: true,
    ..Limits::COMMAND
};

/// Characters of a server's words that are kept for a report.
const WORDS_MAX: usize = 200;

/// An answer, a status, or a line of metadata.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Reply {
    /// `_result`, with its last value.
    Result {
        transaction: f64,
        value: Option<Value>,
    },
    /// `_error`.
    Error { transaction: f64, why: String },
    /// onStatus or onPlayStatus. `why`: code and description.
    Status {
        code: String,
        level: String,
        why: String,
    },
    /// onMetaData, with its duration in milliseconds.
    Length(u64),
}

impl Reply {
    /// `None` for what is nothing to a player, or cannot be read.
    pub(super) fn read(message: &Message) -> Option<Self> {
        let body = match message.type_id {
            COMMAND | DATA => message.body.as_slice(),
            // A format byte comes before the AMF0 that everybody sends.
            COMMAND_AMF3 | DATA_AMF3 => message.body.get(1..)?,
            _ => return None,
        };
        let mut decoder = Decoder::new(body, &LIMITS);
        let name = decoder.value().ok()??;
        let mut values = Vec::new();
        while let Ok(Some(value)) = decoder.value() {
            values.push(value);
        }
        let transaction = values.first().and_then(Value::as_number).unwrap_or(0.0);
        match name.as_str()? {
            "_result" => Some(Self::Result {
                transaction,
                value: values.pop(),
            }),
            "_error" => Some(Self::Error {
                transaction,
                why: why(values.last()),
            }),
            "onStatus" | "onPlayStatus" => status(values.last()?),
            "onMetaData" => length(values.last()?),
            _ => None,
        }
    }
}

fn status(info: &Value) -> Option<Reply> {
    let text = |name| info.get(name).and_then(Value::as_str);
    Some(Reply::Status {
        code: text("code")?.to_owned(),
        level: text("level").unwrap_or_default().to_owned(),
        why: why(Some(info)),
    })
}

fn length(metadata: &Value) -> Option<Reply> {
    let seconds = metadata.get("duration").and_then(Value::as_number)?;
    // Above 0, and below the year that no file has.
    let millis = (seconds * 1000.0).round();
    if !(1.0..=1e12).contains(&millis) {
        return None;
    }
    #[allow(clippy::cast_possible_truncation, reason = "within 1..=1e12")]
    let millis = millis as u64;
    Some(Reply::Length(millis))
}

/// Code and description of an information object, or the text that stands in its place.
fn why(info: Option<&Value>) -> String {
    let text = |name| {
        info.and_then(|info| info.get(name))
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let said = match (text("code"), text("description")) {
        ("", "") => info.and_then(Value::as_str).unwrap_or_default().to_owned(),
        (code, "") => code.to_owned(),
        ("", description) => description.to_owned(),
        (code, description) => format!("{code}: {description}"),
    };
    said.chars().take(WORDS_MAX).collect()
}

/// The number of a message stream.
pub(super) fn stream_id(value: Value) -> Option<u32> {
    let number = value.as_number()?;
    if !(0.0..=f64::from(u32::MAX)).contains(&number) {
        return None;
    }
    #[allow(clippy::cast_possible_truncation, reason = "within the range of u32")]
    let id = number as u32;
    Some(id)
}
