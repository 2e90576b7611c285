//! RTMP messages as a client sees them, and what tests ask of them.

use super::amf::{Amf, read_all};

/// One RTMP message.
#[derive(Clone, PartialEq)]
pub struct Message {
    pub chunk_stream: u32,
    pub kind: u8,
    pub time: u32,
    pub stream: u32,
    pub body: Vec<u8>,
}

impl std::fmt::Debug for Message {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            chunk_stream,
            kind,
            time,
            stream,
            body,
        } = self;
        write!(
            formatter,
            "type {kind} at {time} stream {stream} cs {chunk_stream}, {} B",
            body.len()
        )?;
        if let Some(command) = self.command() {
            write!(formatter, " {command:?}")?;
        }
        Ok(())
    }
}

/// A status, from an onStatus command or an onPlayStatus data message.
#[derive(Debug, Clone)]
pub struct Status {
    pub name: String,
    pub stream: u32,
    pub code: String,
    pub level: String,
    pub info: Amf,
}

impl Message {
    /// The values of a command (type 20) or data message (type 18).
    pub fn command(&self) -> Option<Vec<Amf>> {
        matches!(self.kind, 18 | 20).then(|| read_all(&self.body))
    }

    /// The name of a command or data message.
    pub fn name(&self) -> Option<String> {
        self.command()?.first()?.as_text().map(str::to_owned)
    }

    pub fn status(&self) -> Option<Status> {
        let values = self.command()?;
        let name = values.first()?.as_text()?.to_owned();
        let info = values
            .iter()
            .find(|value| value.get("code").is_some())?
            .clone();
        let field = |field: &str| {
            info.get(field)
                .and_then(Amf::as_text)
                .unwrap_or("")
                .to_owned()
        };
        let (code, level) = (field("code"), field("level"));
        Some(Status {
            name,
            stream: self.stream,
            code,
            level,
            info,
        })
    }

    /// Event type and the words behind it, of a user control message (type 4).
    pub fn control(&self) -> Option<(u16, Vec<u32>)> {
        let (event, words) = (self.kind == 4).then(|| self.body.split_first_chunk::<2>())??;
        let words = words
            .chunks_exact(4)
            .map(|word| u32::from_be_bytes(word.try_into().expect("4")));
        Some((u16::from_be_bytes(*event), words.collect()))
    }

    pub fn is_media(&self) -> bool {
        matches!(self.kind, 8 | 9)
    }

    /// Whether this is a codec head or an end of sequence, not a sample.
    pub fn is_head(&self) -> bool {
        match (self.kind, self.body.as_slice()) {
            (9, [first, ..]) if first & 0x80 != 0 => !matches!(first & 0x0F, 1 | 3),
            (9, [first, packet, ..]) if first & 0x0F == 7 => *packet != 1,
            (8, [first, packet, ..]) if first >> 4 == 10 => *packet == 0,
            (8, [first, ..]) if first >> 4 == 9 => first & 0x0F != 1,
            _ => false,
        }
    }

    /// Whether decoding can begin here.
    pub fn is_key(&self) -> bool {
        self.kind == 8 || (self.kind == 9 && self.body.first().is_some_and(|b| b >> 4 & 7 == 1))
    }

    /// The elementary-stream bytes of a classic tag: the body without its FLV head.
    pub fn payload(&self) -> &[u8] {
        let skip = match (self.kind, self.body.first()) {
            (9, Some(first)) if first & 0x0F == 7 => 5,
            (8, Some(first)) if first >> 4 == 10 => 2,
            _ => 1,
        };
        self.body.get(skip..).unwrap_or_default()
    }
}

/// The chunks of one message, the first with a full head.
pub fn chunks(message: &Message, size: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let id = u8::try_from(message.chunk_stream).expect("a small chunk stream");
    out.push(id);
    out.extend(&message.time.min(0xFF_FFFF).to_be_bytes()[1..]);
    out.extend(
        &u32::try_from(message.body.len())
            .expect("a small message")
            .to_be_bytes()[1..],
    );
    out.push(message.kind);
    out.extend(message.stream.to_le_bytes());
    for (number, part) in message.body.chunks(size).enumerate() {
        if number > 0 {
            out.push(0xC0 | id);
        }
        out.extend(part);
    }
    out
}

/// The last messages, for a failure.
pub fn tail(messages: &[Message]) -> &[Message] {
    &messages[messages.len().saturating_sub(8)..]
}

/// The samples among messages: media without codec heads.
pub fn samples(messages: &[Message]) -> Vec<&Message> {
    messages
        .iter()
        .filter(|message| message.is_media() && !message.is_head())
        .collect()
}

/// The codes of all statuses among messages, in order.
pub fn codes(messages: &[Message]) -> Vec<String> {
    messages
        .iter()
        .filter_map(Message::status)
        .map(|status| status.code)
        .collect()
}

/// Fails unless `messages` close with the end sequence of rule of delivery 12, in its order and
/// once: StreamEOF, Play.Complete with duration and bytes, Play.Stop.
pub fn assert_end(messages: &[Message], stream: u32) {
    let ends: Vec<String> = messages
        .iter()
        .filter_map(|message| {
            let stream_of_event = |words: Vec<u32>| words.first() == Some(&stream);
            match message.control() {
                Some((1, words)) if stream_of_event(words.clone()) => Some("StreamEOF".to_owned()),
                _ => message
                    .status()
                    .filter(|s| s.stream == stream)
                    .map(|s| s.code),
            }
        })
        .filter(|code| {
            [
                "StreamEOF",
                "NetStream.Play.Complete",
                "NetStream.Play.Stop",
            ]
            .contains(&code.as_str())
        })
        .collect();
    // A seek sends a StreamEOF of its own (rtmp.md 4.3), so only the last three are looked at, and
    // that Complete and Stop are nowhere else.
    let last: Vec<&str> = ends
        .iter()
        .rev()
        .take(3)
        .rev()
        .map(String::as_str)
        .collect();
    assert_eq!(
        last,
        [
            "StreamEOF",
            "NetStream.Play.Complete",
            "NetStream.Play.Stop"
        ],
        "{ends:?}"
    );
    let stops = ends.iter().filter(|code| *code != "StreamEOF").count();
    assert_eq!(stops, 2, "the end sequence comes once: {ends:?}");
    let complete = messages
        .iter()
        .filter_map(Message::status)
        .find(|status| status.code == "NetStream.Play.Complete" && status.stream == stream);
    let complete = complete.expect("Play.Complete");
    assert_eq!(complete.name, "onPlayStatus", "{complete:?}");
    for field in ["duration", "bytes"] {
        let value = complete.info.get(field).and_then(Amf::as_number);
        assert!(
            value.is_some_and(|number| number >= 0.0),
            "{field} of {complete:?}"
        );
    }
}
