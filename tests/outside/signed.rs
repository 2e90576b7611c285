//! Private content: signed names as Amazon's own tools make them, played by real players from
//! distributions that want them; and every reason for which one is refused (issue 5, "How it is
//! shown").

use std::process::Command;

use serde_json::{Value, json};

use crate::support::amf::Amf;
use crate::support::aws;
use crate::support::client::{Client, UNPACED};
use crate::support::distributions::{ALL, PUBLIC_KEYS, members};
use crate::support::media;
use crate::support::message::Message;
use crate::support::metrics::Metrics;
use crate::support::packets::{self, Kind};
use crate::support::players;
use crate::support::private::{
    Key, OTHER, assert_plays, assert_refused, enter, eventually, later, now, other, private,
    put_key, start,
};
use crate::support::server::{Server, Setup};
use crate::support::signing::{KEY_ID, SECRET};

const FILM: &str = "plain.mp4";
const NAME: &str = "mp4:plain.mp4";
const LONG: &str = "mp4:hour.mp4";

const BOTOCORE: &str = r#"
import subprocess, sys
from datetime import datetime, timezone
from botocore.signers import CloudFrontSigner
_, endpoint, key, file, name, expires = sys.argv
sign = lambda text: subprocess.run(
    ["openssl", "dgst", "-sha1", "-sign", file], input=text, capture_output=True, check=True).stdout
signer = CloudFrontSigner(key, sign)
until = datetime.fromtimestamp(int(expires), timezone.utc)
print(signer.generate_presigned_url(name, date_less_than=until), end="")
policy = signer.build_policy("pl*.mp4", until,
    date_greater_than=datetime.fromtimestamp(1, timezone.utc), ip_address="127.0.0.0/8")
print("\n" + signer.generate_presigned_url(name, policy=policy), end="")
"#;

/// ffmpeg and rtmpdump get the film by this name, packet by packet.
fn assert_real_players_play(server: &Server, host: &str, name: &str) {
    let source = packets::source(&media::file(FILM));
    let tc_url = format!("rtmp://{host}/cfx/st");
    let played = packets::ffprobe(&server.url(name), &["-rtmp_tcurl", &tc_url]);
    packets::assert_played(name, &source, &played);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("film.flv");
    let address = server.rtmp.to_string();
    // It ends with "incomplete", whatever it got.
    players::rtmpdump_split(&address, "cfx/st", name, &["-t", &tc_url], &out);
    let dumped = packets::messages(&packets::flv_tags(&out));
    packets::assert_played(name, &source, &dumped);
}

#[test]
fn what_amazons_signers_sign_plays_in_ffmpeg_and_rtmpdump() {
    let (server, control) = start("");
    let key = Key::rsa();
    let id = put_key(&control, "k", &key);
    let made = private(&control, "a", &["self"]);
    let host = &made.domain_name;
    let file = key.file().display().to_string();
    let until = later().to_string();
    let said = aws::python(server.api, BOTOCORE, &[&id, &file, FILM, &until]).good();
    let mut names: Vec<String> = said.lines().map(|name| format!("mp4:{name}")).collect();
    let private_key = format!("file://{}", key.old_file().display());
    let base = [
        "sign",
        "--url",
        FILM,
        "--key-pair-id",
        &id,
        "--private-key",
        &private_key,
        "--date-less-than",
        &until,
    ];
    let custom = ["--ip-address", "127.0.0.1", "--date-greater-than", "1"];
    for more in [&[][..], &custom] {
        let said = aws::cli(server.api, &[&base[..], more].concat()).good();
        names.push(format!("mp4:{}", said.trim()));
    }
    for name in &names {
        assert_real_players_play(&server, host, name);
    }
    let tc_url = format!("rtmp://{host}/cfx/st");
    let unsigned = players::ffmpeg(
        &server.url(NAME),
        &["-rtmp_tcurl", &tc_url],
        &tempfile::tempdir().expect("a folder").path().join("x.flv"),
    );
    assert!(!unsigned.status.success(), "it needs a signature");
}

