//! What the API acknowledged outlives kill -9 at any moment (issue 4, "How it is shown").
//!
//! One data directory over all rounds. In each, tenants create, change and delete side by side
//! until the process is killed; then it is started again and each tenant looks at what it has. The
//! one request of each whose answer never came may have been done or not, but not by half.

use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::support::distributions::{ALL, Config, Control, Made, member, members};
use crate::support::http::Answer;
use crate::support::place::{Place, kill};
use crate::support::random::Random;
use crate::support::signing::Signer;

const ROUNDS: usize = 200;
/// The latest moment of a kill, counted from the first request, microseconds.
const LATEST_KILL: usize = 60_000;
/// In one of so many rounds it is killed once more while it starts.
const KILLED_AT_START: usize = 8;
/// Long enough for a start to be over at times, microseconds.
const LATEST_KILL_AT_START: usize = 150_000;
const TENANTS: usize = 4;
/// Distributions of a tenant: some come and go, and all can be looked at in every round.
const MOST: usize = 12;
/// Names that all tenants want, so that they are refused some.
const NAMES: usize = 16;
const SECRET: &str = "a secret of the tenants";

/// A version in which a request that is sent again is answered again.
const REPEATABLE: &str = "/2019-03-26/streaming-distribution";

/// A request whose answer has not come.
#[derive(Debug, Clone)]
enum Doubt {
    Create(Config),
    Update(String, Config),
    Delete(String),
}

/// A distribution as it was acknowledged.
#[derive(Debug, Clone)]
struct Known {
    config: Config,
    etag: String,
}

#[derive(Debug)]
struct Tenant {
    number: usize,
    control: Control,
    random: Random,
    known: BTreeMap<String, Known>,
    doubt: Option<Doubt>,
    /// Writes so far, so that no two leave the same comment.
    writes: usize,
    acknowledged: usize,
}

impl Tenant {
    fn new(number: usize, api: SocketAddr, seed: u64) -> Self {
        Self {
            number,
            control: Control {
                api,
                signer: Signer::of(&format!("TENANT{number}"), SECRET),
            },
            random: Random::new(seed ^ (number as u64 + 1)),
            known: BTreeMap::new(),
            doubt: None,
            writes: 0,
            acknowledged: 0,
        }
    }

    /// Works until an answer does not come.
    fn work(&mut self) {
        while self.step().is_some() {}
    }

    fn step(&mut self) -> Option<()> {
        let doubt = self.next();
        self.doubt = Some(doubt.clone());
        let answer = self.send(&doubt)?;
        self.doubt = None;
        self.settle(doubt, &answer);
        Some(())
    }

    fn next(&mut self) -> Doubt {
        let at = self.random.below(self.known.len());
        let Some((id, known)) = self.known.iter().nth(at) else {
            return Doubt::Create(self.config(None));
        };
        let (id, known) = (id.clone(), known.clone());
        let may_create = self.known.len() < MOST;
        match self.random.below(8) {
            0..3 if may_create => Doubt::Create(self.config(None)),
            3 if !known.config.enabled => Doubt::Delete(id),
            _ => Doubt::Update(id, self.config(Some(&known.config))),
        }
    }

    /// What is written next, in the place of `old` or anew.
    fn config(&mut self, old: Option<&Config>) -> Config {
        self.writes += 1;
        let write = format!("{} of tenant {}", self.writes, self.number);
        let reference = old.map_or(&write, |old| &old.reference);
        let name = format!("n{}.example.com", self.random.below(NAMES));
        let names: &[&str] = if self.random.below(2) == 0 {
            &[&name]
        } else {
            &[]
        };
        let enabled = self.random.below(3) > 0;
        Config {
            comment: write.clone(),
            ..Config::new(reference, "media.s3.amazonaws.com")
                .aliases(names)
                .enabled(enabled)
        }
    }

    fn send(&self, doubt: &Doubt) -> Option<Answer> {
        let etag = |id: &str| Some(&*self.known[id].etag);
        let request = match doubt {
            Doubt::Create(config) => self.control.request("POST", ALL, None, &config.xml()),
            Doubt::Update(id, config) => {
                let path = format!("{ALL}/{id}/config");
                self.control.request("PUT", &path, etag(id), &config.xml())
            }
            Doubt::Delete(id) => {
                let path = format!("{ALL}/{id}");
                self.control.request("DELETE", &path, etag(id), "")
            }
        };
        request.try_send(self.control.api)
    }

    /// Notes what was acknowledged.
    fn settle(&mut self, doubt: Doubt, answer: &Answer) {
        let said = answer.text();
        match (answer.status, doubt) {
            (201, Doubt::Create(config)) | (200, Doubt::Update(_, config)) => {
                let Made { id, etag, .. } = Made::read(answer);
                self.known.insert(id, Known { config, etag });
                self.acknowledged += 1;
            }
            (204, Doubt::Delete(id)) => {
                self.known.remove(&id);
                self.acknowledged += 1;
            }
            (409, Doubt::Delete(_)) if said.contains("NotDisabled") => {}
            (409, _) if said.contains("CNAMEAlreadyExists") => {}
            (_, doubt) => panic!("{doubt:?} is answered by {said}"),
        }
    }

