//! `streamfront distribution`, `purge` and `diagnose`, as an operator types them.

use std::process::{Command, Output};

use serde_json::Value;

use crate::support::amf::Amf;
use crate::support::client::Client;
use crate::support::metrics::Metrics;
use crate::support::server::{Server, Setup};
use crate::support::{media, packets, ports, seaweed};

const BINARY: &str = env!("CARGO_BIN_EXE_streamfront");
const KEY: (&str, &str) = ("AKIDCOMMANDLINE", "a secret/of+the=command line");

/// A server over the shared SeaweedFS that has no distribution yet.
fn start() -> Server {
    let seaweed = seaweed::shared();
    let setup = Setup {
        environment: seaweed.environment(),
        ..Setup::default()
    };
    with_key(setup).start()
}

fn with_key(setup: Setup) -> Setup {
    setup
        .variable("STREAMFRONT_ACCESS_KEY_ID", KEY.0)
        .variable("STREAMFRONT_SECRET_ACCESS_KEY", KEY.1)
}

/// Runs the binary with the key of [`start`].
fn run(server: &Server, arguments: &[&str]) -> Output {
    Command::new(BINARY)
        .args(arguments)
        .env("STREAMFRONT_API_URL", server.api.to_string())
        .env("STREAMFRONT_ACCESS_KEY_ID", KEY.0)
        .env("STREAMFRONT_SECRET_ACCESS_KEY", KEY.1)
        .output()
        .expect("the binary starts")
}

/// The standard output of a run that must end well.
fn good(server: &Server, arguments: &[&str]) -> String {
    let output = run(server, arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.success(),
        "{arguments:?}: {said}{}",
        server.log()
    );
    String::from_utf8(output.stdout).expect("text")
}

/// The one line that a run says which must end with 1.
fn bad(server: &Server, arguments: &[&str]) -> String {
    let output = run(server, arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.starts_with("streamfront: "), "{said}");
    said
}

fn json(server: &Server, arguments: &[&str]) -> Value {
    let all: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
    serde_json::from_str(&good(server, &all)).expect("JSON")
}

fn text(value: &Value, name: &str) -> String {
    let text = value[name].as_str();
    text.unwrap_or_else(|| panic!("no {name} in {value}"))
        .to_owned()
}

/// Makes a distribution of the media bucket.
fn create(server: &Server, more: &[&str]) -> Value {
    let mut arguments = vec![
        "distribution",
        "create",
        "--bucket",
        seaweed::BUCKET,
        "--private",
    ];
    arguments.extend(more);
    json(server, &arguments)
}

/// Whether a player that was told to connect to `host` is let in.
fn lets_in(server: &Server, host: &str) -> bool {
    let mut client = Client::shake(server.rtmp);
    let tc_url = Amf::Text(format!("rtmp://{host}/cfx/st"));
    let answer = client.connect_with("cfx/st", &[("tcUrl", tc_url)]);
    answer.name().as_deref() == Some("_result")
}

/// ffprobe plays by `host` what is in the bucket, packet by packet.
fn plays(server: &Server, host: &str) {
    let tc_url = format!("rtmp://{host}/cfx/st");
    let played = packets::ffprobe(&server.url("mp4:plain.mp4"), &["-rtmp_tcurl", &tc_url]);
    packets::assert_played(host, &packets::source(&media::file("plain.mp4")), &played);
}

#[test]
fn a_distribution_from_its_first_day_to_its_last() {
    let server = start();
    let made = create(
        &server,
        &[
            "--cname",
            "films.example.com",
            "--cname",
            "*.films.example.com",
        ],
    );
    assert_eq!(text(&made, "Status"), "Deployed");
    let (id, own) = (text(&made, "Id"), text(&made, "DomainName"));
    for host in [
        &*own,
        "films.example.com",
        "FILMS.example.com.:1935",
        "a.b.films.example.com",
    ] {
        plays(&server, host);
    }
    assert!(!lets_in(&server, "example.com"));

    // What to type is said, and holds.
    let shown = good(&server, &["distribution", "show", "films.example.com"]);
    assert!(shown.contains(&id), "{shown}");
    let port = server.rtmp.port();
    let url = format!("ffplay rtmp://{own}:{port}/cfx/st/mp4:dir/film.mp4");
    assert!(shown.contains(&url), "{shown}");

    let changed = json(
        &server,
        &[
            "distribution",
            "update",
            &own,
            "--comment",
            "The films",
            "--no-cname",
        ],
    );
    assert_eq!(text(&changed, "Comment"), "The films");
    assert_ne!(text(&changed, "ETag"), text(&made, "ETag"));
    assert_eq!(changed["Aliases"], serde_json::json!([]));
    assert!(!lets_in(&server, "films.example.com"));
    plays(&server, &own);

    let table = good(&server, &["distribution", "list"]);
    let line = table
        .lines()
        .find(|line| line.starts_with(&id))
        .expect("a line");
    assert!(
        line.contains("Deployed") && line.contains("The films"),
        "{table}"
    );

    let said = bad(&server, &["distribution", "delete", &id]);
    assert!(said.contains("--disable"), "{said}");
    json(&server, &["distribution", "disable", &id]);
    assert!(!lets_in(&server, &own));
    json(&server, &["distribution", "enable", &id]);
    assert!(lets_in(&server, &own));
    let said = good(&server, &["distribution", "delete", &id, "--disable"]);
    assert_eq!(said.trim(), format!("{id} is deleted"));
    assert_eq!(
        json(&server, &["distribution", "list"]),
        serde_json::json!([])
    );
    let said = bad(&server, &["distribution", "show", &id]);
    assert!(said.contains("no distribution"), "{said}");
}

