//! `streamfront diagnose`: walks from a URL to the first picture, and says of each step whether it
//! holds.
//!
//! The player's steps (name, port, handshake, connect, play) are taken as any player takes them.
//! What a player cannot see (which distribution, bucket, object, container, access) the server
//! itself is asked, through its API, where there is an access key.

use std::io::{self, Write};
use std::time::Duration;

use anyhow::{Context, bail};

use super::control::Access;
use crate::api::diagnose::{Finding, Verdict};
use crate::config::quantity;
use crate::load::Target;

mod player;
mod server;

/// Find out why something does not play, step by step.
///
/// Ends with 0 when all that was looked at holds, and with 1 when something does not.
#[derive(Debug, Clone, clap::Args)]
#[command(after_long_help = "Examples:\n  \
    streamfront diagnose rtmp://films.example.com/cfx/st/mp4:dir/film.mp4\n  \
    streamfront diagnose rtmp://films.example.com/cfx/st/mp4:dir/film.mp4 --connect 127.0.0.1")]
pub(super) struct Args {
    // Not a comment of documentation: there the brackets would be a link.
    #[arg(
        value_name = "URL",
        help = "What does not play: rtmp://HOST[:PORT]/APP/NAME"
    )]
    url: String,

    /// The application, where the URL alone does not tell it (APP, or APP/INSTANCE).
    #[arg(long, value_name = "APP")]
    app: Option<String>,

    /// Connect to this host or address instead, and ask it for the URL's host.
    #[arg(long, value_name = "HOST[:PORT]")]
    connect: Option<String>,

    /// How long each step may take.
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = quantity::duration)]
    timeout: Duration,

    /// Do not ask the server itself, even where there is an access key.
    #[arg(long)]
    no_api: bool,

    /// Print JSON.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    access: Access,
}

/// Runs `streamfront diagnose`.
pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start")?;
    let findings = runtime.block_on(walk(args))?;
    print(&findings, args.json)?;
    // What plays plays, whatever a server says that may not even be the one that was played from.
    let plays = |it: &Finding| it.step == "play" && it.verdict == Verdict::Holds;
    let wrong = findings.iter().find(|it| it.verdict == Verdict::Wrong);
    match wrong {
        Some(wrong) if !findings.iter().any(plays) => {
            bail!("it does not play: {} does not hold", wrong.step)
        }
        _ => Ok(()),
    }
}

/// All steps, in the order in which a play takes them.
async fn walk(args: &Args) -> anyhow::Result<Vec<Finding>> {
    let target = Target::parse(&args.url, args.app.as_deref()).map_err(super::wrong_argument)?;
    let place = match &args.connect {
        Some(place) => player::Place::parse(place, target.port),
        None => player::Place::of(&target),
    };
    let mut findings = Vec::new();
    let connected = player::connect(&target, &place, args.timeout, &mut findings).await;
    server::ask(args, &target, &mut findings).await;
    match connected {
        Some(connected) => findings.push(connected.play(&target.name, args.timeout).await),
        None => findings.push(Finding::unknown(
            "play",
            "there is no connection to play on",
        )),
    }
    Ok(findings)
}

fn print(findings: &[Finding], json: bool) -> io::Result<()> {
    let text = if json {
        serde_json::to_string_pretty(findings)?
    } else {
        let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
        lines.join("\n")
    };
    writeln!(io::stdout(), "{text}")
}
