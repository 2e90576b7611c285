//! A streaming distribution as its owner configures it: every member of
//! StreamingDistributionConfig, and what may stand in each (cloudfront.md, section 5.2).
//!
//! What depends on other distributions (a name that is taken, an identity that does not exist) is
//! the registry's to say.

use serde::{Deserialize, Serialize};

use super::account::{AccountId, BadAccount};
use super::bucket::BucketDomain;
use super::host::HostPattern;

/// Names that a distribution may have beside its own.
pub const ALIASES_MAX: usize = 10;

/// Accounts that may sign names for a distribution.
pub const SIGNERS_MAX: usize = 5;

/// A caller reference is shorter than this, bytes.
pub const REFERENCE_BYTES: usize = 128;

/// The longest comment, characters.
pub const COMMENT_CHARS: usize = 128;

/// The longest prefix of log objects, bytes: CloudFront's own limit.
pub const LOG_PREFIX_BYTES: usize = 256;

/// A streaming distribution as its owner configures it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamingConfig {
    /// Chosen by the caller, so that a repeated request creates nothing twice. Never changes.
    pub caller_reference: String,
    /// The domain name that stands for the bucket ([`BucketDomain`]), as written. Never changes.
    pub origin_domain: String,
    /// Id of the origin access identity that the bucket is read as; none: anonymously.
    pub origin_access_identity: Option<String>,
    /// Further names (CNAMEs), in the order in which they were given. Never [`HostPattern::Any`].
    pub aliases: Vec<HostPattern>,
    /// What its owner wants to remember.
    pub comment: String,
    /// Where access logs go, if anywhere.
    pub logging: Option<Logging>,
    /// Who may sign names; where there is anybody, every name must be signed.
    pub trusted_signers: Vec<Signer>,
    /// Which edges serve it: kept, but every edge of ours does.
    pub price_class: PriceClass,
    /// Whether viewers are let in.
    pub enabled: bool,
}

/// Where access logs go.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Logging {
    /// The domain name that stands for the bucket.
    pub bucket: String,
    /// What the keys of log objects start with; may be empty.
    pub prefix: String,
}

/// Who may sign names.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Signer {
    /// The account that owns the distribution.
    #[serde(rename = "self")]
    Owner,
    /// Another account.
    #[serde(untagged)]
    Account(AccountId),
}

/// Which of Amazon's edges were to serve a distribution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the API's own values")]
pub enum PriceClass {
    #[serde(rename = "PriceClass_100")]
    Class100,
    #[serde(rename = "PriceClass_200")]
    Class200,
    #[default]
    #[serde(rename = "PriceClass_All")]
    All,
}

impl Signer {
    /// The account that is meant; `owner` has the distribution.
    pub fn account<'a>(&'a self, owner: &'a AccountId) -> &'a AccountId {
        match self {
            Self::Owner => owner,
            Self::Account(account) => account,
        }
    }

    /// Reads `self` or an account number, as the API and the configuration file write it.
    ///
    /// # Errors
    /// [`BadAccount`].
    pub fn parse(text: &str) -> Result<Self, BadAccount> {
        match text {
            "self" => Ok(Self::Owner),
            number => AccountId::parse(number).map(Self::Account),
        }
    }
}

impl PriceClass {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Class100, Self::Class200, Self::All];

    /// As the API writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Class100 => "PriceClass_100",
            Self::Class200 => "PriceClass_200",
            Self::All => "PriceClass_All",
        }
    }

    /// Reads what [`PriceClass::as_str`] writes. 2020-05-31 later had `None` too, which is no
    /// class.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == text)
    }
}

impl StreamingConfig {
    /// Whether each member is what it may be. `suffixes`: see [`BucketDomain::parse`].
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn validate<'a>(
        &self,
        suffixes: impl IntoIterator<Item = &'a str> + Clone,
    ) -> Result<(), ConfigFault> {
        let reference = &self.caller_reference;
        if reference.is_empty() || reference.len() >= REFERENCE_BYTES {
            return Err(ConfigFault::Argument(format!(
                "CallerReference must have 1 to {} bytes",
                REFERENCE_BYTES.saturating_sub(1)
            )));
        }
        if self.comment.chars().count() > COMMENT_CHARS {
            return Err(ConfigFault::Argument(format!(
                "Comment must have at most {COMMENT_CHARS} characters"
            )));
        }
        if self.aliases.len() > ALIASES_MAX {
            return Err(ConfigFault::TooManyAliases);
        }
        if self.trusted_signers.len() > SIGNERS_MAX {
            return Err(ConfigFault::TooManySigners);
        }
        for (place, alias) in self.aliases.iter().enumerate() {
            if *alias == HostPattern::Any {
                let cause = "a CNAME is a host name, or *. and a host name";
                return Err(ConfigFault::Argument(cause.to_owned()));
            }
            if self.aliases.iter().take(place).any(|other| other == alias) {
                let cause = format!("the CNAME {alias} is given twice");
                return Err(ConfigFault::Argument(cause));
            }
        }
        if let Some(logging) = &self.logging {
            logging.validate(suffixes.clone())?;
        }
        // Last, for this is no fault in what has this origin already: its server may have been
        // taken out of the configuration since.
        match BucketDomain::parse(&self.origin_domain, suffixes) {
            Some(_) => Ok(()),
            None => Err(ConfigFault::Origin(self.origin_domain.clone())),
        }
    }

    /// Whether this may take the place of `old`.
    ///
    /// # Errors
    /// [`ConfigFault::IllegalUpdate`].
    pub fn may_replace(&self, old: &Self) -> Result<(), ConfigFault> {
        if self.caller_reference != old.caller_reference {
            return Err(ConfigFault::IllegalUpdate("CallerReference"));
        }
        if !self.origin_domain.eq_ignore_ascii_case(&old.origin_domain) {
            return Err(ConfigFault::IllegalUpdate("the origin's DomainName"));
        }
        Ok(())
    }
}

