//! Documents of each era, as text.

use std::sync::Arc;

use proptest::prelude::*;

use super::streaming::{StreamingDocument, StreamingHead};
use super::*;
use crate::distribution::host::HostPattern;
use crate::distribution::record::{
    Head, IdentityConfig, IdentityRecord, KeyGroupConfig, KeyGroupRecord, PublicKeyConfig,
    PublicKeyRecord, Tags,
};
use crate::distribution::streaming::{Logging, PriceClass, Signer};
use crate::distribution::{AccountId, StreamingConfig};
use crate::registry::Status;

fn version(text: &str) -> Version {
    Version::parse(text).unwrap()
}

fn account(text: &str) -> AccountId {
    AccountId::parse(text).unwrap()
}

fn config() -> StreamingConfig {
    StreamingConfig {
        caller_reference: "2012-05-19 a".into(),
        origin_domain: "media.s3.amazonaws.com".into(),
        origin_access_identity: Some("E74FTE3AEXAMPLE".into()),
        aliases: ["cdn.example.com", "*.example.net"]
            .map(|name| HostPattern::parse(name).unwrap())
            .to_vec(),
        comment: "Films & more".into(),
        logging: Some(Logging {
            bucket: "logs.s3.amazonaws.com".into(),
            prefix: "st/".into(),
        }),
        trusted_signers: vec![Signer::Owner, Signer::Account(account("111122223333"))],
        price_class: PriceClass::Class200,
        enabled: true,
    }
}

fn plain() -> StreamingConfig {
    StreamingConfig {
        origin_access_identity: None,
        aliases: vec![],
        comment: String::new(),
        logging: None,
        trusted_signers: vec![],
        price_class: PriceClass::All,
        enabled: false,
        ..config()
    }
}

fn head() -> StreamingHead {
    StreamingHead {
        id: "EGTXBD79EXAMPLE".into(),
        arn: "arn:aws:cloudfront::123456789012:streaming-distribution/EGTXBD79EXAMPLE".into(),
        status: Status::Deployed,
        modified: 1_337_456_278_123,
        domain_name: "s5c39gqb8ow64r.cloudfront.net".into(),
        read_only: false,
    }
}

fn document() -> StreamingDocument {
    let keys = vec!["K1".to_owned(), "K2".to_owned()];
    StreamingDocument {
        head: head(),
        active_signers: vec![
            (Signer::Owner, keys),
            (Signer::Account(account("111122223333")), vec![]),
        ],
        config: config(),
    }
}

/// The text of a test without its indentation, as it would be written.
fn written(version: &str, text: &str) -> String {
    let lines: String = text.lines().map(str::trim).collect();
    let namespace = format!(" xmlns=\"http://cloudfront.amazonaws.com/doc/{version}/\">");
    let lines = lines.replacen('>', &namespace, 1);
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{lines}\n")
}

const NESTED: &str = "<StreamingDistributionConfig>
    <CallerReference>2012-05-19 a</CallerReference>
    <S3Origin>
        <DomainName>media.s3.amazonaws.com</DomainName>
        <OriginAccessIdentity>origin-access-identity/cloudfront/E74FTE3AEXAMPLE</OriginAccessIdentity>
    </S3Origin>
    <Aliases>
        <Quantity>2</Quantity>
        <Items><CNAME>cdn.example.com</CNAME><CNAME>*.example.net</CNAME></Items>
    </Aliases>
    <Comment>Films &amp; more</Comment>
    <Logging>
        <Enabled>true</Enabled>
        <Bucket>logs.s3.amazonaws.com</Bucket>
        <Prefix>st/</Prefix>
    </Logging>
    <TrustedSigners>
        <Enabled>true</Enabled>
        <Quantity>2</Quantity>
        <Items>
            <AwsAccountNumber>self</AwsAccountNumber>
            <AwsAccountNumber>111122223333</AwsAccountNumber>
        </Items>
    </TrustedSigners>
    <PriceClass>PriceClass_200</PriceClass>
    <Enabled>true</Enabled>
