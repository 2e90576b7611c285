//! Answers to connect.

use super::{Outgoing, properties};
use crate::amf::Value;
use crate::rtmp::command::Connect;

/// What CloudFront ran, and what players know.
const VERSION: &str = "3,5,7,7009";

/// Video codecs that we send as Enhanced RTMP tags, by FourCC. H.264 goes out in its classic form.
const VIDEO_CODECS: [&str; 3] = ["hvc1", "av01", "vp09"];
/// Audio codecs that we send as Enhanced RTMP tags, by FourCC.
const AUDIO_CODECS: [&str; 4] = ["Opus", "fLaC", "ac-3", "ec-3"];
/// FourCcInfoMask: the server passes the codec on, it does not decode or encode.
const CAN_FORWARD: f64 = 4.0;
/// CapsExMask: of reconnect, multitrack and the extended modifiers we offer none.
const CAPS_EX: f64 = 0.0;

/// Why a connect is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejection {
    /// No distribution has the host that was asked for.
    DistributionNotFound,
    /// The distribution of that host is not a streaming one.
    DistributionTypeMismatch,
    /// The application is right and its instance is not.
    InvalidInstance,
    /// The URL cannot be read.
    InvalidUri,
    /// There is no such application.
    InvalidApp,
    /// As many connections as there may be.
    Full,
    /// As many connections from one address as there may be.
    AddressFull,
    /// As many connections to one distribution as there may be.
    DistributionFull,
    /// The cross-domain policy does not admit the site that the player was loaded from.
    SiteDenied,
    /// Whether it does cannot be said.
    SiteUnknown,
    /// The player came by RTMPE, which is switched off for the distribution.
    EncryptionDenied,
}

impl Rejection {
    /// The word that players and logs know it by (spec/cloudfront.md 1.6).
    pub const fn word(self) -> &'static str {
        match self {
            Self::DistributionNotFound => "DistributionNotFound",
            Self::DistributionTypeMismatch => "DistributionTypeMismatch",
            Self::InvalidInstance => "InvalidInstance",
            // CloudFront had no word of its own for an application that does not exist.
            Self::InvalidUri | Self::InvalidApp => "InvalidURI",
            // Nor for limits and cross-domain policies, which are ours.
            Self::Full => "TooManyConnections",
            Self::AddressFull => "TooManyConnectionsFromAddress",
            Self::DistributionFull => "TooManyConnectionsToDistribution",
            Self::SiteDenied => "CrossDomainDenied",
            Self::SiteUnknown => "CrossDomainUnknown",
            Self::EncryptionDenied => "EncryptionDenied",
        }
    }

    const fn code(self) -> &'static str {
        match self {
            Self::InvalidApp => "NetConnection.Connect.InvalidApp",
            _ => "NetConnection.Connect.Rejected",
        }
    }
}

/// `_result` of connect. What the client announced of Enhanced RTMP is answered with what we send.
pub fn connect_result(transaction: f64, connect: &Connect) -> Outgoing {
    let mut server = properties([
        ("fmsVer", format!("FMS/{VERSION}").into()),
        ("capabilities", 31.0.into()),
        ("mode", 1.0.into()),
    ]);
    if connect.is_enhanced() {
        server.append(&mut enhanced());
    }
    let info = properties([
        ("level", "status".into()),
        ("code", "NetConnection.Connect.Success".into()),
        ("description", "Connection succeeded.".into()),
        ("objectEncoding", connect.object_encoding().into()),
        (
            "data",
            Value::EcmaArray(properties([("version", VERSION.into())])),
        ),
    ]);
    let (server, info) = (Value::Object(server), Value::Object(info));
    Outgoing::call(&["_result".into(), transaction.into(), server, info])
}

/// `_error` of connect.
pub fn connect_error(transaction: f64, rejection: Rejection) -> Outgoing {
    let word = rejection.word();
    let info = properties([
        ("level", "error".into()),
        ("code", rejection.code().into()),
        ("description", format!("[ Server.Reject ] : {word}").into()),
        (
            "application",
            Value::Object(properties([("message", word.into())])),
        ),
    ]);
    let values = [
        "_error".into(),
        transaction.into(),
        Value::Null,
        Value::Object(info),
    ];
    Outgoing::call(&values)
}

/// onStatus NetConnection.Connect.Closed: the server ends the connection, for that reason.
pub fn connect_closed(reason: &str) -> Outgoing {
    let info = properties([
        ("level", "status".into()),
        ("code", "NetConnection.Connect.Closed".into()),
        ("description", reason.into()),
    ]);
    Outgoing::call(&[
        "onStatus".into(),
        0.0.into(),
        Value::Null,
        Value::Object(info),
    ])
}

