//! TLS after its handshake, as a way for bytes that never waits.
//!
//! rustls enciphers and deciphers in memory; this moves its records to and from the socket. Bytes
//! that are sent are enciphered from the caller's buffer into records of 16 KiB, and one system
//! call takes what is there of them.
//!
//! Memory: an idle connection holds 8 KiB more than one over plain TCP (measured with 1,000 of each),
//! half of it to read into. Records that the socket does not take wait here, [`WAITING`] bytes and their heads at
//! most, and go before anything else is taken. What a viewer sends is deciphered a read at a time;
//! the most that they can make the server keep is a record of 16 KiB that is not whole yet, or a
//! message of TLS itself of 64 KiB.
//!
//! A viewer who closes the connection without saying so in TLS is taken as one who has closed it:
//! nobody's end of input means anything in RTMP, and real players do no better.

use std::fmt;
use std::io::{self, BufRead, IoSlice, Read, Write};
use std::net::Shutdown;
use std::task::{Context, Poll, ready};

use rustls::ServerConnection;
use socket2::SockRef;
use tokio::net::TcpStream;

use super::Channel;
use crate::delivery::socket;

/// Bytes that may wait for the socket, as they were before they were enciphered: four records,
/// which is what one step of copied media brings.
const WAITING: usize = 64 * 1024;

/// Reads from the socket in a row. Who sends records without content in a stream is looked at
/// again after the others of the thread.
const READS: usize = 8;

/// A viewer's connection whose handshake is done.
pub struct TlsChannel {
    socket: TcpStream,
    tls: ServerConnection,
    end: End,
}

/// How far the server's end is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Open,
    /// It is, as soon as all that was taken has left.
    Closing,
    Closed,
}

impl TlsChannel {
    /// Goes on from a handshake. The socket belongs to this thread's runtime.
    pub fn new(socket: TcpStream, mut tls: ServerConnection) -> Self {
        tls.set_buffer_limit(Some(WAITING));
        Self {
            socket,
            tls,
            end: End::Open,
        }
    }

    /// Deciphers what one read of the socket brings. Nothing that was deciphered before is unread.
    fn receive(&mut self) -> io::Result<()> {
        let read = self.tls.read_tls(&mut Socket(&self.socket))?;
        if read > 0 {
            socket::acknowledge_at_once(&self.socket);
        }
        let refused = self.tls.process_new_packets().err();
        // Answers of TLS itself: an alert that says what is wrong, for one.
        let answered = self.try_flush();
        match (refused, answered) {
            (Some(cause), _) => Err(io::Error::new(io::ErrorKind::InvalidData, cause)),
            (None, Err(error)) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            (None, _) => Ok(()),
        }
    }

    /// What was deciphered and not read; empty at the viewer's end.
    fn deciphered(&mut self) -> Option<io::Result<usize>> {
        match self.tls.reader().fill_buf() {
            Ok(bytes) => Some(Ok(bytes.len())),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            Err(error) => Some(Err(error)),
        }
    }
}

impl Channel for TlsChannel {
    fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        for _ in 0..READS {
            match self.tls.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.receive()?,
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                read => return read,
            }
        }
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.try_flush()?;
        let taken = self.tls.writer().write(bytes)?;
        match self.try_flush() {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ if taken == 0 && !bytes.is_empty() => Err(io::ErrorKind::WriteZero.into()),
            _ => Ok(taken),
        }
    }

    fn try_flush(&mut self) -> io::Result<()> {
        while self.tls.wants_write() {
            if self.tls.write_tls(&mut Socket(&self.socket))? == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        if self.end == End::Closing {
            self.end = End::Closed;
            // Where this fails the viewer is gone, and reading says so.
            let _ = SockRef::from(&self.socket).shutdown(Shutdown::Write);
        }
        Ok(())
    }

    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.deciphered().is_some() {
            return Poll::Ready(Ok(()));
        }
        // Answers of TLS, and the last bytes before the end, leave without being asked for.
        while self.tls.wants_write() {
            match self.socket.poll_write_ready(cx) {
                Poll::Ready(ready) => ready?,
                Poll::Pending => break,
            }
            match self.try_flush() {
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                    return Poll::Ready(Err(error));
                }
                _ => {}
            }
        }
        self.socket.poll_read_ready(cx)
    }

    fn poll_writable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.socket.poll_write_ready(cx))?;
        Poll::Ready(Ok(()))
    }

    fn close(&mut self) {
        if self.end == End::Open {
            self.end = End::Closing;
            self.tls.send_close_notify();
        }
        // What cannot leave now leaves while the viewer's last bytes are waited for.
        let _ = self.try_flush();
    }

    fn bound_unsent(&self, bound: bool) {
        socket::bound_unsent(&self.socket, bound);
    }
}

impl fmt::Debug for TlsChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsChannel")
            .field("socket", &self.socket)
            .field("version", &self.tls.protocol_version())
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}

/// The socket as rustls wants it: what would wait is an error.
struct Socket<'a>(&'a TcpStream);

impl Read for Socket<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buffer)
    }
}

impl Write for Socket<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn write_vectored(&mut self, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
