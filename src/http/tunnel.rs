//! The tunnel's HTTP: reads a request of RTMPT, hands it to its session, and answers (rtmp.md,
//! section 5).
//!
//! A reply has a `Content-Length` and is never in chunks, because librtmp reads nothing else.
//! Whatever is wrong is answered with a status other than 200, which ends every player. The probes
//! of Flash (`/fcs/ident2`) get a 404 and keep the connection, as CloudFront's did (cloudfront.md
//! 1.1): an answer would send the player to another address than the one it knows.

mod forwarded;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{self, Body, HttpBody};
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode, Version, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use super::port::{self, Hold, Peer};
use crate::net::proxy::TrustedProxies;
use crate::net::tunnel::{Refused, Tunnels};
use crate::rtmp::tunnel::{self, BODY_MAX, Fault, Incoming, TunnelId};

/// What players and proxies expect, and what keeps caches away.
const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("application/x-fcs");

/// The tunnel as the port serves it.
#[derive(Debug, Clone)]
pub struct Entrance {
    /// The sessions.
    pub tunnels: Arc<Tunnels>,
    /// Whom to believe who a viewer is.
    pub proxies: TrustedProxies,
    /// For the body of a request to arrive.
    pub body_timeout: Duration,
}

/// Answers a request, if it is one of the tunnel's.
pub(super) async fn answer(entrance: Option<&Entrance>, request: Request<Body>) -> Response {
    let parsed = tunnel::Request::parse(request.method().as_str(), request.uri().path());
    let (Some(entrance), Some(parsed)) = (entrance, parsed) else {
        return port::not_found().await;
    };
    let (parts, body) = request.into_parts();
    let keeps = keeps_alive(parts.version, &parts.headers);
    let hold = parts.extensions.get::<Arc<Hold>>();
    // Also where nobody looks at it: what is not read ends the connection.
    let body = match entrance.body(body).await {
        Ok(body) => body,
        Err(status) => return status.into_response(),
    };
    match parsed {
        tunnel::Request::Ident => port::not_found().await,
        tunnel::Request::Open => {
            let Some(Peer(peer)) = parts.extensions.get().copied() else {
                return StatusCode::INTERNAL_SERVER_ERROR.into_response();
            };
            let viewer = forwarded::viewer(peer, &parts.headers, &entrance.proxies);
            entrance.open(viewer, hold, keeps)
        }
        tunnel::Request::Within { id, kind, number } => {
            let request = Incoming { kind, number, body };
            entrance.within(id, request, hold, keeps).await
        }
    }
}

impl Entrance {
    async fn body(&self, body: Body) -> Result<Bytes, StatusCode> {
        // What is announced as too large is not waited for.
        if usize::try_from(body.size_hint().lower()).is_ok_and(|announced| announced > BODY_MAX) {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        match tokio::time::timeout(self.body_timeout, body::to_bytes(body, BODY_MAX)).await {
            Ok(Ok(body)) => Ok(body),
            Ok(Err(_)) => Err(StatusCode::PAYLOAD_TOO_LARGE),
            Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
        }
    }

    fn open(&self, viewer: SocketAddr, hold: Option<&Arc<Hold>>, keeps: bool) -> Response {
        match self.tunnels.open(viewer) {
            Ok((id, session)) => {
                let lasts = hold.is_none_or(|hold| hold.carry(&session));
                reply(format!("{id}\n").into(), keeps && lasts)
            }
            Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        }
    }

    async fn within(
        &self,
        id: TunnelId,
        request: Incoming,
        hold: Option<&Arc<Hold>>,
        keeps: bool,
    ) -> Response {
        let Some(session) = self.tunnels.get(id) else {
            return port::not_found().await;
        };
        let lasts = hold.is_none_or(|hold| hold.carry(&session));
        match session.request(request).await {
            Ok(body) => reply(body, keeps && lasts),
            Err(refused) => {
                tracing::debug!(?id, %refused, "a request of a tunnel is not served");
                status(refused).into_response()
            }
        }
    }
}

fn status(refused: Refused) -> StatusCode {
    match refused {
        Refused::Ended | Refused::Fault(Fault::Closed) => StatusCode::NOT_FOUND,
        Refused::Fault(Fault::TooMuch) => StatusCode::PAYLOAD_TOO_LARGE,
        Refused::Fault(Fault::Overdue) => StatusCode::REQUEST_TIMEOUT,
        Refused::Fault(Fault::Behind | Fault::Ahead) => StatusCode::CONFLICT,
        Refused::TooMany | Refused::Scarce => StatusCode::SERVICE_UNAVAILABLE,
    }
}

fn reply(body: Bytes, keep_alive: bool) -> Response {
    let connection = if keep_alive { "keep-alive" } else { "close" };
    let headers = [
        (header::CONTENT_TYPE, CONTENT_TYPE),
        (header::CONNECTION, HeaderValue::from_static(connection)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (headers, body).into_response()
}

/// Whether the client wants to send more on this connection (RFC 9112, section 9.3).
fn keeps_alive(version: Version, headers: &HeaderMap) -> bool {
    let says = |word: &str| {
        let values = headers.get_all(header::CONNECTION).into_iter();
        let mut options = values
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','));
        options.any(|option| option.trim().eq_ignore_ascii_case(word))
    };
    !says("close") && (version >= Version::HTTP_11 || says("keep-alive"))
}

#[cfg(test)]
mod tests;