</StreamingDistributionConfig>";

/// Members, behind the origin, of the configuration before 2012-05-05.
const FLAT_REST: &str = "<CNAME>cdn.example.com</CNAME>
    <CNAME>*.example.net</CNAME>
    <Comment>Films &amp; more</Comment>
    <Enabled>true</Enabled>";

const FLAT_SIGNERS: &str = "<TrustedSigners>
        <Self/>
        <AwsAccountNumber>111122223333</AwsAccountNumber>
    </TrustedSigners>";

const FLAT_LOGGING: &str =
    "<Logging><Bucket>logs.s3.amazonaws.com</Bucket><Prefix>st/</Prefix></Logging>";

const IDENTITY: &str = "<OriginAccessIdentity>origin-access-identity/cloudfront/E74FTE3AEXAMPLE</OriginAccessIdentity>";

fn s3_origin_form() -> String {
    format!(
        "<StreamingDistributionConfig>
        <S3Origin><DNSName>media.s3.amazonaws.com</DNSName>{IDENTITY}</S3Origin>
        <CallerReference>2012-05-19 a</CallerReference>
        {FLAT_REST}{FLAT_SIGNERS}{FLAT_LOGGING}
        </StreamingDistributionConfig>"
    )
}

fn origin_form() -> String {
    format!(
        "<StreamingDistributionConfig>
        <Origin>media.s3.amazonaws.com</Origin>
        <CallerReference>2012-05-19 a</CallerReference>
        {FLAT_REST}{IDENTITY}{FLAT_SIGNERS}{FLAT_LOGGING}
        </StreamingDistributionConfig>"
    )
}

#[test]
fn a_configuration_has_the_form_of_its_version() {
    let flat = StreamingConfig {
        price_class: PriceClass::All,
        ..config()
    };
    let (old, oldest) = (s3_origin_form(), origin_form());
    for (date, text, config) in [
        ("2020-05-31", NESTED, config()),
        ("2012-05-05", NESTED, config()),
        ("2012-05-04", &old, flat.clone()),
        ("2010-11-01", &old, flat.clone()),
        ("2010-07-15", &oldest, flat.clone()),
        ("2009-12-01", &oldest, flat),
    ] {
        let text = written(date, text);
        let version = version(date);
        assert_eq!(streaming_config::write(version, &config), text, "{date}");
        let read = streaming_config::read(version, text.as_bytes());
        assert_eq!(read, Ok(config), "{date}");
    }
}

#[test]
fn a_plain_configuration_has_what_its_version_cannot_leave_out() {
    let nested = "<StreamingDistributionConfig>
        <CallerReference>2012-05-19 a</CallerReference>
        <S3Origin><DomainName>media.s3.amazonaws.com</DomainName><OriginAccessIdentity/></S3Origin>
        <Aliases><Quantity>0</Quantity></Aliases>
        <Comment/>
        <Logging><Enabled>false</Enabled><Bucket/><Prefix/></Logging>
        <TrustedSigners><Enabled>false</Enabled><Quantity>0</Quantity></TrustedSigners>
        <PriceClass>PriceClass_All</PriceClass>
        <Enabled>false</Enabled>
        </StreamingDistributionConfig>";
    let flat = "<StreamingDistributionConfig>
        <S3Origin><DNSName>media.s3.amazonaws.com</DNSName></S3Origin>
        <CallerReference>2012-05-19 a</CallerReference>
        <Comment/>
        <Enabled>false</Enabled>
        </StreamingDistributionConfig>";
    for (date, text) in [("2014-05-31", nested), ("2010-11-01", flat)] {
        let text = written(date, text);
        assert_eq!(streaming_config::write(version(date), &plain()), text);
        let read = streaming_config::read(version(date), text.as_bytes());
        assert_eq!(read, Ok(plain()), "{date}");
    }
}

