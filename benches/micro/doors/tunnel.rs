//! RTMP through HTTP as a player does it: all requests one after the other, on one connection that
//! is kept. What is written goes with a request of its own; who has nothing to read asks for more.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;

/// A session of the tunnel; closed with this.
pub(super) struct Tunnel {
    socket: BufReader<TcpStream>,
    id: String,
    number: u32,
    /// What the server said and nobody has read.
    said: VecDeque<u8>,
}

impl Tunnel {
    pub(super) fn open(socket: TcpStream) -> Self {
        let mut tunnel = Self {
            socket: BufReader::new(socket),
            id: String::new(),
            number: 0,
            said: VecDeque::new(),
        };
        let id = tunnel.post("/open/1", &[0]).expect("a session");
        tunnel.id = String::from_utf8(id).expect("an id").trim().to_owned();
        tunnel
    }

    fn ask(&mut self, kind: &str, body: &[u8]) -> io::Result<()> {
        let path = format!("/{kind}/{}/{}", self.id, self.number);
        self.number += 1;
        let reply = self.post(&path, body)?;
        // The first byte says when to ask again.
        self.said.extend(reply.get(1..).unwrap_or_default());
        Ok(())
    }

    fn post(&mut self, path: &str, body: &[u8]) -> io::Result<Vec<u8>> {
        let length = body.len();
        let mut request =
            format!("POST {path} HTTP/1.1\r\nHost: a.example\r\nContent-Length: {length}\r\n\r\n")
                .into_bytes();
        request.extend_from_slice(body);
        self.socket.get_ref().write_all(&request)?;
        let mut reply = vec![0; self.head()?];
        self.socket.read_exact(&mut reply)?;
        Ok(reply)
    }

    /// Reads the head of an answer, and how long the body is.
    fn head(&mut self) -> io::Result<usize> {
        let (mut line, mut length) = (String::new(), None);
        self.socket.read_line(&mut line)?;
        assert!(line.starts_with("HTTP/1.1 200"), "{line:?}");
        while line != "\r\n" {
            line.clear();
            self.socket.read_line(&mut line)?;
            if let Some(value) = line.strip_prefix("Content-Length: ") {
                length = value.trim().parse().ok();
            }
        }
        Ok(length.expect("a length"))
    }
}

impl Read for Tunnel {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.said.is_empty() {
            self.ask("idle", &[0])?;
        }
        self.said.read(buffer)
    }
}

impl Write for Tunnel {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.ask("send", bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        let _ = self.ask("close", &[0]);
    }
}