#[test]
fn every_reason_for_a_refusal_is_counted_and_logged_and_not_told() {
    let (server, control) = start("");
    let (key, foreign) = (Key::rsa(), Key::rsa());
    let id = put_key(&control, "k", &key);
    let untrusted = put_key(&other(&control), "k", &foreign);
    let made = private(&control, "a", &["self"]);
    let mut client = enter(server.rtmp, &made.domain_name);
    let until = later();
    let policy = |resource: &str, condition: Value| {
        json!({"Statement": [{"Resource": resource, "Condition": condition}]}).to_string()
    };
    let before = json!({"AWS:EpochTime": until});
    let custom =
        |resource: &str, condition: Value| key.custom(&id, NAME, &policy(resource, condition));
    let good = key.canned(&id, NAME, FILM, until);
    assert_plays(&mut client, &good);
    let names = [
        ("missing", NAME.to_owned()),
        ("missing", format!("{NAME}?own=1")),
        ("malformed", good.replace("Expires=", "Expires=x")),
        ("malformed", key.custom(&id, NAME, "{\"Statement\":[]}")),
        ("unknown_key", key.canned("KNOBODY", NAME, FILM, until)),
        (
            "untrusted_key",
            foreign.canned(&untrusted, NAME, FILM, until),
        ),
        ("signature", foreign.canned(&id, NAME, FILM, until)),
        ("signature", key.canned(&id, NAME, "bframes.mp4", until)),
        (
            "signature",
            good.replace(&until.to_string(), &(until + 1).to_string()),
        ),
        (
            "resource",
            custom("http://*", json!({"DateLessThan": before})),
        ),
        ("expired", key.canned(&id, NAME, FILM, now() - 1)),
        (
            "not_yet",
            custom(
                "*",
                json!({"DateLessThan": before, "DateGreaterThan": {"AWS:EpochTime": until - 1}}),
            ),
        ),
        (
            "address",
            custom(
                "*",
                json!({"DateLessThan": before, "IpAddress": {"AWS:SourceIp": "192.0.2.1"}}),
            ),
        ),
    ];
    let count = |reason: &str| {
        let name = format!("streamfront_signatures_refused_total{{reason=\"{reason}\"}}");
        Metrics::of(server.api).get(&name)
    };
    for (reason, name) in &names {
        let counted = count(reason);
        assert_refused(&mut client, name);
        assert!(count(reason) > counted, "{reason}: {name}");
        assert!(
            server.log().contains(&format!("reason=\"{reason}\"")),
            "{reason}"
        );
    }
    // ffmpeg asks for the length first.
    let length = |client: &mut Client, name: &str| {
        let answer = client.call(0, "getStreamLength", &[Amf::Null, Amf::text(name)]);
        let values = answer.command().unwrap_or_default();
        values.last().and_then(Amf::as_number)
    };
    assert_eq!(length(&mut client, NAME), None);
    assert!(length(&mut client, &good).is_some());
    assert_plays(&mut client, &good);
    let log = server.log();
    assert!(
        !log.contains("Signature=") && !log.contains("Policy="),
        "{log}"
    );
    // Both strings.
    let line = log.lines().find(|line| line.contains("http://*"));
    assert!(
        line.is_some_and(|line| line.matches(FILM).count() > 1),
        "{log}"
    );
}

#[test]
fn a_play_runs_on_past_its_expiry_and_a_seek_after_it_is_refused() {
    let (server, control) = start("");
    let key = Key::rsa();
    let id = put_key(&control, "k", &key);
    let made = private(&control, "a", &["self"]);
    let mut client = enter(server.rtmp, &made.domain_name);
    client.set_buffer(1, 1_000);
    let expires = now() + 6;
    let name = key.canned(&id, LONG, "hour.mp4", expires);
    client.play_all(1, &name);
    client.until("media", Message::is_media);
    client.seek(1, 60_000.0);
    client.until_status("NetStream.Seek.Notify");
    client.until("media", Message::is_media);
    while now() <= expires {
        client.until("media", Message::is_media);
    }
    // It goes on, and pause and resume are no new play.
    client.pause(1, true, 0.0);
    client.until_status("NetStream.Pause.Notify");
    client.pause(1, false, 0.0);
    client.until_status("NetStream.Unpause.Notify");
    client.until("media", Message::is_media);
    client.seek(1, 600_000.0);
    let refused = |message: &Message| message.status().is_some_and(|it| it.level == "error");
    let said = client.until("a refusal", refused);
    let status = said.last().and_then(Message::status).expect("a status");
    assert_eq!(status.code, "NetStream.Seek.Failed");
    // The play has ended; the connection is as good as before.
    client.set_buffer(1, UNPACED);
    assert_refused(&mut client, &name);
    assert_plays(&mut client, &key.canned(&id, NAME, FILM, later()));
}

