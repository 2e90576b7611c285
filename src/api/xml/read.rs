//! Reads a tree of elements.

use std::str;

use quick_xml::Reader;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesDecl, BytesRef, BytesStart, Event};

use super::{Element, is_space, is_xml};

/// How deep elements may stand in each other: the deepest of the API is the eighth, a KeyPairId in
/// a list of distributions.
const MAX_DEPTH: usize = 16;

/// Elements of a document: as many as a request of 64 KiB could hold (`<a/>`), and a list of a
/// hundred distributions needs a third of them.
const MAX_ELEMENTS: usize = 16 * 1024;

/// The longest name of an element or attribute, bytes: the API's longest has 38.
const MAX_NAME: usize = 64;

/// Why bytes are no document. Who sent them is to blame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum XmlError {
    /// Text in another encoding.
    #[error("the document is not UTF-8")]
    Encoding,
    /// Not well-formed.
    #[error("byte {at}: {cause}")]
    Syntax {
        /// How many bytes stand before it.
        at: u64,
        /// What is wrong.
        cause: String,
    },
    /// A document type, which could define entities.
    #[error("a DOCTYPE is not accepted")]
    Doctype,
    /// `<?something ...?>`, or an XML declaration inside of the document.
    #[error("a processing instruction is not accepted")]
    Instruction,
    /// An entity other than XML's own five.
    #[error("{0}: an unknown entity")]
    Entity(String),
    /// A character that XML does not know.
    #[error("{0}: a character that XML does not know")]
    Character(String),
    /// An attribute other than a namespace.
    #[error("{0}: it has an attribute, and no element of the API has one")]
    Attribute(String),
    /// Text and elements side by side.
    #[error("{0}: text stands beside elements")]
    Mixed(String),
    /// The name of an element is not one.
    #[error("{0}: an element's name is empty, or longer than {MAX_NAME} bytes, or not a name")]
    Name(String),
    /// More than `MAX_DEPTH`.
    #[error("{0}: elements stand more than {MAX_DEPTH} deep in each other")]
    Depth(String),
    /// More than `MAX_ELEMENTS`.
    #[error("there are more than {MAX_ELEMENTS} elements")]
    Elements,
    /// The document ends before its last element does.
    #[error("{0}: it does not end")]
    Open(String),
    /// No element, or several beside each other, or text beside the root.
    #[error("the document is not one element")]
    Root,
}

/// Reads a document.
///
/// # Errors
/// See [`XmlError`].
pub fn read(bytes: &[u8]) -> Result<Element, XmlError> {
    let text = str::from_utf8(bytes).map_err(|_| XmlError::Encoding)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader::from_str(text);
    reader.config_mut().check_comments = true;
    let mut builder = Builder::default();
    loop {
        let before = reader.buffer_position();
        match reader.read_event() {
            Ok(Event::Eof) => return builder.finish(),
            Ok(Event::Decl(declaration)) if before == 0 => check(&declaration)?,
            Ok(event) => builder.take(event)?,
            Err(error) => {
                return Err(XmlError::Syntax {
                    at: reader.error_position(),
                    cause: error.to_string(),
                });
            }
        }
    }
}

/// Whether a declaration names the only encoding there is.
fn check(declaration: &BytesDecl<'_>) -> Result<(), XmlError> {
    match declaration.encoding() {
        None => Ok(()),
        Some(Ok(name))
            if ["utf-8", "utf8", "us-ascii"].contains(&name.to_ascii_lowercase().as_str()) =>
        {
            Ok(())
        }
        Some(_) => Err(XmlError::Encoding),
    }
}

/// The tree so far: what is open, from the root to the innermost.
#[derive(Debug, Default)]
struct Builder {
    open: Vec<Element>,
    root: Option<Element>,
    elements: usize,
}

impl Builder {
    fn take(&mut self, event: Event<'_>) -> Result<(), XmlError> {
        match event {
            Event::Start(start) => self.start(&start),
            Event::Empty(start) => {
                self.start(&start)?;
                self.end()
            }
            Event::End(_) => self.end(),
            Event::Text(text) => self.text(&text.xml10_content()),
            Event::CData(text) => self.text(&text.xml10_content()),
            Event::GeneralRef(reference) => self.reference(&reference),
            Event::Comment(_) | Event::Eof => Ok(()),
            Event::DocType(_) => Err(XmlError::Doctype),
            Event::PI(_) | Event::Decl(_) => Err(XmlError::Instruction),
        }
    }

