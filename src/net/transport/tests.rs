use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::delivery::sender::Sender;

/// A way that takes as much at a time as it is told, and nothing in between.
#[derive(Debug)]
struct Narrow {
    takes: std::vec::IntoIter<usize>,
    taken: std::sync::Arc<std::sync::Mutex<Vec<u8>>>,
}

impl Channel for Narrow {
    fn try_read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.takes.next().unwrap_or(usize::MAX).min(bytes.len()) {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            some => {
                self.taken.lock().unwrap().extend(&bytes[..some]);
                Ok(some)
            }
        }
    }

    fn try_flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn poll_readable(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }

    fn poll_writable(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn close(&mut self) {}
}

proptest! {
    /// However little the way takes at a time: each byte goes out once, in order, and enciphered
    /// from the right one on.
    #[test]
    fn nothing_is_lost_or_sent_twice(
        len in 0usize..100_000,
        plain in 0usize..5_000,
        takes in prop::collection::vec(prop_oneof![Just(0), 1usize..20_000], 0..40),
        enciphered in any::<bool>(),
    ) {
        let bytes: Vec<u8> = (0..len).map(|at| (at % 251) as u8).collect();
        let taken = std::sync::Arc::default();
        let narrow = Narrow { takes: takes.into_iter(), taken: std::sync::Arc::clone(&taken) };
        let mut transport = Transport::through(narrow);
        if enciphered {
            transport.encipher(Cipher::new(b"a key of sixteen"), plain);
        }
        let mut sender = Sender::<RunMedia>::default();
        sender.control(&bytes);
        loop {
            let output = sender.next();
            let sent = match output {
                Output::Idle => break,
                _ => transport.send_some(&output),
            };
            match sent {
                Ok(sent) => sender.sent(sent),
                Err(error) => prop_assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
            }
        }
        while transport.try_flush().is_err() {}
        let mut expected = bytes;
        if enciphered {
            let plain = plain.min(expected.len());
            Cipher::new(b"a key of sixteen").apply(&mut expected[plain..]);
        }
        prop_assert_eq!(Bytes::from(taken.lock().unwrap().clone()), expected);
    }
}
