//! What somebody gets who has no valid signature: the same answer whatever is there and whatever is
//! wrong (cloudfront.md, sections 1.6 and 3), and after many tries not even a look.

use std::time::Duration;

use crate::support::amf::Amf;
use crate::support::client::Client;
use crate::support::message::Status;
use crate::support::metrics::Metrics;
use crate::support::private::{
    Key, assert_plays, assert_refused, enter, later, now, other, play, private, put_key, start,
};

const FILM: &str = "plain.mp4";
const NAME: &str = "mp4:plain.mp4";

/// More tries than any test needs, should a machine be so slow that each is forgiven at once.
const TRIES: u32 = 1_000;

/// All that is said about a play of `name`, but for the name and what is the connection's own.
fn said(status: &Status, name: &str) -> String {
    let own = status.info.get("clientid").and_then(Amf::as_text);
    let own = own.expect("the connection's id");
    format!("{status:?}")
        .replace(name, "NAME")
        .replace(own, "ID")
}

/// What is answered where only the length is asked for.
fn length(client: &mut Client, name: &str) -> String {
    let answer = client.call(0, "getStreamLength", &[Amf::Null, Amf::text(name)]);
    let values = answer.command().unwrap_or_default();
    format!("{:?} {:?}", answer.name(), values.last())
}

#[test]
fn without_a_signature_nobody_learns_what_there_is() {
    let (server, control) = start("");
    let (key, foreign) = (Key::rsa(), Key::rsa());
    let id = put_key(&control, "k", &key);
    let untrusted = put_key(&other(&control), "k", &foreign);
    let made = private(&control, "a", &["self"]);
    let open = private(&control, "b", &[]);
    let until = later();
    let wide = format!(
        r#"{{"Statement":[{{"Resource":"*","Condition":{{"DateLessThan":{{"AWS:EpochTime":{until}}}}}}}]}}"#
    );
    let names = |object: &str| {
        let name = format!("mp4:{object}");
        let good = key.canned(&id, &name, object, until);
        let (whole, _) = good.split_once("&Signature=").expect("a signature");
        [
            format!("{name}?Expires={until}"),
            format!("{whole}&Signature=AAAA&Key-Pair-Id={id}"),
            good.replace(&until.to_string(), &(until + 1).to_string()),
            key.canned(&id, &name, object, now() - 1),
            key.canned(&id, &name, "else.mp4", until),
            key.canned("KNOBODY", &name, object, until),
            foreign.canned(&id, &name, object, until),
            foreign.custom(&id, &name, &wide),
            foreign.canned(&untrusted, &name, object, until),
            key.custom(&id, &name, "no policy"),
            name,
        ]
    };
    let mut answers = Vec::new();
    for object in [FILM, "absent.mp4", "folder/absent.mp4"] {
        let mut client = enter(server.rtmp, &made.domain_name);
        for name in names(object) {
            let asked = length(&mut client, &name);
            let played = play(&mut client, &name);
            answers.push((name.clone(), said(&played, &name), asked));
        }
    }
    let (_, refused, without_length) = &answers[0];
    assert!(refused.contains("NetStream.Play.Failed"), "{refused}");
    for (name, played, asked) in &answers {
        assert_eq!((played, asked), (refused, without_length), "{name}");
    }
    // Who has a signature may know that there is nothing, as anybody may where none is wanted.
    let absent = key.canned(&id, "mp4:absent.mp4", "absent.mp4", until);
    let missing = play(&mut enter(server.rtmp, &made.domain_name), &absent);
    assert_eq!(missing.code, "NetStream.Play.StreamNotFound");
    let missing = play(&mut enter(server.rtmp, &open.domain_name), "mp4:absent.mp4");
    assert_eq!(missing.code, "NetStream.Play.StreamNotFound");
}

#[test]
fn who_tries_too_many_names_is_not_looked_at_for_a_while() {
    let (server, control) = start("");
    let (key, foreign) = (Key::rsa(), Key::rsa());
    let id = put_key(&control, "k", &key);
    let made = private(&control, "a", &["self"]);
    let host = &made.domain_name;
    let bogus = foreign.canned(&id, NAME, FILM, later());
    let good = key.canned(&id, NAME, FILM, later());
    let mut client = enter(server.rtmp, host);
    let tries = (1..TRIES).find(|_| {
        assert_refused(&mut client, &bogus);
        play(&mut client, &good).level == "error"
    });
    let tries = tries.expect("a good name is refused, because so many bogus ones were");
    assert!(tries >= 32, "a player's own tries: {tries}");
    // It looks like any other refusal.
    assert_refused(&mut client, &bogus);
    let count = |reason: &str| {
        let name = format!("streamfront_signatures_refused_total{{reason=\"{reason}\"}}");
        Metrics::of(server.api).get(&name)
    };
    assert!(count("too_many") >= 1.0);
    let lines = |what: &str| {
        let log = server.log();
        log.lines().filter(|line| line.contains(what)).count()
    };
    assert!(lines("no more are looked at for now") >= 1);
    assert_eq!(
        lines("reason=\"too_many\""),
        0,
        "the log is not theirs to fill"
    );
    // Others are not held up, and neither is this one for long.
    assert_plays(&mut enter(server.rtmp, host), &good);
    let plays_again = (0..TRIES).any(|_| {
        std::thread::sleep(Duration::from_millis(100));
        play(&mut client, &good).code == "NetStream.Play.Stop"
    });
    assert!(plays_again, "it is let off");
}
