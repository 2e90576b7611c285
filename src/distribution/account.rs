//! Accounts: whose a distribution is, and who may sign names for one.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The digits of an account number.
const DIGITS: usize = 12;

/// The number of an account: 12 digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccountId(String);

impl AccountId {
    /// Reads 12 digits; the hyphens of `1234-5678-9012`, as consoles showed it, do not matter.
    ///
    /// # Errors
    /// [`BadAccount`].
    pub fn parse(text: &str) -> Result<Self, BadAccount> {
        let digits: String = text.chars().filter(|c| *c != '-').collect();
        if digits.len() == DIGITS && digits.bytes().all(|b| b.is_ascii_digit()) {
            Ok(Self(digits))
        } else {
            Err(BadAccount(text.to_owned()))
        }
    }

    /// The operator's own: that of distributions in the configuration file, and of the access key
    /// that environment variables give.
    pub fn operator() -> Self {
        Self("0".repeat(DIGITS))
    }

    /// The 12 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for AccountId {
    type Error = BadAccount;

    fn try_from(text: String) -> Result<Self, BadAccount> {
        Self::parse(&text)
    }
}

impl From<AccountId> for String {
    fn from(account: AccountId) -> Self {
        account.0
    }
}

/// Not an account number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an account number of 12 digits")]
pub struct BadAccount(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twelve_digits_with_or_without_hyphens() {
        let account = AccountId::parse("1234-5678-9012").unwrap();
        assert_eq!(account.as_str(), "123456789012");
        assert_eq!(AccountId::operator().to_string(), "000000000000");
        for text in [
            "",
            "12345678901",
            "1234567890123",
            "12345678901a",
            "self",
            "１２３４５６７８９０１２",
        ] {
            assert!(AccountId::parse(text).is_err(), "{text:?}");
        }
        assert!(serde_json::from_str::<AccountId>("\"1\"").is_err());
    }
}
