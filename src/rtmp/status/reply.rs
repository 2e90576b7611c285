//! Answers to calls, and the calls that servers make.

use super::{Outgoing, properties};
use crate::amf::Value;

/// Characters of a command's name that an error repeats: a viewer must not make us send much more
/// than it sends.
const NAME_SHOWN: usize = 64;

/// `_result` with one value.
pub fn result(transaction: f64, value: Value) -> Outgoing {
    Outgoing::call(&["_result".into(), transaction.into(), Value::Null, value])
}

/// `_error` of a call, code NetConnection.Call.Failed.
pub fn error(transaction: f64, description: &str) -> Outgoing {
    let info = properties([
        ("level", "error".into()),
        ("code", "NetConnection.Call.Failed".into()),
        ("description", description.into()),
    ]);
    let values = [
        "_error".into(),
        transaction.into(),
        Value::Null,
        Value::Object(info),
    ];
    Outgoing::call(&values)
}

/// `_error` of a call that we do not know.
pub fn call_failed(transaction: f64, name: &str) -> Outgoing {
    let shown: String = name.chars().take(NAME_SHOWN).collect();
    error(transaction, &format!("Method not found ({shown})."))
}

/// Tells the client that there is no bandwidth to be measured.
pub fn on_bw_done() -> Outgoing {
    Outgoing::call(&["onBWDone".into(), 0.0.into(), Value::Null])
}

/// Tells the client that the stream that it wanted fetched is there.
pub fn on_fc_subscribe(name: &str) -> Outgoing {
    let info = properties([
        ("level", "status".into()),
        ("code", "NetStream.Play.Start".into()),
        ("description", name.into()),
    ]);
    Outgoing::call(&[
        "onFCSubscribe".into(),
        0.0.into(),
        Value::Null,
        Value::Object(info),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn are_commands_of_the_connection() {
        let reply = result(4.0, 1.0.into());
        assert_eq!((reply.csid, reply.type_id), (3, 20));
        let payload = b"\x02\x00\x07_result\x00\x40\x10\x00\x00\x00\x00\x00\x00\x05\x00\x3f\xf0\x00\x00\x00\x00\x00\x00";
        assert_eq!(reply.payload, payload);
        assert_eq!(
            on_bw_done().payload,
            b"\x02\x00\x08onBWDone\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05"
        );
    }

    #[test]
    fn long_names_are_not_sent_back() {
        assert!(call_failed(1.0, &"x".repeat(60_000)).payload.len() < 250);
    }
}
