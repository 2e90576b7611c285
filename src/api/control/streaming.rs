//! Operations on streaming distributions.

use std::sync::Arc;

use super::Call;
use super::reply::Reply;
use crate::api::document::streaming::StreamingDocument;
use crate::api::document::{streaming_config, summary};
use crate::api::error::ApiError;
use crate::distribution::StreamingConfig;
use crate::distribution::record::{StreamingRecord, Tags};
use crate::registry::RegistryError;
use crate::store::Kind;

/// The path of all.
const PATH: &str = "streaming-distribution";

pub(super) async fn create(call: &Call<'_>) -> Result<Reply, ApiError> {
    let config = streaming_config::read(call.version, call.body)?;
    make(call, config, Tags::new()).await
}

pub(super) async fn create_with_tags(call: &Call<'_>) -> Result<Reply, ApiError> {
    let (config, tags) = streaming_config::read_with_tags(call.version, call.body)?;
    make(call, config, tags).await
}

async fn make(call: &Call<'_>, config: StreamingConfig, tags: Tags) -> Result<Reply, ApiError> {
    let repeat = call.version.repeat();
    let made = call
        .registry
        .create_streaming(&call.author, config, tags, repeat);
    let record = made.await?;
    Ok(show(call, &record).created(call.version, PATH, &record.head.id))
}

pub(super) fn list(call: &Call<'_>) -> Result<Reply, ApiError> {
    let state = call.registry.state();
    let account = &call.author.account;
    let list = call.page(|marker, most| state.list_streaming(account, marker, most))?;
    Ok(Reply::document(summary::write(call.version, &state, &list)))
}

pub(super) fn get(call: &Call<'_>, id: &str) -> Result<Reply, ApiError> {
    Ok(show(call, &*find(call, id)?))
}

pub(super) fn get_config(call: &Call<'_>, id: &str) -> Result<Reply, ApiError> {
    let record = find(call, id)?;
    let document = streaming_config::write(call.version, &record.config);
    Ok(Reply::versioned(document, &record.head.etag))
}

pub(super) async fn update(call: &Call<'_>, id: &str) -> Result<Reply, ApiError> {
    let config = streaming_config::read(call.version, call.body)?;
    let if_match = call.if_match.as_deref();
    let changed = call
        .registry
        .update_streaming(&call.author, id, if_match, config);
    Ok(show(call, &*changed.await?))
}

fn show(call: &Call<'_>, record: &StreamingRecord) -> Reply {
    let document = StreamingDocument::of(&call.registry.state(), record);
    Reply::versioned(document.write(call.version), &record.head.etag)
}

fn find(call: &Call<'_>, id: &str) -> Result<Arc<StreamingRecord>, RegistryError> {
    let state = call.registry.state();
    let record = state.streaming_of(&call.author.account, id);
    record
        .cloned()
        .ok_or(RegistryError::NotFound(Kind::Streaming))
}
