//! Whether a name may be played (cloudfront.md, sections 3.4 to 3.6).
//!
//! First the key, then the signature, and only then what the policy says: before that it is
//! nobody's word. An object that was signed, not the name that it is asked for by, is known only
//! once the name was looked up: see [`Grant::covers`].
//!
//! The work is bounded by the length of a query and the number of candidates: one verification for
//! each where the name has no policy of its own, else one.

use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;

use super::Refusal;
use super::asked::{Asked, Candidate, Meant};
use super::claim::{Claim, Signed};
use super::key::SignerKey;
use super::policy::{self, Policy};
use super::signers::SignerKeys;

/// That a name may be played.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Id of the key that signed it.
    pub id: String,
    key: Arc<SignerKey>,
    /// What was signed.
    pub policy: Policy,
    /// Own parameters of the name, where they may have been signed too.
    own: Option<String>,
    /// Whether the name was signed; else only some object that it may lead to.
    named: bool,
}

/// Whether the name with this query may be played now by this viewer.
///
/// # Errors
/// Why not.
pub fn verify(
    asked: &Asked,
    query: Option<&str>,
    keys: &SignerKeys,
    now: Timestamp,
    peer: Option<IpAddr>,
) -> Result<Grant, Refusal> {
    let grant = signed(asked, query, keys)?;
    grant.policy.check(now, peer)?;
    Ok(grant)
}

/// The same for a viewer whose address is not known: it is left out.
///
/// # Errors
/// Why not.
pub fn explain(
    asked: &Asked,
    query: Option<&str>,
    keys: &SignerKeys,
    now: Timestamp,
) -> Result<Grant, Refusal> {
    let grant = signed(asked, query, keys)?;
    grant.policy.check_time(now)?;
    Ok(grant)
}

/// What was signed, if the signature holds and it is for this name.
fn signed(asked: &Asked, query: Option<&str>, keys: &SignerKeys) -> Result<Grant, Refusal> {
    let claim = Claim::parse(query.unwrap_or_default())?;
    let key = keys.find(&claim.key)?;
    let candidates = asked.candidates(&claim.own, keys.strict);
    let (policy, named) = match &claim.signed {
        Signed::Canned(expires) => canned(&claim, key, asked, &candidates, *expires)?,
        Signed::Custom(text) => custom(&claim, key, asked, &candidates, text)?,
    };
    Ok(Grant {
        key: Arc::clone(key),
        policy,
        own: Some(claim.own).filter(|own| !keys.strict && !own.is_empty()),
        named,
        id: claim.key,
    })
}

fn canned(
    claim: &Claim,
    key: &SignerKey,
    asked: &Asked,
    candidates: &[Candidate],
    expires: u64,
) -> Result<(Policy, bool), Refusal> {
    let signed = candidates.iter().find(|candidate| {
        let text = policy::canned(&candidate.text(), expires);
        key.verifies(claim.hash, text.as_bytes(), &claim.signature)
    });
    let signed = signed.ok_or_else(|| unsigned(claim, asked))?;
    let policy = Policy::canned(&signed.text(), expires);
    Ok((policy, signed.meant == Meant::Name))
}

fn custom(
    claim: &Claim,
    key: &SignerKey,
    asked: &Asked,
    candidates: &[Candidate],
    text: &[u8],
) -> Result<(Policy, bool), Refusal> {
    if !key.verifies(claim.hash, text, &claim.signature) {
        return Err(unsigned(claim, asked));
    }
    let policy = Policy::read(text)?;
    let mut covered = candidates
        .iter()
        .filter(|it| policy.resource.covers(&it.name, &it.own));
    // Names come before keys.
    match covered.next() {
        Some(first) => {
            let named = first.meant == Meant::Name || covered.any(|it| it.meant == Meant::Name);
            Ok((policy, named))
        }
        None => Err(mismatch(&policy, &asked.name)),
    }
}

fn unsigned(claim: &Claim, asked: &Asked) -> Refusal {
    Refusal::Signature {
        key: claim.key.clone(),
        asked: asked.name.clone(),
    }
}

fn mismatch(policy: &Policy, asked: &str) -> Refusal {
    Refusal::Resource {
        signed: policy.resource.as_str().to_owned(),
        asked: asked.to_owned(),
    }
}

impl Grant {
    /// Whether the name led to what was signed: the object that is played has this key.
    ///
    /// # Errors
    /// [`Refusal::Resource`].
    pub fn covers(&self, key: &str) -> Result<(), Refusal> {
        let resource = &self.policy.resource;
        let own = self.own.as_ref();
        let covered = self.named
            || resource.covers(key, "")
            || own.is_some_and(|own| resource.covers(key, own));
        if covered {
            Ok(())
        } else {
            Err(mismatch(&self.policy, key))
        }
    }

    /// Whether it still holds for what is played already: its key counts, it has not expired, and
    /// the address is the same. The signature was verified, and cannot have become another.
    ///
    /// # Errors
    /// Why not.
    pub fn check(
        &self,
        keys: &SignerKeys,
        now: Timestamp,
        peer: Option<IpAddr>,
    ) -> Result<(), Refusal> {
        if **keys.find(&self.id)? != *self.key {
            return Err(Refusal::UnknownKey(self.id.clone()));
        }
        self.policy.check(now, peer)
    }
}

#[cfg(test)]
mod tests;
