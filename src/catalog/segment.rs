//! A segment as it is kept: its bytes in a file or on the heap, and the table of its messages; and
//! how both are put on a disk ([`Stored`]).

use std::io;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::cache::{SegmentFile, Stored, StoredKey, Weigh};
use crate::media::{Cursor, Heads};
use crate::render::{Cue, Group, RENDER_VERSION, Rendered, Rendering, SegmentId};
use crate::rtmp::chunk::CHUNK_SIZE;
use crate::units::MediaTime;

/// What names the bytes of a segment: two plays that agree in all of it get the same bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SegmentKey {
    /// Id of the distribution, key of the object in its bucket, and the object's version.
    pub object: super::ObjectKey,
    /// Which tracks are in it.
    pub rendering: Rendering,
    /// Which segment of the rendering.
    pub id: SegmentId,
    /// Version of the muxer.
    pub version: u32,
    /// Chunk size, bytes.
    pub chunk_size: u32,
}

impl SegmentKey {
    /// The key of a segment made by this version of the muxer.
    pub fn new(object: super::ObjectKey, rendering: Rendering, id: SegmentId) -> Self {
        Self {
            object,
            rendering,
            id,
            version: RENDER_VERSION,
            chunk_size: CHUNK_SIZE,
        }
    }
}

/// One rendered segment.
#[derive(Debug)]
pub struct Segment {
    /// Its bytes.
    pub file: SegmentFile,
    cues: Box<[Cue]>,
    heads: Box<[(u32, Heads)]>,
    next: Option<(SegmentId, Option<Cursor>)>,
    first_entry: Option<MediaTime>,
}

impl Segment {
    /// Puts what was rendered into a file.
    ///
    /// # Errors
    /// There is no memory left for it.
    pub fn new(rendered: Rendered<Cursor>) -> io::Result<Self> {
        Ok(Self {
            file: SegmentFile::new(&rendered.bytes)?,
            first_entry: rendered.first_entry(),
            cues: rendered.cues.into(),
            heads: rendered.heads.into(),
            next: rendered.next,
        })
    }

    /// One cue for each message.
    pub fn cues(&self) -> &[Cue] {
        &self.cues
    }

    /// Time of the first message at which a viewer may enter.
    pub fn first_entry(&self) -> Option<MediaTime> {
        self.first_entry
    }

    /// Length in bytes.
    pub fn len(&self) -> u32 {
        u32::try_from(self.file.len()).unwrap_or(u32::MAX)
    }

    /// Whether it has no bytes: only at the end of an object that holds nothing more.
    pub fn is_empty(&self) -> bool {
        self.file.is_empty()
    }

    /// The segment after it.
    pub fn next(&self) -> Option<SegmentId> {
        self.next.as_ref().map(|(id, _)| *id)
    }

    /// A cursor at the start of the segment after it, where that is of the same group.
    pub fn next_cursor(&self) -> Option<(SegmentId, Cursor)> {
        let (id, cursor) = self.next.as_ref()?;
        Some((*id, cursor.clone()?))
    }

    /// The codec heads in force at a cue.
    pub fn heads_at(&self, cue: u32) -> Heads {
        self.heads
            .iter()
            .take_while(|(from, _)| *from <= cue)
            .last()
            .map(|(_, heads)| heads.clone())
            .unwrap_or_default()
    }

    /// Where the message ends that holds the byte at `offset`; `offset` itself at a message start.
    pub fn message_end(&self, offset: u32) -> u32 {
        let after = self.cues.partition_point(|cue| cue.offset < offset);
        self.cues.get(after).map_or(self.len(), |cue| cue.offset)
    }

    /// The number of the first cue at or after a byte.
    pub fn cue_from(&self, offset: u32) -> u32 {
        let cue = self.cues.partition_point(|cue| cue.offset < offset);
        u32::try_from(cue).unwrap_or(u32::MAX)
    }
}

/// Everything of a segment but its bytes, as it is written. A cursor is only good for the index
/// that it came from: an index is made anew from the same version of the object, by the same
/// program (the key has [`RENDER_VERSION`]: it must change when an index or a cursor does).
#[derive(Serialize, Deserialize)]
struct Description<'a> {
    cues: std::borrow::Cow<'a, [Cue]>,
    heads: std::borrow::Cow<'a, [(u32, Heads)]>,
    next: Option<(SegmentId, Option<Cursor>)>,
    first_entry: Option<MediaTime>,
}

impl Stored for Segment {
    fn payload_len(&self) -> usize {
        self.file.len()
    }

    fn read_payload(&self, range: Range<usize>, buffer: &mut Vec<u8>) -> io::Result<()> {
        self.file.read_at(range, buffer)
    }

    fn describe(&self) -> Option<Vec<u8>> {
        let description = Description {
            cues: (&*self.cues).into(),
            heads: (&*self.heads).into(),
            next: self.next.clone(),
            first_entry: self.first_entry,
        };
        postcard::to_allocvec(&description).ok()
    }

