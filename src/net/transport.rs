//! The way to a viewer: what a connection reads from and sends to, whatever door they came by.
//!
//! Two ways out. Plain TCP takes media by `sendfile`, from the segment into the socket, and nothing
//! here touches a byte of it. All others cost a copy: bytes are read from the segment into a buffer
//! of the thread, enciphered where that was agreed on (RTMPE), and handed to a [`Channel`]: TLS, the
//! tunnel, or the socket itself. What each costs stands in benches/RESULTS.md.
//!
//! Nothing here waits. What a channel has taken counts as sent; it may wait inside, bounded, until
//! [`Transport::try_flush`] says that it has left.

mod tls;

pub use self::tls::TlsChannel;

use std::cell::RefCell;
use std::fmt::Debug;
use std::io;
use std::net::Shutdown;
use std::task::{Context, Poll};

use socket2::SockRef;
use tokio::net::TcpStream;

use crate::delivery::media::RunMedia;
use crate::delivery::sender::Output;
use crate::delivery::socket;
use crate::rtmp::handshake::Cipher;

/// Bytes that are copied out of a segment at once: four TLS records.
const COPY_BYTES: usize = 64 * 1024;

/// Bytes sent in one turn.
const TURN_BYTES: usize = 1024 * 1024;

/// The same where they are enciphered, at 0.6 GB/s.
const ENCIPHERED_TURN_BYTES: usize = 128 * 1024;

/// Bytes that are enciphered at once: what a connection may hold that the way did not take.
const ENCIPHER_BYTES: usize = 16 * 1024;

thread_local! {
    /// Where bytes pass through that are copied: one buffer for all connections of a thread.
    static PASSING: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A way for bytes to and from a viewer that never waits.
pub trait Channel: Send + Debug {
    /// Reads what is there: 0 where the viewer will send no more.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] where nothing is there yet; else the way is broken.
    fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Takes some of the bytes, one at least. What was taken may wait inside, bounded.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] where there is no room; else the way is broken.
    fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Lets go of what was taken.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] where some of it cannot leave now; else the way is broken.
    fn try_flush(&mut self) -> io::Result<()>;

    /// Ready where `try_read` would say something.
    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Ready where `try_write` or `try_flush` would come further.
    fn poll_writable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Says that nothing more will be written, once what was taken has left as far as it can.
    fn close(&mut self);

    /// Bounds what may wait unsent in the kernel, or lifts the bound.
    fn bound_unsent(&self, _bound: bool) {}
}

impl Channel for TcpStream {
    fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = Self::try_read(self, buffer)?;
        socket::acknowledge_at_once(self);
        Ok(read)
    }

    fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        socket::write_some(self, bytes)
    }

    fn try_flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_read_ready(cx)
    }

    fn poll_writable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_write_ready(cx)
    }

    fn close(&mut self) {
        // Where this fails the viewer is gone, and reading says so.
        let _ = SockRef::from(&*self).shutdown(Shutdown::Write);
    }

    fn bound_unsent(&self, bound: bool) {
        socket::bound_unsent(self, bound);
    }
}

/// The way to one viewer.
#[derive(Debug)]
pub struct Transport {
    way: Way,
    cipher: Option<Outgoing>,
}

#[derive(Debug)]
enum Way {
    /// TCP: what is not enciphered goes by `sendfile`.
    Socket(TcpStream),
    /// Bytes are copied out to it.
    Channel(Box<dyn Channel>),
}

/// The cipher of what goes out, and what it has enciphered and the way has not taken.
#[derive(Debug)]
struct Outgoing {
    cipher: Cipher,
    /// Bytes that go out as they are before the cipher begins.
    plain: usize,
    rest: Vec<u8>,
}

impl Transport {
    /// The way over TCP.
    pub const fn over(socket: TcpStream) -> Self {
        Self {
            way: Way::Socket(socket),
            cipher: None,
        }
    }

    /// The way through a channel.
    pub fn through(channel: impl Channel + 'static) -> Self {
        Self {
            way: Way::Channel(Box::new(channel)),
            cipher: None,
        }
    }

