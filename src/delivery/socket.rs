//! The thin edge to the kernel: carries out what the sender plans.
//!
//! Media of a segment file goes by `sendfile`, so that no byte of it passes through user space.
//! Control messages before media are sent with MSG_MORE, so that both leave in one packet.

use std::io;
use std::ops::Range;

use rustix::fs::sendfile;
use rustix::net::{SendFlags, send, sockopt};
use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::TcpStream;

use super::media::RunMedia;
use super::sender::Output;

/// Unsent bytes that the kernel may hold for a paced viewer: a seek or pause is never behind more
/// than this and one step. Below 128 KiB a step of 500 ms at 2 Mbit/s would not fit.
const NOTSENT_LOWAT: u32 = 128 * 1024;

/// Largest single step of sendfile: the whole of a usual segment. Larger ones win nothing
/// (spec/performance.md C).
const MAX_STEP: usize = 512 * 1024;

/// Bounds what may wait unsent in the kernel, or lifts the bound.
pub fn bound_unsent(stream: &TcpStream, bound: bool) {
    let bytes = if bound { NOTSENT_LOWAT } else { u32::MAX };
    // Without it a seek comes later; the viewer plays all the same.
    let _ = SockRef::from(stream).set_tcp_notsent_lowat(bytes);
}

/// Asks the kernel to acknowledge at once what the viewer sent. ffmpeg's Nagle writes of the
/// command phase would wait for it (42 to 92 ms from connect to play; 2 ms with it). The kernel
/// forgets it, so it is asked again after each read.
pub fn acknowledge_at_once(stream: &TcpStream) {
    // Only speed is lost where it fails.
    let _ = sockopt::set_tcp_quickack(stream, true);
}

/// Sends some of the output; answers how many bytes the socket took.
///
/// # Errors
/// [`io::ErrorKind::WouldBlock`] when it takes none now; otherwise the connection is broken.
pub fn send_some(stream: &TcpStream, output: &Output<'_, RunMedia>) -> io::Result<usize> {
    stream.try_io(Interest::WRITABLE, || match output {
        Output::Idle => Ok(0),
        Output::Write { bytes, more } => write(stream, bytes, *more),
        Output::Media { media, range } => send_media(stream, media, range),
    })
}

/// The next bytes of the output, at most so many: where they are in memory, or copied out of a
/// segment's file into `buffer`.
///
/// # Errors
/// The segment cannot be read.
pub fn bytes_of<'a>(
    output: &'a Output<'_, RunMedia>,
    most: usize,
    buffer: &'a mut Vec<u8>,
) -> io::Result<&'a [u8]> {
    let bytes = match output {
        Output::Idle => &[],
        Output::Write { bytes, .. } => *bytes,
        Output::Media { media, range } => match media {
            RunMedia::Copy(copy) => slice(&copy.bytes, range),
            RunMedia::Shared(segment) => {
                let range = places(range);
                let end = range.end.min(range.start.saturating_add(most));
                segment.file.read_at(range.start..end, buffer)?;
                buffer
            }
        },
    };
    Ok(bytes.get(..most).unwrap_or(bytes))
}

/// Writes some of the bytes; answers how many the socket took.
///
/// # Errors
/// As [`send_some`].
pub fn write_some(stream: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    stream.try_io(Interest::WRITABLE, || write(stream, bytes, false))
}

fn send_media(stream: &TcpStream, media: &RunMedia, range: &Range<u32>) -> io::Result<usize> {
    match media {
        RunMedia::Copy(copy) => write(stream, slice(&copy.bytes, range), false),
        RunMedia::Shared(segment) => match segment.file.fd() {
            Some(file) => {
                let mut offset = u64::from(range.start);
                let len = usize::try_from(range.end - range.start).unwrap_or(MAX_STEP);
                let sent = sendfile(stream, file, Some(&mut offset), len.min(MAX_STEP))?;
                // A sealed file never shrinks, so nothing sent means that the range is wrong.
                if sent == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                Ok(sent)
            }
            None => {
                let bytes = segment.file.as_heap().unwrap_or_default();
                write(stream, slice(bytes, range), false)
            }
        },
    }
}

fn slice<'a>(bytes: &'a [u8], range: &Range<u32>) -> &'a [u8] {
    bytes.get(places(range)).unwrap_or_default()
}

fn places(range: &Range<u32>) -> Range<usize> {
    let place = |place| usize::try_from(place).unwrap_or(usize::MAX);
    place(range.start)..place(range.end)
}

fn write(stream: &TcpStream, bytes: &[u8], more: bool) -> io::Result<usize> {
    let flags = if more {
        SendFlags::NOSIGNAL | SendFlags::MORE
    } else {
        SendFlags::NOSIGNAL
    };
    match send(stream, bytes, flags)? {
        0 => Err(io::ErrorKind::WriteZero.into()),
        sent => Ok(sent),
    }
}
