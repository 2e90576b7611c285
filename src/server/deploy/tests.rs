//! What is served for what the registry has, without a port.

mod leaving;

use std::sync::Mutex;

use tokio_util::task::TaskTracker;

use super::super::{objects, routes, rules, segment_cache};
use super::*;
use crate::access::Refusal;
use crate::config::Overrides;
use crate::delivery::meter::Meter;
use crate::delivery::session::Nobody;
use crate::distribution::record::{Head, PublicKeyConfig, PublicKeyRecord, Tags};
use crate::distribution::streaming::PriceClass;
use crate::distribution::{AccountId, Signer, StreamingConfig};
use crate::net::seats::Seats;
use crate::net::sessions::Sessions;
use crate::net::stages::Stages;
use crate::origin::OriginMeter;

/// A server with one distribution of its own, `default` for any host, and what it said of others.
struct House {
    deploy: Deploy,
    shared: Arc<Shared>,
    told: Mutex<Vec<(String, String)>>,
}

impl House {
    async fn new(change: impl FnOnce(&mut Settings)) -> Self {
        let overrides = Overrides {
            bucket: Some(".".into()),
            ..Overrides::default()
        };
        let mut settings = Settings::load(None, overrides).unwrap();
        change(&mut settings);
        let tasks = TaskTracker::new();
        let segments = segment_cache(&settings, 1000, &tasks, None);
        let objects = objects(&settings, segments, &tasks, None);
        let shared = Arc::new(Shared {
            rules: rules(&settings),
            routes: routes(&settings, objects),
            stages: Stages::default(),
            started: std::time::Instant::now(),
            seats: Seats::new(10, 0),
            arrivals: None,
            handshakes: None,
            computing: Arc::new(tokio::sync::Semaphore::new(1)),
            meter: Arc::new(Meter::default()),
            sessions: Sessions::default(),
            observer: Arc::new(Nobody),
        });
        let meter = Arc::new(OriginMeter::default());
        let origins = Origins::new(settings.origin.tuning(), meter);
        let deploy = Deploy::start(Arc::new(settings), origins, Arc::clone(&shared));
        Self {
            deploy: deploy.await.unwrap(),
            shared,
            told: Mutex::default(),
        }
    }

    async fn take(&mut self, records: &[StreamingRecord]) {
        let told = |id: &str, etag: &str| {
            self.told.lock().unwrap().push((id.into(), etag.into()));
        };
        let now = Instant::now();
        self.deploy.take(&state(records), now, &told).await;
    }

    /// What was said since the last time.
    fn told(&self) -> Vec<(String, String)> {
        std::mem::take(&mut self.told.lock().unwrap())
    }

    /// Who answers to a host, and whether they let viewers in.
    fn answers(&self, host: &str) -> Option<(String, bool)> {
        let route = self.shared.routes.lookup(host)?;
        let enabled = route.served.terms().enabled;
        Some((route.served.id().to_string(), enabled))
    }
}

fn state(records: &[StreamingRecord]) -> State {
    let by_id = |record: &StreamingRecord| (record.head.id.clone(), Arc::new(record.clone()));
    let mut state = State::default();
    state.streaming.extend(records.iter().map(by_id));
    state
}

/// A distribution with one alias, in its version `etag`.
fn record(id: &str, alias: &str, etag: &str) -> StreamingRecord {
    StreamingRecord {
        head: Head {
            id: id.into(),
            account: AccountId::operator(),
            etag: etag.into(),
            former: Vec::new(),
            created: 0,
            modified: 0,
        },
        domain_name: format!("{}.example.org", id.to_lowercase()),
        config: StreamingConfig {
            caller_reference: id.into(),
            origin_domain: "media.s3.amazonaws.com".into(),
            origin_access_identity: None,
            aliases: vec![HostPattern::parse(alias).unwrap()],
            comment: String::new(),
            logging: None,
            trusted_signers: Vec::new(),
            price_class: PriceClass::All,
            enabled: true,
        },
        tags: Tags::new(),
        written_by: "2020-05-31".into(),
        read_only: false,
    }
}

fn disabled(mut record: StreamingRecord) -> StreamingRecord {
    record.config.enabled = false;
    record
}

fn is(id: &str, enabled: bool) -> Option<(String, bool)> {
    Some((id.to_owned(), enabled))
}

fn pair(id: &str, etag: &str) -> (String, String) {
    (id.to_owned(), etag.to_owned())
}

