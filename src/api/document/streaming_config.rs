//! StreamingDistributionConfig, and the same with tags.

use super::members::Node;
use super::parts::{self, Origin};
use super::{DocumentError, Version, flat, tags};
use crate::api::xml::Element;
use crate::distribution::StreamingConfig;
use crate::distribution::record::Tags;
use crate::distribution::streaming::{Logging, PriceClass};

/// What the element is called.
pub(super) const NAME: &str = "StreamingDistributionConfig";

/// What it is called with tags beside it.
const WITH_TAGS: &str = "StreamingDistributionConfigWithTags";

/// Reads a document.
///
/// # Errors
/// See [`DocumentError`].
pub fn read(version: Version, body: &[u8]) -> Result<StreamingConfig, DocumentError> {
    let tree = super::tree(body)?;
    config(version, &super::open(&tree, NAME)?)
}

/// Reads a document with tags.
///
/// # Errors
/// See [`DocumentError`].
pub fn read_with_tags(
    version: Version,
    body: &[u8],
) -> Result<(StreamingConfig, Tags), DocumentError> {
    let tree = super::tree(body)?;
    let mut members = super::open(&tree, WITH_TAGS)?.members()?;
    let config = config(version, &members.required(NAME)?)?;
    let tags = tags::members(&members.required(tags::NAME)?)?;
    members.finish()?;
    Ok((config, tags))
}

/// Writes a document.
pub fn write(version: Version, config: &StreamingConfig) -> String {
    super::close(version, &element(version, config))
}

/// Writes a document with tags.
pub fn write_with_tags(version: Version, config: &StreamingConfig, tags: &Tags) -> String {
    let members = [element(version, config), tags::element(tags)];
    super::close(version, &Element::node(WITH_TAGS, members))
}

/// Reads the element.
pub(super) fn config(version: Version, node: &Node<'_>) -> Result<StreamingConfig, DocumentError> {
    if version.is_flat() {
        flat::config(node)
    } else {
        nested(version, node)
    }
}

/// The element.
pub(super) fn element(version: Version, config: &StreamingConfig) -> Element {
    if version.is_flat() {
        return flat::element(version, config);
    }
    let logging = config.logging.as_ref();
    let members = [
        Element::text("CallerReference", &config.caller_reference),
        origin(config).nested(),
        parts::write_aliases(&config.aliases),
        Element::text("Comment", &config.comment),
        Element::node(
            "Logging",
            [
                Element::boolean("Enabled", logging.is_some()),
                Element::text("Bucket", logging.map_or("", |logging| &logging.bucket)),
                Element::text("Prefix", logging.map_or("", |logging| &logging.prefix)),
            ],
        ),
        parts::enabled("TrustedSigners", parts::accounts(&config.trusted_signers)),
        Element::text("PriceClass", config.price_class.as_str()),
        Element::boolean("Enabled", config.enabled),
    ];
    Element::node(NAME, members)
}

/// The origin of a configuration.
pub(super) fn origin(config: &StreamingConfig) -> Origin {
    Origin {
        domain: config.origin_domain.clone(),
        identity: config.origin_access_identity.clone(),
    }
}

fn nested(version: Version, node: &Node<'_>) -> Result<StreamingConfig, DocumentError> {
    let all = version.requires_all();
    let mut members = node.members()?;
    let origin = Origin::read(&members.required("S3Origin")?)?;
    let aliases = members.member("Aliases", all)?;
    let logging = members.member("Logging", all)?;
    let price_class = members.member("PriceClass", all)?;
    let config = StreamingConfig {
        caller_reference: members.text("CallerReference")?,
        origin_domain: origin.domain,
        origin_access_identity: origin.identity,
        aliases: aliases.map_or(Ok(Vec::new()), |node| parts::aliases(&node))?,
        comment: members.text("Comment")?,
        logging: logging.map_or(Ok(None), |node| self::logging(&node))?,
        trusted_signers: parts::signers(&members.required("TrustedSigners")?)?,
        price_class: price_class.map_or(Ok(PriceClass::All), |node| self::price_class(&node))?,
        enabled: members.required("Enabled")?.boolean()?,
    };
    members.finish()?;
    Ok(config)
}

/// Reads `Logging`: bucket and prefix are dropped unless it is enabled.
fn logging(node: &Node<'_>) -> Result<Option<Logging>, DocumentError> {
    let mut members = node.members()?;
    let enabled = members.required("Enabled")?.boolean()?;
    let bucket = members.member("Bucket", enabled)?;
    let prefix = members.member("Prefix", enabled)?;
    members.finish()?;
    let text = |node: Option<Node<'_>>| -> Result<String, DocumentError> {
        Ok(node.map_or(Ok(""), |node| node.text())?.to_owned())
    };
    let logging = Logging {
        bucket: text(bucket)?,
        prefix: text(prefix)?,
    };
    Ok(enabled.then_some(logging))
}

/// Reads `PriceClass`.
pub(super) fn price_class(node: &Node<'_>) -> Result<PriceClass, DocumentError> {
    PriceClass::parse(node.text()?)
        .ok_or_else(|| node.wrong("it is PriceClass_100, PriceClass_200 or PriceClass_All"))
}
