//! Starts everything, wires it together, and stops it.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use crate::amf;
use crate::cache::{MemorySize, RENDERS_MAX, RenderCache, descriptors};
use crate::catalog::Objects;
use crate::catalog::host::HostTable;
use crate::config::{CrossDomain, Enhanced, Settings};
use crate::delivery::ahead::Budget;
use crate::delivery::viewer::EnhancedPolicy;
use crate::distribution::Distribution;
use crate::distribution::host::HostPattern;
use crate::http::{self, Policies, Site};
use crate::net::connection::Rules;
use crate::net::listener::{self, Shared};
use crate::net::routes::{Route, Routes};
use crate::origin::{self, ConnectError, Origin};
use crate::rtmp::chunk::ChunkLimits;
use crate::rtmp::server::Limits;

/// How long connections that were told to stop may take.
const STOP_LIMIT: Duration = Duration::from_secs(2);

/// Connections that may wait to be accepted: what Linux allows unless told otherwise.
const BACKLOG: u32 = 4096;

/// How long HTTP requests that are being read or answered may take at the end.
const HTTP_STOP_LIMIT: Duration = Duration::from_millis(500);

/// Descriptors kept for everything but viewers and segments: listeners, origins, logs, the runtime.
const RESERVED_DESCRIPTORS: u64 = 256;

/// Why the server could not run.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// An origin cannot be used.
    #[error(transparent)]
    Origin(#[from] ConnectError),
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
    let tasks = TaskTracker::new();
    let limit = descriptors::raise_descriptor_limit();
    let routes = routes(&settings, limit, &tasks).await?;
    let shared = Arc::new(Shared {
        rules: rules(&settings, limit),
        routes,
        draining: shutdown.clone(),
        stopping: CancellationToken::new(),
        open: AtomicU64::new(0),
        accepted: AtomicU64::new(0),
    });
    let site = site(&settings, &shared);
    let (rtmp_address, http_address) = (address_of(&rtmp), address_of(&http));
    let http_stop = CancellationToken::new();
    let http = tokio::spawn(http::serve(http, site, http_stop.clone()));
    let viewers = TaskTracker::new();
    let accepting = tokio::spawn(listener::serve(rtmp, Arc::clone(&shared), viewers.clone()));
    ready(rtmp_address, http_address);

    shutdown.cancelled().await;
    // Neither can fail but by a panic, which was logged.
    let _ = accepting.await;
    drain(&shared, &viewers, settings.drain_limit).await;
    http_stop.cancel();
    let _ = tokio::time::timeout(HTTP_STOP_LIMIT, http).await;
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
fn ready(rtmp: String, http: String) {
    info!(rtmp, http, "ready");
    // Whoever closed the output does not wait for it.
    let _ = writeln!(
        io::stdout(),
        "streamfront is ready: rtmp on {rtmp}, http on {http}"
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
    shared.stopping.cancel();
    let _ = tokio::time::timeout(STOP_LIMIT, viewers.wait()).await;
}

async fn routes(
    settings: &Settings,
    limit: u64,
    tasks: &TaskTracker,
) -> Result<Routes, ServerError> {
    let segments = RenderCache::new(
        MemorySize {
            bytes: bytes(settings.cache.memory),
            descriptors: bytes(limit / 4),
        },
        RENDERS_MAX,
        tasks.clone(),
    );
    let index_bytes = bytes(settings.cache.index_memory);
    let objects = Objects::new(index_bytes, segments, tasks.clone());
    let tuning = settings.origin.tuning();
    let hedges = Arc::default();
    let mut hosts = HostTable::new();
    for distribution in &settings.distributions {
        let origin = origin::connect(&distribution.origin, &tuning, &hedges).await?;
        add_route(&mut hosts, distribution, &origin);
    }
    Ok(Routes {
        hosts,
        objects: Arc::new(objects),
        ahead: Budget::new(settings.cache.read_ahead.min(settings.cache.memory / 4)),
        policy: match settings.rtmp.enhanced {
            Enhanced::Always => EnhancedPolicy::Always,
            Enhanced::Negotiated => EnhancedPolicy::Negotiated,
            Enhanced::Never => EnhancedPolicy::Never,
        },
    })
}

/// How many viewers there may be: a quarter of the descriptors is for segments, some are kept back,
/// and each viewer takes one.
fn max_connections(settings: &Settings, limit: u64) -> u64 {
    let wanted = u64::from(settings.limits.max_connections);
    let others = u64::from(settings.http.max_connections) + RESERVED_DESCRIPTORS;
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

fn rules(settings: &Settings, limit: u64) -> Rules {
    let limits = &settings.limits;
    let message = u32::try_from(limits.max_message).unwrap_or(u32::MAX);
    Rules {
        max_connections: max_connections(settings, limit),
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

fn site(settings: &Settings, shared: &Arc<Shared>) -> Site {
    Site {
        policies: Arc::new(BucketPolicies(Arc::clone(shared))),
        bucket_policy: settings.http.crossdomain == CrossDomain::Bucket,
        draining: shared.draining.clone(),
        header_timeout: settings.http.header_timeout,
        max_connections: settings.http.max_connections,
    }
}

/// The cross-domain policies that are in the buckets of the distributions.
#[derive(Debug)]
struct BucketPolicies(Arc<Shared>);

impl Policies for BucketPolicies {
    fn origin_for(&self, host: &str) -> Option<Arc<dyn Origin>> {
        let route = self.0.routes.hosts.lookup(host)?;
        route.enabled.then(|| Arc::clone(&route.origin))
    }
}

fn bytes(size: u64) -> usize {
    usize::try_from(size).unwrap_or(usize::MAX)
}

fn count(number: u32) -> usize {
    bytes(u64::from(number))
}
