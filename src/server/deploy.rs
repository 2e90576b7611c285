//! Brings what is configured before viewers, at the start and while it changes.
//!
//! [`Deploy`] compares what the registry has with what is served, by version, and makes the
//! difference: terms of a distribution are exchanged in place, and where a name came, went or moved
//! the table of names is made anew, beside the one in use. A storm of changes becomes one table at
//! most every [`REST`]. When this edge really serves a version, and not before, it says so.
//!
//! What is disabled or deleted lets nobody in at once; its connections end after the grace.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::sleep_until;
use tracing::{error, info, warn};

use super::grace::Grace;
use super::keyring::Keyring;
use super::wanted::{Wanted, may_encrypt};
use crate::catalog::host::HostTable;
use crate::config::Settings;
use crate::delivery::served::Served;
use crate::distribution::host::HostPattern;
use crate::distribution::record::StreamingRecord;
use crate::distribution::{AccountId, OriginSpec};
use crate::net::routes::{Route, Table};
use crate::net::shared::Shared;
use crate::origin::{ConnectError, Origin, Origins};
use crate::registry::State;

/// Between two rounds: a table of 100,000 names takes a part of this, and a change has a second.
const REST: Duration = Duration::from_millis(100);

/// Why one distribution is not served as configured. The operator is to blame.
#[derive(Debug, thiserror::Error)]
enum DeployError {
    #[error("its origin {0:?} names no bucket of a configured S3 server")]
    Origin(String),
    #[error(transparent)]
    Connect(#[from] ConnectError),
}

/// What is served, and how it came to that.
#[derive(Debug)]
pub(super) struct Deploy {
    settings: Arc<Settings>,
    origins: Origins,
    shared: Arc<Shared>,
    /// Those of the configuration file, which do not change.
    fixed: BTreeMap<Arc<str>, Deployed>,
    /// Their names, which nobody else gets.
    fixed_names: HashSet<HostPattern>,
    /// Those of the registry.
    stored: BTreeMap<Arc<str>, Deployed>,
    /// Versions that cannot be served, so that it is said once.
    stuck: BTreeMap<String, String>,
    grace: Grace,
    /// The keys that names are signed with.
    keyring: Keyring,
}

/// A distribution that is served.
#[derive(Debug)]
struct Deployed {
    /// Its ETag; empty for those of the configuration file.
    version: String,
    /// What its tags say, which are no part of a version.
    encrypted: bool,
    route: Route,
    names: Arc<[HostPattern]>,
    origin: OriginSpec,
    /// The accounts whose keys may sign its names.
    signers: Vec<AccountId>,
}

/// What has to be done.
#[derive(Debug)]
struct Difference<'a> {
    gone: Vec<Arc<str>>,
    new: Vec<&'a Arc<StreamingRecord>>,
}

impl Deploy {
    /// Serves the distributions of the settings.
    ///
    /// # Errors
    /// The origin of one of them cannot be used.
    pub(super) async fn start(
        settings: Arc<Settings>,
        origins: Origins,
        shared: Arc<Shared>,
    ) -> Result<Self, ConnectError> {
        let mut deploy = Self {
            grace: Grace::new(settings.disable_grace),
            keyring: Keyring::new(&settings),
            origins,
            shared,
            fixed: BTreeMap::new(),
            fixed_names: HashSet::new(),
            stored: BTreeMap::new(),
            stuck: BTreeMap::new(),
            settings: Arc::clone(&settings),
        };
        for distribution in &settings.distributions {
            let wanted = Wanted::of_distribution(&settings, distribution);
            let origin = deploy.origins.connect(&wanted.origin).await?;
            let deployed = deploy.serve(&wanted, String::new(), origin);
            deploy.fixed_names.extend(wanted.names.iter().cloned());
            deploy.fixed.insert(wanted.id.as_str().into(), deployed);
        }
        deploy.rebuild().await;
        Ok(deploy)
    }