    fn start(&mut self, start: &BytesStart<'_>) -> Result<(), XmlError> {
        let name = start.name().local_name().into_inner();
        if !is_name(name) {
            return Err(XmlError::Name(self.path()));
        }
        if self.open.is_empty() && self.root.is_some() {
            return Err(XmlError::Root);
        }
        if let Some(parent) = self.open.last_mut() {
            if !parent.text.chars().all(is_space) {
                return Err(XmlError::Mixed(self.path()));
            }
            // White space between elements means nothing.
            parent.text.clear();
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(XmlError::Depth(self.path()));
        }
        self.elements = self.elements.saturating_add(1);
        if self.elements > MAX_ELEMENTS {
            return Err(XmlError::Elements);
        }
        self.open.push(Element::empty(name));
        for attribute in start.attributes() {
            let namespace = |key: quick_xml::name::QName<'_>| key.as_namespace_binding().is_some();
            if !attribute.is_ok_and(|attribute| namespace(attribute.key)) {
                return Err(XmlError::Attribute(self.path()));
            }
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), XmlError> {
        // The reader checked that this one is open, and its name.
        let element = self.open.pop().ok_or(XmlError::Root)?;
        match self.open.last_mut() {
            Some(parent) => parent.children.push(element),
            None => self.root = Some(element),
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), XmlError> {
        if !text.chars().all(is_xml) {
            return Err(XmlError::Character(self.path()));
        }
        let blank = text.chars().all(is_space);
        match self.open.last_mut() {
            Some(element) if element.children.is_empty() => {
                element.text.push_str(text);
                Ok(())
            }
            _ if blank => Ok(()),
            Some(_) => Err(XmlError::Mixed(self.path())),
            None => Err(XmlError::Root),
        }
    }

    fn reference(&mut self, reference: &BytesRef<'_>) -> Result<(), XmlError> {
        let character = reference
            .resolve_char_ref()
            .map_err(|_| XmlError::Character(self.path()))?;
        if let Some(character) = character {
            return self.text(character.encode_utf8(&mut [0; 4]));
        }
        let text = resolve_xml_entity(reference).ok_or_else(|| XmlError::Entity(self.path()))?;
        self.text(text)
    }

    fn finish(self) -> Result<Element, XmlError> {
        if !self.open.is_empty() {
            return Err(XmlError::Open(self.path()));
        }
        self.root.ok_or(XmlError::Root)
    }

    /// The names of what is open, from the root on.
    fn path(&self) -> String {
        if self.open.is_empty() {
            return "the root".to_owned();
        }
        let names: Vec<&str> = self.open.iter().map(|open| open.name.as_str()).collect();
        names.join("/")
    }
}

/// Whether it is a name as the API's elements have them, or near one.
fn is_name(name: &str) -> bool {
    name.len() <= MAX_NAME
        && name.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && name
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Element, XmlError> {
        super::read(text.as_bytes())
    }

    #[test]
    fn elements_and_text() {
        let expected = Element::node(
            "A",
            [
                Element::text("B", " 1 < 2 & \"3\"\né "),
                Element::empty("C"),
                Element::text("D", "<x>"),
            ],
        );
        let text = "\u{feff}<?xml version='1.0' encoding='utf-8'?>\n<!-- c -->\
            <A xmlns=\"u\" xmlns:z='v'>\n <z:B> 1 &lt; 2 &amp; &quot;3&#x22;\r\n<!-- c -->&#233; </z:B>\
            <C />\n<D><![CDATA[<x>]]></D>\n</A >\n<!-- c -->\n";
        assert_eq!(read(text), Ok(expected));
    }

    #[test]
    fn what_could_be_a_trick_is_refused() {
        let path = |text: &str| text.to_owned();
        for (text, expected) in [
            ("", XmlError::Root),
            (" text ", XmlError::Root),
            ("<a/><b/>", XmlError::Root),
            ("<a/>b", XmlError::Root),
            ("<a><b></b>", XmlError::Open(path("a"))),
            ("<!DOCTYPE a><a/>", XmlError::Doctype),
            (
                "<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>",
                XmlError::Doctype,
            ),
            ("<a><b>&x;</b></a>", XmlError::Entity(path("a/b"))),
            ("<a><?php x?></a>", XmlError::Instruction),
            ("<a><?xml version='1.0'?></a>", XmlError::Instruction),
            ("<a><b x='1'/></a>", XmlError::Attribute(path("a/b"))),
            ("<a x='1' x='1'/>", XmlError::Attribute(path("a"))),
            ("<a>x<b/></a>", XmlError::Mixed(path("a"))),
            ("<a><b/>x</a>", XmlError::Mixed(path("a"))),
            ("<a>&#1;</a>", XmlError::Character(path("a"))),
            ("<a>&#0;</a>", XmlError::Character(path("a"))),
            ("<a>&#xd800;</a>", XmlError::Character(path("a"))),
            ("<a>\u{1}</a>", XmlError::Character(path("a"))),
            ("<1/>", XmlError::Name(path("the root"))),
            (
                "<?xml version='1.0' encoding='latin1'?><a/>",
                XmlError::Encoding,
            ),
        ] {
            assert_eq!(read(text), Err(expected), "{text}");
        }
        for text in ["<a></b>", "<a", "</a>", "<a>&</a>", "<a><!-- -- --></a>"] {
            let error = read(text).unwrap_err();
            assert!(matches!(error, XmlError::Syntax { .. }), "{text}: {error}");
        }
        assert_eq!(super::read(b"<a>\xff</a>"), Err(XmlError::Encoding));
    }

    #[test]
    fn sizes_are_bounded() {
        let deep = |depth| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
        assert!(read(&deep(MAX_DEPTH)).is_ok());
        assert!(matches!(
            read(&deep(MAX_DEPTH + 1)),
            Err(XmlError::Depth(_))
        ));
        let many = |count| format!("<a>{}</a>", "<a/>".repeat(count));
        assert!(read(&many(MAX_ELEMENTS - 1)).is_ok());
        assert_eq!(read(&many(MAX_ELEMENTS)), Err(XmlError::Elements));
        let named = |bytes| format!("<{}/>", "a".repeat(bytes));
        assert!(read(&named(MAX_NAME)).is_ok());
        assert!(matches!(read(&named(MAX_NAME + 1)), Err(XmlError::Name(_))));
    }
}
