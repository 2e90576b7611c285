//! Purges, from the API to the catalog.

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt};

use crate::api::{self, Purged, What};
use crate::catalog::{Objects, Purge};

/// The objects of all distributions, to be forgotten by name.
#[derive(Debug)]
pub(super) struct Purges {
    /// The distributions that there are.
    pub(super) ids: HashSet<String>,
    pub(super) objects: Arc<Objects>,
}

impl api::Purge for Purges {
    fn purge<'a>(
        &'a self,
        distribution: Option<&'a str>,
        what: &'a What,
    ) -> BoxFuture<'a, Option<Purged>> {
        async move {
            if distribution.is_some_and(|id| !self.ids.contains(id)) {
                return None;
            }
            let what = match what {
                What::Key(key) => Purge::Key(key.clone()),
                What::Prefix(prefix) => Purge::Prefix(prefix.clone()),
            };
            let purged = self.objects.purge(distribution, what).await;
            Some(Purged {
                objects: purged.objects as u64,
                durable: purged.durable,
            })
        }
        .boxed()
    }
}
