//! The steps that a player takes: name, port, handshake, connect, play.

use std::future::Future;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::api::diagnose::Finding;
use crate::load::Target;
use crate::load::session::{Event, Opening, Session, SessionError};

/// A client buffer that asks for little, milliseconds.
const BUFFER: u32 = 1000;

/// Where to connect to.
pub(super) struct Place {
    host: String,
    port: u16,
    /// It is not what the URL names.
    instead: bool,
}

impl Place {
    /// Where the URL itself leads.
    pub(super) fn of(target: &Target) -> Self {
        Self {
            host: target.host.clone(),
            port: target.port,
            instead: false,
        }
    }

    /// `HOST`, `HOST:PORT`, or an IPv6 address with or without brackets.
    pub(super) fn parse(text: &str, port: u16) -> Self {
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Self {
                host: address.ip().to_string(),
                port: address.port(),
                instead: true,
            };
        }
        let named = text
            .rsplit_once(':')
            .filter(|(host, _)| !host.contains(':'))
            .and_then(|(host, port)| Some((host, port.parse().ok()?)));
        let (host, port) = named.unwrap_or((text, port));
        Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            port,
            instead: true,
        }
    }
}

/// A connection whose connect was accepted.
pub(super) struct Connected {
    socket: TcpStream,
    session: Session,
    /// Bytes that came and were not looked at.
    rest: Vec<u8>,
}

/// Goes as far as the answer to connect. `None`: something before or in it does not hold.
pub(super) async fn connect(
    target: &Target,
    place: &Place,
    limit: Duration,
    findings: &mut Vec<Finding>,
) -> Option<Connected> {
    let addresses = keep(findings, resolve(place, limit).await)?;
    let socket = keep(findings, reach(&addresses, limit).await)?;
    let opening = Opening {
        app: target.app.as_str().into(),
        tc_url: target.tc_url().into(),
    };
    let mut connected = Connected {
        socket,
        session: Session::new(opening),
        rest: Vec::new(),
    };
    keep(findings, connected.open(target, limit).await)?;
    Some(connected)
}

/// Notes what a step came to; what it gave is only there where it holds.
fn keep<T>(findings: &mut Vec<Finding>, step: (Finding, Option<T>)) -> Option<T> {
    let (finding, given) = step;
    findings.push(finding);
    given
}

async fn resolve(place: &Place, limit: Duration) -> (Finding, Option<Vec<SocketAddr>>) {
    let host = &place.host;
    let asking = tokio::net::lookup_host((host.as_str(), place.port));
    let found = within(limit, asking).await;
    let addresses = match found {
        Ok(Ok(addresses)) => addresses.collect::<Vec<_>>(),
        Ok(Err(error)) => {
            let says = format!(
                "{host} does not resolve ({error}): its DNS needs an address or a CNAME to this \
                 server; --connect ADDRESS asks without it"
            );
            return (Finding::wrong("dns", says), None);
        }
        Err(late) => return (Finding::wrong("dns", format!("{host}: {late}")), None),
    };
    if addresses.is_empty() {
        let says = format!("{host} has no address");
        return (Finding::wrong("dns", says), None);
    }
    let shown: Vec<String> = addresses.iter().map(|it| it.ip().to_string()).collect();
    if place.instead {
        let says = format!(
            "not asked for the name: --connect leads to {}",
            shown.join(", ")
        );
        return (Finding::unknown("dns", says), Some(addresses));
    }
    let says = format!("{host} is {}", shown.join(", "));
    (Finding::holds("dns", says), Some(addresses))
}

async fn reach(addresses: &[SocketAddr], limit: Duration) -> (Finding, Option<TcpStream>) {
    let mut said = Vec::new();
    for address in addresses {
        let start = Instant::now();
        match within(limit, TcpStream::connect(address)).await {
            Ok(Ok(socket)) => {
                let says = format!("{address} answers after {} ms", start.elapsed().as_millis());
                return (Finding::holds("port", says), Some(socket));
            }
            Ok(Err(error)) => said.push(format!("{address}: {error}")),
            Err(late) => said.push(format!("{address}: {late}")),
        }
    }
    let says = format!(
        "{}; a firewall may be in the way, or nothing listens there",
        said.join("; ")
    );
    (Finding::wrong("port", says), None)
}

