//! What stands in more than one document about distributions: the origin, CNAMEs, trusted signers.

use super::DocumentError;
use super::members::{Members, Node};
use crate::api::xml::Element;
use crate::distribution::AccountId;
use crate::distribution::host::HostPattern;
use crate::distribution::streaming::Signer;

/// What ids of origin access identities follow.
const IDENTITY: &str = "origin-access-identity/cloudfront/";

/// The signer that owns the distribution.
const OWNER: &str = "self";

/// A bucket's domain name, and the id of the identity that it is read as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) domain: String,
    pub(super) identity: Option<String>,
}

impl Origin {
    /// Reads `S3Origin`, of any version: documents of 2013 name the domain as those of 2010 did.
    pub(super) fn read(node: &Node<'_>) -> Result<Self, DocumentError> {
        let mut members = node.members()?;
        let domain = members.either("DomainName", "DNSName")?.text()?.to_owned();
        let identity = identity(members.optional("OriginAccessIdentity")?)?;
        members.finish()?;
        Ok(Self { domain, identity })
    }

    /// `S3Origin` since 2012-05-05.
    pub(super) fn nested(&self) -> Element {
        let members = [
            Element::text("DomainName", &self.domain),
            Element::text("OriginAccessIdentity", self.identity_text()),
        ];
        Element::node("S3Origin", members)
    }

    /// `S3Origin` before.
    pub(super) fn flat(&self) -> Element {
        let mut members = vec![Element::text("DNSName", &self.domain)];
        members.extend(self.flat_identity());
        Element::node("S3Origin", members)
    }

    /// `OriginAccessIdentity`, if there is one.
    pub(super) fn flat_identity(&self) -> Option<Element> {
        let text = self.identity_text();
        (!text.is_empty()).then(|| Element::text("OriginAccessIdentity", text))
    }

    fn identity_text(&self) -> String {
        let id = self.identity.as_ref();
        id.map_or_else(String::new, |id| format!("{IDENTITY}{id}"))
    }
}

/// Reads `OriginAccessIdentity`: nothing, or an id behind what such ids follow.
pub(super) fn identity(node: Option<Node<'_>>) -> Result<Option<String>, DocumentError> {
    let Some(node) = node else { return Ok(None) };
    let text = node.text()?;
    if text.is_empty() {
        return Ok(None);
    }
    let id = text
        .strip_prefix(IDENTITY)
        .filter(|id| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    match id {
        Some(id) => Ok(Some(id.to_owned())),
        None => Err(DocumentError::Identity(node.path())),
    }
}

/// Reads a CNAME.
pub(super) fn alias(node: &Node<'_>) -> Result<HostPattern, DocumentError> {
    HostPattern::parse(node.text()?).map_err(|_| node.wrong("it is not a host name"))
}

/// Reads the members of `Aliases`.
pub(super) fn aliases(node: &Node<'_>) -> Result<Vec<HostPattern>, DocumentError> {
    let mut members = node.members()?;
    let items = members.items("CNAME")?;
    members.finish()?;
    items.iter().map(alias).collect()
}

/// `Aliases`.
pub(super) fn write_aliases(aliases: &[HostPattern]) -> Element {
    Element::node("Aliases", counted(cnames(aliases)))
}

/// `CNAME`s.
pub(super) fn cnames(aliases: &[HostPattern]) -> Vec<Element> {
    let cname = |alias: &HostPattern| Element::text("CNAME", alias.to_string());
    aliases.iter().map(cname).collect()
}

/// Reads a signer: `self`, or the number of an account.
pub(super) fn signer(node: &Node<'_>) -> Result<Signer, DocumentError> {
    let text = node.text()?;
    if text == OWNER {
        return Ok(Signer::Owner);
    }
    let account = AccountId::parse(text).map_err(|_| node.wrong("it is self, or 12 digits"))?;
    Ok(Signer::Account(account))
}

/// Reads the members of `TrustedSigners` since 2012-05-05. Where Enabled is left out, Quantity says
/// it: documents of 2013 did.
pub(super) fn signers(node: &Node<'_>) -> Result<Vec<Signer>, DocumentError> {
    let mut members = node.members()?;
    let enabled = members.optional("Enabled")?;
    let items = members.items("AwsAccountNumber")?;
    members.finish()?;
    match enabled.map(|node| node.boolean()).transpose()? {
        Some(true) if items.is_empty() => {
            return Err(node.wrong("Enabled is true, and there is no AwsAccountNumber"));
        }
        Some(false) if !items.is_empty() => {
            return Err(node.wrong("Enabled is false, and there are AwsAccountNumbers"));
        }
        _ => {}
    }
    let signers: Vec<Signer> = items.iter().map(signer).collect::<Result<_, _>>()?;
    once(node, signers)
}

/// Each signer is named once.
pub(super) fn once(node: &Node<'_>, signers: Vec<Signer>) -> Result<Vec<Signer>, DocumentError> {
    for (place, signer) in signers.iter().enumerate() {
        if signers.iter().take(place).any(|other| other == signer) {
            return Err(node.wrong(format!("{} is there twice", signer_text(signer))));
        }
    }
    Ok(signers)
}

/// `TrustedSigners`, or another element of that form, whose items are `items`.
pub(super) fn enabled(name: &str, items: Vec<Element>) -> Element {
    let mut members = vec![Element::boolean("Enabled", !items.is_empty())];
    members.extend(counted(items));
    Element::node(name, members)
}

/// `AwsAccountNumber`s.
pub(super) fn accounts(signers: &[Signer]) -> Vec<Element> {
    signers.iter().map(account).collect()
}

/// `AwsAccountNumber`.
pub(super) fn account(signer: &Signer) -> Element {
    Element::text("AwsAccountNumber", signer_text(signer))
}

/// A signer as documents were before 2012-05-05: `Self` or `AwsAccountNumber`.
pub(super) fn flat_signer(signer: &Signer) -> Element {
    match signer {
        Signer::Owner => Element::empty("Self"),
        Signer::Account(_) => account(signer),
    }
}

/// Reads such signers.
pub(super) fn flat_signers(node: &Node<'_>) -> Result<Vec<Signer>, DocumentError> {
    let mut members: Members<'_> = node.members()?;
    let mut signers = Vec::new();
    if let Some(owner) = members.optional("Self")? {
        if !owner.text()?.is_empty() {
            return Err(owner.wrong("it has nothing in it"));
        }
        signers.push(Signer::Owner);
    }
    for account in members.all("AwsAccountNumber") {
        signers.push(signer(&account)?);
    }
    members.finish()?;
    once(node, signers)
}

/// `Quantity`, and `Items` where there are any.
pub(super) fn counted(items: Vec<Element>) -> Vec<Element> {
    let mut members = vec![Element::number("Quantity", items.len())];
    if !items.is_empty() {
        members.push(Element::node("Items", items));
    }
    members
}

fn signer_text(signer: &Signer) -> String {
    match signer {
        Signer::Owner => OWNER.to_owned(),
        Signer::Account(account) => account.to_string(),
    }
}
