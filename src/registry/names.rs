//! Names that nobody can guess: ids, domain names, ETags. From the system's random source, and each
//! letter as likely as any other.

use std::fmt::Write;

use super::RegistryError;
use crate::store::StoreError;

/// Letters of an id behind its `E`, and of a domain name behind its `s`: as CloudFront's, and 67
/// bits, so that none ever comes twice, deleted ones included.
const LETTERS: usize = 13;

const UPPER: &[u8; 36] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
const LOWER: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";

/// Random bytes fetched at a time: one fetch is nearly always enough.
const FETCH: usize = 32;

/// Bytes of a canonical user id, which is written in 64 hexadecimal digits.
const USER_BYTES: usize = 32;

/// An id or an ETag: `E` and 13 of A to Z and 0 to 9. `used`: whether there is one already.
pub(super) fn id(used: impl Fn(&str) -> bool) -> Result<String, RegistryError> {
    unused(|| word('E', UPPER), used)
}

/// A domain name: `s`, 13 of a to z and 0 to 9, and the suffix.
pub(super) fn domain(suffix: &str, used: impl Fn(&str) -> bool) -> Result<String, RegistryError> {
    unused(|| Ok(format!("{}.{suffix}", word('s', LOWER)?)), used)
}

/// What S3 calls an origin access identity: 64 hexadecimal digits.
pub(super) fn canonical_user() -> Result<String, RegistryError> {
    let mut bytes = [0; USER_BYTES];
    fill(&mut bytes)?;
    Ok(bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

/// Tries again where a name is used; that never happens twice unless the random source is broken.
fn unused(
    name: impl Fn() -> Result<String, RegistryError>,
    used: impl Fn(&str) -> bool,
) -> Result<String, RegistryError> {
    for _ in 0..3 {
        let name = name()?;
        if !used(&name) {
            return Ok(name);
        }
    }
    Err(broken(&"it repeats itself"))
}

fn word(first: char, letters: &[u8; 36]) -> Result<String, RegistryError> {
    let mut word = String::from(first);
    while word.len() <= LETTERS {
        let mut bytes = [0; FETCH];
        fill(&mut bytes)?;
        // 252 is seven times 36: larger bytes would make some letters likelier.
        let fair = bytes.iter().filter(|byte| **byte < 252);
        let letters = fair.filter_map(|byte| letters.get(usize::from(*byte % 36)));
        let missing = LETTERS.saturating_add(1).saturating_sub(word.len());
        word.extend(letters.take(missing).map(|letter| char::from(*letter)));
    }
    Ok(word)
}

fn fill(bytes: &mut [u8]) -> Result<(), RegistryError> {
    getrandom::fill(bytes).map_err(|error| broken(&error))
}

fn broken(cause: &dyn std::fmt::Display) -> RegistryError {
    let said = format!("the system's random source failed: {cause}");
    RegistryError::Store(StoreError::Unavailable(said))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_have_their_form_and_every_letter() {
        let ids: HashSet<String> = (0..500).map(|_| id(|_| false).unwrap()).collect();
        assert_eq!(ids.len(), 500);
        let mut seen = HashSet::new();
        for id in ids {
            assert!(id.len() == 14 && id.starts_with('E'), "{id}");
            seen.extend(id.bytes());
        }
        assert_eq!(seen, UPPER.iter().copied().collect());
        let domain = domain("example.com", |_| false).unwrap();
        let (label, suffix) = domain.split_once('.').unwrap();
        assert!(label.len() == 14 && label.starts_with('s') && suffix == "example.com");
        assert!(
            label
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        );
        let user = canonical_user().unwrap();
        assert!(user.len() == 64 && user.bytes().all(|b| b.is_ascii_hexdigit()));
    }

    #[test]
    fn a_source_that_repeats_itself_is_an_error() {
        assert!(id(|_| true).is_err());
    }
}
