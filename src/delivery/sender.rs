//! What goes to the socket next: the order of control messages and media, as a pure plan.
//!
//! The one rule that everything here serves: **sources change only at a message end**. Control
//! messages wait for the end of the media message in flight, and no longer; a seek or a pause cuts
//! the media off at the same place. The sender knows nothing of sockets: [`Sender::next`] says what
//! to write or to send from a segment, [`Sender::sent`] takes how much of it the socket took, which
//! may be any part.

use std::ops::Range;

use bytes::{Buf, BytesMut};

/// Most control bytes that may wait. Above it the connection stops reading commands, so a viewer
/// that asks without reading the answers holds this much and no more.
pub const MAX_CONTROL: usize = 64 * 1024;

/// A run of media: some whole messages of a segment, or of a patched copy of one.
pub trait Media {
    /// Where the message ends that the byte at `offset` is inside of; `offset` itself when it
    /// stands between two messages.
    fn message_end(&self, offset: u32) -> u32;
}

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub enum Output<'a, M> {
    /// Write these bytes. `more`: media follows at once.
    Write {
        /// Control messages.
        bytes: &'a [u8],
        /// Whether the network should wait for what follows.
        more: bool,
    },
    /// Send this range of the run's media.
    Media {
        /// The media.
        media: &'a M,
        /// Bytes of it, never empty.
        range: Range<u32>,
    },
    /// There is nothing to send.
    Idle,
}

/// Where a run of media was cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cutoff {
    /// The first byte that will not be sent: the start of a message, or the end of the run.
    pub offset: u32,
    /// How many bytes of the run will not be sent.
    pub unsent: u32,
}

#[derive(Debug)]
struct Run<M> {
    stream: u32,
    media: M,
    at: u32,
    /// Where it ends, or was cut off.
    end: u32,
}

impl<M: Media> Run<M> {
    fn message_end(&self) -> u32 {
        self.media.message_end(self.at).min(self.end)
    }

    fn is_inside_message(&self) -> bool {
        self.message_end() > self.at
    }
}

/// The queue of one connection.
#[derive(Debug)]
pub struct Sender<M> {
    control: BytesMut,
    run: Option<Run<M>>,
    sent: u64,
}

/// Whose turn it is to be sent.
#[derive(Debug)]
enum Turn {
    Control,
    /// This range of the run.
    Media(Range<u32>),
    Nobody,
}

impl<M> Default for Sender<M> {
    fn default() -> Self {
        Self {
            control: BytesMut::new(),
            run: None,
            sent: 0,
        }
    }
}

impl<M: Media> Sender<M> {
    /// Queues whole control messages: they go out at the next message end, in order.
    pub fn control(&mut self, messages: &[u8]) {
        self.control.extend_from_slice(messages);
    }

    /// How many control bytes are waiting.
    pub fn control_len(&self) -> usize {
        self.control.len()
    }

    /// Whether a new run may be started: none is under way.
    pub fn is_free(&self) -> bool {
        self.run.is_none()
    }

    /// Whether nothing is left to send.
    pub fn is_idle(&self) -> bool {
        self.run.is_none() && self.control.is_empty()
    }

    /// Bytes that the socket took since the connection began.
    pub fn total_sent(&self) -> u64 {
        self.sent
    }

    /// The stream whose media is under way.
    pub fn stream(&self) -> Option<u32> {
        self.run.as_ref().map(|run| run.stream)
    }

    /// Starts a run of whole messages for a message stream, behind all control queued so far.
    /// A run that is still under way stays, and the new one is given back.
    pub fn start(&mut self, stream: u32, media: M, range: Range<u32>) -> Result<(), M> {
        if self.run.is_some() {
            return Err(media);
        }
        if range.start < range.end {
            self.run = Some(Run {
                stream,
                media,
                at: range.start,
                end: range.end,
            });
        }
        Ok(())
    }

    /// Cuts the run of `stream` off at the end of the message in flight. `None` when it has none.
    pub fn stop(&mut self, stream: u32) -> Option<(Cutoff, &M)> {
        let run = self.run.as_mut().filter(|run| run.stream == stream)?;
        let offset = run.message_end();
        let cutoff = Cutoff {
            offset,
            unsent: run.end.saturating_sub(offset),
        };
        run.end = offset;
        Some((cutoff, &run.media))
    }

