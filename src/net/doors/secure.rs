//! TLS at the door: the handshake, and then once more the question which protocol is spoken.
//!
//! A handshake costs a signature, some hundred times as much as a step of delivery: it runs where
//! work runs, not on the threads that deliver. RTMP inside it goes to such a thread afterwards,
//! HTTP stays where it is. Whatever is inside has the time that all have until they connect.

use std::sync::Arc;

use rustls::ServerConfig;
use tokio::io::AsyncBufReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout_at;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::{Doors, Protocol};
use crate::delivery::meter::Close;
use crate::net::transport::{TlsChannel, Transport};
use crate::net::visitor::{Door, Unserved, Visitor};

impl Doors {
    /// Shakes hands with one who speaks TLS, and leads them on.
    pub(super) fn secure(self: &Arc<Self>, stream: TcpStream, visitor: Visitor) {
        let Some(tls) = &self.tls else {
            return visitor.left(&Unserved::NoCertificate);
        };
        let shared = &self.shared;
        if !shared.admits(shared.handshakes.as_ref(), visitor.peer) {
            return visitor.left(&Unserved::TooOften);
        }
        let stream = match stream.into_std() {
            Ok(stream) => stream,
            Err(error) => return visitor.left(&error.into()),
        };
        let (doors, tls) = (Arc::clone(self), Arc::clone(tls));
        shared.routes.background.spawn(async move {
            let limit = visitor.since + doors.shared.rules.handshake_timeout;
            let hello = timeout_at(limit.into(), shake(stream, tls));
            match hello.await.unwrap_or(Err(Unserved::Silent)) {
                Ok((stream, Protocol::Http)) => {
                    let peer = visitor.peer;
                    visitor.went_on(Close::Http);
                    Arc::clone(&doors.http).serve(Box::new(stream), peer).await;
                }
                Ok((stream, _)) => doors.play_inside(stream, visitor),
                Err(unserved) => visitor.left(&unserved),
            }
        });
    }

    /// Takes a viewer who speaks RTMP inside TLS to a thread that delivers.
    fn play_inside(self: Arc<Self>, stream: TlsStream<TcpStream>, mut visitor: Visitor) {
        visitor.door = Door::Tls;
        let (socket, tls) = stream.into_inner();
        let socket = match socket.into_std() {
            Ok(socket) => socket,
            Err(error) => return visitor.left(&error.into()),
        };
        let doors = Arc::clone(&self);
        let Some((worker, assigned)) = self.workers.assign() else {
            return;
        };
        worker.spawn(async move {
            let _assigned = assigned;
            match TcpStream::from_std(socket) {
                Ok(socket) => {
                    let channel = TlsChannel::new(socket, tls);
                    doors.play(Transport::through(channel), visitor).await;
                }
                Err(error) => visitor.left(&error.into()),
            }
        });
    }
}

/// Shakes hands and waits for the first byte inside, which stays where it is.
async fn shake(
    stream: std::net::TcpStream,
    tls: Arc<ServerConfig>,
) -> Result<(TlsStream<TcpStream>, Protocol), Unserved> {
    let stream = TcpStream::from_std(stream)?;
    let shaken = TlsAcceptor::from(tls).accept(stream).await;
    let mut stream = shaken.map_err(Unserved::Handshake)?;
    let first = stream.fill_buf().await?.first().copied();
    let protocol = first.map(Protocol::of).ok_or(Unserved::Left)?;
    Ok((stream, protocol))
}
