//! User control events (RTMP 1.0 section 6.2 and 7.1.7).

use super::{USER_CONTROL, control::control};
use crate::wire::{Reader, Truncated};

/// An event of the connection or of one message stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserControl {
    /// 0: the message stream can be used; media follows.
    StreamBegin(u32),
    /// 1: no more media follows on the stream.
    StreamEof(u32),
    /// 2: there is no data for a while.
    StreamDry(u32),
    /// 3: how many milliseconds of media the client wants to hold in advance.
    SetBufferLength {
        /// The message stream.
        stream: u32,
        /// Milliseconds.
        millis: u32,
    },
    /// 4: the stream is a recording.
    StreamIsRecorded(u32),
    /// 6: is the client there? Carries our time, milliseconds.
    PingRequest(u32),
    /// 7: it is. Carries the time of the request.
    PingResponse(u32),
    /// Any other event.
    Unknown(u16),
}

impl UserControl {
    /// Reads the payload of a user control message.
    pub fn parse(payload: &[u8]) -> Result<Self, Truncated> {
        let mut reader = Reader::new(payload);
        Ok(match reader.u16()? {
            0 => Self::StreamBegin(reader.u32()?),
            1 => Self::StreamEof(reader.u32()?),
            2 => Self::StreamDry(reader.u32()?),
            3 => Self::SetBufferLength {
                stream: reader.u32()?,
                millis: reader.u32()?,
            },
            4 => Self::StreamIsRecorded(reader.u32()?),
            6 => Self::PingRequest(reader.u32()?),
            7 => Self::PingResponse(reader.u32()?),
            event => Self::Unknown(event),
        })
    }

    /// Appends the event as a whole message. An unknown one is written without arguments.
    pub fn write(self, out: &mut Vec<u8>) {
        let (event, first) = match self {
            Self::StreamBegin(stream) => (0, Some(stream)),
            Self::StreamEof(stream) => (1, Some(stream)),
            Self::StreamDry(stream) => (2, Some(stream)),
            Self::SetBufferLength { stream, .. } => (3, Some(stream)),
            Self::StreamIsRecorded(stream) => (4, Some(stream)),
            Self::PingRequest(time) => (6, Some(time)),
            Self::PingResponse(time) => (7, Some(time)),
            Self::Unknown(event) => (event, None),
        };
        let mut payload = u16::to_be_bytes(event).to_vec();
        payload.extend(first.into_iter().flat_map(u32::to_be_bytes));
        if let Self::SetBufferLength { millis, .. } = self {
            payload.extend_from_slice(&millis.to_be_bytes());
        }
        control(out, USER_CONTROL, &payload);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_and_written() {
        let cases: [(UserControl, &[u8]); 8] = [
            (UserControl::StreamBegin(1), &[0, 0, 0, 0, 0, 1]),
            (UserControl::StreamEof(1), &[0, 1, 0, 0, 0, 1]),
            (UserControl::StreamDry(1), &[0, 2, 0, 0, 0, 1]),
            (
                UserControl::SetBufferLength {
                    stream: 1,
                    millis: 3000,
                },
                &[0, 3, 0, 0, 0, 1, 0, 0, 0x0b, 0xb8],
            ),
            (UserControl::StreamIsRecorded(1), &[0, 4, 0, 0, 0, 1]),
            (UserControl::PingRequest(9), &[0, 6, 0, 0, 0, 9]),
            (UserControl::PingResponse(9), &[0, 7, 0, 0, 0, 9]),
            (UserControl::Unknown(27), &[0, 27]),
        ];
        for (event, payload) in cases {
            assert_eq!(UserControl::parse(payload), Ok(event));
            let mut out = Vec::new();
            event.write(&mut out);
            assert_eq!(
                out[..12],
                [2, 0, 0, 0, 0, 0, payload.len() as u8, 4, 0, 0, 0, 0]
            );
            assert_eq!(&out[12..], payload);
        }
    }

    #[test]
    fn a_short_event_is_an_error() {
        assert!(UserControl::parse(&[0]).is_err());
        assert!(UserControl::parse(&[0, 3, 0, 0, 0, 1, 0]).is_err());
        assert_eq!(
            UserControl::parse(&[0, 27, 1, 2, 3]),
            Ok(UserControl::Unknown(27))
        );
    }
}
