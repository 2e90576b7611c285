//! The PROXY protocol: load balancers in front of the server say who the viewer is, in a header
//! before the first byte of the viewer (haproxy.org, "The PROXY protocol", versions 1 and 2).
//!
//! Who may say so is listed. From a listed address the header is required, so that nobody behind
//! that balancer can send one of their own; from any other it is never looked for, and what is
//! sent as one is garbage to the protocols behind.
//!
//! Reading is by exact lengths: [`header::step`] says how many bytes the header has for certain,
//! those are read, and it is asked again. So not one byte of what follows is taken from the
//! socket, and whoever serves the connection then finds it untouched.

pub mod header;
mod trusted;

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt};

use self::header::{HeaderError, Step, step};

pub use self::trusted::{BadProxy, TrustedProxies};

/// Why a proxy's connection cannot be served. The proxy, or who set it up, is to blame.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// It does not begin with a header that can be used.
    #[error("the PROXY header of a listed proxy {0}")]
    Header(#[from] HeaderError),
    /// The connection ended or broke before the header was whole.
    #[error("the PROXY header of a listed proxy was not read to its end: {0}")]
    Read(#[from] io::Error),
}

/// Reads the header from the start of a connection: the viewer's address, or `None` where the
/// proxy speaks for itself (health checks) or does not know.
///
/// Reads nothing of what follows. It waits as long as the proxy does: whoever calls bounds that.
///
/// # Errors
/// [`ProxyError`].
pub async fn read_header(
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<Option<SocketAddr>, ProxyError> {
    let mut head = Vec::new();
    loop {
        match step(&head)? {
            Step::Done(viewer) => return Ok(viewer),
            Step::Need(bytes) => {
                let known = head.len();
                head.resize(known.saturating_add(bytes), 0);
                let missing = head.get_mut(known..).unwrap_or_default();
                stream.read_exact(missing).await?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proxy_header::{ProxiedAddress, ProxyHeader, Tlv};

    fn read(bytes: &[u8]) -> (Result<Option<SocketAddr>, ProxyError>, &[u8]) {
        let mut rest = bytes;
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let read = runtime.unwrap().block_on(read_header(&mut rest));
        (read, rest)
    }

    /// Headers as a library writes them that shares no code with ours.
    fn written(viewer: Option<(SocketAddr, SocketAddr)>, version: u8, padding: usize) -> Vec<u8> {
        let mut header = match viewer {
            Some((from, to)) => ProxyHeader::with_address(ProxiedAddress::stream(from, to)),
            None => ProxyHeader::with_local(),
        };
        let mut bytes = vec![0; 8192];
        let len = if version == 1 {
            header.encode_to_slice_v1(&mut bytes).unwrap()
        } else {
            header.append_tlv(Tlv::Noop(padding));
            header.encode_to_slice_v2(&mut bytes).unwrap()
        };
        bytes.truncate(len);
        bytes
    }

    fn addresses() -> impl Strategy<Value = Option<(SocketAddr, SocketAddr)>> {
        let v4 = any::<([u8; 4], u16, [u8; 4], u16)>()
            .prop_map(|(from, port, to, other)| ((from, port).into(), (to, other).into()));
        let v6 = any::<([u16; 8], u16, [u16; 8], u16)>()
            .prop_map(|(from, port, to, other)| ((from, port).into(), (to, other).into()));
        prop_oneof![Just(None), v4.prop_map(Some), v6.prop_map(Some)]
    }

    #[test]
    fn a_proxy_that_leaves_in_its_header_is_an_error() {
        let (read, _) = read(b"PROXY TCP4 192.0.2.1 ");
        assert!(matches!(read, Err(ProxyError::Read(_))));
    }

    proptest! {
        #[test]
        fn what_another_library_writes_is_read_and_what_follows_stays(
            viewer in addresses(),
            version in 1_u8..=2,
            padding in 0_usize..300,
            after in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let mut bytes = written(viewer, version, padding);
            bytes.extend(&after);
            let (read, rest) = read(&bytes);
            let canonical = |it: SocketAddr| SocketAddr::new(it.ip().to_canonical(), it.port());
            prop_assert_eq!(read.unwrap(), viewer.map(|(from, _)| canonical(from)));
            prop_assert_eq!(rest, after);
        }

        #[test]
        fn nothing_is_read_as_more_than_it_is(
            bytes in prop::collection::vec(any::<u8>(), 0..64),
            begin in 0_usize..3,
        ) {
            let begin: &[u8] = [&b""[..], b"PROXY TCP4 ", b"\r\n\r\n\0\r\nQUIT\n"][begin];
            let bytes = [begin, &bytes].concat();
            let (read, rest) = read(&bytes);
            if read.is_ok() {
                // Whatever we take, the other reader takes at the same length.
                let whole = proxy_header::ParseConfig::default();
                let theirs = ProxyHeader::parse(&bytes, whole).map(|(_, len)| len);
                let local = bytes.get(12) == Some(&0x20);
                prop_assert!(local || theirs == Ok(bytes.len() - rest.len()));
            }
        }
    }
}
