//! Stream names: what a player asks to play, and the object keys that it may mean.
//!
//! Pure. Players do not agree on names: ffmpeg strips `.flv` and adds `mp4:`, librtmp strips the
//! extension, splits the address at its last slash and so puts the folder into the application
//! name, Flash players escape the query. [`StreamName::parse`] undoes that as far as it can be
//! known, [`StreamName::candidates`] lists what is left to try, in order. (The rules of
//! CloudFront's streaming distributions and of the players that used them, as captured:
//! spec/cloudfront.md, sections 1.3, 1.4 and 1.7.)
//!
//! A name that could point outside the bucket has no candidates; it is an error here, before any
//! origin sees it. All lengths are in bytes.

use std::fmt;

use percent_encoding::percent_decode_str;

use crate::access::Asked;

/// The longest object key: S3's own limit.
pub const KEY_BYTES_MAX: usize = 1024;

/// The longest name read: the longest key with every byte percent-encoded.
pub const NAME_BYTES_MAX: usize = 3 * KEY_BYTES_MAX;

/// The most candidates of one name, each of which may cost the origin a request: all seven of an
/// MP4 name without extension, after the two likeliest readings of a name whose escapes are meant
/// literally.
pub const CANDIDATES_MAX: usize = 9;

/// Readings tried of a name with escapes as it stands, before it is decoded.
const LITERAL_MAX: usize = 2;

/// The instance that a player names when it names none; it means nothing here.
const DEFAULT_INSTANCE: &str = "_definst_";

/// Extensions that `mp4:` stands for, in the order in which they are tried.
const MP4_EXTENSIONS: [&str; 6] = ["mp4", "m4v", "f4v", "mov", "m4a", "f4a"];

/// Extensions of the same family that no player strips, so that they are never added.
const MP4_EXTENSIONS_KEPT: [&str; 2] = ["3gp", "3g2"];

const FLV_EXTENSION: &str = "flv";
const MP3_EXTENSION: &str = "mp3";

/// The container that a player says a stream is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Prefix {
    /// `mp4:`, the MP4 family.
    Mp4,
    /// `mp3:`
    Mp3,
    /// `flv:`, which no prefix means too.
    Flv,
    /// `id3:`, the tags of an MP3 object; played like `mp3:`.
    Id3,
}

impl Prefix {
    const ALL: [Self; 4] = [Self::Mp4, Self::Mp3, Self::Flv, Self::Id3];

    /// As it stands before a name, colon included.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mp4 => "mp4:",
            Self::Mp3 => "mp3:",
            Self::Flv => "flv:",
            Self::Id3 => "id3:",
        }
    }

    fn split(text: &str) -> (Option<Self>, &str) {
        let found = Self::ALL.into_iter().find_map(|prefix| {
            let (head, rest) = text.split_at_checked(prefix.as_str().len())?;
            head.eq_ignore_ascii_case(prefix.as_str())
                .then_some((Some(prefix), rest))
        });
        found.unwrap_or((None, text))
    }
}

/// Why a stream name cannot be played, whatever the bucket holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing is named, or a folder.
    #[error("the stream name is empty or ends in a slash")]
    Empty,
    /// Longer than a key can be.
    #[error("the stream name has {bytes} bytes, more than a key can have")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// A control character, NUL among them, raw or percent-encoded.
    #[error("the stream name has a control character at byte {at}")]
    Control {
        /// Where, in the name without prefix, decoded where it was encoded.
        at: usize,
    },
    /// A path segment `.` or `..`, raw or percent-encoded, between slashes or backslashes.
    #[error("the stream name has a dot segment at byte {at}")]
    DotSegment {
        /// Where, in the name without prefix, decoded where it was encoded.
        at: usize,
    },
    /// A name that starts with a slash when one has been taken off already.
    #[error("the stream name is an absolute path")]
    Absolute,
}

/// A stream name, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamName {
    /// The container that the player named.
    pub prefix: Option<Prefix>,
    /// The name without prefix and query, as sent: escapes are not decoded, no extension is added.
    /// A folder that the player had put into the application name is back in front of it.
    pub name: String,
    /// What follows the first `?`, without it; `None` when that is nothing.
    pub query: Option<String>,
}

