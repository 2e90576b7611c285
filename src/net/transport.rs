//! The way to a viewer: what a connection reads from and sends to, whatever door they came by.
//!
//! Two ways out. Plain TCP takes media by `sendfile`, from the segment into the socket, and nothing
//! here touches a byte of it. All others cost a copy: bytes are read from the segment into a buffer
//! of the thread, enciphered where that was agreed on (RTMPE), and handed to a [`Channel`]: TLS, the
//! tunnel, or the socket itself. What each costs stands in benches/RESULTS.md.
//!
//! Nothing here waits. What a channel has taken counts as sent; it may wait inside, bounded, until
//! [`Transport::try_flush`] says that it has left.

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

/// Bytes that are copied out of a segment at once: four TLS records.
const COPY_BYTES: usize = 64 * 1024;

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
pub enum Transport {
    /// Plain TCP.
    Plain(TcpStream),
    /// Through the hands of this process.
    Copied(Copied),
}

/// A way that bytes are copied out to.
#[derive(Debug)]
pub struct Copied {
    channel: Box<dyn Channel>,
}

impl Transport {
    /// The way through a channel.
    pub fn through(channel: impl Channel + 'static) -> Self {
        let channel = Box::new(channel);
        Self::Copied(Copied { channel })
    }

    /// Reads what is there, as [`Channel::try_read`].
    ///
    /// # Errors
    /// As there.
    pub fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.channel().try_read(buffer)
    }

    /// Sends some of the output; answers how many bytes were taken.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when none are taken now; otherwise the way is broken.
    pub fn send_some(&mut self, output: &Output<'_, RunMedia>) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket::send_some(socket, output),
            Self::Copied(copied) => copied.send_some(output),
        }
    }

    /// Lets go of what was taken, as [`Channel::try_flush`].
    ///
    /// # Errors
    /// As there.
    pub fn try_flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Copied(copied) => copied.channel.try_flush(),
        }
    }

    /// As [`Channel::poll_readable`].
    pub fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.channel().poll_readable(cx)
    }

    /// As [`Channel::poll_writable`].
    pub fn poll_writable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.channel().poll_writable(cx)
    }

    /// As [`Channel::close`].
    pub fn close(&mut self) {
        self.channel().close();
    }

    /// As [`Channel::bound_unsent`].
    pub fn bound_unsent(&mut self, bound: bool) {
        self.channel().bound_unsent(bound);
    }

    fn channel(&mut self) -> &mut dyn Channel {
        match self {
            Self::Plain(socket) => socket,
            Self::Copied(copied) => copied.channel.as_mut(),
        }
    }
}

impl Copied {
    fn send_some(&mut self, output: &Output<'_, RunMedia>) -> io::Result<usize> {
        PASSING.with_borrow_mut(|passing| {
            let bytes = socket::bytes_of(output, COPY_BYTES, passing)?;
            self.channel.try_write(bytes)
        })
    }
}
