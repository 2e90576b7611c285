//! Purges, from the API to the catalog.

use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt};

use crate::api::{self, Purged, What};
use crate::catalog::Purge;
use crate::net::shared::Shared;

/// The objects of all distributions, to be forgotten by name.
#[derive(Debug)]
pub(super) struct Purges(pub(super) Arc<Shared>);

impl api::Purge for Purges {
    fn purge<'a>(
        &'a self,
        distribution: Option<&'a str>,
        what: &'a What,
    ) -> BoxFuture<'a, Option<Purged>> {
        async move {
            let routes = &self.0.routes;
            if distribution.is_some_and(|id| !routes.table().ids.contains_key(id)) {
                return None;
            }
            let what = match what {
                What::Key(key) => Purge::Key(key.clone()),
                What::Prefix(prefix) => Purge::Prefix(prefix.clone()),
            };
            let purged = routes.objects.purge(distribution, what).await;
            Some(Purged {
                objects: purged.objects as u64,
                durable: purged.durable,
            })
        }
        .boxed()
    }
}
