//! Distributions that the API made, as viewers see them: each under its own names and from its own
//! bucket, while they come, change and go (issue 4, "How it is shown").
//!
//! What the API calls Deployed is served, so nothing here waits for a time but for that.

use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::support::amf::Amf;
use crate::support::client::{Client, UNPACED};
use crate::support::distributions::{ALL, Config, Control, IDENTITIES};
use crate::support::leash::Leashed;
use crate::support::media;
use crate::support::message::Message;
use crate::support::packets::{self, Table};
use crate::support::place::{Place, kill};
use crate::support::seaweed::{self, ACCESS_KEY, SECRET_KEY, Seaweed};
use crate::support::server::{Server, Setup};

/// The key under which the two servers have different films.
const FILM: &str = "routing/film.mp4";
/// What a player calls it.
const NAME: &str = "mp4:routing/film.mp4";
/// The film of the first server, and of the second.
const FILMS: [&str; 2] = ["plain.mp4", "bframes.mp4"];
/// Their buckets' domain names.
const BUCKETS: [&str; 2] = ["media.one.example", "media.two.example"];

/// Two S3 servers of the test process.
fn servers() -> [&'static Seaweed; 2] {
    static SECOND: OnceLock<Seaweed> = OnceLock::new();
    static FIRST: OnceLock<()> = OnceLock::new();
    let first = seaweed::shared();
    FIRST.get_or_init(|| first.put_file(FILM, &media::file(FILMS[0])));
    let second = SECOND.get_or_init(|| {
        let second = Seaweed::start();
        second.put_file(FILM, &media::file(FILMS[1]));
        second
    });
    [first, second]
}

/// The entries of both; `identity` is further lines of the first.
fn both(identity: &str) -> String {
    let entry = |suffix: &str, server: &Seaweed, more: &str| {
        format!(
            "[[s3]]\nsuffix = '{suffix}'\nendpoint = 'http://{}'\naccess_key_id = '{ACCESS_KEY}'\n\
             secret_access_key = '{SECRET_KEY}'\n{more}\n",
            server.address
        )
    };
    let [first, second] = servers();
    entry("one.example", first, identity) + &entry("two.example", second, "")
}

/// A server that knows both, with `head` before them in its file.
fn start(head: &str) -> (Server, Control) {
    let text = format!("{head}\n{}", both(""));
    let server = Setup::default().with_key().config(&text).start();
    let control = Control::operator(server.api);
    (server, control)
}

/// One that serves the bucket of that number, read as an identity of its own.
fn config(control: &Control, number: usize, reference: &str) -> Config {
    let identity = control.identity(reference);
    Config::new(reference, BUCKETS[number]).identity(&identity)
}

fn tc_url(host: &str) -> String {
    format!("rtmp://{host}/cfx/st")
}

/// Connected by this name, with a stream; or why not.
fn enter(rtmp: SocketAddr, host: Option<&str>) -> Result<Client, String> {
    let mut client = Client::shake(rtmp);
    let url = host.map(|host| ("tcUrl", Amf::Text(tc_url(host))));
    let fields: Vec<_> = url.into_iter().collect();
    let answer = client.connect_with("cfx/st", &fields);
    if answer.name().as_deref() != Some("_result") {
        client.until_closed();
        return Err(format!("{answer:?}"));
    }
    client.create_stream();
    client.set_buffer(1, UNPACED);
    Ok(client)
}

/// What a play of the film sends; or the error.
fn play(client: &mut Client) -> Result<Table, String> {
    client.play_all(1, NAME);
    let ends = |message: &Message| {
        let status = message.status();
        status.is_some_and(|it| it.level == "error" || it.code == "NetStream.Play.Stop")
    };
    let messages = client.until("the end", ends);
    let last = messages.last().and_then(Message::status).expect("a status");
    if last.level == "error" {
        return Err(last.code);
    }
    Ok(packets::messages(&messages))
}

/// The film of that number, and not a packet of another.
fn assert_film(what: &str, number: usize, played: Result<Table, String>) {
    let played = played.unwrap_or_else(|error| panic!("{what}: {error}"));
    let source = packets::source(&media::file(FILMS[number]));
    packets::assert_played(what, &source, &played);
}

fn assert_shows(rtmp: SocketAddr, host: &str, number: usize) {
    let played = enter(rtmp, Some(host)).and_then(|mut client| play(&mut client));
    assert_film(host, number, played);
}

