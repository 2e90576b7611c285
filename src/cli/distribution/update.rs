//! `streamfront distribution update`, `disable` and `enable`: what is not named stays as it is.

use super::super::control::distributions::{Described, Distributions};
use super::{fields, show, wait};
use crate::distribution::host::HostPattern;
use crate::distribution::streaming::{Logging, PriceClass, Signer, StreamingConfig};

/// Change a distribution. What no flag names stays as it is; the bucket cannot be changed.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Args {
    /// Its id, its domain name, or one of its CNAMEs.
    #[arg(value_name = "ID|NAME")]
    which: String,

    /// Its further names from now on, all of them; repeatable.
    #[arg(long, value_name = "NAME", value_parser = fields::cname)]
    cname: Vec<HostPattern>,

    /// No further names.
    #[arg(long, conflicts_with = "cname")]
    no_cname: bool,

    /// What you want to remember of it.
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,

    /// The origin access identity that the bucket is read as.
    #[arg(long, value_name = "ID")]
    identity: Option<String>,

    /// Read the bucket with the server's credentials, as with create.
    #[arg(long, conflicts_with = "identity")]
    private: bool,

    /// Read the bucket anonymously.
    #[arg(long, conflicts_with_all = ["identity", "private"])]
    public: bool,

    /// Where its access logs go.
    #[arg(long, value_name = "BUCKET", value_parser = fields::bucket)]
    log_bucket: Option<String>,

    /// What the keys of its logs start with.
    #[arg(long, value_name = "TEXT")]
    log_prefix: Option<String>,

    /// No access logs.
    #[arg(long, conflicts_with_all = ["log_bucket", "log_prefix"])]
    no_log: bool,

    /// Only names signed by these may be played: self or an account; repeatable.
    #[arg(long, value_name = "self|ACCOUNT", value_parser = fields::signer)]
    signer: Vec<Signer>,

    /// Every name may be played unsigned.
    #[arg(long, conflicts_with = "signer")]
    no_signer: bool,

    /// 100, 200 or all.
    #[arg(long, value_name = "CLASS", value_parser = fields::price_class)]
    price_class: Option<PriceClass>,

    #[command(flatten)]
    wait: wait::Patience,

    #[command(flatten)]
    output: show::Output,
}

/// Which distribution is switched.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Switch {
    /// Its id, its domain name, or one of its CNAMEs.
    #[arg(value_name = "ID|NAME")]
    which: String,

    #[command(flatten)]
    wait: wait::Patience,

    #[command(flatten)]
    output: show::Output,
}

impl Args {
    /// Whether no flag names anything to change.
    fn says_nothing(&self) -> bool {
        let texts = [
            &self.comment,
            &self.identity,
            &self.log_bucket,
            &self.log_prefix,
        ];
        let switches = [
            self.no_cname,
            self.private,
            self.public,
            self.no_log,
            self.no_signer,
        ];
        texts.iter().all(|text| text.is_none())
            && !switches.contains(&true)
            && self.cname.is_empty()
            && self.signer.is_empty()
            && self.price_class.is_none()
    }
}

/// Changes a distribution and shows it.
pub(super) async fn run(distributions: &Distributions, args: Args) -> anyhow::Result<()> {
    if args.says_nothing() {
        return Err(crate::cli::wrong_argument(
            "nothing to change: name it by a flag",
        ));
    }
    let mut it = distributions.find(&args.which).await?;
    let identity = if args.private {
        Some(distributions.own_identity().await?)
    } else {
        args.identity.clone()
    };
    change(&mut it.config, &args, identity)?;
    let changed = distributions.update(&it).await?;
    let shown = wait::until_deployed(distributions, changed, &args.wait).await?;
    args.output.print(&shown)
}

/// Lets viewers in or not.
pub(super) async fn switch(
    distributions: &Distributions,
    args: &Switch,
    enabled: bool,
) -> anyhow::Result<()> {
    let it = distributions.find(&args.which).await?;
    let changed = set_enabled(distributions, it, enabled).await?;
    let shown = wait::until_deployed(distributions, changed, &args.wait).await?;
    args.output.print(&shown)
}

/// Enables or disables; where it is so already, nothing is changed.
pub(super) async fn set_enabled(
    distributions: &Distributions,
    mut it: Described,
    enabled: bool,
) -> anyhow::Result<Described> {
    if it.config.enabled == enabled {
        return Ok(it);
    }
    it.config.enabled = enabled;
    distributions.update(&it).await
}

/// Puts what the flags say into a configuration.
fn change(
    config: &mut StreamingConfig,
    args: &Args,
    identity: Option<String>,
) -> anyhow::Result<()> {
    if args.no_cname || !args.cname.is_empty() {
        config.aliases.clone_from(&args.cname);
    }
    if args.no_signer || !args.signer.is_empty() {
        config.trusted_signers.clone_from(&args.signer);
    }
    if args.public || identity.is_some() {
        config.origin_access_identity = identity;
    }
    if let Some(comment) = &args.comment {
        config.comment.clone_from(comment);
    }
    if let Some(class) = args.price_class {
        config.price_class = class;
    }
    change_logging(&mut config.logging, args)
}

fn change_logging(logging: &mut Option<Logging>, args: &Args) -> anyhow::Result<()> {
    if args.no_log {
        *logging = None;
    }
    if let Some(bucket) = &args.log_bucket {
        let prefix = logging.take().map(|old| old.prefix).unwrap_or_default();
        *logging = Some(Logging {
            bucket: bucket.clone(),
            prefix,
        });
    }
    match (&args.log_prefix, logging) {
        (Some(prefix), Some(logging)) => logging.prefix.clone_from(prefix),
        (Some(_), None) => anyhow::bail!("--log-prefix needs --log-bucket: there are no logs yet"),
        (None, _) => {}
    }
    Ok(())
}
