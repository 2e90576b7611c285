//! What can be said of a distribution by flags, the same for create and update.

use crate::distribution::account::AccountId;
use crate::distribution::host::HostPattern;
use crate::distribution::streaming::{PriceClass, Signer};

/// What an S3 domain name ends in where only a bucket is named.
const AMAZON: &str = ".s3.amazonaws.com";

/// The domain name of a bucket: as written, or `NAME.s3.amazonaws.com` for a name alone and for
/// `s3://NAME`.
pub(super) fn bucket(text: &str) -> Result<String, String> {
    let name = text.strip_prefix("s3://").unwrap_or(text);
    let name = name.strip_suffix('/').unwrap_or(name);
    if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c == '/') {
        return Err(format!(
            "{text:?} is neither the name of a bucket nor its domain name, such as media or \
             media.s3.amazonaws.com (a streaming distribution has no folder of a bucket)"
        ));
    }
    // What has a dot is a domain name; a bucket whose name has one is written with s3://.
    Ok(if name.contains('.') && name == text {
        name.to_owned()
    } else {
        format!("{name}{AMAZON}")
    })
}

/// A name beside a distribution's own.
pub(super) fn cname(text: &str) -> Result<HostPattern, String> {
    match HostPattern::parse(text) {
        Ok(HostPattern::Any) => Err("a name, or *.NAME".to_owned()),
        Ok(name) => Ok(name),
        Err(error) => Err(error.to_string()),
    }
}

/// `self` or an account number.
pub(super) fn signer(text: &str) -> Result<Signer, String> {
    if text == "self" {
        return Ok(Signer::Owner);
    }
    AccountId::parse(text)
        .map(Signer::Account)
        .map_err(|error| format!("{error}, nor self"))
}

/// `all`, `100` and `200`, or as the API writes them.
pub(super) fn price_class(text: &str) -> Result<PriceClass, String> {
    let class = PriceClass::ALL.into_iter().find(|class| {
        let name = class.as_str();
        let short = name.strip_prefix("PriceClass_").unwrap_or(name);
        text == name || text.eq_ignore_ascii_case(short)
    });
    class.ok_or_else(|| "100, 200 or all".to_owned())
}

/// `KEY=VALUE`.
pub(super) fn tag(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_by_name_or_by_domain_name() {
        assert_eq!(bucket("media").unwrap(), "media.s3.amazonaws.com");
        assert_eq!(
            bucket("s3://my.media/").unwrap(),
            "my.media.s3.amazonaws.com"
        );
        assert_eq!(
            bucket("media.garage.example").unwrap(),
            "media.garage.example"
        );
        assert!(bucket("s3://media/films").is_err());
        assert!(bucket("").is_err());
    }

    #[test]
    fn signers_classes_and_tags() {
        assert_eq!(signer("self"), Ok(Signer::Owner));
        assert!(signer("123456789012").is_ok());
        assert!(signer("me").is_err());
        assert_eq!(price_class("all"), Ok(PriceClass::All));
        assert_eq!(price_class("PriceClass_100"), Ok(PriceClass::Class100));
        assert!(price_class("300").is_err());
        assert_eq!(tag("a=b=c"), Ok(("a".into(), "b=c".into())));
        assert!(tag("a").is_err());
        assert!(cname("*").is_err());
        assert!(cname("*.example.com").is_ok());
    }
}
