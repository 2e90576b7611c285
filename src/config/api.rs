//! `[api]`: the control API, and who may call it.

use std::collections::HashSet;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};

use super::error::{ConfigError, Source};
use crate::api::caller::Caller;
use crate::api::{AccessKey, Secret};
use crate::distribution::AccountId;

/// The longest id of an access key, in bytes: Amazon's own bound.
const LONGEST_ID: usize = 128;

/// The control API.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Api {
    /// Where tools connect.
    pub listen: SocketAddr,
    /// Whether signatures over the Date alone count, as tools of 2010 to 2013 make them.
    pub legacy_signatures: bool,
    /// PEM file with the certificates of the port, its own first; none: plain HTTP.
    pub certificate: Option<PathBuf>,
    /// PEM file with the certificate's private key.
    pub private_key: Option<PathBuf>,
    /// The entries `[[api.key]]`, as written.
    #[serde(rename = "key")]
    entries: Vec<KeyEntry>,
    /// Who may call: the keys of the file, and that of the environment. Each id once.
    #[serde(skip)]
    pub keys: Vec<AccessKey>,
}

/// One `[[api.key]]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyEntry {
    id: String,
    #[serde(deserialize_with = "de_secret")]
    secret: Secret,
    #[serde(default = "AccountId::operator")]
    account: AccountId,
    #[serde(default = "everything")]
    allow: Vec<String>,
}

fn everything() -> Vec<String> {
    vec!["*".to_owned()]
}

impl Default for Api {
    fn default() -> Self {
        Self {
            // Whoever reaches it may try keys: only this machine, until told otherwise.
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8081)),
            // The tools that send them are the ones that must go on working.
            legacy_signatures: true,
            certificate: None,
            private_key: None,
            entries: Vec::new(),
            keys: Vec::new(),
        }
    }
}

impl Api {
    /// The certificate's file and that of its key, where there are both.
    pub fn tls(&self) -> Option<(&PathBuf, &PathBuf)> {
        self.certificate.as_ref().zip(self.private_key.as_ref())
    }

    /// The accounts of the access keys, and the operator's.
    pub fn accounts(&self) -> impl Iterator<Item = AccountId> {
        let accounts = self.keys.iter().map(|key| key.caller.account.clone());
        accounts.chain([AccountId::operator()])
    }

    /// Fills [`Api::keys`] from the file and the environment's key, which is id and secret.
    pub(super) fn resolve(
        &mut self,
        environment: (Option<String>, Option<Secret>),
        source: &Source,
    ) -> Result<(), ConfigError> {
        match (&self.certificate, &self.private_key) {
            (Some(_), None) => return Err(source.wrong("api.certificate", lacks("private_key"))),
            (None, Some(_)) => return Err(source.wrong("api.private_key", lacks("certificate"))),
            _ => {}
        }
        let mut ids = HashSet::new();
        for (index, entry) in self.entries.iter().enumerate() {
            let wrong = |cause: String| source.wrong_entry("api.key", index, &cause);
            self.keys.push(entry.key().map_err(wrong)?);
            if !ids.insert(&entry.id) {
                return Err(wrong(format!(
                    "there are two keys with the id {}",
                    entry.id
                )));
            }
        }
        if let Some(entry) = from_environment(environment)? {
            let said = |cause| in_environment(ID_VARIABLE, cause);
            if ids.contains(&entry.id) {
                return Err(said(format!("the file has a key {} as well", entry.id)));
            }
            self.keys.push(entry.key().map_err(said)?);
        }
        Ok(())
    }
}

fn lacks(other: &str) -> String {
    format!("needs {other} beside it")
}

/// The variable that holds the id of a key.
pub const ID_VARIABLE: &str = "STREAMFRONT_ACCESS_KEY_ID";

/// The variable that holds its secret.
pub const SECRET_VARIABLE: &str = "STREAMFRONT_SECRET_ACCESS_KEY";

fn in_environment(name: &str, cause: impl Into<String>) -> ConfigError {
    ConfigError::Setting {
        place: String::new(),
        key: name.to_owned(),
        cause: cause.into(),
    }
}

/// The operator's key, as environment variables give it.
fn from_environment(
    pair: (Option<String>, Option<Secret>),
) -> Result<Option<KeyEntry>, ConfigError> {
    match pair {
        (None, None) => Ok(None),
        (Some(id), Some(secret)) => Ok(Some(KeyEntry {
            id,
            secret,
            account: AccountId::operator(),
            allow: everything(),
        })),
        (Some(_), None) => Err(in_environment(ID_VARIABLE, lacks(SECRET_VARIABLE))),
        (None, Some(_)) => Err(in_environment(SECRET_VARIABLE, lacks(ID_VARIABLE))),
    }
}

