//! The API port: health and metrics for whoever reaches it, and behind a signature what tools may
//! tell the server.
//!
//! It is bound to this machine unless told otherwise. Without any access key there is nothing but
//! health and metrics. Each answer has an id in `x-amzn-RequestId`, and errors come in the envelope
//! that the AWS tools read ([`error`]).

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get};
use axum::{Extension, Router, middleware};
use prometheus_client::registry::Registry as Metrics;
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::http::port::{self, Bounds, Port};
use crate::registry::Registry;

mod auth;
pub mod caller;
mod control;
pub mod diagnose;
pub mod document;
pub mod error;
pub mod keys;
mod metrics;
mod purge;
mod query;
mod refusals;
pub mod request;
mod sessions;
pub mod version;
pub mod xml;

pub use keys::{AccessKey, Keys, Secret};
pub use purge::{Purge, Purged, What};
pub use request::RequestId;
pub use sessions::Sessions;

use auth::Gate;
use diagnose::Diagnose;
use error::ApiError;

/// Connections at once: scrapers, and tools that keep some ten each.
pub const MAX_CONNECTIONS: u32 = 256;

/// For the head of a request, and between two of them: tools send a head in one packet.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// What the port serves.
#[derive(Debug, Clone)]
pub struct Api {
    /// All metrics.
    pub metrics: Arc<Metrics>,
    /// The distributions, where they can be changed by calls.
    pub registry: Option<Registry>,
    /// What can be forgotten.
    pub cache: Arc<dyn Purge>,
    /// Who is connected.
    pub sessions: Arc<dyn Sessions>,
    /// Who can tell why something does not play.
    pub diagnosis: Arc<dyn Diagnose>,
    /// Where players connect: told to tools, so that they can say what to type.
    pub players: Players,
    /// Who may call.
    pub keys: Keys,
    /// Whether signatures over the Date alone count.
    pub legacy_signatures: bool,
    /// The certificate; without one the port speaks plain HTTP.
    pub tls: Option<Arc<ServerConfig>>,
    /// Cancelled when the server begins to drain: `/healthz` says so from then on.
    pub draining: CancellationToken,
}

/// Where players connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Players {
    /// The port.
    pub port: u16,
    /// The application of distributions that the API makes.
    pub app: String,
}

/// The header that tells the port, in answers to signed requests.
pub const PORT_HEADER: HeaderName = HeaderName::from_static("x-streamfront-rtmp-port");

/// The header that tells the application.
pub const APP_HEADER: HeaderName = HeaderName::from_static("x-streamfront-app");

impl Players {
    /// Tells it in an answer.
    fn tell(&self, answer: &mut Response) {
        let headers = answer.headers_mut();
        headers.insert(PORT_HEADER, self.port.into());
        if let Ok(app) = HeaderValue::from_str(&self.app) {
            headers.insert(APP_HEADER, app);
        }
    }
}

/// Serves `api` on `listener` until `shutdown` is cancelled, then lets running requests end.
pub async fn serve(listener: TcpListener, api: Api, shutdown: CancellationToken) {
    let bounds = Bounds {
        header_timeout: HEADER_TIMEOUT,
        max_connections: MAX_CONNECTIONS,
    };
    let tls = api.tls.clone();
    let port = Port::new(router(api), bounds, shutdown);
    port.accept(listener, tls).await;
}

fn router(api: Api) -> Router {
    let behind = if api.keys.is_empty() {
        Router::new().fallback(closed)
    } else {
        let gate = Gate::new(api.keys.clone(), api.legacy_signatures);
        let players = api.players.clone();
        let tell = move |mut answer: Response| {
            players.tell(&mut answer);
            std::future::ready(answer)
        };
        calls(&api)
            .layer(middleware::map_response(tell))
            .layer(middleware::from_fn_with_state(Arc::new(gate), auth::check))
    };
    Router::new()
        .route("/healthz", get(health))
        .route("/metrics", get(metrics::answer))
        .with_state(Arc::new(api))
        .merge(behind)
        .layer(middleware::from_fn(request::stamp))
}

/// What needs a signature.
fn calls(api: &Api) -> Router {
    let control = api.registry.clone().map(control::routes);
    let diagnose = Router::new()
        .route("/diagnose", get(diagnose::answer))
        .with_state(Arc::clone(&api.diagnosis));
    let sessions = Router::new()
        .route("/sessions", get(sessions::list))
        .route("/sessions/{id}", delete(sessions::end))
        .with_state(Arc::clone(&api.sessions));
    Router::new()
        .route("/cache", delete(purge::answer))
        .with_state(Arc::clone(&api.cache))
        .merge(diagnose)
        .merge(sessions)
        .merge(control.unwrap_or_default())
        .fallback(unknown)
        .method_not_allowed_fallback(not_so)
}

async fn health(State(api): State<Arc<Api>>) -> Response {
    port::health(&api.draining)
}

/// The answer where there is no key.
async fn closed() -> Response {
    let said = "no access key is configured, so there is nothing here but /healthz and /metrics\n";
    (StatusCode::NOT_FOUND, said).into_response()
}

/// The answer to what there is no call for.
async fn unknown(Extension(id): Extension<RequestId>, uri: Uri) -> Response {
    let error = ApiError::new(
        StatusCode::BAD_REQUEST,
        "InvalidURI",
        "there is no call with this path",
    );
    error.response(request::version(uri.path()), id.as_str())
}

/// The answer to a method that a path does not have.
async fn not_so(Extension(id): Extension<RequestId>, method: Method, uri: Uri) -> Response {
    let error = ApiError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "MethodNotAllowed",
        format!("this path has no {method}"),
    );
    error.response(request::version(uri.path()), id.as_str())
}

#[cfg(test)]
mod tests;
