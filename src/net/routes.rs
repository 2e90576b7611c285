//! From what a connect says to the viewer that it makes: host, application, distribution.
//!
//! The table of names changes while it is read. A change makes a new one beside the old and puts it
//! in its place ([`Routes::replace`]); a lookup takes whichever is there and no lock. What changes
//! of a distribution but its names is in its [`Served`], which stays the same from its first day to
//! its last.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;
use tokio::runtime::Handle;

use super::seats::{Place, Room};
use crate::catalog::Objects;
use crate::catalog::host::{ConnectTarget, HostTable};
use crate::delivery::ahead::Budget;
use crate::delivery::meter::Meter;
use crate::delivery::served::Served;
use crate::delivery::session::{Facts, Observer, Session};
use crate::delivery::viewer::{EnhancedPolicy, Viewer};
use crate::distribution::Kind;
use crate::rtmp::command::Connect;
use crate::rtmp::status::Rejection;

/// A distribution that this server answers for, with the room for its connections.
#[derive(Debug, Clone)]
pub struct Route {
    /// What it serves.
    pub served: Arc<Served>,
    /// Its connections.
    pub room: Arc<Room>,
}

/// All distributions at one moment.
#[derive(Debug, Default)]
pub struct Table {
    /// Which distribution a host leads to. Disabled ones keep their names.
    pub hosts: HostTable<Route>,
    /// The distributions by id.
    pub ids: HashMap<Arc<str>, Arc<Served>>,
}

/// What leads viewers to distributions.
#[derive(Debug)]
pub struct Routes {
    table: ArcSwap<Table>,
    /// How names become objects.
    pub objects: Arc<Objects>,
    /// Where work for viewers runs that waits or computes.
    pub background: Handle,
    /// What may be read ahead, over all viewers.
    pub ahead: Budget,
    /// Which codecs may be sent.
    pub policy: EnhancedPolicy,
    /// Whether players are refused that the cross-domain policy of the bucket does not admit.
    pub enforce_crossdomain: bool,
}

impl Routes {
    /// Routes that lead nowhere yet.
    pub fn new(
        objects: Arc<Objects>,
        background: Handle,
        ahead: Budget,
        policy: EnhancedPolicy,
        enforce_crossdomain: bool,
    ) -> Self {
        Self {
            table: ArcSwap::default(),
            objects,
            background,
            ahead,
            policy,
            enforce_crossdomain,
        }
    }

    /// Takes another table from now on; running connections go on.
    pub fn replace(&self, table: Table) {
        self.table.store(Arc::new(table));
    }

    /// All distributions now.
    pub fn table(&self) -> Arc<Table> {
        self.table.load_full()
    }

    /// The distribution that answers to `host`, enabled or not.
    pub fn lookup(&self, host: &str) -> Option<Route> {
        self.table.load().hosts.lookup(host).cloned()
    }

    /// The viewer that a connect makes, over RTMPE where `encrypted`, and their place at the
    /// distribution.
    ///
    /// # Errors
    /// One of the rejections of spec/cloudfront.md 1.6, or no place is left.
    pub fn admit(
        &self,
        connect: &Connect,
        encrypted: bool,
        meter: &Arc<Meter>,
        facts: &Facts,
        observer: &Arc<dyn Observer>,
    ) -> Result<(Viewer, Place), Rejection> {
        let tc_url = Some(connect.tc_url()).filter(|url| !url.is_empty());
        let host = ConnectTarget::host_of(tc_url)?;
        let route = self.lookup(&host).ok_or(Rejection::DistributionNotFound)?;
        // Before the terms: who is let in by the old ones goes with those who were here.
        let round = route.served.round();
        let terms = route.served.terms();
        if !terms.enabled {
            return Err(Rejection::DistributionNotFound);
        }
        if terms.kind != Kind::Streaming {
            return Err(Rejection::DistributionTypeMismatch);
        }
        if encrypted && !terms.encrypted {
            return Err(Rejection::EncryptionDenied);
        }
        let target = ConnectTarget::parse(connect.app(), tc_url, &terms.apps)?;
        let place = route.room.enter().ok_or(Rejection::DistributionFull)?;
        let served = Arc::clone(&route.served);
        let session = Session::new(facts.clone(), served, Arc::clone(observer));
        let viewer = Viewer {
            peer: known(facts.peer),
            session,
            round,
            objects: Arc::clone(&self.objects),
            background: self.background.clone(),
            ahead: self.ahead.clone(),
            app_rest: target.folder,
            policy: self.policy,
            announced: announced(connect),
            meter: Arc::clone(meter),
            brake: Mutex::default(),
            distribution: Arc::clone(&route.served),
        };
        Ok((viewer, place))
    }
}

/// The address of a viewer; none where the system did not tell it.
fn known(peer: SocketAddr) -> Option<IpAddr> {
    let address = peer.ip().to_canonical();
    (!address.is_unspecified()).then_some(address)
}

/// The FourCCs that a connect says the client can decode.
fn announced(connect: &Connect) -> std::collections::HashSet<String> {
    let sent = ["hvc1", "av01", "vp09", "Opus", "fLaC", "ac-3", "ec-3"];
    sent.into_iter()
        .filter(|four_cc| connect.announces(four_cc))
        .map(str::to_owned)
        .collect()
}
