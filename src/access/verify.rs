//! Whether a name may be played (cloudfront.md, sections 3.4 to 3.6).
//!
//! First what costs nothing and needs no signature: the key, the length of the signature, time and
//! address. A bogus name seldom comes further. Then the signature, and only then the resource: it
//! is nobody's word before, and to match a hostile one takes longer than to verify. An object that
//! was signed, not the name that it is asked for by, is known only once the name was looked up: see
//! [`Grant::covers`].
//!
//! The work is bounded by the length of a query and by [`VERIFICATIONS_MAX`]; a name with a policy
//! of its own costs one verification. Nothing here is secret, so that no time tells a secret.

use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;

use super::Refusal;
use super::asked::{Asked, Candidate, Meant};
use super::claim::{Claim, Signed};
use super::key::SignerKey;
use super::policy::{self, Conditions, Policy, Unverified};
use super::signers::SignerKeys;

/// The most verifications for one name: as many as a name with escapes, the extension of another
/// container and parameters of its own can have forms. One takes some 20 us with RSA of 2048 bits;
/// how often one viewer can cause them is bounded by [`super::Brake`].
pub const VERIFICATIONS_MAX: usize = 22;

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
    signed(asked, query, keys, |conditions| conditions.check(now, peer))
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
    signed(asked, query, keys, |conditions| conditions.check_time(now))
}

/// What was signed, if that `holds`, the signature too, and it is for this name.
fn signed(
    asked: &Asked,
    query: Option<&str>,
    keys: &SignerKeys,
    holds: impl FnOnce(&Conditions) -> Result<(), Refusal>,
) -> Result<Grant, Refusal> {
    let claim = Claim::parse(query.unwrap_or_default())?;
    let key = keys.find(&claim.key)?;
    if !key.may_have_made(&claim.signature) {
        return Err(unsigned(&claim, asked));
    }
    let candidates = || asked.candidates(&claim.own, keys.strict);
    let (policy, named) = match &claim.signed {
        Signed::Canned(expires) => {
            holds(&Conditions::until(*expires))?;
            canned(&claim, key, asked, &candidates(), *expires)?
        }
        Signed::Custom(text) => {
            let policy = Unverified::read(text)?;
            holds(&policy.conditions)?;
            if !key.verifies(claim.hash, text, &claim.signature) {
                return Err(unsigned(&claim, asked));
            }
            custom(asked, &candidates(), policy.verified())?
        }
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
    let mut tried = candidates.iter().take(VERIFICATIONS_MAX);
    let signed = tried.find(|candidate| {
        let text = policy::canned(&candidate.text(), expires);
        key.verifies(claim.hash, text.as_bytes(), &claim.signature)
    });
    let signed = signed.ok_or_else(|| unsigned(claim, asked))?;
    let policy = Policy::canned(&signed.text(), expires);
    Ok((policy, signed.meant == Meant::Name))
}

fn custom(
    asked: &Asked,
    candidates: &[Candidate],
    policy: Policy,
) -> Result<(Policy, bool), Refusal> {
    let mut covered = candidates
        .iter()
        .filter(|it| policy.resource.covers(&it.name, &it.own));
    // Names come before keys.
    let Some(first) = covered.next() else {
        return Err(mismatch(&policy, &asked.name));
    };
    let named = first.meant == Meant::Name || covered.any(|it| it.meant == Meant::Name);
    Ok((policy, named))
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
        self.policy.conditions.check(now, peer)
    }
}

#[cfg(test)]
mod tests;
