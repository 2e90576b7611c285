//! The moov box: which tracks a file has and what each says of itself (ISO/IEC 14496-12 sections
//! 8.2 to 8.4 and 8.8.1 to 8.8.3).

use super::boxes::{Atom, length, limit};
use super::description::{Description, descriptions};
use super::edit::Edit;
use super::tables::Tables;
use crate::media::MediaError;
use crate::wire::{Reader, Truncated};

/// Most tracks that a file may have. Real ones have a handful, with every language of a disc some
/// fifty; each costs some hundred bytes here for as little as eight in the file.
const MAX_TRACKS: usize = 512;

/// What a moov box says.
#[derive(Debug)]
pub(super) struct Movie {
    /// Ticks a second of durations in it.
    pub timescale: u32,
    /// Its tracks, in order.
    pub tracks: Vec<Trak>,
    /// That there are fragments behind it, and how they begin.
    pub fragments: Option<Extends>,
}

/// One track.
#[derive(Debug)]
pub(super) struct Trak {
    /// track_ID.
    pub id: u32,
    /// Whether players should show it unasked.
    pub enabled: bool,
    /// `vide`, `soun` or what it is else.
    pub handler: [u8; 4],
    /// Ticks a second of the media.
    pub timescale: u32,
    /// How it is shifted.
    pub edit: Edit,
    /// Its sample descriptions.
    pub descriptions: Vec<Description>,
    /// Its samples.
    pub tables: Tables,
}

/// The mvex box.
#[derive(Debug)]
pub(super) struct Extends {
    /// mehd: length with all fragments, ticks of the movie.
    pub duration: Option<u64>,
    mvex: Atom,
}

/// Defaults of a track's fragments: the trex box.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Defaults {
    /// Sample description, from 1.
    pub description: u32,
    /// Ticks.
    pub duration: u32,
    /// Bytes.
    pub size: u32,
    /// Sample flags.
    pub flags: u32,
}

impl Movie {
    /// Reads a moov box.
    pub fn read(moov: &Atom) -> Result<Self, MediaError> {
        if moov.child(b"cmov").is_some() {
            return Err(MediaError::NoTrack(
                "the movie header is compressed (cmov)".into(),
            ));
        }
        let timescale = match moov.child(b"mvhd") {
            Some(mvhd) => scale_and_duration(&mvhd)?.0,
            None => return Err(moov.broken(0, "it has no mvhd box")),
        };
        let mut tracks = Vec::new();
        for trak in moov.children(0).filter(|child| child.kind == *b"trak") {
            if tracks.len() >= MAX_TRACKS {
                return Err(limit("tracks", length(MAX_TRACKS)));
            }
            tracks.push(Trak::read(&trak, timescale)?);
        }
        let fragments = moov.child(b"mvex").map(Extends::read).transpose()?;
        Ok(Self {
            timescale,
            tracks,
            fragments,
        })
    }
}

impl Trak {
    fn read(trak: &Atom, movie_scale: u32) -> Result<Self, MediaError> {
        let (id, enabled) = track_head(trak)?;
        let timescale = match trak.descend(&[b"mdia", b"mdhd"]) {
            Some(mdhd) => scale_and_duration(&mdhd)?.0,
            None => 0,
        };
        let handler = handler(trak).unwrap_or_default();
        let stbl = trak.descend(&[b"mdia", b"minf", b"stbl"]);
        let mut read = Self {
            id,
            enabled,
            handler,
            timescale,
            edit: Edit::default(),
            descriptions: Vec::new(),
            tables: Tables::default(),
        };
        // Hints, chapters and time codes are not looked into: what is wrong there is no matter.
        let Some(stbl) = stbl.filter(|_| matches!(&handler, b"vide" | b"soun")) else {
            return Ok(read);
        };
        if let Some(stsd) = stbl.child(b"stsd") {
            read.descriptions = descriptions(&stsd, handler)?;
        }
        if let Some(elst) = trak.descend(&[b"edts", b"elst"]) {
            read.edit = Edit::read(&elst, movie_scale, timescale)?;
        }
        read.tables = Tables::read(&stbl)?;
        Ok(read)
    }
}

impl Extends {
    fn read(mvex: Atom) -> Result<Self, MediaError> {
        let duration = match mvex.child(b"mehd") {
            Some(mehd) => {
                let (version, _, mut reader) = mehd.full()?;
                Some(short_or_long(&mut reader, version).map_err(|error| mehd.cut(error))?)
            }
            None => None,
        };
        Ok(Self {
            duration: duration.filter(|duration| *duration > 0),
            mvex,
        })
    }

    /// The defaults of track `id`.
    pub fn defaults(&self, id: u32) -> Defaults {
        let read = |trex: &Atom| -> Option<Defaults> {
            let (_, _, mut reader) = trex.full().ok()?;
            (reader.u32().ok()? == id).then_some(())?;
            Some(Defaults {
                description: reader.u32().ok()?,
                duration: reader.u32().ok()?,
                size: reader.u32().ok()?,
                flags: reader.u32().ok()?,
            })
        };
        self.mvex
            .children(0)
            .filter(|child| child.kind == *b"trex")
            .find_map(|trex| read(&trex))
            .unwrap_or(Defaults {
                description: 1,
                ..Defaults::default()
            })
    }
}

/// track_ID, and whether the track is enabled.
fn track_head(trak: &Atom) -> Result<(u32, bool), MediaError> {
    let tkhd = trak.child(b"tkhd");
    let tkhd = tkhd.ok_or_else(|| trak.broken(0, "it has no tkhd box"))?;
    let (version, flags, mut reader) = tkhd.full()?;
    let times = if version == 1 { 16 } else { 8 };
    let id = reader.skip(times).and_then(|()| reader.u32());
    Ok((id.map_err(|error| tkhd.cut(error))?, flags & 1 != 0))
}

/// The handler of the media (QuickTime has a second one, of the data, elsewhere).
fn handler(trak: &Atom) -> Option<[u8; 4]> {
    let hdlr = trak.descend(&[b"mdia", b"hdlr"])?;
    let (_, _, mut reader) = hdlr.full().ok()?;
    reader.skip(4).ok()?;
    reader.array().ok()
}

/// Timescale and duration of an mvhd or mdhd box.
fn scale_and_duration(atom: &Atom) -> Result<(u32, u64), MediaError> {
    let (version, _, mut reader) = atom.full()?;
    let mut read = || -> Result<(u32, u64), Truncated> {
        reader.skip(if version == 1 { 16 } else { 8 })?;
        Ok((reader.u32()?, short_or_long(&mut reader, version)?))
    };
    read().map_err(|error| atom.cut(error))
}

/// A number that is 32 bits long in version 0 of its box and 64 bits in version 1.
pub(super) fn short_or_long(reader: &mut Reader<'_>, version: u8) -> Result<u64, Truncated> {
    match version {
        0 => reader.u32().map(u64::from),
        _ => reader.u64(),
    }
}
