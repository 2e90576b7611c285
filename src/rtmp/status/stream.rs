//! Status of a message stream: the rows of the design's table.

use super::{Outgoing, properties};
use crate::amf::Value;

/// Characters of a stream name that go back to the player. A key has at most 1024 bytes, and a
/// signature and policy about as many; who sends more does not need it repeated at each pause.
const NAME_SHOWN: usize = 2048;

/// Something that a player is told of one of its streams. `name` is the stream name as the player
/// sent it; it goes back as `details`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Status<'a> {
    /// The playlist was emptied.
    PlayReset {
        /// The stream name.
        name: &'a str,
    },
    /// Playing begins.
    PlayStart {
        /// The stream name.
        name: &'a str,
    },
    /// Playing has ended.
    PlayStop {
        /// The stream name.
        name: &'a str,
    },
    /// Media data begins; a data message.
    DataStart,
    /// There is no such stream.
    StreamNotFound {
        /// The stream name.
        name: &'a str,
    },
    /// The stream cannot be played, or no longer.
    PlayFailed {
        /// The stream name.
        name: &'a str,
        /// Why, where the player may know.
        reason: Option<&'a str>,
    },
    /// The file is broken.
    FileStructureInvalid {
        /// The stream name.
        name: &'a str,
    },
    /// The file holds nothing that can be played.
    NoSupportedTrackFound {
        /// The stream name.
        name: &'a str,
    },
    /// A seek is done.
    SeekNotify {
        /// The stream name.
        name: &'a str,
        /// Where to, milliseconds.
        millis: i64,
    },
    /// A seek is refused.
    SeekFailed {
        /// The stream name.
        name: &'a str,
    },
    /// A seek's time makes no sense.
    SeekInvalidTime {
        /// The stream name.
        name: &'a str,
    },
    /// A pause is done.
    PauseNotify {
        /// The stream name.
        name: &'a str,
    },
    /// A resume is done.
    UnpauseNotify {
        /// The stream name.
        name: &'a str,
    },
    /// All of the playlist was sent; a data message.
    PlayComplete {
        /// Play time of what was sent, seconds.
        duration: f64,
        /// Bytes of media that were sent.
        bytes: u64,
    },
    /// The next item of the playlist begins; a data message.
    PlaySwitch,
    /// A transition of play2 is done; a data message.
    TransitionComplete {
        /// The name of the stream that plays now.
        name: &'a str,
    },
    /// A transition of play2 is accepted.
    Transition {
        /// The name of the stream that will play.
        name: &'a str,
        /// Why, as the code of the player's own event: `NetStream.Transition.Success` for one that was asked for.
        reason: &'a str,
    },
    /// Publishing is not allowed.
    PublishDenied {
        /// The stream name.
        name: &'a str,
    },
}

