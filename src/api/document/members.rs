//! The elements of an element, taken one by one by their names; what is left is unknown.

use super::DocumentError;
use crate::api::xml::Element;

/// An element, and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Node<'a> {
    element: &'a Element,
    path: String,
}

/// What an element contains and was not taken yet.
#[derive(Debug)]
pub(super) struct Members<'a> {
    rest: Vec<&'a Element>,
    path: String,
}

impl<'a> Node<'a> {
    /// The root of a document.
    pub(super) fn root(element: &'a Element) -> Self {
        Self {
            path: element.name.clone(),
            element,
        }
    }

    /// Its text without white space at its ends.
    pub(super) fn text(&self) -> Result<&'a str, DocumentError> {
        self.verbatim().map(str::trim)
    }

    /// Its text as it stands there.
    pub(super) fn verbatim(&self) -> Result<&'a str, DocumentError> {
        if self.element.children.is_empty() {
            Ok(&self.element.text)
        } else {
            Err(self.wrong("it has text, and no elements"))
        }
    }

    /// `true` or `false`.
    pub(super) fn boolean(&self) -> Result<bool, DocumentError> {
        match self.text()? {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(self.wrong("it is true or false")),
        }
    }

    /// A count.
    pub(super) fn number(&self) -> Result<u32, DocumentError> {
        let text = self.text()?;
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse()
            .ok()
            .filter(|_| digits)
            .ok_or_else(|| self.wrong("it is a number, 0 or more"))
    }

    /// What it contains.
    pub(super) fn members(&self) -> Result<Members<'a>, DocumentError> {
        if self.element.text.trim().is_empty() {
            Ok(Members {
                rest: self.element.children.iter().collect(),
                path: self.path.clone(),
            })
        } else {
            Err(self.wrong("it has elements, and no text"))
        }
    }

    /// All that it contains, each called `name`.
    pub(super) fn each(&self, name: &str) -> Result<Vec<Node<'a>>, DocumentError> {
        let mut members = self.members()?;
        let all = members.all(name);
        members.finish()?;
        Ok(all)
    }

    /// An error about its value.
    pub(super) fn wrong(&self, cause: impl Into<String>) -> DocumentError {
        DocumentError::Value {
            path: self.path.clone(),
            cause: cause.into(),
        }
    }

    /// Whether it is called `name`.
    pub(super) fn is(&self, name: &str) -> bool {
        self.element.name == name
    }

    /// Where it stands.
    pub(super) fn path(&self) -> String {
        self.path.clone()
    }
}

impl<'a> Members<'a> {
    /// Those called `name`.
    pub(super) fn all(&mut self, name: &str) -> Vec<Node<'a>> {
        let (found, rest) = self
            .rest
            .drain(..)
            .partition(|element| element.name == name);
        self.rest = rest;
        let found: Vec<&Element> = found;
        let path = self.below(name);
        let node = |element| Node {
            element,
            path: path.clone(),
        };
        found.into_iter().map(node).collect()
    }

    /// The one called `name`, if it is there.
    pub(super) fn optional(&mut self, name: &str) -> Result<Option<Node<'a>>, DocumentError> {
        let mut all = self.all(name);
        let first = all.pop();
        if all.is_empty() {
            Ok(first)
        } else {
            Err(DocumentError::Twice(self.below(name)))
        }
    }

    /// The one called `name`.
    pub(super) fn required(&mut self, name: &str) -> Result<Node<'a>, DocumentError> {
        self.optional(name)?
            .ok_or_else(|| DocumentError::Missing(self.below(name)))
    }

    /// The one called `name`, which may be missing unless `required`.
    pub(super) fn member(
        &mut self,
        name: &str,
        required: bool,
    ) -> Result<Option<Node<'a>>, DocumentError> {
        if required {
            self.required(name).map(Some)
        } else {
            self.optional(name)
        }
    }

    /// The one of two names of one element.
    pub(super) fn either(&mut self, name: &str, other: &str) -> Result<Node<'a>, DocumentError> {
        match (self.optional(name)?, self.optional(other)?) {
            (Some(node), None) | (None, Some(node)) => Ok(node),
            (Some(node), Some(_)) => Err(DocumentError::Twice(node.path())),
            (None, None) => Err(DocumentError::Missing(self.below(name))),
        }
    }

    /// The trimmed text of `name`, required.
    pub(super) fn text(&mut self, name: &str) -> Result<String, DocumentError> {
        Ok(self.required(name)?.text()?.to_owned())
    }

    /// The trimmed text of `name`, or nothing.
    pub(super) fn text_or_empty(&mut self, name: &str) -> Result<String, DocumentError> {
        let node = self.optional(name)?;
        let text = node.map_or(Ok(""), |node| node.text())?;
        Ok(text.to_owned())
    }

    /// `Quantity` and `Items`, of elements called `name`.
    pub(super) fn items(&mut self, name: &str) -> Result<Vec<Node<'a>>, DocumentError> {
        let quantity = self.required("Quantity")?.number()?;
        let items = match self.optional("Items")? {
            Some(items) => items.each(name)?,
            None => Vec::new(),
        };
        if usize::try_from(quantity) == Ok(items.len()) {
            Ok(items)
        } else {
            Err(DocumentError::Quantity {
                path: self.path.clone(),
                quantity,
                items: items.len(),
            })
        }
    }

    /// Nothing is left.
    pub(super) fn finish(self) -> Result<(), DocumentError> {
        match self.rest.first() {
            None => Ok(()),
            Some(element) => Err(DocumentError::Unknown(self.below(&element.name))),
        }
    }

    fn below(&self, name: &str) -> String {
        format!("{}/{name}", self.path)
    }
}