/// Our side of Enhanced RTMP: the list of version 1 and the maps of version 2.
fn enhanced() -> Vec<(String, Value)> {
    let list = VIDEO_CODECS.iter().chain(&AUDIO_CODECS);
    let map = |codecs: &[&str]| {
        let codecs = codecs.iter();
        Value::Object(
            codecs
                .map(|codec| ((*codec).to_owned(), CAN_FORWARD.into()))
                .collect(),
        )
    };
    properties([
        (
            "fourCcList",
            Value::StrictArray(list.map(|codec| Value::from(*codec)).collect()),
        ),
        ("capsEx", CAPS_EX.into()),
        ("videoFourCcInfoMap", map(&VIDEO_CODECS)),
        ("audioFourCcInfoMap", map(&AUDIO_CODECS)),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::amf::{Limits, decode_all};

    fn values(outgoing: &Outgoing) -> Vec<Value> {
        assert_eq!((outgoing.csid, outgoing.type_id), (3, 20));
        decode_all(&outgoing.payload, &Limits::COMMAND).unwrap()
    }

    #[test]
    fn success_echoes_the_object_encoding() {
        let connect = Connect {
            object: vec![("objectEncoding".into(), 3.0.into())],
            extra: vec![],
        };
        let values = values(&connect_result(1.0, &connect));
        assert_eq!(values[..2], ["_result".into(), 1.0.into()]);
        let server = [
            ("fmsVer", "FMS/3,5,7,7009".into()),
            ("capabilities", 31.0.into()),
            ("mode", 1.0.into()),
        ];
        assert_eq!(values[2], Value::Object(properties(server)));
        let info = properties([
            ("level", "status".into()),
            ("code", "NetConnection.Connect.Success".into()),
            ("description", "Connection succeeded.".into()),
            ("objectEncoding", 3.0.into()),
            (
                "data",
                Value::EcmaArray(vec![("version".into(), "3,5,7,7009".into())]),
            ),
        ]);
        assert_eq!(values[3..], [Value::Object(info)]);
    }

    #[test]
    fn enhanced_clients_learn_what_we_send() {
        let connect = Connect {
            object: vec![("capsEx".into(), 15.0.into())],
            extra: vec![],
        };
        let values = values(&connect_result(1.0, &connect));
        assert_eq!(values[2].get("capsEx"), Some(&0.0.into()));
        let codecs = ["hvc1", "av01", "vp09", "Opus", "fLaC", "ac-3", "ec-3"].map(Value::from);
        assert_eq!(
            values[2].get("fourCcList"),
            Some(&Value::StrictArray(codecs.into()))
        );
        assert_eq!(
            values[2].get("videoFourCcInfoMap").unwrap().get("av01"),
            Some(&4.0.into())
        );
    }

    #[test]
    fn an_end_has_its_reason() {
        let values = values(&connect_closed("for that"));
        assert_eq!(values[0], "onStatus".into());
        let text = format!("{:?}", values[3]);
        assert!(
            text.contains("NetConnection.Connect.Closed") && text.contains("for that"),
            "{text}"
        );
    }

    #[test]
    fn rejections_carry_their_word_twice() {
        for (rejection, word, code) in [
            (
                Rejection::DistributionNotFound,
                "DistributionNotFound",
                "NetConnection.Connect.Rejected",
            ),
            (
                Rejection::DistributionTypeMismatch,
                "DistributionTypeMismatch",
                "NetConnection.Connect.Rejected",
            ),
            (
                Rejection::InvalidInstance,
                "InvalidInstance",
                "NetConnection.Connect.Rejected",
            ),
            (
                Rejection::InvalidUri,
                "InvalidURI",
                "NetConnection.Connect.Rejected",
            ),
            (
                Rejection::InvalidApp,
                "InvalidURI",
                "NetConnection.Connect.InvalidApp",
            ),
            (
                Rejection::Full,
                "TooManyConnections",
                "NetConnection.Connect.Rejected",
            ),
            (
                Rejection::AddressFull,
                "TooManyConnectionsFromAddress",
                "NetConnection.Connect.Rejected",
            ),
            (
                Rejection::DistributionFull,
                "TooManyConnectionsToDistribution",
                "NetConnection.Connect.Rejected",
            ),
        ] {
            let info = properties([
                ("level", "error".into()),
                ("code", code.into()),
                ("description", format!("[ Server.Reject ] : {word}").into()),
                (
                    "application",
                    Value::Object(vec![("message".into(), word.into())]),
                ),
            ]);
            let expected = [
                "_error".into(),
                1.0.into(),
                Value::Null,
                Value::Object(info),
            ];
            assert_eq!(values(&connect_error(1.0, rejection)), expected);
        }
    }
}
