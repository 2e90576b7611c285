//! The HTTP port: crossdomain.xml and healthz.

use crate::support::{http, seaweed, server};

#[test]
fn healthz_says_that_the_server_is_well() {
    let answer = http::get(server::shared().http, "/healthz");
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// Without one in the bucket the default admits every domain; with one it is the bucket's own.
#[test]
fn crossdomain_xml_is_the_buckets_own_or_the_default() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = server::Setup::directory(folder.path()).start();
    let answer = http::get(server.http, "/crossdomain.xml");
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(
        answer.text().contains("<allow-access-from domain=\"*\""),
        "{}",
        answer.text()
    );
    assert!(
        answer
            .header("content-type")
            .is_some_and(|kind| kind.contains("cross-domain-policy")),
        "{answer:?}"
    );

    let own =
        "<cross-domain-policy><allow-access-from domain=\"only.example\"/></cross-domain-policy>";
    std::fs::write(folder.path().join("crossdomain.xml"), own).expect("a file");
    assert_eq!(http::get(server.http, "/crossdomain.xml").text(), own);
}

#[test]
fn crossdomain_xml_comes_from_the_s3_bucket() {
    let seaweed = seaweed::shared();
    let bucket = "with-policy";
    seaweed.create_bucket(bucket);
    let own =
        "<cross-domain-policy><allow-access-from domain=\"s3.example\"/></cross-domain-policy>";
    seaweed.put_in(bucket, "crossdomain.xml", own.as_bytes().to_vec());
    let mut setup = server::Setup::s3(seaweed);
    setup.bucket = format!("s3://{bucket}");
    assert_eq!(
        http::get(setup.start().http, "/crossdomain.xml").text(),
        own
    );
}

#[test]
fn other_paths_are_not_found() {
    let answer = http::get(server::shared().http, "/../../etc/passwd");
    assert!((400..500).contains(&answer.status), "{answer:?}");
    assert_eq!(http::get(server::shared().http, "/fcs/ident2").status, 404);
}
