//! What the kernel holds of a connection, from `/proc/net/tcp`: bytes that the server has written
//! and the client has not read.

use std::net::{SocketAddr, SocketAddrV4};
use std::time::Duration;

use super::client::Client;

/// Between two looks: a server that goes on sending to a socket with room does so within it.
const PAUSE: Duration = Duration::from_millis(200);
/// Looks before a test gives up: a minute.
const LOOKS: u32 = 300;

/// The queues of one end of a connection, bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Queues {
    /// Written and not acknowledged by the other end.
    unacknowledged: u64,
    /// Arrived and not read.
    unread: u64,
}

/// Bytes on their way from the server to `client`.
pub fn held(client: &Client) -> u64 {
    let (here, there) = ends(client);
    queues(there, here).unacknowledged + queues(here, there).unread
}

/// Waits until the server sends no more to a client that does not read; bytes on their way.
pub fn held_by_stalled(client: &Client) -> u64 {
    let mut last = held(client);
    for _ in 0..LOOKS {
        std::thread::sleep(PAUSE);
        let now = held(client);
        if now == last && now > 0 {
            return now;
        }
        last = now;
    }
    panic!("the server never stops sending to a client that does not read");
}

/// Waits until the server has read all that the client wrote.
pub fn until_heard(client: &Client) {
    let (here, there) = ends(client);
    for _ in 0..LOOKS {
        std::thread::sleep(PAUSE);
        if queues(here, there).unacknowledged == 0 && queues(there, here).unread == 0 {
            return;
        }
    }
    panic!("the server does not read commands while media is blocked (rule 2)");
}

fn ends(client: &Client) -> (SocketAddr, SocketAddr) {
    let socket = client.socket();
    let here = socket.local_addr().expect("an address");
    (here, socket.peer_addr().expect("a peer"))
}

fn queues(local: SocketAddr, remote: SocketAddr) -> Queues {
    let table = std::fs::read_to_string("/proc/net/tcp").expect("/proc/net/tcp");
    let (local, remote) = (hex(local), hex(remote));
    let row = table.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (own, other) = (fields.get(1)?, fields.get(2)?);
        (*own == local && *other == remote).then(|| fields[4].to_owned())
    });
    let row = row.unwrap_or_else(|| panic!("no connection {local} to {remote}"));
    let (sent, received) = row.split_once(':').expect("two queues");
    let number = |text: &str| u64::from_str_radix(text, 16).expect("hex");
    Queues {
        unacknowledged: number(sent),
        unread: number(received),
    }
}

/// An address as the table writes it: the 32 bits in the order of the machine.
fn hex(address: SocketAddr) -> String {
    let SocketAddr::V4(address) = address else {
        panic!("{address} is not IPv4")
    };
    let (ip, port) = (SocketAddrV4::ip(&address).octets(), address.port());
    format!("{:08X}:{port:04X}", u32::from_ne_bytes(ip))
}
