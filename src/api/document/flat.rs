//! StreamingDistributionConfig as it was before 2012-05-05: elements that repeat, and what is not
//! there is not written.

use super::members::{Members, Node};
use super::parts::{self, Origin};
use super::streaming_config::{self, NAME};
use super::{DocumentError, Version};
use crate::api::xml::Element;
use crate::distribution::StreamingConfig;
use crate::distribution::streaming::{Logging, PriceClass};

/// Reads the element. Clients sent documents of one version to the path of another, so the origin
/// may have the form of any.
pub(super) fn config(node: &Node<'_>) -> Result<StreamingConfig, DocumentError> {
    let mut members = node.members()?;
    let origin = origin(&mut members)?;
    let aliases = members.all("CNAME");
    let signers = members.optional("TrustedSigners")?;
    let logging = members.optional("Logging")?;
    let config = StreamingConfig {
        caller_reference: members.text("CallerReference")?,
        origin_domain: origin.domain,
        origin_access_identity: origin.identity,
        aliases: aliases.iter().map(parts::alias).collect::<Result<_, _>>()?,
        comment: members.text_or_empty("Comment")?,
        logging: logging.map_or(Ok(None), |node| self::logging(&node))?,
        trusted_signers: signers.map_or(Ok(Vec::new()), |node| parts::flat_signers(&node))?,
        price_class: PriceClass::All,
        enabled: members.required("Enabled")?.boolean()?,
    };
    members.finish()?;
    Ok(config)
}

/// Reads `S3Origin`, or `Origin` and `OriginAccessIdentity`.
fn origin(members: &mut Members<'_>) -> Result<Origin, DocumentError> {
    let node = members.either("S3Origin", "Origin")?;
    if node.is("S3Origin") {
        return Origin::read(&node);
    }
    Ok(Origin {
        domain: node.text()?.to_owned(),
        identity: parts::identity(members.optional("OriginAccessIdentity")?)?,
    })
}

/// Reads `Logging`: with nothing in it there are no logs.
fn logging(node: &Node<'_>) -> Result<Option<Logging>, DocumentError> {
    let mut members = node.members()?;
    let bucket = members.text_or_empty("Bucket")?;
    let prefix = members.text_or_empty("Prefix")?;
    members.finish()?;
    Ok((!bucket.is_empty() || !prefix.is_empty()).then_some(Logging { bucket, prefix }))
}

/// The element.
pub(super) fn element(version: Version, config: &StreamingConfig) -> Element {
    let origin = streaming_config::origin(config);
    let mut members = vec![if version.has_origin_text() {
        Element::text("Origin", &origin.domain)
    } else {
        origin.flat()
    }];
    members.push(Element::text("CallerReference", &config.caller_reference));
    members.extend(parts::cnames(&config.aliases));
    members.push(Element::text("Comment", &config.comment));
    members.push(Element::boolean("Enabled", config.enabled));
    if version.has_origin_text() {
        members.extend(origin.flat_identity());
    }
    members.extend(signers(config));
    members.extend(config.logging.as_ref().map(|logging| {
        let bucket = Element::text("Bucket", &logging.bucket);
        let prefix = Element::text("Prefix", &logging.prefix);
        Element::node("Logging", [bucket, prefix])
    }));
    Element::node(NAME, members)
}

/// `TrustedSigners`, if there are any.
pub(super) fn signers(config: &StreamingConfig) -> Option<Element> {
    let signers = &config.trusted_signers;
    let items: Vec<Element> = signers.iter().map(parts::flat_signer).collect();
    (!items.is_empty()).then(|| Element::node("TrustedSigners", items))
}
