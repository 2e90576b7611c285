//! The cross-domain policies that are in the buckets of the distributions, for the HTTP port.

use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt};

use crate::http::{Own, Policies};
use crate::net::shared::Shared;

/// The policies of all distributions, by host.
#[derive(Debug)]
pub(super) struct BucketPolicies(pub(super) Arc<Shared>);

impl Policies for BucketPolicies {
    fn policy_for<'a>(&'a self, host: &'a str, look: bool) -> BoxFuture<'a, Own> {
        async move {
            let routes = &self.0.routes;
            let Some(route) = routes.lookup(host) else {
                return Own::NoDistribution;
            };
            let terms = route.served.terms();
            if !terms.enabled {
                return Own::NoDistribution;
            }
            let origin = Arc::clone(&terms.origin);
            drop(terms);
            if !look {
                return Own::Nothing;
            }
            match routes.objects.crossdomain(route.served.id(), &origin).await {
                Ok(Some(own)) => Own::File(own.file.clone()),
                Ok(None) => Own::Nothing,
                Err(error) => Own::Unknown(error.to_string()),
            }
        }
        .boxed()
    }
}