    fn restore(description: &[u8], payload: &[u8]) -> Option<Self> {
        let (description, rest) =
            postcard::take_from_bytes::<Description<'static>>(description).ok()?;
        let cues = description.cues;
        let in_order = cues.is_sorted_by(|a, b| a.offset < b.offset);
        let inside = cues
            .last()
            .is_none_or(|cue| usize::try_from(cue.offset).is_ok_and(|at| at < payload.len()));
        if !rest.is_empty() || !in_order || !inside {
            return None;
        }
        Some(Self {
            file: SegmentFile::new(payload).ok()?,
            cues: cues.into_owned().into(),
            heads: description.heads.into_owned().into(),
            next: description.next,
            first_entry: description.first_entry,
        })
    }
}

impl StoredKey for SegmentKey {
    fn write_name(&self, name: &mut Vec<u8>) {
        let object = &self.object;
        for text in [&*object.distribution, &*object.key, object.etag.as_str()] {
            // Names are far below 4 GiB; were they not, they would only be cut at another place.
            name.extend_from_slice(&(text.len() as u64).to_le_bytes());
            name.extend_from_slice(text.as_bytes());
        }
        let (kind, number) = match self.id.group {
            Group::Indexed(number) => (0, u64::from(number)),
            Group::Found(position) => (1, position),
        };
        let rendering = [
            u8::from(self.rendering.video),
            u8::from(self.rendering.audio),
            kind,
        ];
        name.extend_from_slice(&rendering);
        name.extend_from_slice(&number.to_le_bytes());
        for word in [self.id.part, self.version, self.chunk_size] {
            name.extend_from_slice(&word.to_le_bytes());
        }
    }
}

impl Weigh for Segment {
    fn weight(&self) -> usize {
        self.file
            .weight()
            .saturating_add(self.cues.len().saturating_mul(size_of::<Cue>()))
            .saturating_add(size_of::<Self>())
    }

    fn descriptors(&self) -> usize {
        self.file.descriptors()
    }
}

#[cfg(test)]
mod tests {
    use super::super::ObjectKey;
    use super::*;
    use crate::origin::ETag;
    use proptest::prelude::*;

    fn key(scope: &str, key: &str, etag: &str, id: SegmentId) -> SegmentKey {
        let object = ObjectKey {
            distribution: scope.into(),
            key: key.into(),
            etag: ETag::new(etag),
        };
        let rendering = Rendering {
            video: true,
            audio: false,
        };
        SegmentKey::new(object, rendering, id)
    }

    fn id() -> impl Strategy<Value = SegmentId> {
        let group = prop_oneof![
            (0u32..3).prop_map(Group::Indexed),
            (0u64..3).prop_map(Group::Found)
        ];
        (group, 0u32..3).prop_map(|(group, part)| SegmentId { group, part })
    }

    fn any_key() -> impl Strategy<Value = SegmentKey> {
        ("[ab]{0,2}", "[ab]{0,2}", "[ab]{0,2}", id())
            .prop_map(|(scope, name, etag, id)| key(&scope, &name, &etag, id))
    }

    fn segment() -> impl Strategy<Value = Segment> {
        let cue = (any::<i64>(), any::<bool>()).prop_map(|(time, entry)| Cue {
            time: MediaTime::from_millis(time),
            offset: 0,
            kind: crate::media::Kind::Video,
            entry,
            head: false,
        });
        let cues = proptest::collection::vec(cue, 1..20);
        let head = proptest::option::of(proptest::collection::vec(any::<u8>(), 0..9));
        let next = proptest::option::of(id());
        let payload = proptest::collection::vec(any::<u8>(), 100..300);
        (cues, head, next, payload, any::<bool>()).prop_map(
            |(mut cues, head, next, payload, long)| {
                for (offset, cue) in (0..).zip(&mut cues) {
                    cue.offset = offset * 5;
                }
                let payload = payload.repeat(if long { 700 } else { 1 });
                let heads = Heads {
                    video: head.map(Into::into),
                    audio: None,
                };
                Segment {
                    file: SegmentFile::new(payload).unwrap(),
                    first_entry: cues.first().map(|cue| cue.time),
                    cues: cues.into(),
                    heads: [(0, heads)].into(),
                    next: next.map(|id| (id, None)),
                }
            },
        )
    }

    fn payload(segment: &Segment) -> Vec<u8> {
        let mut bytes = Vec::new();
        segment
            .read_payload(0..segment.payload_len(), &mut bytes)
            .unwrap();
        bytes
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn names_differ_where_keys_do(a in any_key(), b in any_key()) {
            let name = |key: &SegmentKey| {
                let mut name = Vec::new();
                key.write_name(&mut name);
                name
            };
            prop_assert_eq!(a == b, name(&a) == name(&b));
        }

        #[test]
        fn a_segment_comes_back_as_it_was(segment in segment()) {
            let description = segment.describe().unwrap();
            let back = Segment::restore(&description, &payload(&segment)).unwrap();
            prop_assert_eq!(payload(&back), payload(&segment));
            prop_assert_eq!(back.cues(), segment.cues());
            prop_assert_eq!(back.heads_at(3), segment.heads_at(3));
            prop_assert_eq!(back.next(), segment.next());
            prop_assert_eq!(back.first_entry(), segment.first_entry());
            prop_assert!(Segment::restore(&description[1..], &payload(&segment)).is_none());
            prop_assert!(Segment::restore(&description, &[]).is_none());
        }

        #[test]
        fn no_description_panics(description: Vec<u8>, payload: Vec<u8>) {
            let _ = Segment::restore(&description, &payload);
        }
    }
}
