//! The domain names that stand for buckets: `NAME.s3.amazonaws.com` and its regional forms, or
//! `NAME.SUFFIX` for S3 servers that are configured (cloudfront.md, section 5.2).

use super::origin::is_bucket;

/// What an S3Origin's (or a log bucket's) domain name says.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BucketDomain {
    /// The bucket.
    pub bucket: String,
    /// Which S3 server has it.
    pub server: S3Server,
}

/// An S3 server, as a bucket's domain name tells it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum S3Server {
    /// Amazon's, or whatever stands in for it; the region, where the name has one.
    Amazon(Option<String>),
    /// The configured one with this suffix.
    Configured(String),
}

impl BucketDomain {
    /// Reads a domain name; `suffixes` are those of the configured S3 servers, lowercase, without a
    /// dot at the start. A configured suffix wins over Amazon's, and a longer one over a shorter.
    /// `None` where it names no bucket: path style, websites, accelerate, other hosts.
    pub fn parse<'a>(domain: &str, suffixes: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let domain = domain
            .strip_suffix('.')
            .unwrap_or(domain)
            .to_ascii_lowercase();
        let configured = suffixes
            .into_iter()
            .filter_map(|suffix| Some((below(&domain, suffix)?, suffix)))
            .max_by_key(|(_, suffix)| suffix.len());
        let (bucket, server) = match configured {
            Some((bucket, suffix)) => (bucket, S3Server::Configured(suffix.to_owned())),
            None => amazon(&domain)?,
        };
        is_dns_bucket(bucket).then(|| Self {
            bucket: bucket.to_owned(),
            server,
        })
    }
}

/// `NAME.s3.amazonaws.com`, `NAME.s3-external-1.amazonaws.com`, `NAME.s3.REGION.amazonaws.com`,
/// `NAME.s3-REGION.amazonaws.com`, `NAME.s3.dualstack.REGION.amazonaws.com`, and `.cn` of each.
fn amazon(domain: &str) -> Option<(&str, S3Server)> {
    let host = domain
        .strip_suffix(".amazonaws.com")
        .or_else(|| domain.strip_suffix(".amazonaws.com.cn"))?;
    if let Some(bucket) = host
        .strip_suffix(".s3")
        .or_else(|| host.strip_suffix(".s3-external-1"))
    {
        return Some((bucket, S3Server::Amazon(None)));
    }
    let (rest, region) = host
        .rsplit_once('.')
        .filter(|(_, last)| is_region(last))
        .or_else(|| {
            // The older form with a hyphen.
            let (rest, last) = host.rsplit_once('.')?;
            let region = last
                .strip_prefix("s3-")
                .filter(|region| is_region(region))?;
            Some((rest, region))
        })?;
    let bucket = if host.ends_with(&format!(".s3-{region}")) {
        rest
    } else {
        rest.strip_suffix(".s3")
            .or_else(|| rest.strip_suffix(".s3.dualstack"))?
    };
    Some((bucket, S3Server::Amazon(Some(region.to_owned()))))
}

/// Two letters, one or two words and a number: `eu-west-1`, `us-gov-west-1`.
fn is_region(text: &str) -> bool {
    let words: Vec<&str> = text.split('-').collect();
    let number = words.last().is_some_and(|last| {
        !last.is_empty() && last.len() <= 2 && last.bytes().all(|b| b.is_ascii_digit())
    });
    let named = |word: &&str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase());
    (3..=4).contains(&words.len())
        && number
        && words.first().is_some_and(|first| first.len() == 2)
        && words.iter().rev().skip(1).all(named)
}

fn below<'a>(domain: &'a str, suffix: &str) -> Option<&'a str> {
    domain.strip_suffix(suffix)?.strip_suffix('.')
}

/// Whether a bucket can be the first part of a host name.
fn is_dns_bucket(name: &str) -> bool {
    is_bucket(name)
        && name.len() <= 63
        && !name.contains('_')
        && name
            .split('.')
            .all(|label| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(domain: &str) -> Option<(String, S3Server)> {
        let suffixes = ["s3.example.net", "eu.s3.example.net"];
        BucketDomain::parse(domain, suffixes).map(|domain| (domain.bucket, domain.server))
    }

    #[test]
    fn amazons_forms() {
        let plain = |bucket: &str| Some((bucket.to_owned(), S3Server::Amazon(None)));
        let regional = |bucket: &str, region: &str| {
            Some((bucket.to_owned(), S3Server::Amazon(Some(region.to_owned()))))
        };
        assert_eq!(parse("media.s3.amazonaws.com"), plain("media"));
        assert_eq!(parse("Media.S3.AmazonAWS.com."), plain("media"));
        assert_eq!(parse("a.b-c.s3.amazonaws.com"), plain("a.b-c"));
        assert_eq!(parse("media.s3-external-1.amazonaws.com"), plain("media"));
        assert_eq!(
            parse("media.s3.eu-west-1.amazonaws.com"),
            regional("media", "eu-west-1")
        );
        assert_eq!(
            parse("media.s3-eu-west-1.amazonaws.com"),
            regional("media", "eu-west-1")
        );
        assert_eq!(
            parse("media.s3.dualstack.us-gov-west-1.amazonaws.com"),
            regional("media", "us-gov-west-1")
        );
        assert_eq!(
            parse("media.s3.cn-north-1.amazonaws.com.cn"),
            regional("media", "cn-north-1")
        );
        assert_eq!(parse("s3.s3.amazonaws.com"), plain("s3"));
    }

    #[test]
    fn configured_servers() {
        let at = |bucket: &str, suffix: &str| {
            Some((bucket.to_owned(), S3Server::Configured(suffix.to_owned())))
        };
        assert_eq!(parse("media.s3.example.net"), at("media", "s3.example.net"));
        assert_eq!(
            parse("media.eu.s3.example.net"),
            at("media", "eu.s3.example.net")
        );
        assert_eq!(
            BucketDomain::parse("m.s3.amazonaws.com", ["s3.amazonaws.com"]).map(|d| d.server),
            Some(S3Server::Configured("s3.amazonaws.com".to_owned()))
        );
    }

    #[test]
    fn what_is_no_bucket() {
        for domain in [
            "",
            "media",
            "s3.amazonaws.com",
            ".s3.amazonaws.com",
            "www.example.com",
            "s3.amazonaws.com/media",
            "media.s3-website-us-east-1.amazonaws.com",
            "media.s3-accelerate.amazonaws.com",
            "me_dia.s3.amazonaws.com",
            "media.s3.amazonaws.com.evil.net",
            "http://media.s3.amazonaws.com",
            "media.s3.amazonaws.com/x",
            "-m.s3.amazonaws.com",
            "a..b.s3.amazonaws.com",
            "media.ec2.eu-west-1.amazonaws.com",
            "s3.example.net",
            "xs3.example.net",
        ] {
            assert_eq!(parse(domain), None, "{domain:?}");
        }
    }
}
