//! How players take bytes from their sockets: into one buffer a thread, or not at all.
//!
//! Ten thousand players share the buffer of their thread, because none keeps what it reads. Payload
//! that need not be looked at is not even copied: on TCP, Linux throws away what is received with
//! MSG_TRUNC (tcp(7)).

use std::cell::RefCell;
use std::io::{self, ErrorKind};

use rustix::net::{RecvFlags, recv};
use tokio::io::Interest;
use tokio::net::TcpStream;

/// Bytes of one read. Measured with 50 unpaced players: 64 KiB cost a third more processor time.
const BUFFER: usize = 256 * 1024;

/// From how many bytes on a call that throws them away costs less than copying them beside others.
/// Measured the same way: with 4 KiB it costs more than it saves, with 16 KiB a little less.
const DISCARD_MIN: usize = 16 * 1024;

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; BUFFER]);
}

/// What came of a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// So many bytes were thrown away.
    Skipped(usize),
    /// So many bytes were read, and handed to the reader.
    Read,
    /// There is nothing at the moment.
    Nothing,
    /// The server has closed the connection.
    Closed,
}

/// One read, and whether the socket may hold more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Read {
    pub(super) taken: Taken,
    pub(super) more: bool,
}

/// Takes bytes from `stream`. `skippable` of them may be thrown away; others go to `reader`.
///
/// # Errors
/// The connection is broken.
pub(super) fn take(
    stream: &TcpStream,
    skippable: usize,
    reader: impl FnOnce(&[u8]),
) -> io::Result<Read> {
    SCRATCH.with_borrow_mut(|scratch| {
        let skip = skippable >= DISCARD_MIN;
        let wanted = if skip { skippable } else { BUFFER };
        let wanted = wanted.min(scratch.len());
        let buffer = scratch.get_mut(..wanted).unwrap_or_default();
        let (got, more) = receive(stream, buffer, skip)?;
        let taken = match got {
            None => Taken::Nothing,
            Some(0) => Taken::Closed,
            Some(len) if skip => Taken::Skipped(len),
            Some(len) => {
                reader(buffer.get(..len).unwrap_or_default());
                Taken::Read
            }
        };
        Ok(Read { taken, more })
    })
}

/// One `recv`: how many bytes, if any, and whether there may be more.
fn receive(stream: &TcpStream, buffer: &mut [u8], skip: bool) -> io::Result<(Option<usize>, bool)> {
    let flags = if skip {
        RecvFlags::TRUNC
    } else {
        RecvFlags::empty()
    };
    let wanted = buffer.len();
    let mut got = None;
    let result = stream.try_io(Interest::READABLE, || {
        let (_, len) = recv(stream, &mut *buffer, flags)?;
        got = Some(len);
        // A short read has emptied the socket. Saying so here saves the read that would find
        // nothing; an end of the stream is told by another event, and not forgotten.
        if len > 0 && len < wanted {
            return Err(ErrorKind::WouldBlock.into());
        }
        Ok(())
    });
    match result {
        Ok(()) => Ok((got, true)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok((got, false)),
        Err(error) => Err(error),
    }
}
