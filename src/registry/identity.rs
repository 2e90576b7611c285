//! How origin access identities come, change and go (cloudfront.md, sections 3.8 and 5.6).

use std::sync::Arc;

use super::claim::Claim;
use super::draft::{Draft, Verdict, put};
use super::{Author, RegistryError, Repeat, head, limits, names};
use crate::distribution::record::{IdentityConfig, IdentityRecord};
use crate::store::{Change, Kind};

pub(super) fn create(
    draft: &Draft,
    author: &Author,
    config: IdentityConfig,
    repeat: Repeat,
) -> Verdict<Arc<IdentityRecord>> {
    check(&config)?;
    if let Some(record) = made_before(draft, author, &config, repeat)? {
        return Ok((record, None));
    }
    draft.room(Kind::Identity, &author.account)?;
    let state = draft.state();
    let record = IdentityRecord {
        head: head::first(draft, &author.account, |id| {
            state.identities.contains_key(id)
        })?,
        canonical_user_id: names::canonical_user()?,
        config,
    };
    Ok(put(record))
}

pub(super) fn update(
    draft: &Draft,
    author: &Author,
    id: &str,
    if_match: Option<&str>,
    config: IdentityConfig,
) -> Verdict<Arc<IdentityRecord>> {
    let old = find(draft, author, id)?;
    head::check(&old.head, if_match)?;
    check(&config)?;
    if config.caller_reference != old.config.caller_reference {
        return Err(RegistryError::IllegalUpdate(
            "the CallerReference of an origin access identity cannot be changed".into(),
        ));
    }
    let record = IdentityRecord {
        head: head::next(draft, &old.head)?,
        config,
        ..(**old).clone()
    };
    Ok(put(record))
}

pub(super) fn delete(
    draft: &Draft,
    author: &Author,
    id: &str,
    if_match: Option<&str>,
) -> Verdict<()> {
    let old = find(draft, author, id)?;
    head::check(&old.head, if_match)?;
    let mut all = draft.state().streaming.values();
    let refers = |identity: &Option<String>| identity.as_deref() == Some(id);
    if let Some(user) = all.find(|it| refers(&it.config.origin_access_identity)) {
        let said = format!("distribution {} reads its bucket as it", user.head.id);
        return Err(RegistryError::InUse(Kind::Identity, said));
    }
    Ok(((), Some(Change::Delete(Kind::Identity, id.to_owned()))))
}

fn find<'a>(
    draft: &'a Draft,
    author: &Author,
    id: &str,
) -> Result<&'a Arc<IdentityRecord>, RegistryError> {
    let found = draft.state().identity_of(&author.account, id);
    found.ok_or(RegistryError::NotFound(Kind::Identity))
}

fn check(config: &IdentityConfig) -> Result<(), RegistryError> {
    limits::reference(&config.caller_reference)?;
    limits::comment(&config.comment)
}

fn made_before(
    draft: &Draft,
    author: &Author,
    config: &IdentityConfig,
    repeat: Repeat,
) -> Result<Option<Arc<IdentityRecord>>, RegistryError> {
    let account = author.account.clone();
    let reference = config.caller_reference.clone();
    let claim = Claim::Reference(Kind::Identity, account, reference);
    let Some(id) = draft.holder(&claim) else {
        return Ok(None);
    };
    let same = |old: &IdentityConfig| old.comment.trim() == config.comment.trim();
    let found = draft.state().identities.get(id);
    match found.filter(|record| repeat == Repeat::Answered && same(&record.config)) {
        Some(record) => Ok(Some(Arc::clone(record))),
        None => Err(RegistryError::Exists(
            Kind::Identity,
            format!("the caller reference was used for {id}"),
        )),
    }
}
