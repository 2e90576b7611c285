//! From a connection that was just accepted to the protocol that its viewer speaks.
//!
//! All protocols come to all ports, because players go where a firewall lets them: the first byte
//! tells which one it is, behind the header of a proxy where one is listed, and once more inside
//! TLS (`secure`). It is looked at and left where it is. Whoever sends none within the time of a
//! handshake is closed; until then they cost a place, a descriptor and a small task, and nothing
//! that is made for a viewer.
//!
//! RTMP stays on the delivering thread that the connection was given to. What speaks HTTP leaves it,
//! and then its place among the viewers, for one of those of the port that it belongs to
//! ([`HttpDoor`]); no connection is ever without a place. From there viewers come back who tunnel
//! RTMP through it, and take a place then ([`Admission`]).

mod secure;

use std::fmt::Debug;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::future::BoxFuture;
use rustls::ServerConfig;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout_at;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, info_span, warn};

use super::connection::Connection;
use super::proxy::{self, TrustedProxies};
use super::shared::Shared;
use super::transport::Transport;
use super::tunnel::{Admission, NoPlace, TunnelEnd};
use super::visitor::{Door, Unserved, Visitor};
use super::workers::{Assigned, Workers};
use crate::delivery::meter::{Close, Turned};
use crate::rtmp::status::Rejection;

/// A viewer who is gone without a word is found out after this long (paused viewers send and get
/// nothing for hours).
const KEEPALIVE: Duration = Duration::from_secs(60);

/// Bytes both ways, as HTTP wants them.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Who takes connections that speak HTTP.
pub trait HttpDoor: Send + Sync + Debug {
    /// A place for one more, until it is dropped; `None` where none comes free in time.
    fn place(&self) -> BoxFuture<'_, Option<OwnedSemaphorePermit>>;

    /// Serves one from `peer`, who has that place, to its end.
    fn serve(
        self: Arc<Self>,
        stream: Box<dyn Stream>,
        peer: SocketAddr,
        place: OwnedSemaphorePermit,
    ) -> BoxFuture<'static, ()>;

    /// Waits for running requests to end, after the shutdown.
    fn finish(&self) -> BoxFuture<'_, ()>;
}

/// What the first byte of a connection announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    /// RTMP, plain or encrypted, or what nobody speaks: the handshake says so.
    Rtmp,
    /// TLS: a record of a handshake.
    Tls,
    /// HTTP: all its methods are written in capitals.
    Http,
}

impl Protocol {
    const fn of(first: u8) -> Self {
        match first {
            0x16 => Self::Tls,
            b'A'..=b'Z' => Self::Http,
            _ => Self::Rtmp,
        }
    }
}

/// The ways in.
#[derive(Debug)]
pub struct Doors {
    /// What all connections share.
    pub shared: Arc<Shared>,
    /// The threads that deliver.
    pub workers: Arc<Workers>,
    /// The viewers who are here, for whoever waits until they have left.
    pub viewers: TaskTracker,
    /// Who speaks HTTP.
    pub http: Arc<dyn HttpDoor>,
    /// Who says where viewers come from.
    pub proxies: TrustedProxies,
    /// Who says so in HTTP.
    pub forwarded: TrustedProxies,
    /// What TLS shows; without it nobody speaks it here.
    pub tls: Option<Arc<ServerConfig>>,
}

impl Doors {
    /// Takes in a connection that was just accepted.
    pub fn welcome(self: &Arc<Self>, stream: TcpStream, peer: SocketAddr) {
        let shared = &self.shared;
        // A proxy's own address is no viewer's.
        let proxy = self.proxies.contains(peer.ip()) || self.forwarded.contains(peer.ip());
        let found = if proxy {
            Visitor::arrive_by(shared, peer, Door::Tcp)
        } else if shared.admits(shared.arrivals.as_ref(), peer) {
            Visitor::arrive(shared, peer, Door::Tcp)
        } else {
            return;
        };
        let visitor = match found {
            Ok(visitor) => visitor,
            Err(rejection) => return self.unheard(peer, rejection),
        };
        // A worker has a reactor of its own, which the socket moves to.
        if let (Ok(stream), Some((worker, assigned))) = (stream.into_std(), self.workers.assign()) {
            let doors = Arc::clone(self);
            worker.spawn(async move { doors.greet(stream, visitor, assigned).await });
        }
    }

    /// Says at the first, second, fourth, eighth ... time that viewers are closed without a word:
    /// enough to be noticed, too little to flood.
    fn unheard(&self, peer: SocketAddr, rejection: Rejection) {
        let times = self.shared.meter.turned(Turned::Unheard).inc() + 1;
        if times.is_power_of_two() {
            let word = rejection.word();
            warn!(%peer, word, times, "too many connections: closed without a word");
        }
    }

    /// Takes in a viewer who opened a tunnel. It counts as one more arrival: any number of tunnels
    /// can be opened by one connection.
    fn welcome_tunnelled(
        self: Arc<Self>,
        viewer: SocketAddr,
        end: TunnelEnd,
    ) -> Result<(), NoPlace> {
        let shared = &self.shared;
        if shared.stages.is_draining() || !shared.admits(shared.arrivals.as_ref(), viewer) {
            return Err(NoPlace);
        }
        let visitor = Visitor::arrive(shared, viewer, Door::Tunnel).map_err(|rejection| {
            self.unheard(viewer, rejection);
            NoPlace
        })?;
        let (worker, assigned) = self.workers.assign().ok_or(NoPlace)?;
        let doors = Arc::clone(&self);
        worker.spawn(async move {
            let _assigned = assigned;
            doors.play(Transport::through(end), visitor).await;
        });
        Ok(())
    }