impl StreamName {
    /// Reads the name of a play command. `folder` is what the player put into the application name
    /// beyond the application (`mp4:dir` of `cfx/st/mp4:dir`), or nothing.
    ///
    /// # Errors
    /// When no key can be meant by it: [`NameError`].
    pub fn parse(folder: &str, play: &str) -> Result<Self, NameError> {
        let (path, query) = split_query(play);
        let (own_prefix, name) = strip_front(path);
        let (folder_prefix, folder) = strip_front(folder);
        let name = join(folder, name)?;
        check(&name)?;
        if let Some(decoded) = decode(&name) {
            check(&decoded)?;
        }
        let stream = Self {
            // librtmp's own comes with the extension that it took off, so it knows better.
            prefix: own_prefix.or(folder_prefix),
            name,
            query,
        };
        if stream.candidates().is_empty() {
            let bytes = stream.name.len();
            return Err(NameError::TooLong { bytes });
        }
        Ok(stream)
    }

    /// The keys that may be meant, likeliest first, none twice: at least one and at most
    /// [`CANDIDATES_MAX`].
    pub fn candidates(&self) -> Vec<String> {
        let mut keys = self.readings(&self.name);
        if let Some(decoded) = decode(&self.name) {
            keys.truncate(LITERAL_MAX);
            keys.extend(self.readings(&decoded));
        }
        // Decoding shortens a name and leaves its extension, so that no key comes twice.
        keys.retain(|key| key.len() <= KEY_BYTES_MAX);
        keys
    }

    /// The forms of it that may have been signed.
    pub fn asked(&self) -> Asked {
        let container = Prefix::of_extension(&self.name);
        let stem = self.name.rsplit_once('.').filter(|_| container.is_some());
        Asked {
            name: self.name.clone(),
            stem: stem.map(|(stem, _)| stem.to_owned()),
            prefixed: self.prefix.map(|_| self.to_string()),
            keys: self.candidates(),
        }
    }

    // With the extension of its container a name is taken at its word: one request to the origin.
    fn readings(&self, name: &str) -> Vec<String> {
        let with = |extension: &str| format!("{name}.{extension}");
        let exact = name.to_owned();
        let container = Prefix::of_extension(name);
        match self.prefix {
            None | Some(Prefix::Flv) => match container {
                Some(Prefix::Flv) => vec![exact],
                Some(_) => vec![exact, with(FLV_EXTENSION)],
                None => vec![with(FLV_EXTENSION), exact],
            },
            Some(Prefix::Mp3 | Prefix::Id3) => match container {
                Some(Prefix::Mp3) => vec![exact],
                _ => vec![exact, with(MP3_EXTENSION)],
            },
            Some(Prefix::Mp4) => match container {
                Some(Prefix::Mp4) => vec![exact],
                _ => std::iter::once(exact)
                    .chain(MP4_EXTENSIONS.map(with))
                    .collect(),
            },
        }
    }
}

impl Prefix {
    /// The prefix whose container the extension of a name or key says, in any case of letters.
    pub fn of_extension(name: &str) -> Option<Self> {
        let (stem, extension) = name.rsplit_once('.')?;
        if stem.is_empty() || stem.ends_with('/') {
            return None;
        }
        let is = |known: &&str| extension.eq_ignore_ascii_case(known);
        if is(&FLV_EXTENSION) {
            Some(Self::Flv)
        } else if is(&MP3_EXTENSION) {
            Some(Self::Mp3)
        } else if MP4_EXTENSIONS.iter().chain(&MP4_EXTENSIONS_KEPT).any(is) {
            Some(Self::Mp4)
        } else {
            None
        }
    }
}

impl fmt::Display for StreamName {
    /// Prefix and name, without the query, which may hold a signature.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.prefix.map_or("", Prefix::as_str))?;
        f.write_str(&self.name)
    }
}

/// A name as a player sent it, without its query, which may hold a signature: for logs.
pub fn without_query(play: &str) -> &str {
    split_query(play).0
}

// A name that comes from a web page may have its query escaped: then `=` and `&` are as well
// (cloudfront.md 3.5).
fn split_query(play: &str) -> (&str, Option<String>) {
    let raw = play.find('?');
    let escaped = find_ignoring_case(play, "%3f");
    let (path, query) = match (raw, escaped) {
        (Some(raw), escaped) if escaped.is_none_or(|at| raw < at) => (
            play.get(..raw),
            play.get(raw.saturating_add(1)..).map(str::to_owned),
        ),
        (_, Some(at)) => (
            play.get(..at),
            play.get(at.saturating_add(3)..).map(unescape_query),
        ),
        _ => (Some(play), None),
    };
    let query = query.filter(|query| !query.is_empty());
    (path.unwrap_or(play), query)
}

