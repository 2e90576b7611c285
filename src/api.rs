//! The API port: health, metrics, and what tools may tell the server.
//!
//! It is bound to this machine unless told otherwise, and until requests are signed (the control
//! API with its Signature Version 4 will stand beside these routes) whatever changes something is
//! only for a peer on this machine. What only looks is for whoever reaches the port.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{delete, get};
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::http::port::{self, Bounds};

pub mod caller;
pub mod control;
pub mod document;
pub mod error;
mod local;
mod metrics;
mod purge;
pub mod version;
pub mod xml;

pub use purge::{Purge, Purged, What};

/// Connections at once: a few scrapers and tools.
pub const MAX_CONNECTIONS: u32 = 64;

/// For the head of a request, and between two of them: tools send a head in one packet.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// What the port serves.
#[derive(Debug, Clone)]
pub struct Api {
    /// All metrics.
    pub metrics: Arc<Registry>,
    /// What can be forgotten; without it there is no such call.
    pub cache: Option<Arc<dyn Purge>>,
    /// Cancelled when the server begins to drain: `/healthz` says so from then on.
    pub draining: CancellationToken,
}

/// Serves `api` on `listener` until `shutdown` is cancelled, then lets running requests end.
pub async fn serve(listener: TcpListener, api: Api, shutdown: CancellationToken) {
    let bounds = Bounds {
        header_timeout: HEADER_TIMEOUT,
        max_connections: MAX_CONNECTIONS,
    };
    port::serve(listener, router(api), bounds, shutdown).await;
}

fn router(api: Api) -> Router {
    let calls = api.cache.clone().map_or_else(Router::new, |cache| {
        Router::new()
            .route("/cache", delete(purge::answer))
            .with_state(cache)
    });
    Router::new()
        .route("/healthz", get(health))
        .route("/metrics", get(metrics::answer))
        .with_state(Arc::new(api))
        .merge(calls)
        .fallback(port::not_found)
}

async fn health(State(api): State<Arc<Api>>) -> Response {
    port::health(&api.draining)
}

#[cfg(test)]
mod tests;
