//! One HTTP request, by hand.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    }
}

pub fn get(address: SocketAddr, path: &str) -> Answer {
    request(address, "GET", path, "")
}

/// With further header lines, each with its line end.
pub fn request(address: SocketAddr, method: &str, path: &str, headers: &str) -> Answer {
    let mut socket = TcpStream::connect(address).expect("a connection");
    socket
        .set_read_timeout(Some(Duration::from_secs(30)))
        .expect("a timeout");
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\n{headers}Connection: close\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).expect("sent");
    read(&mut socket)
}

/// The answer to a request that asked to close the connection behind it.
pub fn read(socket: &mut impl Read) -> Answer {
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).expect("an answer");
    parse(&answer).expect("a head with a status")
}

/// The same, if it comes, and comes whole: as many bytes as its head says.
pub fn try_read(socket: &mut impl Read) -> Option<Answer> {
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).ok()?;
    let answer = parse(&answer)?;
    let length = answer.header("content-length");
    let length = length.map_or(Some(0), |length| length.parse().ok())?;
    (answer.body.len() == length).then_some(answer)
}

fn parse(answer: &[u8]) -> Option<Answer> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let status = head.split_whitespace().nth(1)?.parse().ok()?;
    Some(Answer {
        status,
        head,
        body: answer[end + 4..].to_vec(),
    })
}
