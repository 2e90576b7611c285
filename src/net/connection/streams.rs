//! The streams of one connection, in the order of their numbers.
//!
//! Nearly every viewer has one, so this is a list with room for no more than there are, and not a
//! tree: a node of a B-tree has room for eleven streams, 8 KiB for each viewer.

use crate::delivery::stream::Stream;

/// Streams by number.
#[derive(Default)]
pub(super) struct Streams(Vec<Stream>);

impl Streams {
    /// The stream of that number, made by `new` where there is none.
    pub(super) fn get_or_insert(&mut self, id: u32, new: impl FnOnce() -> Stream) -> &mut Stream {
        let at = self.0.partition_point(|stream| stream.id() < id);
        if self.0.get(at).is_none_or(|stream| stream.id() != id) {
            self.0.reserve_exact(1);
            self.0.insert(at, new());
        }
        &mut self.0[at]
    }

    /// The stream of that number.
    pub(super) fn get_mut(&mut self, id: u32) -> Option<&mut Stream> {
        self.iter_mut().find(|stream| stream.id() == id)
    }

    /// Takes the stream of that number out.
    pub(super) fn remove(&mut self, id: u32) -> Option<Stream> {
        let at = self.0.iter().position(|stream| stream.id() == id)?;
        Some(self.0.remove(at))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Stream> {
        self.0.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Stream> {
        self.0.iter_mut()
    }

    /// The stream that comes `nth` when they take turns from number `turn` on.
    pub(super) fn in_turn(&mut self, turn: u32, nth: usize) -> Option<&mut Stream> {
        let first = self.0.partition_point(|stream| stream.id() < turn);
        let len = self.0.len();
        let at = (first + nth).checked_rem(len)?;
        self.0.get_mut(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::pacer::DEFAULT_BUFFER;

    fn with(ids: &[u32]) -> Streams {
        let mut streams = Streams::default();
        for id in ids {
            streams.get_or_insert(*id, || Stream::new(*id, DEFAULT_BUFFER));
        }
        streams
    }

    fn turns(streams: &mut Streams, turn: u32) -> Vec<u32> {
        let nth = 0..streams.len();
        nth.filter_map(|nth| streams.in_turn(turn, nth).map(|stream| stream.id()))
            .collect()
    }

    #[test]
    fn each_number_is_there_once_and_in_order() {
        let mut streams = with(&[3, 1, 2, 1]);
        assert_eq!(turns(&mut streams, 0), [1, 2, 3]);
        assert_eq!(streams.remove(2).map(|stream| stream.id()), Some(2));
        assert!(streams.remove(2).is_none());
        assert_eq!(turns(&mut streams, 0), [1, 3]);
    }

    #[test]
    fn turns_go_round() {
        let mut streams = with(&[1, 4, 9]);
        assert_eq!(turns(&mut streams, 2), [4, 9, 1]);
        assert_eq!(turns(&mut streams, 9), [9, 1, 4]);
        assert_eq!(turns(&mut streams, 10), [1, 4, 9]);
        assert!(with(&[]).in_turn(0, 0).is_none());
    }
}