/// What a tool of 2013 posts: `DNSName`, no identity, nothing that says whether there are signers
/// but their number.
#[test]
fn a_document_of_2013_is_read() {
    let text = br#"<?xml version="1.0" encoding="UTF-8"?>
<StreamingDistributionConfig xmlns="http://cloudfront.amazonaws.com/doc/2013-05-12/">
   <CallerReference>20130826</CallerReference>
   <S3Origin>
      <DNSName>mybucket.s3.amazonaws.com</DNSName>
   </S3Origin>
   <Aliases>
      <Quantity>1</Quantity>
      <Items>
         <CNAME>www.mysite.com</CNAME>
      </Items>
   </Aliases>
   <Comment>My comments</Comment>
   <Logging>
      <Enabled>true</Enabled>
      <Bucket>mylogs.s3.amazonaws.com</Bucket>
      <Prefix>myprefix/</Prefix>
   </Logging>
   <TrustedSigners>
      <Quantity>1</Quantity>
      <Items>
         <AwsAccountNumber>self</AwsAccountNumber>
      </Items>
   </TrustedSigners>
   <PriceClass>PriceClass_All</PriceClass>
   <Enabled>true</Enabled>
</StreamingDistributionConfig>
"#;
    let expected = StreamingConfig {
        caller_reference: "20130826".into(),
        origin_domain: "mybucket.s3.amazonaws.com".into(),
        origin_access_identity: None,
        aliases: vec![HostPattern::parse("www.mysite.com").unwrap()],
        comment: "My comments".into(),
        logging: Some(Logging {
            bucket: "mylogs.s3.amazonaws.com".into(),
            prefix: "myprefix/".into(),
        }),
        trusted_signers: vec![Signer::Owner],
        price_class: PriceClass::All,
        enabled: true,
    };
    let read = streaming_config::read(version("2013-05-12"), text);
    assert_eq!(read, Ok(expected));
}

#[test]
fn since_november_2014_three_members_may_be_missing() {
    let text = "<StreamingDistributionConfig><CallerReference>2012-05-19 a</CallerReference>\
        <S3Origin><DomainName>media.s3.amazonaws.com</DomainName><OriginAccessIdentity/></S3Origin>\
        <Comment/><TrustedSigners><Enabled>false</Enabled><Quantity>0</Quantity></TrustedSigners>\
        <Enabled>false</Enabled></StreamingDistributionConfig>";
    let read = |date| streaming_config::read(version(date), text.as_bytes());
    assert_eq!(read("2014-11-06"), Ok(plain()));
    let missing = "StreamingDistributionConfig/Aliases".to_owned();
    assert_eq!(read("2014-10-21"), Err(DocumentError::Missing(missing)));
}

/// What a change of one piece of [`NESTED`] makes of it.
fn changed(old: &str, new: &str) -> Result<StreamingConfig, DocumentError> {
    let text = written("2020-05-31", NESTED);
    assert!(text.contains(old), "{old}");
    streaming_config::read(Version::NEWEST, text.replacen(old, new, 1).as_bytes())
}

