//! Starts everything, wires it together, and stops it.

mod purge;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::{BoxFuture, FutureExt};
use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use self::purge::Purges;
use crate::amf;
use crate::api::{self, Api};
use crate::cache::{Disk, MemorySize, RENDERS_MAX, RenderCache, descriptors};
use crate::catalog::host::HostTable;
use crate::catalog::{Freshness, Objects, Policy, Segment, SegmentCache};
use crate::config::{CrossDomain, Enhanced, Settings};
use crate::delivery::ahead::Budget;
use crate::delivery::meter::Meter;
use crate::delivery::viewer::EnhancedPolicy;
use crate::distribution::Distribution;
use crate::distribution::host::HostPattern;
use crate::http::port::Bounds;
use crate::http::{self, Own, Policies, Site};
use crate::net::connection::Rules;
use crate::net::listener::{self, Shared};
use crate::net::routes::{Route, Routes};
use crate::net::seats::{REFUSALS_MAX, Room, Seats};
use crate::net::stages::{Stage, Stages};
use crate::net::workers::Workers;
use crate::origin::{self, ConnectError, Origin, OriginMeter};
use crate::rtmp::chunk::ChunkLimits;
use crate::rtmp::server::Limits;
use crate::telemetry::metrics::Metrics;

/// How long connections that were told to stop may take.
const STOP_LIMIT: Duration = Duration::from_secs(2);

/// Connections that may wait to be accepted: what Linux allows unless told otherwise.
const BACKLOG: u32 = 4096;

/// How long HTTP requests that are being read or answered may take at the end.
const HTTP_STOP_LIMIT: Duration = Duration::from_millis(500);

/// Descriptors kept for everything but viewers and segments: listeners, logs, the runtimes, and the
/// origins' connections, which are 64 renders with 8 reads each and their hedges at worst.
const RESERVED_DESCRIPTORS: u64 = 1024;

/// Why the server could not run.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// An origin cannot be used.
    #[error(transparent)]
    Origin(#[from] ConnectError),
    /// The threads that deliver cannot be started.
    #[error("cannot start the threads that deliver: {0}")]
    Workers(io::Error),
    /// A port cannot be listened on.
    #[error("cannot listen on {address} for {purpose}: {cause}")]
    Listen {
        /// What it was for.
        purpose: &'static str,
        /// The address.
        address: SocketAddr,
        /// What the system said.
        cause: io::Error,
    },
}

/// Runs the server until `shutdown` is cancelled; then drains it.
///
/// # Errors
/// An origin or a port cannot be used.
pub async fn run(settings: Settings, shutdown: CancellationToken) -> Result<(), ServerError> {
    let rtmp = listen("RTMP", settings.rtmp.listen)?;
    let http = listen("HTTP", settings.http.listen)?;
    let api = listen("the API", settings.api.listen)?;
    let tasks = TaskTracker::new();
    let limit = descriptors::raise_descriptor_limit();
    let disk = disk(&settings).await;
    let limit = limit.saturating_sub(disk.as_ref().map_or(0, Disk::descriptors) as u64);
    let segments = segment_cache(&settings, limit, &tasks, disk.clone());
    let (meter, origin_meter) = (Arc::new(Meter::default()), Arc::new(OriginMeter::default()));
    let objects = objects(&settings, segments.clone(), &tasks, disk.as_ref());
    let routes = routes(&settings, objects, &origin_meter).await?;
    let limits = &settings.limits;
    let shared = Arc::new(Shared {
        rules: rules(&settings),
        routes,
        stages: Stages::default(),
        started: Instant::now(),
        seats: Seats::new(
            max_connections(&settings, limit),
            limits.max_connections_per_address.into(),
        ),
        meter: Arc::clone(&meter),
    });
    let mut metrics = Metrics::new();
    metrics.served(&meter);
    metrics.origin(&origin_meter);
    metrics.segments(&segments, settings.cache.memory);
    metrics.objects(&shared.routes.objects);
    metrics.read_ahead(&shared.routes.ahead);
    if let Some(disk) = &disk {
        metrics.disk(disk);
    }
    let tools = Api {
        metrics: metrics.finish(),
        cache: Some(Arc::new(purges(&settings, &shared))),
        draining: shutdown.clone(),
    };
    let site = site(&settings, &shared, &shutdown);
    let addresses = [&rtmp, &http, &api].map(address_of);
    let http_stop = CancellationToken::new();
    let http = tokio::spawn(http::serve(http, site, http_stop.clone()));
    let api = tokio::spawn(api::serve(api, tools, http_stop.clone()));
    let viewers = TaskTracker::new();
    let workers = Arc::new(Workers::start(None).map_err(ServerError::Workers)?);
    let accepting = listener::serve(
        rtmp,
        Arc::clone(&shared),
        Arc::clone(&workers),
        viewers.clone(),
    );
    let accepting = tokio::spawn(accepting);
    ready(addresses);

    shutdown.cancelled().await;
    shared.stages.advance(Stage::Draining);
    // Neither can fail but by a panic, which was logged.
    let _ = accepting.await;
    drain(&shared, &viewers, settings.drain_limit).await;
    http_stop.cancel();
    let _ = tokio::time::timeout(HTTP_STOP_LIMIT, async { tokio::join!(http, api) }).await;
    drop(workers);
    if let Some(disk) = disk {
        disk.close().await;
    }
    info!("stopped");
    Ok(())
}

