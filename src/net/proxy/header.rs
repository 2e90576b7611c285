//! One PROXY header, from its bytes so far to what is needed next (haproxy.org, "The PROXY
//! protocol", sections 2.1 and 2.2).
//!
//! Pure: bytes come in, and either a number of bytes goes out that the header has for certain, or
//! what the header says. Of the two crates that read it, one slices by what it was told and both
//! are lenient (`PROXYxTCP4`, ports with a sign, datagrams), and neither says how far it is safe
//! to read; so this is our own, and one of them checks it in the tests.
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation
    )
)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// The shortest header of all, in bytes: `PROXY UNKNOWN` and the end of the line.
const SHORTEST: usize = 15;

/// The longest line of version 1 with its end, in bytes (section 2.1).
const LONGEST_LINE: usize = 107;

/// What each line of version 1 begins with.
const LINE: &[u8] = b"PROXY ";

/// What each header of version 2 begins with.
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// Bytes of a header of version 2 before what it announces.
const FIXED: usize = 16;

/// Bytes that a header of version 2 may announce. Addresses take 36, or 216 for sockets of a
/// machine; beside them balancers send names and, at most, the certificate of a viewer.
const LONGEST_BODY: usize = 4096;

/// Bytes of the addresses of two sockets of one machine.
const UNIX_BODY: usize = 216;

/// Where reading stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The header has so many bytes more, at least.
    Need(usize),
    /// The header is whole: the viewer's address; none where the proxy speaks for itself.
    Done(Option<SocketAddr>),
}

/// Why a header cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// Something else came.
    #[error("is missing")]
    Missing,
    /// It is longer than any that makes sense.
    #[error("is too long ({0} bytes)")]
    TooLong(usize),
    /// It does not say what it should.
    #[error("is malformed: {0}")]
    Malformed(&'static str),
}

/// Looks at all that was read so far, which is at most what earlier steps needed.
///
/// # Errors
/// [`HeaderError`]: no more bytes could make a header of it.
pub fn step(head: &[u8]) -> Result<Step, HeaderError> {
    if head.is_empty() {
        Ok(Step::Need(SHORTEST))
    } else if begins(head, SIGNATURE) {
        binary(head)
    } else if begins(head, LINE) {
        line(head)
    } else {
        Err(HeaderError::Missing)
    }
}

/// Whether `head` is the beginning of something that begins with `mark`.
fn begins(head: &[u8], mark: &[u8]) -> bool {
    head.iter().zip(mark).all(|(a, b)| a == b)
}

/// Version 2.
fn binary(head: &[u8]) -> Result<Step, HeaderError> {
    let Some((fixed, body)) = head.split_first_chunk::<FIXED>() else {
        return Ok(Step::Need(FIXED.saturating_sub(head.len())));
    };
    let [.., command, family, high, low] = *fixed;
    let len = usize::from(u16::from_be_bytes([high, low]));
    let is_local = match command {
        0x20 => true,
        0x21 => false,
        _ => return Err(HeaderError::Malformed("no such version or command")),
    };
    if len > LONGEST_BODY {
        return Err(HeaderError::TooLong(len));
    }
    let read = body.len();
    if read < len {
        return Ok(Step::Need(len.saturating_sub(read)));
    }
    if is_local {
        return Ok(Step::Done(None));
    }
    let viewer = match family {
        0x11 => Some(source::<4, 12>(body)?),
        0x21 => Some(source::<16, 36>(body)?),
        0x31 if len >= UNIX_BODY => None,
        0x31 => return Err(SHORT),
        0x00 => None,
        _ => return Err(HeaderError::Malformed("no such family of addresses")),
    };
    Ok(Step::Done(viewer))
}

/// What is announced does not hold the addresses.
const SHORT: HeaderError = HeaderError::Malformed("too short for its addresses");

