//! One short play before a run, to learn from its metadata how long a stream is.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::player::Stream;
use super::session::{Event, Session};

/// A client buffer that asks for little, milliseconds.
const BUFFER: u32 = 1000;

/// Bytes of media after which metadata will not come any more.
const GIVE_UP: u64 = 1 << 20;

/// The length of a stream, milliseconds.
pub(super) async fn length(stream: &Stream, patience: Duration) -> Result<u64, String> {
    match tokio::time::timeout(patience, ask(stream)).await {
        Ok(answer) => answer,
        Err(_) => Err("no answer in time".to_owned()),
    }
}

async fn ask(stream: &Stream) -> Result<u64, String> {
    let text = |error: std::io::Error| error.to_string();
    let mut socket = TcpStream::connect(stream.address).await.map_err(text)?;
    let mut session = Session::new(stream.opening.clone());
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let output = session.output().to_vec();
        socket.write_all(&output).await.map_err(text)?;
        session.sent(output.len());
        let len = socket.read(&mut buffer).await.map_err(text)?;
        if len == 0 {
            return Err("the server closed the connection".to_owned());
        }
        let mut input = buffer.get(..len).unwrap_or_default();
        while let Some(event) = session.event(&mut input).map_err(|it| it.to_string())? {
            match event {
                Event::Ready => session.play(&stream.name, -1, BUFFER),
                Event::Length(millis) => return Ok(millis),
                Event::Failed(why) => return Err(why),
                Event::Stopped => return Err("its metadata has no duration".to_owned()),
                _ => {}
            }
        }
        if session.counts().media > GIVE_UP {
            return Err("its metadata has no duration".to_owned());
        }
    }
}