fn find_ignoring_case(text: &str, wanted: &str) -> Option<usize> {
    text.as_bytes()
        .windows(wanted.len())
        .position(|window| window.eq_ignore_ascii_case(wanted.as_bytes()))
}

fn unescape_query(query: &str) -> String {
    query
        .replace("%3D", "=")
        .replace("%3d", "=")
        .replace("%26", "&")
}

// What players leave in front of a name: video.js its `&`, others a slash or the default instance.
fn strip_front(text: &str) -> (Option<Prefix>, &str) {
    let text = text.strip_prefix('&').unwrap_or(text);
    let text = text.strip_prefix('/').unwrap_or(text);
    let text = match text.strip_prefix(DEFAULT_INSTANCE) {
        Some("") => "",
        Some(rest) => rest.strip_prefix('/').unwrap_or(text),
        None => text,
    };
    match Prefix::split(text) {
        (None, name) => (None, name),
        (prefix, name) => (prefix, name.strip_prefix('/').unwrap_or(name)),
    }
}

fn join(folder: &str, name: &str) -> Result<String, NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    let folder = folder.strip_suffix('/').unwrap_or(folder);
    if folder.is_empty() {
        return Ok(name.to_owned());
    }
    Ok(format!("{folder}/{name}"))
}

fn decode(name: &str) -> Option<String> {
    let decoded = percent_decode_str(name).decode_utf8().ok()?;
    (decoded != name).then(|| decoded.into_owned())
}

