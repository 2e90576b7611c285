//! A port that speaks HTTP/1: accepts, bounds what a connection may take, and hands requests to a
//! router. The public port and the control API stand on it.
//!
//! Whoever can reach a port may connect, so connections, handshakes, heads, idle time and life are
//! bounded.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Header lines of a request: browsers send some 20.
pub(super) const MAX_HEADERS: usize = 64;

/// Bytes of a request's head: browsers send below 2 KiB. (8 KiB is the least that hyper takes.)
pub(super) const MAX_HEAD: usize = 8 * 1024;

/// How long a connection may live in all: every answer is small, so that only those who do not
/// read keep one longer.
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

/// Serves `router` on `listener` until `shutdown` is cancelled, then lets running requests end;
/// with `tls` by TLS and nothing else.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    bounds: Bounds,
    tls: Option<Arc<ServerConfig>>,
    shutdown: CancellationToken,
) {
    let slots = Arc::new(Semaphore::new(
        usize::try_from(bounds.max_connections)
            .unwrap_or(usize::MAX)
            .min(Semaphore::MAX_PERMITS),
    ));
    let tasks = TaskTracker::new();
    let tls = tls.map(TlsAcceptor::from);
    while let Some((socket, peer, slot)) = next(&listener, &slots, &shutdown).await {
        let router = router.clone().layer(Extension(Peer(peer)));
        let connection = connection(
            socket,
            tls.clone(),
            router,
            bounds.header_timeout,
            shutdown.clone(),
        );
        tasks.spawn(async move {
            let _slot = slot;
            connection.await;
        });
    }
    tasks.close();
    tasks.wait().await;
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

/// The next connection and its slot, or `None` at shutdown.
async fn next(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
    shutdown: &CancellationToken,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let accepted = async {
        let slot = Arc::clone(slots).acquire_owned().await.ok()?;
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
    shutdown.run_until_cancelled(accepted).await.flatten()
}

/// One connection, from the handshake on.
async fn connection(
    socket: TcpStream,
    tls: Option<TlsAcceptor>,
    router: Router,
    header_timeout: Duration,
    shutdown: CancellationToken,
) {
    let whole = async {
        match tls {
            None => requests(socket, router, header_timeout, &shutdown).await,
            Some(tls) => {
                let shaken = tokio::time::timeout(header_timeout, tls.accept(socket));
                match shutdown.run_until_cancelled(shaken).await {
                    Some(Ok(Ok(stream))) => {
                        requests(stream, router, header_timeout, &shutdown).await;
                    }
                    Some(Ok(Err(error))) => tracing::debug!(%error, "a TLS handshake failed"),
                    Some(Err(_)) => tracing::debug!("a TLS handshake took too long"),
                    None => {}
                }
            }
        }
    };
    if tokio::time::timeout(LONGEST_LIFE + LAST_ANSWER, whole)
        .await
        .is_err()
    {
        tracing::debug!("an HTTP connection was kept too long");
    }
}

async fn requests(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    router: Router,
    header_timeout: Duration,
    shutdown: &CancellationToken,
) {
    let service = TowerToHyperService::new(router);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let end = tokio::select! {
        end = connection.as_mut() => end,
        () = async {
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = tokio::time::sleep(LONGEST_LIFE) => {}
            }
        } => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = end {
        // Whatever clients do wrong; nobody has to act on it.
        tracing::debug!(%error, "an HTTP connection failed");
    }
}