#[test]
fn another_account_signs_and_keys_rotate_within_moments() {
    let (server, control) = start("");
    let (first, second, third) = (Key::rsa(), Key::ec(), Key::rsa());
    let tenant = other(&control);
    let made = private(&control, "a", &[OTHER]);
    let host = &made.domain_name;
    let until = later();
    let own = put_key(&control, "own", &third);
    let one = put_key(&tenant, "one", &first);
    let name = first.canned(&one, NAME, FILM, until);
    eventually(&server, host, &name, true);
    // The owner is no signer of it.
    let by_owner = third.canned(&own, NAME, FILM, until);
    assert_refused(&mut enter(server.rtmp, host), &by_owner);
    // Both keys, the second of another kind.
    let two = put_key(&tenant, "two", &second);
    let policy = format!(
        r#"{{"Statement":[{{"Resource":"{FILM}","Condition":{{"DateLessThan":{{"AWS:EpochTime":{until}}}}}}}]}}"#
    );
    let signature = second.sign("-sha256", &policy);
    let by_second = format!(
        "{NAME}?Expires={until}&Signature={signature}&Key-Pair-Id={two}&Hash-Algorithm=SHA256"
    );
    eventually(&server, host, &by_second, true);
    assert_plays(&mut enter(server.rtmp, host), &name);
    let shown = control
        .call("GET", &format!("{ALL}/{}", made.id), None, "")
        .text();
    assert!(shown.contains(&one) && shown.contains(&two), "{shown}");
    // A third does not count until one of them is gone.
    let three = put_key(&tenant, "three", &third);
    let by_third = third.canned(&three, NAME, FILM, until);
    assert_refused(&mut enter(server.rtmp, host), &by_third);
    let mut running = enter(server.rtmp, host);
    running.set_buffer(1, 1_000);
    running.play_all(1, &first.canned(&one, LONG, "hour.mp4", until));
    running.until("media", Message::is_media);
    let path = format!("{PUBLIC_KEYS}/{one}");
    let etag = tenant
        .call("GET", &path, None, "")
        .header("etag")
        .map(str::to_owned);
    let gone = tenant.call("DELETE", &path, etag.as_deref(), "");
    assert_eq!(gone.status, 204, "{}", gone.text());
    eventually(&server, host, &name, false);
    eventually(&server, host, &by_third, true);
    assert_plays(&mut enter(server.rtmp, host), &by_second);
    // Who plays goes on; where they seek, the key is asked for again.
    running.until("media", Message::is_media);
    running.seek(1, 60_000.0);
    let refused = |message: &Message| message.status().is_some_and(|it| it.level == "error");
    let said = running.until("a refusal", refused);
    let status = said.last().and_then(Message::status).expect("a status");
    assert_eq!(status.code, "NetStream.Seek.Failed");
}

#[test]
fn items_of_a_playlist_and_switches_are_checked_one_by_one() {
    let (server, control) = start("");
    let key = Key::rsa();
    let id = put_key(&control, "k", &key);
    let made = private(&control, "a", &["self"]);
    let mut client = enter(server.rtmp, &made.domain_name);
    let (until, file) = (later(), "bframes.mp4");
    client.play_all(1, &key.canned(&id, NAME, FILM, until));
    client.play(1, "mp4:bframes.mp4", -2000.0, -1.0, false);
    client.play(
        1,
        &key.canned(&id, "mp4:bframes.mp4", file, until),
        -2000.0,
        -1.0,
        false,
    );
    let codes: Vec<String> = client
        .until_status_any("NetStream.Play.Stop")
        .iter()
        .filter_map(Message::status)
        .map(|status| status.code)
        .filter(|code| code.starts_with("NetStream.Play.") && !code.ends_with("Reset"))
        .collect();
    let failed = codes.iter().filter(|code| *code == "NetStream.Play.Failed");
    assert_eq!(failed.count(), 1, "{codes:?}");
    let started = codes.iter().filter(|code| *code == "NetStream.Play.Start");
    assert_eq!(started.count(), 2, "{codes:?}");
}

/// A play2 that goes over to `name` as soon as there is a key frame.
fn switch(client: &mut Client, name: &str) {
    let options = [
        ("streamName", Amf::text(name)),
        ("oldStreamName", Amf::text("")),
        ("transition", Amf::text("switch")),
        ("start", Amf::Number(-2.0)),
        ("len", Amf::Number(-1.0)),
    ];
    let options = options.map(|(name, value)| (name.to_owned(), value));
    let options = Amf::Object(options.to_vec());
    client.command(1, "play2", 0.0, &[Amf::Null, options]);
}

