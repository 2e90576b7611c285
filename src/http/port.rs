//! A port that speaks HTTP/1: accepts, bounds what a connection may take, and hands requests to a
//! router. The public port and the control API stand on it.
//!
//! Whoever can reach a port may connect, so connections, handshakes, heads, idle time and life are
//! bounded. One that carries a session of the tunnel is bounded by that instead ([`Hold`]).

mod hold;
mod patience;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::hold::Hold;
use self::patience::Patience;

/// Header lines of a request: browsers send some 20.
pub(super) const MAX_HEADERS: usize = 64;

/// Bytes of a request's head: browsers send below 2 KiB. (8 KiB is the least that hyper takes.)
pub(super) const MAX_HEAD: usize = 8 * 1024;

/// How long a connection may keep its slot: every answer is small, so that only those who do not
/// read need one longer.
pub(super) const LONGEST_LIFE: Duration = Duration::from_secs(60);

/// How long a request that is under way then may go on: what it changed was changed, and whoever
/// asked has to learn of it.
const LAST_ANSWER: Duration = Duration::from_secs(15);

/// How long to wait after a failed accept: descriptors are short, and some will be closed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Who sent a request: an extension of each.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// How much of a port there is.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// For the head of a request to arrive, between two requests, and for a TLS handshake.
    pub header_timeout: Duration,
    /// Connections at once; more wait to be accepted.
    pub max_connections: u32,
}

/// A port, and what its connections share.
#[derive(Debug)]
pub struct Port {
    router: Router,
    header_timeout: Duration,
    slots: Arc<Semaphore>,
    tasks: TaskTracker,
    shutdown: CancellationToken,
}

impl Port {
    /// A port that hands requests to `router` until `shutdown` is cancelled.
    pub fn new(router: Router, bounds: Bounds, shutdown: CancellationToken) -> Self {
        let slots = usize::try_from(bounds.max_connections).unwrap_or(usize::MAX);
        Self {
            router,
            header_timeout: bounds.header_timeout,
            slots: Arc::new(Semaphore::new(slots.min(Semaphore::MAX_PERMITS))),
            tasks: TaskTracker::new(),
            shutdown,
        }
    }

    /// Accepts connections, with `tls` by TLS and nothing else, until the shutdown; then lets
    /// running requests end.
    pub async fn accept(self, listener: TcpListener, tls: Option<Arc<ServerConfig>>) {
        let tls = tls.map(TlsAcceptor::from);
        let port = Arc::new(self);
        while let Some((socket, peer, slot)) = port.next(&listener).await {
            let (tls, port) = (tls.clone(), Arc::clone(&port));
            port.tasks.clone().spawn(async move {
                match tls {
                    None => port.connection(socket, peer, slot).await,
                    Some(tls) => port.secure(socket, peer, slot, &tls).await,
                }
            });
        }
        port.finish().await;
    }

    /// A slot for a connection that others accepted; `None` where none comes free in the time that
    /// a head may take.
    pub async fn slot(&self) -> Option<OwnedSemaphorePermit> {
        let slot = Arc::clone(&self.slots).acquire_owned();
        let slot = tokio::time::timeout(self.header_timeout, slot);
        self.shutdown.run_until_cancelled(slot).await?.ok()?.ok()
    }

    /// Serves a connection that others accepted and that has a slot.
    pub async fn take(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin,
        peer: SocketAddr,
        slot: OwnedSemaphorePermit,
    ) {
        let _running = self.tasks.token();
        self.connection(stream, peer, slot).await;
    }

    /// Waits for running requests to end, after the shutdown.
    pub async fn finish(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// The next connection and its slot, or `None` at shutdown.
    async fn next(
        &self,
        listener: &TcpListener,
    ) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
        let accepted = async {
            let slot = Arc::clone(&self.slots).acquire_owned().await.ok()?;
            loop {
                match listener.accept().await {
                    Ok((socket, peer)) => return Some((socket, peer, slot)),
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept HTTP connections");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        };
        self.shutdown.run_until_cancelled(accepted).await.flatten()
    }

    /// One connection, from the TLS handshake on.
    async fn secure(
        &self,
        socket: TcpStream,
        peer: SocketAddr,
        slot: OwnedSemaphorePermit,
        tls: &TlsAcceptor,
    ) {
        let shaken = tokio::time::timeout(self.header_timeout, tls.accept(socket));
        match self.shutdown.run_until_cancelled(shaken).await {
            Some(Ok(Ok(stream))) => self.connection(stream, peer, slot).await,
            Some(Ok(Err(error))) => tracing::debug!(%error, "a TLS handshake failed"),
            Some(Err(_)) => tracing::debug!("a TLS handshake took too long"),
            None => {}
        }
    }

    /// One connection, from its first request on.
    async fn connection(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin,
        peer: SocketAddr,
        slot: OwnedSemaphorePermit,
    ) {
        let hold = Hold::new(&self.slots, slot, LONGEST_LIFE);
        let router = self.router.clone().layer(Extension(Peer(peer)));
        let service = TowerToHyperService::new(router.layer(Extension(Arc::clone(&hold))));
        let connection = http1::Builder::new()
            .timer(Patience(Arc::clone(&hold)))
            .header_read_timeout(self.header_timeout)
            .max_headers(MAX_HEADERS)
            .max_buf_size(MAX_HEAD)
            // librtmp looks for `Content-Length` in this spelling.
            .title_case_headers(true)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = std::pin::pin!(connection);
        let end = tokio::select! {
            end = connection.as_mut() => Ok(end),
            () = self.time_is_up(&hold) => {
                connection.as_mut().graceful_shutdown();
                tokio::time::timeout(LAST_ANSWER, connection).await
            }
        };
        match end {
            Ok(Ok(())) => {}
            // Whatever clients do wrong; nobody has to act on it.
            Ok(Err(error)) => tracing::debug!(%error, "an HTTP connection failed"),
            Err(_) => tracing::debug!("an HTTP connection was kept too long"),
        }
    }

    /// Waits until a connection has to end.
    async fn time_is_up(&self, hold: &Hold) {
        tokio::select! {
            () = self.shutdown.cancelled() => {}
            () = hold.over() => {}
        }
    }
}

/// The answer to `/healthz`: whether the server drains is what a load balancer wants to know.
pub fn health(draining: &CancellationToken) -> Response {
    if draining.is_cancelled() {
        (StatusCode::SERVICE_UNAVAILABLE, "draining\n").into_response()
    } else {
        "ok\n".into_response()
    }
}

/// The answer to what is not there.
pub async fn not_found() -> Response {
    (StatusCode::NOT_FOUND, "not found\n").into_response()
}
