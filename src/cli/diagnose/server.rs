//! The steps that only the server sees: distribution, origin, object, container, access.

use hyper::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::super::control::{Access, Client};
use super::Args;
use crate::api::diagnose::Finding;
use crate::load::Target;

/// What they are called together where nobody can be asked.
const STEP: &str = "server";

/// Asks the server what it makes of the URL, where that can be asked.
pub(super) async fn ask(args: &Args, target: &Target, findings: &mut Vec<Finding>) {
    if args.no_api {
        return;
    }
    if !Access::has_key() {
        findings.push(Finding::unknown(
            STEP,
            "not asked about bucket, object and container: STREAMFRONT_ACCESS_KEY_ID and \
             STREAMFRONT_SECRET_ACCESS_KEY are not set",
        ));
        return;
    }
    let answer = match args.access.client() {
        Ok(client) => question(&client, target).await,
        Err(error) => Err(error),
    };
    match answer {
        Ok(answer) => findings.extend(answer),
        // The play may hold all the same.
        Err(error) => findings.push(Finding::unknown(STEP, format!("not asked: {error:#}"))),
    }
}

async fn question(client: &Client, target: &Target) -> anyhow::Result<Vec<Finding>> {
    let part = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let query = format!(
        "/diagnose?host={}&app={}&name={}",
        part(&target.host),
        part(&target.app),
        part(&target.name)
    );
    let answer = client
        .send(Method::GET, &query, None, String::new())
        .await?;
    Ok(serde_json::from_slice(&answer.body)?)
}
