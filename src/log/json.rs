//! One JSON object a line for each event, with those who were refused and why: for operators
//! without a bucket. Pure.

use serde::Serialize;

use super::entry::Entry;
use super::row::when;

/// A line.
#[derive(Debug, Serialize)]
struct Line<'a> {
    time: String,
    event: &'a str,
    status: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    client_id: String,
    client_ip: String,
    client_port: u16,
    protocol: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    distribution: Option<&'a str>,
    bytes: u64,
    url: &'a str,
    app: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    page_url: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    swf_url: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    flash_version: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    query: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    position_ms: Option<i64>,
}

/// Writes the line of an entry, with a line feed behind it. A control character is six bytes there,
/// so that the longest is six times what the texts of an entry may have.
pub fn write(out: &mut Vec<u8>, entry: &Entry) {
    let (facts, item) = (&*entry.facts, entry.item.as_deref());
    let mut time = String::new();
    when(&mut time, entry.seconds(), "%Y-%m-%dT%H:%M:%S");
    let since = entry.at.duration_since(std::time::UNIX_EPOCH);
    let millis = since.map_or(0, |since| since.subsec_millis());
    time.push_str(&format!(".{millis:03}Z"));
    let line = Line {
        time,
        event: entry.kind.word(),
        status: if entry.refused { "refused" } else { "ok" },
        reason: entry.reason.as_deref(),
        client_id: facts.id.to_string(),
        client_ip: facts.peer.ip().to_canonical().to_string(),
        client_port: facts.peer.port(),
        protocol: facts.protocol,
        distribution: facts.distribution.as_deref(),
        bytes: entry.bytes,
        url: &facts.tc_url,
        app: &facts.app,
        page_url: &facts.page_url,
        swf_url: &facts.swf_url,
        flash_version: &facts.flash_ver,
        stream: item.map(|item| item.stream),
        name: item.map(|item| &*item.name),
        query: item.and_then(|item| item.query.as_deref()),
        file_type: item.and_then(|item| item.extension),
        position_ms: entry.position,
    };
    let before = out.len();
    // Only what is written to can fail, and memory does not.
    if serde_json::to_writer(&mut *out, &line).is_err() {
        out.truncate(before);
        return;
    }
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::session::Item;
    use crate::delivery::session::testing::facts;
    use proptest::prelude::*;
    use std::sync::Arc;

    proptest! {
        #[test]
        fn a_line_is_one_line_and_says_what_was_said(name in "\\PC{0,20}|[\0-\x7f]{0,20}", reason: String) {
            let item = Item::new(3, "", &name, Some("flv"));
            let entry = Entry {
                item: Some(Arc::clone(&item)),
                ..Entry::turned_away(facts(), &reason)
            };
            let mut out = Vec::new();
            write(&mut out, &entry);
            prop_assert_eq!(out.iter().filter(|byte| **byte == b'\n').count(), 1);
            let line: serde_json::Value = serde_json::from_slice(&out).unwrap();
            prop_assert_eq!(&line["event"], "connect");
            prop_assert_eq!(&line["status"], "refused");
            prop_assert_eq!(line["name"].as_str(), Some(&*item.name));
            prop_assert_eq!(line["reason"].as_str(), Some(&*reason));
            prop_assert_eq!(line["stream"].as_u64(), Some(3));
        }
    }
}