    /// Finds out who comes and what they speak, and leads them to where that is understood.
    async fn greet(
        self: Arc<Self>,
        stream: std::net::TcpStream,
        mut visitor: Visitor,
        assigned: Assigned,
    ) {
        let mut stream = match prepare(stream) {
            Ok(stream) => stream,
            Err(error) => return visitor.left(&error.into()),
        };
        let limit = visitor.since + self.shared.rules.handshake_timeout;
        let hello = timeout_at(limit.into(), self.hear(&mut stream, &mut visitor));
        match hello.await.unwrap_or(Err(Unserved::Silent)) {
            // Ports that go on while the server drains do so for HTTP.
            Ok(Protocol::Rtmp) if self.shared.stages.is_draining() => {
                visitor.left(&Unserved::Draining);
            }
            Ok(Protocol::Rtmp) => self.play(Transport::over(stream), visitor).await,
            Ok(Protocol::Http) => {
                drop(assigned);
                self.lead_away(stream, visitor);
            }
            Ok(Protocol::Tls) => {
                drop(assigned);
                self.secure(stream, visitor);
            }
            Err(unserved) => visitor.left(&unserved),
        }
    }

    /// What comes before the protocol itself: the header of a listed proxy, and the first byte.
    async fn hear(
        &self,
        stream: &mut TcpStream,
        visitor: &mut Visitor,
    ) -> Result<Protocol, Unserved> {
        if self.proxies.contains(visitor.peer.ip())
            && let Some(viewer) = proxy::read_header(stream).await?
        {
            if let Err(rejection) = visitor.came_from(&self.shared, viewer) {
                self.unheard(viewer, rejection);
                return Err(Unserved::Unheard);
            }
            if !self.shared.admits(self.shared.arrivals.as_ref(), viewer) {
                return Err(Unserved::TooOften);
            }
        }
        first_byte(stream).await.map(Protocol::of)
    }

    /// Serves a viewer who speaks RTMP, to the end.
    async fn play(&self, transport: Transport, visitor: Visitor) {
        let _here = self.viewers.token();
        let span = info_span!("connection", number = visitor.number, peer = %visitor.peer);
        match Connection::new(transport, &visitor, &self.shared) {
            Ok(connection) => connection.run().instrument(span).await,
            Err(error) => warn!(%error, "no random bytes for the handshake"),
        }
    }

    /// Takes a connection that speaks HTTP to where that is served.
    fn lead_away(self: Arc<Self>, stream: TcpStream, visitor: Visitor) {
        let stream = match stream.into_std() {
            Ok(stream) => stream,
            Err(error) => return visitor.left(&error.into()),
        };
        let background = self.shared.routes.background.clone();
        background.spawn(async move {
            match TcpStream::from_std(stream) {
                Ok(stream) => self.browse(stream, visitor).await,
                Err(error) => visitor.left(&error.into()),
            }
        });
    }

    /// Hands over a connection that speaks HTTP, once there is a place for it. Until then it keeps
    /// its place among the viewers, so that those who wait are bounded too.
    async fn browse(&self, stream: impl Stream + 'static, visitor: Visitor) {
        let http = Arc::clone(&self.http);
        let Some(place) = http.place().await else {
            return visitor.left(&Unserved::NoPlace);
        };
        let peer = visitor.peer;
        visitor.went_on(Close::Http);
        http.serve(Box::new(stream), peer, place).await;
    }
}

/// The way of viewers who come through HTTP, held weakly: HTTP is one of the doors itself.
impl Admission for Weak<Doors> {
    fn open(&self, viewer: SocketAddr, end: TunnelEnd) -> Result<(), NoPlace> {
        self.upgrade()
            .ok_or(NoPlace)?
            .welcome_tunnelled(viewer, end)
    }
}

/// The first byte that a viewer sends.
async fn first_byte(stream: &TcpStream) -> Result<u8, Unserved> {
    let mut first = [0];
    match stream.peek(&mut first).await? {
        0 => Err(Unserved::Left),
        _ => Ok(first[0]),
    }
}

fn prepare(stream: std::net::TcpStream) -> io::Result<TcpStream> {
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE)
        .with_interval(KEEPALIVE / 4);
    let socket = SockRef::from(&stream);
    // Replies are small and must not wait for each other.
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_keepalive(&keepalive)?;
    TcpStream::from_std(stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_byte_tells_the_protocol() {
        for rtmp in [0, 3, 6, 8, 9, 0x15, 0x17, b'a', b'@', b'[', 255] {
            assert_eq!(Protocol::of(rtmp), Protocol::Rtmp, "{rtmp}");
        }
        for method in ["GET", "POST", "HEAD", "OPTIONS", "ACL", "ZZZ"] {
            assert_eq!(Protocol::of(method.as_bytes()[0]), Protocol::Http);
        }
        assert_eq!(Protocol::of(0x16), Protocol::Tls);
    }
}
