//! `streamfront distribution list`: a table, or JSON.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::super::control::distributions::Distributions;
use super::show::{joined, strings, word};
use crate::api::document::summary::StreamingSummary as Summary;

/// The widest column of a table, characters; what is longer is cut. `--json` cuts nothing.
const WIDEST: usize = 48;

/// List the distributions of your account.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Args {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Lists all distributions.
pub(super) async fn run(distributions: &Distributions, args: &Args) -> anyhow::Result<()> {
    let all = distributions.list().await?;
    let text = if args.json {
        let all: Vec<Value> = all.iter().map(value).collect();
        serde_json::to_string_pretty(&all)?
    } else if all.is_empty() {
        "No distribution yet: streamfront distribution create --bucket BUCKET".to_owned()
    } else {
        table(&all)
    };
    writeln!(io::stdout(), "{text}")?;
    Ok(())
}

fn value(it: &Summary) -> Value {
    json!({
        "Id": it.head.id,
        "Status": word(it.head.status),
        "Enabled": it.enabled,
        "ReadOnly": it.head.read_only,
        "DomainName": it.head.domain_name,
        "Aliases": strings(&it.aliases),
        "S3Origin": { "DomainName": it.origin_domain },
        "Comment": it.comment,
    })
}

fn table(all: &[Summary]) -> String {
    let head = ["ID", "STATUS", "DOMAIN NAME", "BUCKET", "CNAMES", "COMMENT"];
    let mut rows = vec![head.map(str::to_owned)];
    rows.extend(all.iter().map(row));
    let mut widths = [0; 6];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let line = |row: &[String; 6]| {
        let cells = row.iter().zip(widths);
        let cells: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        cells.join("  ").trim_end().to_owned()
    };
    let lines: Vec<String> = rows.iter().map(line).collect();
    lines.join("\n")
}

fn row(it: &Summary) -> [String; 6] {
    let disabled = if it.enabled { "" } else { ", disabled" };
    let fixed = if it.head.read_only { " (file)" } else { "" };
    let status = format!("{}{disabled}{fixed}", word(it.head.status));
    [
        it.head.id.clone(),
        status,
        it.head.domain_name.clone(),
        it.origin_domain.clone(),
        joined(&it.aliases),
        it.comment.clone(),
    ]
    .map(cut)
}

/// One line, not too long. What others wrote may hold anything.
fn cut(cell: String) -> String {
    let plain = cell.replace(char::is_control, " ");
    if plain.chars().count() <= WIDEST {
        return plain;
    }
    let mut short: String = plain.chars().take(WIDEST - 1).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::document::streaming::StreamingHead;
    use crate::distribution::host::HostPattern;
    use crate::distribution::streaming::PriceClass;
    use crate::registry::Status;

    fn summary(id: &str, comment: &str) -> Summary {
        let alias = |name| HostPattern::parse(name).unwrap();
        Summary {
            head: StreamingHead {
                id: id.into(),
                arn: String::new(),
                status: Status::Deployed,
                modified: 0,
                domain_name: "s1.example".into(),
                read_only: false,
            },
            origin_domain: "m.s3.amazonaws.com".into(),
            origin_access_identity: None,
            aliases: vec![alias("a.example"), alias("*.b.example")],
            trusted_signers: vec![],
            comment: comment.into(),
            price_class: PriceClass::All,
            enabled: false,
        }
    }

    #[test]
    fn columns_stand_below_each_other_and_nothing_breaks_a_line() {
        let long = "x".repeat(60);
        let table = table(&[summary("E1", "a\nb\u{1b}[31m"), summary("E12345", &long)]);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 3, "{table}");
        let at = |line: &str, word: &str| line.find(word).unwrap();
        assert_eq!(at(lines[0], "STATUS"), at(lines[1], "Deployed, disabled"));
        assert_eq!(at(lines[1], "s1.example"), at(lines[2], "s1.example"));
        assert!(lines[1].ends_with("a b [31m"), "{table}");
        assert!(
            lines[2].ends_with(&format!("{}…", "x".repeat(47))),
            "{table}"
        );
    }
}