#[tokio::test]
async fn only_what_changed_is_deployed_and_told() {
    let mut house = House::new(|_| ()).await;
    assert_eq!(house.answers("a.example.org"), is("default", true));
    let (a, b) = (record("A", "*.a.net", "1"), record("B", "b.net", "1"));
    house.take(&[a.clone(), b.clone()]).await;
    assert_eq!(house.told(), [pair("A", "1"), pair("B", "1")]);
    assert_eq!(house.answers("A.example.org:1935"), is("A", true));
    assert_eq!(house.answers("x.y.a.net"), is("A", true));
    assert_eq!(house.answers("else.where"), is("default", true));

    house.take(&[a.clone(), b]).await;
    assert_eq!(house.told(), []);
    // A name moves, in one step.
    let a = record("A", "b.net", "2");
    house.take(&[a.clone(), record("B", "*.a.net", "2")]).await;
    assert_eq!(house.told(), [pair("A", "2"), pair("B", "2")]);
    assert_eq!(house.answers("b.net"), is("A", true));
    assert_eq!(house.answers("x.a.net"), is("B", true));

    house.take(&[a]).await;
    assert_eq!(house.answers("x.a.net"), is("default", true));
    assert_eq!(house.shared.routes.table().ids.len(), 2);
}

#[tokio::test]
async fn an_update_reaches_those_who_are_there() {
    let mut house = House::new(|_| ()).await;
    house.take(&[record("A", "a.net", "1")]).await;
    let route = house.shared.routes.lookup("a.net").unwrap();
    let before = Arc::clone(&route.served.terms().origin);
    house.take(&[disabled(record("A", "a.net", "2"))]).await;
    // Nobody else answers for its names.
    assert_eq!(house.answers("a.net"), is("A", false));
    assert!(!route.served.terms().enabled);
    let same = |other: &Arc<dyn Origin>| Arc::ptr_eq(&before, other);
    assert!(same(&route.served.terms().origin), "the bucket is the same");
    let mut moved = record("A", "a.net", "3");
    moved.config.origin_access_identity = Some("E1".into());
    house.take(&[moved]).await;
    assert!(!same(&route.served.terms().origin), "the reader is another");
    assert!(route.served.terms().enabled);
}

#[tokio::test]
async fn one_that_cannot_be_served_holds_up_no_other() {
    let mut house = House::new(|_| ()).await;
    let mut bad = record("A", "a.net", "1");
    bad.config.origin_domain = "gone.s3.example.com".into();
    let good = record("B", "b.net", "1");
    house.take(&[bad.clone(), good.clone()]).await;
    assert_eq!(house.told(), [pair("B", "1")]);
    assert_eq!(house.answers("a.net"), is("default", true));
    let bad_state = state(&[bad, good.clone()]);
    assert!(house.deploy.difference(&bad_state).new.is_empty());
    house.take(&[record("A", "a.net", "2"), good]).await;
    assert_eq!(house.told(), [pair("A", "2")]);
    assert!(house.deploy.stuck.is_empty());
}

#[tokio::test]
async fn names_and_ids_of_the_file_are_nobody_elses() {
    let mut house = House::new(|settings| {
        let host = HostPattern::parse("mine.net").unwrap();
        settings.distributions[0].aliases.push(host);
    })
    .await;
    let mut shown = record("default", "other.net", "1");
    shown.read_only = true;
    house.take(&[record("A", "mine.net", "1"), shown]).await;
    assert_eq!(house.told(), [pair("A", "1")]);
    assert_eq!(house.answers("mine.net"), is("default", true));
    assert_eq!(house.answers("a.example.org"), is("A", true));
}

#[tokio::test]
async fn the_default_distribution_answers_bare_addresses_once_it_is_there() {
    let mut house = House::new(|settings| {
        settings.distributions.clear();
        settings.default_distribution = Some("A".into());
    })
    .await;
    assert_eq!(house.answers("127.0.0.1"), None);
    house.take(&[record("A", "a.net", "1")]).await;
    for host in ["127.0.0.1:1935", "[::1]", "localhost", ""] {
        assert_eq!(house.answers(host), is("A", true), "{host:?}");
    }
    assert_eq!(house.answers("else.where"), None);
    house.take(&[]).await;
    assert_eq!(house.answers("127.0.0.1"), None);
}

#[tokio::test]
async fn connections_end_after_the_grace_unless_it_is_enabled_again() {
    let mut house = House::new(|settings| settings.disable_grace = Duration::from_secs(30)).await;
    let (a, b, c) = (
        record("A", "a.net", "1"),
        record("B", "b.net", "1"),
        record("C", "c.net", "1"),
    );
    house.take(&[a, b, c]).await;
    let shared = Arc::clone(&house.shared);
    let routes = ["a.net", "b.net", "c.net"].map(|host| shared.routes.lookup(host).unwrap());
    let rounds = || routes.each_ref().map(|route| route.served.round());
    let before = shared.stages.moment();
    // One is disabled, one deleted, one disabled and enabled again.
    let a = disabled(record("A", "a.net", "2"));
    let c = disabled(record("C", "c.net", "2"));
    house.take(&[a.clone(), c]).await;
    let enabled = routes.each_ref().map(|route| route.served.terms().enabled);
    assert_eq!(enabled, [false; 3]);
    house.take(&[a, record("C", "c.net", "3")]).await;
    let end = house.deploy.grace.next().unwrap();
    house.deploy.send_away(end - Duration::from_secs(1));
    assert_eq!(rounds(), [0, 0, 0]);
    house.deploy.send_away(end + Duration::from_secs(30));
    assert_eq!(rounds(), [1, 1, 0]);
    assert_ne!(shared.stages.moment(), before, "everybody was woken");
}

