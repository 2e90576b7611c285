//! Versions of records: a new record's head, the next version's, and what If-Match must say.

use super::draft::Draft;
use super::{RegistryError, names};
use crate::distribution::AccountId;
use crate::distribution::record::{FORMER_MAX, Head};

/// The head of a new record. `used`: whether an id is taken.
pub(super) fn first(
    draft: &Draft,
    account: &AccountId,
    used: impl Fn(&str) -> bool,
) -> Result<Head, RegistryError> {
    Ok(Head {
        id: names::id(used)?,
        account: account.clone(),
        etag: names::id(|_| false)?,
        former: Vec::new(),
        created: draft.now,
        modified: draft.now,
    })
}

/// The head of the next version.
pub(super) fn next(draft: &Draft, old: &Head) -> Result<Head, RegistryError> {
    let etag = names::id(|etag| etag == old.etag || old.former.iter().any(|it| it == etag))?;
    let surplus = old
        .former
        .len()
        .saturating_add(1)
        .saturating_sub(FORMER_MAX);
    let former = old.former.iter().chain([&old.etag]).skip(surplus);
    Ok(Head {
        id: old.id.clone(),
        account: old.account.clone(),
        etag,
        former: former.cloned().collect(),
        created: old.created,
        // A clock that was set back does not make a version older than the one before.
        modified: draft.now.max(old.modified),
    })
}

/// Whether the caller saw the newest version.
pub(super) fn check(head: &Head, if_match: Option<&str>) -> Result<(), RegistryError> {
    match if_match {
        Some(etag) if etag == head.etag => Ok(()),
        Some(etag) if head.former.iter().any(|former| former == etag) => Err(RegistryError::Stale),
        _ => Err(RegistryError::BadIfMatch),
    }
}
