//! What only one record can have: names and references.

use crate::distribution::AccountId;
use crate::distribution::host::HostPattern;
use crate::store::{Kind, Record};

/// What only one record can have.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Claim {
    /// A name that a distribution answers to.
    Host(HostPattern),
    /// A caller reference in an account.
    Reference(Kind, AccountId, String),
    /// What a public key or key group is called in an account.
    Name(Kind, AccountId, String),
}

/// What nobody else can have while this record is there.
pub(super) fn claims(record: &Record) -> Vec<Claim> {
    let (kind, account) = (record.kind(), &record.head().account);
    let reference = |text: &str| Claim::Reference(kind, account.clone(), text.to_owned());
    let name = |text: &str| Claim::Name(kind, account.clone(), text.to_owned());
    match record {
        Record::Streaming(record) => {
            let own = HostPattern::Exact(record.domain_name.clone());
            let hosts = record.config.aliases.iter().cloned();
            let mut claims: Vec<Claim> = hosts.chain([own]).map(Claim::Host).collect();
            claims.push(reference(&record.config.caller_reference));
            claims
        }
        Record::Identity(record) => vec![reference(&record.config.caller_reference)],
        Record::PublicKey(record) => vec![
            reference(&record.config.caller_reference),
            name(&record.config.name),
        ],
        Record::KeyGroup(record) => vec![name(&record.config.name)],
    }
}
