//! How streaming distributions come, change and go.

use std::net::IpAddr;
use std::sync::Arc;

use super::claim::Claim;
use super::draft::{Draft, Verdict, put};
use super::{Author, RegistryError, Repeat, Status, head, names, tagging};
use crate::distribution::host::HostPattern;
use crate::distribution::record::{StreamingRecord, Tags};
use crate::distribution::streaming::{ConfigFault, Signer};
use crate::distribution::{AccountId, StreamingConfig};
use crate::store::{Change, Kind};

/// The first version in which lists have a Quantity. Older ones cannot say all settings, so they
/// may not overwrite what this or a later one wrote (cloudfront.md, section 5.1).
const FIRST_NESTED: &str = "2012-05-05";

pub(super) fn create(
    draft: &Draft,
    author: &Author,
    config: StreamingConfig,
    tags: Tags,
    repeat: Repeat,
) -> Verdict<Arc<StreamingRecord>> {
    let suffixes = draft.rules.suffixes.iter().map(String::as_str);
    config.validate(suffixes)?;
    tagging::check(&tags)?;
    if let Some(record) = made_before(draft, author, &config, repeat)? {
        return Ok((record, None));
    }
    draft.room(Kind::Streaming, &author.account)?;
    check_surroundings(draft, author, &config, None)?;
    let state = draft.state();
    let head = head::first(draft, &author.account, |id| {
        state.streaming.contains_key(id)
    })?;
    let taken = |name: &str| holder(draft, &HostPattern::Exact(name.to_owned())).is_some();
    let record = StreamingRecord {
        head,
        domain_name: names::domain(&draft.rules.domain_suffix, taken)?,
        config,
        tags,
        written_by: author.version.clone(),
        read_only: false,
    };
    Ok(put(record))
}

pub(super) fn update(
    draft: &Draft,
    author: &Author,
    id: &str,
    if_match: Option<&str>,
    config: StreamingConfig,
) -> Verdict<Arc<StreamingRecord>> {
    let old = changeable(draft, author, id)?;
    head::check(&old.head, if_match)?;
    let suffixes = draft.rules.suffixes.iter().map(String::as_str);
    // The origin is the one that it has, and a log bucket may be. Without their server it can be
    // disabled, and then deleted.
    let mut checked = config.clone();
    if config.logging == old.config.logging {
        checked.logging = None;
    }
    match (checked.validate(suffixes), config.may_replace(&old.config)) {
        (Ok(()) | Err(ConfigFault::Origin(_)), Ok(())) => {}
        (Err(fault), _) | (_, Err(fault)) => return Err(fault.into()),
    }
    // Dates compare as text.
    if author.version.as_str() < FIRST_NESTED && old.written_by.as_str() >= FIRST_NESTED {
        return Err(RegistryError::IllegalUpdate(format!(
            "version {} of the API cannot update what version {} wrote",
            author.version, old.written_by
        )));
    }
    check_surroundings(draft, author, &config, Some(old))?;
    let record = StreamingRecord {
        head: head::next(draft, &old.head)?,
        config,
        written_by: author.version.clone(),
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
    let old = changeable(draft, author, id)?;
    head::check(&old.head, if_match)?;
    if old.config.enabled || draft.state().status(old) != Status::Deployed {
        return Err(RegistryError::NotDisabled);
    }
    Ok(((), Some(Change::Delete(Kind::Streaming, id.to_owned()))))
}

/// The account's distribution, if it is one that can be changed.
pub(super) fn changeable<'a>(
    draft: &'a Draft,
    author: &Author,
    id: &str,
) -> Result<&'a Arc<StreamingRecord>, RegistryError> {
    let found = draft.state().streaming_of(&author.account, id);
    let record = found.ok_or(RegistryError::NotFound(Kind::Streaming))?;
    if record.read_only {
        return Err(RegistryError::ReadOnly);
    }
    Ok(record)
}

/// What an earlier request with the same reference made, if it was this same request.
fn made_before(
    draft: &Draft,
    author: &Author,
    config: &StreamingConfig,
    repeat: Repeat,
) -> Result<Option<Arc<StreamingRecord>>, RegistryError> {
    let account = author.account.clone();
    let reference = config.caller_reference.clone();
    let claim = Claim::Reference(Kind::Streaming, account, reference);
    let Some(id) = draft.holder(&claim) else {
        return Ok(None);
    };
    let found = draft.state().streaming.get(id);
    match found.filter(|record| repeat == Repeat::Answered && same(&record.config, config)) {
        Some(record) => Ok(Some(Arc::clone(record))),
        None => Err(RegistryError::Exists(
            Kind::Streaming,
            format!("the caller reference was used for {id}"),
        )),
    }
}