fn assert_not_found(rtmp: SocketAddr, host: &str) {
    let refused = enter(rtmp, Some(host)).err();
    let refused = refused.unwrap_or_else(|| panic!("{host} is let in"));
    assert!(
        refused.contains("DistributionNotFound"),
        "{host}: {refused}"
    );
}

#[test]
fn two_distributions_from_two_s3_servers_play_at_once_under_their_own_names() {
    let (server, control) = start("");
    let names = [0, 1].map(|number| {
        let made = control.serve(&config(&control, number, BUCKETS[number]));
        made.domain_name
    });
    assert_ne!(names[0], names[1]);
    std::thread::scope(|scope| {
        for (number, name) in names.iter().enumerate() {
            let url = server.url(NAME);
            scope.spawn(move || {
                let tc_url = tc_url(name);
                let played = packets::ffprobe(&url, &["-rtmp_tcurl", &tc_url]);
                assert_film(name, number, Ok(played));
            });
        }
    });
    // However the name is written.
    let loud = format!("{}.:1935", names[1].to_ascii_uppercase());
    assert_shows(server.rtmp, &loud, 1);
    assert_not_found(server.rtmp, "s0000000000000.streamfront.localhost");
}

#[test]
fn a_name_moves_from_one_distribution_to_the_other() {
    const NAME: &str = "films.example.com";
    let (server, control) = start("");
    let configs = [0, 1].map(|number| config(&control, number, BUCKETS[number]));
    let with = |number: usize| configs[number].clone().aliases(&[NAME]);
    let mut first = control.serve(&with(0));
    let second = control.serve(&configs[1]);
    assert_shows(server.rtmp, NAME, 0);
    let mut here = enter(server.rtmp, Some(NAME)).expect("let in");

    let path = format!("{ALL}/{}/config", second.id);
    let taken = control.call("PUT", &path, Some(&second.etag), &with(1).xml());
    assert_eq!(taken.status, 409, "{}", taken.text());
    assert!(taken.text().contains("CNAMEAlreadyExists"));

    first = control.change(&first, &configs[0]);
    assert_not_found(server.rtmp, NAME);
    let second = control.change(&second, &with(1));
    assert_shows(server.rtmp, NAME, 1);
    assert_shows(server.rtmp, &first.domain_name, 0);
    // Who came by it before it moved stays where they are.
    assert_film("a connection from before", 0, play(&mut here));
    control.change(&second, &configs[1]);
    control.change(&first, &with(0));
    assert_shows(server.rtmp, NAME, 0);
}

/// A disabled distribution keeps its names: nobody answers in its place.
#[test]
fn a_wildcard_answers_where_no_other_name_does() {
    let (server, control) = start("");
    let wild = config(&control, 0, "wild").aliases(&["*.example.com"]);
    let exact = config(&control, 1, "exact").aliases(&["a.example.com", "*.b.example.com"]);
    control.serve(&wild);
    let mut made = control.serve(&exact);
    for (host, number) in [
        ("a.example.com", 1),
        ("c.example.com", 0),
        ("x.a.example.com", 0),
        ("x.b.example.com", 1),
        ("y.x.b.example.com", 1),
        ("b.example.com", 0),
    ] {
        assert_shows(server.rtmp, host, number);
    }
    assert_not_found(server.rtmp, "example.com");
    made = control.change(&made, &exact.clone().enabled(false));
    for host in ["a.example.com", "x.b.example.com", &made.domain_name] {
        assert_not_found(server.rtmp, host);
    }
    assert_shows(server.rtmp, "c.example.com", 0);
    made = control.change(&made, &exact.clone().enabled(true));
    assert_shows(server.rtmp, "a.example.com", 1);
    made = control.change(&made, &exact.enabled(false));
    control.delete(&made);
    // Its names are free, and the wildcard's again as soon as that is served.
    let end = Instant::now() + Duration::from_secs(30);
    while enter(server.rtmp, Some("a.example.com")).is_err() {
        assert!(Instant::now() < end, "the wildcard does not answer");
    }
    assert_shows(server.rtmp, "a.example.com", 0);
    assert_not_found(server.rtmp, &made.domain_name);
}

