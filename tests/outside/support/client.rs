//! A small blocking RTMP client with a hand on every byte: for the order of messages, several
//! streams, pause and resume, and all that no player can be made to do. It shares no code with the
//! server (RTMP 1.0, sections 5 to 7).

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use rustix::net::sockopt;
use socket2::{Domain, SockRef, Socket, Type};

use super::amf::Amf;
use super::message::{Message, Status, chunks, tail};

/// How long a test waits for bytes before it fails. Not a promise of the server: a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// A client buffer that switches pacing off (rule of delivery 6).
pub const UNPACED: u32 = 700_000;

/// What is remembered of a chunk stream.
#[derive(Debug, Default)]
struct Incoming {
    time: u32,
    delta: u32,
    length: usize,
    kind: u8,
    stream: u32,
    extended: bool,
    body: Vec<u8>,
}

/// A connection to a server.
#[derive(Debug)]
pub struct Client {
    socket: TcpStream,
    chunk_in: usize,
    incoming: HashMap<u32, Incoming>,
    transaction: f64,
    received: u64,
    acknowledged: u64,
    window: u64,
    /// All bytes after the handshake, where a test wants them for another reader.
    tap: Option<Vec<u8>>,
    /// Whether messages must not interleave.
    whole_messages: bool,
    /// What is to leave in one write, while that is gathered.
    gathered: Option<Vec<u8>>,
}

impl Client {
    /// A TCP connection with the plain handshake done.
    pub fn shake(address: SocketAddr) -> Self {
        Self::try_shake(address).expect("a handshake")
    }

    /// The same, with room for `window` unread bytes in the kernel, or as many as it grants.
    pub fn shake_with_window(address: SocketAddr, window: usize) -> Self {
        // Before the connection: its window scale is settled in the first packet.
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        // Only root may have more than net.core.rmem_max.
        if sockopt::set_socket_recv_buffer_size_force(&socket, window).is_err() {
            socket.set_recv_buffer_size(window).expect("a buffer");
        }
        socket.connect(&address.into()).expect("a connection");
        let client = Self::over(socket.into()).expect("a connection");
        client.shaken().expect("a handshake")
    }

