//! RTMPT from a player's side, by hand: HTTP requests with a hand on every number and every byte,
//! and a bridge by which any RTMP client plays through them. It shares no code with the server.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use super::random::Random;

/// How long a test waits for a reply before it fails. A busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A reply, or a refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

/// One HTTP connection.
#[derive(Debug)]
pub struct Wire(BufReader<TcpStream>);

impl Wire {
    pub fn new(server: SocketAddr) -> Self {
        Self::from(Ipv4Addr::LOCALHOST, server)
    }

    /// One that comes from this address.
    pub fn from(local: Ipv4Addr, server: SocketAddr) -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        let local = SocketAddr::from((local, 0));
        socket.bind(&local.into()).expect("an address");
        socket.connect(&server.into()).expect("a connection");
        let socket = TcpStream::from(socket);
        socket.set_nodelay(true).expect("no delay");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        Self(BufReader::new(socket))
    }

    /// Sends a request and waits for nothing.
    pub fn ask(&mut self, path: &str, body: &[u8]) {
        let length = body.len();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-fcs\r\n\
             Content-Length: {length}\r\n\r\n"
        );
        let mut request = head.into_bytes();
        request.extend(body);
        self.0.get_mut().write_all(&request).expect("sent");
    }

    /// The next reply. Fails unless it is as librtmp needs it.
    pub fn reply(&mut self) -> Reply {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            let read = self.0.read_line(&mut head).expect("a head");
            assert!(read > 0, "closed in the head: {head}");
        }
        let status = head.split_whitespace().nth(1).expect("a status");
        let length = head
            .lines()
            .find_map(|it| it.strip_prefix("Content-Length: "));
        let length = length.unwrap_or_else(|| panic!("no Content-Length in {head}"));
        let mut body = vec![0; length.parse().expect("a length")];
        self.0.read_exact(&mut body).expect("a body");
        Reply {
            status: status.parse().expect("a number"),
            head,
            body,
        }
    }

    pub fn post(&mut self, path: &str, body: &[u8]) -> Reply {
        self.ask(path, body);
        self.reply()
    }

    /// Opens a session; its id.
    pub fn open(&mut self) -> String {
        let reply = self.post("/open/1", &[0]);
        assert_eq!(reply.status, 200, "{reply:?}");
        let text = String::from_utf8(reply.body).expect("text");
        text.strip_suffix('\n').expect("one line end").to_owned()
    }
}

/// How a client behaves.
#[derive(Debug, Clone, Copy)]
pub struct Manners {
    /// TCP connections, used in turn.
    pub wires: usize,
    /// What it says is cut into several requests, and the last of them comes first.
    pub swaps: bool,
    /// Each request is sent twice at the same time, and the last once more when it was answered.
    pub repeats: bool,
    /// Where it connects from.
    pub from: Ipv4Addr,
}

impl Manners {
    /// As a player behaves.
    pub const GOOD: Self = Self {
        wires: 1,
        swaps: false,
        repeats: false,
        from: Ipv4Addr::LOCALHOST,
    };
}

/// Where a client connects whose bytes go through a tunnel of its own to `server`.
pub fn bridge(server: SocketAddr, manners: Manners) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        let (player, _) = listener.accept().expect("a client");
        Tunnel::open(server, manners).carry(player);
    });
    address
}

struct Tunnel {
    wires: Vec<Wire>,
    manners: Manners,
    id: String,
    next: u32,
    random: Random,
}

impl Tunnel {
    fn open(server: SocketAddr, manners: Manners) -> Self {
        let mut wires: Vec<Wire> = (0..manners.wires)
            .map(|_| Wire::from(manners.from, server))
            .collect();
        let id = wires[0].open();
        Self {
            wires,
            manners,
            id,
            next: 0,
            random: Random::new(0x7A11),
        }
    }

