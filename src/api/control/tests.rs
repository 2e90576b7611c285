use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderValue, Request};
use axum::middleware;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;

use super::*;
use crate::api::document::streaming::StreamingDocument;
use crate::api::document::summary;
use crate::api::request;
use crate::distribution::AccountId;
use crate::registry::{Fixed, Rules};
use crate::store::memory::Memory;

fn headers(values: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in values {
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        headers.append(header::IF_MATCH, value);
    }
    headers
}

#[test]
fn if_match_is_an_etag_with_or_without_quotes() {
    let found = |values: &[&str]| if_match(&headers(values));
    assert_eq!(found(&[]), None);
    assert_eq!(
        found(&["E2QWRUHAPOMQZL"]).as_deref(),
        Some("E2QWRUHAPOMQZL")
    );
    assert_eq!(
        found(&["\"E2QWRUHAPOMQZL\""]).as_deref(),
        Some("E2QWRUHAPOMQZL")
    );
    assert_eq!(found(&["\"E2"]).as_deref(), Some("\"E2"));
    assert_eq!(found(&["E1", "E2"]).as_deref(), Some(""));
    assert_eq!(found(&["é"]).as_deref(), Some(""));
}

#[test]
fn a_path_begins_with_a_version() {
    let path = |path| {
        let (version, rest) = split(path);
        (version.map(|version| version.to_string()), rest)
    };
    let version = || Some("2013-05-12".to_owned());
    assert_eq!(path("/2013-05-12/a/b"), (version(), "a/b"));
    assert_eq!(path("/2013-05-12/"), (version(), ""));
    assert_eq!(path("/2013-05-12"), (version(), ""));
    assert_eq!(path("//2013-05-12/a"), (None, "2013-05-12/a"));
    assert_eq!(path("/favicon.ico"), (None, ""));
}

/// The API over a registry in memory.
struct Edge {
    registry: Registry,
    store: Arc<Memory>,
}

/// What was answered.
#[derive(Debug)]
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn header(&self, name: header::HeaderName) -> &str {
        let value = self.headers.get(name).map(|value| value.to_str());
        value.and_then(Result::ok).unwrap_or_default()
    }

    fn etag(&self) -> String {
        self.header(header::ETAG).to_owned()
    }

    fn assert(&self, status: u16) -> &Self {
        assert_eq!(self.status, status, "{}", self.body);
        self
    }

    fn refused(&self, status: u16, code: &str) {
        self.assert(status);
        let code = format!("<Code>{code}</Code>");
        assert!(self.body.contains(&code), "{code}: {}", self.body);
    }

    fn id(&self) -> String {
        let (_, rest) = self.body.split_once("<Id>").unwrap();
        rest.split_once("</Id>").unwrap().0.to_owned()
    }
}

impl Edge {
    async fn new() -> Self {
        let store = Arc::new(Memory::default());
        let opened = Registry::open(store.clone(), Fixed::default(), Rules::default());
        Self {
            registry: opened.await.unwrap(),
            store,
        }
    }

    async fn call(&self, line: &str, body: &str) -> Answer {
        self.ask(line, None, body, &["*"]).await
    }

    async fn at(&self, line: &str, etag: &str, body: &str) -> Answer {
        self.ask(line, Some(etag), body, &["*"]).await
    }

