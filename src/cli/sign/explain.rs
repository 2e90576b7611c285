//! `streamfront sign --explain`: what a signed name says, and what becomes of it.

use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::Arc;

use anyhow::{Context, bail};
use jiff::Timestamp;
use serde::Serialize;

use super::{Args, Subject};
use crate::access::claim::Signed;
use crate::access::policy::{self, Unverified};
use crate::access::{Asked, Claim, Hash, SignerKey, SignerKeys, explain, verify};

/// One step: what is looked at, and what is found.
#[derive(Debug, Serialize)]
struct Line {
    what: &'static str,
    says: String,
}

/// Prints all steps. An error where the name is refused.
pub(super) fn run(args: &Args, subject: &Subject) -> anyhow::Result<()> {
    let key = public_key(args)?;
    let mut lines = Vec::new();
    let verdict = steps(args, subject, key.as_ref(), &mut lines);
    let text = if args.json {
        serde_json::to_string_pretty(&lines)?
    } else {
        let shown = lines
            .iter()
            .map(|line| format!("{:<10} {}", line.what, line.says));
        shown.collect::<Vec<_>>().join("\n")
    };
    writeln!(io::stdout(), "{text}").context("cannot write")?;
    verdict
}

fn public_key(args: &Args) -> anyhow::Result<Option<Arc<SignerKey>>> {
    let Some(file) = &args.public_key else {
        return Ok(None);
    };
    let shown = file.display();
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {shown}"))?;
    let key = SignerKey::parse(&text).with_context(|| format!("{shown} is no public key"))?;
    Ok(Some(Arc::new(key)))
}

fn steps(
    args: &Args,
    subject: &Subject,
    key: Option<&Arc<SignerKey>>,
    lines: &mut Vec<Line>,
) -> anyhow::Result<()> {
    let mut say = |what, says: String| lines.push(Line { what, says });
    let asked = subject.name.asked();
    let query = subject.name.query.as_deref().unwrap_or_default();
    say("name", format!("{} (without prefix and query)", asked.name));
    let claim = match Claim::parse(query) {
        Ok(claim) => claim,
        Err(refusal) => {
            say("refused", refusal.to_string());
            bail!("it is refused: {refusal}");
        }
    };
    let hash = match claim.hash {
        Hash::Sha1 => "SHA-1 (SHA-256 if it is an EC key)",
        Hash::Sha256 => "SHA-256",
    };
    say("key", format!("{}, hashed with {hash}", claim.key));
    if !claim.own.is_empty() {
        say("own", claim.own.clone());
    }
    match &claim.signed {
        Signed::Canned(expires) => canned(&claim, &asked, *expires, key, &mut say),
        Signed::Custom(text) => custom(&claim, &asked, text, key, &mut say),
    }
    let Some(key) = key else {
        let says = "not known: give --public-key, or ask the server (streamfront diagnose)";
        say("signature", says.to_owned());
        return Ok(());
    };
    let keys = SignerKeys {
        trusted: HashMap::from([(claim.key, Arc::clone(key))]),
        ..SignerKeys::default()
    };
    let now = Timestamp::now();
    let verdict = match args.peer {
        None => explain(&asked, Some(query), &keys, now),
        peer => verify(&asked, Some(query), &keys, now, peer),
    };
    match verdict {
        Ok(_) => {
            let says = "by a distribution that trusts the account of this key";
            say("accepted", says.to_owned());
            Ok(())
        }
        Err(refusal) => {
            say("refused", refusal.to_string());
            bail!("it is refused: {refusal}")
        }
    }
}

/// One text for each thing that may have been signed.
fn canned(
    claim: &Claim,
    asked: &Asked,
    expires: u64,
    key: Option<&Arc<SignerKey>>,
    say: &mut impl FnMut(&'static str, String),
) {
    say("kind", "canned: the policy has a fixed text".to_owned());
    say("until", until(expires));
    for candidate in asked.candidates(&claim.own, false) {
        let text = policy::canned(&candidate.text(), expires);
        let holds = key.map(|key| key.verifies(claim.hash, text.as_bytes(), &claim.signature));
        let mark = match holds {
            None => "",
            Some(true) => "  <- this was signed",
            Some(false) => "  (not signed)",
        };
        say("candidate", format!("{text}{mark}"));
    }
}

fn custom(
    claim: &Claim,
    asked: &Asked,
    text: &[u8],
    key: Option<&Arc<SignerKey>>,
    say: &mut impl FnMut(&'static str, String),
) {
    say("kind", "custom: the name brings its policy".to_owned());
    say(
        "policy",
        String::from_utf8_lossy(text).escape_debug().to_string(),
    );
    if let Some(key) = key {
        let holds = key.verifies(claim.hash, text, &claim.signature);
        let says = if holds {
            "this key signed it"
        } else {
            "this key did not sign it"
        };
        say("signature", says.to_owned());
    }
    let policy = match Unverified::read(text) {
        Ok(policy) => policy.verified(),
        Err(refusal) => return say("policy", refusal.to_string()),
    };
    let conditions = policy.conditions;
    say("until", until(conditions.before));
    if let Some(after) = conditions.after {
        say("from", policy::at(after).to_string());
    }
    if let Some(addresses) = conditions.addresses {
        say("addresses", addresses.to_string());
    }
    for candidate in asked.candidates(&claim.own, false) {
        let matches = if policy.resource.covers(&candidate.name, &candidate.own) {
            "matches"
        } else {
            "does not match"
        };
        let (signed, candidate) = (policy.resource.as_str(), candidate.text());
        say("candidate", format!("{signed:?} {matches} {candidate:?}"));
    }
}

fn until(seconds: u64) -> String {
    let at = policy::at(seconds);
    let over = if Timestamp::now() < at {
        ""
    } else {
        ": it is over"
    };
    format!("{at} ({seconds}){over}")
}
