//! `streamfront distribution create`.

use super::super::control::distributions::Distributions;
use super::{fields, show, wait};
use crate::distribution::host::HostPattern;
use crate::distribution::record::Tags;
use crate::distribution::streaming::{Logging, PriceClass, Signer, StreamingConfig};

/// Make a streaming distribution of a bucket.
///
/// Waits until the server answers for it, and says what to play.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Args {
    /// The bucket: its name, or its domain name (BUCKET.s3.amazonaws.com, or BUCKET.SUFFIX of an
    /// S3 server in the server's configuration).
    #[arg(short, long, value_name = "BUCKET", value_parser = fields::bucket)]
    bucket: String,

    /// Read the bucket with the server's credentials, by an origin access identity that is made for
    /// this once. Without this or --identity it is read anonymously.
    #[arg(long, conflicts_with = "identity")]
    private: bool,

    /// The origin access identity that the bucket is read as.
    #[arg(long, value_name = "ID")]
    identity: Option<String>,

    /// A further name that it answers to, or *.NAME; repeatable.
    #[arg(long, value_name = "NAME", value_parser = fields::cname)]
    cname: Vec<HostPattern>,

    /// What you want to remember of it.
    #[arg(long, value_name = "TEXT", default_value = "")]
    comment: String,

    /// Where its access logs go: a bucket, as with --bucket.
    #[arg(long, value_name = "BUCKET", value_parser = fields::bucket)]
    log_bucket: Option<String>,

    /// What the keys of its logs start with.
    #[arg(long, value_name = "TEXT", default_value = "", requires = "log_bucket")]
    log_prefix: String,

    /// Only signed names may be played, signed by self (your account) or this account; repeatable.
    #[arg(long, value_name = "self|ACCOUNT", value_parser = fields::signer)]
    signer: Vec<Signer>,

    /// 100, 200 or all; kept for your scripts, every edge serves it.
    #[arg(long, value_name = "CLASS", default_value = "all", value_parser = fields::price_class)]
    price_class: PriceClass,

    /// Let no viewers in yet.
    #[arg(long)]
    disabled: bool,

    /// A tag; repeatable.
    #[arg(long, value_name = "KEY=VALUE", value_parser = fields::tag)]
    tag: Vec<(String, String)>,

    /// A word of your own, so that a repeated call makes nothing twice [default: a random one].
    #[arg(long, value_name = "TEXT")]
    reference: Option<String>,

    #[command(flatten)]
    wait: wait::Patience,

    #[command(flatten)]
    output: show::Output,
}

/// Makes a distribution and shows it.
pub(super) async fn run(distributions: &Distributions, args: Args) -> anyhow::Result<()> {
    let identity = match args.identity {
        None if args.private => Some(distributions.own_identity().await?),
        identity => identity,
    };
    let reference = match args.reference {
        Some(reference) => reference,
        None => random_reference()?,
    };
    let config = StreamingConfig {
        caller_reference: reference,
        origin_domain: args.bucket,
        origin_access_identity: identity,
        aliases: args.cname,
        comment: args.comment,
        logging: args.log_bucket.map(|bucket| Logging {
            bucket,
            prefix: args.log_prefix,
        }),
        trusted_signers: args.signer,
        price_class: args.price_class,
        enabled: !args.disabled,
    };
    let tags: Tags = args.tag.into_iter().collect();
    let made = distributions.create(&config, &tags).await?;
    let shown = wait::until_deployed(distributions, made, &args.wait).await?;
    args.output.print(&shown)
}

/// A caller reference that nobody else has.
fn random_reference() -> anyhow::Result<String> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes)?;
    Ok(format!("streamfront-{:016x}", u64::from_le_bytes(bytes)))
}
