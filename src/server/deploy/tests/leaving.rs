//! What a viewer sees of the end of a distribution, over a socket.

use std::net::SocketAddr;

use futures_util::future::BoxFuture;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OwnedSemaphorePermit;

use super::*;
use crate::amf::{self, Value};
use crate::delivery::meter::Close;
use crate::net::doors::{Doors, HttpDoor, Stream};
use crate::net::listener;
use crate::net::proxy::TrustedProxies;
use crate::net::stages::Stage;
use crate::net::workers::Workers;
use crate::rtmp::chunk::{CSID_COMMAND, write_message};
use crate::rtmp::message::COMMAND;
use crate::units::Millis;

/// Twelve seconds of media, of which a viewer is sent a third at once.
const FILM: &str = "mp4:src/cli/demo/sample.mp4";

/// What clients cut their messages into unless they say otherwise.
const CHUNK: u32 = 128;

/// Closes what speaks HTTP.
#[derive(Debug)]
struct NoHttp;

impl HttpDoor for NoHttp {
    fn place(&self) -> BoxFuture<'_, Option<OwnedSemaphorePermit>> {
        Box::pin(std::future::ready(None))
    }

    fn serve(
        self: Arc<Self>,
        _: Box<dyn Stream>,
        _: SocketAddr,
        _: OwnedSemaphorePermit,
    ) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }

    fn finish(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// A viewer, and all that it was sent behind the handshake.
struct Viewer {
    socket: TcpStream,
    heard: Vec<u8>,
}

impl Viewer {
    async fn shake(house: &House) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let doors = Arc::new(Doors {
            shared: Arc::clone(&house.shared),
            workers: Arc::new(Workers::start(None).unwrap()),
            viewers: TaskTracker::new(),
            http: Arc::new(NoHttp),
            proxies: TrustedProxies::default(),
            forwarded: TrustedProxies::default(),
            tls: None,
        });
        tokio::spawn(listener::serve(listener, doors, Stage::Draining));
        let mut socket = TcpStream::connect(address).await.unwrap();
        let mut hello = vec![0; 1537];
        hello[0] = 3;
        socket.write_all(&hello).await.unwrap();
        let mut answer = vec![0; 3073];
        socket.read_exact(&mut answer).await.unwrap();
        socket.write_all(&answer[1..1537]).await.unwrap();
        Self {
            socket,
            heard: Vec::new(),
        }
    }

    async fn say(&mut self, stream: u32, values: &[Value]) {
        let (mut payload, mut message) = (Vec::new(), Vec::new());
        for value in values {
            amf::encode(value, &mut payload);
        }
        let (csid, kind) = (CSID_COMMAND, COMMAND);
        write_message(&mut message, CHUNK, csid, Millis(0), kind, stream, &payload);
        self.socket.write_all(&message).await.unwrap();
    }

    async fn play(&mut self, name: &str) {
        let play = ["play".into(), 0.0.into(), Value::Null, name.into()];
        self.say(1, &play).await;
    }

    /// Where these bytes begin in what was heard, once they were. Panics where the server closes.
    async fn until(&mut self, text: &str) -> usize {
        loop {
            if let Some(at) = self.place(text) {
                return at;
            }
            assert!(self.more().await > 0, "closed before {text}");
        }
    }

    fn place(&self, text: &str) -> Option<usize> {
        let mut windows = self.heard.windows(text.len());
        windows.position(|window| window == text.as_bytes())
    }

    async fn more(&mut self) -> usize {
        self.socket.read_buf(&mut self.heard).await.unwrap()
    }
}

#[tokio::test]
async fn who_is_there_may_go_on_and_is_told_when_the_grace_is_over() {
    let mut house = House::new(|settings| settings.disable_grace = Duration::ZERO).await;
    let mut viewer = Viewer::shake(&house).await;
    let about = [("app", "cfx/st"), ("tcUrl", "rtmp://127.0.0.1/cfx/st")];
    let about = about.map(|(key, value)| (key.to_owned(), Value::from(value)));
    let connect = ["connect".into(), 1.0.into(), Value::Object(about.to_vec())];
    viewer.say(0, &connect).await;
    viewer.until("NetConnection.Connect.Success").await;
    viewer
        .say(0, &["createStream".into(), 2.0.into(), Value::Null])
        .await;
    viewer.play(FILM).await;
    viewer.until("NetStream.Play.Start").await;

    let served = Arc::clone(&house.deploy.fixed["default"].route.served);
    served.disable();
    // Another play is refused, on a stream of its own; what plays goes on.
    viewer
        .say(0, &["createStream".into(), 3.0.into(), Value::Null])
        .await;
    let again = ["play".into(), 0.0.into(), Value::Null, FILM.into()];
    viewer.say(2, &again).await;
    viewer.until("the distribution is disabled").await;
    assert_eq!(viewer.place("NetConnection.Connect.Closed"), None);
    let refused = viewer.until("NetStream.Play.Failed").await;

    let now = Instant::now();
    house.deploy.grace.begin(&served, now);
    house.deploy.send_away(now);
    let closed = viewer.until("NetConnection.Connect.Closed").await;
    while viewer.more().await > 0 {}
    let failed = b"NetStream.Play.Failed";
    let between = &viewer.heard[refused + failed.len()..closed];
    let told = between.windows(failed.len()).any(|window| window == failed);
    assert!(told, "the play that was under way failed");
    drop(viewer);
    while house.shared.meter.open.get() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(house.shared.meter.closed(Close::Disabled).get(), 1);
}
