//! Writes a tree of elements.

use quick_xml::escape::partial_escape;

use super::{Element, is_xml};

/// The document whose root is `root`, in a namespace. A character that XML does not know is written
/// as U+FFFD.
pub fn write(root: &Element, namespace: &str) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    element(root, &format!(" xmlns=\"{namespace}\""), &mut out);
    out.push('\n');
    out
}

fn element(element: &Element, attribute: &str, out: &mut String) {
    let name = &element.name;
    out.push('<');
    out.push_str(name);
    out.push_str(attribute);
    if element.text.is_empty() && element.children.is_empty() {
        out.push_str("/>");
        return;
    }
    out.push('>');
    if element.children.is_empty() {
        out.push_str(&escape(&element.text));
    }
    for child in &element.children {
        self::element(child, "", out);
    }
    out.push_str("</");
    out.push_str(name);
    out.push('>');
}

/// Text as it stands between tags.
fn escape(text: &str) -> String {
    let known: String = text
        .chars()
        .map(|c| if is_xml(c) { c } else { '\u{fffd}' })
        .collect();
    partial_escape(known).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document() {
        let root = Element::node(
            "A",
            [
                Element::text("B", "1 < 2 & 3\r\n\u{1}\u{fffe}"),
                Element::empty("C"),
                Element::node("D", []),
                Element::boolean("E", true),
                Element::number("F", 7),
            ],
        );
        assert_eq!(
            write(&root, "urn:x"),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <A xmlns=\"urn:x\"><B>1 &lt; 2 &amp; 3&#13;\n\u{fffd}\u{fffd}</B><C/><D/><E>true</E>\
             <F>7</F></A>\n"
        );
    }
}
