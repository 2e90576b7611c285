//! A walk over sample tables: a cursor, and beside it what would be looked up anew at every sample.
//!
//! This is the only code that moves a cursor. Films of an hour have a quarter of a million samples,
//! and all of them are gone through twice before the first byte is sent (the survey of a track and
//! the plan of the segments); so a step opens a run only where one ends, and remembers what the
//! next sync sample and the next run of chunks are rather than asking the tables whether it is
//! there yet.

use super::{Entry, TableCursor, Tables, delta, triple, word};

/// A walk from one sample to the next.
#[derive(Debug, Clone)]
pub(in super::super) struct TableWalk<'a> {
    tables: &'a Tables,
    at: TableCursor,
    /// Number (from 1) of the first sync sample that is not behind.
    sync: Option<u32>,
    /// The run of the layout that is in force: first chunk, samples a chunk, description.
    layout: Option<[u32; 3]>,
    /// Number (from 1) of the chunk with which the run after it begins.
    layout_end: Option<u32>,
}

impl<'a> TableWalk<'a> {
    /// A walk from the first sample on.
    pub fn start(tables: &'a Tables) -> Self {
        let mut walk = Self::new(tables, TableCursor::default());
        walk.open_duration();
        walk.open_offset();
        walk.open_chunk();
        walk.pass_syncs();
        walk
    }

    /// A walk from `at` on, which must come from the same tables.
    pub fn new(tables: &'a Tables, at: TableCursor) -> Self {
        let syncs = tables.syncs.as_ref();
        Self {
            tables,
            at,
            sync: syncs.and_then(|syncs| word(syncs, at.sync)),
            layout: triple(&tables.layout, at.layout),
            layout_end: layout_end(tables, at.layout),
        }
    }

    /// The place where it is.
    pub fn cursor(&self) -> TableCursor {
        self.at
    }

    /// Number of the sample that stands there, from 0.
    pub fn sample(&self) -> u32 {
        self.at.sample
    }

    /// Its decoding time, ticks.
    pub fn dts(&self) -> i64 {
        self.at.dts
    }

    /// The sample that stands there; `None` where one of the tables has ended.
    pub fn entry(&self) -> Option<Entry> {
        let at = &self.at;
        if at.durations.left == 0 || at.in_chunk == 0 {
            return None;
        }
        let composition = match at.offsets.left {
            0 => 0,
            // Signed in version 0 too, whatever the standard says: QuickTime wrote it so first.
            _ => i32::from_ne_bytes(at.offsets.value.to_ne_bytes()),
        };
        Some(Entry {
            dts: at.dts,
            duration: delta(at.durations.value),
            composition,
            offset: at.offset,
            size: self.tables.sizes.get(at.sample)?,
            sync: self.tables.syncs.is_none() || self.sync == Some(at.sample.saturating_add(1)),
            description: at.description,
        })
    }

    /// Moves past `entry`, which must be what stands there.
    pub fn advance(&mut self, entry: &Entry) {
        let at = &mut self.at;
        at.sample = at.sample.saturating_add(1);
        at.dts = at.dts.saturating_add(i64::from(entry.duration));
        at.offset = at.offset.saturating_add(u64::from(entry.size));
        at.durations.left = at.durations.left.saturating_sub(1);
        at.offsets.left = at.offsets.left.saturating_sub(1);
        at.in_chunk = at.in_chunk.saturating_sub(1);
        if at.durations.left == 0 {
            self.open_duration();
        }
        if self.at.offsets.left == 0 {
            self.open_offset();
        }
        if self.at.in_chunk == 0 {
            self.open_chunk();
        }
        self.pass_syncs();
    }

    fn open_duration(&mut self) {
        self.at.durations.settle(&self.tables.durations);
    }

    fn open_offset(&mut self) {
        self.at.offsets.settle(&self.tables.offsets);
    }

    /// Opens chunks until one has samples, unless the tables end.
    fn open_chunk(&mut self) {
        while self.at.in_chunk == 0 {
            let Some(offset) = self.tables.chunks.get(self.at.chunk) else {
                return;
            };
            let number = self.at.chunk.saturating_add(1);
            while self.layout_end.is_some_and(|end| end <= number) {
                self.at.layout = self.at.layout.saturating_add(1);
                self.layout = triple(&self.tables.layout, self.at.layout);
                self.layout_end = layout_end(self.tables, self.at.layout);
            }
            let Some([_, samples, description]) = self.layout else {
                return;
            };
            self.at.chunk = number;
            self.at.offset = offset;
            self.at.in_chunk = samples;
            self.at.description = description.saturating_sub(1);
        }
    }

    fn pass_syncs(&mut self) {
        let Some(syncs) = &self.tables.syncs else {
            return;
        };
        while self.sync.is_some_and(|number| number <= self.at.sample) {
            self.at.sync = self.at.sync.saturating_add(1);
            self.sync = word(syncs, self.at.sync);
        }
    }
}

/// The chunk with which the run after run `layout` begins.
fn layout_end(tables: &Tables, layout: u32) -> Option<u32> {
    let next = triple(&tables.layout, layout.saturating_add(1));
    next.map(|[first, ..]| first)
}
