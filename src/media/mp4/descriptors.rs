//! The MPEG-4 descriptors of an esds box: which codec an `mp4a` sample entry means, and its
//! AudioSpecificConfig (ISO/IEC 14496-1 section 7.2.6; object types: mp4ra.org).

use std::ops::Range;

use crate::wire::{Reader, Truncated};

const ES_DESCRIPTOR: u8 = 3;
const DECODER_CONFIG: u8 = 4;
const DECODER_SPECIFIC: u8 = 5;

/// What an esds box says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Elementary {
    /// objectTypeIndication.
    pub object_type: u8,
    /// Where the DecoderSpecificInfo (for AAC the AudioSpecificConfig) is in the body of the box;
    /// empty where there is none.
    pub specific: Range<usize>,
}

/// Reads the body of an esds box, version and flags included.
pub(super) fn elementary(body: &[u8]) -> Result<Elementary, Truncated> {
    let mut reader = Reader::new(body);
    reader.skip(4)?;
    let (tag, _) = descriptor(&mut reader)?;
    // Some writers leave the ES descriptor out and begin with the decoder's.
    if tag == ES_DESCRIPTOR {
        skip_stream_head(&mut reader)?;
        descriptor_of(&mut reader, DECODER_CONFIG)?;
    }
    let object_type = reader.u8()?;
    reader.skip(12)?;
    let specific = match descriptor_of(&mut reader, DECODER_SPECIFIC) {
        Ok(len) => {
            let start = reader.position();
            let len = len.min(reader.remaining());
            start..start.saturating_add(len)
        }
        Err(_) => 0..0,
    };
    Ok(Elementary {
        object_type,
        specific,
    })
}

/// Id and flags of an ES descriptor, and what the flags add.
fn skip_stream_head(reader: &mut Reader<'_>) -> Result<(), Truncated> {
    reader.skip(2)?;
    let flags = reader.u8()?;
    if flags & 0x80 != 0 {
        reader.skip(2)?;
    }
    if flags & 0x40 != 0 {
        let url = reader.u8()?;
        reader.skip(usize::from(url))?;
    }
    if flags & 0x20 != 0 {
        reader.skip(2)?;
    }
    Ok(())
}

/// Moves to the body of the next descriptor with that tag, over others; answers its length.
fn descriptor_of(reader: &mut Reader<'_>, wanted: u8) -> Result<usize, Truncated> {
    loop {
        let (tag, len) = descriptor(reader)?;
        if tag == wanted {
            return Ok(len);
        }
        reader.skip(len)?;
    }
}

/// Tag and length: up to four bytes of seven bits.
fn descriptor(reader: &mut Reader<'_>) -> Result<(u8, usize), Truncated> {
    let tag = reader.u8()?;
    let mut len = 0usize;
    for _ in 0..4 {
        let byte = reader.u8()?;
        len = (len << 7) | usize::from(byte & 0x7F);
        if byte & 0x80 == 0 {
            break;
        }
    }
    Ok((tag, len))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn finds_the_specific_config_behind_long_and_short_lengths() {
        let long = b"\0\0\0\0\x03\x80\x80\x80\x19\0\x01\0\x04\x80\x80\x80\x11\x40\x1512312341234\x05\x80\x80\x80\x02\x12\x10";
        let parsed = elementary(long).unwrap();
        assert_eq!(parsed.object_type, 0x40);
        assert_eq!(&long[parsed.specific], [0x12, 0x10]);
        let short = b"\0\0\0\0\x03\x16\0\x01\0\x04\x11\x67\x1512312341234\x05\x02\x11\x90";
        let parsed = elementary(short).unwrap();
        assert_eq!(
            (parsed.object_type, &short[parsed.specific]),
            (0x67, &[0x11, 0x90][..])
        );
    }

    #[test]
    fn a_stream_with_url_and_without_specific_config() {
        let body =
            b"\0\0\0\0\x03\x20\0\x01\xe0\0\0\x03abc\0\0\x04\x0d\x6b\x15\0\0\0\0\0\0\0\0\0\0\0";
        let parsed = elementary(body).unwrap();
        assert_eq!((parsed.object_type, parsed.specific), (0x6b, 0..0));
    }

    proptest! {
        #[test]
        fn never_points_outside(body: Vec<u8>) {
            if let Ok(parsed) = elementary(&body) {
                prop_assert!(body.get(parsed.specific).is_some());
            }
        }
    }
}
