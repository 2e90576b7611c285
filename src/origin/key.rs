//! Which keys may be asked for.
//!
//! S3 itself allows `..` in a key, but servers that keep objects as files do not agree on what it
//! means, and a prefix must hold whoever asks. So such keys are never sent, and are not found.

/// The longest key of S3, in bytes of UTF-8 ("Creating object key names", Amazon S3 user guide).
const LONGEST: usize = 1024;

/// Whether `key` can name an object inside its bucket and prefix: not empty, at most 1,024 bytes,
/// no control characters, not absolute, no folder, no `.` or `..` in it.
pub(super) fn is_sound(key: &str) -> bool {
    !key.is_empty()
        && key.len() <= LONGEST
        && !key.chars().any(char::is_control)
        && !key.starts_with('/')
        && !key.ends_with('/')
        && !key.split('/').any(|part| part == "." || part == "..")
}

/// Whether `key` is also its own only path on a disk: no empty part.
pub(super) fn is_path(key: &str) -> bool {
    is_sound(key) && !key.contains("//")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_out_or_names_no_object_is_refused() {
        for key in [
            "",
            "/etc/passwd",
            "..",
            "../x",
            "a/../b",
            "a/..",
            "./a",
            "a/.",
            "a/",
            "a\0b",
            "a\nb",
        ] {
            assert!(!is_sound(key), "{key:?}");
        }
        assert!(!is_sound(&"k".repeat(1025)));
        for key in [
            "a",
            "a/b.mp4",
            "..a",
            "a..",
            "a/..b/c...",
            "sp ace/ü%2F.flv",
            "a//b",
        ] {
            assert!(is_sound(key), "{key:?}");
        }
        assert!(is_sound(&"k".repeat(1024)));
        assert!(is_path("a/b") && !is_path("a//b"));
    }
}
