//! A proxy in front of the S3 server that counts what is asked for, and can misbehave.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use socket2::SockRef;

/// How requests are treated from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mood {
    /// Handed on.
    #[default]
    Honest,
    /// Answered 503 at once.
    Unavailable,
    /// Read, and never answered.
    Silent,
    /// Handed on, but the answer is cut off after this many bytes.
    Cut(u64),
    /// Handed on, but the answer comes in pieces of [`TRICKLE`] with a pause before each.
    Slow(Duration),
    /// Read, and answered by a reset of the connection.
    Reset,
}

/// A piece of a slow answer, bytes.
const TRICKLE: usize = 4 << 10;

/// One request that came through.
#[derive(Debug, Clone)]
pub struct Request {
    /// `GET /media/large.mp4`.
    pub line: String,
    /// `bytes=0-65535`.
    pub range: Option<String>,
}

#[derive(Debug, Default)]
struct Shared {
    mood: Mutex<Mood>,
    requests: Mutex<Vec<Request>>,
    delivered: AtomicU64,
    closed: AtomicBool,
}

/// A running proxy.
#[derive(Debug)]
pub struct Proxy {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

impl Proxy {
    pub fn start(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                if of_thread.closed.load(Ordering::Relaxed) {
                    return;
                }
                let shared = Arc::clone(&of_thread);
                std::thread::spawn(move || serve(socket, upstream, &shared));
            }
        });
        Self { address, shared }
    }

    pub fn set(&self, mood: Mood) {
        *self.shared.mood.lock().expect("no thread panics") = mood;
    }

    /// Requests for `key`, in the order they came.
    pub fn requests(&self, key: &str) -> Vec<Request> {
        let all = self.shared.requests.lock().expect("no thread panics");
        all.iter()
            .filter(|request| request.line.contains(key))
            .cloned()
            .collect()
    }

    /// Bytes of all answers so far.
    pub fn delivered(&self) -> u64 {
        self.shared.delivered.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
    }
}

/// One connection: request heads are read and looked at, all else is copied.
fn serve(mut client: TcpStream, upstream: SocketAddr, shared: &Arc<Shared>) {
    let Ok(mut server) = TcpStream::connect(upstream) else {
        return;
    };
    let (Ok(from), Ok(to)) = (server.try_clone(), client.try_clone()) else {
        return;
    };
    let of_thread = Arc::clone(shared);
    let back = std::thread::spawn(move || answers(from, to, &of_thread));
    let mut buffer = Vec::new();
    let mut part = [0; 16 << 10];
    loop {
        let Some(end) = find(&buffer, b"\r\n\r\n") else {
            match client.read(&mut part) {
                Ok(count @ 1..) => buffer.extend(&part[..count]),
                _ => break,
            }
            continue;
        };
        let head: Vec<u8> = buffer.drain(..end + 4).collect();
        note(&head, shared);
        let mood = *shared.mood.lock().expect("no thread panics");
        match mood {
            Mood::Unavailable => {
                let answer = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
                if client.write_all(answer).is_err() {
                    break;
                }
            }
            Mood::Silent => {}
            Mood::Reset => {
                // The last handle of a socket that does not linger sends a reset.
                let _ = SockRef::from(&client).set_linger(Some(Duration::ZERO));
                break;
            }
            Mood::Honest | Mood::Cut(_) | Mood::Slow(_) => {
                if server.write_all(&head).is_err() {
                    break;
                }
            }
        }
    }
    let _ = server.shutdown(std::net::Shutdown::Both);
    let _ = back.join();
}

fn answers(mut from: TcpStream, mut to: TcpStream, shared: &Shared) {
    let mut part = vec![0; 64 << 10];
    let mut sent = 0_u64;
    let mood = || *shared.mood.lock().expect("no thread panics");
    let mut room = part.len();
    while let Ok(count @ 1..) = from.read(&mut part[..room]) {
        let mood = mood();
        room = part.len();
        if let Mood::Slow(pause) = mood {
            std::thread::sleep(pause);
            room = TRICKLE;
        }
        if matches!(mood, Mood::Cut(limit) if sent + count as u64 > limit) {
            break;
        }
        if to.write_all(&part[..count]).is_err() {
            break;
        }
        sent += count as u64;
        shared.delivered.fetch_add(count as u64, Ordering::Relaxed);
    }
    // Give the last bytes time to be read before the reset that may follow.
    std::thread::sleep(Duration::from_millis(5));
    if mood() == Mood::Reset {
        return;
    }
    let _ = to.shutdown(std::net::Shutdown::Both);
}

fn note(head: &[u8], shared: &Shared) {
    let text = String::from_utf8_lossy(head);
    let mut lines = text.lines();
    let line = lines
        .next()
        .unwrap_or("")
        .trim_end_matches(" HTTP/1.1")
        .to_owned();
    let range = lines
        .filter_map(|line| line.split_once(": "))
        .find(|(name, _)| name.eq_ignore_ascii_case("range"))
        .map(|(_, value)| value.to_owned());
    shared
        .requests
        .lock()
        .expect("no thread panics")
        .push(Request { line, range });
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}
