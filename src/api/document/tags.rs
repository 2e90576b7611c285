//! Tags, and TagKeys.

use super::members::Node;
use super::{DocumentError, Version};
use crate::api::xml::Element;
use crate::distribution::record::Tags;

/// What the elements are called.
pub(super) const NAME: &str = "Tags";
const KEYS: &str = "TagKeys";

/// Reads tags.
///
/// # Errors
/// See [`DocumentError`].
pub fn read(body: &[u8]) -> Result<Tags, DocumentError> {
    let tree = super::tree(body)?;
    members(&super::open(&tree, NAME)?)
}

/// Writes tags.
pub fn write(version: Version, tags: &Tags) -> String {
    super::close(version, &element(tags))
}

/// Reads the keys of tags.
///
/// # Errors
/// See [`DocumentError`].
pub fn read_keys(body: &[u8]) -> Result<Vec<String>, DocumentError> {
    let tree = super::tree(body)?;
    items(&super::open(&tree, KEYS)?, "Key")?
        .iter()
        .map(|key| key.verbatim().map(str::to_owned))
        .collect()
}

/// Reads the element. Keys and values are kept as they stand there, white space included.
pub(super) fn members(node: &Node<'_>) -> Result<Tags, DocumentError> {
    let mut tags = Tags::new();
    for tag in items(node, "Tag")? {
        let mut members = tag.members()?;
        let key = members.required("Key")?.verbatim()?.to_owned();
        let value = members.optional("Value")?;
        members.finish()?;
        let value = value.map_or(Ok(""), |value| value.verbatim())?.to_owned();
        if tags.contains_key(&key) {
            return Err(DocumentError::Tagging(format!("{key:?} is there twice")));
        }
        tags.insert(key, value);
    }
    Ok(tags)
}

/// The element.
pub(super) fn element(tags: &Tags) -> Element {
    let tag = |(key, value): (&String, &String)| {
        let members = [Element::text("Key", key), Element::text("Value", value)];
        Element::node("Tag", members)
    };
    let items: Vec<Element> = tags.iter().map(tag).collect();
    Element::node(NAME, [Element::node("Items", items)])
}

/// What `Items` has, which may be missing.
fn items<'a>(node: &Node<'a>, name: &str) -> Result<Vec<Node<'a>>, DocumentError> {
    let mut members = node.members()?;
    let items = members.optional("Items")?;
    members.finish()?;
    items.map_or(Ok(Vec::new()), |items| items.each(name))
}
