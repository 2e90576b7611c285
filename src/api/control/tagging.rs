//! Tags of streaming distributions.

use super::Call;
use super::reply::Reply;
use crate::api::document::tags;
use crate::api::error::ApiError;
use crate::registry::RegistryError;

pub(super) async fn tag(call: &Call<'_>, arn: &str) -> Result<Reply, ApiError> {
    let tags = tags::read(call.body)?;
    call.registry.tag(&call.author, arn, tags).await?;
    Ok(Reply::nothing())
}

pub(super) async fn untag(call: &Call<'_>, arn: &str) -> Result<Reply, ApiError> {
    let keys = tags::read_keys(call.body)?;
    call.registry.untag(&call.author, arn, keys).await?;
    Ok(Reply::nothing())
}

pub(super) fn list(call: &Call<'_>, arn: &str) -> Result<Reply, ApiError> {
    let state = call.registry.state();
    let record = state.tagged(&call.author.account, arn);
    let record = record.ok_or(RegistryError::NoResource)?;
    Ok(Reply::document(tags::write(call.version, &record.tags)))
}