impl Connected {
    /// Handshake, connect, createStream.
    async fn open(&mut self, target: &Target, limit: Duration) -> (Finding, Option<()>) {
        let event = within(limit, self.until(|event| matches!(event, Event::Ready))).await;
        let says = match event {
            Ok(Ok(_)) => {
                let says = format!("{} is let in at {}", target.app, target.tc_url());
                return (Finding::holds("connect", says), Some(()));
            }
            Ok(Err(Broken::Session(SessionError::Refused { command, why }))) => {
                format!("{command} is refused: {why}{}", advice(&why, target))
            }
            Ok(Err(broken)) => format!("no RTMP server answers: {broken}"),
            Err(late) => format!("no RTMP server answers: {late}"),
        };
        (Finding::wrong("connect", says), None)
    }

    /// Plays until the first media.
    pub(super) async fn play(mut self, name: &str, limit: Duration) -> Finding {
        let start = Instant::now();
        self.session.play(name, -1, BUFFER);
        let mut length = None;
        let playing = async {
            loop {
                match self.until(|_| true).await? {
                    None | Some(Event::Stopped | Event::Complete) => return Ok(None),
                    Some(Event::Length(millis)) => length = Some(millis),
                    Some(Event::Failed(why)) => return Ok(Some(why)),
                    Some(_) => {}
                }
            }
        };
        let ended: Result<Result<Option<String>, Broken>, Late> = within(limit, playing).await;
        match ended {
            Ok(Ok(None)) if self.session.counts().messages > 0 => {
                let length = length.map_or_else(String::new, |millis| {
                    format!(", {}.{:03} s long", millis / 1000, millis % 1000)
                });
                let millis = start.elapsed().as_millis();
                Finding::holds(
                    "play",
                    format!("the first media came after {millis} ms{length}"),
                )
            }
            Ok(Ok(None)) => Finding::wrong("play", "the stream ends without any media"),
            Ok(Ok(Some(why))) => Finding::wrong("play", why),
            Ok(Err(broken)) => Finding::wrong("play", broken.to_string()),
            Err(late) => Finding::wrong("play", format!("no media: {late}")),
        }
    }

    /// The next event that is wanted; `None` when there is media, or the server says no more.
    async fn until(&mut self, wanted: impl Fn(&Event) -> bool) -> Result<Option<Event>, Broken> {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let mut input = self.rest.as_slice();
            let mut found = None;
            while found.is_none() {
                match self.session.event(&mut input).map_err(Broken::Session)? {
                    Some(event) if wanted(&event) => found = Some(event),
                    Some(_) => {}
                    None => break,
                }
            }
            let left = input.len();
            self.rest.drain(..self.rest.len() - left);
            if found.is_some() {
                return Ok(found);
            }
            if self.session.has_media() {
                return Ok(None);
            }
            let output = self.session.output().to_vec();
            self.socket
                .write_all(&output)
                .await
                .map_err(Broken::Socket)?;
            self.session.sent(output.len());
            let len = self
                .socket
                .read(&mut buffer)
                .await
                .map_err(Broken::Socket)?;
            if len == 0 {
                return Err(Broken::Closed);
            }
            self.rest
                .extend_from_slice(buffer.get(..len).unwrap_or_default());
        }
    }
}

/// What helps against a refusal of CloudFront's kind (spec/cloudfront.md 1.6).
fn advice(why: &str, target: &Target) -> String {
    let host = &target.host;
    if why.contains("DistributionNotFound") {
        format!(" (no enabled distribution answers to {host})")
    } else if why.contains("DistributionTypeMismatch") {
        format!(" ({host} is a download distribution)")
    } else if why.contains("InvalidInstance") || why.contains("InvalidURI") {
        " (the path before the stream name must be cfx/st, unless the server has other apps)".into()
    } else {
        String::new()
    }
}

/// Why a connection is over.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("the server closed the connection")]
    Closed,
    #[error(transparent)]
    Socket(std::io::Error),
    #[error(transparent)]
    Session(SessionError),
}

/// A step took longer than it may.
#[derive(Debug, thiserror::Error)]
#[error("no answer within {} s", .0.as_secs())]
struct Late(Duration);

async fn within<T>(limit: Duration, step: impl Future<Output = T>) -> Result<T, Late> {
    tokio::time::timeout(limit, step)
        .await
        .map_err(|_| Late(limit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_with_and_without_a_port() {
        let place = |text: &str| {
            let place = Place::parse(text, 1935);
            (place.host, place.port)
        };
        assert_eq!(place("a.example"), ("a.example".into(), 1935));
        assert_eq!(place("a.example:1"), ("a.example".into(), 1));
        assert_eq!(place("127.0.0.1:1"), ("127.0.0.1".into(), 1));
        assert_eq!(place("::1"), ("::1".into(), 1935));
        assert_eq!(place("[::1]"), ("::1".into(), 1935));
        assert_eq!(place("[::1]:1"), ("::1".into(), 1));
    }
}