#[test]
fn a_switch_is_accepted_only_to_a_name_that_is_signed() {
    let (server, control) = start("");
    let (key, foreign) = (Key::rsa(), Key::rsa());
    let id = put_key(&control, "k", &key);
    let made = private(&control, "a", &["self"]);
    let first = key.canned(&id, "mp4:bframes.mp4", "bframes.mp4", later());
    let mut client = enter(server.rtmp, &made.domain_name);
    client.set_buffer(1, 1_000);
    client.play_all(1, &first);
    let mut messages = client.until("media", Message::is_media);
    for name in [
        NAME.to_owned(),
        key.canned(&id, NAME, FILM, now() - 1),
        foreign.canned(&id, NAME, FILM, later()),
        // Signed for what plays, not for what is asked for.
        first.replace("mp4:bframes.mp4", NAME),
    ] {
        switch(&mut client, &name);
        messages.extend(client.until_status_any("NetStream.Play.Failed"));
        let status = messages.last().and_then(Message::status);
        let said = status.as_ref().and_then(|it| it.info.get("description"));
        let expected = format!("Failed to play {name}; (stream ID: 1).");
        assert_eq!(said.and_then(Amf::as_text), Some(&*expected));
    }
    // What plays goes on to its own end, and nothing of it is missing.
    client.set_buffer(1, UNPACED);
    messages.extend(client.until_status("NetStream.Play.Stop"));
    let source = packets::source(&media::file("bframes.mp4"));
    packets::assert_played("bframes.mp4", &source, &packets::messages(&messages));

    client.set_buffer(1, 1_000);
    client.play_all(1, &first);
    client.until("media", Message::is_media);
    switch(&mut client, &key.canned(&id, NAME, FILM, later()));
    client.set_buffer(1, UNPACED);
    client.until_status("NetStream.Play.Transition");
    client.until_status("NetStream.Play.TransitionComplete");
    let messages = client.until_status("NetStream.Play.Stop");
    let last_picture = |table: packets::Table| {
        let last = table.into_iter().rfind(|packet| packet.kind == Kind::Video);
        last.map(|packet| packet.hash)
    };
    let wanted = last_picture(packets::source(&media::file(FILM)));
    assert_eq!(last_picture(packets::messages(&messages)), wanted);
}

/// The keys of the file are shown with those of the API, for the accounts that they belong to.
#[test]
fn keys_of_the_configuration_file_are_shown_where_they_count() {
    let (own, tenants) = (Key::rsa(), Key::rsa());
    let (server, control) = start(&format!(
        "[[signer]]\nid = 'KFILE'\npublic_key = '{}'\n\
         [[signer]]\nid = 'KTENANT'\npublic_key = '{}'\naccount = '{OTHER}'\n",
        own.public_file().display(),
        tenants.public_file().display()
    ));
    let made = private(&control, "a", &["self"]);
    let both = private(&control, "b", &["self", OTHER]);
    let shown = |id: &str| {
        let answer = control.call("GET", &format!("{ALL}/{id}"), None, "");
        let text = answer.text();
        let keys = members(&text, "KeyPairId").map(str::to_owned);
        keys.collect::<Vec<_>>()
    };
    assert_eq!(shown(&made.id), ["KFILE"]);
    assert_eq!(shown(&both.id), ["KFILE", "KTENANT"]);
    let until = later();
    let host = &made.domain_name;
    assert_plays(
        &mut enter(server.rtmp, host),
        &own.canned("KFILE", NAME, FILM, until),
    );
    let by_tenant = tenants.canned("KTENANT", NAME, FILM, until);
    assert_refused(&mut enter(server.rtmp, host), &by_tenant);
    assert_plays(&mut enter(server.rtmp, &both.domain_name), &by_tenant);
}

