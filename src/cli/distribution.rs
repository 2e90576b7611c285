//! `streamfront distribution`: makes, shows and changes distributions through the control API.

use anyhow::Context;

use super::control::Access;
use super::control::distributions::Distributions;

mod create;
mod delete;
mod fields;
mod list;
mod show;
mod update;
mod urls;
mod wait;

/// Make, show and change distributions of a running server.
///
/// Talks to the server's API (--api) with the access key in STREAMFRONT_ACCESS_KEY_ID and
/// STREAMFRONT_SECRET_ACCESS_KEY. The AWS CLI and boto3 do the same with the same key.
#[derive(Debug, Clone, clap::Args)]
#[command(after_long_help = "Examples:\n  \
    streamfront distribution create --bucket media --private --cname films.example.com\n  \
    streamfront distribution list --json\n  \
    streamfront distribution update films.example.com --comment 'The films' --no-cname\n  \
    streamfront distribution delete films.example.com --disable")]
pub(super) struct Args {
    #[command(flatten)]
    access: Access,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, clap::Subcommand)]
enum Command {
    Create(Box<create::Args>),
    List(list::Args),
    Show(show::Args),
    Update(Box<update::Args>),
    /// Let no viewers in; those who are connected may watch on for the server's disable_grace.
    Disable(update::Switch),
    /// Let viewers in again.
    Enable(update::Switch),
    Delete(delete::Args),
}

/// Runs `streamfront distribution`.
pub(super) fn run(args: Args) -> anyhow::Result<()> {
    let distributions = Distributions::new(args.access.client()?);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start")?;
    runtime.block_on(async {
        match args.command {
            Command::Create(args) => create::run(&distributions, *args).await,
            Command::List(args) => list::run(&distributions, &args).await,
            Command::Show(args) => show::run(&distributions, &args).await,
            Command::Update(args) => update::run(&distributions, *args).await,
            Command::Disable(args) => update::switch(&distributions, &args, false).await,
            Command::Enable(args) => update::switch(&distributions, &args, true).await,
            Command::Delete(args) => delete::run(&distributions, &args).await,
        }
    })
}
