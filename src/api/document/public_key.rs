//! PublicKey, its configuration, its list.

use super::{DocumentError, List, Version, list, time};
use crate::api::xml::Element;
use crate::distribution::record::{PublicKeyConfig, PublicKeyRecord};

/// What the elements are called.
const NAME: &str = "PublicKey";
const CONFIG: &str = "PublicKeyConfig";
const LIST: &str = "PublicKeyList";
const SUMMARY: &str = "PublicKeySummary";

/// Reads a configuration. The key is kept as it stands there, its line ends included: tools compare
/// it with what they sent.
///
/// # Errors
/// See [`DocumentError`].
pub fn read_config(body: &[u8]) -> Result<PublicKeyConfig, DocumentError> {
    let tree = super::tree(body)?;
    let mut members = super::open(&tree, CONFIG)?.members()?;
    let config = PublicKeyConfig {
        caller_reference: members.text("CallerReference")?,
        name: members.text("Name")?,
        encoded_key: members.required("EncodedKey")?.verbatim()?.to_owned(),
        comment: members.text_or_empty("Comment")?,
    };
    members.finish()?;
    Ok(config)
}

/// Writes a configuration.
pub fn write_config(version: Version, config: &PublicKeyConfig) -> String {
    super::close(version, &config_element(config))
}

/// Writes a public key.
pub fn write(version: Version, record: &PublicKeyRecord) -> String {
    let members = [
        Element::text("Id", &record.head.id),
        created(version, record),
        config_element(&record.config),
    ];
    super::close(version, &Element::node(NAME, members))
}

/// Writes a list.
pub fn write_list(version: Version, list: &List<impl AsRef<PublicKeyRecord>>) -> String {
    let summary = |record: &PublicKeyRecord| {
        let members = [
            Element::text("Id", &record.head.id),
            Element::text("Name", &record.config.name),
            created(version, record),
            Element::text("EncodedKey", &record.config.encoded_key),
            Element::text("Comment", &record.config.comment),
        ];
        Element::node(SUMMARY, members)
    };
    list::write_short(version, LIST, list.map(|record| summary(record.as_ref())))
}

fn created(version: Version, record: &PublicKeyRecord) -> Element {
    Element::text("CreatedTime", time::write(version, record.head.created))
}

fn config_element(config: &PublicKeyConfig) -> Element {
    let members = [
        Element::text("CallerReference", &config.caller_reference),
        Element::text("Name", &config.name),
        Element::text("EncodedKey", &config.encoded_key),
        Element::text("Comment", &config.comment),
    ];
    Element::node(CONFIG, members)
}