    /// The same, from this address of the machine.
    pub fn shake_from(source: IpAddr, address: SocketAddr) -> Self {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None);
        let socket = socket.expect("a socket");
        let source = SocketAddr::new(source, 0);
        socket.bind(&source.into()).expect("an address of our own");
        socket.connect(&address.into()).expect("a connection");
        let client = Self::over(socket.into()).expect("a connection");
        client.shaken().expect("a handshake")
    }

    pub fn try_shake(address: SocketAddr) -> io::Result<Self> {
        Self::raw(address)?.shaken()
    }

    fn shaken(mut self) -> io::Result<Self> {
        let client = &mut self;
        let mut hello = vec![3_u8];
        hello.extend([0; 8]);
        hello.extend((0..1528_u32).map(|i| u8::try_from(i * 7 % 251).expect("a byte")));
        client.write(&hello)?;
        let answer = client.read_exactly(1 + 1536)?;
        assert_eq!(answer[0], 3, "S0 is version 3");
        client.write(&answer[1..])?;
        let echo = client.read_exactly(1536)?;
        assert_eq!(echo[8..], hello[9..], "S2 echoes the random bytes of C1");
        self.expect_whole_messages();
        Ok(self)
    }

    /// A TCP connection and not a byte more.
    pub fn raw(address: SocketAddr) -> io::Result<Self> {
        Self::over(TcpStream::connect(address)?)
    }

    fn over(socket: TcpStream) -> io::Result<Self> {
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        socket.set_nodelay(true)?;
        Ok(Self {
            socket,
            chunk_in: 128,
            incoming: HashMap::new(),
            transaction: 0.0,
            received: 0,
            acknowledged: 0,
            window: 2_500_000,
            tap: None,
            whole_messages: false,
            gathered: None,
        })
    }

    /// From here on a chunk in the middle of a message of another chunk stream fails the test:
    /// legal RTMP, but not what this server sends (rule 1).
    pub fn expect_whole_messages(&mut self) {
        self.whole_messages = true;
    }

    /// Keeps a copy of every byte from here on. To be called before the first message.
    pub fn record(&mut self) {
        self.tap = Some(Vec::new());
    }

    /// The bytes that were kept.
    pub fn recorded(&self) -> &[u8] {
        self.tap.as_deref().unwrap_or_default()
    }

    /// Bytes taken from the socket so far.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Connected to the application `cfx/st`.
    pub fn open(address: SocketAddr) -> Self {
        let mut client = Self::shake(address);
        let answer = client.connect("cfx/st");
        assert_eq!(
            answer.name().as_deref(),
            Some("_result"),
            "connect is answered by {answer:?}"
        );
        client
    }

    /// Connected, with stream 1 made and unpaced.
    pub fn unpaced(address: SocketAddr) -> Self {
        let mut client = Self::open(address);
        assert_eq!(client.create_stream(), 1, "the first stream is 1 (rule 3)");
        client.set_buffer(1, UNPACED);
        client
    }

    /// Sends connect; the `_result` or `_error`.
    pub fn connect(&mut self, app: &str) -> Message {
        let url = format!("rtmp://{}/{app}", self.socket.peer_addr().expect("a peer"));
        self.connect_with(app, &[("tcUrl", Amf::Text(url))])
    }

    pub fn connect_with(&mut self, app: &str, more: &[(&str, Amf)]) -> Message {
        self.call(0, "connect", &[Self::about(app, more)])
    }

    /// What a connect says of the client and the application.
    pub fn about(app: &str, more: &[(&str, Amf)]) -> Amf {
        let mut fields = vec![
            ("app".to_owned(), Amf::text(app)),
            ("flashVer".to_owned(), Amf::text("LNX 10,0,32,18")),
            ("capabilities".to_owned(), Amf::Number(15.0)),
            ("objectEncoding".to_owned(), Amf::Number(0.0)),
        ];
        fields.extend(
            more.iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone())),
        );
        Amf::Object(fields)
    }

    /// Sends a command and returns its `_result` or `_error`; what comes before is dropped.
    pub fn call(&mut self, stream: u32, name: &str, arguments: &[Amf]) -> Message {
        self.transaction += 1.0;
        let transaction = self.transaction;
        self.command(stream, name, transaction, arguments);
        loop {
            let message = self
                .next()
                .unwrap_or_else(|| panic!("closed before {name} was answered"));
            let Some(values) = message.command() else {
                continue;
            };
            let answers = matches!(
                values.first().and_then(Amf::as_text),
                Some("_result" | "_error")
            );
            if answers && values.get(1) == Some(&Amf::Number(transaction)) {
                return message;
            }
        }
    }

    pub fn create_stream(&mut self) -> u32 {
        let answer = self.call(0, "createStream", &[Amf::Null]);
        let values = answer.command().expect("a command");
        let number = values.get(3).and_then(Amf::as_number);
        number.unwrap_or_else(|| panic!("createStream is answered by {answer:?}")) as u32
    }

    /// Sends `play`; start and length in ms, as clients do.
    pub fn play(&mut self, stream: u32, name: &str, start: f64, length: f64, reset: bool) {
        let arguments = [
            Amf::Null,
            Amf::text(name),
            Amf::Number(start),
            Amf::Number(length),
            Amf::Boolean(reset),
        ];
        self.command(stream, "play", 0.0, &arguments);
    }

    pub fn play_all(&mut self, stream: u32, name: &str) {
        self.play(stream, name, 0.0, -1.0, true);
    }

    pub fn seek(&mut self, stream: u32, milliseconds: f64) {
        self.command(stream, "seek", 0.0, &[Amf::Null, Amf::Number(milliseconds)]);
    }

    pub fn pause(&mut self, stream: u32, pause: bool, milliseconds: f64) {
        let arguments = [Amf::Null, Amf::Boolean(pause), Amf::Number(milliseconds)];
        self.command(stream, "pause", 0.0, &arguments);
    }

    pub fn receive(&mut self, stream: u32, what: &str, on: bool) {
        self.command(stream, what, 0.0, &[Amf::Null, Amf::Boolean(on)]);
    }

    pub fn set_buffer(&mut self, stream: u32, milliseconds: u32) {
        let mut body = vec![0, 3];
        body.extend(stream.to_be_bytes());
        body.extend(milliseconds.to_be_bytes());
        self.send(&Message {
            chunk_stream: 2,
            kind: 4,
            time: 0,
            stream: 0,
            body,
        });
    }

    pub fn command(&mut self, stream: u32, name: &str, transaction: f64, arguments: &[Amf]) {
        let mut body = Vec::new();
        Amf::text(name).write(&mut body);
        Amf::Number(transaction).write(&mut body);
        for argument in arguments {
            argument.write(&mut body);
        }
        self.send(&Message {
            chunk_stream: 3,
            kind: 20,
            time: 0,
            stream,
            body,
        });
    }

    /// Writes one message in chunks of 128 bytes.
    pub fn send(&mut self, message: &Message) {
        self.try_send(message).expect("the server reads");
    }

    pub fn try_send(&mut self, message: &Message) -> io::Result<()> {
        let bytes = chunks(message, 128);
        self.write(&bytes)
    }

    /// Writes bytes as they are.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Some(gathered) = &mut self.gathered {
            gathered.extend(bytes);
            return Ok(());
        }
        self.socket.write_all(bytes)
    }

    /// Sends all that `say` sends in one write.
    pub fn at_once(&mut self, say: impl FnOnce(&mut Self)) {
        self.gathered = Some(Vec::new());
        say(self);
        let bytes = self.gathered.take().unwrap_or_default();
        self.write(&bytes).expect("the server reads");
    }

    pub fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// Unread bytes that the kernel has room for, its own overhead included.
    pub fn window(&self) -> u64 {
        let window = SockRef::from(&self.socket).recv_buffer_size();
        window.expect("a buffer") as u64
    }

    /// No more is sent; the other way stays open.
    pub fn finish(&self) {
        let _ = self.socket.shutdown(Shutdown::Write);
    }

    /// The next message, or `None` when the server has closed.
    pub fn next(&mut self) -> Option<Message> {
        match self.try_next() {
            Ok(message) => Some(message),
            Err(error) if is_end(&error) => None,
            Err(error) => panic!("no message came: {error}"),
        }
    }

    /// The next message, if one comes within `limit`. Only between messages: what has come of one
    /// is lost.
    pub fn next_within(&mut self, limit: Duration) -> Option<Message> {
        self.socket
            .set_read_timeout(Some(limit))
            .expect("a timeout");
        let mut first = [0];
        let came = self.socket.peek(&mut first);
        self.socket
            .set_read_timeout(Some(PATIENCE))
            .expect("a timeout");
        matches!(came, Ok(1..)).then(|| self.next()).flatten()
    }

    /// Messages up to and with the first that `last` accepts. Fails when the server closes before.
    pub fn until(&mut self, what: &str, last: impl Fn(&Message) -> bool) -> Vec<Message> {
        let mut messages = Vec::new();
        while let Some(message) = self.next() {
            let done = last(&message);
            messages.push(message);
            if done {
                return messages;
            }
        }
        panic!(
            "closed before {what}; the last messages: {:#?}",
            tail(&messages)
        );
    }

    /// Messages up to and with the status `code`. Another error status on the way fails.
    pub fn until_status(&mut self, code: &str) -> Vec<Message> {
        let stops = |status: &Status| status.code == code || status.level == "error";
        let messages = self.until(code, |message| message.status().as_ref().is_some_and(stops));
        let status = messages
            .last()
            .and_then(Message::status)
            .expect("it ends with a status");
        assert_eq!(
            status.code,
            code,
            "instead came {status:?} after {:#?}",
            tail(&messages)
        );
        messages
    }

    /// Messages up to and with the status `code`, whatever errors come before.
    pub fn until_status_any(&mut self, code: &str) -> Vec<Message> {
        self.until(code, |message| {
            message.status().is_some_and(|status| status.code == code)
        })
    }

    /// Everything until the server closes.
    pub fn until_closed(&mut self) -> Vec<Message> {
        std::iter::from_fn(|| self.next()).collect()
    }

    fn try_next(&mut self) -> io::Result<Message> {
        loop {
            if let Some(message) = self.chunk()? {
                match (message.kind, message.body.as_slice()) {
                    (1, [a, b, c, d]) => {
                        self.chunk_in = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
                    }
                    (5, [a, b, c, d]) => {
                        self.window = u64::from(u32::from_be_bytes([*a, *b, *c, *d]));
                    }
                    _ => {}
                }
                return Ok(message);
            }
        }
    }

    fn chunk(&mut self) -> io::Result<Option<Message>> {
        let first = self.byte()?;
        let id = match first & 0x3F {
            0 => 64 + u32::from(self.byte()?),
            1 => 64 + u32::from(self.byte()?) + 256 * u32::from(self.byte()?),
            id => u32::from(id),
        };
        let format = first >> 6;
        let mut head = self.incoming.remove(&id).unwrap_or_default();
        let starts = head.body.is_empty();
        let alone = self.incoming.values().all(|other| other.body.is_empty());
        assert!(
            alone || !self.whole_messages,
            "chunk stream {id} comes in the middle of a message of another (rule 1)"
        );
        let mut field = None;
        if format < 3 {
            assert!(
                starts,
                "a new message in the middle of another on chunk stream {id}"
            );
            let bytes = self.read_exactly([11, 7, 3][usize::from(format)])?;
            field = Some(be24(&bytes[..3]));
            if let Some(rest) = bytes.get(3..7) {
                head.length = be24(&rest[..3]) as usize;
                head.kind = rest[3];
            }
            if let Some(stream) = bytes.get(7..11) {
                head.stream = u32::from_le_bytes(stream.try_into().expect("4"));
            }
            head.extended = field == Some(0xFF_FFFF);
        }
        let mut value = field.unwrap_or(head.delta);
        if head.extended {
            let bytes = self.read_exactly(4)?;
            value = u32::from_be_bytes(bytes.try_into().expect("4"));
        }
        if starts {
            match format {
                0 => (head.time, head.delta) = (value, value),
                _ => (head.time, head.delta) = (head.time.wrapping_add(value), value),
            }
        }
        let missing = head.length - head.body.len();
        let part = self.read_exactly(missing.min(self.chunk_in))?;
        head.body.extend(part);
        let whole = head.body.len() == head.length;
        let message = whole.then(|| Message {
            chunk_stream: id,
            kind: head.kind,
            time: head.time,
            stream: head.stream,
            body: std::mem::take(&mut head.body),
        });
        self.incoming.insert(id, head);
        self.acknowledge()?;
        Ok(message)
    }

    fn acknowledge(&mut self) -> io::Result<()> {
        if self.received - self.acknowledged < self.window / 2 {
            return Ok(());
        }
        self.acknowledged = self.received;
        let total = (self.received & 0xFFFF_FFFF) as u32;
        let body = total.to_be_bytes().to_vec();
        self.try_send(&Message {
            chunk_stream: 2,
            kind: 3,
            time: 0,
            stream: 0,
            body,
        })
    }

    fn byte(&mut self) -> io::Result<u8> {
        Ok(self.read_exactly(1)?[0])
    }

    fn read_exactly(&mut self, count: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; count];
        self.socket.read_exact(&mut bytes)?;
        self.received += count as u64;
        if let Some(tap) = &mut self.tap {
            tap.extend(&bytes);
        }
        Ok(bytes)
    }
}

fn be24(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .fold(0, |sum, byte| sum << 8 | u32::from(*byte))
}

fn is_end(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(
        error.kind(),
        UnexpectedEof | ConnectionReset | ConnectionAborted | BrokenPipe
    )
}
