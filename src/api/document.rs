//! The documents of the API: each is read into the model and written from it, in the shape that
//! the version of the request has (cloudfront.md, sections 5.1, 5.2 and 5.4).
//!
//! Requests are read strictly: an element that is unknown, missing, there twice or of the wrong
//! form is an error that names it. What depends on more than the document (a bucket's name, a
//! quota) is the model's and the registry's to say. The command line sends and reads the same
//! documents.

mod error;
mod flat;
mod list;
mod members;
mod parts;
mod time;

pub mod identity;
pub mod key_group;
pub mod public_key;
pub mod streaming;
pub mod streaming_config;
pub mod summary;
pub mod tags;

pub use error::DocumentError;
pub use list::List;

use super::version::Version;
use super::xml::{self, Element};
use members::Node;

/// The root of a document, which must be called `name`.
fn open<'a>(tree: &'a Element, name: &'static str) -> Result<Node<'a>, DocumentError> {
    if tree.name == name {
        Ok(Node::root(tree))
    } else {
        Err(DocumentError::Root {
            expected: name,
            found: tree.name.clone(),
        })
    }
}

/// The tree of a document that was sent.
fn tree(body: &[u8]) -> Result<Element, DocumentError> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(DocumentError::Empty);
    }
    Ok(xml::read(body)?)
}

/// A document in the namespace of its version.
fn close(version: Version, root: &Element) -> String {
    xml::write(root, &version.namespace())
}

#[cfg(test)]
mod tests;
