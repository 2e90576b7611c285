//! The control API: CloudFront's operations on streaming distributions and what belongs to them,
//! in every dated version (cloudfront.md, section 5.3).
//!
//! A request's method, path and query name an [`Operation`]; the caller must be allowed its
//! actions; then it is one call to the registry and one document. Paths are taken strictly: a slash
//! too many names nothing. Whoever stands before this verified the signature, read the body, and
//! put [`Caller`] and [`RequestId`] beside the request.

mod fault;
mod identities;
mod key_groups;
mod operation;
mod public_keys;
mod query;
mod reply;
mod streaming;
mod tagging;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::Response;
use axum::routing::any;
use axum::{Extension, Router};

use super::caller::Caller;
use super::document::List;
use super::error::ApiError;
use super::request::RequestId;
use super::version::Version;
use crate::registry::{Author, Page, Registry};
use crate::store::Kind;
use operation::Operation;
use query::Query;
use reply::Reply;

/// The routes of the control API: all paths but those of one part that others take.
pub(super) fn routes(registry: Registry) -> Router {
    Router::new()
        .route("/{version}", any(answer))
        .route("/{version}/", any(answer))
        .route("/{version}/{*rest}", any(answer))
        .with_state(registry)
}

async fn answer(
    State(registry): State<Registry>,
    Extension(caller): Extension<Caller>,
    Extension(request): Extension<RequestId>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let (version, path) = split(uri.path());
    let called = async {
        let version = version.ok_or_else(|| no_version(uri.path()))?;
        let query = Query::parse(uri.query().unwrap_or_default())?;
        let operation = Operation::of(&method, version, path, &query)?;
        permit(&caller, &operation)?;
        let call = Call {
            registry: &registry,
            author: Author {
                account: caller.account.clone(),
                version: version.to_string(),
            },
            version,
            if_match: if_match(&headers),
            body: &body,
            query: &query,
        };
        call.run(operation).await
    };
    match called.await {
        Ok(reply) => reply.response(),
        Err(error) => {
            tracing::debug!(%method, path = uri.path(), key = %caller.key_id, %error, "refused");
            error.response(
                &version.unwrap_or(Version::NEWEST).to_string(),
                request.as_str(),
            )
        }
    }
}

/// The version at the start of a path, and what follows its slash.
fn split(path: &str) -> (Option<Version>, &str) {
    let path = path.strip_prefix('/').unwrap_or(path);
    let (version, rest) = path.split_once('/').unwrap_or((path, ""));
    (Version::parse(version), rest)
}

fn no_version(path: &str) -> ApiError {
    let cause = format!("{path:?} does not begin with a version, such as /2020-05-31/");
    ApiError::new(StatusCode::BAD_REQUEST, "InvalidURI", cause)
}

fn permit(caller: &Caller, operation: &Operation) -> Result<(), ApiError> {
    let denied = operation.actions().into_iter().find(|it| !caller.may(it));
    denied.map_or(Ok(()), |action| {
        let cause = format!("the access key {} may not do {action}", caller.key_id);
        Err(ApiError::new(StatusCode::FORBIDDEN, "AccessDenied", cause))
    })
}

/// If-Match; with or without the quotes that HTTP wants and CloudFront never had. What is no ETag
/// at all, or several, is the name of no version.
fn if_match(headers: &HeaderMap) -> Option<String> {
    let mut all = headers.get_all(header::IF_MATCH).iter();
    let first = all.next()?;
    let text = first.to_str().unwrap_or_default().trim();
    let bare = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
        .unwrap_or(text);
    Some(if all.next().is_none() {
        bare.to_owned()
    } else {
        String::new()
    })
}

/// A permitted request.
#[derive(Debug)]
struct Call<'a> {
    registry: &'a Registry,
    author: Author,
    version: Version,
    if_match: Option<String>,
    body: &'a [u8],
    query: &'a Query,
}

impl Call<'_> {
    async fn run(&self, operation: Operation) -> Result<Reply, ApiError> {
        use Operation::{
            Create, CreateWithTags, Delete, Get, GetConfig, List, ListTags, Tag, Untag, Update,
        };
        match operation {
            Create(Kind::Streaming) => streaming::create(self).await,
            Create(Kind::Identity) => identities::create(self).await,
            Create(Kind::PublicKey) => public_keys::create(self).await,
            Create(Kind::KeyGroup) => key_groups::create(self).await,
            CreateWithTags => streaming::create_with_tags(self).await,
            List(Kind::Streaming) => streaming::list(self),
            List(Kind::Identity) => identities::list(self),
            List(Kind::PublicKey) => public_keys::list(self),
            List(Kind::KeyGroup) => key_groups::list(self),
            Get(Kind::Streaming, id) => streaming::get(self, &id),
            Get(Kind::Identity, id) => identities::get(self, &id),
            Get(Kind::PublicKey, id) => public_keys::get(self, &id),
            Get(Kind::KeyGroup, id) => key_groups::get(self, &id),
            GetConfig(Kind::Streaming, id) => streaming::get_config(self, &id),
            GetConfig(Kind::Identity, id) => identities::get_config(self, &id),
            GetConfig(Kind::PublicKey, id) => public_keys::get_config(self, &id),
            GetConfig(Kind::KeyGroup, id) => key_groups::get_config(self, &id),
            Update(Kind::Streaming, id) => streaming::update(self, &id).await,
            Update(Kind::Identity, id) => identities::update(self, &id).await,
            Update(Kind::PublicKey, id) => public_keys::update(self, &id).await,
            Update(Kind::KeyGroup, id) => key_groups::update(self, &id).await,
            Delete(kind, id) => self.delete(kind, &id).await,
            Tag(arn) => tagging::tag(self, &arn).await,
            Untag(arn) => tagging::untag(self, &arn).await,
            ListTags(arn) => tagging::list(self, &arn),
        }
    }

    async fn delete(&self, kind: Kind, id: &str) -> Result<Reply, ApiError> {
        let (author, if_match) = (&self.author, self.if_match.as_deref());
        let registry = self.registry;
        match kind {
            Kind::Streaming => registry.delete_streaming(author, id, if_match).await?,
            Kind::Identity => registry.delete_identity(author, id, if_match).await?,
            Kind::PublicKey => registry.delete_public_key(author, id, if_match).await?,
            Kind::KeyGroup => registry.delete_key_group(author, id, if_match).await?,
        }
        Ok(Reply::nothing())
    }

    /// The page that the query asks for; `page` gives what stands behind a marker.
    fn page<T>(
        &self,
        page: impl FnOnce(Option<&str>, usize) -> Page<T>,
    ) -> Result<List<T>, ApiError> {
        let max_items = self.query.max_items()?;
        let marker = self.query.get("Marker").unwrap_or_default();
        let page = page(Some(marker).filter(|marker| !marker.is_empty()), max_items);
        Ok(List {
            marker: marker.to_owned(),
            next: page.next,
            max_items,
            items: page.items,
        })
    }
}

#[cfg(test)]
mod tests;