#[test]
fn keys_of_the_configuration_file_need_no_api() {
    let key = Key::rsa();
    let folder = media::folder().display();
    let public = key.public_file();
    let entries = |strict: bool| {
        format!(
            "[access]\nstrict = {strict}\n[[signer]]\nid = 'KFILE'\npublic_key = '{}'\n\
             [[distribution]]\nid = 'Films'\nbucket = '{folder}'\nhosts = ['films.example.com']\n\
             trusted_signers = ['self']\n",
            public.display()
        )
    };
    let until = later();
    let (prefixed, without) = (
        key.canned("KFILE", NAME, NAME, until),
        key.canned("KFILE", NAME, "plain", until),
    );
    let server = Setup::default().config(&entries(false)).start();
    let mut client = enter(server.rtmp, "films.example.com");
    assert_plays(&mut client, &prefixed);
    assert_plays(&mut client, &without);
    assert_refused(&mut client, NAME);
    let server = Setup::default().config(&entries(true)).start();
    let mut client = enter(server.rtmp, "films.example.com");
    assert_refused(&mut client, &prefixed);
    assert_plays(&mut client, &without);
}

/// `streamfront sign` with this key and these arguments, as JSON.
fn sign(key: &Key, id: &str, arguments: &[&str]) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_streamfront"));
    command.args(["sign", "--json", "--key-pair-id", id, "--key"]);
    let output = command.arg(key.file()).args(arguments).output();
    let output = output.expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// What `streamfront sign --explain` says, and whether the name is accepted.
fn explained(key: &Key, name: &str, more: &[&str]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_streamfront"));
    command.args(["sign", "--explain", name, "--public-key"]);
    let output = command.arg(key.public_file()).args(more).output();
    let output = output.expect("it runs");
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

#[test]
fn our_own_command_signs_and_explains() {
    let (server, control) = start("");
    let (rsa, ec) = (Key::rsa(), Key::ec());
    let ids = [put_key(&control, "rsa", &rsa), put_key(&control, "ec", &ec)];
    let made = private(&control, "a", &["self"]);
    let host = &made.domain_name;
    let url = format!("rtmp://{host}/cfx/st/{NAME}");
    let until = later().to_string();
    let custom = [
        "--in",
        "1h",
        "--from",
        "2020-01-01T00:00:00Z",
        "--ip",
        "127.0.0.0/8",
        "--resource",
        "pl?in*",
    ];
    for (key, id) in [(&rsa, &ids[0]), (&ec, &ids[1])] {
        for more in [
            &["--in", "1h"][..],
            &["--expires", &until, "--own", "a=1", "--own", "b=2"],
            &["--in", "1h", "--sha256"],
            &custom,
        ] {
            let signed = sign(key, id, &[&[&*url], more].concat());
            let name = signed["name"].as_str().expect("a name");
            assert_eq!(signed["server"], format!("rtmp://{host}/cfx/st"));
            let whole = signed["url"].as_str().expect("a URL");
            assert_eq!(whole, format!("rtmp://{host}/cfx/st/{name}"));
            assert_real_players_play(&server, host, name);
            let (accepted, said) = explained(key, whole, &["--peer", "127.0.0.1"]);
            assert!(accepted && said.contains("accepted"), "{said}");
        }
    }
    let name = sign(&rsa, &ids[0], &[&[NAME], &custom[..]].concat());
    let name = name["name"].as_str().expect("a name");
    let (accepted, said) = explained(&rsa, name, &["--peer", "192.0.2.1"]);
    assert!(
        !accepted && said.contains("the viewer is 192.0.2.1"),
        "{said}"
    );
    let wrong = rsa.canned(&ids[0], NAME, "cfx/st/plain.mp4", later());
    let (accepted, said) = explained(&rsa, &wrong, &[]);
    assert!(!accepted && said.contains("(not signed)"), "{said}");
    assert!(
        said.contains(r#"{"Statement":[{"Resource":"plain.mp4","#),
        "{said}"
    );
    let old = rsa.canned(&ids[0], NAME, FILM, 1_000_000_000);
    let (accepted, said) = explained(&rsa, &old, &[]);
    assert!(
        !accepted && said.contains("2001-09-09T01:46:40Z (1000000000): it is over"),
        "{said}"
    );
    // The server says the same.
    let access = |name: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_streamfront"))
            .args(["diagnose", "--connect", &server.rtmp.to_string(), "--api"])
            .args([
                server.api.to_string(),
                format!("rtmp://{host}/cfx/st/{name}"),
            ])
            .env("STREAMFRONT_ACCESS_KEY_ID", KEY_ID)
            .env("STREAMFRONT_SECRET_ACCESS_KEY", SECRET)
            .output()
            .expect("it runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let said = access(&old);
    assert!(
        said.contains("it expired at 2001-09-09T01:46:40Z"),
        "{said}"
    );
    let said = access(name);
    assert!(said.contains("for 127.0.0.0/8 only"), "{said}");
}