impl KeyEntry {
    fn key(&self) -> Result<AccessKey, String> {
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let sound = (1..=LONGEST_ID).contains(&self.id.len()) && self.id.bytes().all(letter);
        if !sound {
            // Nothing of it is shown: it may be the secret, given in the wrong place.
            return Err("the id must be 1 to 128 letters, digits, -, _ or .".to_owned());
        }
        if self.secret.bytes().is_empty() {
            return Err(format!("the secret of {} is empty", self.id));
        }
        Ok(AccessKey {
            caller: Caller {
                account: self.account.clone(),
                key_id: Arc::from(&*self.id),
                allow: self.allow.clone().into(),
            },
            secret: self.secret.clone(),
        })
    }
}

/// Reads a secret; an error about what is no text does not show it.
pub(super) fn de_secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    struct Text;

    impl Visitor<'_> for Text {
        type Value = Secret;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a text in quotes")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Secret, E> {
            Ok(Secret::new(text))
        }

        fn visit_i64<E: Error>(self, _: i64) -> Result<Secret, E> {
            Err(E::custom("must be a text in quotes"))
        }

        fn visit_f64<E: Error>(self, _: f64) -> Result<Secret, E> {
            self.visit_i64(0)
        }
    }

    deserializer.deserialize_any(Text)
}

/// The same, where there need not be one.
pub(super) fn de_some_secret<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Secret>, D::Error> {
    de_secret(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_KEY: (Option<String>, Option<Secret>) = (None, None);

    fn key(more: &str) -> String {
        format!("[[key]]\nid = 'AKID'\nsecret = 'xyzzy'\n{more}")
    }

    fn read(text: &str) -> Result<Api, String> {
        let mut api: Api = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        let resolved = api.resolve(NO_KEY, &Source::none());
        resolved.map(|()| api).map_err(|error| error.to_string())
    }

    #[test]
    fn a_key_is_the_operators_and_may_do_everything_unless_told_otherwise() {
        let api = read(&key("")).unwrap();
        assert_eq!(api.keys[0].caller.account, AccountId::operator());
        assert!(api.keys[0].caller.may("cloudfront:Anything"));
        assert_eq!(api.keys[0].secret.bytes(), b"xyzzy");
        let api = read(&key(
            "account = '1234-5678-9012'\nallow = ['cloudfront:Get*']\n",
        ));
        let caller = api.unwrap().keys[0].caller.clone();
        assert_eq!(caller.account.as_str(), "123456789012");
        assert!(caller.may("cloudfront:GetX") && !caller.may("cloudfront:List"));
    }

    #[test]
    fn what_is_wrong_is_said_without_the_secret() {
        let twice = key("") + &key("");
        for (text, words) in [
            (&*twice, "api.key: there are two keys with the id AKID"),
            (&key("account = '12'\n"), "is not an account number"),
            ("[[key]]\nid = 'xy/zzy'\nsecret = 'a'\n", "the id must be"),
            (
                "[[key]]\nid = 'A'\nsecret = ''\n",
                "the secret of A is empty",
            ),
            (
                "[[key]]\nid = 'A'\nsecret = 815\n",
                "must be a text in quotes",
            ),
            (
                "[[key]]\nid = 'A'\nsecret = 81.5\n",
                "must be a text in quotes",
            ),
            ("[[key]]\nid = 'A'\n", "missing field `secret`"),
            ("certificate = 'a'\n", "needs private_key beside it"),
            ("private_key = 'a'\n", "needs certificate beside it"),
        ] {
            let said = read(text).unwrap_err();
            assert!(said.contains(words), "{said}");
            for secret in ["xyzzy", "zzy", "815", "81.5"] {
                assert!(!said.contains(secret), "{said}");
            }
        }
        let shown = format!("{:?}", read(&key("")).unwrap());
        assert!(
            shown.contains("AKID") && !shown.contains("xyzzy"),
            "{shown}"
        );
    }

    #[test]
    fn the_environment_gives_one_more_key_or_none() {
        let environment = |id: Option<&str>, secret: Option<&str>| {
            let mut api: Api = toml::from_str(&key("")).unwrap();
            let pair = (id.map(str::to_owned), secret.map(Secret::new));
            let resolved = api.resolve(pair, &Source::none());
            resolved.map(|()| api).map_err(|error| error.to_string())
        };
        let both = environment(Some("B"), Some("s")).unwrap();
        assert_eq!(both.keys.len(), 2);
        assert_eq!(&*both.keys[1].caller.key_id, "B");
        assert_eq!(both.keys[1].caller.account, AccountId::operator());
        for (id, secret, words) in [
            (
                Some("B"),
                None,
                "STREAMFRONT_ACCESS_KEY_ID: needs STREAMFRONT_SECRET",
            ),
            (
                None,
                Some("s"),
                "STREAMFRONT_SECRET_ACCESS_KEY: needs STREAMFRONT_A",
            ),
            (Some("AKID"), Some("s"), "the file has a key AKID as well"),
            (Some("a b"), Some("s"), "the id must be"),
        ] {
            let said = environment(id, secret).unwrap_err();
            assert!(said.contains(words), "{said}");
        }
    }
}