    /// Serves what `state` has, as it became known `now`. `told` is told of each distribution (id,
    /// version) that is served from now on.
    pub(super) async fn take(
        &mut self,
        state: &State,
        now: Instant,
        told: &(impl Fn(&str, &str) + Sync),
    ) {
        self.stuck.retain(|id, _| state.streaming.contains_key(id));
        let Difference { gone, new } = self.difference(state);
        // Before distributions that are new: they come with the keys that there are now.
        if self.keyring.renew(state) {
            self.exchange_keys();
        }
        let mut renamed = !gone.is_empty();
        gone.iter().for_each(|id| self.remove(id, now));
        let mut served = Vec::new();
        for record in new {
            let head = &record.head;
            match self.put(record, now) {
                Ok(names) => {
                    renamed |= names;
                    served.push(head);
                }
                Err(cause) => {
                    error!(distribution = head.id, %cause, "a distribution cannot be served");
                    self.stuck.insert(head.id.clone(), head.etag.clone());
                    // To let nobody in takes no origin, and it shall be possible to delete it.
                    if !record.config.enabled {
                        self.close(&head.id, now);
                        served.push(head);
                    }
                }
            }
        }
        if renamed {
            self.rebuild().await;
        }
        served.iter().for_each(|head| told(&head.id, &head.etag));
    }

    /// Follows the registry until it is gone.
    pub(super) async fn follow(
        mut self,
        mut states: watch::Receiver<Arc<State>>,
        told: impl Fn(&str, &str) + Sync,
    ) {
        loop {
            let state = Arc::clone(&states.borrow_and_update());
            self.take(&state, Instant::now(), &told).await;
            drop(state);
            let rested = Instant::now() + REST;
            loop {
                tokio::select! {
                    changed = states.changed() => match changed {
                        Ok(()) => break,
                        Err(_) => return,
                    },
                    () = until(self.grace.next()) => self.send_away(Instant::now()),
                }
            }
            sleep_until(rested.into()).await;
        }
    }

    /// Gives each distribution that wants signed names the keys that count now.
    fn exchange_keys(&self) {
        for deployed in self.stored.values().chain(self.fixed.values()) {
            let served = &deployed.route.served;
            let keys = self.keyring.keys(&deployed.signers);
            if served.terms().signers != keys {
                served.set_signers(keys);
            }
        }
    }