#[test]
fn what_is_wrong_is_named() {
    let path = |path: &str| format!("StreamingDistributionConfig/{path}");
    let quantity = |at: &str, quantity, items| DocumentError::Quantity {
        path: path(at),
        quantity,
        items,
    };
    for (old, new, expected) in [
        (
            "<Comment>Films &amp; more</Comment>",
            "",
            DocumentError::Missing(path("Comment")),
        ),
        (
            "<Comment>",
            "<Comment>x</Comment><Comment>",
            DocumentError::Twice(path("Comment")),
        ),
        (
            "<Comment>",
            "<Color/><Comment>",
            DocumentError::Unknown(path("Color")),
        ),
        (
            "<Prefix>",
            "<IncludeCookies>false</IncludeCookies><Prefix>",
            DocumentError::Unknown(path("Logging/IncludeCookies")),
        ),
        (
            "<DomainName>",
            "<DNSName>b</DNSName><DomainName>",
            DocumentError::Twice(path("S3Origin/DomainName")),
        ),
        (
            "<Quantity>2</Quantity><Items><CNAME>",
            "<Quantity>3</Quantity><Items><CNAME>",
            quantity("Aliases", 3, 2),
        ),
        (
            "<Quantity>2</Quantity><Items><Aws",
            "<Quantity>1</Quantity><Items><Aws",
            quantity("TrustedSigners", 1, 2),
        ),
        (
            "origin-access-identity/cloudfront/E7",
            "E7",
            DocumentError::Identity(path("S3Origin/OriginAccessIdentity")),
        ),
        (
            "cloudfront/E74FTE3AEXAMPLE",
            "cloudfront/",
            DocumentError::Identity(path("S3Origin/OriginAccessIdentity")),
        ),
    ] {
        assert_eq!(changed(old, new), Err(expected), "{new}");
    }
    for (old, new, at) in [
        (
            "<Enabled>true</Enabled></Str",
            "<Enabled>TRUE</Enabled></Str",
            "Enabled",
        ),
        ("<Enabled>true</Enabled></Str", "<Enabled/></Str", "Enabled"),
        (
            "<Enabled>true</Enabled></Str",
            "<Enabled><a/></Enabled></Str",
            "Enabled",
        ),
        ("<Quantity>2", "<Quantity>-2", "Aliases/Quantity"),
        ("<Quantity>2", "<Quantity>+2", "Aliases/Quantity"),
        ("<Quantity>2", "<Quantity>99999999999", "Aliases/Quantity"),
        ("cdn.example.com", "cdn/example", "Aliases/Items/CNAME"),
        (
            "111122223333",
            "11112222333",
            "TrustedSigners/Items/AwsAccountNumber",
        ),
        ("111122223333", "self", "TrustedSigners"),
        (
            "<Enabled>true</Enabled><Quantity>",
            "<Enabled>false</Enabled><Quantity>",
            "TrustedSigners",
        ),
        ("PriceClass_200", "PriceClass_300", "PriceClass"),
        ("<S3Origin>", "<S3Origin>x", "S3Origin"),
    ] {
        match changed(old, new) {
            Err(DocumentError::Value { path: found, .. }) => assert_eq!(found, path(at)),
            // Text beside elements is no document at all.
            Err(DocumentError::Xml(_)) if at == "S3Origin" => {}
            other => panic!("{new}: {other:?}"),
        }
    }
    let signers = "<Quantity>2</Quantity><Items><AwsAccountNumber>self</AwsAccountNumber>\
        <AwsAccountNumber>111122223333</AwsAccountNumber></Items>";
    let none = changed(signers, "<Quantity>0</Quantity>").unwrap_err();
    assert!(matches!(none, DocumentError::Value { .. }), "{none}");

    let root = streaming_config::read(Version::NEWEST, b"<DistributionConfig/>").unwrap_err();
    assert!(matches!(root, DocumentError::Root { .. }), "{root}");
    for body in [&b""[..], b" \r\n"] {
        let empty = streaming_config::read(Version::NEWEST, body);
        assert_eq!(empty, Err(DocumentError::Empty));
    }
    let junk = streaming_config::read(Version::NEWEST, b"{\"a\": 1}").unwrap_err();
    assert!(matches!(junk, DocumentError::Xml(_)), "{junk}");
}

#[test]
fn logs_that_are_off_have_no_bucket() {
    let off = changed("<Logging><Enabled>true", "<Logging><Enabled>false").unwrap();
    assert_eq!(off.logging, None);
    let prefix = changed("<Prefix>st/</Prefix>", "<Prefix/>").unwrap();
    assert_eq!(prefix.logging.unwrap().prefix, "");
    let none = changed("<Prefix>st/</Prefix>", "").unwrap_err();
    assert!(matches!(none, DocumentError::Missing(_)), "{none}");
}