fn listen(purpose: &'static str, address: SocketAddr) -> Result<TcpListener, ServerError> {
    bind(address).map_err(|cause| ServerError::Listen {
        purpose,
        address,
        cause,
    })
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    // A server that is started again need not wait for the connections of the one before.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// The one line that says that the server is ready, on the standard output.
fn ready([rtmp, http, api]: [String; 3]) {
    info!(rtmp, http, api, "ready");
    // Whoever closed the output does not wait for it.
    let _ = writeln!(
        io::stdout(),
        "streamfront is ready: rtmp on {rtmp}, http on {http}, api on {api}"
    );
}

fn address_of(listener: &TcpListener) -> String {
    listener
        .local_addr()
        .map_or_else(|_| "?".to_owned(), |address| address.to_string())
}

async fn drain(shared: &Shared, viewers: &TaskTracker, limit: Duration) {
    viewers.close();
    if !viewers.is_empty() {
        info!(connections = viewers.len(), ?limit, "draining");
    }
    if tokio::time::timeout(limit, viewers.wait()).await.is_err() {
        warn!(
            connections = viewers.len(),
            "ending plays that did not end in time"
        );
    }
    shared.stages.advance(Stage::Stopping);
    let _ = tokio::time::timeout(STOP_LIMIT, viewers.wait()).await;
}

fn segment_cache(
    settings: &Settings,
    limit: u64,
    tasks: &TaskTracker,
    disk: Option<Disk<Arc<Segment>>>,
) -> SegmentCache {
    let size = MemorySize {
        bytes: bytes(settings.cache.memory),
        descriptors: bytes(limit / 4),
    };
    let disk = disk.map(|disk| Arc::new(disk) as _);
    RenderCache::over(disk, size, RENDERS_MAX, tasks.clone())
}

fn objects(
    settings: &Settings,
    segments: SegmentCache,
    tasks: &TaskTracker,
    disk: Option<&Disk<Arc<Segment>>>,
) -> Objects {
    let objects = Objects::new(bytes(settings.cache.index_memory), segments, tasks.clone());
    // The file belongs to whoever has the lock of the directory: without the tier, nothing of this
    // server outlives it, and the list beside may be another server's.
    match disk {
        Some(_) => objects.with_purges_in(disk_dir(settings).join("purges")),
        None => objects,
    }
}

async fn routes(
    settings: &Settings,
    objects: Objects,
    meter: &Arc<OriginMeter>,
) -> Result<Routes, ServerError> {
    let tuning = settings.origin.tuning();
    let mut hosts = HostTable::new();
    for distribution in &settings.distributions {
        let origin = origin::connect(&distribution.origin, &tuning, meter).await?;
        objects.set_policy(&distribution.id, policy(settings, distribution));
        add_route(&mut hosts, distribution, &origin);
    }
    Ok(Routes {
        hosts,
        objects: Arc::new(objects),
        background: Handle::current(),
        ahead: Budget::new(settings.cache.read_ahead.min(settings.cache.memory / 4)),
        policy: match settings.rtmp.enhanced {
            Enhanced::Always => EnhancedPolicy::Always,
            Enhanced::Negotiated => EnhancedPolicy::Negotiated,
            Enhanced::Never => EnhancedPolicy::Never,
        },
    })
}

fn purges(settings: &Settings, shared: &Shared) -> Purges {
    let ids = settings
        .distributions
        .iter()
        .map(|distribution| distribution.id.clone());
    Purges {
        ids: ids.collect(),
        objects: Arc::clone(&shared.routes.objects),
    }
}

/// The disk tier, where one is wanted and can be had.
async fn disk(settings: &Settings) -> Option<Disk<Arc<Segment>>> {
    let capacity = settings.cache.disk;
    if capacity == 0 {
        return None;
    }
    let directory = disk_dir(settings);
    match Disk::open(&directory, capacity).await {
        Ok(disk) => Some(disk),
        Err(error) => {
            let directory = directory.display();
            warn!(%directory, %error, "there is no disk cache: its directory cannot be used");
            None
        }
    }
}

fn disk_dir(settings: &Settings) -> PathBuf {
    let configured = settings.cache.disk_dir.clone();
    configured.unwrap_or_else(|| settings.data_dir.join("cache"))
}

fn policy(settings: &Settings, distribution: &Distribution) -> Policy {
    let freshness = distribution
        .ttl
        .map_or(Freshness::EachPlay, Freshness::TimeToLive);
    let origin = format!("{:?}", distribution.origin);
    Policy::new(freshness, settings.cache.negative_ttl, &origin)
}

/// How many viewers there may be: a quarter of the descriptors is for segments, some are kept back,
/// and each viewer takes one.
fn max_connections(settings: &Settings, limit: u64) -> u64 {
    let wanted = u64::from(settings.limits.max_connections);
    let ports = u64::from(settings.http.max_connections) + u64::from(api::MAX_CONNECTIONS);
    let others = ports + REFUSALS_MAX + RESERVED_DESCRIPTORS;
    let possible = (limit - limit / 4).saturating_sub(others).max(1);
    if possible < wanted {
        info!(
            wanted,
            possible, limit, "RLIMIT_NOFILE bounds the connections; raise it for more"
        );
    }
    wanted.min(possible)
}

fn add_route(hosts: &mut HostTable<Route>, distribution: &Distribution, origin: &Arc<dyn Origin>) {
    let route = Route {
        id: Arc::from(distribution.id.as_str()),
        kind: distribution.kind,
        enabled: distribution.enabled,
        apps: distribution.apps.clone().into(),
        origin: Arc::clone(origin),
        room: Room::new(
            distribution
                .max_connections
                .map_or(u64::MAX, |most| u64::from(most.get())),
        ),
        max_rate: distribution.max_rate,
    };
    let own = HostPattern::Exact(distribution.domain_name.clone());
    for pattern in distribution.aliases.iter().chain([&own]) {
        match pattern {
            HostPattern::Any => hosts.set_default(route.clone()),
            // The settings were checked: every name is valid and belongs to one distribution.
            named => drop(hosts.insert(&named.to_string(), route.clone())),
        }
    }
}

fn rules(settings: &Settings) -> Rules {
    let limits = &settings.limits;
    let message = u32::try_from(limits.max_message).unwrap_or(u32::MAX);
    Rules {
        limits: Limits {
            chunks: ChunkLimits {
                message,
                streams: count(limits.max_chunk_streams),
                ..ChunkLimits::VIEWER
            },
            amf: amf::Limits {
                depth: count(limits.amf_depth),
                ..amf::Limits::COMMAND
            },
            bytes_before_connect: limits.bytes_before_connect,
            streams: limits.max_streams_per_connection,
        },
        handshake_timeout: limits.handshake_timeout,
        idle_timeout: limits.idle_timeout,
        stall_timeout: limits.stall_timeout,
    }
}

fn site(settings: &Settings, shared: &Arc<Shared>, shutdown: &CancellationToken) -> Site {
    Site {
        policies: Arc::new(BucketPolicies(Arc::clone(shared))),
        bucket_policy: settings.http.crossdomain == CrossDomain::Bucket,
        draining: shutdown.clone(),
        bounds: Bounds {
            header_timeout: settings.http.header_timeout,
            max_connections: settings.http.max_connections,
        },
    }
}

/// The cross-domain policies that are in the buckets of the distributions.
#[derive(Debug)]
struct BucketPolicies(Arc<Shared>);

impl Policies for BucketPolicies {
    fn policy_for<'a>(&'a self, host: &'a str, look: bool) -> BoxFuture<'a, Own> {
        async move {
            let routes = &self.0.routes;
            let route = routes.hosts.lookup(host).filter(|route| route.enabled);
            let Some(route) = route else {
                return Own::NoDistribution;
            };
            if !look {
                return Own::Nothing;
            }
            let own = routes.objects.crossdomain(&route.id, &route.origin);
            match own.await {
                Ok(Some(own)) => Own::File(own.file.clone()),
                Ok(None) => Own::Nothing,
                Err(error) => Own::Unknown(error.to_string()),
            }
        }
        .boxed()
    }
}

fn bytes(size: u64) -> usize {
    usize::try_from(size).unwrap_or(usize::MAX)
}

fn count(number: u32) -> usize {
    bytes(u64::from(number))
}
