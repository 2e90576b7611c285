//! The name of a file, which is that of its object.

use std::fmt::Write;
use std::io;

use crate::log::row::when;

/// Letters of the part that tells files of an hour apart, and how many (cloudfront.md, section
/// 4.1).
const LETTERS: &[u8; 36] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
const UNIQUE: usize = 11;

/// `ID.YYYY-MM-DD-HH.UNIQUE` for an hour that begins at `seconds` since 1970.
pub(super) fn name(distribution: &str, seconds: i64) -> io::Result<String> {
    let mut name = format!("{distribution}.");
    when(&mut name, seconds, "%Y-%m-%d-%H");
    // Of 36 letters each is as likely as the others, but for one in 18 billion.
    for _ in 0..UNIQUE {
        let chance = getrandom::u32().map_err(io::Error::other)? as usize;
        let letter = LETTERS[chance % LETTERS.len()];
        name.push(char::from(letter));
    }
    let at = name.len() - UNIQUE;
    name.insert(at, '.');
    Ok(name)
}

/// The key of the object.
pub fn object_key(prefix: &str, name: &str) -> String {
    let mut key = prefix.to_owned();
    if !prefix.is_empty() && !prefix.ends_with('/') {
        key.push('/');
    }
    // Writing to a string does not fail.
    let _ = write!(key, "{name}.gz");
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_the_documented_form() {
        let one = name("EMLARXS9EXAMPLE", 1_415_995_200).unwrap();
        let unique = one.strip_prefix("EMLARXS9EXAMPLE.2014-11-14-20.").unwrap();
        assert_eq!(unique.len(), UNIQUE);
        assert!(unique.bytes().all(|byte| LETTERS.contains(&byte)), "{one}");
        assert_ne!(one, name("EMLARXS9EXAMPLE", 1_415_995_200).unwrap());
    }

    #[test]
    fn a_prefix_ends_in_a_slash() {
        assert_eq!(object_key("", "n"), "n.gz");
        assert_eq!(object_key("a", "n"), "a/n.gz");
        assert_eq!(object_key("a/b/", "n"), "a/b/n.gz");
    }
}