#[test]
fn the_flat_form_is_strict_as_well() {
    let flat = written("2010-11-01", &s3_origin_form());
    let read = |old: &str, new: &str| {
        assert!(flat.contains(old), "{old}");
        streaming_config::read(version("2010-11-01"), flat.replacen(old, new, 1).as_bytes())
    };
    for (old, new) in [
        ("<Self/>", "<Self/><Self/>"),
        ("<Self/>", "<Self>me</Self>"),
        (
            "<Self/>",
            "<AwsAccountNumber>111122223333</AwsAccountNumber>",
        ),
        ("<Comment>", "<Aliases/><Comment>"),
        (
            "<Comment>",
            "<PriceClass>PriceClass_100</PriceClass><Comment>",
        ),
        (
            "<S3Origin>",
            "<Origin>b.s3.amazonaws.com</Origin><S3Origin>",
        ),
        ("<Enabled>true</Enabled>", ""),
    ] {
        assert!(read(old, new).is_err(), "{new}");
    }
    let logging = read(FLAT_LOGGING, "<Logging/>").unwrap().logging;
    assert_eq!(logging, None);
}

#[test]
fn a_distribution_has_the_form_of_its_version() {
    let head = |arn: &str, milliseconds: &str| {
        format!(
            "<StreamingDistribution><Id>EGTXBD79EXAMPLE</Id>{arn}<Status>Deployed</Status>
            <LastModifiedTime>2012-05-19T19:37:58{milliseconds}Z</LastModifiedTime>
            <DomainName>s5c39gqb8ow64r.cloudfront.net</DomainName>"
        )
    };
    let nested = format!(
        "<ActiveTrustedSigners><Enabled>true</Enabled><Quantity>2</Quantity><Items>
        <Signer><AwsAccountNumber>self</AwsAccountNumber><KeyPairIds><Quantity>2</Quantity>
            <Items><KeyPairId>K1</KeyPairId><KeyPairId>K2</KeyPairId></Items></KeyPairIds></Signer>
        <Signer><AwsAccountNumber>111122223333</AwsAccountNumber>
            <KeyPairIds><Quantity>0</Quantity></KeyPairIds></Signer>
        </Items></ActiveTrustedSigners>{NESTED}</StreamingDistribution>"
    );
    let flat = format!(
        "<ActiveTrustedSigners>
        <Signer><Self/><KeyPairId>K1</KeyPairId><KeyPairId>K2</KeyPairId></Signer>
        <Signer><AwsAccountNumber>111122223333</AwsAccountNumber></Signer>
        </ActiveTrustedSigners>{}</StreamingDistribution>",
        s3_origin_form()
    );
    let arn = "<ARN>arn:aws:cloudfront::123456789012:streaming-distribution/EGTXBD79EXAMPLE</ARN>";
    for (date, text) in [
        ("2016-08-01", head(arn, ".123") + &nested),
        ("2013-05-12", head("", ".123") + &nested),
        ("2010-11-01", head("", "") + &flat),
    ] {
        assert_eq!(
            document().write(version(date)),
            written(date, &text),
            "{date}"
        );
    }
}

#[test]
fn a_distribution_of_the_configuration_file_says_so() {
    let mut read_only = document();
    read_only.head.read_only = true;
    let text = read_only.write(Version::NEWEST);
    assert!(
        text.contains("</StreamingDistributionConfig><ReadOnly>true</ReadOnly></"),
        "{text}"
    );
    let read = StreamingDocument::read(Version::NEWEST, text.as_bytes());
    assert_eq!(read, Ok(read_only));
    let text = document().write(Version::NEWEST);
    assert!(!text.contains("ReadOnly"), "{text}");
    let read = StreamingDocument::read(Version::NEWEST, text.as_bytes());
    assert_eq!(read, Ok(document()));
}

fn page(items: Vec<Element>, next: Option<&str>) -> List<Element> {
    List {
        marker: "E0".into(),
        next: next.map(str::to_owned),
        max_items: 1,
        items,
    }
}