    fn difference<'a>(&self, state: &'a State) -> Difference<'a> {
        let gone = self.stored.keys();
        let gone = gone.filter(|id| !state.streaming.contains_key(&***id));
        let is_new = |record: &&Arc<StreamingRecord>| {
            let head = &record.head;
            let served = self.stored.get(head.id.as_str());
            !record.read_only
                && !self.fixed.contains_key(head.id.as_str())
                && served.is_none_or(|served| {
                    served.version != head.etag
                        || served.encrypted != may_encrypt(&self.settings, record)
                })
                && self.stuck.get(&head.id) != Some(&head.etag)
        };
        Difference {
            gone: gone.cloned().collect(),
            new: state.streaming.values().filter(is_new).collect(),
        }
    }

    /// Serves a record in its newest version. Whether names came or went.
    fn put(&mut self, record: &StreamingRecord, now: Instant) -> Result<bool, DeployError> {
        let wanted = Wanted::of_record(&self.settings, record)
            .ok_or_else(|| DeployError::Origin(record.config.origin_domain.clone()))?;
        self.stuck.remove(&wanted.id);
        let version = record.head.etag.clone();
        let Some(deployed) = self.stored.get_mut(wanted.id.as_str()) else {
            let origin = self.origins.open(&wanted.origin)?;
            let deployed = self.serve(&wanted, version, origin);
            self.stored.insert(wanted.id.as_str().into(), deployed);
            self.warn_of_taken(&wanted);
            return Ok(true);
        };
        let served = &deployed.route.served;
        let (was_enabled, origin) = {
            let terms = served.terms();
            (terms.enabled, Arc::clone(&terms.origin))
        };
        let origin = if deployed.origin == wanted.origin {
            origin
        } else {
            self.origins.open(&wanted.origin)?
        };
        let objects = &self.shared.routes.objects;
        objects.set_policy(&wanted.id, wanted.policy);
        let terms = wanted.terms(origin, &self.keyring);
        match (was_enabled, terms.enabled) {
            (true, false) => self.grace.begin(served, now),
            (false, true) => self.grace.forget(served),
            _ => {}
        }
        served.set_terms(terms);
        let renamed = deployed.names != wanted.names;
        deployed.names = Arc::clone(&wanted.names);
        deployed.origin = wanted.origin.clone();
        deployed.signers = wanted.signers.clone();
        deployed.version = version;
        deployed.encrypted = wanted.encrypted;
        if renamed {
            self.warn_of_taken(&wanted);
        }
        Ok(renamed)
    }

    fn serve(&self, wanted: &Wanted, version: String, origin: Arc<dyn Origin>) -> Deployed {
        let objects = &self.shared.routes.objects;
        objects.set_policy(&wanted.id, wanted.policy);
        Deployed {
            version,
            encrypted: wanted.encrypted,
            route: Route {
                served: Served::new(&wanted.id, wanted.terms(origin, &self.keyring)),
                room: wanted.room(),
            },
            names: Arc::clone(&wanted.names),
            origin: wanted.origin.clone(),
            signers: wanted.signers.clone(),
        }
    }

    fn remove(&mut self, id: &str, now: Instant) {
        self.close(id, now);
        self.stored.remove(id);
        self.shared.routes.objects.remove_policy(id);
    }

    /// Lets nobody in from now on; its connections end after the grace.
    fn close(&mut self, id: &str, now: Instant) {
        let Some(deployed) = self.stored.get(id) else {
            return;
        };
        let served = &deployed.route.served;
        if served.terms().enabled {
            served.disable();
            self.grace.begin(served, now);
        }
    }

    fn warn_of_taken(&self, wanted: &Wanted) {
        let mut names = wanted.names.iter();
        if let Some(name) = names.find(|name| self.fixed_names.contains(name)) {
            let distribution = &wanted.id;
            warn!(distribution, %name, "this name belongs to a distribution of the configuration file");
        }
    }

    /// Makes the table of names anew, away from where anybody waits, and uses it.
    async fn rebuild(&self) {
        // Later ones win.
        let all = self.stored.values().chain(self.fixed.values());
        let all: Vec<_> = all
            .map(|deployed| (Arc::clone(&deployed.names), deployed.route.clone()))
            .collect();
        let local = self.settings.default_distribution.as_deref();
        let local = local.and_then(|id| self.fixed.get(id).or_else(|| self.stored.get(id)));
        let local = local.map(|deployed| deployed.route.clone());
        if let Some(id) = &self.settings.default_distribution
            && local.is_none()
        {
            warn!(
                id,
                "there is no distribution with the id that default_distribution names"
            );
        }
        match tokio::task::spawn_blocking(move || table(&all, local)).await {
            Ok(table) => self.shared.routes.replace(table),
            Err(cause) => error!(%cause, "the table of names cannot be made"),
        }
    }

    /// Ends the connections of those whose grace is over.
    fn send_away(&mut self, now: Instant) {
        for served in self.grace.take_over(now) {
            info!(distribution = %served.id(), "its connections end, because it is disabled");
            served.send_away();
        }
        self.shared.stages.call();
    }
}

/// Waits for a time; for ever where there is none.
async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time.into()).await,
        None => std::future::pending().await,
    }
}

fn table(all: &[(Arc<[HostPattern]>, Route)], local: Option<Route>) -> Table {
    let mut hosts = HostTable::new();
    for (names, route) in all {
        for name in &**names {
            match name {
                HostPattern::Any => hosts.set_default(route.clone()),
                // Every pattern that was parsed is one.
                named => drop(hosts.insert(&named.to_string(), route.clone())),
            }
        }
    }
    if let Some(route) = local {
        hosts.set_local(route);
    }
    let served = all.iter().map(|(_, route)| &route.served);
    let ids = served.map(|served| (Arc::clone(served.id()), Arc::clone(served)));
    Table {
        hosts,
        ids: ids.collect(),
    }
}

#[cfg(test)]
mod tests;
