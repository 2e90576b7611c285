//! Where a port listens: one address, or several.

use std::fmt;
use std::net::SocketAddr;

use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};

/// Some addresses, one at least.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen(Vec<SocketAddr>);

impl Listen {
    /// Several addresses; `None` where there are none.
    pub fn on(addresses: Vec<SocketAddr>) -> Option<Self> {
        (!addresses.is_empty()).then_some(Self(addresses))
    }

    /// The first, which is what others are told.
    pub fn first(&self) -> SocketAddr {
        self.0[0]
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = SocketAddr> {
        self.0.iter().copied()
    }
}

impl From<SocketAddr> for Listen {
    fn from(address: SocketAddr) -> Self {
        Self(vec![address])
    }
}

impl<'de> Deserialize<'de> for Listen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrMany)
    }
}

struct OneOrMany;

impl<'de> Visitor<'de> for OneOrMany {
    type Value = Listen;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an address such as \"0.0.0.0:1935\" or \"[::]:1935\", or a list of some")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Listen, E> {
        address(text).map(Listen::from)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut texts: A) -> Result<Listen, A::Error> {
        let mut addresses = Vec::new();
        while let Some(text) = texts.next_element::<String>()? {
            addresses.push(address(&text)?);
        }
        Listen::on(addresses).ok_or_else(|| de::Error::custom("must name an address at least"))
    }
}

fn address<E: de::Error>(text: &str) -> Result<SocketAddr, E> {
    text.parse().map_err(|_| {
        E::custom(format!(
            "{text:?} is not an address such as 0.0.0.0:1935 or [::]:1935"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    struct File {
        listen: Listen,
    }

    fn read(value: &str) -> Result<Vec<String>, String> {
        let file: Result<File, _> = toml::from_str(&format!("listen = {value}"));
        let file = file.map_err(|error| error.message().to_owned())?;
        Ok(file.listen.iter().map(|it| it.to_string()).collect())
    }

    #[test]
    fn one_or_some() {
        assert_eq!(read("'127.0.0.1:1'").unwrap(), ["127.0.0.1:1"]);
        let both = read("['0.0.0.0:1935', '[::]:80']").unwrap();
        assert_eq!(both, ["0.0.0.0:1935", "[::]:80"]);
    }

    #[test]
    fn anything_else_is_an_error() {
        assert_eq!(read("[]").unwrap_err(), "must name an address at least");
        for wrong in ["'1935'", "['a:1']", "'localhost:1935'"] {
            assert!(
                read(wrong).unwrap_err().contains("is not an address"),
                "{wrong}"
            );
        }
        assert!(read("1935").unwrap_err().contains("or a list of some"));
    }
}