/// SeaweedFS, like S3, says 403 to those who may not read; viewers learn no more than that there is
/// no such stream.
#[test]
fn without_an_identity_it_is_read_anonymously_and_a_change_holds_for_the_next_play() {
    let (server, control) = start("");
    let as_itself = config(&control, 0, "a").aliases(&["a.example.com"]);
    let anonymous = Config {
        identity: None,
        ..as_itself.clone()
    };
    let made = control.serve(&anonymous);
    let mut client = enter(server.rtmp, Some("a.example.com")).expect("let in");
    assert_eq!(
        play(&mut client).err().as_deref(),
        Some("NetStream.Play.StreamNotFound")
    );
    // On the same connection.
    let made = control.change(&made, &as_itself);
    assert_film("as an identity", 0, play(&mut client));
    control.change(&made, &anonymous);
    assert_eq!(
        play(&mut client).err().as_deref(),
        Some("NetStream.Play.StreamNotFound")
    );
}

/// What a server was before it was killed.
struct Again {
    place: Place,
    process: Option<Leashed>,
    control: Control,
}

impl Again {
    fn start(text: &str) -> Self {
        let mut place = Place::new();
        place.environment = Setup::default().with_key().environment;
        let control = Control::operator(place.api);
        let mut again = Self {
            place,
            process: None,
            control,
        };
        again.restart(text);
        again
    }

    /// Kills it, and starts it with another file.
    fn restart(&mut self, text: &str) {
        self.process.take().into_iter().for_each(kill);
        self.place.configure(text);
        self.process = Some(self.place.start());
    }
}

#[test]
fn they_are_served_again_after_a_restart_and_one_may_be_the_default() {
    let mut again = Again::start(&both(""));
    let rtmp = again.place.rtmp;
    let made = [0, 1].map(|number| {
        let config = config(&again.control, number, BUCKETS[number]);
        again.control.serve(&config)
    });
    for host in [None, Some("127.0.0.1"), Some("localhost")] {
        let refused = enter(rtmp, host).expect_err("refused");
        assert!(refused.contains("DistributionNotFound"), "{host:?}");
    }
    let head = format!("default_distribution = '{}'\n", made[1].id);
    again.restart(&(head + &both("")));
    for (number, made) in made.iter().enumerate() {
        assert_shows(rtmp, &made.domain_name, number);
        let now = again.control.get(&made.id);
        assert_eq!((&now.etag, &*now.status), (&made.etag, "Deployed"));
    }
    for host in [
        None,
        Some("127.0.0.1:1935"),
        Some("localhost"),
        Some("[::1]"),
    ] {
        let played = enter(rtmp, host).and_then(|mut client| play(&mut client));
        assert_film("the default", 1, played);
    }
    assert_not_found(rtmp, "else.example.com");
}

/// The key of an identity is used for it and for no other. A server that is taken out of the file
/// takes down only what is on it.
#[test]
fn an_identity_may_have_a_key_of_its_own() {
    let mut again = Again::start(&both(""));
    let rtmp = again.place.rtmp;
    let control = again.control.clone();
    let configs = ["a", "b"].map(|reference| config(&control, 0, reference));
    let made = configs.each_ref().map(|config| control.serve(config));
    let other = control.serve(&config(&control, 1, "c"));
    let own = configs[0].identity.clone().expect("an identity");
    let wrong = format!(
        "[[s3.identity]]\nid = '{own}'\naccess_key_id = 'AKIDNOBODY'\nsecret_access_key = 'x'\n"
    );
    again.restart(&both(&wrong));
    let mut client = enter(rtmp, Some(&made[0].domain_name)).expect("let in");
    let refused = play(&mut client).expect_err("a wrong key");
    assert_eq!(refused, "NetStream.Play.StreamNotFound");
    assert_shows(rtmp, &made[1].domain_name, 0);
    again.restart(&both(
        &wrong
            .replace("AKIDNOBODY", ACCESS_KEY)
            .replace("'x'", &format!("'{SECRET_KEY}'")),
    ));
    assert_shows(rtmp, &made[0].domain_name, 0);

    let two = both("");
    let only_second = two.find("[[s3]]\nsuffix = 'two").expect("the second");
    again.restart(&two[only_second..]);
    assert_shows(rtmp, &other.domain_name, 1);
    assert_not_found(rtmp, &made[0].domain_name);
    assert_eq!(control.get(&made[0].id).status, "InProgress");
    let off = control.change(&made[1], &configs[1].clone().enabled(false));
    control.delete(&off);
    again.restart(&two);
    assert_shows(rtmp, &made[0].domain_name, 0);
}

/// A viewer in the middle of a play that goes on at its own pace.
fn watch(rtmp: SocketAddr, host: &str) -> (Client, Vec<Message>) {
    let mut client = enter(rtmp, Some(host)).expect("let in");
    client.set_buffer(1, 1_000);
    client.play_all(1, NAME);
    let seen = client.until("media", Message::is_media);
    (client, seen)
}