impl Logging {
    /// Whether each member is what it may be. `suffixes`: see [`BucketDomain::parse`].
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn validate<'a>(
        &self,
        suffixes: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), ConfigFault> {
        if BucketDomain::parse(&self.bucket, suffixes).is_none() {
            return Err(ConfigFault::Argument(format!(
                "the log bucket {:?} is not of the form BUCKET.s3.amazonaws.com",
                self.bucket
            )));
        }
        let prefix = &self.prefix;
        if prefix.len() > LOG_PREFIX_BYTES
            || prefix.starts_with('/')
            || prefix.chars().any(char::is_control)
        {
            return Err(ConfigFault::Argument(format!(
                "the log prefix must have at most {LOG_PREFIX_BYTES} bytes and not begin with /"
            )));
        }
        Ok(())
    }
}

/// What is wrong with a configuration. Its owner is to blame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigFault {
    /// A value that cannot be.
    #[error("{0}")]
    Argument(String),
    /// The origin names no bucket.
    #[error(
        "{0:?} is not the domain name of a bucket, such as BUCKET.s3.amazonaws.com or BUCKET.SUFFIX \
         of an S3 server that is configured here"
    )]
    Origin(String),
    /// More than [`ALIASES_MAX`].
    #[error("there may be {ALIASES_MAX} CNAMEs at the most")]
    TooManyAliases,
    /// More than [`SIGNERS_MAX`].
    #[error("there may be {SIGNERS_MAX} trusted signers at the most")]
    TooManySigners,
    /// Something that never changes was changed.
    #[error("{0} cannot be changed after the distribution was created")]
    IllegalUpdate(&'static str),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> StreamingConfig {
        StreamingConfig {
            caller_reference: "ref".into(),
            origin_domain: "media.s3.amazonaws.com".into(),
            origin_access_identity: None,
            aliases: vec![],
            comment: String::new(),
            logging: None,
            trusted_signers: vec![],
            price_class: PriceClass::All,
            enabled: true,
        }
    }

    fn fault(change: impl FnOnce(&mut StreamingConfig)) -> ConfigFault {
        let mut config = config();
        change(&mut config);
        config.validate([]).unwrap_err()
    }

    #[test]
    fn each_member_has_its_bounds() {
        assert_eq!(config().validate([]), Ok(()));
        let argument = |fault| matches!(fault, ConfigFault::Argument(_));
        assert!(argument(fault(|it| it.caller_reference.clear())));
        assert!(argument(fault(|it| it.caller_reference = "é".repeat(64))));
        assert!(argument(fault(|it| it.comment = "é".repeat(129))));
        let alias = |name: &str| HostPattern::parse(name).unwrap();
        assert!(argument(fault(|it| it.aliases = vec![HostPattern::Any])));
        assert!(argument(fault(
            |it| it.aliases = vec![alias("a.b"), alias("A.b")]
        )));
        let eleven = (0..11)
            .map(|n| alias(&format!("{n}.example.com")))
            .collect();
        assert_eq!(fault(|it| it.aliases = eleven), ConfigFault::TooManyAliases);
        let six = (0..6)
            .map(|n| Signer::Account(AccountId::parse(&format!("{n:012}")).unwrap()))
            .collect();
        assert_eq!(
            fault(|it| it.trusted_signers = six),
            ConfigFault::TooManySigners
        );
        let fault = fault(|it| it.origin_domain = "www.example.com".into());
        assert_eq!(fault, ConfigFault::Origin("www.example.com".into()));
    }

    #[test]
    fn logs_go_to_a_bucket() {
        let logging = |bucket: &str, prefix: &str| {
            let logging = Logging {
                bucket: bucket.into(),
                prefix: prefix.into(),
            };
            StreamingConfig {
                logging: Some(logging),
                ..config()
            }
            .validate([])
            .is_ok()
        };
        assert!(logging("logs.s3.amazonaws.com", ""));
        assert!(logging("logs.s3.amazonaws.com", "a/b"));
        assert!(!logging("logs", ""));
        assert!(!logging("", ""));
        assert!(!logging("logs.s3.amazonaws.com", "/a"));
        assert!(!logging("logs.s3.amazonaws.com", &"a".repeat(257)));
    }

    #[test]
    fn reference_and_origin_stay_what_they_are() {
        let mut new = config();
        new.comment = "other".into();
        new.enabled = false;
        assert_eq!(new.may_replace(&config()), Ok(()));
        new.origin_domain = "other.s3.amazonaws.com".into();
        assert!(new.may_replace(&config()).is_err());
        let mut new = config();
        new.caller_reference = "other".into();
        assert!(new.may_replace(&config()).is_err());
    }

    #[test]
    fn it_is_kept_as_json() {
        let mut config = config();
        config.aliases = vec![HostPattern::parse("*.example.com").unwrap()];
        config.trusted_signers = vec![
            Signer::Owner,
            Signer::Account(AccountId::parse("123456789012").unwrap()),
        ];
        let json = serde_json::to_string(&config).unwrap();
        assert!(json.contains(r#""aliases":["*.example.com"],"#), "{json}");
        assert!(
            json.contains(r#""trusted_signers":["self","123456789012"]"#),
            "{json}"
        );
        assert_eq!(
            serde_json::from_str::<StreamingConfig>(&json).unwrap(),
            config
        );
    }
}
