//! What a server tells of itself in Prometheus' text form, fetched by a plain HTTP/1.0 request.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Seen;

/// How long an answer may take; a sample without one is left out.
const PATIENCE: Duration = Duration::from_secs(2);

/// Bytes of an answer that are read.
const ANSWER_MAX: u64 = 4 << 20;

/// Fetches and reads them; `None` if that does not work out.
pub(super) async fn fetch(url: &str) -> Option<Seen> {
    let text = tokio::time::timeout(PATIENCE, get(url)).await.ok()??;
    read(&text)
}

async fn get(url: &str) -> Option<String> {
    let rest = url.strip_prefix("http://")?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    // The last colon: those of an IPv6 address stand in brackets before it.
    let port = authority.rsplit_once(':').map(|(_, port)| port);
    let has_port = port.is_some_and(|port| port.parse::<u16>().is_ok());
    let address = if has_port {
        authority.to_owned()
    } else {
        format!("{authority}:80")
    };
    let mut stream = TcpStream::connect(address).await.ok()?;
    let request = format!("GET /{path} HTTP/1.0\r\nHost: {authority}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    stream
        .take(ANSWER_MAX)
        .read_to_end(&mut answer)
        .await
        .ok()?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split_whitespace().nth(1)?;
    (status == "200").then(|| body.to_owned())
}

/// The metrics of a process that every Prometheus client library has.
fn read(text: &str) -> Option<Seen> {
    let value = |name: &str| {
        text.lines()
            .filter_map(|line| line.split_once(' '))
            .find(|(key, _)| key.split('{').next() == Some(name))
            .and_then(|(_, value)| value.split_whitespace().next()?.parse::<f64>().ok())
    };
    Some(Seen {
        cpu_seconds: value("process_cpu_seconds_total")?,
        rss: value("process_resident_memory_bytes").unwrap_or_default() as u64,
        rss_anon: 0,
        descriptors: value("process_open_fds").unwrap_or_default() as u64,
    })
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    const TEXT: &str = "# HELP process_cpu_seconds_total Time.\n\
        # TYPE process_cpu_seconds_total counter\n\
        process_cpu_seconds_total 12.5\n\
        process_resident_memory_bytes{job=\"a\"} 1.5e6 1700000000\n\
        process_open_fds 9\n";

    #[test]
    fn the_metrics_of_a_process_are_found_among_others() {
        let wanted = Seen {
            cpu_seconds: 12.5,
            rss: 1_500_000,
            rss_anon: 0,
            descriptors: 9,
        };
        assert_eq!(read(TEXT), Some(wanted));
        assert_eq!(read("process_open_fds 9\n"), None);
        assert_eq!(read(""), None);
    }

    #[tokio::test]
    async fn they_are_fetched_over_http() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            for head in ["200 OK", "503 Busy"] {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = [0; 100];
                let len = stream.read(&mut request).await.unwrap();
                assert!(request[..len].starts_with(b"GET /metrics HTTP/1.0\r\n"));
                let answer = format!("HTTP/1.1 {head}\r\nA: b\r\n\r\n{TEXT}");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        let url = format!("http://{address}/metrics");
        assert_eq!(fetch(&url).await, read(TEXT));
        assert_eq!(fetch(&url).await, None);
        assert_eq!(fetch("ftp://x").await, None);
    }
}
