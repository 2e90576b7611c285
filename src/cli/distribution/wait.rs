//! Waits until the server serves what was asked for.

use std::io::{self, Write};
use std::time::Duration;

use anyhow::bail;
use tokio::time::{Instant, sleep};

use super::super::control::distributions::{Described, Distributions};
use crate::config::quantity;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(200);

/// Said when it takes longer than this.
const LONG: Duration = Duration::from_secs(2);

/// How long to wait.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Patience {
    /// How long to wait until the server serves it; 0s: not at all.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = quantity::duration)]
    wait: Duration,
}

/// The distribution as it is when the server serves it.
///
/// # Errors
/// It does not within the time.
pub(super) async fn until_deployed(
    distributions: &Distributions,
    mut it: Described,
    patience: &Patience,
) -> anyhow::Result<Described> {
    let start = Instant::now();
    let mut told = false;
    while !patience.wait.is_zero() && !it.is_deployed() {
        if start.elapsed() >= patience.wait {
            bail!(
                "{} is not deployed after {} s: see the server's log, or look again with \
                 `streamfront distribution show {}`",
                it.head.id,
                patience.wait.as_secs(),
                it.head.id
            );
        }
        if !told && start.elapsed() >= LONG {
            told = true;
            let _ = writeln!(io::stderr(), "waiting until {} is deployed …", it.head.id);
        }
        sleep(PAUSE).await;
        it = distributions.get(&it.head.id).await?;
    }
    Ok(it)
}
