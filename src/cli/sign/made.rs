//! A name that was signed.

use std::fmt;

use anyhow::{Context, bail};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::private::PrivateKey;
use super::{Args, Subject};
use crate::access::claim::QUERY_BYTES;
use crate::access::policy::{self, LATEST};
use crate::access::{Claim, Hash, Refusal, alphabet};

/// A name that was signed, in the forms in which players want it.
#[derive(Debug, Serialize)]
pub(super) struct Made {
    /// For ffplay and the like: one URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    /// For players that want server and name apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<String>,
    name: String,
    /// The text that was signed.
    policy: String,
    /// RFC 3339, UTC.
    expires: String,
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let (Some(url), Some(server)) = (&self.url, &self.server) {
            writeln!(f, "url     {url}\nserver  {server}")?;
        }
        write!(f, "name    {}", self.name)
    }
}

/// Signs what the arguments say.
pub(super) fn make(args: &Args, subject: &Subject) -> anyhow::Result<Made> {
    let own = own(args, subject)?;
    let expires = expires(args)?;
    let seconds = seconds(expires)?;
    let (Some(file), Some(id)) = (&args.key, &args.key_pair_id) else {
        bail!("--key and --key-pair-id are missing");
    };
    let key = PrivateKey::read(file)?;
    let hash = key.hash(args.sha256);
    let is_custom = args.from.is_some() || args.ip.is_some() || args.resource.is_some();
    let policy = if is_custom {
        custom(args, subject, seconds)?
    } else {
        fixed(&subject.name.name, seconds)?
    };
    let signature = alphabet::encode(&key.sign(hash, policy.as_bytes())?);
    let signed = match is_custom {
        true => format!("Policy={}", alphabet::encode(policy.as_bytes())),
        false => format!("Expires={seconds}"),
    };
    let mut query = own;
    query.push(signed);
    query.push(format!("Signature={signature}&Key-Pair-Id={id}"));
    if hash == Hash::Sha256 {
        query.push("Hash-Algorithm=SHA256".to_owned());
    }
    let query = query.join("&");
    // What cannot be read again is not handed out: an id with odd signs, a policy that is too long.
    Claim::parse(&query).with_context(|| format!("more than {QUERY_BYTES} bytes, or no id"))?;
    let name = format!(
        "{}?{query}",
        crate::catalog::name::without_query(&subject.play)
    );
    let target = subject.target.as_ref();
    Ok(Made {
        url: target.map(|target| target.with_name(&name).url()),
        server: target.map(|target| target.tc_url()),
        name,
        policy,
        expires: expires.to_string(),
    })
}

/// Own parameters: those in the name, then those of `--own`.
fn own(args: &Args, subject: &Subject) -> anyhow::Result<Vec<String>> {
    let query = subject.name.query.iter().cloned();
    let own: Vec<String> = query.chain(args.own.iter().cloned()).collect();
    match Claim::parse(&own.join("&")) {
        Err(Refusal::Missing) => Ok(own),
        _ => bail!(super::super::wrong_argument(
            "the name is signed already, or a parameter of your own is named as one of a signature"
        )),
    }
}

fn expires(args: &Args) -> anyhow::Result<Timestamp> {
    let within = args.within.map(SignedDuration::try_from).transpose()?;
    let within = within.map(|within| Timestamp::now().checked_add(within));
    let within = within.transpose().context("--in is too long")?;
    args.expires
        .or(within)
        .context("--in or --expires is missing")
}

fn seconds(time: Timestamp) -> anyhow::Result<u64> {
    let seconds = u64::try_from(time.as_second()).ok();
    let seconds = seconds.filter(|seconds| *seconds <= LATEST);
    seconds.with_context(|| {
        format!(
            "{time} is no time of a policy: those are from 1970 to {}",
            policy::at(LATEST)
        )
    })
}

/// The fixed text escapes nothing, and other signers could not make the same of such a name.
fn fixed(resource: &str, seconds: u64) -> anyhow::Result<String> {
    if resource.contains(['"', '\\']) {
        bail!("a name with \" or \\ needs a policy of its own: --resource");
    }
    Ok(policy::canned(resource, seconds))
}

fn custom(args: &Args, subject: &Subject, seconds_: u64) -> anyhow::Result<String> {
    let resource = args.resource.as_ref().unwrap_or(&subject.name.name);
    let time = |seconds: u64| json!({ "AWS:EpochTime": seconds });
    let mut condition = Map::new();
    condition.insert("DateLessThan".into(), time(seconds_));
    if let Some(from) = args.from {
        condition.insert("DateGreaterThan".into(), time(seconds(from)?));
    }
    if let Some(ip) = args.ip {
        condition.insert(
            "IpAddress".into(),
            json!({ "AWS:SourceIp": ip.to_string() }),
        );
    }
    let condition = Value::Object(condition);
    Ok(json!({ "Statement": [{ "Resource": resource, "Condition": condition }] }).to_string())
}
