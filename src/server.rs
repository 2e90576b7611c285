//! Starts everything, wires it together, and stops it.

mod deploy;
mod diagnose;
mod fixed;
mod grace;
mod keyring;
mod log;
mod metrics;
mod policies;
mod purge;
mod registry;
mod sessions;
mod tls;
mod wanted;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use self::deploy::Deploy;
use self::diagnose::Diagnosis;
use self::policies::BucketPolicies;
use self::purge::Purges;
use self::sessions::Visible;
use crate::amf;
use crate::api::{self, Api, Players};
use crate::cache::{Disk, MemorySize, RENDERS_MAX, RenderCache, descriptors};
use crate::catalog::{Objects, Segment, SegmentCache};
use crate::config::{CrossDomain, Enhanced, Listen, Settings};
use crate::delivery::ahead::Budget;
use crate::delivery::meter::Meter;
use crate::delivery::viewer::EnhancedPolicy;
use crate::http::port::Bounds;
use crate::http::tunnel::Entrance;
use crate::http::{Site, Web};
use crate::net::connection::Rules;
use crate::net::doors::Doors;
use crate::net::frequency::Frequency;
use crate::net::listener;
use crate::net::routes::Routes;
use crate::net::seats::{REFUSALS_MAX, Seats};
use crate::net::sessions::Sessions;
use crate::net::shared::Shared;
use crate::net::stages::{Stage, Stages};
use crate::net::tls::TlsError;
use crate::net::tunnel::Tunnels;
use crate::net::workers::Workers;
use crate::origin::{ConnectError, OriginMeter, Origins};
use crate::rtmp::chunk::ChunkLimits;
use crate::rtmp::server::Limits;
use crate::store::StoreError;

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
    /// The distributions cannot be read.
    #[error("the distributions in data_dir cannot be read: {0}")]
    Store(#[from] StoreError),
    /// The threads that deliver cannot be started.
    #[error("cannot start the threads that deliver: {0}")]
    Workers(io::Error),
    /// A certificate cannot be used.
    #[error("{key}: {cause}")]
    Tls {
        /// Where in the settings it stands.
        key: &'static str,
        /// What is wrong with it.
        cause: TlsError,
    },
    /// Certificates cannot be followed.
    #[error("cannot follow the files of certificates: {0}")]
    Follow(io::Error),
    /// The access log cannot be started.
    #[error("cannot start the access log: {0}")]
    AccessLog(io::Error),
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
    let certificates = tls::Certificates::load(&settings)?;
    let rtmp = listen_on("RTMP", &settings.rtmp.listen)?;
    let http = listen_on("HTTP", &settings.http.listen)?;
    let api = listen("the API", settings.api.listen, false)?;
    let tasks = TaskTracker::new();
    let limit = descriptors::raise_descriptor_limit();
    let disk = disk(&settings).await;
    let limit = limit.saturating_sub(disk.as_ref().map_or(0, Disk::descriptors) as u64);
    let segments = segment_cache(&settings, limit, &tasks, disk.clone());
    let (meter, origin_meter) = (Arc::new(Meter::default()), Arc::new(OriginMeter::default()));
    let objects = objects(&settings, segments.clone(), &tasks, disk.as_ref());
    let routes = routes(&settings, objects);
    let settings = Arc::new(settings);
    let limits = &settings.limits;
    let origins = Origins::new(settings.origin.tuning(), Arc::clone(&origin_meter));
    let access_log = log::start(&settings, &origins).map_err(ServerError::AccessLog)?;
    let reopening = log::reopen_on_hangup(&settings, access_log.log());
    let reopening = reopening.map_err(ServerError::AccessLog)?;
    let shared = Arc::new(Shared {
        rules: rules(&settings),
        routes,
        stages: Stages::default(),
        started: Instant::now(),
        seats: Seats::new(
            max_connections(&settings, limit),
            limits.max_connections_per_address.into(),
        ),
        arrivals: Frequency::new(limits.max_arrivals_per_address),
        handshakes: Frequency::new(limits.max_handshakes_per_address),
        computing: Arc::new(Semaphore::new(computing())),
        meter: Arc::clone(&meter),
        sessions: Sessions::default(),
        observer: Arc::clone(access_log.log()) as _,
    });
    let deploy = Deploy::start(Arc::clone(&settings), origins, Arc::clone(&shared)).await?;
    let registry = registry::open(&settings).await?;
    let following = match &registry {
        Some(registry) => Some(registry::follow(deploy, registry).await),
        None => None,
    };
    say_who_may_call(&settings);
    let tools = Api {
        metrics: metrics::metrics(
            &settings,
            &shared,
            &origin_meter,
            &segments,
            disk.as_ref(),
            access_log.log(),
            &certificates,
        ),
        registry: registry.clone(),
        cache: Arc::new(Purges(Arc::clone(&shared))),
        sessions: Arc::new(Visible {
            shared: Arc::clone(&shared),
            registry: registry.clone(),
        }),
        diagnosis: Arc::new(Diagnosis {
            shared: Arc::clone(&shared),
            registry: registry.clone(),
        }),
        players: Players {
            port: settings.rtmp.listen.first().port(),
            app: settings.apps.first().cloned().unwrap_or_default(),
        },
        keys: settings.api.keys.iter().cloned().collect(),
        legacy_signatures: settings.api.legacy_signatures,
        tls: certificates.of_api(),
        draining: shutdown.clone(),
    };
    let addresses = [&rtmp[..], &http, std::slice::from_ref(&api)].map(addresses_of);
    let http_stop = CancellationToken::new();
    let api = tokio::spawn(api::serve(api, tools, http_stop.clone()));
    let workers = Arc::new(Workers::start(None).map_err(ServerError::Workers)?);
    let doors = Arc::new_cyclic(|doors| {
        let site = site(&settings, &shared, &shutdown, doors);
        Doors {
            shared: Arc::clone(&shared),
            workers,
            viewers: TaskTracker::new(),
            http: Arc::new(Web::new(site, http_stop.clone())),
            proxies: settings.proxy.trusted.clone(),
            forwarded: settings.proxy.forwarded.clone(),
            tls: certificates.of_players(),
        }
    });
    let accepting = accept(rtmp, &doors, Stage::Draining);
    // Load balancers ask there whether the server drains.
    accept(http, &doors, Stage::Stopping).detach_all();
    ready(addresses);

    shutdown.cancelled().await;
    shared.stages.advance(Stage::Draining);
    accepting.join_all().await;
    drain(&shared, &doors.viewers, settings.drain_limit).await;
    http_stop.cancel();
    let _ = tokio::time::timeout(HTTP_STOP_LIMIT, async {
        tokio::join!(doors.http.finish(), api)
    })
    .await;
    drop((doors, following, registry, reopening));
    access_log.close().await;
    if let Some(disk) = disk {
        disk.close().await;
    }
    info!("stopped");
    Ok(())
}

