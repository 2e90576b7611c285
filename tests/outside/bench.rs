//! `streamfront bench`: what it reports is what happened, at our server and at one of others.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::client::Client;
use crate::support::leash::Leashed;
use crate::support::message::Message;
use crate::support::nginx::Nginx;
use crate::support::{media, server};

const BINARY: &str = env!("CARGO_BIN_EXE_streamfront");

fn bench(arguments: &[&str]) -> Output {
    let mut command = Command::new(BINARY);
    command.arg("bench").args(arguments);
    command.output().expect("the binary starts")
}

/// A run that must end well, and its JSON.
fn measured(arguments: &[&str]) -> Value {
    let all: Vec<&str> = arguments.iter().copied().chain(["--json", "-"]).collect();
    let output = bench(&all);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{}: {said}", output.status);
    serde_json::from_slice(&output.stdout).expect("JSON on the standard output")
}

fn number(json: &Value, path: &str) -> u64 {
    let value = json.pointer(path).and_then(Value::as_u64);
    value.unwrap_or_else(|| panic!("no number at {path} of {json}"))
}

/// How many media messages, and bytes in them, one play brings, by the tests' own client.
fn one_play(address: SocketAddr, name: &str) -> (u64, u64) {
    let mut client = Client::unpaced(address);
    client.play_all(1, name);
    let messages = client.until_status("NetStream.Play.Stop");
    let media: Vec<&Message> = messages.iter().filter(|it| it.is_media()).collect();
    let bytes: usize = media.iter().map(|message| message.body.len()).sum();
    (media.len() as u64, bytes as u64)
}

/// Every player gets every byte, and all of them are counted.
#[test]
fn bytes_are_those_of_as_many_whole_plays() {
    let server = server::shared();
    for (name, players) in [("mp4:plain.mp4", 7), ("past_2_24", 2), ("mp3:vbr_xing", 3)] {
        let (messages, bytes) = one_play(server.rtmp, name);
        let count = players.to_string();
        let json = measured(&[
            &server.url(name),
            "-n",
            &count,
            "--unpaced",
            "--threads",
            "2",
        ]);
        for (path, wanted) in [
            ("/players/started", players),
            ("/players/connected", players),
            ("/players/played", players),
            ("/players/ended", players),
            ("/players/stopped", 0),
            ("/players/failed", 0),
            ("/bytes/messages", players * messages),
            ("/bytes/media", players * bytes),
            ("/latency_ms/connect/count", players),
            ("/latency_ms/first_byte/count", players),
            ("/latency_ms/complete/count", players),
        ] {
            assert_eq!(number(&json, path), wanted, "{name}: {path}");
        }
        assert!(number(&json, "/bytes/wire") > players * bytes);
    }
}

/// At the pace of the media the playback clock never stands still, and the server's processes and
/// memory are seen.
#[test]
fn a_paced_run_has_no_underrun() {
    let server = server::shared();
    let pid = server.id().to_string();
    let url = server.url("mp4:large.mp4");
    let json = measured(&[
        &url,
        "-n",
        "20",
        "--duration",
        "4s",
        "--pid",
        &pid,
        "--quiet",
    ]);
    assert_eq!(number(&json, "/underruns/count"), 0, "{json}");
    assert_eq!(number(&json, "/players/played"), 20);
    assert_eq!(number(&json, "/players/stopped"), 20);
    assert_eq!(number(&json, "/memory/players"), 20);
    assert!(
        json.pointer("/whole/server/seconds_per_gb")
            .is_some_and(Value::is_number)
    );
    let samples = json.pointer("/samples").and_then(Value::as_array);
    assert!(samples.is_some_and(|samples| samples.len() > 10));
}

/// Seeks and pauses in the mix, several names, plays that are repeated, spread starts.
#[test]
fn players_that_seek_pause_and_play_again_do_not_fail() {
    let server = server::shared();
    let url = server.url("mp4:plain.mp4");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let page = folder.path().join("report.html").display().to_string();
    let json = measured(&[
        &url,
        "--name",
        "index",
        "--name",
        "mp3:vbr_xing",
        "--zipf",
        "0.8",
        "-n",
        "30",
        "--duration",
        "5s",
        "--start",
        "spread",
        "--seek-every",
        "700ms",
        "--pause-every",
        "900ms",
        "--pause-for",
        "200ms",
        "--repeat",
        "--html",
        &page,
    ]);
    assert_eq!(number(&json, "/players/failed"), 0, "{}", json["errors"]);
    assert_eq!(number(&json, "/players/played"), 30);
    assert!(number(&json, "/players/seeks") > 30 && number(&json, "/players/pauses") > 30);
    assert!(number(&json, "/latency_ms/seek/count") > 30);
    let page = std::fs::read_to_string(&page).expect("a page");
    assert!(page.starts_with("<!doctype html>") && page.contains("<svg"));
}

