//! CloudFrontOriginAccessIdentity, its configuration, its list.

use super::{DocumentError, List, Version, list};
use crate::api::xml::Element;
use crate::distribution::record::{IdentityConfig, IdentityRecord};

/// What the elements are called.
const NAME: &str = "CloudFrontOriginAccessIdentity";
const CONFIG: &str = "CloudFrontOriginAccessIdentityConfig";
const LIST: &str = "CloudFrontOriginAccessIdentityList";
const SUMMARY: &str = "CloudFrontOriginAccessIdentitySummary";

/// Reads a configuration. Before 2012-05-05 the comment might be missing.
///
/// # Errors
/// See [`DocumentError`].
pub fn read_config(version: Version, body: &[u8]) -> Result<IdentityConfig, DocumentError> {
    let tree = super::tree(body)?;
    let mut members = super::open(&tree, CONFIG)?.members()?;
    let comment = members.member("Comment", !version.is_flat())?;
    let config = IdentityConfig {
        caller_reference: members.text("CallerReference")?,
        comment: comment.map_or(Ok(""), |node| node.text())?.to_owned(),
    };
    members.finish()?;
    Ok(config)
}

/// Writes a configuration.
pub fn write_config(version: Version, config: &IdentityConfig) -> String {
    super::close(version, &config_element(config))
}

/// Writes an identity.
pub fn write(version: Version, record: &IdentityRecord) -> String {
    let mut members = head(record);
    members.push(config_element(&record.config));
    super::close(version, &Element::node(NAME, members))
}

/// Writes a list.
pub fn write_list(version: Version, list: &List<impl AsRef<IdentityRecord>>) -> String {
    let summary = |record: &IdentityRecord| {
        let mut members = head(record);
        members.push(Element::text("Comment", &record.config.comment));
        Element::node(SUMMARY, members)
    };
    list::write(version, LIST, list.map(|record| summary(record.as_ref())))
}

fn head(record: &IdentityRecord) -> Vec<Element> {
    vec![
        Element::text("Id", &record.head.id),
        Element::text("S3CanonicalUserId", &record.canonical_user_id),
    ]
}

fn config_element(config: &IdentityConfig) -> Element {
    let members = [
        Element::text("CallerReference", &config.caller_reference),
        Element::text("Comment", &config.comment),
    ];
    Element::node(CONFIG, members)
}