    /// Looks at all that there is after a start.
    fn check(&mut self, names: &mut HashSet<String>) {
        let list = self.control.call("GET", ALL, None, "");
        assert_eq!(list.status, 200, "{}", list.text());
        let list = list.text();
        let summaries = members(&list, "StreamingDistributionSummary");
        let shown: BTreeMap<String, &str> = summaries
            .map(|summary| (member(summary, "Id"), summary))
            .collect();
        let doubt = self.doubt.take();
        if let Some(doubt) = &doubt {
            self.resolve(doubt, &shown);
        }
        let ids: Vec<&String> = self.known.keys().collect();
        assert_eq!(shown.keys().collect::<Vec<_>>(), ids, "{list}");
        for (id, known) in &self.known {
            assert!(shows(shown[id], &known.config), "{known:?}, {}", shown[id]);
            let own = member(shown[id], "DomainName");
            for name in known.config.aliases.iter().chain([&own]) {
                assert!(names.insert(name.clone()), "{name} leads to two");
            }
        }
        let at = self.random.below(self.known.len());
        let id = self.known.keys().nth(at).cloned();
        id.into_iter().for_each(|id| self.look(&id));
        match doubt {
            Some(Doubt::Create(config)) if self.random.below(2) == 0 => self.try_again(config),
            _ => {}
        }
    }

    /// Finds out whether a request was done.
    fn resolve(&mut self, doubt: &Doubt, shown: &BTreeMap<String, &str>) {
        match doubt {
            Doubt::Create(config) => {
                let new = shown.keys().find(|id| !self.known.contains_key(*id));
                new.into_iter().for_each(|id| self.adopt(id, config));
            }
            Doubt::Update(id, config) => {
                let summary = shown.get(id);
                if summary.is_some_and(|summary| shows(summary, config)) {
                    let old = self.known[id].etag.clone();
                    self.adopt(id, config);
                    assert_ne!(self.known[id].etag, old, "{id}");
                }
            }
            Doubt::Delete(id) if shown.contains_key(id) => {}
            Doubt::Delete(id) => drop(self.known.remove(id)),
        }
    }

    /// It was done after all.
    fn adopt(&mut self, id: &str, config: &Config) {
        let Made { etag, .. } = self.control.get(id);
        let config = config.clone();
        self.known.insert(id.to_owned(), Known { config, etag });
        self.look(id);
    }

    /// Who heard nothing sends it again, and has one in the end: the same, where it was made.
    fn try_again(&mut self, config: Config) {
        let mut known = self.known.iter();
        let made = known.find(|(_, known)| known.config == config);
        let made = made.map(|(id, _)| id.clone());
        let again = self.control.call("POST", REPEATABLE, None, &config.xml());
        match (again.status, made) {
            (201, Some(id)) => assert_eq!(Made::read(&again).id, id),
            // Its name may have gone to another.
            (201 | 409, None) => self.settle(Doubt::Create(config), &again),
            _ => panic!("{config:?}: {}", again.text()),
        }
    }

    /// Looks at one as a whole.
    fn look(&self, id: &str) {
        let known = &self.known[id];
        let path = format!("{ALL}/{id}/config");
        let answer = self.control.call("GET", &path, None, "");
        let said = answer.text();
        assert_eq!(answer.status, 200, "{said}");
        assert_eq!(answer.header("etag"), Some(&*known.etag), "{said}");
        assert_eq!(member(&said, "CallerReference"), known.config.reference);
        assert!(shows(&said, &known.config), "{known:?}: {said}");
    }
}

/// Whether a summary or a configuration is that of `config`.
fn shows(text: &str, config: &Config) -> bool {
    let names: Vec<&str> = members(text, "CNAME").collect();
    member(text, "Comment") == config.comment
        && names == config.aliases
        // The one of the signers stands before it.
        && members(text, "Enabled").last() == Some(&*config.enabled.to_string())
}

/// The tenants' keys.
fn keys() -> String {
    let key = |number| {
        format!(
            "[[api.key]]\nid = 'TENANT{number}'\nsecret = '{SECRET}'\naccount = '{:012}'\n",
            number + 1
        )
    };
    (0..TENANTS).map(key).collect()
}

fn pause(microseconds: usize) {
    std::thread::sleep(Duration::from_micros(microseconds as u64));
}

/// Says what would make the same requests again.
struct Told(u64);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the seed was {} (CRASH_SEED)", self.0);
        }
    }
}

fn seed() -> u64 {
    let given = std::env::var("CRASH_SEED").ok();
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = since.map_or(1, |since| u64::from(since.subsec_nanos()) << 8 | 1);
    given.and_then(|seed| seed.parse().ok()).unwrap_or(now)
}

#[test]
fn what_was_acknowledged_is_there_after_200_kills() {
    let told = Told(seed());
    let mut random = Random::new(told.0);
    let place = Place::new();
    place.configure(&keys());
    let mut tenants: Vec<Tenant> = (0..TENANTS)
        .map(|number| Tenant::new(number, place.api, told.0))
        .collect();
    let (mut unanswered, mut done) = (0, 0);
    for _ in 0..ROUNDS {
        if random.below(KILLED_AT_START) == 0 {
            let process = place.begin();
            pause(random.below(LATEST_KILL_AT_START));
            kill(process);
        }
        let process = place.start();
        let mut names = HashSet::new();
        tenants
            .iter_mut()
            .for_each(|tenant| tenant.check(&mut names));
        std::thread::scope(|scope| {
            for tenant in &mut tenants {
                scope.spawn(move || tenant.work());
            }
            pause(random.below(LATEST_KILL));
            kill(process);
        });
        unanswered += tenants.iter().filter(|it| it.doubt.is_some()).count();
        done = tenants.iter().map(|tenant| tenant.acknowledged).sum();
    }
    let _last = place.start();
    for tenant in &mut tenants {
        tenant.check(&mut HashSet::new());
        tenant.known.keys().for_each(|id| tenant.look(id));
    }
    // Else it would have shown nothing.
    assert!(done > ROUNDS && unanswered > ROUNDS, "{done}, {unanswered}");
    eprintln!("{done} changes were acknowledged, {unanswered} were not");
}