fn check(name: &str) -> Result<(), NameError> {
    let bytes = name.len();
    if bytes > NAME_BYTES_MAX {
        return Err(NameError::TooLong { bytes });
    }
    if let Some((at, _)) = name.char_indices().find(|(_, char)| char.is_control()) {
        return Err(NameError::Control { at });
    }
    if name.starts_with('/') {
        return Err(NameError::Absolute);
    }
    if name.is_empty() || name.ends_with('/') {
        return Err(NameError::Empty);
    }
    let mut at = 0_usize;
    for segment in name.split(['/', '\\']) {
        if matches!(segment, "." | "..") {
            return Err(NameError::DotSegment { at });
        }
        at = at.saturating_add(segment.len()).saturating_add(1);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::VERIFICATIONS_MAX;
    use proptest::prelude::*;

    const MP4_OF_X: [&str; 7] = [
        "dir/x",
        "dir/x.mp4",
        "dir/x.m4v",
        "dir/x.f4v",
        "dir/x.mov",
        "dir/x.m4a",
        "dir/x.f4a",
    ];

    fn keys(folder: &str, play: &str) -> Vec<String> {
        StreamName::parse(folder, play).unwrap().candidates()
    }

    fn parts(folder: &str, play: &str) -> (Option<Prefix>, String, Option<String>) {
        let stream = StreamName::parse(folder, play).unwrap();
        (stream.prefix, stream.name, stream.query)
    }

    fn refused(folder: &str, play: &str) -> NameError {
        StreamName::parse(folder, play).unwrap_err()
    }

    // ---- spec/cloudfront.md 1.7, row by row: what was captured from each client. ----

    #[test]
    fn ffmpeg_mp4() {
        assert_eq!(keys("", "mp4:dir/x.mp4"), ["dir/x.mp4"]);
        assert_eq!(keys("", "mp4:x.mp4"), ["x.mp4"]);
    }

    #[test]
    fn ffmpeg_strips_flv() {
        assert_eq!(keys("", "videos/x"), ["videos/x.flv", "videos/x"]);
    }

    #[test]
    fn ffmpeg_with_a_query_adds_no_prefix() {
        let name = "dir/x.mp4".to_owned();
        let query = Some("Expires=1".to_owned());
        assert_eq!(parts("", "dir/x.mp4?Expires=1"), (None, name, query));
        assert_eq!(
            keys("", "dir/x.mp4?Expires=1"),
            ["dir/x.mp4", "dir/x.mp4.flv"]
        );
    }

    #[test]
    fn ffmpeg_with_a_signature() {
        let query = "Expires=1893456000&Signature=a~b-c_d__&Key-Pair-Id=APKA";
        let play = format!("mp4:dir/x.mp4?{query}");
        let expected = (
            Some(Prefix::Mp4),
            "dir/x.mp4".to_owned(),
            Some(query.to_owned()),
        );
        assert_eq!(parts("", &play), expected);
        assert_eq!(keys("", &play), ["dir/x.mp4"]);
    }

    #[test]
    fn ffmpeg_other_prefixes() {
        assert_eq!(keys("", "mp3:dir/song"), ["dir/song", "dir/song.mp3"]);
        assert_eq!(keys("", "flv:dir/x"), ["dir/x.flv", "dir/x"]);
        assert_eq!(keys("", "dir/x"), ["dir/x.flv", "dir/x"]);
    }

    #[test]
    fn librtmp_puts_the_folder_into_the_app() {
        let expected = (Some(Prefix::Mp4), "dir/x".to_owned(), None);
        assert_eq!(parts("mp4:dir", "mp4:x"), expected);
        assert_eq!(keys("mp4:dir", "mp4:x"), MP4_OF_X);
        assert_eq!(keys("videos", "x"), ["videos/x.flv", "videos/x"]);
        assert_eq!(keys("flv:a/b", "x"), ["a/b/x.flv", "a/b/x"]);
        assert_eq!(keys("mp3:a", "mp3:song"), ["a/song", "a/song.mp3"]);
        assert_eq!(keys("&mp4:dir", "mp4:x"), MP4_OF_X);
        // The name of the container that librtmp took the extension of.
        assert_eq!(keys("flv:dir", "mp4:x"), MP4_OF_X);
    }

    #[test]
    fn librtmp_with_app_and_playpath_given() {
        let play = "mp4:dir/x.mp4?Expires=1";
        let expected = (
            Some(Prefix::Mp4),
            "dir/x.mp4".to_owned(),
            Some("Expires=1".to_owned()),
        );
        assert_eq!(parts("", play), expected);
    }

    #[test]
    fn rtmp2src_splits_like_librtmp_but_keeps_the_extension() {
        let expected = (Some(Prefix::Mp4), "dir/x.mp4".to_owned(), None);
        assert_eq!(parts("mp4:dir", "x.mp4"), expected);
        assert_eq!(keys("mp4:dir", "x.mp4"), ["dir/x.mp4"]);
    }

    // ---- 1.3: the players of web pages. ----

    #[test]
    fn jw_player_names() {
        assert_eq!(keys("", "mediafile.flv"), ["mediafile.flv"]);
        assert_eq!(keys("", "videos/mediafile.flv"), ["videos/mediafile.flv"]);
        assert_eq!(keys("", "mp4:dir/file.mp4"), ["dir/file.mp4"]);
        assert_eq!(keys("", "VIDEO.mp4"), ["VIDEO.mp4", "VIDEO.mp4.flv"]);
    }

    #[test]
    fn video_js_names() {
        assert_eq!(keys("", "&mp4:dir/file.mp4"), ["dir/file.mp4"]);
        let signed = parts("", "&flv:dir/hobbit_vp6?Policy=e30_");
        let expected = (
            Some(Prefix::Flv),
            "dir/hobbit_vp6".to_owned(),
            Some("Policy=e30_".to_owned()),
        );
        assert_eq!(signed, expected);
        assert_eq!(
            keys("", "&flv:dir/hobbit_vp6"),
            ["dir/hobbit_vp6.flv", "dir/hobbit_vp6"]
        );
    }

    #[test]
    fn flowplayer_names() {
        assert_eq!(
            keys("", "flowplayer-700"),
            ["flowplayer-700.flv", "flowplayer-700"]
        );
        assert_eq!(keys("", "mp4:путь/с пробелом.mp4"), ["путь/с пробелом.mp4"]);
        assert_eq!(keys("", "mp4:a%20b.mp4"), ["a%20b.mp4", "a b.mp4"]);
        assert_eq!(
            keys("", "%C3%A9t%C3%A9"),
            ["%C3%A9t%C3%A9.flv", "%C3%A9t%C3%A9", "été.flv", "été"]
        );
    }

    #[test]
    fn one_folder_too_many_in_the_app_of_a_splitting_player() {
        assert_eq!(
            keys("dir", "file.mp4"),
            ["dir/file.mp4", "dir/file.mp4.flv"]
        );
        assert_eq!(keys("mp4:dir", "file.mp4"), ["dir/file.mp4"]);
    }

    // ---- 1.4: the documented rules. ----

    #[test]
    fn documented_names() {
        let flv = ["sydney-vacation.flv", "sydney-vacation"];
        assert_eq!(keys("", "sydney-vacation"), flv);
        assert_eq!(keys("", "sydney-vacation.flv"), ["sydney-vacation.flv"]);
        assert_eq!(keys("", "mp4:magicvideo").len(), 7);
        assert_eq!(keys("", "mp3:song"), ["song", "song.mp3"]);
        assert_eq!(keys("", "id3:song.mp3"), ["song.mp3"]);
    }

    #[test]
    fn prefixes_slashes_and_the_default_instance_are_taken_off_once() {
        for play in [
            "/mp4:a.mp4",
            "mp4:/a.mp4",
            "MP4:a.mp4",
            "&/mp4:a.mp4",
            "_definst_/mp4:a.mp4",
        ] {
            assert_eq!(keys("", play), ["a.mp4"], "{play}");
        }
        assert_eq!(keys("_definst_", "mp4:a.mp4"), ["a.mp4"]);
        assert_eq!(keys("_definst_/mp4:b", "a.mp4"), ["b/a.mp4"]);
        assert_eq!(keys("", "_definst_x"), ["_definst_x.flv", "_definst_x"]);
        assert_eq!(keys("", "mp4:mp4:a.mp4"), ["mp4:a.mp4"]);
        assert_eq!(keys("mp4:", "a.mp4"), ["a.mp4"]);
    }

    #[test]
    fn a_name_that_says_another_container_is_tried_as_it_stands_first() {
        assert_eq!(keys("", "flv:a.mp4"), ["a.mp4", "a.mp4.flv"]);
        assert_eq!(keys("", "mp3:a.mp4"), ["a.mp4", "a.mp4.mp3"]);
        assert_eq!(keys("", "mp4:a.MOV"), ["a.MOV"]);
        assert_eq!(keys("", "mp4:a.3gp"), ["a.3gp"]);
        assert_eq!(keys("", "show.s01e02"), ["show.s01e02.flv", "show.s01e02"]);
        // A name that is only an extension has none.
        assert_eq!(keys("", "a/.mp4"), ["a/.mp4.flv", "a/.mp4"]);
    }

    #[test]
    fn an_escaped_query_is_split_off_and_unescaped() {
        let expected = (
            Some(Prefix::Mp4),
            "a.mp4".to_owned(),
            Some("Expires=1&x=%20".to_owned()),
        );
        assert_eq!(parts("", "mp4:a.mp4%3FExpires%3D1%26x%3d%20"), expected);
        let raw_first = (None, "a".to_owned(), Some("b%3Fc%3D1".to_owned()));
        assert_eq!(parts("", "a?b%3Fc%3D1"), raw_first);
        let escaped_first = (None, "a".to_owned(), Some("b?c".to_owned()));
        assert_eq!(parts("", "a%3fb?c"), escaped_first);
        assert_eq!(parts("", "a?").2, None);
    }

    #[test]
    fn escapes_are_tried_literally_and_decoded_once() {
        let all = keys("", "mp4:a%2525");
        assert_eq!(all.len(), CANDIDATES_MAX);
        assert_eq!(all[..4], ["a%2525", "a%2525.mp4", "a%25", "a%25.mp4"]);
        assert_eq!(keys("", "100%.flv"), ["100%.flv"]);
        // Decoded, this is not UTF-8.
        assert_eq!(keys("", "a%FF.flv"), ["a%FF.flv"]);
    }

    #[test]
    fn names_that_lead_outside_are_refused() {
        for play in [
            "../x",
            "a/../x",
            "a/..",
            "mp4:../x.mp4",
            "mp4:a/../../x.mp4",
            "%2e%2e/x",
            "a%2F..%2fx",
            "..\\x",
            "a\\..\\x",
            "%2e%2E%5cx",
            "./x",
            "a/./x",
            "/../x",
            "&../x",
            "..",
            ".",
        ] {
            let error = refused("", play);
            assert!(
                matches!(error, NameError::DotSegment { .. }),
                "{play}: {error}"
            );
        }
        assert_eq!(refused("", "a/../x"), NameError::DotSegment { at: 2 });
        assert!(matches!(
            refused("..", "x"),
            NameError::DotSegment { at: 0 }
        ));
        assert!(matches!(
            refused("mp4:a/..", "mp4:x"),
            NameError::DotSegment { at: 2 }
        ));
        for play in [
            "//x",
            "//etc/passwd",
            "mp4://x",
            "%2Fetc",
            "/%2fetc",
            "flv:%2Fetc",
        ] {
            assert_eq!(refused("", play), NameError::Absolute, "{play}");
        }
        assert_eq!(refused("//x", "y"), NameError::Absolute);
        // Dots that are no segment of their own are letters.
        assert_eq!(keys("", "a..b/...flv"), ["a..b/...flv"]);
    }

    #[test]
    fn control_characters_are_refused() {
        assert_eq!(refused("", "a\0b"), NameError::Control { at: 1 });
        assert_eq!(refused("", "mp4:ab%00.mp4"), NameError::Control { at: 2 });
        assert_eq!(refused("", "a\r\nb"), NameError::Control { at: 1 });
        assert_eq!(refused("", "a%7F"), NameError::Control { at: 1 });
        assert_eq!(refused("a\nb", "x"), NameError::Control { at: 1 });
    }

    #[test]
    fn empty_names_and_folders_are_refused() {
        for play in [
            "",
            "/",
            "&",
            "mp4:",
            "mp4:/",
            "?a=b",
            "%3Fa",
            "dir/",
            "_definst_",
            "_definst_/",
        ] {
            assert_eq!(refused("", play), NameError::Empty, "{play}");
        }
        assert_eq!(refused("dir", ""), NameError::Empty);
    }

    #[test]
    fn names_longer_than_a_key_are_refused() {
        let fits = "a".repeat(1024);
        // With an extension it would not fit.
        assert_eq!(keys("", &fits), [fits]);
        let bytes = 1025;
        assert_eq!(
            refused("", &"a".repeat(bytes)),
            NameError::TooLong { bytes }
        );
        let encoded = "%C3%A9".repeat(510);
        assert_eq!(
            keys("", &encoded),
            ["é".repeat(510) + ".flv", "é".repeat(510)]
        );
        let bytes = 1_000_000;
        assert_eq!(
            refused("", &"%41".repeat(bytes / 3 + 1)[..bytes]),
            NameError::TooLong { bytes }
        );
    }

    #[test]
    fn the_most_forms_that_a_name_has_are_as_many_as_are_tried() {
        let stream = StreamName::parse("", "mp4:a%2525.flv").unwrap();
        let forms = stream.asked().candidates("a=1", false);
        assert_eq!(forms.len(), VERIFICATIONS_MAX, "{forms:?}");
    }

    #[test]
    fn it_is_shown_without_its_query() {
        let stream = StreamName::parse("mp4:dir", "x.mp4?Signature=secret").unwrap();
        assert_eq!(stream.to_string(), "mp4:dir/x.mp4");
    }

    proptest! {
        #[test]
        fn candidates_stay_inside_the_bucket(
            folder in "((mp4:|flv:|&|/|[.]{1,2}|%2[eEfF]|\\\\|[a-z]|%|é|\\PC){0,12})",
            play in "(mp4:|flv:|mp3:|&|/|[.]{1,2}|%2[eEfF]|%5[cC]|%00|%3F|\\?|\\\\|\0|[a-z]|.mp4|%|é|\\PC){0,24}",
        ) {
            let Ok(stream) = StreamName::parse(&folder, &play) else { return Ok(()) };
            let candidates = stream.candidates();
            prop_assert!(!candidates.is_empty() && candidates.len() <= CANDIDATES_MAX);
            for (index, key) in candidates.iter().enumerate() {
                prop_assert!(!key.starts_with('/') && !key.contains('\0'), "{}", key);
                prop_assert!(!key.is_empty() && key.len() <= KEY_BYTES_MAX);
                prop_assert!(key.split(['/', '\\']).all(|segment| segment != ".." && segment != "."), "{}", key);
                prop_assert!(!candidates[..index].contains(key), "{} twice", key);
            }
        }

        /// So that no form is left out of those that are verified.
        #[test]
        fn no_name_has_more_forms_than_are_tried(
            play in "(mp4:|flv:|mp3:|id3:)?([a-z]|%25|%41|/x){1,6}([.](mp4|flv|mp3|mov|m4v|x))?",
        ) {
            let Ok(stream) = StreamName::parse("", &play) else { return Ok(()) };
            let forms = stream.asked().candidates("a=1", false);
            prop_assert!(forms.len() <= VERIFICATIONS_MAX, "{} {}", play, forms.len());
        }

        #[test]
        fn a_name_with_its_extension_is_one_request(stem in "[a-zé ]{1,9}(/[a-z ]{1,9}){0,3}") {
            for (prefix, extension) in [("mp4:", "mp4"), ("mp3:", "mp3"), ("flv:", "flv"), ("", "flv")] {
                let key = format!("{stem}.{extension}");
                prop_assert_eq!(keys("", &format!("{prefix}{key}?a=b")), vec![key]);
            }
        }
    }
}
