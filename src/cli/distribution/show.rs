//! `streamfront distribution show`, and how one distribution is printed.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::super::control::distributions::{Described, Distributions};
use super::urls;
use crate::distribution::streaming::Signer;
use crate::registry::Status;

/// Show one distribution, and what to play.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Args {
    /// Its id, its domain name, or one of its CNAMEs.
    #[arg(value_name = "ID|NAME")]
    which: String,

    #[command(flatten)]
    output: Output,
}

/// How one distribution is printed.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Output {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Shows a distribution.
pub(super) async fn run(distributions: &Distributions, args: &Args) -> anyhow::Result<()> {
    let it = distributions.find(&args.which).await?;
    args.output.print(&it)
}

impl Output {
    /// Prints a distribution on the standard output.
    pub(super) fn print(&self, it: &Described) -> anyhow::Result<()> {
        let text = if self.json {
            serde_json::to_string_pretty(&value(it))?
        } else {
            text(it)
        };
        writeln!(io::stdout(), "{text}")?;
        Ok(())
    }
}

/// For people.
fn text(it: &Described) -> String {
    let config = &it.config;
    let mut lines = Vec::new();
    let mut line = |name: &str, value: String| {
        if !value.is_empty() {
            // What its owner wrote may hold anything; here it is one line.
            let value = value.replace(char::is_control, " ");
            lines.push(format!("{name:<14}{value}"));
        }
    };
    line("Id", it.head.id.clone());
    line("Status", status(it));
    line("Domain name", it.head.domain_name.clone());
    line("CNAMEs", joined(&config.aliases));
    line("Bucket", config.origin_domain.clone());
    let identity = config.origin_access_identity.clone();
    if !it.head.read_only {
        let anybody = "anybody (no origin access identity)";
        line("Read as", identity.unwrap_or_else(|| anybody.to_owned()));
    }
    line("Comment", config.comment.clone());
    line("Signers", joined(&signers(&config.trusted_signers)));
    let logging = config.logging.as_ref();
    line(
        "Logs",
        logging.map_or_else(String::new, |to| format!("{}/{}", to.bucket, to.prefix)),
    );
    line("Price class", config.price_class.as_str().to_owned());
    line("Changed", time(it.head.modified));
    if config.enabled {
        lines.push(String::new());
        lines.extend(urls::lines(
            &it.head.domain_name,
            &config.aliases,
            &it.players,
        ));
    }
    lines.join("\n")
}

fn status(it: &Described) -> String {
    let enabled = if it.config.enabled { "" } else { ", disabled" };
    let fixed = if it.head.read_only {
        ", from the configuration file"
    } else {
        ""
    };
    format!("{}{enabled}{fixed}", word(it.head.status))
}

/// For programs: the members as the API calls them.
fn value(it: &Described) -> Value {
    let config = &it.config;
    json!({
        "Id": it.head.id,
        "ARN": it.head.arn,
        "Status": word(it.head.status),
        "DomainName": it.head.domain_name,
        "LastModifiedTime": time(it.head.modified),
        "ETag": it.etag,
        "ReadOnly": it.head.read_only,
        "Enabled": config.enabled,
        "CallerReference": config.caller_reference,
        "S3Origin": {
            "DomainName": config.origin_domain,
            "OriginAccessIdentity": config.origin_access_identity,
        },
        "Aliases": strings(&config.aliases),
        "Comment": config.comment,
        "Logging": config.logging.as_ref().map(|to| json!({
            "Bucket": to.bucket,
            "Prefix": to.prefix,
        })),
        "TrustedSigners": signers(&config.trusted_signers),
        "PriceClass": config.price_class.as_str(),
    })
}

/// As the API writes it.
pub(super) const fn word(status: Status) -> &'static str {
    match status {
        Status::InProgress => "InProgress",
        Status::Deployed => "Deployed",
    }
}

/// Milliseconds since 1970 as a date and time, UTC.
fn time(millis: i64) -> String {
    let time = jiff::Timestamp::from_millisecond(millis).unwrap_or_default();
    format!("{time:.3}")
}

/// As the API writes them.
fn signers(signers: &[Signer]) -> Vec<String> {
    let name = |signer: &Signer| match signer {
        Signer::Owner => "self".to_owned(),
        Signer::Account(account) => account.to_string(),
    };
    signers.iter().map(name).collect()
}

pub(super) fn strings<T: ToString>(all: &[T]) -> Vec<String> {
    all.iter().map(ToString::to_string).collect()
}

pub(super) fn joined<T: ToString>(all: &[T]) -> String {
    strings(all).join(", ")
}