/// The first of two addresses of `BYTES` bytes, and its port, which stands behind both.
fn source<const BYTES: usize, const BOTH: usize>(body: &[u8]) -> Result<SocketAddr, HeaderError>
where
    IpAddr: From<[u8; BYTES]>,
{
    let (both, _) = body.split_first_chunk::<BOTH>().ok_or(SHORT)?;
    let address = both.first_chunk::<BYTES>().ok_or(SHORT)?;
    let (_, ports) = both.split_last_chunk::<4>().ok_or(SHORT)?;
    let [high, low, ..] = *ports;
    let port = u16::from_be_bytes([high, low]);
    Ok(viewer(IpAddr::from(*address), port))
}

/// Version 1: a line of text.
fn line(head: &[u8]) -> Result<Step, HeaderError> {
    if let Some(line) = head.strip_suffix(b"\r\n") {
        return said(line).map(Step::Done);
    }
    let (ends, before) = match head.split_last() {
        Some((b'\r', before)) => (true, before),
        _ => (false, head),
    };
    if before.iter().any(|byte| matches!(byte, b'\r' | b'\n')) {
        return Err(HeaderError::Malformed("the end of the line is not CR LF"));
    }
    // The end of the line is two bytes, of which one may be there.
    let need = if ends {
        1
    } else {
        2_usize.max(SHORTEST.saturating_sub(head.len()))
    };
    match head.len().saturating_add(need) {
        len if len > LONGEST_LINE => Err(HeaderError::TooLong(len)),
        _ => Ok(Step::Need(need)),
    }
}

/// What a line says, without its end.
fn said(line: &[u8]) -> Result<Option<SocketAddr>, HeaderError> {
    let line = str::from_utf8(line).map_err(|_| HeaderError::Malformed("it is no text"))?;
    let mut words = line.split(' ').skip(1);
    match words.next() {
        // Whatever follows is to be ignored.
        Some("UNKNOWN") => Ok(None),
        Some("TCP4") => addresses::<Ipv4Addr>(words).map(Some),
        Some("TCP6") => addresses::<Ipv6Addr>(words).map(Some),
        _ => Err(HeaderError::Malformed("no such protocol")),
    }
}

/// The first of two addresses with their ports, and nothing behind them.
fn addresses<'a, A: FromStr + Into<IpAddr>>(
    mut words: impl Iterator<Item = &'a str>,
) -> Result<SocketAddr, HeaderError> {
    let mut word = || words.next().unwrap_or_default();
    let address = |word: &str| {
        let address: Result<A, _> = word.parse();
        address.map_err(|_| HeaderError::Malformed("what should be an address is none"))
    };
    let from = address(word())?;
    address(word())?;
    let from_port = port(word())?;
    port(word())?;
    match words.next() {
        None => Ok(viewer(from.into(), from_port)),
        Some(_) => Err(HeaderError::Malformed("there is more behind the ports")),
    }
}

fn port(word: &str) -> Result<u16, HeaderError> {
    let plain = word.bytes().all(|byte| byte.is_ascii_digit());
    let plain = plain && (word == "0" || !word.starts_with('0'));
    let port = word.parse().ok().filter(|_| plain);
    port.ok_or(HeaderError::Malformed("what should be a port is none"))
}

