//! What a player says, as bytes.

use super::Opening;
use crate::amf::{Value, encode};
use crate::rtmp::chunk::{CSID_COMMAND, DEFAULT_CHUNK_SIZE, write_message};
use crate::rtmp::message::COMMAND;
use crate::units::Millis;

/// Chunk stream of commands of a message stream: what librtmp and ffmpeg take.
const CSID_PLAY: u32 = 8;

/// connect: transaction 1.
pub(super) fn connect(out: &mut Vec<u8>, opening: &Opening) {
    let about = [
        ("app", Value::from(&*opening.app)),
        ("flashVer", "LNX 9,0,124,2".into()),
        ("tcUrl", Value::from(&*opening.tc_url)),
        ("fpad", false.into()),
        // All that Flash knew: sound, and video.
        ("capabilities", 15.0.into()),
        ("audioCodecs", 4071.0.into()),
        ("videoCodecs", 252.0.into()),
        ("videoFunction", 1.0.into()),
    ];
    let about = about.map(|(name, value)| (name.to_owned(), value));
    let values = ["connect".into(), 1.0.into(), Value::Object(about.into())];
    command(out, CSID_COMMAND, 0, &values);
}

pub(super) fn create_stream(out: &mut Vec<u8>, transaction: f64) {
    let values = ["createStream".into(), transaction.into(), Value::Null];
    command(out, CSID_COMMAND, 0, &values);
}

pub(super) fn delete_stream(out: &mut Vec<u8>, stream: u32) {
    let id = f64::from(stream).into();
    let values = ["deleteStream".into(), 0.0.into(), Value::Null, id];
    command(out, CSID_COMMAND, 0, &values);
}

pub(super) fn play(out: &mut Vec<u8>, stream: u32, name: &str, start: i64) {
    let mut values = vec!["play".into(), 0.0.into(), Value::Null, name.into()];
    if start >= 0 {
        values.push(number(start));
    }
    command(out, CSID_PLAY, stream, &values);
}

pub(super) fn seek(out: &mut Vec<u8>, stream: u32, time: i64) {
    let values = ["seek".into(), 0.0.into(), Value::Null, number(time)];
    command(out, CSID_PLAY, stream, &values);
}

pub(super) fn pause(out: &mut Vec<u8>, stream: u32, pause: bool, time: i64) {
    let values = [
        "pause".into(),
        0.0.into(),
        Value::Null,
        pause.into(),
        number(time),
    ];
    command(out, CSID_PLAY, stream, &values);
}

/// A time; those that a double cannot hold are none that a file has.
fn number(millis: i64) -> Value {
    let number = millis as f64;
    number.into()
}

fn command(out: &mut Vec<u8>, csid: u32, stream: u32, values: &[Value]) {
    let mut body = Vec::with_capacity(256);
    values.iter().for_each(|value| encode(value, &mut body));
    let none = Millis(0);
    write_message(out, DEFAULT_CHUNK_SIZE, csid, none, COMMAND, stream, &body);
}