    async fn ask(&self, line: &str, etag: Option<&str>, body: &str, allow: &[&str]) -> Answer {
        let caller = Caller {
            account: AccountId::parse("123456789012").unwrap(),
            key_id: Arc::from("AKID"),
            allow: allow.iter().map(|&it| it.to_owned()).collect(),
        };
        let router = routes(self.registry.clone())
            .layer(Extension(caller))
            .layer(middleware::from_fn(request::stamp));
        let (method, target) = line.split_once(' ').unwrap();
        let mut request = Request::builder().method(method).uri(target);
        if let Some(etag) = etag {
            request = request.header(header::IF_MATCH, etag);
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let answer = TowerToHyperService::new(router)
            .call(request)
            .await
            .unwrap();
        let (parts, body) = answer.into_parts();
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }
}

fn nested(reference: &str, enabled: bool) -> String {
    format!(
        "<StreamingDistributionConfig><CallerReference>{reference}</CallerReference><S3Origin>\
         <DomainName>media.s3.amazonaws.com</DomainName><OriginAccessIdentity/></S3Origin>\
         <Aliases><Quantity>0</Quantity></Aliases><Comment>c</Comment>\
         <Logging><Enabled>false</Enabled><Bucket/><Prefix/></Logging><TrustedSigners>\
         <Enabled>false</Enabled><Quantity>0</Quantity></TrustedSigners>\
         <PriceClass>PriceClass_All</PriceClass><Enabled>{enabled}</Enabled>\
         </StreamingDistributionConfig>"
    )
}

const ALL: &str = "/2020-05-31/streaming-distribution";

#[tokio::test]
async fn a_distribution_from_its_creation_to_its_end() {
    let edge = Edge::new().await;
    for date in ["2013-05-12", "2014-05-31", "2019-03-26", "2020-05-31"] {
        let all = format!("/{date}/streaming-distribution");
        let made = edge.call(&format!("POST {all}"), &nested(date, true)).await;
        made.assert(201);
        let (id, etag) = (made.id(), made.etag());
        let location = format!("https://cloudfront.amazonaws.com{all}/{id}");
        assert_eq!(made.header(header::LOCATION), location);
        assert_eq!(made.header(header::CONTENT_TYPE), "text/xml");
        assert!(
            made.body.contains("<Status>InProgress</Status>"),
            "{}",
            made.body
        );
        let namespace = format!("xmlns=\"http://cloudfront.amazonaws.com/doc/{date}/\"");
        assert!(made.body.contains(&namespace), "{}", made.body);

        edge.registry.deployed(&id, &etag);
        let stale = edge
            .call(&format!("PUT {all}/{id}/config"), &nested(date, false))
            .await;
        stale.refused(400, "InvalidIfMatchVersion");
        let line = format!("PUT {all}/{id}/config");
        let off = edge.at(&line, &etag, &nested(date, false)).await;
        off.assert(200);
        assert_ne!(off.etag(), etag);
        edge.at(&line, &etag, &nested(date, true))
            .await
            .refused(412, "PreconditionFailed");
        let line = format!("DELETE {all}/{id}");
        let early = edge.at(&line, &off.etag(), "").await;
        early.refused(409, "StreamingDistributionNotDisabled");

        edge.registry.deployed(&id, &off.etag());
        let config = edge.call(&format!("GET {all}/{id}/config"), "").await;
        assert_eq!(config.assert(200).etag(), off.etag());
        assert!(
            config
                .body
                .ends_with(&format!("{}\n", &nested(date, false)[29..]))
        );
        let gone = edge.at(&line, &off.etag(), "").await;
        gone.assert(204);
        assert!(gone.body.is_empty() && !gone.headers.contains_key(header::CONTENT_TYPE));
        let none = edge.call(&format!("GET {all}/{id}"), "").await;
        none.refused(404, "NoSuchStreamingDistribution");
    }
}

#[tokio::test]
async fn a_caller_reference_means_what_its_version_says() {
    let edge = Edge::new().await;
    let old = "POST /2019-03-26/streaming-distribution";
    let made = edge.call(old, &nested("r", true)).await;
    let again = edge.call(old, &nested("r", true)).await;
    assert_eq!(again.assert(201).id(), made.id());
    let code = "StreamingDistributionAlreadyExists";
    edge.call(old, &nested("r", false)).await.refused(409, code);
    let new = format!("POST {ALL}");
    edge.call(&new, &nested("r", true)).await.refused(409, code);
}

#[tokio::test]
async fn the_flat_era_has_its_own_documents_and_touches_no_others() {
    let edge = Edge::new().await;
    let config = "<StreamingDistributionConfig><S3Origin>\
        <DNSName>media.s3.amazonaws.com</DNSName></S3Origin><CallerReference>r</CallerReference>\
        <CNAME>cdn.example.com</CNAME><Comment>c</Comment><Enabled>true</Enabled>\
        <TrustedSigners><Self/></TrustedSigners></StreamingDistributionConfig>";
    let all = "/2010-11-01/streaming-distribution";
    let made = edge.call(&format!("POST {all}"), config).await;
    made.assert(201);
    let signers = "<ActiveTrustedSigners><Signer><Self/></Signer></ActiveTrustedSigners>";
    assert!(made.body.contains(signers), "{}", made.body);
    let item = format!("{}/config", made.id());
    let same = edge
        .at(&format!("PUT {all}/{item}"), &made.etag(), config)
        .await;
    same.assert(200);

    let new = edge.call(&format!("GET {ALL}/{item}"), "").await;
    let aliases = "<Aliases><Quantity>1</Quantity><Items><CNAME>cdn.example.com</CNAME></Items>";
    assert!(new.body.contains(aliases), "{}", new.body);
    let new = edge
        .at(
            &format!("PUT {ALL}/{item}"),
            &same.etag(),
            &nested("r", true),
        )
        .await;
    new.assert(200);
    let lost = edge
        .at(&format!("PUT {all}/{item}"), &new.etag(), config)
        .await;
    lost.refused(400, "IllegalUpdate");
}

#[tokio::test]
async fn lists_have_pages() {
    let edge = Edge::new().await;
    for n in 0..5 {
        let made = edge
            .call(&format!("POST {ALL}"), &nested(&n.to_string(), true))
            .await;
        made.assert(201);
    }
    let (mut marker, mut ids, mut pages) = (String::new(), Vec::new(), Vec::new());
    loop {
        let line = format!("GET {ALL}?MaxItems=2&Marker={marker}&Unknown=1");
        let answer = edge.call(&line, "").await;
        let page = summary::read(answer.assert(200).body.as_bytes()).unwrap();
        assert_eq!((&page.marker, page.max_items), (&marker, 2));
        pages.push(page.items.len());
        ids.extend(page.items.into_iter().map(|it| it.head.id));
        let Some(next) = page.next else { break };
        marker = next;
    }
    assert_eq!(pages, [2, 2, 1]);
    assert!(ids.is_sorted() && ids.len() == 5, "{ids:?}");
    let none = edge.call(&format!("GET {ALL}?MaxItems=0"), "").await;
    none.refused(400, "InvalidArgument");
}

#[tokio::test]
async fn tags_come_with_a_distribution_or_later() {
    let edge = Edge::new().await;
    let body = format!(
        "<StreamingDistributionConfigWithTags>{}<Tags><Items><Tag><Key>a</Key><Value>1</Value>\
         </Tag></Items></Tags></StreamingDistributionConfigWithTags>",
        nested("r", true)
    );
    let made = edge.call(&format!("POST {ALL}?WithTags"), &body).await;
    let made = StreamingDocument::read(Version::NEWEST, made.assert(201).body.as_bytes());
    let arn = made.unwrap().head.arn;
    let tag = "<Tags><Items><Tag><Key>b</Key><Value>2</Value></Tag></Items></Tags>";
    let tagging = |arn: &str| format!("/2020-05-31/tagging?Operation=Tag&Resource={arn}");
    edge.call(&format!("POST {}", tagging(&arn)), tag)
        .await
        .assert(204);
    let untag = format!("POST {}", tagging(&arn).replace("=Tag&", "=Untag&"));
    let keys = "<TagKeys><Items><Key>a</Key></Items></TagKeys>";
    edge.call(&untag, keys).await.assert(204);
    let list = format!("GET /2020-05-31/tagging?Resource={arn}");
    let listed = edge.call(&list, "").await;
    assert!(
        listed.body.ends_with(&format!("{}\n", &tag[5..])),
        "{}",
        listed.body
    );

    let aws = tag.replace(">b<", ">aws:b<");
    let refused = edge.call(&format!("POST {}", tagging(&arn)), &aws).await;
    refused.refused(400, "InvalidTagging");
    let other = arn.replace("123456789012", "210987654321");
    for line in [
        format!("GET /2020-05-31/tagging?Resource={other}"),
        format!("POST {}", tagging(&other)),
    ] {
        edge.call(&line, tag).await.refused(404, "NoSuchResource");
    }
}

#[tokio::test]
async fn neighbours_are_made_shown_and_removed() {
    let edge = Edge::new().await;
    let key = "-----BEGIN PUBLIC KEY-----\n\
        MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEUQ4k/sDvCDbQ5KyV8NsuTVwpxCaA\n\
        crIEmQg9R1qcLm0AcFctj11hamGFHlgxpBPu7jO0Udkh99p5dSsHXNrEUA==\n\
        -----END PUBLIC KEY-----\n";
    let identity = "<CloudFrontOriginAccessIdentityConfig><CallerReference>r</CallerReference>\
        <Comment>c</Comment></CloudFrontOriginAccessIdentityConfig>";
    let public_key = format!(
        "<PublicKeyConfig><CallerReference>r</CallerReference><Name>n</Name>\
         <EncodedKey>{key}</EncodedKey><Comment>c</Comment></PublicKeyConfig>"
    );
    let mut key_id = String::from("none");
    let mut in_use = Vec::new();
    for (path, put, none, root) in [
        (
            "origin-access-identity/cloudfront",
            "/config",
            "NoSuchCloudFrontOriginAccessIdentity",
            "CloudFrontOriginAccessIdentity",
        ),
        ("public-key", "/config", "NoSuchPublicKey", "PublicKey"),
        ("key-group", "", "NoSuchResource", "KeyGroup"),
    ] {
        let all = format!("/2020-05-31/{path}");
        let config = match root {
            "PublicKey" => public_key.clone(),
            "KeyGroup" => format!(
                "<KeyGroupConfig><Name>g</Name><Items><PublicKey>{key_id}</PublicKey></Items>\
                 <Comment>c</Comment></KeyGroupConfig>"
            ),
            _ => identity.to_owned(),
        };
        let made = edge.call(&format!("POST {all}"), &config).await;
        let id = made.assert(201).id();
        let location = format!("https://cloudfront.amazonaws.com{all}/{id}");
        assert_eq!(made.header(header::LOCATION), location);
        let again = edge.call(&format!("POST {all}"), &config).await;
        again.refused(409, &format!("{root}AlreadyExists"));
        let got = edge.call(&format!("GET {all}/{id}"), "").await;
        assert_eq!(
            (got.assert(200).etag(), &got.body),
            (made.etag(), &made.body)
        );
        let got = edge.call(&format!("GET {all}/{id}/config"), "").await;
        assert_eq!(got.assert(200).etag(), made.etag());
        let other = config.replace(">c<", ">d<");
        let put = edge
            .at(&format!("PUT {all}/{id}{put}"), &made.etag(), &other)
            .await;
        assert!(
            put.assert(200).body.contains("<Comment>d</Comment>"),
            "{}",
            put.body
        );
        let list = edge.call(&format!("GET {all}"), "").await;
        assert!(
            list.assert(200).body.contains("<Quantity>1</Quantity>"),
            "{}",
            list.body
        );
        edge.call(&format!("GET {all}/none"), "")
            .await
            .refused(404, none);
        in_use.push((format!("DELETE {all}/{id}"), put.etag()));
        key_id = id;
    }
    let (line, etag) = &in_use[1];
    edge.at(line, etag, "").await.refused(409, "PublicKeyInUse");
    for (line, etag) in in_use.iter().rev() {
        edge.at(line, etag, "").await.assert(204);
    }
}

#[tokio::test]
async fn who_may_not_is_told_so_before_anything_else() {
    let edge = Edge::new().await;
    let tags = format!("POST {ALL}?WithTags");
    for (line, allow) in [
        (format!("POST {ALL}"), "cloudfront:Get*"),
        (
            format!("GET {ALL}/NONE"),
            "cloudfront:GetStreamingDistributionConfig",
        ),
        (tags, "cloudfront:CreateStreamingDistribution"),
    ] {
        let refused = edge.ask(&line, None, "", &[allow]).await;
        refused.refused(403, "AccessDenied");
    }
    let may = edge
        .ask(&format!("GET {ALL}/NONE"), None, "", &["cloudfront:Get*"])
        .await;
    may.refused(404, "NoSuchStreamingDistribution");
}

#[tokio::test]
async fn errors_have_the_version_of_the_path_and_the_id_of_the_request() {
    let edge = Edge::new().await;
    let answer = edge.call("GET /2013-05-12/distribution", "").await;
    answer.refused(501, "NotImplemented");
    let namespace = "<ErrorResponse xmlns=\"http://cloudfront.amazonaws.com/doc/2013-05-12/\">";
    assert!(answer.body.contains(namespace), "{}", answer.body);
    let id = answer.headers["x-amzn-requestid"].to_str().unwrap();
    assert!(
        answer
            .body
            .contains(&format!("<RequestId>{id}</RequestId>")),
        "{}",
        answer.body
    );
    for line in [
        "GET /2013-13-12/streaming-distribution",
        "GET /favicon.ico",
        "GET /x/",
    ] {
        edge.call(line, "").await.refused(400, "InvalidURI");
    }
    edge.call(&format!("POST {ALL}"), "")
        .await
        .refused(400, "MissingBody");
    edge.call(&format!("POST {ALL}"), "<!DOCTYPE a><a/>")
        .await
        .refused(400, "MalformedXML");
}

#[tokio::test]
async fn what_cannot_be_kept_is_said_to_be_our_fault() {
    let edge = Edge::new().await;
    edge.store.fail(true);
    let made = edge.call(&format!("POST {ALL}"), &nested("r", true)).await;
    made.refused(503, "ServiceUnavailable");
    assert!(made.body.contains("<Type>Receiver</Type>"), "{}", made.body);
}
