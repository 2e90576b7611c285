//! Why a name is not played, for the operator.

use jiff::Timestamp;
use std::net::IpAddr;

use super::addresses::Addresses;
use crate::distribution::AccountId;

/// Why a name is not played. The viewer is told nothing of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It has no signature at all.
    #[error("the name is not signed")]
    Missing,
    /// What stands in it cannot be read.
    #[error("the name is signed in a way that cannot be read: {0}")]
    Malformed(String),
    /// There is no key with this id.
    #[error("there is no public key with the id {0}")]
    UnknownKey(String),
    /// The key belongs to an account that may not sign for this distribution, or is not among its
    /// keys that count.
    #[error("the public key {id} of the account {account} may not sign for this distribution")]
    UntrustedKey {
        /// Id of the key.
        id: String,
        /// Whose it is.
        account: AccountId,
    },
    /// The signature is not one of this key over this policy: a wrong key, a changed name, or,
    /// where the name says only when it expires, another resource.
    #[error("the signature is not one of {key} for {asked:?}")]
    Signature {
        /// Id of the key.
        key: String,
        /// What is asked for.
        asked: String,
    },
    /// Another resource was signed.
    #[error("signed is {signed:?}, asked for is {asked:?}")]
    Resource {
        /// The resource of the policy.
        signed: String,
        /// What is asked for.
        asked: String,
    },
    /// It is too late.
    #[error("it expired at {at}")]
    Expired {
        /// Since when.
        at: Timestamp,
    },
    /// It is too early.
    #[error("it is valid from {from} on")]
    NotYet {
        /// From when on.
        from: Timestamp,
    },
    /// So many names of the connection were refused that no more are looked at for now.
    #[error("too many names of this connection were refused, so this one was not looked at")]
    TooMany,
    /// The viewer has another address.
    #[error("it is for {signed}, and the viewer is {}", shown(*peer))]
    Address {
        /// Who may play it.
        signed: Addresses,
        /// Who wants to, if that is known.
        peer: Option<IpAddr>,
    },
}

fn shown(peer: Option<IpAddr>) -> String {
    peer.map_or_else(|| "not known".to_owned(), |peer| peer.to_string())
}
