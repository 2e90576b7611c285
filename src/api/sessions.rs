//! `GET /sessions?MaxItems=N&Marker=ID`: who is connected, what they play and how far they are; and
//! `DELETE /sessions/ID`, which ends one. A caller sees the viewers of their account's
//! distributions, the operator all; those of others are as if they did not exist. JSON, because it
//! is no call of CloudFront's. Names and applications are shown without their queries, which may
//! hold signatures.
//!
//! Positions and buffers are milliseconds, sizes bytes, times in UTC.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::SystemTime;

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::Serialize;

use super::caller::Caller;
use super::error::ApiError;
use super::query::{Query, argument};
use super::request::{RequestId, version};
use crate::catalog::host::ConnectTarget;
use crate::delivery::session::{ClientId, Session, Showing};

/// What the calls are called where an access key's rights are listed.
const LIST: &str = "streamfront:ListSessions";
const END: &str = "streamfront:EndSession";

/// Who knows the sessions. The server implements it.
pub trait Sessions: Send + Sync + Debug {
    /// At most `most` sessions that the caller may see, ordered by id, behind `after`.
    fn page(&self, caller: &Caller, after: Option<ClientId>, most: usize) -> Vec<Arc<Session>>;

    /// Ends a session that the caller may see. Whether there is one.
    fn end(&self, caller: &Caller, id: ClientId) -> bool;
}

/// A page of sessions.
#[derive(Debug, Serialize)]
struct Page {
    quantity: usize,
    is_truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_marker: Option<String>,
    sessions: Vec<Shown>,
}

/// A session.
#[derive(Debug, Serialize)]
struct Shown {
    id: String,
    peer: String,
    protocol: &'static str,
    distribution: String,
    host: String,
    app: String,
    since: String,
    bytes: u64,
    /// Averaged from the beginning on.
    bytes_per_second: u64,
    #[serde(skip_serializing_if = "String::is_empty")]
    page_url: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    swf_url: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    flash_version: String,
    streams: Vec<Stream>,
}

/// What one stream of it plays.
#[derive(Debug, Serialize)]
struct Stream {
    stream: u32,
    name: String,
    state: &'static str,
    position_ms: i64,
    buffer_ms: u32,
    since: String,
}

impl Shown {
    fn of(session: &Session, now: SystemTime) -> Self {
        let facts = &*session.facts;
        let url = Some(&*facts.tc_url).filter(|url| !url.is_empty());
        let bytes = session.bytes();
        let time = now.duration_since(facts.since).unwrap_or_default();
        let app = facts.app.split('?').next().unwrap_or_default();
        Self {
            id: facts.id.to_string(),
            peer: facts.peer.to_string(),
            protocol: facts.protocol,
            distribution: session.distribution.id().to_string(),
            host: ConnectTarget::host_of(url).unwrap_or_default(),
            app: app.to_owned(),
            since: when(facts.since),
            bytes,
            bytes_per_second: bytes / time.as_secs().max(1),
            page_url: facts.page_url.clone(),
            swf_url: facts.swf_url.clone(),
            flash_version: facts.flash_ver.clone(),
            streams: session.showing().iter().map(|it| Stream::of(it)).collect(),
        }
    }
}

impl Stream {
    fn of(showing: &Showing) -> Self {
        Self {
            stream: showing.item.stream,
            name: showing.item.name.clone(),
            state: showing.state().word(),
            position_ms: showing.position(),
            buffer_ms: showing.buffer(),
            since: when(showing.since),
        }
    }
}

/// A time to the second.
fn when(time: SystemTime) -> String {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    let seconds = since.map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    });
    let time = Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH);
    time.to_string()
}

/// Answers `GET /sessions`.
pub(super) async fn list(
    State(sessions): State<Arc<dyn Sessions>>,
    Extension(caller): Extension<Caller>,
    Extension(id): Extension<RequestId>,
    uri: Uri,
) -> Response {
    match page(&*sessions, &caller, uri.query().unwrap_or_default()) {
        Ok(json) => ([(header::CONTENT_TYPE, "application/json")], json).into_response(),
        Err(error) => error.response(version(uri.path()), id.as_str()),
    }
}

fn page(sessions: &dyn Sessions, caller: &Caller, query: &str) -> Result<String, ApiError> {
    if !caller.may(LIST) {
        return Err(ApiError::denied(&caller.key_id, LIST));
    }
    let query = Query::parse(query)?;
    query.only(&["MaxItems", "Marker"])?;
    let most = query.max_items()?;
    let marker = query.get("Marker").filter(|marker| !marker.is_empty());
    let after = marker.map(|text| {
        let id = ClientId::parse(text);
        id.ok_or_else(|| argument("Marker is the id of a session"))
    });
    // One more tells whether there is another page.
    let mut found = sessions.page(caller, after.transpose()?, most + 1);
    let is_truncated = found.len() > most;
    found.truncate(most);
    let last = found.last().filter(|_| is_truncated);
    let now = SystemTime::now();
    let page = Page {
        quantity: found.len(),
        is_truncated,
        next_marker: last.map(|session| session.facts.id.to_string()),
        sessions: found.iter().map(|it| Shown::of(it, now)).collect(),
    };
    let json = serde_json::to_string(&page).map_err(|error| {
        tracing::error!(%error, "a page of sessions cannot be written");
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        ApiError::new(status, "InternalError", "the page cannot be written")
    })?;
    Ok(json + "\n")
}

/// Answers `DELETE /sessions/ID`.
pub(super) async fn end(
    State(sessions): State<Arc<dyn Sessions>>,
    Extension(caller): Extension<Caller>,
    Extension(request): Extension<RequestId>,
    Path(id): Path<String>,
    uri: Uri,
) -> Response {
    let ended = if !caller.may(END) {
        Err(ApiError::denied(&caller.key_id, END))
    } else if ClientId::parse(&id).is_some_and(|id| sessions.end(&caller, id)) {
        tracing::info!(key_id = &*caller.key_id, session = id, "a session is ended");
        Ok(StatusCode::NO_CONTENT)
    } else {
        let said = "there is no session with this id";
        Err(ApiError::new(StatusCode::NOT_FOUND, "NoSuchSession", said))
    };
    match ended {
        Ok(status) => status.into_response(),
        Err(error) => error.response(version(uri.path()), request.as_str()),
    }
}
