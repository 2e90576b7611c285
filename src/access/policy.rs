//! Policies: the text that is signed, and what it says (cloudfront.md, section 3.3).

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};
use std::net::IpAddr;

use super::Refusal;
use super::addresses::Addresses;
use super::claim::malformed;
use super::pattern::Pattern;

/// The latest time of a policy, seconds since 1970: CloudFront's own limit.
pub const LATEST: u64 = 2_147_483_647;

/// Characters of a fault of a policy that are shown. It may repeat what stands there.
const SHOWN: usize = 160;

/// What a policy is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resource {
    /// This, and nothing else: the fixed text knows no patterns.
    Exact(String),
    /// All that a pattern stands for.
    Pattern(Pattern),
}

impl Resource {
    /// As it stands in the policy.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Exact(text) => text,
            Self::Pattern(pattern) => pattern.as_str(),
        }
    }

    /// Whether it stands for a name with parameters, or without where `own` is empty. The
    /// parameters must stand in it as they are: they are the viewer's to choose, and no `*` is
    /// meant to run over them.
    pub fn covers(&self, name: &str, own: &str) -> bool {
        let of_name = match self {
            _ if own.is_empty() => Some(self.as_str()),
            _ => {
                let rest = self.as_str().strip_suffix(own);
                rest.and_then(|rest| rest.strip_suffix('?'))
            }
        };
        match (self, of_name) {
            (_, None) => false,
            (Self::Exact(_), Some(exact)) => exact == name,
            (Self::Pattern(pattern), Some(_)) if own.is_empty() => pattern.matches(name),
            (Self::Pattern(_), Some(pattern)) => Pattern::new(pattern).matches(name),
        }
    }
}

/// When and from where it may be played: all of a policy that is the same whatever was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conditions {
    /// Before when, seconds since 1970.
    pub before: u64,
    /// After when, if that matters, seconds since 1970.
    pub after: Option<u64>,
    /// From where, if that matters.
    pub addresses: Option<Addresses>,
}

/// What a policy says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// What may be played.
    pub resource: Resource,
    /// When, and from where.
    pub conditions: Conditions,
}

/// What a text says that may or may not have been signed. Its resource stays a text: a pattern is
/// made only where a signature holds, for a hostile one costs more than a verification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unverified {
    resource: String,
    /// When, and from where.
    pub conditions: Conditions,
}