#[tokio::test]
async fn it_follows_until_the_registry_is_gone() {
    let house = House::new(|settings| settings.disable_grace = Duration::ZERO).await;
    let shared = Arc::clone(&house.shared);
    let (sender, states) = watch::channel(Arc::new(state(&[record("A", "a.net", "1")])));
    let (told, mut hears) = tokio::sync::mpsc::unbounded_channel();
    let tell = move |id: &str, etag: &str| drop(told.send(pair(id, etag)));
    let following = tokio::spawn(house.deploy.follow(states, tell));
    assert_eq!(hears.recv().await, Some(pair("A", "1")));
    let route = shared.routes.lookup("a.net").unwrap();
    let moment = shared.stages.moment();
    let called = shared.stages.changed();
    let update = disabled(record("A", "a.net", "2"));
    sender.send(Arc::new(state(&[update]))).unwrap();
    assert_eq!(hears.recv().await, Some(pair("A", "2")));
    called.await;
    assert_ne!(shared.stages.moment(), moment);
    assert_eq!(route.served.round(), 1);
    drop(sender);
    following.await.unwrap();
}

fn public_key(id: &str, account: &AccountId, created: i64) -> Arc<PublicKeyRecord> {
    Arc::new(PublicKeyRecord {
        head: Head {
            id: id.into(),
            account: account.clone(),
            etag: "E1".into(),
            former: Vec::new(),
            created,
            modified: created,
        },
        config: PublicKeyConfig {
            caller_reference: id.into(),
            name: id.into(),
            encoded_key: crate::access::key::tests::RSA_KEY.into(),
            comment: String::new(),
        },
    })
}

/// No version of a distribution changes when a key does.
#[tokio::test]
async fn keys_that_come_and_go_reach_the_distributions_that_trust_them() {
    let mut house = House::new(|settings| {
        settings.distributions[0].trusted_signers = vec![Signer::Owner];
    })
    .await;
    let (operator, other) = (
        AccountId::operator(),
        AccountId::parse(&"1".repeat(12)).unwrap(),
    );
    let mut signed = record("A", "a.net", "1");
    signed.config.trusted_signers = vec![Signer::Account(other.clone())];
    let mut now = state(&[signed, record("B", "b.net", "1")]);
    let routes = Arc::clone(&house.shared);
    let trusted = |host: &str| {
        let route = routes.routes.lookup(host).unwrap();
        let signers = route.served.terms().signers.clone()?;
        let mut ids: Vec<String> = signers.trusted.keys().cloned().collect();
        ids.sort();
        Some(ids.join(" "))
    };
    let told = |_: &str, _: &str| ();
    let mut seen = Vec::new();
    let keys = [
        ("K1", &other, 1),
        ("K2", &other, 2),
        ("K3", &other, 3),
        ("K4", &operator, 4),
    ];
    for (id, account, created) in keys {
        house.deploy.take(&now, Instant::now(), &told).await;
        seen.push(trusted("a.net").unwrap());
        now.public_keys
            .insert(id.into(), public_key(id, account, created));
    }
    assert_eq!(seen, ["", "K1", "K1 K2", "K1 K2"]);
    now.public_keys.remove("K1");
    house.deploy.take(&now, Instant::now(), &told).await;
    assert_eq!(trusted("a.net").as_deref(), Some("K2 K3"));
    assert_eq!(trusted("b.net"), None, "it wants no signatures");
    assert_eq!(
        trusted("else.where").as_deref(),
        Some("K4"),
        "that of the file"
    );
    let refused = routes.routes.lookup("a.net").unwrap();
    let refused = refused.served.terms().signers.clone().unwrap();
    let refused = refused.find("K4");
    assert!(matches!(refused, Err(Refusal::UntrustedKey { .. })));
}

#[tokio::test]
async fn to_let_nobody_in_takes_no_origin() {
    let mut house = House::new(|_| {}).await;
    let lost = |etag: &str| {
        let mut lost = record("A", "a.net", etag);
        lost.config.origin_domain = "media.gone.example".into();
        lost
    };
    house.take(&[lost("1")]).await;
    assert_eq!(house.told(), []);
    house.take(&[disabled(lost("2"))]).await;
    assert_eq!(house.told(), [pair("A", "2")]);
    // Nor do those go on who were let in while there was one.
    house.take(&[record("A", "a.net", "3")]).await;
    assert_eq!(house.answers("a.net"), is("A", true));
    house.take(&[disabled(lost("4"))]).await;
    assert_eq!(house.answers("a.net"), is("A", false));
    assert!(house.deploy.grace.next().is_some());
}