/// A name that is not there: each player fails, the reason is told, and the exit is 1.
#[test]
fn players_of_a_missing_name_are_counted_as_failed() {
    let server = server::shared();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("report.json");
    let run = |more: &[&str]| {
        let (url, file) = (server.url("mp4:missing.mp4"), file.display().to_string());
        let mut arguments = vec![url.as_str(), "--quiet", "--json", &file];
        arguments.extend(more);
        bench(&arguments)
    };
    let output = run(&["-n", "3"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        said.contains("StreamNotFound") && said.lines().count() == 1,
        "{said}"
    );
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        text.contains("3 started, 0 played") && text.contains("3 x play"),
        "{text}"
    );
    let json: Value = serde_json::from_str(&read(&file)).expect("JSON");
    assert_eq!(number(&json, "/players/failed"), 3);
    assert_eq!(number(&json, "/errors/0/count"), 3);
    // Of two names one is there: that many failures may be allowed.
    let found = ["--name", "mp4:plain.mp4", "-n", "20", "--unpaced"];
    assert_eq!(run(&found).status.code(), Some(1));
    let allowed = [&found[..], &["--max-errors", "20"]].concat();
    assert_eq!(run(&allowed).status.code(), Some(0));
}

/// Nobody there, a connect that is refused, a spread start of nothing, a process that is not.
#[test]
fn what_cannot_run_ends_with_one() {
    let server = server::shared();
    let wrong = format!("rtmp://{}/no/such/app", server.rtmp);
    let nobody = format!("rtmp://{}/a/b", crate::support::ports::address());
    let good = server.url("mp4:plain.mp4");
    let missing = server.url("mp4:missing.mp4");
    for (arguments, word) in [
        (vec![wrong.as_str()], "refused"),
        (vec![nobody.as_str()], "connect"),
        (vec![missing.as_str(), "--start", "spread"], "--length"),
        (vec![good.as_str(), "--pid", "999999999"], "cannot see"),
        (
            vec![good.as_str(), "--metrics", "http://127.0.0.1:1/m"],
            "cannot see",
        ),
    ] {
        let output = bench(&arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(said.contains(word), "{arguments:?}: {said}");
    }
}

#[test]
fn a_wrong_command_line_ends_with_two() {
    for arguments in [
        &[][..],
        &["http://127.0.0.1/a/b"],
        &["rtmp://127.0.0.1/a"],
        &["rtmp://127.0.0.1/a/b", "--players", "0"],
        &["rtmp://127.0.0.1/a/b", "--start", "somewhere"],
        &["rtmp://127.0.0.1/a/b", "--unpaced", "--buffer", "3s"],
        &["rtmp://127.0.0.1/a/b", "--app", "c"],
    ] {
        let output = bench(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
}

/// Ctrl-C ends a run early, with a report of what was measured.
#[test]
fn an_interrupted_run_still_reports() {
    let server = server::shared();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (log, file) = (folder.path().join("log"), folder.path().join("report.json"));
    let arguments = [
        "bench",
        &server.url("mp4:large.mp4"),
        "--duration",
        "1h",
        "--repeat",
        "-n",
        "2",
        "--json",
        &file.display().to_string(),
    ]
    .map(str::to_owned);
    let mut run = Leashed::start(Path::new(BINARY), &arguments, &[], &log);
    for _ in 0..6_000 {
        if read(&log).contains("2 of 2 playing") {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    run.signal(Signal::INT);
    let status = run.wait(Duration::from_secs(60));
    assert!(
        status.is_some_and(|status| status.success()),
        "{}",
        read(&log)
    );
    let json: Value = serde_json::from_str(&read(&file)).expect("JSON");
    assert_eq!(json["interrupted"], Value::Bool(true));
    assert_eq!(number(&json, "/players/stopped"), 2);
    assert!(number(&json, "/bytes/media") > 0);
}

/// nginx-rtmp: chunks of 4096 bytes, short headers, differences of time. All players get the same
/// bytes, plays can be repeated, and its process is seen.
#[test]
fn another_server_is_measured_by_the_same_tool() {
    let nginx = Nginx::start(media::folder());
    let (pid, url) = (
        nginx.id().to_string(),
        format!("rtmp://{}/vod/plain.mp4", nginx.address),
    );
    let one = measured(&[&url, "--unpaced"]);
    assert_eq!(number(&one, "/players/ended"), 1, "{}", one["errors"]);
    // It leaves out the last sounds of an MP4, and sends all else.
    let (_, ours) = one_play(server::shared().rtmp, "mp4:plain.mp4");
    let theirs = number(&one, "/bytes/media");
    assert!(
        theirs * 100 > ours * 95 && theirs < ours + 1000,
        "{theirs} of {ours}"
    );
    let many = measured(&[&url, "--unpaced", "-n", "9", "--pid", &pid]);
    assert_eq!(number(&many, "/bytes/media"), 9 * theirs);
    let mixed = measured(&[
        &url,
        "-n",
        "20",
        "--duration",
        "4s",
        "--seek-every",
        "600ms",
        "--pause-every",
        "900ms",
        "--pause-for",
        "200ms",
        "--repeat",
    ]);
    assert_eq!(number(&mixed, "/players/failed"), 0, "{}", mixed["errors"]);
    assert!(number(&mixed, "/latency_ms/seek/count") > 20);
}

fn read(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_default()
}
