//! What other programs put before and behind the sound: ID3v2 (id3.org, ID3v2.4 structure, section
//! 3.1), and at the end ID3v1, APEv2 and Lyrics3. Only their lengths matter.

use super::get;
use crate::media::Fetched;
use crate::units::ByteRange;
use crate::wire::Reader;

/// Length of an ID3v2 head, and of the footer that repeats it, bytes.
const ID3V2: u64 = 10;
/// Length of an ID3v1 tag, bytes.
const ID3V1: u64 = 128;
/// Length of an APE footer, and of the header that repeats it, bytes.
const APE: u64 = 32;
/// Length of the end of a Lyrics3v2 tag: six digits, which count what is before them, and a mark.
const LYRICS: u64 = 15;

/// How many tags in a row are looked for at either end; files have one or two.
const TAGS: usize = 16;

/// Length of the ID3v2 tag that begins with these bytes (ten are enough), or `None` where there is
/// none.
pub(crate) fn leading(bytes: &[u8]) -> Option<u64> {
    let mut reader = Reader::new(bytes);
    if reader.array().ok()? != *b"ID3" {
        return None;
    }
    let [version, revision, flags] = reader.array().ok()?;
    let size: [u8; 4] = reader.array().ok()?;
    if version == 0xff || revision == 0xff || size.iter().any(|byte| byte & 0x80 != 0) {
        return None;
    }
    let size = size
        .iter()
        .fold(0u64, |size, byte| size << 7 | u64::from(*byte));
    let footer = if flags & 0x10 == 0 { 0 } else { ID3V2 };
    Some(size.saturating_add(ID3V2).saturating_add(footer))
}

/// Where the tags at the start of a file end.
///
/// # Errors
/// What must be read first.
pub(super) fn start(fetched: &Fetched) -> Result<u64, ByteRange> {
    let mut at = 0u64;
    for _ in 0..TAGS {
        let range = ByteRange::at(at, ID3V2).clamp_to(fetched.size());
        match leading(&get(fetched, range)?) {
            Some(len) => at = at.saturating_add(len),
            None => break,
        }
    }
    Ok(at.min(fetched.size()))
}

/// Where the tags at the end of a file begin.
///
/// # Errors
/// What must be read first.
pub(super) fn end(fetched: &Fetched) -> Result<u64, ByteRange> {
    let mut end = fetched.size();
    for _ in 0..TAGS {
        let range = ByteRange::new(end.saturating_sub(ID3V1), end);
        match trailing(&get(fetched, range)?) {
            Some(len) if len <= end => end = end.saturating_sub(len),
            _ => break,
        }
    }
    Ok(end)
}

/// Length of the tag that ends with these bytes, the last 128 or all that are left.
fn trailing(bytes: &[u8]) -> Option<u64> {
    let from_end = |len: u64| {
        let len = usize::try_from(len).ok()?;
        bytes.get(bytes.len().checked_sub(len)?..)
    };
    if from_end(ID3V1).is_some_and(|tag| tag.starts_with(b"TAG")) {
        return Some(ID3V1);
    }
    if let Some(footer) = from_end(APE).filter(|footer| footer.starts_with(b"APETAGEX")) {
        return ape(footer);
    }
    let (digits, mark) = from_end(LYRICS)?.split_at_checked(6)?;
    if mark != b"LYRICS200" {
        return None;
    }
    let before: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(before.saturating_add(LYRICS))
}

/// The whole length of an APE tag: its size field counts the footer, but not the header.
fn ape(footer: &[u8]) -> Option<u64> {
    let mut reader = Reader::new(footer);
    reader.skip(12).ok()?;
    let size = u64::from(reader.u32_le().ok()?);
    reader.skip(4).ok()?;
    let flags = reader.u32_le().ok()?;
    let header = if flags & 0x8000_0000 == 0 { 0 } else { APE };
    (size >= APE).then(|| size.saturating_add(header))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn id3v2(flags: u8, len: u8) -> Vec<u8> {
        let mut tag = vec![b'I', b'D', b'3', 4, 0, flags, 0, 0, 1, len];
        tag.extend(vec![0; 128 + usize::from(len)]);
        tag
    }

    fn ape_tag(header: bool) -> Vec<u8> {
        let edge = |is_header: bool| {
            let flags: u32 =
                if header { 0x8000_0000 } else { 0 } | if is_header { 0x2000_0000 } else { 0 };
            let mut bytes = b"APETAGEX".to_vec();
            bytes.extend_from_slice(&2000u32.to_le_bytes());
            bytes.extend_from_slice(&(32 + 50u32).to_le_bytes());
            bytes.extend_from_slice(&1u32.to_le_bytes());
            bytes.extend_from_slice(&flags.to_le_bytes());
            bytes.extend_from_slice(&[0; 8]);
            bytes
        };
        let before = if header { edge(true) } else { Vec::new() };
        [before, vec![7; 50], edge(false)].concat()
    }

    fn id3v1() -> Vec<u8> {
        [&b"TAG"[..], &[0; 125]].concat()
    }

    fn ends(file: Vec<u8>) -> (u64, u64) {
        let fetched = Fetched::whole(file.into());
        (start(&fetched).unwrap(), end(&fetched).unwrap())
    }

    #[test]
    fn tags_before_the_sound() {
        assert_eq!(ends([id3v2(0, 5), vec![1; 300]].concat()), (143, 443));
        let footer = [id3v2(0x10, 5), vec![0; 10], id3v2(0, 0), vec![1; 300]].concat();
        assert_eq!(ends(footer).0, 143 + 10 + 138);
        assert_eq!(leading(b"ID3\x04\0\0\0\0\x01\x80"), None, "no such size");
        assert_eq!(
            ends(b"ID3\x04\0\0\x7f\x7f\x7f\x7f".to_vec()).0,
            10,
            "longer than the file"
        );
    }

    #[test]
    fn tags_behind_the_sound() {
        let sound = vec![1; 300];
        assert_eq!(ends([&sound[..], &id3v1()].concat()).1, 300);
        assert_eq!(ends([&sound[..], &ape_tag(false)].concat()).1, 300);
        assert_eq!(ends([&sound[..], &ape_tag(true), &id3v1()].concat()).1, 300);
        let lyrics = b"LYRICSBEGINsome text000020LYRICS200";
        assert_eq!(ends([&sound[..], lyrics, &id3v1()].concat()).1, 300);
        assert_eq!(
            ends([&sound[..], b"999999LYRICS200"].concat()).1,
            315,
            "longer than the file"
        );
    }

    proptest! {
        #[test]
        fn any_bytes_have_a_start_and_an_end(bytes: Vec<u8>) {
            let size = u64::try_from(bytes.len()).unwrap();
            let (start, end) = ends(bytes);
            prop_assert!(start <= size && end <= size);
        }
    }
}
