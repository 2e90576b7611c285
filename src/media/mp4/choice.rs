//! Which two tracks of a file are sent.

use super::description::Description;
use super::fragment::SLOTS;
use super::movie::{Movie, Trak};
use super::track::Track;
use crate::media::{Kind, MediaError};

/// How many reasons are named when nothing can be sent.
const MOST_REASONS: usize = 8;

/// The first playable video track and the first playable audio track, those that are enabled
/// before others. Chapters, time codes, hints and pictures are no tracks for a viewer.
pub(super) fn choose(movie: Movie, size: u64) -> Result<[Option<Track>; SLOTS], MediaError> {
    let fragmented = movie.fragments.is_some();
    let reasons = reasons(&movie);
    let (mut video, mut audio) = (None, None);
    let mut tracks = movie.tracks;
    // Stable: among equals the first in the file stays the first.
    tracks.sort_by_key(|track| !track.enabled);
    for trak in tracks {
        let chosen = match &trak.handler {
            b"vide" => &mut video,
            b"soun" => &mut audio,
            _ => continue,
        };
        if chosen.is_none() && is_playable(&trak, fragmented) {
            *chosen = Some(trak);
        }
    }
    if video.is_none() && audio.is_none() {
        return Err(MediaError::NoTrack(reasons.into()));
    }
    let track = |trak: Trak, kind, cut| {
        let defaults = movie.fragments.as_ref().map(|all| all.defaults(trak.id));
        Track::new(trak, kind, defaults.unwrap_or_default(), size, cut)
    };
    let video = video
        .map(|trak| track(trak, Kind::Video, false))
        .transpose()?;
    let cut = video.as_ref().is_some_and(Track::begins_in_mid_gop);
    let audio = audio
        .map(|trak| track(trak, Kind::Audio, cut))
        .transpose()?;
    Ok([video, audio])
}

fn is_playable(trak: &Trak, fragmented: bool) -> bool {
    let sendable = trak.descriptions.iter().any(Description::is_playable);
    sendable && (fragmented || !trak.tables.is_empty())
}

fn reasons(movie: &Movie) -> String {
    let named: Vec<&str> = movie
        .tracks
        .iter()
        .flat_map(|track| &track.descriptions)
        .filter_map(|description| match description {
            Description::Unplayable(why) => Some(why.as_str()),
            _ => None,
        })
        .take(MOST_REASONS)
        .collect();
    if named.is_empty() {
        "no audio or video track with samples".to_owned()
    } else {
        named.join(", ")
    }
}
