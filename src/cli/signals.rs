//! SIGTERM and Ctrl-C: the first asks the server to drain and stop, the second ends it at once.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// What the signals ask for.
#[derive(Debug, Clone, Default)]
pub(super) struct Stop {
    /// Cancelled by the first: stop when what runs has ended.
    pub(super) soon: CancellationToken,
    /// Cancelled by the second: stop now.
    pub(super) now: CancellationToken,
}

/// Listens for SIGTERM and SIGINT from now on, in a task.
///
/// # Errors
/// The system does not let this process listen for signals.
pub(super) fn listen() -> io::Result<Stop> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stop = Stop::default();
    let cancel = stop.clone();
    tokio::spawn(async move {
        either(&mut terminate, &mut interrupt).await;
        tracing::info!("stopping; once more stops at once");
        cancel.soon.cancel();
        either(&mut terminate, &mut interrupt).await;
        cancel.now.cancel();
    });
    Ok(stop)
}

async fn either(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