/// What an operator should know of the API port before anybody else finds out.
fn say_who_may_call(settings: &Settings) {
    let (api, keys) = (&settings.api, settings.api.keys.len());
    info!(keys, listen = %api.listen, "access keys of the API");
    if api.listen.ip().to_canonical().is_loopback() {
        return;
    }
    warn!(listen = %api.listen, "the API can be reached from other machines");
    if api.tls().is_none() {
        let legacy = api.legacy_signatures;
        warn!(
            listen = %api.listen,
            legacy, "the API has no TLS: what is sent to it can be overheard, and where legacy \
            signatures count, repeated with another content"
        );
    }
}

/// Accepts on all of these until the server has reached that stage.
fn accept(listeners: Vec<TcpListener>, doors: &Arc<Doors>, until: Stage) -> JoinSet<()> {
    let accepting = |listener| listener::serve(listener, Arc::clone(doors), until);
    listeners.into_iter().map(accepting).collect()
}

fn listen_on(purpose: &'static str, on: &Listen) -> Result<Vec<TcpListener>, ServerError> {
    let shared = |one: SocketAddr| {
        let mut others = on.iter();
        others.any(|other| other.is_ipv4() && other.port() == one.port())
    };
    let listen = |address| listen(purpose, address, shared(address));
    on.iter().map(listen).collect()
}

/// `shared`: whether the port has a listener of its own for IPv4.
fn listen(
    purpose: &'static str,
    address: SocketAddr,
    shared: bool,
) -> Result<TcpListener, ServerError> {
    bind(address, shared).map_err(|cause| ServerError::Listen {
        purpose,
        address,
        cause,
    })
}

fn bind(address: SocketAddr, shared: bool) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    if address.is_ipv6() {
        // [::] is every address, IPv4 included, whatever the system's own setting.
        SockRef::from(&socket).set_only_v6(shared)?;
    }
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

fn addresses_of(listeners: &[TcpListener]) -> String {
    let address = |listener: &TcpListener| match listener.local_addr() {
        Ok(address) => address.to_string(),
        Err(_) => "?".to_owned(),
    };
    let addresses: Vec<_> = listeners.iter().map(address).collect();
    addresses.join(" and ")
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

/// Routes that lead nowhere until distributions are deployed.
fn routes(settings: &Settings, objects: Objects) -> Routes {
    let ahead = Budget::new(settings.cache.read_ahead.min(settings.cache.memory / 4));
    let policy = match settings.rtmp.enhanced {
        Enhanced::Always => EnhancedPolicy::Always,
        Enhanced::Negotiated => EnhancedPolicy::Negotiated,
        Enhanced::Never => EnhancedPolicy::Never,
    };
    let enforce = settings.http.crossdomain == CrossDomain::Enforced;
    Routes::new(Arc::new(objects), Handle::current(), ahead, policy, enforce)
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

/// Handshakes with public keys that are computed at once: half of the cores, so that the others go on
/// with what plays.
fn computing() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().div_ceil(2))
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
            encrypted: settings.may_encrypt(),
        },
        handshake_timeout: limits.handshake_timeout,
        idle_timeout: limits.idle_timeout,
        stall_timeout: limits.stall_timeout,
    }
}

fn site(
    settings: &Settings,
    shared: &Arc<Shared>,
    shutdown: &CancellationToken,
    doors: &Weak<Doors>,
) -> Site {
    let tunnel = Entrance {
        tunnels: Arc::new(Tunnels::new(Arc::new(Weak::clone(doors)))),
        proxies: settings.proxy.forwarded.clone(),
        body_timeout: settings.http.header_timeout,
    };
    Site {
        policies: Arc::new(BucketPolicies(Arc::clone(shared))),
        bucket_policy: settings.http.crossdomain != CrossDomain::Fixed,
        draining: shutdown.clone(),
        tunnel: Some(tunnel),
        bounds: Bounds {
            header_timeout: settings.http.header_timeout,
            max_connections: settings.http.max_connections,
        },
    }
}

fn bytes(size: u64) -> usize {
    usize::try_from(size).unwrap_or(usize::MAX)
}

fn count(number: u32) -> usize {
    bytes(u64::from(number))
}
