//! Bounds that several kinds share.

use super::RegistryError;
use crate::distribution::streaming::{COMMENT_CHARS, REFERENCE_BYTES};

/// The longest name of a public key or key group, characters.
const NAME_CHARS: usize = 128;

pub(super) fn reference(text: &str) -> Result<(), RegistryError> {
    let most = REFERENCE_BYTES.saturating_sub(1);
    within("CallerReference", "bytes", text.len(), 1, most)
}

pub(super) fn comment(text: &str) -> Result<(), RegistryError> {
    within(
        "Comment",
        "characters",
        text.chars().count(),
        0,
        COMMENT_CHARS,
    )
}

pub(super) fn name(text: &str) -> Result<(), RegistryError> {
    within("Name", "characters", text.chars().count(), 1, NAME_CHARS)
}

fn within(
    what: &str,
    unit: &str,
    size: usize,
    least: usize,
    most: usize,
) -> Result<(), RegistryError> {
    if (least..=most).contains(&size) {
        Ok(())
    } else {
        let said = format!("{what} must have {least} to {most} {unit}");
        Err(RegistryError::Argument(said))
    }
}
