//! The MP4 family: MP4, M4V, F4V, M4A (ISO/IEC 14496-12) and QuickTime MOV.
//!
//! [`Mp4Builder`] reads the movie header (and of a fragmented file its first fragment), and makes
//! an [`Mp4Index`]. The tables of the header stay slices of what was read; a cursor carries its
//! place in each of them, so that a step costs the same anywhere and a viewer costs little.
//! Nothing is expanded and no count is believed: a walk ends with the shortest table, each sample
//! must lie in the object, and all of a track together must be no longer than it.
//!
//! One video and one audio track are sent, merged by decoding time in milliseconds (`timeline`
//! says how edit lists shift them). Fragmented files have their samples in moof boxes, which are
//! read as the cursor comes to them; an index in the file (sidx, mfra) gives places to enter at.
//!
//! From the outside in: `builder` and `opening` (reading), `index` and `cursor` (walking), `walk`
//! (the same, quick, where there are no fragments), `movie` and `choice` (tracks), `track`,
//! `timeline` and `rate` (one track), `tables` and `fragment` (samples), `description` and
//! `descriptors` (codecs), `entries` and `resync` (entering), `boxes`.

mod boxes;
mod builder;
mod choice;
mod cursor;
mod description;
mod descriptors;
mod edit;
mod entries;
mod fragment;
mod index;
mod metadata;
mod movie;
mod opening;
mod rate;
mod resync;
mod tables;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod timeline;
mod track;
mod walk;

pub use builder::Mp4Builder;
pub use cursor::Mp4Cursor;
pub use index::Mp4Index;
