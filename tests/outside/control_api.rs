//! The control API with Amazon's own clients, in versions from the first that they know to the
//! last, and with documents that tools of 2010 and 2013 sent.

use std::sync::OnceLock;

use crate::support::aws;
use crate::support::http::Answer;
use crate::support::media;
use crate::support::server::{Server, Setup};
use crate::support::signing::{Raw, Signer};

const READER: &str = "AKIDREADER";
const TENANT: &str = "AKIDTENANT";
const OTHER_SECRET: &str = "another secret of the tests";

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let keys = format!(
            "[[api.key]]\nid = '{READER}'\nsecret = '{OTHER_SECRET}'\nallow = ['cloudfront:Get*']\n\
             [[api.key]]\nid = '{TENANT}'\nsecret = '{OTHER_SECRET}'\naccount = '123456789012'\n"
        );
        let setup = Setup::directory(media::folder()).with_key().config(&keys);
        setup.start()
    })
}

fn call(method: &str, target: &str, etag: Option<&str>, body: &str) -> Answer {
    let mut request = Raw::new(server().api, method, target).body(body.as_bytes());
    if let Some(etag) = etag {
        request = request.with("if-match", etag);
    }
    Signer::default().sign(request).send(server().api)
}

fn round(version: &str) {
    let script = include_str!("control_round.py");
    let said = aws::python(server().api, script, &[version]).good();
    assert_eq!(said.trim(), "done");
}

#[test]
fn boto3_of_2014_takes_a_distribution_from_its_creation_to_its_end() {
    round("2014-05-31");
    round("2014-11-06");
}

#[test]
fn boto3_of_2016_takes_a_distribution_from_its_creation_to_its_end() {
    round("2016-08-01");
    round("2017-10-30");
}

#[test]
fn boto3_of_2020_takes_a_distribution_from_its_creation_to_its_end() {
    round("2019-03-26");
    round("2020-05-31");
}

#[test]
fn boto3_understands_every_refusal() {
    let script = include_str!("control_errors.py");
    let keys = [READER, OTHER_SECRET, TENANT, OTHER_SECRET];
    let said = aws::python(server().api, script, &keys).good();
    assert_eq!(said.trim(), "done");
}

#[test]
fn the_command_line_takes_a_distribution_from_its_creation_to_its_end() {
    let api = server().api;
    let config = |enabled: bool| {
        format!(
            r#"{{"CallerReference": "cli", "S3Origin": {{"DomainName": "media.s3.amazonaws.com",
            "OriginAccessIdentity": ""}}, "Aliases": {{"Quantity": 1, "Items": ["cli.example.com"]}},
            "Comment": "films & more", "Logging": {{"Enabled": false, "Bucket": "", "Prefix": ""}},
            "TrustedSigners": {{"Enabled": false, "Quantity": 0}}, "PriceClass": "PriceClass_All",
            "Enabled": {enabled}}}"#
        )
    };
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let on = config(true);
    let made = aws::cli(
        api,
        &[
            "create-streaming-distribution",
            "--streaming-distribution-config",
            &on,
        ],
    );
    let made = made.json();
    let id = text(&made["StreamingDistribution"]["Id"]);
    let wait = || {
        aws::cli(
            api,
            &["wait", "streaming-distribution-deployed", "--id", &id],
        )
        .good();
    };
    wait();
    let listed = aws::cli(api, &["list-streaming-distributions", "--page-size", "1"]).json();
    let items = listed["StreamingDistributionList"]["Items"].as_array();
    let ids: Vec<String> = items
        .into_iter()
        .flatten()
        .map(|it| text(&it["Id"]))
        .collect();
    assert!(ids.contains(&id), "{listed}");
    let off = config(false);
    let etag = text(&made["ETag"]);
    let update = [
        "update-streaming-distribution",
        "--id",
        &id,
        "--if-match",
        &etag,
        "--streaming-distribution-config",
        &off,
    ];
    let etag = text(&aws::cli(api, &update).json()["ETag"]);
    let stale = aws::cli(api, &update);
    assert!(
        !stale.ok && stale.stderr.contains("(PreconditionFailed)"),
        "{stale:?}"
    );
    wait();
    let delete = [
        "delete-streaming-distribution",
        "--id",
        &id,
        "--if-match",
        &etag,
    ];
    aws::cli(api, &delete).good();
    let gone = aws::cli(api, &["get-streaming-distribution", "--id", &id]);
    assert!(
        gone.stderr.contains("(NoSuchStreamingDistribution)"),
        "{gone:?}"
    );
}

