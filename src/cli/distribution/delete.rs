//! `streamfront distribution delete`.

use std::io::{self, Write};

use anyhow::bail;

use super::super::control::distributions::Distributions;
use super::{update, wait};

/// Delete a distribution. It has to be disabled first.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Args {
    /// Its id, its domain name, or one of its CNAMEs.
    #[arg(value_name = "ID|NAME")]
    which: String,

    /// Disable it first, where it is enabled.
    #[arg(long)]
    disable: bool,

    #[command(flatten)]
    wait: wait::Patience,
}

/// Deletes a distribution.
pub(super) async fn run(distributions: &Distributions, args: &Args) -> anyhow::Result<()> {
    let mut it = distributions.find(&args.which).await?;
    if it.config.enabled {
        if !args.disable {
            bail!(
                "{} is enabled: viewers may be playing. `--disable` disables it first",
                it.head.id
            );
        }
        it = update::set_enabled(distributions, it, false).await?;
    }
    let it = wait::until_deployed(distributions, it, &args.wait).await?;
    distributions.delete(&it).await?;
    writeln!(io::stdout(), "{} is deleted", it.head.id)?;
    Ok(())
}