fn viewer(address: IpAddr, port: u16) -> SocketAddr {
    SocketAddr::new(address.to_canonical(), port)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a header as it comes, and answers how many bytes it took.
    fn read(bytes: &[u8]) -> Result<(Option<SocketAddr>, usize), HeaderError> {
        let mut taken = 0;
        loop {
            match step(&bytes[..taken])? {
                Step::Done(viewer) => return Ok((viewer, taken)),
                Step::Need(more) => {
                    assert!(more > 0);
                    taken += more;
                    assert!(taken <= bytes.len(), "needs {taken} of {}", bytes.len());
                }
            }
        }
    }

    fn binary(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let len = u16::try_from(body.len()).unwrap().to_be_bytes();
        [SIGNATURE, &[command, family], &len, body].concat()
    }

    const V4: [u8; 12] = [192, 0, 2, 1, 192, 0, 2, 9, 0x12, 0x34, 0x07, 0x8f];

    #[test]
    fn lines_say_who_the_viewer_is() {
        let longest = "PROXY TCP6 2001:0db8:0000:0000:0000:0000:0000:0001 \
                       2001:0db8:0000:0000:0000:0000:0000:0002 65535 65535\r\n";
        for (line, viewer) in [
            (
                "PROXY TCP4 192.0.2.1 192.0.2.9 4660 1935\r\n",
                Some("192.0.2.1:4660"),
            ),
            (
                "PROXY TCP6 2001:db8::1 ::1 1 2\r\n",
                Some("[2001:db8::1]:1"),
            ),
            (
                "PROXY TCP6 ::ffff:192.0.2.1 ::1 1 0\r\n",
                Some("192.0.2.1:1"),
            ),
            (longest, Some("[2001:db8::1]:65535")),
            ("PROXY UNKNOWN\r\n", None),
            ("PROXY UNKNOWN what ever 1 2 3\r\n", None),
        ] {
            let bytes = [line.as_bytes(), b"\r\n\x03"].concat();
            let viewer = viewer.map(|text| text.parse().unwrap());
            assert_eq!(read(&bytes), Ok((viewer, line.len())), "{line}");
        }
    }

    #[test]
    fn headers_say_who_the_viewer_is() {
        let viewer = Some("192.0.2.1:4660".parse().unwrap());
        let mut v6 = [0; 36];
        v6[15] = 1;
        v6[32..34].copy_from_slice(&[0, 7]);
        let padded = [&V4[..], &[4, 0, 2, 0, 0]].concat();
        for (header, said) in [
            (binary(0x21, 0x11, &V4), viewer),
            (binary(0x21, 0x11, &padded), viewer),
            (binary(0x21, 0x21, &v6), Some("[::1]:7".parse().unwrap())),
            (binary(0x20, 0x11, &V4), None),
            (binary(0x20, 0x77, &[]), None),
            (binary(0x21, 0x00, &[]), None),
            (binary(0x21, 0x31, &[0; 216]), None),
            (binary(0x20, 0x00, &[0; LONGEST_BODY]), None),
        ] {
            let bytes = [&header[..], b"\x03"].concat();
            assert_eq!(read(&bytes), Ok((said, header.len())), "{header:?}");
        }
    }

    #[test]
    fn what_is_no_header_is_refused() {
        let rtmp = [3; 1537];
        let too_long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(LONGEST_LINE));
        let malformed = |bytes: &[u8]| matches!(read(bytes), Err(HeaderError::Malformed(_)));
        assert_eq!(read(&rtmp), Err(HeaderError::Missing));
        assert_eq!(read(b"GET / HTTP/1.1\r\n"), Err(HeaderError::Missing));
        assert_eq!(
            read(b"PROXYxTCP4 192.0.2.1 192.0.2.9 1 2\r\n"),
            Err(HeaderError::Missing)
        );
        assert_eq!(read(too_long.as_bytes()), Err(HeaderError::TooLong(109)));
        let announced = [SIGNATURE, &[0x21, 0x11, 0x10, 0x01]].concat();
        assert_eq!(read(&announced), Err(HeaderError::TooLong(4097)));
        for line in [
            "PROXY TCP4 192.0.2.1 192.0.2.9 1\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.9 1 2 3\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.9 +1 2\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.9 01 2\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.9 1 65536\r\n",
            "PROXY TCP4 192.0.2.1  192.0.2.9 1 2\r\n",
            "PROXY TCP4 ::1 ::1 1 2\r\n",
            "PROXY TCP6 192.0.2.1 ::1 1 2\r\n",
            "PROXY UDP4 192.0.2.1 192.0.2.9 1 2\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.9 1 2\n\n",
            "PROXY TCP4 192.0.2.1\r192.0.2.9 1 2\r\n",
        ] {
            assert!(malformed(line.as_bytes()), "{line:?}");
        }
        for (command, family, body) in [
            (0x11, 0x11, &V4[..]),
            (0x22, 0x11, &V4),
            (0x21, 0x12, &V4),
            (0x21, 0x41, &V4),
            (0x21, 0x11, &V4[1..]),
            (0x21, 0x21, &V4),
            (0x21, 0x31, &V4),
        ] {
            assert!(
                malformed(&binary(command, family, body)),
                "{command} {family}"
            );
        }
    }
}
