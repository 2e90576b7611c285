//! One chunk header, read where it stands; only one that a read cuts in two is gathered (RTMP 1.0,
//! section 5.3.1).

use super::EXTENDED;
use crate::wire::{Reader, Truncated};

/// The longest header: three bytes of chunk stream, eleven of message, four of timestamp.
const HEADER_MAX: usize = 18;

/// What one chunk header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The chunk stream.
    pub csid: u32,
    /// What depends on the format.
    pub fields: Fields,
    /// The four bytes of an extended timestamp, where there are.
    pub extended: Option<u32>,
}

/// The part of a header that depends on its format. `time` is in milliseconds, an absolute
/// timestamp in type 0 and a difference in the others, and 0xFFFFFF where it is in the four bytes;
/// `len` is bytes of payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "RTMP 1.0, sections 5.3.1.2.1 to 5.3.1.2.4, names the fields"
)]
pub enum Fields {
    /// Type 0.
    Full {
        time: u32,
        len: u32,
        type_id: u8,
        stream: u32,
    },
    /// Type 1.
    SameStream { time: u32, len: u32, type_id: u8 },
    /// Type 2.
    TimeOnly { time: u32 },
    /// Type 3.
    Nothing,
}

/// The bytes of a header as far as they have arrived.
#[derive(Debug, Clone)]
pub struct Gathered {
    bytes: [u8; HEADER_MAX],
    len: usize,
}

impl Default for Gathered {
    fn default() -> Self {
        Self::new()
    }
}

impl Gathered {
    /// None yet.
    pub const fn new() -> Self {
        Self {
            bytes: [0; HEADER_MAX],
            len: 0,
        }
    }

    /// Takes from `input` the bytes of one header, no more. `None` while it is not whole.
    /// `extends` tells whether type 3 chunks of a chunk stream repeat an extended timestamp.
    pub fn take(&mut self, input: &mut &[u8], extends: impl Fn(u32) -> bool) -> Option<Header> {
        if self.len == 0
            && let Ok((header, len)) = parse(input, &extends)
        {
            *input = input.get(len..).unwrap_or_default();
            return Some(header);
        }
        loop {
            let gathered = self.bytes.get(..self.len).unwrap_or_default();
            if let Ok((header, _)) = parse(gathered, &extends) {
                self.len = 0;
                return Some(header);
            }
            let (byte, rest) = input.split_first()?;
            let slot = self.bytes.get_mut(self.len)?;
            *slot = *byte;
            self.len = self.len.saturating_add(1);
            *input = rest;
        }
    }

    /// How many bytes of a header have arrived.
    pub(super) const fn len(&self) -> usize {
        self.len
    }
}

/// The header at the start of `bytes`, and its length.
fn parse(bytes: &[u8], extends: impl Fn(u32) -> bool) -> Result<(Header, usize), Truncated> {
    let mut reader = Reader::new(bytes);
    let first = reader.u8()?;
    let csid = match first & 0x3f {
        0 => u32::from(reader.u8()?).saturating_add(64),
        1 => {
            let [low, high] = reader.array()?;
            u32::from(u16::from_le_bytes([low, high])).saturating_add(64)
        }
        csid => u32::from(csid),
    };
    let fields = match first >> 6 {
        0 => Fields::Full {
            time: reader.u24()?,
            len: reader.u24()?,
            type_id: reader.u8()?,
            stream: reader.u32_le()?,
        },
        1 => Fields::SameStream {
            time: reader.u24()?,
            len: reader.u24()?,
            type_id: reader.u8()?,
        },
        2 => Fields::TimeOnly {
            time: reader.u24()?,
        },
        _ => Fields::Nothing,
    };
    let is_extended = match fields {
        Fields::Full { time, .. } | Fields::SameStream { time, .. } | Fields::TimeOnly { time } => {
            time == EXTENDED
        }
        Fields::Nothing => extends(csid),
    };
    let extended = is_extended.then(|| reader.u32()).transpose()?;
    let header = Header {
        csid,
        fields,
        extended,
    };
    Ok((header, reader.position()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(mut bytes: &[u8], extends: bool) -> Option<(Header, usize)> {
        let whole = bytes.len();
        let header = Gathered::new().take(&mut bytes, |_| extends)?;
        Some((header, whole - bytes.len()))
    }

    #[test]
    fn every_format_takes_its_own_bytes_and_no_more() {
        let mut bytes = vec![0x03, 0, 0, 1, 0, 0, 2, 20, 1, 0, 0, 0];
        bytes.extend([0xee; 20]);
        let full = Fields::Full {
            time: 1,
            len: 2,
            type_id: 20,
            stream: 1,
        };
        assert_eq!(
            header(&bytes, true),
            Some((
                Header {
                    csid: 3,
                    fields: full,
                    extended: None
                },
                12
            ))
        );
        bytes[0] = 0x43;
        let same = Fields::SameStream {
            time: 1,
            len: 2,
            type_id: 20,
        };
        assert_eq!(
            header(&bytes, true),
            Some((
                Header {
                    csid: 3,
                    fields: same,
                    extended: None
                },
                8
            ))
        );
        bytes[0] = 0x83;
        let time = Fields::TimeOnly { time: 1 };
        assert_eq!(
            header(&bytes, true),
            Some((
                Header {
                    csid: 3,
                    fields: time,
                    extended: None
                },
                4
            ))
        );
        bytes[0] = 0xc3;
        let none = Header {
            csid: 3,
            fields: Fields::Nothing,
            extended: None,
        };
        assert_eq!(header(&bytes, false), Some((none, 1)));
        let again = Header {
            extended: Some(0x0000_0100),
            ..none
        };
        assert_eq!(header(&bytes, true), Some((again, 5)));
    }

    #[test]
    fn chunk_streams_above_63_and_extended_timestamps() {
        let bytes = [0x80, 1, 0xff, 0xff, 0xff, 1, 2, 3, 4];
        let time = Fields::TimeOnly { time: EXTENDED };
        assert_eq!(
            header(&bytes, false),
            Some((
                Header {
                    csid: 65,
                    fields: time,
                    extended: Some(0x0102_0304)
                },
                9
            ))
        );
        let none = Header {
            csid: 64 + 2 + 256 * 3,
            fields: Fields::Nothing,
            extended: None,
        };
        assert_eq!(header(&[0xc1, 2, 3], false), Some((none, 3)));
        assert_eq!(header(&bytes[..8], false), None);
    }
}
