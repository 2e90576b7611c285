//! Who is connected, by the API: what is listed, and how one is ended.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::client::{Client, UNPACED};
use crate::support::http::Answer;
use crate::support::metrics::Metrics;
use crate::support::seaweed;
use crate::support::server::{Server, Setup};
use crate::support::signing::{KEY_ID, SECRET, request};

/// How long a change may take to be seen. Not a promise: a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

fn start() -> Server {
    Setup::s3(seaweed::shared()).with_key().start()
}

fn call(server: &Server, method: &str, target: &str) -> Answer {
    request(server.api, method, target)
}

fn sessions(server: &Server) -> Vec<Value> {
    let answer = call(server, "GET", "/sessions");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let page: Value = serde_json::from_str(&answer.text()).expect("JSON");
    page["sessions"].as_array().expect("a list").clone()
}

/// The sessions, once they are as they should be.
fn wait_until(server: &Server, what: &str, so: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let end = Instant::now() + PATIENCE;
    loop {
        let all = sessions(server);
        if so(&all) {
            return all;
        }
        assert!(Instant::now() < end, "not so: {what}: {all:#?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_session_is_listed_with_what_it_plays_from_its_connect_to_its_end() {
    let server = start();
    assert!(sessions(&server).is_empty());
    let mut client = Client::open(server.rtmp);
    let stream = client.create_stream();
    client.set_buffer(stream, 3000);
    let idle = wait_until(&server, "connected", |all| all.len() == 1);
    assert_eq!(idle[0]["app"], "cfx/st");
    assert_eq!(idle[0]["distribution"], "default");
    assert_eq!(idle[0]["host"], server.rtmp.ip().to_string());
    assert_eq!(idle[0]["flash_version"], "LNX 10,0,32,18");
    assert_eq!(idle[0]["streams"], Value::Array(Vec::new()));
    let local = client.socket().local_addr().expect("an address");
    assert_eq!(idle[0]["peer"], local.to_string());

    client.play_all(stream, "mp4:plain.mp4?Signature=secret");
    let first = |all: &[Value]| all[0]["streams"][0].clone();
    let playing = |all: &[Value]| first(all)["position_ms"].as_i64() > Some(0);
    let all = wait_until(&server, "playing", playing);
    let shown = first(&all);
    assert_eq!(
        (&shown["name"], &shown["stream"]),
        (&"plain".into(), &stream.into())
    );
    assert_eq!(
        (&shown["state"], &shown["buffer_ms"]),
        (&"playing".into(), &3000.into())
    );
    assert!(all[0]["bytes"].as_u64() > Some(3000), "{all:#?}");
    assert!(!all[0].to_string().contains("secret"), "{all:#?}");

    client.pause(stream, true, 0.0);
    wait_until(&server, "paused", |all| first(all)["state"] == "paused");
    drop(client);
    wait_until(&server, "gone", <[Value]>::is_empty);
}

#[test]
fn pages_hold_every_session_once() {
    let server = start();
    let clients: Vec<Client> = (0..5).map(|_| Client::open(server.rtmp)).collect();
    let whole = wait_until(&server, "five", |all| all.len() == 5);
    let mut seen = Vec::new();
    let mut marker = String::new();
    loop {
        let answer = call(
            &server,
            "GET",
            &format!("/sessions?MaxItems=2&Marker={marker}"),
        );
        let page: Value = serde_json::from_str(&answer.text()).expect("JSON");
        seen.extend(page["sessions"].as_array().expect("a list").clone());
        match page["next_marker"].as_str() {
            Some(next) => next.clone_into(&mut marker),
            None => break,
        }
    }
    let ids = |all: &[Value]| all.iter().map(|it| it["id"].clone()).collect::<Vec<_>>();
    assert_eq!(ids(&seen), ids(&whole));
    drop(clients);
}

#[test]
fn a_session_that_is_ended_is_told_so_and_no_other_is() {
    let server = start();
    let mut clients = [0, 1].map(|_| {
        let mut client = Client::open(server.rtmp);
        client.create_stream();
        client.set_buffer(1, 1000);
        client.play_all(1, "mp4:plain.mp4");
        client.until_status("NetStream.Play.Start");
        client
    });
    let all = wait_until(&server, "two", |all| all.len() == 2);
    let local = clients[0].socket().local_addr().expect("an address");
    let one = all.iter().find(|it| it["peer"] == local.to_string());
    let id = one.expect("listed")["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let target = format!("/sessions/{id}");
    assert_eq!(call(&server, "DELETE", &target).status, 204);
    // At a message end: the client reads whole messages to the last.
    let codes: Vec<String> = clients[0]
        .until_closed()
        .iter()
        .filter_map(|message| message.status())
        .map(|status| status.code)
        .collect();
    let told = ["NetStream.Play.Failed", "NetConnection.Connect.Closed"];
    assert!(codes.ends_with(&told.map(str::to_owned)), "{codes:?}");
    wait_until(&server, "one left", |all| all.len() == 1);
    assert_eq!(call(&server, "DELETE", &target).status, 404);
    clients[1].set_buffer(1, UNPACED);
    clients[1].until_status("NetStream.Play.Stop");
    let closed = "streamfront_connections_closed_total{reason=\"ended\"}";
    Metrics::until(server.api, "counted", |metrics| metrics.get(closed) == 1.0);
}

#[test]
fn the_command_line_lists_and_ends_sessions() {
    let server = start();
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_streamfront"))
            .arg("sessions")
            .args(["--api", &server.api.to_string()])
            .args(arguments)
            .env("STREAMFRONT_ACCESS_KEY_ID", KEY_ID)
            .env("STREAMFRONT_SECRET_ACCESS_KEY", SECRET)
            .output();
        let output = output.expect("it runs");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("text")
    };
    assert_eq!(run(&[]), "");
    let mut client = Client::open(server.rtmp);
    let all = wait_until(&server, "one", |all| all.len() == 1);
    let id = all[0]["id"].as_str().expect("an id");
    let peer = client.socket().local_addr().expect("an address");
    let said = run(&[]);
    assert!(
        said.starts_with(&format!("{id}  {peer}  default  ")),
        "{said}"
    );
    assert_eq!(run(&["--end", id]), format!("{id} ends\n"));
    client.until_closed();
}
