//! Documents as trees of elements: small, strict, and nothing that a document could use against its
//! reader.
//!
//! The documents of the API have elements and text, and nothing else. So namespaces are ignored,
//! and whatever could surprise is refused: other attributes, DOCTYPE (and with it entities),
//! processing instructions, text beside elements. Sizes are bounded before a tree is built.

mod read;
mod write;

pub use read::{XmlError, read};
pub use write::write;

/// An element: text, or further elements, never both.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Element {
    /// Its name, without a namespace's prefix.
    pub name: String,
    /// Its text as it stands there, if it has no children.
    pub text: String,
    /// What it contains, if it has no text.
    pub children: Vec<Element>,
}

impl Element {
    /// An element with text.
    pub fn text(name: &str, text: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            text: text.into(),
            children: Vec::new(),
        }
    }

    /// An element with elements.
    pub fn node(name: &str, children: impl Into<Vec<Element>>) -> Self {
        Self {
            name: name.to_owned(),
            text: String::new(),
            children: children.into(),
        }
    }

    /// An element with nothing in it.
    pub fn empty(name: &str) -> Self {
        Self::text(name, "")
    }

    /// `true` or `false`.
    pub fn boolean(name: &str, value: bool) -> Self {
        Self::text(name, value.to_string())
    }

    /// A number.
    pub fn number(name: &str, value: usize) -> Self {
        Self::text(name, value.to_string())
    }
}

/// Whether XML 1.0 knows a character (section 2.2 of its specification).
fn is_xml(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// What XML calls white space.
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn elements() -> impl Strategy<Value = Element> {
        let name = "[A-Za-z][A-Za-z0-9]{0,8}";
        // Text of white space alone beside no element is text; all characters of XML.
        let text = "[\\PC\\t\\n\\r&<>'\"]{0,20}"
            .prop_map(|text: String| text.chars().filter(|c| is_xml(*c)).collect::<String>());
        let leaf = (name, text).prop_map(|(name, text)| Element::text(&name, text));
        leaf.prop_recursive(4, 40, 6, move |inner| {
            (name, prop::collection::vec(inner, 1..6))
                .prop_map(|(name, children)| Element::node(&name, children))
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(element in elements()) {
            let text = write(&element, "urn:x");
            prop_assert_eq!(read(text.as_bytes()).unwrap(), element, "{}", text);
        }

        #[test]
        fn no_bytes_are_a_surprise(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
        }

        #[test]
        fn nothing_like_a_document_is_a_surprise(
            parts in prop::collection::vec(
                prop::sample::select(vec![
                    "<a>", "</a>", "<b/>", "<a x='1'>", "<a xmlns=\"u\">", "<![CDATA[", "]]>",
                    "<!--", "-->", "<?xml version='1.0'?>", "<!DOCTYPE a [", "<!ENTITY x 'y'>",
                    "]>", "&x;", "&amp;", "&#0;", "&#xd800;", "&", "<", ">", "\"", "=", ":", " ",
                    "\u{feff}", "é", "\0", "</", "<a:b>", "</a:b>", "<a b", "/>", "<:>", "text",
                ]),
                0..24,
            )
        ) {
            let text = parts.concat();
            if let Ok(element) = read(text.as_bytes()) {
                let again = write(&element, "urn:x");
                prop_assert_eq!(read(again.as_bytes()).unwrap(), element, "{}", text);
            }
        }
    }
}
