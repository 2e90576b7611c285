//! Tags of streaming distributions.

use super::Call;
use super::reply::Reply;
use crate::api::document::tags;
use crate::api::error::ApiError;
use crate::registry::{self, RegistryError};

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
    // The id is the last part of an ARN; the rest of it must be the record's, too.
    let id = arn.rsplit('/').next().unwrap_or_default();
    let record = state
        .streaming_of(&call.author.account, id)
        .filter(|record| registry::arn(record) == arn)
        .ok_or(RegistryError::NoResource)?;
    Ok(Reply::document(tags::write(call.version, &record.tags)))
}