#[test]
fn a_list_has_the_form_of_its_version() {
    let write = |date: &str| {
        let version = version(date);
        let summary = summary::element(version, &head(), &config());
        list::write(
            version,
            "StreamingDistributionList",
            page(vec![summary], Some("E1")),
        )
    };
    let nested = "<StreamingDistributionList>
        <Marker>E0</Marker><NextMarker>E1</NextMarker><MaxItems>1</MaxItems>
        <IsTruncated>true</IsTruncated><Quantity>1</Quantity><Items>
        <StreamingDistributionSummary><Id>EGTXBD79EXAMPLE</Id>
            <ARN>arn:aws:cloudfront::123456789012:streaming-distribution/EGTXBD79EXAMPLE</ARN>
            <Status>Deployed</Status>
            <LastModifiedTime>2012-05-19T19:37:58.123Z</LastModifiedTime>
            <DomainName>s5c39gqb8ow64r.cloudfront.net</DomainName>
            <S3Origin><DomainName>media.s3.amazonaws.com</DomainName>
            <OriginAccessIdentity>origin-access-identity/cloudfront/E74FTE3AEXAMPLE</OriginAccessIdentity>
            </S3Origin>
            <Aliases><Quantity>2</Quantity>
            <Items><CNAME>cdn.example.com</CNAME><CNAME>*.example.net</CNAME></Items></Aliases>
            <TrustedSigners><Enabled>true</Enabled><Quantity>2</Quantity><Items>
            <AwsAccountNumber>self</AwsAccountNumber>
            <AwsAccountNumber>111122223333</AwsAccountNumber></Items></TrustedSigners>
            <Comment>Films &amp; more</Comment><PriceClass>PriceClass_200</PriceClass>
            <Enabled>true</Enabled></StreamingDistributionSummary>
        </Items></StreamingDistributionList>";
    assert_eq!(write("2020-05-31"), written("2020-05-31", nested));
    let flat = format!(
        "<StreamingDistributionList>
        <Marker>E0</Marker><NextMarker>E1</NextMarker><MaxItems>1</MaxItems>
        <IsTruncated>true</IsTruncated>
        <StreamingDistributionSummary><Id>EGTXBD79EXAMPLE</Id><Status>Deployed</Status>
            <LastModifiedTime>2012-05-19T19:37:58Z</LastModifiedTime>
            <DomainName>s5c39gqb8ow64r.cloudfront.net</DomainName>
            <S3Origin><DNSName>media.s3.amazonaws.com</DNSName>{IDENTITY}</S3Origin>
            {FLAT_REST}{FLAT_SIGNERS}
        </StreamingDistributionSummary></StreamingDistributionList>"
    );
    assert_eq!(write("2010-11-01"), written("2010-11-01", &flat));

    let read = summary::read(write("2020-05-31").as_bytes()).unwrap();
    assert_eq!(
        (read.marker.as_str(), read.next.as_deref(), read.max_items),
        ("E0", Some("E1"), 1)
    );
    let [only] = read.items.as_slice() else {
        panic!("{read:?}")
    };
    assert_eq!(only.head, head());
    assert_eq!(
        (&only.aliases, only.price_class),
        (&config().aliases, config().price_class)
    );

    let empty = list::write(
        Version::NEWEST,
        "StreamingDistributionList",
        page(vec![], None),
    );
    let text = "<StreamingDistributionList><Marker>E0</Marker><MaxItems>1</MaxItems>\
        <IsTruncated>false</IsTruncated><Quantity>0</Quantity></StreamingDistributionList>";
    assert_eq!(empty, written("2020-05-31", text));
    assert!(summary::read(empty.as_bytes()).unwrap().items.is_empty());
}

#[test]
fn tags_are_kept_as_they_are_written() {
    let tags = Tags::from([(" a ".into(), String::new()), ("k".into(), "v".into())]);
    let text = written(
        "2016-08-01",
        "<Tags><Items><Tag><Key> a </Key><Value/></Tag><Tag><Key>k</Key><Value>v</Value></Tag>\
         </Items></Tags>",
    );
    assert_eq!(tags::write(version("2016-08-01"), &tags), text);
    assert_eq!(tags::read(text.as_bytes()), Ok(tags.clone()));
    assert_eq!(tags::read(b"<Tags/>"), Ok(Tags::new()));
    let twice = text.replace("<Key>k<", "<Key> a <");
    assert!(matches!(
        tags::read(twice.as_bytes()),
        Err(DocumentError::Tagging(_))
    ));
    let keys = tags::read_keys(b"<TagKeys><Items><Key>a</Key><Key>b</Key></Items></TagKeys>");
    assert_eq!(keys, Ok(vec!["a".to_owned(), "b".to_owned()]));

    let text = streaming_config::write_with_tags(Version::NEWEST, &config(), &tags);
    let read = streaming_config::read_with_tags(Version::NEWEST, text.as_bytes());
    assert_eq!(read, Ok((config(), tags)));
    let alone = streaming_config::write(Version::NEWEST, &config());
    assert!(streaming_config::read_with_tags(Version::NEWEST, alone.as_bytes()).is_err());
}

