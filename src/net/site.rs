//! Whether the site that a player was loaded from is admitted by the cross-domain policy of the
//! bucket (spec/cloudfront.md, section 2). Switched off unless configured.
//!
//! A player tells two URLs when it connects: that of its program (`swfUrl`) and that of the page
//! around it (`pageUrl`). Each that it tells must be admitted. One that tells none, as ffmpeg, is
//! let in: the policy is about web sites, and who wants to lie can.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use tokio_util::task::AbortOnDropHandle;
use tracing::warn;

use crate::delivery::viewer::Viewer;
use crate::rtmp::command::Connect;
use crate::rtmp::status::Rejection;

/// How long the policy is waited for: half of what a handshake may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// What it comes to.
pub(super) type Check = BoxFuture<'static, Result<(), Rejection>>;

/// Checks the URLs that a connect tells; `None` where it tells none.
pub(super) fn check(viewer: &Viewer, connect: &Connect) -> Option<Check> {
    let told = [connect.swf_url(), connect.page_url()];
    let urls: Vec<String> = told
        .into_iter()
        .filter(|url| !url.is_empty())
        .map(str::to_owned)
        .collect();
    if urls.is_empty() {
        return None;
    }
    let objects = Arc::clone(&viewer.objects);
    let id = Arc::clone(viewer.distribution.id());
    let origin = Arc::clone(&viewer.distribution.terms().origin);
    let asking = async move {
        let asked = tokio::time::timeout(PATIENCE, objects.crossdomain(&id, &origin)).await;
        let own = match asked {
            Ok(Ok(own)) => own,
            Ok(Err(error)) => return Err(unknown(&id, &error.to_string())),
            Err(_) => return Err(unknown(&id, "the bucket does not answer")),
        };
        let admitted = own.is_none_or(|own| urls.iter().all(|url| own.policy.admits_url(url)));
        admitted.then_some(()).ok_or(Rejection::SiteDenied)
    };
    // Away from the threads that deliver.
    let asking = AbortOnDropHandle::new(viewer.background.spawn(asking));
    Some(
        asking
            .map(|asked| asked.unwrap_or(Err(Rejection::SiteUnknown)))
            .boxed(),
    )
}

/// There may be a restrictive one: nobody is let in by mistake.
fn unknown(distribution: &str, cause: &str) -> Rejection {
    warn!(
        distribution,
        cause, "a connect is refused: whether crossdomain.xml admits its site is not known"
    );
    Rejection::SiteUnknown
}