    /// Forgets a run that has nothing left to send. To be called after [`Sender::stop`].
    pub fn tidy(&mut self) {
        if self.run.as_ref().is_some_and(|run| run.at >= run.end) {
            self.run = None;
        }
    }

    /// What to send now.
    pub fn next(&self) -> Output<'_, M> {
        match (self.turn(), &self.run) {
            (Turn::Media(range), Some(run)) => Output::Media {
                media: &run.media,
                range,
            },
            (Turn::Control, run) => Output::Write {
                bytes: &self.control,
                more: run.as_ref().is_some_and(|run| run.at < run.end),
            },
            _ => Output::Idle,
        }
    }

    /// Takes that the socket took `n` bytes of what [`Sender::next`] said just before. More than it
    /// said counts as all of it.
    pub fn sent(&mut self, n: usize) {
        match self.turn() {
            Turn::Control => self.control_sent(n),
            Turn::Media(range) => self.media_sent(n.min(range.len())),
            Turn::Nobody => {}
        }
    }

    fn turn(&self) -> Turn {
        match &self.run {
            Some(run) if run.is_inside_message() && !self.control.is_empty() => {
                Turn::Media(run.at..run.message_end())
            }
            _ if !self.control.is_empty() => Turn::Control,
            Some(run) if run.at < run.end => Turn::Media(run.at..run.end),
            _ => Turn::Nobody,
        }
    }

    fn control_sent(&mut self, n: usize) {
        let n = n.min(self.control.len());
        self.control.advance(n);
        self.sent = self.sent.saturating_add(n as u64);
        if self.control.is_empty() {
            // A burst of statuses leaves no buffer behind for the hours of a paced play.
            self.control = BytesMut::new();
        }
    }

    fn media_sent(&mut self, n: usize) {
        let Some(run) = &mut self.run else { return };
        self.sent = self.sent.saturating_add(n as u64);
        run.at = run.at.saturating_add(u32::try_from(n).unwrap_or(u32::MAX));
        self.tidy();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Messages that end at these offsets; the first begins at 0.
    #[derive(Debug, Clone, PartialEq, Eq)]
    struct Ends(Vec<u32>);

    impl Media for Ends {
        fn message_end(&self, offset: u32) -> u32 {
            let ends = std::iter::once(&0).chain(&self.0);
            *ends
                .into_iter()
                .find(|end| **end >= offset)
                .expect("inside the media")
        }
    }

    /// What came out of the socket: control bytes, or bytes of the run of that number.
    #[derive(Debug, Clone, PartialEq, Eq)]
    enum Wire {
        Control(Vec<u8>),
        Media(usize, Range<u32>),
    }

    /// A run, as the test handed it in.
    #[derive(Debug)]
    struct Handed {
        media: Ends,
        range: Range<u32>,
        /// Where it was cut off.
        cutoff: Option<u32>,
    }

    /// A sender, the test's own account of it, and what came out.
    #[derive(Debug, Default)]
    struct Bench {
        sender: Sender<(usize, Ends)>,
        control: Vec<u8>,
        written: usize,
        runs: Vec<Handed>,
        /// Up to where the last run was sent.
        at: u32,
        /// The end of the message that control waits for.
        barrier: Option<u32>,
        wire: Vec<Wire>,
        total: u64,
    }

    impl Media for (usize, Ends) {
        fn message_end(&self, offset: u32) -> u32 {
            self.1.message_end(offset)
        }
    }

    impl Bench {
        fn control(&mut self, bytes: &[u8]) {
            if self.written == self.control.len() && !bytes.is_empty() {
                self.barrier = self.runs.last().map(|run| run.media.message_end(self.at));
            }
            self.control.extend(bytes);
            self.sender.control(bytes);
        }

        /// Starts a run, or finds that one is under way.
        fn start(&mut self, stream: u32, media: Ends, range: Range<u32>) {
            let free = self.sender.is_free();
            let number = self.runs.len();
            let answer = self
                .sender
                .start(stream, (number, media.clone()), range.clone());
            assert_eq!(answer.is_ok(), free);
            if free {
                self.at = range.start;
                self.barrier = None;
                self.runs.push(Handed {
                    media,
                    range,
                    cutoff: None,
                });
            }
        }

        fn stop(&mut self, stream: u32, tidy: bool) -> Option<Cutoff> {
            let due = self.sender.stream() == Some(stream);
            let cutoff = self.sender.stop(stream).map(|(cutoff, _)| cutoff);
            assert_eq!(cutoff.is_some(), due);
            let cutoff = cutoff?;
            let run = self.runs.last_mut().unwrap();
            assert_eq!(
                cutoff.offset,
                run.media.message_end(self.at),
                "the first unsent message"
            );
            let end = run.cutoff.unwrap_or(run.range.end);
            assert_eq!(cutoff.unsent, end - cutoff.offset);
            run.cutoff = Some(cutoff.offset);
            if tidy {
                self.sender.tidy();
                assert_eq!(
                    self.sender.is_free(),
                    self.at == cutoff.offset,
                    "a cut run is tidied"
                );
            }
            Some(cutoff)
        }

        /// One write of which the socket takes `n` bytes. Whether there was anything to send.
        fn go(&mut self, n: usize) -> bool {
            let (wire, offered) = match self.sender.next() {
                Output::Write { bytes, more } => {
                    let left = self
                        .runs
                        .last()
                        .is_some_and(|run| self.at < run.cutoff.unwrap_or(run.range.end));
                    assert_eq!(more, left);
                    let n = n.min(bytes.len());
                    (Wire::Control(bytes[..n].to_vec()), bytes.len())
                }
                Output::Media { media, range } => {
                    assert!(!range.is_empty());
                    let offered = range.len();
                    let end = range.start + n.min(offered) as u32;
                    (Wire::Media(media.0, range.start..end), offered)
                }
                Output::Idle => {
                    self.sender.tidy();
                    assert!(self.sender.is_free() && self.sender.is_idle());
                    assert_eq!(self.written, self.control.len());
                    return false;
                }
            };
            self.sender.sent(n);
            self.total += n.min(offered) as u64;
            assert_eq!(self.sender.total_sent(), self.total);
            self.took(&wire);
            self.wire.push(wire);
            assert_eq!(self.sender.control_len(), self.control.len() - self.written);
            if self.written == self.control.len() {
                assert_eq!(
                    self.sender.control.capacity(),
                    0,
                    "no buffer is left behind"
                );
            }
            true
        }

        /// Checks each piece against the rules as it comes out.
        fn took(&mut self, wire: &Wire) {
            match wire {
                Wire::Control(bytes) => {
                    if let Some(run) = self.runs.last() {
                        let inside = run.media.message_end(self.at) != self.at;
                        assert!(
                            !inside || self.at == run.range.end,
                            "control inside a message"
                        );
                    }
                    self.written += bytes.len();
                }
                Wire::Media(number, range) => {
                    assert_eq!(*number + 1, self.runs.len());
                    assert_eq!(range.start, self.at, "nothing lost, nothing doubled");
                    self.at = range.end;
                    let run = self.runs.last().unwrap();
                    assert!(
                        range.end <= run.cutoff.unwrap_or(run.range.end),
                        "past the cutoff"
                    );
                    if self.written < self.control.len() {
                        let barrier = self.barrier.expect("control goes before a new run");
                        assert!(
                            range.end <= barrier,
                            "control waits for one message, not two"
                        );
                    }
                }
            }
        }
    }

    #[derive(Debug, Clone)]
    enum Op {
        Control(Vec<u8>),
        Start(u32, Vec<u32>, usize),
        /// Starts what was cut off last, from where it was cut off.
        Continue(u32),
        Stop(u32, bool),
        Go(usize),
    }

    fn op() -> impl Strategy<Value = Op> {
        let lens = prop::collection::vec(1u32..40, 0..6);
        let n = prop_oneof![1 => Just(0usize), 12 => 1usize..30, 3 => 30usize..400, 1 => Just(usize::MAX)];
        prop_oneof![
            2 => prop::collection::vec(any::<u8>(), 0..30).prop_map(Op::Control),
            2 => (1u32..3, lens, 0usize..3).prop_map(|(stream, lens, skip)| Op::Start(stream, lens, skip)),
            2 => (1u32..3).prop_map(Op::Continue),
            2 => (1u32..3, any::<bool>()).prop_map(|(stream, tidy)| Op::Stop(stream, tidy)),
            8 => n.prop_map(Op::Go),
        ]
    }

    fn ends(lens: &[u32]) -> Ends {
        let sum = |at: &mut u32, len: &u32| {
            *at += len;
            Some(*at)
        };
        Ends(lens.iter().scan(0, sum).collect())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]
        #[test]
        fn sources_change_only_at_message_ends(ops in prop::collection::vec(op(), 0..60), n in 1usize..50) {
            let mut bench = Bench::default();
            let mut cut: Option<(Ends, Range<u32>)> = None;
            for op in ops {
                match op {
                    Op::Control(bytes) => bench.control(&bytes),
                    Op::Start(stream, lens, skip) => {
                        let media = ends(&lens);
                        let end = media.0.last().copied().unwrap_or(0);
                        let from = skip.checked_sub(1).and_then(|n| media.0.get(n)).copied().unwrap_or(0);
                        bench.start(stream, media, from..end);
                    }
                    Op::Continue(stream) => if bench.sender.is_free()
                        && let Some((media, range)) = cut.take()
                    {
                        bench.start(stream, media, range);
                    },
                    Op::Stop(stream, tidy) => if let Some(cutoff) = bench.stop(stream, tidy) {
                        let run = bench.runs.last().unwrap();
                        cut = Some((run.media.clone(), cutoff.offset..run.range.end));
                    },
                    Op::Go(n) => { bench.go(n); }
                }
            }
            let mut left = 10_000;
            while bench.go(n) {
                left -= 1;
                prop_assert!(left > 0, "always comes to an end");
            }
            let Bench { wire, runs, control, .. } = bench;
            let written: Vec<u8> = wire.iter().filter_map(|piece| match piece {
                Wire::Control(bytes) => Some(bytes.clone()),
                Wire::Media(..) => None,
            }).flatten().collect();
            prop_assert_eq!(written, control);
            for (number, run) in runs.iter().enumerate() {
                let sent: u64 = wire.iter().filter_map(|piece| match piece {
                    Wire::Media(of, range) if *of == number => Some(u64::from(range.end - range.start)),
                    _ => None,
                }).sum();
                let due = run.cutoff.unwrap_or(run.range.end) - run.range.start;
                prop_assert_eq!(sent, u64::from(due), "run {} is sent whole up to its cutoff", number);
            }
        }
    }

    #[test]
    fn control_waits_for_the_message_in_flight_and_no_longer() {
        let mut sender = Sender::default();
        sender.start(1, ends(&[10, 10, 10]), 0..30).unwrap();
        sender.sent(3);
        sender.control(b"reply");
        let media = ends(&[10, 10, 10]);
        assert_eq!(
            sender.next(),
            Output::Media {
                media: &media,
                range: 3..10
            }
        );
        sender.sent(7);
        assert_eq!(
            sender.next(),
            Output::Write {
                bytes: b"reply",
                more: true
            }
        );
        sender.sent(2);
        assert_eq!(
            sender.next(),
            Output::Write {
                bytes: b"ply",
                more: true
            }
        );
        sender.sent(3);
        assert_eq!(
            sender.next(),
            Output::Media {
                media: &media,
                range: 10..30
            }
        );
        assert_eq!(sender.total_sent(), 15);
    }

    #[test]
    fn more_than_was_offered_counts_as_what_was_offered() {
        let mut sender = Sender::default();
        sender.start(1, ends(&[10, 10]), 0..20).unwrap();
        sender.sent(3);
        sender.control(b"reply");
        sender.sent(1_000);
        assert_eq!(
            sender.next(),
            Output::Write {
                bytes: b"reply",
                more: true
            }
        );
        assert_eq!(sender.total_sent(), 10);
    }

    #[test]
    fn a_run_that_was_cut_off_stays_cut_off() {
        let mut sender = Sender::default();
        sender.start(1, ends(&[10, 10]), 0..20).unwrap();
        sender.sent(3);
        let cutoff = |unsent| Cutoff { offset: 10, unsent };
        assert_eq!(sender.stop(1).map(|(cutoff, _)| cutoff), Some(cutoff(10)));
        assert_eq!(
            sender.stop(1).map(|(cutoff, _)| cutoff),
            Some(cutoff(0)),
            "what was cut off is told once"
        );
        assert_eq!(sender.stop(2), None);
    }
}