/// The fixed text for a resource. Signers write the name into it as it is, escaping nothing.
pub fn canned(resource: &str, expires: u64) -> String {
    format!(
        "{{\"Statement\":[{{\"Resource\":\"{resource}\",\"Condition\":{{\"DateLessThan\":\
         {{\"AWS:EpochTime\":{expires}}}}}}}]}}"
    )
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Document {
    // One statement, no more and no less.
    statement: [Statement; 1],
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Statement {
    resource: String,
    condition: Condition,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Condition {
    date_less_than: Epoch,
    #[serde(default, deserialize_with = "there")]
    date_greater_than: Option<Epoch>,
    #[serde(default, deserialize_with = "there")]
    ip_address: Option<Source>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Epoch {
    #[serde(rename = "AWS:EpochTime")]
    seconds: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Source {
    #[serde(rename = "AWS:SourceIp")]
    address: String,
}

/// What stands there must be what it should be: `null` is not the same as nothing.
fn there<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

impl Policy {
    /// That of the fixed text.
    pub fn canned(resource: &str, expires: u64) -> Self {
        Self {
            resource: Resource::Exact(resource.to_owned()),
            conditions: Conditions::until(expires),
        }
    }
}

impl Unverified {
    /// Reads a policy, strictly.
    ///
    /// # Errors
    /// It is no policy.
    pub fn read(text: &[u8]) -> Result<Self, Refusal> {
        let document: Document = serde_json::from_slice(text)
            .map_err(|error| malformed(&format!("its policy: {}", plain(&error.to_string()))))?;
        let [
            Statement {
                resource,
                condition,
            },
        ] = document.statement;
        Ok(Self {
            resource,
            conditions: Conditions::read(condition)?,
        })
    }

    /// The policy, once its signature was verified.
    pub fn verified(self) -> Policy {
        Policy {
            resource: Resource::Pattern(Pattern::new(&self.resource)),
            conditions: self.conditions,
        }
    }
}

impl Conditions {
    /// Those of the fixed text.
    pub fn until(expires: u64) -> Self {
        Self {
            before: expires,
            after: None,
            addresses: None,
        }
    }

    fn read(condition: Condition) -> Result<Self, Refusal> {
        let time = |epoch: Epoch| {
            let seconds = Some(epoch.seconds).filter(|seconds| *seconds <= LATEST);
            seconds.ok_or_else(|| malformed("its policy: a time is not in seconds since 1970"))
        };
        let source = condition.ip_address.map(|source| source.address.parse());
        Ok(Self {
            before: time(condition.date_less_than)?,
            after: condition.date_greater_than.map(time).transpose()?,
            addresses: source
                .transpose()
                .map_err(|error| malformed(&format!("its policy: {error}")))?,
        })
    }

    /// Whether they hold for a viewer now.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, now: Timestamp, peer: Option<IpAddr>) -> Result<(), Refusal> {
        self.check_time(now)?;
        match self.addresses {
            Some(signed) if !peer.is_some_and(|peer| signed.admit(peer)) => {
                Err(Refusal::Address { signed, peer })
            }
            _ => Ok(()),
        }
    }

    /// Whether they hold now.
    ///
    /// # Errors
    /// Why not.
    pub fn check_time(&self, now: Timestamp) -> Result<(), Refusal> {
        let before = at(self.before);
        if now >= before {
            return Err(Refusal::Expired { at: before });
        }
        if let Some(from) = self.after.map(at)
            && now <= from
        {
            return Err(Refusal::NotYet { from });
        }
        Ok(())
    }
}

/// The start of a text that anybody may have written, for a log: one line of it.
fn plain(text: &str) -> String {
    let kept = text.chars().take(SHOWN);
    kept.map(|sign| if sign.is_control() { ' ' } else { sign })
        .collect()
}

/// A second since 1970 as a time.
pub fn at(seconds: u64) -> Timestamp {
    let seconds = i64::try_from(seconds).ok();
    let time = seconds.and_then(|seconds| Timestamp::from_second(seconds).ok());
    time.unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// AWS's own sample, white space and all.
    const SAMPLE: &str = "{\r\n  \"Statement\":[{\n  \"Resource\":\"dir/*\",\n  \"Condition\":{\"IpAddress\":\
        {\"AWS:SourceIp\":\"0.0.0.0/0\"},\"DateLessThan\":{\"AWS:EpochTime\":2145916800}}}]}";

    fn read(text: &str) -> Result<Policy, Refusal> {
        Unverified::read(text.as_bytes()).map(Unverified::verified)
    }

    #[test]
    fn the_fixed_text_is_as_every_signer_writes_it() {
        assert_eq!(
            canned("dir/x.mp4", 1_893_456_000),
            r#"{"Statement":[{"Resource":"dir/x.mp4","Condition":{"DateLessThan":{"AWS:EpochTime":1893456000}}}]}"#
        );
    }

    #[test]
    fn a_policy_is_read_whatever_its_order_and_its_spaces() {
        let it = read(SAMPLE).unwrap();
        assert_eq!(
            it.resource,
            Resource::Pattern(Pattern::new("dir/*")),
            "a pattern"
        );
        let conditions = it.conditions;
        assert_eq!((conditions.before, conditions.after), (2_145_916_800, None));
        assert_eq!(conditions.addresses.unwrap().to_string(), "0.0.0.0/0");
        let it = read(
            r#"{"Statement":[{"Condition":{"DateGreaterThan":{"AWS:EpochTime":5},"DateLessThan":{"AWS:EpochTime":7}},"Resource":"a\/b"}]}"#,
        );
        let it = it.unwrap();
        let Conditions { before, after, .. } = it.conditions;
        assert_eq!((it.resource.as_str(), before, after), ("a/b", 7, Some(5)));
    }

    #[test]
    fn what_is_no_policy_is_refused() {
        let good =
            r#"{"Statement":[{"Resource":"a","Condition":{"DateLessThan":{"AWS:EpochTime":7}}}]}"#;
        assert!(read(good).is_ok());
        for (from, to) in [
            ("7", "\"7\""),
            ("7", "7.0"),
            ("7", "-7"),
            ("7", "2147483648"),
            ("7", "1893456000000"),
            ("\"Resource\":\"a\",", ""),
            ("\"a\"", "null"),
            ("\"a\"", "[\"a\"]"),
            ("\"a\"", "\"a\",\"Resource\":\"b\""),
            ("DateLessThan", "DateLess"),
            ("DateLessThan", "dateLessThan"),
            ("DateLessThan\":{", "IpAddress\":null,\"DateLessThan\":{"),
            (
                "DateLessThan\":{",
                "IpAddress\":{\"AWS:SourceIp\":\"x\"},\"DateLessThan\":{",
            ),
            ("DateLessThan\":{", "Other\":{},\"DateLessThan\":{"),
            ("\"Statement\"", "\"Version\":1,\"Statement\""),
            ("[{", "[{},{"),
            ("}]}", "}]}x"),
            (
                ":[{\"Resource\":\"a\",\"Condition\":{\"DateLessThan\":{\"AWS:EpochTime\":7}}}]",
                ":[]",
            ),
        ] {
            let text = good.replacen(from, to, 1);
            assert_ne!(text, good, "{from}");
            assert!(matches!(read(&text), Err(Refusal::Malformed(_))), "{text}");
        }
        assert!(Unverified::read(b"\xff").is_err());
        assert!(read(&"[".repeat(100_000)).is_err());
    }

    /// Whoever wrote it may want to write the operator's log as well.
    #[test]
    fn what_is_said_of_an_unsigned_text_is_one_short_line() {
        let name = format!("\\nall is well\\u001b[2J{}", "x".repeat(1_000));
        let refused = read(&format!("{{\"Statement\":[{{\"{name}\":1}}]}}")).unwrap_err();
        let said = refused.to_string();
        assert!(said.contains(" all is well"), "{said}");
        assert!(!said.contains(char::is_control), "{said:?}");
        assert!(said.chars().count() < SHOWN + 80, "{said}");
    }

    #[test]
    fn it_holds_between_its_times_and_at_neither() {
        let conditions = Conditions {
            after: Some(5),
            ..Conditions::until(7)
        };
        let check = |millis| conditions.check(Timestamp::from_millisecond(millis).unwrap(), None);
        let from = at(5);
        assert_eq!(check(5_000), Err(Refusal::NotYet { from }));
        assert_eq!(check(5_001), Ok(()));
        assert_eq!(check(6_999), Ok(()));
        assert_eq!(check(7_000), Err(Refusal::Expired { at: at(7) }));
    }

    #[test]
    fn an_address_that_is_not_known_is_not_admitted() {
        let conditions = Conditions {
            addresses: Some("192.0.2.0/24".parse().unwrap()),
            ..Conditions::until(7)
        };
        let check = |peer: Option<&str>| {
            let peer = peer.map(|it| it.parse().unwrap());
            conditions.check(at(1), peer)
        };
        assert_eq!(check(Some("192.0.2.1")), Ok(()));
        assert!(matches!(
            check(Some("192.0.3.1")),
            Err(Refusal::Address { .. })
        ));
        assert!(matches!(check(None), Err(Refusal::Address { .. })));
    }

    proptest! {
        #[test]
        fn no_text_is_a_surprise(text: Vec<u8>) {
            let _ = Unverified::read(&text);
        }

        #[test]
        fn a_fixed_text_is_a_policy_too(name in "[a-z/.]{1,20}", expires in 0..LATEST) {
            let it = read(&canned(&name, expires)).unwrap();
            prop_assert_eq!((it.resource.as_str(), it.conditions.before), (&*name, expires));
        }
    }
}