    /// Carries bytes both ways until one side ends.
    fn carry(mut self, mut player: TcpStream) {
        let soon = Some(Duration::from_millis(1));
        player.set_read_timeout(soon).expect("a timeout");
        let mut buffer = [0; 4096];
        loop {
            let said = match player.read(&mut buffer) {
                Ok(0) => {
                    let close = format!("/close/{}/{}", self.id, self.next);
                    self.wires[0].ask(&close, &[0]);
                    return;
                }
                Ok(read) => buffer[..read].to_vec(),
                Err(error) if error.kind() == ErrorKind::WouldBlock => Vec::new(),
                Err(_) => return,
            };
            let requests = self.requests(said);
            let Some(heard) = self.round(requests) else {
                return;
            };
            if player.write_all(&heard).is_err() {
                return;
            }
        }
    }

    /// One connection has one request at a time: what came behind one that waits for others would
    /// wait for it.
    fn requests(&mut self, mut said: Vec<u8>) -> Vec<(&'static str, Vec<u8>)> {
        let most = if self.manners.swaps {
            self.wires.len() / self.copies()
        } else {
            1
        };
        let mut requests = Vec::new();
        while requests.len() + 1 < most && said.len() > 1 {
            let rest = said.split_off(1 + self.random.below(said.len() - 1));
            requests.push(("send", said));
            said = rest;
        }
        requests.push(match said.is_empty() {
            true => ("idle", vec![0]),
            false => ("send", said),
        });
        if requests.len() < most {
            requests.push(("idle", vec![0]));
        }
        requests
    }

    fn copies(&self) -> usize {
        if self.manners.repeats { 2 } else { 1 }
    }

    /// Sends requests with the next numbers; what they are answered, in order, or `None` where the
    /// session has ended.
    fn round(&mut self, requests: Vec<(&'static str, Vec<u8>)>) -> Option<Vec<u8>> {
        let first = self.next;
        self.next = first.wrapping_add(u32::try_from(requests.len()).expect("few"));
        let path = |kind: &str, nth: usize| {
            let number = first.wrapping_add(u32::try_from(nth).expect("few"));
            format!("/{kind}/{}/{number}", self.id)
        };
        let mut order: Vec<_> = requests
            .iter()
            .enumerate()
            .map(|(nth, (kind, body))| (path(kind, nth), body))
            .collect();
        if self.manners.swaps {
            order.reverse();
        }
        let (copies, wires) = (self.copies(), self.wires.len());
        let mut wire = (0..).map(|nth| nth % wires);
        for (path, body) in &order {
            for _ in 0..copies {
                self.wires[wire.next().expect("endless")].ask(path, body);
            }
            if self.manners.swaps {
                // So that they come in this order, nearly always.
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        let mut wire = (0..).map(|nth| nth % wires);
        let mut replies: Vec<Reply> = Vec::new();
        for (path, _) in &order {
            let mut reply = self.wires[wire.next().expect("endless")].reply();
            if copies > 1 {
                let other = self.wires[wire.next().expect("endless")].reply();
                let twice = [&reply, &other];
                // Which of two copies comes first is open, and the second may come when the next
                // request was answered as well.
                let late = twice.iter().any(|it| it.status == 409);
                let same = reply.body == other.body;
                assert!(same || late && self.manners.swaps, "{path}: {twice:?}");
                if reply.status == 409 {
                    reply = other;
                }
            }
            replies.push(reply);
        }
        if replies.iter().any(|reply| reply.status == 404) {
            return None;
        }
        if self.manners.swaps {
            replies.reverse();
            order.reverse();
        }
        if let (true, Some(last), Some((path, body))) =
            (self.manners.repeats, replies.last(), order.last())
        {
            let again = self.wires[0].post(path, body);
            assert_eq!(again.body, last.body, "{path}, sent again");
        }
        let mut heard = Vec::new();
        for reply in replies {
            assert_eq!(reply.status, 200, "{reply:?}");
            assert!((1..=0x21).contains(&reply.body[0]), "{}", reply.body[0]);
            heard.extend(&reply.body[1..]);
        }
        Some(heard)
    }
}
