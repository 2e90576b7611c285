//! Lists: one page of them.

use super::members::Node;
use super::{DocumentError, Version, close, parts};
use crate::api::xml::Element;

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List<T> {
    /// The marker that was asked for; empty for the first page.
    pub marker: String,
    /// The marker of the next page, if there is one.
    pub next: Option<String>,
    /// The most items that a page was to have.
    pub max_items: usize,
    /// What is on the page.
    pub items: Vec<T>,
}

impl<T> List<T> {
    /// A list of what `write` makes of the items.
    pub(super) fn map<U>(&self, write: impl FnMut(&T) -> U) -> List<U> {
        List {
            marker: self.marker.clone(),
            next: self.next.clone(),
            max_items: self.max_items,
            items: self.items.iter().map(write).collect(),
        }
    }
}

/// Writes a list of distributions or identities.
pub(super) fn write(version: Version, name: &str, list: List<Element>) -> String {
    let mut members = vec![Element::text("Marker", &list.marker)];
    members.extend(list.next.as_ref().map(next));
    members.push(Element::number("MaxItems", list.max_items));
    members.push(Element::boolean("IsTruncated", list.next.is_some()));
    if version.is_flat() {
        members.extend(list.items);
    } else {
        members.extend(parts::counted(list.items));
    }
    close(version, &Element::node(name, members))
}

/// Writes a list of the newer kinds, which tells neither the marker nor whether it is cut.
pub(super) fn write_short(version: Version, name: &str, list: List<Element>) -> String {
    let mut members: Vec<Element> = list.next.as_ref().map(next).into_iter().collect();
    members.push(Element::number("MaxItems", list.max_items));
    members.extend(parts::counted(list.items));
    close(version, &Element::node(name, members))
}

fn next(marker: &String) -> Element {
    Element::text("NextMarker", marker)
}

/// Reads a list of distributions or identities as it is since 2012-05-05.
pub(super) fn read<T>(
    node: &Node<'_>,
    item: &str,
    read: impl FnMut(&Node<'_>) -> Result<T, DocumentError>,
) -> Result<List<T>, DocumentError> {
    let mut members = node.members()?;
    let marker = members.text("Marker")?;
    let next = members.optional("NextMarker")?;
    let max_items = members.required("MaxItems")?.number()?;
    members.required("IsTruncated")?.boolean()?;
    let items = members.items(item)?;
    members.finish()?;
    Ok(List {
        marker,
        next: next
            .map(|node| node.text().map(str::to_owned))
            .transpose()?,
        max_items: usize::try_from(max_items).unwrap_or(usize::MAX),
        items: items.iter().map(read).collect::<Result<_, _>>()?,
    })
}
