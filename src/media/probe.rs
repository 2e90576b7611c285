//! Which container a file is: by its first bytes, and by its name only where they leave it open.
//! Names lie more often: an MP4 called `.flv` plays on every server that looks.

use super::Container;
use super::mp3::{FrameHead, leading_tag};

/// The box types with which an ISO or QuickTime file begins (ISO/IEC 14496-12 section 4.2;
/// QuickTime File Format, "Atoms").
const FIRST_BOXES: [&[u8; 4]; 10] = [
    b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"free", b"skip", b"wide", b"pnot", b"sidx",
];

/// Tells the container of a file from its first bytes (128 KiB are what a first read has, 12 tell
/// most) and its name or key. `None` where it is none that this server reads.
pub fn detect(name: &str, head: &[u8]) -> Option<Container> {
    by_magic(head).or_else(|| by_name(name))
}

fn by_magic(head: &[u8]) -> Option<Container> {
    match head {
        // The version has never been another than 1; ffmpeg takes what is below 5.
        [b'F', b'L', b'V', 0..5, ..] => Some(Container::Flv),
        _ if is_box(head) => Some(Container::Mp4),
        _ if is_mpeg_audio(head) => Some(Container::Mp3),
        _ => None,
    }
}

/// Whether a box begins here that can be the first. Sizes of 0 (to the end of the file) and 1
/// (64-bit size follows) are special; a box is never smaller than its head.
fn is_box(head: &[u8]) -> bool {
    let [a, b, c, d, kind @ ..] = head else {
        return false;
    };
    let size = u32::from_be_bytes([*a, *b, *c, *d]);
    let named = kind
        .first_chunk()
        .is_some_and(|kind| FIRST_BOXES.contains(&kind));
    named && (size <= 1 || size >= 8)
}

/// Whether two frames stand here, or behind an ID3 tag. A tag that is longer than what was read
/// counts by itself: little else has one.
fn is_mpeg_audio(head: &[u8]) -> bool {
    let mut rest = head;
    while let Some(len) = leading_tag(rest) {
        let behind = usize::try_from(len).ok().and_then(|len| rest.get(len..));
        match behind {
            Some(behind) if !behind.is_empty() => rest = behind,
            _ => return true,
        }
    }
    // Tags may be padded with zeros beyond their size.
    let padding = rest.iter().take_while(|byte| **byte == 0).count();
    rest.get(padding..).is_some_and(are_two_frames)
}

fn are_two_frames(bytes: &[u8]) -> bool {
    let Some(first) = FrameHead::parse(bytes) else {
        return false;
    };
    let second = usize::try_from(first.len)
        .ok()
        .and_then(|len| bytes.get(len..));
    second
        .and_then(FrameHead::parse)
        .is_some_and(|second| first.is_like(&second))
}

fn by_name(name: &str) -> Option<Container> {
    let (_, extension) = name.rsplit_once('.')?;
    match extension.to_ascii_lowercase().as_str() {
        "flv" => Some(Container::Flv),
        "mp4" | "m4v" | "m4a" | "m4b" | "f4v" | "f4a" | "f4p" | "f4b" | "mov" | "qt" | "3gp"
        | "3g2" => Some(Container::Mp4),
        "mp3" | "mp2" | "mpga" => Some(Container::Mp3),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// MPEG 1 layer III, 128 kbit/s, 44,100 Hz: 417 bytes.
    const FRAME: [u8; 4] = [0xff, 0xfb, 0x90, 0];

    fn frames() -> Vec<u8> {
        let mut bytes = vec![0; 1000];
        bytes[..4].copy_from_slice(&FRAME);
        bytes[417..421].copy_from_slice(&FRAME);
        bytes
    }

    #[test]
    fn the_bytes_decide() {
        let detected = |head: &[u8]| detect("x.txt", head);
        assert_eq!(detected(b"FLV\x01\x05\0\0\0\x09"), Some(Container::Flv));
        assert_eq!(detected(b"FLVx"), None);
        assert_eq!(detected(b"\0\0\0\x20ftypisom"), Some(Container::Mp4));
        assert_eq!(detected(b"\0\0\0\x01mdat"), Some(Container::Mp4));
        assert_eq!(detected(b"\0\0\0\x08wide"), Some(Container::Mp4));
        assert_eq!(detected(b"\0\0\0\x07free"), None, "smaller than its head");
        assert_eq!(detected(&frames()), Some(Container::Mp3));
        assert_eq!(detected(&frames()[..420]), None, "one frame alone");
        let tag = b"ID3\x03\0\0\0\0\0\x05.....";
        assert_eq!(
            detected(&[&tag[..], &frames()].concat()),
            Some(Container::Mp3)
        );
        assert_eq!(
            detected(&[&tag[..], &[0; 9], &frames()].concat()),
            Some(Container::Mp3)
        );
        assert_eq!(
            detected(&tag[..14]),
            Some(Container::Mp3),
            "only the tag was read"
        );
        assert_eq!(detected(&[&tag[..], b"fLaC and more"].concat()), None);
        assert_eq!(
            detect("film.mp4", b"FLV\x01\x05\0\0\0\x09"),
            Some(Container::Flv)
        );
        assert_eq!(
            detect("film.flv", b"\0\0\0\x20ftypisom"),
            Some(Container::Mp4)
        );
    }

    #[test]
    fn the_name_decides_where_they_do_not() {
        assert_eq!(detect("a/b.c/song.MP3", &[0; 100]), Some(Container::Mp3));
        assert_eq!(detect("a.flv/song", &[0; 100]), None);
        assert_eq!(detect("film.f4v", b""), Some(Container::Mp4));
        assert_eq!(detect("film.flv", b"FL"), Some(Container::Flv));
        assert_eq!(detect("film", b""), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_told(head: Vec<u8>, id3: bool) {
            let head = if id3 { [&b"ID3\x04\0\0\0\0\0\0"[..], &head].concat() } else { head };
            let _ = detect("x", &head);
        }
    }
}
