//! How public keys come, change and go (cloudfront.md, section 5.6).

use std::sync::Arc;

use super::claim::Claim;
use super::draft::{Draft, Verdict, put};
use super::{Author, RegistryError, head, limits};
use crate::access::SignerKey;
use crate::distribution::record::{PublicKeyConfig, PublicKeyRecord};
use crate::store::{Change, Kind};

pub(super) fn create(
    draft: &Draft,
    author: &Author,
    config: PublicKeyConfig,
) -> Verdict<Arc<PublicKeyRecord>> {
    limits::reference(&config.caller_reference)?;
    limits::name(&config.name)?;
    limits::comment(&config.comment)?;
    SignerKey::parse(&config.encoded_key)
        .map_err(|error| RegistryError::Argument(format!("EncodedKey: {error}")))?;
    let account = &author.account;
    let reference = config.caller_reference.clone();
    let reference = Claim::Reference(Kind::PublicKey, account.clone(), reference);
    let name = Claim::Name(Kind::PublicKey, account.clone(), config.name.clone());
    for (claim, what) in [(reference, "caller reference"), (name, "name")] {
        if let Some(id) = draft.holder(&claim) {
            let said = format!("the public key {id} has this {what}");
            return Err(RegistryError::Exists(Kind::PublicKey, said));
        }
    }
    draft.room(Kind::PublicKey, account)?;
    let state = draft.state();
    let head = head::first(draft, account, |id| state.public_keys.contains_key(id))?;
    Ok(put(PublicKeyRecord { head, config }))
}

pub(super) fn update(
    draft: &Draft,
    author: &Author,
    id: &str,
    if_match: Option<&str>,
    config: PublicKeyConfig,
) -> Verdict<Arc<PublicKeyRecord>> {
    let old = find(draft, author, id)?;
    head::check(&old.head, if_match)?;
    limits::comment(&config.comment)?;
    // Documents come with other white space around a key than they went with.
    let same = config.caller_reference == old.config.caller_reference
        && config.name == old.config.name
        && config.encoded_key.trim() == old.config.encoded_key.trim();
    if !same {
        return Err(RegistryError::Immutable);
    }
    let config = PublicKeyConfig {
        comment: config.comment,
        ..old.config.clone()
    };
    let head = head::next(draft, &old.head)?;
    Ok(put(PublicKeyRecord { head, config }))
}

pub(super) fn delete(
    draft: &Draft,
    author: &Author,
    id: &str,
    if_match: Option<&str>,
) -> Verdict<()> {
    let old = find(draft, author, id)?;
    head::check(&old.head, if_match)?;
    let mut groups = draft.state().key_groups.values();
    if let Some(group) = groups.find(|group| group.config.keys.iter().any(|key| key == id)) {
        let said = format!("it is in the key group {}", group.head.id);
        return Err(RegistryError::InUse(Kind::PublicKey, said));
    }
    Ok(((), Some(Change::Delete(Kind::PublicKey, id.to_owned()))))
}

fn find<'a>(
    draft: &'a Draft,
    author: &Author,
    id: &str,
) -> Result<&'a Arc<PublicKeyRecord>, RegistryError> {
    let found = draft.state().public_key_of(&author.account, id);
    found.ok_or(RegistryError::NotFound(Kind::PublicKey))
}
