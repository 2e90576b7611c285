//! `streamfront purge`: lets a running server forget what it has cached.

use std::io::{self, Write};

use anyhow::Context;
use hyper::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::control::Access;

/// Let a running server forget what it has cached of an object, or of many.
///
/// The next play reads the bucket anew. Plays under way go on with what they have.
#[derive(Debug, Clone, clap::Args)]
#[command(after_long_help = "Examples:\n  \
    streamfront purge --key dir/film.mp4\n  \
    streamfront purge --prefix dir/ --distribution films\n  \
    streamfront purge --prefix ''                          everything")]
pub(super) struct Args {
    #[command(flatten)]
    what: What,

    /// Only of the distribution with this id [default: of all].
    #[arg(long, value_name = "ID")]
    distribution: Option<String>,

    #[command(flatten)]
    access: Access,
}

#[derive(Debug, Clone, clap::Args)]
#[group(required = true, multiple = false)]
struct What {
    /// The object with this key.
    #[arg(long, value_name = "KEY")]
    key: Option<String>,

    /// Every object whose key begins so; an empty one: all.
    #[arg(long, value_name = "PREFIX")]
    prefix: Option<String>,
}

/// What the server answers.
#[derive(Debug, Deserialize)]
struct Purged {
    objects: u64,
    durable: bool,
}

/// Runs `streamfront purge`.
pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let client = args.access.client()?;
    let target = target(args);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start")?;
    let answer = runtime.block_on(client.send(Method::DELETE, &target, None, String::new()))?;
    let purged: Purged =
        serde_json::from_slice(&answer.body).context("the server's answer cannot be understood")?;
    let lasting = if purged.durable {
        ""
    } else {
        "; the disk cache keeps it, if there is one, for after a restart"
    };
    writeln!(
        io::stdout(),
        "forgotten; objects that were in use or known: {}{lasting}",
        purged.objects
    )?;
    Ok(())
}

/// Path and query of the request.
fn target(args: &Args) -> String {
    let part = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let mut query = match (&args.what.key, &args.what.prefix) {
        (Some(key), _) => format!("key={}", part(key)),
        (None, prefix) => format!("prefix={}", part(prefix.as_deref().unwrap_or_default())),
    };
    if let Some(id) = &args.distribution {
        query.push_str(&format!("&distribution={}", part(id)));
    }
    format!("/cache?{query}")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Only {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn what_is_named_is_asked_for() {
        let read = |args: &[&str]| {
            let args = std::iter::once("purge").chain(args.iter().copied());
            Only::try_parse_from(args).map(|only| target(&only.args))
        };
        assert_eq!(
            read(&["--key", "a b/ü"]).unwrap(),
            "/cache?key=a%20b%2F%C3%BC"
        );
        assert_eq!(
            read(&["--prefix", "", "--distribution", "x-1"]).unwrap(),
            "/cache?prefix=&distribution=x%2D1"
        );
        assert!(read(&[]).is_err());
        assert!(read(&["--key", "a", "--prefix", "b"]).is_err());
    }
}
