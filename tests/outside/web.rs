//! The HTTP port: crossdomain.xml and healthz.

use crate::support::amf::Amf;
use crate::support::client::Client;
use crate::support::{http, media, seaweed, server};

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

/// Whether a player from these URLs is let in; else the word that it is refused with.
fn arrives(server: &server::Server, swf_url: &str, page_url: &str) -> Result<(), String> {
    let mut client = Client::shake(server.rtmp);
    let tc_url = format!("rtmp://{}/cfx/st", server.rtmp);
    let told = [
        ("tcUrl", &*tc_url),
        ("swfUrl", swf_url),
        ("pageUrl", page_url),
    ];
    let told = told.map(|(name, value)| (name, Amf::text(value)));
    let answer = client.connect_with("cfx/st", &told);
    if answer.name().as_deref() == Some("_result") {
        return Ok(());
    }
    let status = answer.status().expect("a status");
    client.until_closed();
    let message = status
        .info
        .get("application")
        .and_then(|it| it.get("message"));
    Err(message.and_then(Amf::as_text).expect("a word").to_owned())
}

#[test]
fn an_enforced_crossdomain_xml_turns_players_of_other_sites_away() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("crossdomain.xml");
    let settings = "[http]\ncrossdomain = \"enforced\"\n";
    let server = server::Setup::directory(folder.path())
        .config(settings)
        .start();
    // Without a file everybody is admitted.
    assert_eq!(arrives(&server, "http://evil.example/p.swf", ""), Ok(()));
    let own = "<cross-domain-policy>\
        <allow-access-from domain=\"*.example.com\"/></cross-domain-policy>";
    std::fs::write(&file, own).expect("a file");
    let denied = Err("CrossDomainDenied".to_owned());
    let (good, evil) = (
        "https://www.example.com/p.swf",
        "http://example.com.evil.example/p.swf",
    );
    assert_eq!(arrives(&server, good, ""), Ok(()));
    assert_eq!(
        arrives(
            &server,
            good,
            "http://example.com/page?a=http://evil.example"
        ),
        Ok(())
    );
    assert_eq!(arrives(&server, evil, ""), denied);
    assert_eq!(arrives(&server, good, evil), denied);
    assert_eq!(arrives(&server, "", evil), denied);
    assert_eq!(arrives(&server, "", ""), Ok(()), "ffmpeg tells no site");
    std::fs::write(&file, "x".repeat(100_000)).expect("a file");
    let unknown = Err("CrossDomainUnknown".to_owned());
    assert_eq!(arrives(&server, good, ""), unknown);
    // Who only serves the file lets all in.
    let server = server::Setup::directory(folder.path()).start();
    assert_eq!(arrives(&server, evil, evil), Ok(()));
}

#[test]
fn what_comes_with_a_connect_that_is_looked_at_is_answered_after_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let film = media::file("plain.mp4");
    std::fs::copy(film, folder.path().join("film.mp4")).expect("a file");
    let own =
        "<cross-domain-policy><allow-access-from domain=\"a.example\"/></cross-domain-policy>";
    std::fs::write(folder.path().join("crossdomain.xml"), own).expect("a file");
    let settings = "[http]\ncrossdomain = \"enforced\"\n";
    let server = server::Setup::directory(folder.path())
        .config(settings)
        .start();
    let mut client = Client::shake(server.rtmp);
    let site = [("swfUrl", Amf::text("http://a.example/p.swf"))];
    client.at_once(|client| {
        client.command(0, "connect", 1.0, &[Client::about("cfx/st", &site)]);
        client.command(0, "createStream", 2.0, &[Amf::Null]);
        client.play_all(1, "mp4:film.mp4");
    });
    let messages = client.until_status("NetStream.Play.Start");
    let answers: Vec<String> = messages.iter().filter_map(|it| it.name()).collect();
    assert_eq!(
        answers.iter().filter(|name| *name == "_result").count(),
        2,
        "{answers:?}"
    );
}
