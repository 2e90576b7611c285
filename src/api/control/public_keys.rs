//! Operations on public keys.

use std::sync::Arc;

use super::Call;
use super::reply::Reply;
use crate::api::document::public_key as document;
use crate::api::error::ApiError;
use crate::distribution::record::PublicKeyRecord;
use crate::registry::RegistryError;
use crate::store::Kind;

/// The path of all.
const PATH: &str = "public-key";

pub(super) async fn create(call: &Call<'_>) -> Result<Reply, ApiError> {
    let config = document::read_config(call.body)?;
    let made = call.registry.create_public_key(&call.author, config);
    let record = made.await?;
    Ok(show(call, &record).created(call.version, PATH, &record.head.id))
}

pub(super) fn list(call: &Call<'_>) -> Result<Reply, ApiError> {
    let state = call.registry.state();
    let account = &call.author.account;
    let list = call.page(|marker, most| state.list_public_keys(account, marker, most))?;
    Ok(Reply::document(document::write_list(call.version, &list)))
}

pub(super) fn get(call: &Call<'_>, id: &str) -> Result<Reply, ApiError> {
    Ok(show(call, &*find(call, id)?))
}

pub(super) fn get_config(call: &Call<'_>, id: &str) -> Result<Reply, ApiError> {
    let record = find(call, id)?;
    let document = document::write_config(call.version, &record.config);
    Ok(Reply::versioned(document, &record.head.etag))
}

pub(super) async fn update(call: &Call<'_>, id: &str) -> Result<Reply, ApiError> {
    let config = document::read_config(call.body)?;
    let if_match = call.if_match.as_deref();
    let changed = call
        .registry
        .update_public_key(&call.author, id, if_match, config);
    Ok(show(call, &*changed.await?))
}

fn show(call: &Call<'_>, record: &PublicKeyRecord) -> Reply {
    Reply::versioned(document::write(call.version, record), &record.head.etag)
}

fn find(call: &Call<'_>, id: &str) -> Result<Arc<PublicKeyRecord>, RegistryError> {
    let state = call.registry.state();
    let record = state.public_key_of(&call.author.account, id);
    record
        .cloned()
        .ok_or(RegistryError::NotFound(Kind::PublicKey))
}
