//! From what a connect says to the viewer that it makes: host, application, distribution.

use std::num::NonZeroU64;
use std::sync::Arc;

use tokio::runtime::Handle;

use super::seats::{Place, Room};
use crate::catalog::Objects;
use crate::catalog::host::{ConnectTarget, HostTable};
use crate::delivery::ahead::Budget;
use crate::delivery::meter::Meter;
use crate::delivery::viewer::{EnhancedPolicy, Viewer};
use crate::distribution::Kind;
use crate::origin::Origin;
use crate::rtmp::command::Connect;
use crate::rtmp::status::Rejection;

/// A distribution that this server answers for, with its open origin.
#[derive(Debug, Clone)]
pub struct Route {
    /// Its id.
    pub id: Arc<str>,
    /// What it is for.
    pub kind: Kind,
    /// Whether viewers are let in.
    pub enabled: bool,
    /// Application names, `app/instance`.
    pub apps: Arc<[String]>,
    /// Where its objects are.
    pub origin: Arc<dyn Origin>,
    /// Its connections.
    pub room: Arc<Room>,
    /// Bytes a second that one viewer may be sent, if that is capped.
    pub max_rate: Option<NonZeroU64>,
}

/// All distributions, by host name.
#[derive(Debug)]
pub struct Routes {
    /// Which distribution a host leads to.
    pub hosts: HostTable<Route>,
    /// How names become objects.
    pub objects: Arc<Objects>,
    /// Where work for viewers runs that waits or computes.
    pub background: Handle,
    /// What may be read ahead, over all viewers.
    pub ahead: Budget,
    /// Which codecs may be sent.
    pub policy: EnhancedPolicy,
}

impl Routes {
    /// The viewer that a connect makes, and their place at the distribution.
    ///
    /// # Errors
    /// One of the rejections of spec/cloudfront.md 1.6, or no place is left.
    pub fn admit(
        &self,
        connect: &Connect,
        meter: &Arc<Meter>,
    ) -> Result<(Viewer, Place), Rejection> {
        let tc_url = Some(connect.tc_url()).filter(|url| !url.is_empty());
        let host = ConnectTarget::host_of(tc_url)?;
        let route = self
            .hosts
            .lookup(&host)
            .filter(|route| route.enabled)
            .ok_or(Rejection::DistributionNotFound)?;
        if route.kind != Kind::Streaming {
            return Err(Rejection::DistributionTypeMismatch);
        }
        let target = ConnectTarget::parse(connect.app(), tc_url, &route.apps)?;
        let place = route.room.enter().ok_or(Rejection::DistributionFull)?;
        let viewer = Viewer {
            distribution: Arc::clone(&route.id),
            origin: Arc::clone(&route.origin),
            objects: Arc::clone(&self.objects),
            background: self.background.clone(),
            ahead: self.ahead.clone(),
            app_rest: target.folder,
            policy: self.policy,
            announced: announced(connect),
            max_rate: route.max_rate,
            meter: Arc::clone(meter),
        };
        Ok((viewer, place))
    }
}

/// The FourCCs that a connect says the client can decode.
fn announced(connect: &Connect) -> std::collections::HashSet<String> {
    let sent = ["hvc1", "av01", "vp09", "Opus", "fLaC", "ac-3", "ec-3"];
    sent.into_iter()
        .filter(|four_cc| connect.announces(four_cc))
        .map(str::to_owned)
        .collect()
}
