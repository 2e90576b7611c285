//! The other way out of a segment: a copy for viewers whose bytes must differ, because they play on
//! another message stream or have switched audio or video off.

use bytes::Bytes;

use super::mux::STREAM_ID;
use super::segment::Cue;

/// Where the message stream id stands in a type 0 chunk header with a one-byte basic header
/// (RTMP 1.0 section 5.3.1.2.1): after basic header 1, timestamp 3, length 3 and type 1.
const STREAM_ID_AT: usize = 8;

/// A patched copy of some messages of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patched {
    /// Whole messages.
    pub bytes: Bytes,
    /// For each message copied, where it ends in `bytes` and the number of the cue after it.
    pub ends: Vec<(u32, u32)>,
    /// The first cue that was to be copied.
    pub first: u32,
}

impl Patched {
    /// Where the message ends that holds the byte at `offset`; `offset` itself between messages.
    pub fn message_end(&self, offset: u32) -> u32 {
        if offset == 0 {
            return 0;
        }
        let before = self.ends.partition_point(|(end, _)| *end < offset);
        self.ends.get(before).map_or(offset, |(end, _)| *end)
    }

    /// The number of the cue after the messages that end at or before `offset`.
    pub fn cue_from(&self, offset: u32) -> u32 {
        let after = self.ends.partition_point(|(end, _)| *end <= offset);
        after
            .checked_sub(1)
            .and_then(|last| self.ends.get(last))
            .map_or(self.first, |(_, cue)| *cue)
    }
}

/// Copies the messages `cues[from..to]` whose bytes `bytes` holds, those for which `keep` says so,
/// and addresses them to message stream `stream`. Messages that `bytes` does not hold whole are
/// left out; of the last message of a segment only the caller knows the end, which is the end of
/// `bytes`.
pub fn patch(
    bytes: &[u8],
    cues: &[Cue],
    from: u32,
    to: u32,
    stream: u32,
    mut keep: impl FnMut(&Cue) -> bool,
) -> Patched {
    let mut out = Vec::with_capacity(bytes.len());
    let mut ends = Vec::new();
    let base = cue_offset(cues, from).unwrap_or_default();
    for number in from..to {
        let Some(cue) = usize::try_from(number).ok().and_then(|n| cues.get(n)) else {
            break;
        };
        if !keep(cue) {
            continue;
        }
        let after = number.saturating_add(1);
        let start = cue.offset.saturating_sub(base);
        // The last message of a segment ends where the segment does.
        let end = cue_offset(cues, after).map_or_else(
            || u32::try_from(bytes.len()).unwrap_or(u32::MAX),
            |offset| offset.saturating_sub(base),
        );
        let span = usize::try_from(start).unwrap_or(usize::MAX)
            ..usize::try_from(end).unwrap_or(usize::MAX);
        let Some(message) = bytes.get(span).filter(|message| !message.is_empty()) else {
            continue;
        };
        let at = out.len();
        out.extend_from_slice(message);
        if stream != STREAM_ID {
            address(&mut out, at, stream);
        }
        ends.push((u32::try_from(out.len()).unwrap_or(u32::MAX), after));
    }
    Patched {
        bytes: out.into(),
        ends,
        first: from,
    }
}

fn cue_offset(cues: &[Cue], number: u32) -> Option<u32> {
    let cue = cues.get(usize::try_from(number).ok()?)?;
    Some(cue.offset)
}

fn address(out: &mut [u8], message: usize, stream: u32) {
    let at = message.saturating_add(STREAM_ID_AT);
    if let Some(field) = out.get_mut(at..at.saturating_add(4)) {
        field.copy_from_slice(&stream.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::super::segment::SegmentId;
    use super::super::testing::*;
    use super::*;
    use crate::media::{Demux, Kind};
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn a_copy_holds_the_same_messages_for_another_stream(
            tape in any_samples(40).prop_map(Tape::laid_out),
            span: (prop::sample::Index, prop::sample::Index),
            stream in prop_oneof![Just(1u32), 2u32..5, any::<u32>()],
            dropped in prop::option::of(prop_oneof![Just(Kind::Audio), Just(Kind::Video)]),
            past in 0u32..3,
        ) {
            let (parts, _) = render_all(&tape, BOTH);
            for (_, _, part) in &parts {
                let count = part.cues.len();
                let (one, other) = (span.0.index(count + 1), span.1.index(count + 1));
                let (from, to) = (one.min(other), one.max(other));
                let all = messages(&part.bytes);
                let place = |number: usize| all.get(number).map_or(part.bytes.len(), |(at, _)| *at as usize);
                let own = &part.bytes[place(from)..place(to)];
                // Cues behind the last are no messages, wherever the range is said to end.
                let named = to as u32 + if to == count { past } else { 0 };
                let copy = patch(own, &part.cues, from as u32, named, stream, |cue| Some(cue.kind) != dropped);
                let mut due = Vec::new();
                let mut after = Vec::new();
                for (number, (_, message)) in all.iter().enumerate().take(to).skip(from) {
                    if Some(part.cues[number].kind) != dropped {
                        due.push(Message { stream, ..message.clone() });
                        after.push(number as u32 + 1);
                    }
                }
                let read = messages(&copy.bytes);
                let bodies: Vec<Message> = read.iter().map(|(_, message)| message.clone()).collect();
                prop_assert_eq!(bodies, due);
                let begins = read.iter().map(|(at, _)| *at).skip(1);
                let ends: Vec<u32> = begins.chain((!read.is_empty()).then_some(copy.bytes.len() as u32)).collect();
                let due: Vec<(u32, u32)> = ends.into_iter().zip(after).collect();
                prop_assert_eq!(copy.ends, due);
            }
        }
    }

    #[test]
    fn a_message_whose_end_is_missing_is_left_out() {
        let tape = Tape::laid_out((0..4).map(|n| key(n * 40, 1_000)).collect());
        let (part, _) = render_alone(&tape, BOTH, SegmentId::FIRST, tape.open(0).unwrap()).unwrap();
        // Messages of 12 + 1000 bytes; those from the second to the third, of the third one byte less.
        let bytes = &part.bytes[1_012..3 * 1_012 - 1];
        let copy = patch(bytes, &part.cues, 1, 3, 7, |_| true);
        assert_eq!(copy.ends, [(1_012, 2)]);
        assert_eq!(messages(&copy.bytes)[0].1.stream, 7);
        assert_eq!(patch(&[], &part.cues, 1, 3, 7, |_| true).ends, []);
        assert_eq!(patch(&part.bytes, &part.cues, 3, 1, 7, |_| true).ends, []);
        assert_eq!(patch(&part.bytes, &[], 0, 3, 7, |_| true).ends, []);
    }
}