#[test]
fn a_document_of_2013_makes_a_distribution() {
    let body = r#"<?xml version="1.0" encoding="UTF-8"?>
<StreamingDistributionConfig xmlns="http://cloudfront.amazonaws.com/doc/2013-05-12/">
   <CallerReference>20130826</CallerReference>
   <S3Origin><DNSName>mybucket.s3.amazonaws.com</DNSName></S3Origin>
   <Aliases><Quantity>1</Quantity><Items><CNAME>www.mysite.com</CNAME></Items></Aliases>
   <Comment>My comments</Comment>
   <Logging>
      <Enabled>true</Enabled><Bucket>mylogs.s3.amazonaws.com</Bucket><Prefix>myprefix/</Prefix>
   </Logging>
   <TrustedSigners>
      <Quantity>1</Quantity><Items><AwsAccountNumber>self</AwsAccountNumber></Items>
   </TrustedSigners>
   <PriceClass>PriceClass_All</PriceClass>
   <Enabled>true</Enabled>
</StreamingDistributionConfig>"#;
    let all = "/2013-05-12/streaming-distribution";
    let made = call("POST", all, None, body);
    let said = made.text();
    assert_eq!(made.status, 201, "{said}");
    assert!(said.contains("<CNAME>www.mysite.com</CNAME>"), "{said}");
    assert!(!said.contains("<ARN>"), "{said}");
    // Tools repeat a request that they got no answer to.
    let again = call("POST", all, None, body);
    assert_eq!(
        (again.status, again.header("etag")),
        (201, made.header("etag"))
    );
}

#[test]
fn a_document_of_2010_makes_a_distribution() {
    let body = "<?xml version=\"1.0\"?>\
        <StreamingDistributionConfig xmlns=\"http://cloudfront.amazonaws.com/doc/2010-07-15/\">\
        <S3Origin><DNSName>mybucket.s3.amazonaws.com</DNSName></S3Origin>\
        <CallerReference>20101101</CallerReference><CNAME>beagles.example.com</CNAME>\
        <Comment>My comments</Comment><Enabled>true</Enabled>\
        <TrustedSigners><Self/></TrustedSigners>\
        <Logging><Bucket>mylogs.s3.amazonaws.com</Bucket><Prefix>p/</Prefix></Logging>\
        </StreamingDistributionConfig>";
    let made = call("POST", "/2010-11-01/streaming-distribution", None, body);
    let said = made.text();
    assert_eq!(made.status, 201, "{said}");
    let (_, config) = body.split_once("<S3Origin>").expect("an origin");
    assert!(said.contains(config), "{said}");
    let listed = call("GET", "/2010-11-01/streaming-distribution", None, "").text();
    assert!(
        listed.contains("<CNAME>beagles.example.com</CNAME>"),
        "{listed}"
    );
    assert!(!listed.contains("<Quantity>"), "{listed}");
}

#[test]
fn a_request_without_a_document_and_one_with_a_trick_are_refused() {
    let all = "/2020-05-31/streaming-distribution";
    let tricks = "<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>";
    for (body, code) in [
        ("", "MissingBody"),
        (tricks, "MalformedXML"),
        ("{}", "MalformedXML"),
    ] {
        let refused = call("POST", all, None, body);
        let said = refused.text();
        assert_eq!(refused.status, 400, "{said}");
        assert!(said.contains(&format!("<Code>{code}</Code>")), "{said}");
    }
    let stale = call("DELETE", &format!("{all}/ENONE"), Some("E1"), "");
    assert_eq!(stale.status, 404, "{}", stale.text());
}
