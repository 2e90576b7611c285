//! One chunk header, read where it stands; only one that a read cuts in two is gathered.

use super::Stream;
use crate::wire::{Reader, Truncated};

/// The longest header: three bytes of chunk stream, eleven of message, four of timestamp.
const HEAD_MAX: usize = 18;

/// A timestamp field of this value says that four more bytes hold the timestamp.
const EXTENDED: u32 = 0xff_ffff;

/// What one chunk header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) csid: u32,
    pub(super) fields: Fields,
    pub(super) extended: Option<u32>,
}

/// The part of a header that depends on its form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fields {
    Full {
        time: u32,
        len: u32,
        type_id: u8,
        stream: u32,
    },
    SameStream {
        time: u32,
        len: u32,
        type_id: u8,
    },
    TimeOnly {
        time: u32,
    },
    Nothing,
}

/// The bytes of a header as far as they have arrived.
#[derive(Debug, Clone)]
pub(super) struct Gathered {
    bytes: [u8; HEAD_MAX],
    len: usize,
}

impl Gathered {
    pub(super) const fn new() -> Self {
        Self {
            bytes: [0; HEAD_MAX],
            len: 0,
        }
    }

    /// Takes from `input` the bytes of one header, no more. `None` while it is not whole.
    pub(super) fn take(&mut self, input: &mut &[u8], streams: &[Stream]) -> Option<Head> {
        if self.len == 0
            && let Ok((head, len)) = parse(input, streams)
        {
            *input = input.get(len..).unwrap_or_default();
            return Some(head);
        }
        loop {
            if let Ok((head, _)) = parse(self.bytes.get(..self.len).unwrap_or_default(), streams) {
                self.len = 0;
                return Some(head);
            }
            let (byte, rest) = input.split_first()?;
            *self.bytes.get_mut(self.len)? = *byte;
            self.len = self.len.saturating_add(1);
            *input = rest;
        }
    }
}

/// The header at the start of `bytes`, and its length.
fn parse(bytes: &[u8], streams: &[Stream]) -> Result<(Head, usize), Truncated> {
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
        // A chunk without fields repeats the extended timestamp of the one before it.
        Fields::Nothing => streams
            .iter()
            .any(|stream| stream.csid == csid && stream.extended),
    };
    let extended = is_extended.then(|| reader.u32()).transpose()?;
    let head = Head {
        csid,
        fields,
        extended,
    };
    Ok((head, reader.position()))
}
