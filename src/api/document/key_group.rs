//! KeyGroup, its configuration, its list.

use super::{DocumentError, List, Version, list, time};
use crate::api::xml::Element;
use crate::distribution::record::{KeyGroupConfig, KeyGroupRecord};

/// What the elements are called.
const NAME: &str = "KeyGroup";
const CONFIG: &str = "KeyGroupConfig";
const LIST: &str = "KeyGroupList";
const SUMMARY: &str = "KeyGroupSummary";

/// Reads a configuration.
///
/// # Errors
/// See [`DocumentError`].
pub fn read_config(body: &[u8]) -> Result<KeyGroupConfig, DocumentError> {
    let tree = super::tree(body)?;
    let mut members = super::open(&tree, CONFIG)?.members()?;
    let keys = members.required("Items")?.each("PublicKey")?;
    let config = KeyGroupConfig {
        name: members.text("Name")?,
        keys: keys
            .iter()
            .map(|key| key.text().map(str::to_owned))
            .collect::<Result<_, _>>()?,
        comment: members.text_or_empty("Comment")?,
    };
    members.finish()?;
    Ok(config)
}

/// Writes a configuration.
pub fn write_config(version: Version, config: &KeyGroupConfig) -> String {
    super::close(version, &config_element(config))
}

/// Writes a key group.
pub fn write(version: Version, record: &KeyGroupRecord) -> String {
    super::close(version, &element(version, record))
}

/// Writes a list.
pub fn write_list(version: Version, list: &List<impl AsRef<KeyGroupRecord>>) -> String {
    let summary = |record: &KeyGroupRecord| Element::node(SUMMARY, [element(version, record)]);
    list::write_short(version, LIST, list.map(|record| summary(record.as_ref())))
}

fn element(version: Version, record: &KeyGroupRecord) -> Element {
    let members = [
        Element::text("Id", &record.head.id),
        Element::text(
            "LastModifiedTime",
            time::write(version, record.head.modified),
        ),
        config_element(&record.config),
    ];
    Element::node(NAME, members)
}

fn config_element(config: &KeyGroupConfig) -> Element {
    let keys = config
        .keys
        .iter()
        .map(|key| Element::text("PublicKey", key));
    let members = [
        Element::text("Name", &config.name),
        Element::node("Items", keys.collect::<Vec<_>>()),
        Element::text("Comment", &config.comment),
    ];
    Element::node(CONFIG, members)
}