#[test]
fn what_the_api_refuses_is_said_in_its_words() {
    let server = start();
    create(&server, &["--cname", "a.example.com"]);
    let arguments = [
        "distribution",
        "create",
        "--bucket",
        "media",
        "--cname",
        "a.example.com",
    ];
    let said = bad(&server, &arguments);
    assert!(
        said.contains("CNAMEAlreadyExists") && said.contains("a.example.com"),
        "{said}"
    );
    let said = bad(
        &server,
        &[
            "distribution",
            "create",
            "--bucket",
            "www.some.where.example",
        ],
    );
    assert!(said.contains("InvalidOrigin"), "{said}");
}

#[test]
fn a_command_without_server_or_key_says_so() {
    let nowhere = ports::address().to_string();
    let command = |key: bool| {
        let mut command = Command::new(BINARY);
        command.args(["distribution", "list", "--api", &nowhere]);
        command.env_remove("STREAMFRONT_ACCESS_KEY_ID");
        if key {
            command.env("STREAMFRONT_ACCESS_KEY_ID", KEY.0);
            command.env("STREAMFRONT_SECRET_ACCESS_KEY", KEY.1);
        }
        let output = command.output().expect("the binary starts");
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let said = command(false);
    assert!(said.contains("STREAMFRONT_ACCESS_KEY_ID"), "{said}");
    let said = command(true);
    assert!(
        said.contains(&nowhere) && said.contains("does the server run"),
        "{said}"
    );
}

#[test]
fn distributions_of_the_file_are_shown_and_left_alone() {
    let folder = media::folder().display();
    let config = format!("[[distribution]]\nid = \"films\"\nbucket = \"{folder}\"\n");
    let server = with_key(Setup::default().config(&config)).start();
    let shown = json(&server, &["distribution", "show", "films"]);
    assert_eq!(shown["ReadOnly"], Value::Bool(true));
    assert_eq!(text(&shown, "Status"), "Deployed");
    let table = good(&server, &["distribution", "list"]);
    assert!(table.contains("(file)"), "{table}");
    let said = bad(&server, &["distribution", "disable", "films"]);
    assert!(said.contains("configuration file"), "{said}");
}

/// The step that does not hold, as `diagnose` tells it, and its sentence.
fn wrong(server: &Server, arguments: &[&str]) -> (String, String) {
    let mut all = vec!["diagnose"];
    all.extend(arguments);
    all.push("--json");
    let output = run(server, &all);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let findings: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let findings = findings.as_array().expect("a list");
    let wrong = findings.iter().find(|it| it["verdict"] == "wrong");
    let wrong = wrong.unwrap_or_else(|| panic!("nothing wrong in {findings:?}"));
    (text(wrong, "step"), text(wrong, "says"))
}

#[test]
fn diagnose_walks_to_the_first_picture() {
    let server = start();
    let made = create(&server, &["--cname", "films.example.com"]);
    let place = server.rtmp.to_string();
    let url = "rtmp://films.example.com/cfx/st/mp4:plain.mp4";
    let said = good(&server, &["diagnose", url, "--connect", &place]);
    let steps: Vec<&str> = said
        .lines()
        .map(|line| line.split_whitespace().nth(1).expect("a step"))
        .collect();
    let expected = [
        "dns",
        "port",
        "connect",
        "distribution",
        "application",
        "origin",
        "object",
        "container",
        "access",
        "play",
    ];
    assert_eq!(steps, expected, "{said}");
    let rest = said.strip_prefix("?      dns").expect("DNS is not asked");
    assert!(
        rest.lines().skip(1).all(|line| line.starts_with("ok ")),
        "{said}"
    );
    assert!(said.contains(&text(&made, "Id")), "{said}");
}

#[test]
fn diagnose_names_the_step_that_does_not_hold() {
    let seaweed = seaweed::shared();
    seaweed.put("diagnose/broken.mp4", b"no film at all".to_vec());
    let server = start();
    create(&server, &["--cname", "films.example.com"]);
    let gone = [
        "distribution",
        "create",
        "--private",
        "--cname",
        "gone.example.com",
    ];
    good(
        &server,
        &[&gone[..], &["--bucket", "there-is-no-such-bucket"]].concat(),
    );
    let public = ["distribution", "create", "--cname", "public.example.com"];
    good(
        &server,
        &[&public[..], &["--bucket", seaweed::BUCKET]].concat(),
    );
    let off = create(&server, &["--cname", "off.example.com", "--disabled"]);
    assert_eq!(off["Enabled"], Value::Bool(false));
    let place = server.rtmp.to_string();
    let at = |url: &str| wrong(&server, &[url, "--connect", &place]);
    for (url, step, part) in [
        (
            "rtmp://films.example.com/cfx/st/mp4:missing.mp4",
            "object",
            "missing.mp4",
        ),
        (
            "rtmp://films.example.com/cfx/st/mp4:diagnose/broken.mp4",
            "container",
            "broken.mp4",
        ),
        (
            "rtmp://gone.example.com/cfx/st/mp4:plain.mp4",
            "origin",
            "there-is-no-such-bucket",
        ),
        (
            "rtmp://public.example.com/cfx/st/mp4:plain.mp4",
            "origin",
            "anonymous",
        ),
        (
            "rtmp://off.example.com/cfx/st/mp4:plain.mp4",
            "connect",
            "DistributionNotFound",
        ),
        (
            "rtmp://films.example.com/cfx/other/mp4:plain.mp4",
            "connect",
            "InvalidInstance",
        ),
    ] {
        let (found, says) = at(url);
        assert_eq!(found, step, "{url}: {says}");
        assert!(says.contains(part), "{url}: {says}");
    }
    let (step, says) = wrong(
        &server,
        &["rtmp://no-such-host.invalid/cfx/st/mp4:plain.mp4"],
    );
    assert_eq!(step, "dns", "{says}");
    let nowhere = ports::address().to_string();
    let url = "rtmp://films.example.com/cfx/st/mp4:plain.mp4";
    let (step, says) = wrong(&server, &[url, "--connect", &nowhere]);
    assert_eq!(step, "port", "{says}");
    // The one port that speaks HTTP and nothing else.
    let api = server.api.to_string();
    let (step, says) = wrong(&server, &[url, "--connect", &api, "--timeout", "2s"]);
    assert_eq!(step, "connect", "{says}");
}

#[test]
fn purge_forgets_what_is_cached() {
    let seaweed = seaweed::shared();
    let first = std::fs::read(media::file("plain.mp4")).expect("media");
    seaweed.put("purge/film.mp4", first);
    let server = start();
    let made = create(&server, &[]);
    let (id, host) = (text(&made, "Id"), text(&made, "DomainName"));
    let url = format!("rtmp://{host}/cfx/st/mp4:purge/film.mp4");
    let place = server.rtmp.to_string();
    // As a player sees it: the server itself would look into the bucket.
    let ask = || {
        good(
            &server,
            &["diagnose", &url, "--connect", &place, "--no-api"],
        )
    };
    ask();
    // What is read ahead of the viewer would find out.
    Metrics::until(server.api, "at rest", |metrics| {
        metrics.get("streamfront_renders_in_flight") == 0.0
    });
    seaweed.delete("purge/film.mp4");
    // It is believed for a day.
    ask();
    let said = good(
        &server,
        &["purge", "--key", "purge/film.mp4", "--distribution", &id],
    );
    assert!(said.contains("or known: 1"), "{said}");
    let (step, _) = wrong(&server, &[&url, "--connect", &place, "--no-api"]);
    assert_eq!(step, "play");
    let (step, _) = wrong(&server, &[&url, "--connect", &place]);
    assert_eq!(step, "object");
    let said = bad(
        &server,
        &["purge", "--prefix", "", "--distribution", "nothing"],
    );
    assert!(said.contains("distribution"), "{said}");
}