fn record_head(id: &str) -> Head {
    Head {
        id: id.into(),
        account: AccountId::operator(),
        etag: "E2QWRUHAPOMQZL".into(),
        former: vec![],
        created: 1_337_456_278_000,
        modified: 1_337_456_278_123,
    }
}

#[test]
fn identities() {
    let config = IdentityConfig {
        caller_reference: "r".into(),
        comment: "c".into(),
    };
    let record = Arc::new(IdentityRecord {
        head: record_head("E74FTE3AEXAMPLE"),
        canonical_user_id: "ab12".into(),
        config: config.clone(),
    });
    let text = "<CloudFrontOriginAccessIdentityConfig><CallerReference>r</CallerReference>\
        <Comment>c</Comment></CloudFrontOriginAccessIdentityConfig>";
    let alone = written("2010-11-01", text);
    let old = version("2010-11-01");
    assert_eq!(identity::write_config(old, &config), alone);
    assert_eq!(identity::read_config(old, alone.as_bytes()), Ok(config));
    let head = "<Id>E74FTE3AEXAMPLE</Id><S3CanonicalUserId>ab12</S3CanonicalUserId>";
    let whole =
        format!("<CloudFrontOriginAccessIdentity>{head}{text}</CloudFrontOriginAccessIdentity>");
    assert_eq!(identity::write(old, &record), written("2010-11-01", &whole));
    let list = List {
        marker: String::new(),
        next: None,
        max_items: 100,
        items: vec![record],
    };
    let summary = format!(
        "<CloudFrontOriginAccessIdentitySummary>{head}<Comment>c</Comment>\
         </CloudFrontOriginAccessIdentitySummary>"
    );
    let page = "<Marker/><MaxItems>100</MaxItems><IsTruncated>false</IsTruncated>";
    let name = "CloudFrontOriginAccessIdentityList";
    let flat = format!("<{name}>{page}{summary}</{name}>");
    assert_eq!(
        identity::write_list(old, &list),
        written("2010-11-01", &flat)
    );
    let nested = format!("<{name}>{page}<Quantity>1</Quantity><Items>{summary}</Items></{name}>");
    let text = identity::write_list(Version::NEWEST, &list);
    assert_eq!(text, written("2020-05-31", &nested));
}

#[test]
fn public_keys_keep_their_line_ends() {
    let config = PublicKeyConfig {
        caller_reference: "r".into(),
        name: "n".into(),
        encoded_key: "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----\n".into(),
        comment: "c".into(),
    };
    let record = Arc::new(PublicKeyRecord {
        head: record_head("K1"),
        config: config.clone(),
    });
    let key = format!("<EncodedKey>{}</EncodedKey>", config.encoded_key);
    let text = public_key::write_config(Version::NEWEST, &config);
    assert!(text.contains(&key), "{text}");
    assert_eq!(public_key::read_config(text.as_bytes()), Ok(config));
    let text = public_key::write(Version::NEWEST, &record);
    let created = "<CreatedTime>2012-05-19T19:37:58.000Z</CreatedTime>";
    assert!(
        text.contains(&format!("<Id>K1</Id>{created}<PublicKeyConfig>")),
        "{text}"
    );
    let list = List {
        marker: String::new(),
        next: Some("K1".into()),
        max_items: 1,
        items: vec![record],
    };
    let text = public_key::write_list(Version::NEWEST, &list);
    let expected = format!(
        "<NextMarker>K1</NextMarker><MaxItems>1</MaxItems><Quantity>1</Quantity><Items>\
         <PublicKeySummary><Id>K1</Id><Name>n</Name>{created}{key}<Comment>c</Comment>\
         </PublicKeySummary></Items></PublicKeyList>\n"
    );
    assert!(text.ends_with(&expected), "{text}");
}

