//! Access keys: who may call, and with which secret.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use super::caller::Caller;

/// What only the owner of a key and the server know. It never shows in a log.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

impl Secret {
    /// A secret.
    pub fn new(text: &str) -> Self {
        Self(Arc::from(text))
    }

    /// The secret itself, for whoever signs with it.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// The bytes that sign.
    pub fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// One access key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessKey {
    /// Who signs with it, and what they may do.
    pub caller: Caller,
    /// The secret.
    pub secret: Secret,
}

/// All access keys, by id.
#[derive(Debug, Clone, Default)]
pub struct Keys(HashMap<Arc<str>, AccessKey>);

impl Keys {
    /// The key of this id.
    pub fn get(&self, id: &str) -> Option<&AccessKey> {
        self.0.get(id)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<AccessKey> for Keys {
    fn from_iter<T: IntoIterator<Item = AccessKey>>(keys: T) -> Self {
        let named = |key: AccessKey| (Arc::clone(&key.caller.key_id), key);
        Self(keys.into_iter().map(named).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown() {
        let secret = Secret::new("xyzzy");
        assert_eq!(secret.bytes(), b"xyzzy");
        assert_eq!(format!("{secret:?} {secret:#?}"), "Secret(..) Secret(..)");
    }
}
