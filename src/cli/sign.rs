//! `streamfront sign`: signs stream names, and says why a signed one is accepted or refused
//! (cloudfront.md, section 3).
//!
//! Nothing is asked of a server: what is signed depends on the name, the key and the clock only.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use jiff::Timestamp;

use crate::access::addresses::Addresses;
use crate::catalog::StreamName;
use crate::config::quantity;
use crate::load::Target;

mod explain;
mod made;
mod private;

/// Sign a stream name, so that it plays from a distribution with trusted signers.
///
/// What is signed is the name without its prefix (`mp4:`), as it stands in the URL, or a pattern.
/// A policy with the fixed text is used where nothing but an end is asked for; it makes the
/// shortest names.
#[derive(Debug, Clone, clap::Args)]
#[command(after_long_help = "Examples:\n  \
    streamfront sign rtmp://films.example.com/cfx/st/mp4:dir/film.mp4 --key private.pem --key-pair-id K2JCJMDEHXQW5F --in 1h\n  \
    streamfront sign mp4:dir/film.mp4 --key private.pem --key-pair-id K2JCJMDEHXQW5F --in 1h --resource 'dir/*' --ip 192.0.2.0/24\n  \
    streamfront sign --explain 'rtmp://films.example.com/cfx/st/mp4:dir/film.mp4?Expires=...' --public-key public.pem")]
pub(super) struct Args {
    // Not a comment of documentation: there the brackets would be a link.
    #[arg(
        value_name = "NAME|URL",
        help = "What shall play: a stream name, or rtmp://HOST[:PORT]/APP/NAME"
    )]
    name: String,

    /// The application, where the URL alone does not tell it (APP, or APP/INSTANCE).
    #[arg(long, value_name = "APP")]
    app: Option<String>,

    /// The private key, PEM: RSA (PKCS#1 or PKCS#8), or EC P-256 (PKCS#8).
    #[arg(long, value_name = "FILE", required_unless_present = "explain")]
    key: Option<PathBuf>,

    /// The id of the public key that belongs to it.
    #[arg(long, value_name = "ID", required_unless_present = "explain")]
    key_pair_id: Option<String>,

    /// Until when it plays: seconds since 1970, or a time such as 2030-01-01T00:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = time, conflicts_with = "in")]
    expires: Option<Timestamp>,

    /// For how long it plays, from now on: 10m, 1h, 7d.
    #[arg(id = "in", long = "in", value_name = "TIME", value_parser = quantity::duration, required_unless_present_any = ["explain", "expires"])]
    within: Option<Duration>,

    /// From when on it plays, as --expires.
    #[arg(long, value_name = "TIME", value_parser = time)]
    from: Option<Timestamp>,

    /// From which addresses it plays: 192.0.2.1, 192.0.2.0/24, 2001:db8::/32.
    #[arg(long, value_name = "CIDR")]
    ip: Option<Addresses>,

    /// What is signed instead of the name: a pattern in which * stands for any characters and ? for
    /// one.
    #[arg(long, value_name = "PATTERN")]
    resource: Option<String>,

    /// A parameter of your own in the name; may be given several times.
    #[arg(long, value_name = "NAME=VALUE")]
    own: Vec<String>,

    /// Hash with SHA-256. RSA keys use SHA-1 otherwise, as CloudFront did; EC keys never do.
    #[arg(long)]
    sha256: bool,

    /// Say step by step what is signed, and why it is accepted or refused.
    #[arg(long)]
    explain: bool,

    /// The public key, PEM, for --explain.
    #[arg(long, value_name = "FILE", requires = "explain")]
    public_key: Option<PathBuf>,

    /// The viewer's address, for --explain.
    #[arg(long, value_name = "ADDRESS", requires = "explain")]
    peer: Option<std::net::IpAddr>,

    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What is to be signed or explained: a name, and the server where one was given.
#[derive(Debug)]
struct Subject {
    target: Option<Target>,
    /// As the player sends it.
    play: String,
    name: StreamName,
}

/// Runs `streamfront sign`.
pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let subject = Subject::parse(args)?;
    if args.explain {
        return explain::run(args, &subject);
    }
    let made = made::make(args, &subject)?;
    let text = if args.json {
        serde_json::to_string_pretty(&made)?
    } else {
        made.to_string()
    };
    writeln!(io::stdout(), "{text}").context("cannot write")
}

impl Subject {
    fn parse(args: &Args) -> anyhow::Result<Self> {
        let target = args.name.contains("://");
        let target = target.then(|| Target::parse(&args.name, args.app.as_deref()));
        let target = target.transpose().map_err(super::wrong_argument)?;
        let play = target.as_ref().map_or(&args.name, |target| &target.name);
        let name = StreamName::parse("", play).map_err(super::wrong_argument)?;
        Ok(Self {
            play: play.clone(),
            target,
            name,
        })
    }
}

/// A time: seconds since 1970, or RFC 3339.
fn time(text: &str) -> Result<Timestamp, String> {
    let seconds = text.parse().ok();
    let seconds = seconds.and_then(|seconds| Timestamp::from_second(seconds).ok());
    seconds.or_else(|| text.parse().ok()).ok_or_else(|| {
        format!("{text:?} is neither seconds since 1970 nor a time such as 2030-01-01T00:00:00Z")
    })
}