#[test]
fn key_groups() {
    let config = KeyGroupConfig {
        name: "g".into(),
        keys: vec!["K1".into(), "K2".into()],
        comment: String::new(),
    };
    let record = Arc::new(KeyGroupRecord {
        head: record_head("G1"),
        config: config.clone(),
    });
    let text = "<KeyGroupConfig><Name>g</Name><Items><PublicKey>K1</PublicKey>\
        <PublicKey>K2</PublicKey></Items><Comment/></KeyGroupConfig>";
    let alone = key_group::write_config(Version::NEWEST, &config);
    assert_eq!(alone, written("2020-05-31", text));
    assert_eq!(key_group::read_config(alone.as_bytes()), Ok(config));
    let group = format!(
        "<KeyGroup><Id>G1</Id><LastModifiedTime>2012-05-19T19:37:58.123Z</LastModifiedTime>{text}\
         </KeyGroup>"
    );
    let whole = key_group::write(Version::NEWEST, &record);
    assert_eq!(whole, written("2020-05-31", &group));
    let list = List {
        marker: String::new(),
        next: None,
        max_items: 100,
        items: vec![record],
    };
    let listed = format!(
        "<KeyGroupList><MaxItems>100</MaxItems><Quantity>1</Quantity><Items><KeyGroupSummary>\
         {group}</KeyGroupSummary></Items></KeyGroupList>"
    );
    let text = key_group::write_list(Version::NEWEST, &list);
    assert_eq!(text, written("2020-05-31", &listed));
}

fn configs() -> impl Strategy<Value = StreamingConfig> {
    let text = "[a-z<&>'\"é]{1,10}";
    let signers = prop::sample::subsequence(config().trusted_signers, 0..=2);
    let aliases = prop::sample::subsequence(config().aliases, 0..=2);
    let logging = prop::option::of(("[a-z.]{1,9}", "[a-z/]{0,5}"));
    let members = (
        text,
        text,
        text,
        prop::option::of("[A-Z0-9]{1,14}"),
        any::<bool>(),
    );
    (members, signers, aliases, logging).prop_map(|(members, signers, aliases, logging)| {
        let (caller_reference, origin_domain, comment, origin_access_identity, enabled) = members;
        StreamingConfig {
            caller_reference,
            origin_domain,
            origin_access_identity,
            aliases,
            comment,
            logging: logging.map(|(bucket, prefix)| Logging { bucket, prefix }),
            trusted_signers: signers,
            price_class: PriceClass::All,
            enabled,
        }
    })
}

proptest! {
    #[test]
    fn what_a_version_writes_it_reads(
        config in configs(),
        date in prop::sample::select(vec!["2009-12-01", "2010-11-01", "2012-05-05", "2020-05-31"]),
    ) {
        let version = version(date);
        let text = streaming_config::write(version, &config);
        let read = streaming_config::read(version, text.as_bytes());
        prop_assert_eq!(read, Ok(config), "{}", text);
    }

    /// A document with one of its pieces gone, twice or exchanged.
    #[test]
    fn no_document_is_a_surprise(
        at in 0..40_usize,
        piece in "[A-Za-z0-9</>& ]{0,30}",
        flat in any::<bool>(),
    ) {
        let text = if flat { s3_origin_form() } else { NESTED.to_owned() };
        let mut lines: Vec<&str> = text.lines().collect();
        let at = at % lines.len();
        lines[at] = &piece;
        let date = if flat { "2010-11-01" } else { "2020-05-31" };
        let _ = streaming_config::read(version(date), lines.concat().as_bytes());
    }
}
