//! The keys of an encrypted connection are agreed on away from the threads that deliver: that takes
//! about a millisecond of computing, in which nobody else would be served.
//!
//! So many at once as there are permits ([`Shared::computing`]), the others wait for their turn
//! within the time of a handshake. Who leaves while they wait leaves the queue. What has begun goes
//! on to its end, and so its permit belongs to the work and not to whoever waits for it.
//!
//! [`Shared::computing`]: crate::net::shared::Shared::computing

use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt};
use tokio_util::task::AbortOnDropHandle;

use super::Connection;
use super::end::End;
use crate::rtmp::handshake::{KeyAgreed, KeyAgreement, REPLY};

/// What comes of it; `None` where it came to nothing: the server ends, or it panicked.
pub(super) type Agreeing = BoxFuture<'static, Option<KeyAgreed>>;

impl Connection<'_> {
    /// Has the keys computed.
    pub(super) fn agree(&mut self, agreement: KeyAgreement) {
        let shared = self.shared;
        if !shared.admits(shared.handshakes.as_ref(), self.peer) {
            self.too_often = true;
            return;
        }
        let permits = Arc::clone(&shared.computing);
        let computing = async move {
            let permit = permits.acquire_owned().await.ok()?;
            let computed = tokio::task::spawn_blocking(move || {
                let _permit = permit;
                agreement.compute()
            });
            computed.await.ok()
        };
        let computing = AbortOnDropHandle::new(shared.routes.background.spawn(computing));
        self.agreeing = Some(computing.map(|agreed| agreed.ok().flatten()).boxed());
    }

    /// Goes on with the handshake.
    pub(super) fn agreed(&mut self, agreed: Option<KeyAgreed>) -> Result<(), End> {
        self.agreeing = None;
        self.server.key_agreed(agreed.ok_or(End::NoKeys)?)?;
        if let Some(cipher) = self.server.take_output_cipher() {
            // Nothing was sent before it, and the first that is sent is the server's half of the
            // handshake.
            self.transport.encipher(cipher, REPLY);
        }
        Ok(())
    }
}
