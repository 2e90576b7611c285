//! Which distribution answers whom: the default one of bare addresses, names under a suffix of the
//! operator's own, and a server that has none yet.

use crate::support::amf::Amf;
use crate::support::client::{Client, UNPACED};
use crate::support::media;
use crate::support::message::Message;
use crate::support::server::{Server, Setup};

/// The answer to a connect by this address; without one no tcUrl is sent.
fn answer(server: &Server, host: Option<&str>) -> (Client, Message) {
    let mut client = Client::shake(server.rtmp);
    let url = host.map(|host| ("tcUrl", Amf::text(&format!("rtmp://{host}/cfx/st"))));
    let fields: Vec<_> = url.into_iter().collect();
    let answer = client.connect_with("cfx/st", &fields);
    (client, answer)
}

fn is_let_in(server: &Server, host: Option<&str>) -> bool {
    let (mut client, answer) = answer(server, host);
    if answer.name().as_deref() != Some("_result") {
        assert!(
            format!("{answer:?}").contains("DistributionNotFound"),
            "{host:?}: {answer:?}"
        );
        client.until_closed();
        return false;
    }
    client.create_stream();
    client.set_buffer(1, UNPACED);
    client.play_all(1, "mp4:plain.mp4");
    client.until_status("NetStream.Play.Stop");
    true
}

/// Two distributions, of which one answers who names none.
fn two(more: &str) -> Server {
    let folder = media::folder().display();
    let text = format!(
        "default_distribution = \"Films\"\ndomain_suffix = \"media.example.org\"\n\
         [[distribution]]\nid = \"Films\"\nbucket = \"{folder}\"\nhosts = [\"films.example.com\"]\n{more}\n\
         [[distribution]]\nid = \"Clips\"\nbucket = \"{folder}\"\nhosts = [\"192.0.2.7\"]\n"
    );
    Setup::default().config(&text).start()
}

#[test]
fn the_default_distribution_answers_who_names_none() {
    let server = two("");
    for host in ["127.0.0.1:1935", "[::1]", "203.0.113.1", "LocalHost"] {
        assert!(is_let_in(&server, Some(host)), "{host}");
    }
    assert!(is_let_in(&server, None), "a player without a tcUrl");
    for (host, is_one) in [
        ("films.media.example.org", true),
        ("CLIPS.media.example.org.", true),
        ("192.0.2.7", true),
        ("films.streamfront.localhost", false),
        ("else.example.com", false),
    ] {
        assert_eq!(is_let_in(&server, Some(host)), is_one, "{host}");
    }
}

/// It keeps its names while it is disabled, and the addresses too.
#[test]
fn a_disabled_default_distribution_lets_nobody_in() {
    let server = two("enabled = false");
    for host in ["127.0.0.1", "films.example.com"] {
        assert!(!is_let_in(&server, Some(host)), "{host}");
    }
    assert!(!is_let_in(&server, None));
    assert!(is_let_in(&server, Some("192.0.2.7")));
}

/// With an access key there may be nothing to serve yet; without one that is an error
/// (`settings.rs`).
#[test]
fn a_server_with_an_access_key_may_begin_empty() {
    let setup = Setup::default()
        .variable("STREAMFRONT_ACCESS_KEY_ID", "operator")
        .variable("STREAMFRONT_SECRET_ACCESS_KEY", "a secret of some length");
    let server = setup.start();
    assert!(!is_let_in(&server, Some("127.0.0.1")));
    server.assert_alive();
}
