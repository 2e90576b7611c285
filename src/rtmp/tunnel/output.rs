//! What is to be said to the viewer: the body of the next reply, as it grows.
//!
//! The first byte is kept free for the interval, so that the whole is handed to HTTP as it stands.
//! It never has room for more than it may hold: a reply is kept until the next one, and a buffer
//! twice as large as its bytes would be kept with it.

use bytes::Bytes;

/// Bytes of the interval.
const HEAD: usize = 1;

/// Bytes taken from the system at first: a reply to a command.
const FIRST: usize = 1024;

/// The body of the next reply.
#[derive(Debug, Default)]
pub(super) struct Output(Vec<u8>);

impl Output {
    /// Bytes for the viewer.
    pub(super) fn len(&self) -> usize {
        self.0.len().saturating_sub(HEAD)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Memory that it takes.
    pub(super) fn held(&self) -> usize {
        self.0.capacity()
    }

    /// Takes as much of `bytes` as fits where `most` may wait; how much that was.
    pub(super) fn write(&mut self, bytes: &[u8], most: usize) -> usize {
        let room = most.saturating_sub(self.len());
        let (taken, _) = bytes.split_at_checked(room).unwrap_or((bytes, &[]));
        if taken.is_empty() {
            return 0;
        }
        if self.0.is_empty() {
            self.grow(HEAD, most);
            self.0.push(0);
        }
        self.grow(taken.len(), most);
        self.0.extend_from_slice(taken);
        taken.len()
    }

    /// Makes room for `more` bytes, and by doubling, but never for above `most`.
    fn grow(&mut self, more: usize, most: usize) {
        let needed = self.0.len().saturating_add(more);
        if needed > self.0.capacity() {
            let doubled = self.0.capacity().saturating_mul(2).max(FIRST);
            let wanted = doubled.min(most.saturating_add(HEAD)).max(needed);
            self.0.reserve_exact(wanted.saturating_sub(self.0.len()));
        }
    }

    /// All of it as the body of a reply.
    pub(super) fn take(&mut self, interval: u8) -> Bytes {
        let mut body = std::mem::take(&mut self.0);
        match body.first_mut() {
            Some(first) => *first = interval,
            None => body.push(interval),
        }
        Bytes::from(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// However it is written, what comes out went in, and no more is held than was allowed.
        #[test]
        fn bytes_come_out_as_they_went_in(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..3000), 0..20),
            most in 1_usize..8_192,
            interval: u8,
        ) {
            let (mut output, mut wanted) = (Output::default(), vec![interval]);
            for piece in &pieces {
                let taken = output.write(piece, most);
                prop_assert!(taken == piece.len() || output.len() == most);
                wanted.extend(&piece[..taken]);
                prop_assert!(output.held() <= most + HEAD);
            }
            prop_assert_eq!(output.take(interval), wanted);
            prop_assert!(output.is_empty() && output.held() == 0);
        }
    }
}