impl Status<'_> {
    /// The message, for the message stream of that number and the client of that id.
    pub fn outgoing(&self, stream: u32, client_id: &str) -> Outgoing {
        let code = ("code", Value::from(self.code()));
        let level = ("level", Value::from(self.level()));
        let play_status =
            |properties| Outgoing::data(&["onPlayStatus".into(), Value::Object(properties)]);
        match *self {
            Self::DataStart => {
                Outgoing::data(&["onStatus".into(), Value::Object(properties([code]))])
            }
            // Sums that a viewer can reach are far below 2^53, where doubles are exact.
            #[allow(clippy::cast_precision_loss)]
            Self::PlayComplete { duration, bytes } => play_status(properties([
                level,
                code,
                ("duration", duration.into()),
                ("bytes", (bytes as f64).into()),
            ])),
            Self::PlaySwitch => play_status(properties([level, code])),
            Self::TransitionComplete { name } => {
                play_status(properties([level, code, ("details", name.into())]))
            }
            _ => {
                let mut info = properties([level, code]);
                info.append(&mut self.particulars(stream, client_id));
                let values = [
                    "onStatus".into(),
                    0.0.into(),
                    Value::Null,
                    Value::Object(info),
                ];
                Outgoing::status(&values)
            }
        }
    }

    /// What an onStatus command says beside level and code.
    fn particulars(&self, stream: u32, client_id: &str) -> Vec<(String, Value)> {
        let description = ("description", self.description(stream).into());
        let details = ("details", self.name().into());
        let client_id = ("clientid", client_id.into());
        match *self {
            Self::Transition { reason, .. } => {
                properties([description, ("reason", reason.into()), details, client_id])
            }
            Self::PublishDenied { .. } => properties([description, client_id]),
            _ => properties([description, details, client_id]),
        }
    }

    const fn code(&self) -> &'static str {
        match self {
            Self::PlayReset { .. } => "NetStream.Play.Reset",
            Self::PlayStart { .. } => "NetStream.Play.Start",
            Self::PlayStop { .. } => "NetStream.Play.Stop",
            Self::DataStart => "NetStream.Data.Start",
            Self::StreamNotFound { .. } => "NetStream.Play.StreamNotFound",
            Self::PlayFailed { .. } => "NetStream.Play.Failed",
            Self::FileStructureInvalid { .. } => "NetStream.Play.FileStructureInvalid",
            Self::NoSupportedTrackFound { .. } => "NetStream.Play.NoSupportedTrackFound",
            Self::SeekNotify { .. } => "NetStream.Seek.Notify",
            Self::SeekFailed { .. } => "NetStream.Seek.Failed",
            Self::SeekInvalidTime { .. } => "NetStream.Seek.InvalidTime",
            Self::PauseNotify { .. } => "NetStream.Pause.Notify",
            Self::UnpauseNotify { .. } => "NetStream.Unpause.Notify",
            Self::PlayComplete { .. } => "NetStream.Play.Complete",
            Self::PlaySwitch => "NetStream.Play.Switch",
            Self::TransitionComplete { .. } => "NetStream.Play.TransitionComplete",
            Self::Transition { .. } => "NetStream.Play.Transition",
            Self::PublishDenied { .. } => "NetStream.Publish.Denied",
        }
    }

    const fn level(&self) -> &'static str {
        match self {
            Self::StreamNotFound { .. }
            | Self::PlayFailed { .. }
            | Self::FileStructureInvalid { .. }
            | Self::NoSupportedTrackFound { .. }
            | Self::SeekFailed { .. }
            | Self::SeekInvalidTime { .. }
            | Self::PublishDenied { .. } => "error",
            _ => "status",
        }
    }

    /// The stream name, as much of it as is shown.
    fn name(&self) -> &str {
        let name = self.whole_name();
        let end = name.char_indices().nth(NAME_SHOWN);
        end.and_then(|(end, _)| name.get(..end)).unwrap_or(name)
    }

    const fn whole_name(&self) -> &str {
        match self {
            Self::PlayReset { name }
            | Self::PlayStart { name }
            | Self::PlayStop { name }
            | Self::StreamNotFound { name }
            | Self::PlayFailed { name, .. }
            | Self::FileStructureInvalid { name }
            | Self::NoSupportedTrackFound { name }
            | Self::SeekNotify { name, .. }
            | Self::SeekFailed { name }
            | Self::SeekInvalidTime { name }
            | Self::PauseNotify { name }
            | Self::UnpauseNotify { name }
            | Self::TransitionComplete { name }
            | Self::Transition { name, .. }
            | Self::PublishDenied { name } => name,
            Self::DataStart | Self::PlayComplete { .. } | Self::PlaySwitch => "",
        }
    }

    fn description(&self, stream: u32) -> String {
        let name = self.name();
        let id = format!("(stream ID: {stream}).");
        match self {
            Self::PlayReset { .. } => format!("Playing and resetting {name}."),
            Self::PlayStart { .. } => format!("Started playing {name}."),
            Self::PlayStop { .. } => format!("Stopped playing {name}."),
            Self::StreamNotFound { .. } => format!("Failed to play {name}; stream not found."),
            Self::PlayFailed { reason: None, .. } => format!("Failed to play {name}; {id}"),
            Self::PlayFailed {
                reason: Some(reason),
                ..
            } => {
                format!("Failed to play {name}; {reason} {id}")
            }
            Self::FileStructureInvalid { .. } => {
                format!("Failed to play {name}; the file structure is invalid.")
            }
            Self::NoSupportedTrackFound { .. } => {
                format!("Failed to play {name}; no supported track was found.")
            }
            Self::SeekNotify { millis, .. } => format!("Seeking {millis} {id}"),
            Self::SeekFailed { .. } => format!("Failed to seek in {name}; {id}"),
            Self::SeekInvalidTime { .. } => format!("The seek time is invalid; {id}"),
            Self::PauseNotify { .. } => format!("Pausing {name}."),
            Self::UnpauseNotify { .. } => format!("Unpausing {name}."),
            Self::Transition { .. } => format!("Transitioning to {name}."),
            Self::PublishDenied { .. } => format!("Publishing {name} is not allowed."),
            Self::DataStart
            | Self::PlayComplete { .. }
            | Self::PlaySwitch
            | Self::TransitionComplete { .. } => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::amf::{Limits, decode_all};

    fn values(status: &Status<'_>) -> (u8, Vec<Value>) {
        let outgoing = status.outgoing(1, "ID");
        assert_eq!(outgoing.csid, 5);
        (
            outgoing.type_id,
            decode_all(&outgoing.payload, &Limits::COMMAND).unwrap(),
        )
    }

    #[test]
    fn commands_have_level_code_description_details_and_client() {
        let name = "mp4:a";
        for (status, level, code) in [
            (Status::PlayReset { name }, "status", "NetStream.Play.Reset"),
            (Status::PlayStart { name }, "status", "NetStream.Play.Start"),
            (Status::PlayStop { name }, "status", "NetStream.Play.Stop"),
            (
                Status::StreamNotFound { name },
                "error",
                "NetStream.Play.StreamNotFound",
            ),
            (
                Status::PlayFailed { name, reason: None },
                "error",
                "NetStream.Play.Failed",
            ),
            (
                Status::FileStructureInvalid { name },
                "error",
                "NetStream.Play.FileStructureInvalid",
            ),
            (
                Status::NoSupportedTrackFound { name },
                "error",
                "NetStream.Play.NoSupportedTrackFound",
            ),
            (
                Status::SeekNotify { name, millis: 5 },
                "status",
                "NetStream.Seek.Notify",
            ),
            (
                Status::SeekFailed { name },
                "error",
                "NetStream.Seek.Failed",
            ),
            (
                Status::SeekInvalidTime { name },
                "error",
                "NetStream.Seek.InvalidTime",
            ),
            (
                Status::PauseNotify { name },
                "status",
                "NetStream.Pause.Notify",
            ),
            (
                Status::UnpauseNotify { name },
                "status",
                "NetStream.Unpause.Notify",
            ),
            (
                Status::Transition {
                    name,
                    reason: "why",
                },
                "status",
                "NetStream.Play.Transition",
            ),
            (
                Status::PublishDenied { name },
                "error",
                "NetStream.Publish.Denied",
            ),
        ] {
            let (type_id, values) = values(&status);
            assert_eq!(type_id, 20);
            assert_eq!(values[..3], ["onStatus".into(), 0.0.into(), Value::Null]);
            assert_eq!(values[3].get("level"), Some(&level.into()), "{status:?}");
            assert_eq!(values[3].get("code"), Some(&code.into()), "{status:?}");
            assert!(
                values[3]
                    .get("description")
                    .unwrap()
                    .as_str()
                    .is_some_and(|text| !text.is_empty())
            );
            assert_eq!(values[3].get("clientid"), Some(&"ID".into()));
            let details = (code != "NetStream.Publish.Denied").then(|| name.into());
            assert_eq!(values[3].get("details"), details.as_ref());
            let reason = (code == "NetStream.Play.Transition").then(|| "why".into());
            assert_eq!(values[3].get("reason"), reason.as_ref());
        }
    }

    #[test]
    fn endless_names_are_cut() {
        let name = "é".repeat(30_000);
        let (_, values) = values(&Status::PlayStart { name: &name });
        assert_eq!(values[3].get("details"), Some(&"é".repeat(2048).into()));
    }

    #[test]
    fn data_messages_have_their_own_forms() {
        let info = |list: &[(&str, Value)]| {
            Value::Object(
                list.iter()
                    .map(|(name, value)| ((*name).to_owned(), value.clone()))
                    .collect(),
            )
        };
        let start = info(&[("code", "NetStream.Data.Start".into())]);
        assert_eq!(
            values(&Status::DataStart),
            (18, vec!["onStatus".into(), start])
        );
        let complete = info(&[
            ("level", "status".into()),
            ("code", "NetStream.Play.Complete".into()),
            ("duration", 12.5.into()),
            ("bytes", 951_888.0.into()),
        ]);
        let status = Status::PlayComplete {
            duration: 12.5,
            bytes: 951_888,
        };
        assert_eq!(values(&status), (18, vec!["onPlayStatus".into(), complete]));
        let switch = info(&[
            ("level", "status".into()),
            ("code", "NetStream.Play.Switch".into()),
        ]);
        assert_eq!(
            values(&Status::PlaySwitch),
            (18, vec!["onPlayStatus".into(), switch])
        );
        let (type_id, done) = values(&Status::TransitionComplete { name: "b" });
        assert_eq!(
            (type_id, done[1].get("code")),
            (18, Some(&"NetStream.Play.TransitionComplete".into()))
        );
    }
}
