//! `streamfront sessions`: who is connected to a running server, and an end for one of them.

use std::io::{self, Write};

use anyhow::Context;
use hyper::Method;
use serde::Deserialize;

use super::control::{Access, Client};
use crate::delivery::session::ClientId;

/// Show who is connected to a running server and what they play, or end one of them.
///
/// One line a stream, and one for each viewer who plays nothing: id, address, distribution, bytes
/// sent, and the name with its state and position in seconds. The operator sees all viewers, an
/// access key of another account those of its distributions.
#[derive(Debug, Clone, clap::Args)]
#[command(after_long_help = "Examples:\n  \
    streamfront sessions\n  \
    streamfront sessions --end 4f0c2a6e9d1b4c7a8e3f5a6b7c8d9e0f")]
pub(super) struct Args {
    /// End the session with this id.
    #[arg(long, value_name = "ID", value_parser = id)]
    end: Option<ClientId>,

    #[command(flatten)]
    access: Access,
}

fn id(text: &str) -> Result<ClientId, String> {
    ClientId::parse(text).ok_or_else(|| "an id is 32 digits and letters from a to f".to_owned())
}

/// A page of the list.
#[derive(Debug, Deserialize)]
struct Page {
    next_marker: Option<String>,
    sessions: Vec<Session>,
}

#[derive(Debug, Deserialize)]
struct Session {
    id: String,
    peer: String,
    distribution: String,
    bytes: u64,
    streams: Vec<Stream>,
}

#[derive(Debug, Deserialize)]
struct Stream {
    name: String,
    state: String,
    position_ms: i64,
}

/// Runs `streamfront sessions`.
pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let client = args.access.client()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start")?;
    runtime.block_on(async {
        let Some(id) = args.end else {
            return list(&client).await;
        };
        let target = format!("/sessions/{id}");
        client
            .send(Method::DELETE, &target, None, String::new())
            .await?;
        writeln!(io::stdout(), "{id} ends")?;
        Ok(())
    })
}

async fn list(client: &Client) -> anyhow::Result<()> {
    let mut target = "/sessions".to_owned();
    loop {
        let answer = client.send(Method::GET, &target, None, String::new());
        let page: Page = serde_json::from_slice(&answer.await?.body)
            .context("the server's answer cannot be understood")?;
        let lines: String = page.sessions.iter().map(lines).collect();
        io::stdout().write_all(lines.as_bytes())?;
        match page.next_marker {
            Some(marker) => target = format!("/sessions?Marker={marker}"),
            None => return Ok(()),
        }
    }
}

/// The lines of a session.
fn lines(session: &Session) -> String {
    let Session {
        id,
        peer,
        distribution,
        bytes,
        streams,
    } = session;
    let head = format!("{id}  {peer}  {distribution}  {bytes}");
    if streams.is_empty() {
        return head + "  -\n";
    }
    let line = |stream: &Stream| {
        // Viewers choose names, and a terminal obeys control characters.
        let name = stream.name.replace(char::is_control, "?");
        let seconds = stream.position_ms as f64 / 1000.0;
        format!("{head}  {name} {} {seconds:.1}\n", stream.state)
    };
    streams.iter().map(line).collect()
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
    fn each_stream_has_its_line_and_none_breaks_it() {
        let page = r#"{"quantity": 2, "is_truncated": false, "sessions": [
            {"id": "ab", "peer": "192.0.2.7:1", "distribution": "films", "bytes": 9, "streams": []},
            {"id": "cd", "peer": "[::1]:2", "distribution": "E1", "bytes": 7, "streams": [
                {"stream": 1, "name": "a\n\u001bb", "state": "playing", "position_ms": 61500},
                {"stream": 2, "name": "c", "state": "paused", "position_ms": 0}]}]}"#;
        let page: Page = serde_json::from_str(page).unwrap();
        assert_eq!(page.next_marker, None);
        let text: String = page.sessions.iter().map(lines).collect();
        let expected = "ab  192.0.2.7:1  films  9  -\n\
            cd  [::1]:2  E1  7  a??b playing 61.5\n\
            cd  [::1]:2  E1  7  c paused 0.0\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn only_an_id_can_be_ended() {
        let read = |id: &str| Only::try_parse_from(["sessions", "--end", id]);
        assert!(read(&"0a".repeat(16)).is_ok());
        assert!(read("x").is_err() && read("../cache?prefix=").is_err());
    }
}
