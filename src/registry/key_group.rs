//! How key groups come, change and go (cloudfront.md, section 5.6).

use std::sync::Arc;

use super::claim::Claim;
use super::draft::{Draft, Verdict, put};
use super::{Author, RegistryError, head, limits};
use crate::distribution::record::{KeyGroupConfig, KeyGroupRecord};
use crate::store::{Change, Kind};

/// Public keys in a group: CloudFront's own limit.
const KEYS_MAX: usize = 5;

pub(super) fn create(
    draft: &Draft,
    author: &Author,
    config: KeyGroupConfig,
) -> Verdict<Arc<KeyGroupRecord>> {
    check(draft, author, &config, None)?;
    draft.room(Kind::KeyGroup, &author.account)?;
    let state = draft.state();
    let head = head::first(draft, &author.account, |id| {
        state.key_groups.contains_key(id)
    })?;
    Ok(put(KeyGroupRecord { head, config }))
}

pub(super) fn update(
    draft: &Draft,
    author: &Author,
    id: &str,
    if_match: Option<&str>,
    config: KeyGroupConfig,
) -> Verdict<Arc<KeyGroupRecord>> {
    let old = find(draft, author, id)?;
    head::check(&old.head, if_match)?;
    check(draft, author, &config, Some(id))?;
    let head = head::next(draft, &old.head)?;
    Ok(put(KeyGroupRecord { head, config }))
}

pub(super) fn delete(
    draft: &Draft,
    author: &Author,
    id: &str,
    if_match: Option<&str>,
) -> Verdict<()> {
    let old = find(draft, author, id)?;
    head::check(&old.head, if_match)?;
    Ok(((), Some(Change::Delete(Kind::KeyGroup, id.to_owned()))))
}

fn find<'a>(
    draft: &'a Draft,
    author: &Author,
    id: &str,
) -> Result<&'a Arc<KeyGroupRecord>, RegistryError> {
    let found = draft.state().key_group_of(&author.account, id);
    found.ok_or(RegistryError::NotFound(Kind::KeyGroup))
}

/// `own`: the id of what is updated.
fn check(
    draft: &Draft,
    author: &Author,
    config: &KeyGroupConfig,
    own: Option<&str>,
) -> Result<(), RegistryError> {
    limits::name(&config.name)?;
    limits::comment(&config.comment)?;
    let keys = &config.keys;
    if keys.is_empty() || keys.len() > KEYS_MAX {
        let said = format!("a key group has 1 to {KEYS_MAX} public keys");
        return Err(RegistryError::Argument(said));
    }
    for (place, id) in keys.iter().enumerate() {
        if keys.iter().take(place).any(|other| other == id) {
            let said = format!("the public key {id} is given twice");
            return Err(RegistryError::Argument(said));
        }
        if draft.state().public_key_of(&author.account, id).is_none() {
            let said = format!("the account has no public key {id}");
            return Err(RegistryError::Argument(said));
        }
    }
    let name = Claim::Name(Kind::KeyGroup, author.account.clone(), config.name.clone());
    match draft.holder(&name) {
        Some(id) if own != Some(id) => Err(RegistryError::Exists(
            Kind::KeyGroup,
            format!("the key group {id} has this name"),
        )),
        _ => Ok(()),
    }
}