/// Whether two are the same but for white space around texts.
fn same(one: &StreamingConfig, other: &StreamingConfig) -> bool {
    trimmed(one) == trimmed(other)
}

fn trimmed(config: &StreamingConfig) -> StreamingConfig {
    let mut config = config.clone();
    let trim = |text: &mut String| *text = text.trim().to_owned();
    trim(&mut config.caller_reference);
    trim(&mut config.origin_domain);
    config.origin_domain.make_ascii_lowercase();
    trim(&mut config.comment);
    config.origin_access_identity.iter_mut().for_each(trim);
    if let Some(logging) = &mut config.logging {
        trim(&mut logging.bucket);
        trim(&mut logging.prefix);
    }
    config
}

/// What depends on others: the identity, the signers, the names. `old`: what is updated; what it
/// has it may keep, whatever became of the others: else it could not even be disabled.
fn check_surroundings(
    draft: &Draft,
    author: &Author,
    config: &StreamingConfig,
    old: Option<&StreamingRecord>,
) -> Result<(), RegistryError> {
    let old = old.map(|old| &old.config);
    if let Some(id) = &config.origin_access_identity
        && draft.state().identity_of(&author.account, id).is_none()
    {
        return Err(RegistryError::NoIdentity(id.clone()));
    }
    for signer in &config.trusted_signers {
        if let Signer::Account(account) = signer
            && *account != author.account
            && !draft.knows(account)
            && !old.is_some_and(|old| old.trusted_signers.contains(signer))
        {
            return Err(RegistryError::NoSigner(account.to_string()));
        }
    }
    let is_new = |alias: &&HostPattern| !old.is_some_and(|old| old.aliases.contains(alias));
    for alias in config.aliases.iter().filter(is_new) {
        if holder(draft, alias).is_some() {
            return Err(RegistryError::AliasTaken(alias.to_string()));
        }
        check_given(alias, &draft.rules.domain_suffix, author)?;
    }
    Ok(())
}

/// Names below the suffix are given by the server, once: else whoever knows that of a deleted
/// distribution could take over its viewers (cloudfront.md, section 1.5). A wildcard may stand for
/// all of them only where it is the operator's.
fn check_given(alias: &HostPattern, suffix: &str, author: &Author) -> Result<(), RegistryError> {
    if !is_domain(alias) {
        return Err(RegistryError::Argument(format!(
            "the CNAME {alias} is no name that DNS can lead here: addresses and localhost go to the \
             default distribution, and a wildcard stands below a domain of somebody"
        )));
    }
    let covers = matches!(alias, HostPattern::Wildcard(parent) if is_at_or_below(suffix, parent));
    let is_ours = match alias {
        HostPattern::Exact(name) | HostPattern::Wildcard(name) => is_at_or_below(name, suffix),
        HostPattern::Any => false,
    };
    if is_ours {
        return Err(RegistryError::Argument(format!(
            "the CNAME {alias} may not end in {suffix}: such names are given by the server, and a \
             deleted distribution's is never given again"
        )));
    }
    if covers && author.account != AccountId::operator() {
        return Err(RegistryError::Argument(format!(
            "the CNAME {alias} stands for the names that end in {suffix}, which the server gives"
        )));
    }
    Ok(())
}

/// Whether a name, or what a wildcard stands below, can be somebody's domain.
fn is_domain(alias: &HostPattern) -> bool {
    match alias {
        HostPattern::Exact(name) => name.parse::<IpAddr>().is_err() && name != "localhost",
        HostPattern::Wildcard(parent) => parent.contains('.') || parent == "localhost",
        HostPattern::Any => false,
    }
}

fn is_at_or_below(name: &str, parent: &str) -> bool {
    let rest = name.strip_suffix(parent);
    rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// Whose a name is: an id, or empty for one of the configuration file.
fn holder<'a>(draft: &'a Draft, name: &HostPattern) -> Option<&'a str> {
    if draft.rules.taken.contains(name) {
        return Some("");
    }
    draft.holder(&Claim::Host(name.clone()))
}