/// What the viewer is told at the end, and that it is closed behind it.
fn assert_sent_away(client: &mut Client) {
    let last = client.until_closed();
    let codes: Vec<String> = last
        .iter()
        .filter_map(Message::status)
        .map(|status| status.code)
        .collect();
    assert_eq!(
        codes,
        ["NetStream.Play.Failed", "NetConnection.Connect.Closed"]
    );
}

#[test]
fn a_running_play_ends_after_the_grace_when_it_is_disabled() {
    let (server, control) = start("disable_grace = '1s'");
    let on = config(&control, 0, "a");
    let made = control.serve(&on);
    let (mut viewer, _) = watch(server.rtmp, &made.domain_name);
    let made = control.change(&made, &on.clone().enabled(false));
    assert_not_found(server.rtmp, &made.domain_name);
    assert_sent_away(&mut viewer);
    // Who comes when it is enabled again stays.
    let made = control.change(&made, &on);
    assert_shows(server.rtmp, &made.domain_name, 0);
}

#[test]
fn the_viewers_of_a_deleted_distribution_end_too() {
    let (server, control) = start("disable_grace = '1s'");
    let on = config(&control, 0, "a");
    let made = control.serve(&on);
    let (mut viewer, _) = watch(server.rtmp, &made.domain_name);
    let made = control.change(&made, &on.enabled(false));
    control.delete(&made);
    assert_sent_away(&mut viewer);
    assert_not_found(server.rtmp, &made.domain_name);
    let gone = control.call("GET", &format!("{ALL}/{}", made.id), None, "");
    assert_eq!(gone.status, 404);
}

#[test]
fn a_play_goes_on_when_it_is_enabled_again_within_the_grace() {
    const GRACE: Duration = Duration::from_secs(6);
    let (server, control) = start(&format!("disable_grace = '{}s'", GRACE.as_secs()));
    let on = config(&control, 0, "a");
    let made = control.serve(&on);
    let (mut viewer, mut seen) = watch(server.rtmp, &made.domain_name);
    let made = control.change(&made, &on.clone().enabled(false));
    control.change(&made, &on);
    // Nothing shall happen when it would have been over.
    std::thread::sleep(GRACE);
    viewer.set_buffer(1, UNPACED);
    seen.extend(viewer.until_status("NetStream.Play.Stop"));
    assert_film("through the grace", 0, Ok(packets::messages(&seen)));
    assert_shows(server.rtmp, &made.domain_name, 0);
}

/// Beside those of the file, which nobody can change and whose names nobody gets.
#[test]
fn those_of_the_file_stand_beside_those_of_the_api() {
    let folder = media::folder().display();
    let entries = format!(
        "[[distribution]]\nid = 'Files'\nbucket = '{folder}'\nhosts = ['files.example.com']\n\
         kind = 'download'\n[[distribution]]\nid = 'Films'\nbucket = '{folder}'\n\
         hosts = ['films.example.com']\n"
    );
    let (server, control) = start(&entries);
    let made = control.serve(&config(&control, 1, "a").aliases(&["*.example.com"]));
    assert_shows(server.rtmp, "else.example.com", 1);
    let refused = enter(server.rtmp, Some("files.example.com")).err();
    let refused = refused.expect("no streaming distribution");
    assert!(refused.contains("DistributionTypeMismatch"), "{refused}");
    let mut client = enter(server.rtmp, Some("films.example.com")).expect("let in");
    client.play_all(1, "mp4:plain.mp4");
    client.until_status("NetStream.Play.Stop");
    for name in [
        "files.example.com",
        "films.example.com",
        "films.streamfront.localhost",
    ] {
        let config = Config::new(name, BUCKETS[0]).aliases(&[name]);
        let taken = control.call("POST", ALL, None, &config.xml());
        assert_eq!(taken.status, 409, "{name}: {}", taken.text());
    }
    let list = control.call("GET", ALL, None, "").text();
    assert!(
        list.contains("<Id>Films</Id>") && !list.contains("<Id>Files</Id>"),
        "{list}"
    );
    let denied = control.call("DELETE", &format!("{ALL}/Films"), Some("E"), "");
    assert_eq!(denied.status, 403, "{}", denied.text());
    let identity = control.call("DELETE", &format!("{IDENTITIES}/{}", made.id), None, "");
    assert_eq!(identity.status, 404, "{}", identity.text());
}