    /// Enciphers what goes out from here on, but for the next `plain` bytes.
    pub fn encipher(&mut self, cipher: Cipher, plain: usize) {
        self.cipher = Some(Outgoing {
            cipher,
            plain,
            rest: Vec::new(),
        });
    }

    /// Reads what is there, as [`Channel::try_read`].
    ///
    /// # Errors
    /// As there.
    pub fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.way.channel().try_read(buffer)
    }

    /// Bytes that may be sent before others get a turn on this thread: what a cipher takes some
    /// hundred microseconds for, or what costs no more as it is.
    pub const fn turn(&self) -> usize {
        match self.cipher {
            None => TURN_BYTES,
            Some(_) => ENCIPHERED_TURN_BYTES,
        }
    }

    /// Sends some of the output; answers how many bytes were taken.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when none are taken now; otherwise the way is broken.
    pub fn send_some(&mut self, output: &Output<'_, RunMedia>) -> io::Result<usize> {
        match (&mut self.way, &mut self.cipher) {
            (Way::Socket(socket), None) => socket::send_some(socket, output),
            (way, cipher) => copy_some(way.channel(), cipher.as_mut(), output),
        }
    }

    /// Lets go of what was taken, as [`Channel::try_flush`].
    ///
    /// # Errors
    /// As there.
    pub fn try_flush(&mut self) -> io::Result<()> {
        let channel = self.way.channel();
        if let Some(outgoing) = &mut self.cipher {
            outgoing.send_rest(channel)?;
        }
        channel.try_flush()
    }

    /// As [`Channel::poll_readable`].
    pub fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.way.channel().poll_readable(cx)
    }

    /// As [`Channel::poll_writable`].
    pub fn poll_writable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.way.channel().poll_writable(cx)
    }

    /// As [`Channel::close`].
    pub fn close(&mut self) {
        self.way.channel().close();
    }

    /// As [`Channel::bound_unsent`].
    pub fn bound_unsent(&mut self, bound: bool) {
        self.way.channel().bound_unsent(bound);
    }
}

impl Way {
    fn channel(&mut self) -> &mut dyn Channel {
        match self {
            Self::Socket(socket) => socket,
            Self::Channel(channel) => channel.as_mut(),
        }
    }
}

impl Outgoing {
    /// Enciphers these bytes and sends what the way takes of them; the rest waits here.
    fn send(&mut self, channel: &mut dyn Channel, bytes: &[u8]) -> io::Result<usize> {
        self.send_rest(channel)?;
        let mut enciphered = bytes.to_vec();
        let plain = self.plain.min(enciphered.len());
        self.plain -= plain;
        self.cipher.apply(&mut enciphered[plain..]);
        // From here on these bytes are taken, whatever becomes of them: the keystream has moved on.
        match channel.try_write(&enciphered) {
            Ok(sent) => self.rest = enciphered.split_off(sent.min(enciphered.len())),
            Err(error) if is_passing(&error) => self.rest = enciphered,
            Err(error) => return Err(error),
        }
        Ok(bytes.len())
    }

    fn send_rest(&mut self, channel: &mut dyn Channel) -> io::Result<()> {
        while !self.rest.is_empty() {
            let sent = channel.try_write(&self.rest)?;
            self.rest.drain(..sent.min(self.rest.len()));
        }
        // Most connections never wait; none keeps the room.
        self.rest = Vec::new();
        Ok(())
    }
}

/// Whether a write may be tried again.
fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}

fn copy_some(
    channel: &mut dyn Channel,
    cipher: Option<&mut Outgoing>,
    output: &Output<'_, RunMedia>,
) -> io::Result<usize> {
    PASSING.with_borrow_mut(|passing| match cipher {
        None => channel.try_write(socket::bytes_of(output, COPY_BYTES, passing)?),
        Some(outgoing) => {
            let bytes = socket::bytes_of(output, ENCIPHER_BYTES, passing)?;
            outgoing.send(channel, bytes)
        }
    })
}

#[cfg(test)]
mod tests;
