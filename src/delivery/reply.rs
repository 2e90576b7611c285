//! What a viewer is told around the media, message by message. Each function is one sequence, in
//! the order that was measured with real players (spec/rtmp.md 4.2 and 4.3; design.md rules 4, 9,
//! 12 and 13).

use crate::amf::Value;
use crate::catalog::Failure;
use crate::media::{Heads, Kind, MediaInfo};
use crate::render::Rendering;
use crate::rtmp::message::UserControl;
use crate::rtmp::server::Server;
use crate::rtmp::status::Status;
use crate::units::{MediaTime, Millis};

/// Status messages are at time 0, as deployed servers send them: they are acted on at once.
const AT_ONCE: Millis = Millis(0);

/// What the media that comes next is the beginning of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// A play.
    Play {
        /// Whether the playlist was emptied.
        reset: bool,
    },
    /// The next item of the playlist.
    Next,
    /// A seek to this time.
    Seek(MediaTime),
    /// The object that a play2 went over to.
    Switched,
}

/// Everything that comes before the first media of a play or seek.
#[derive(Debug)]
pub struct Preface<'a> {
    /// What begins.
    pub opening: Opening,
    /// The stream name, as the viewer sent it.
    pub name: &'a str,
    /// The file.
    pub info: &'a MediaInfo,
    /// What of it is sent.
    pub rendering: Rendering,
    /// Time of the first media message.
    pub time: MediaTime,
    /// Codec heads that the media does not begin with.
    pub heads: &'a Heads,
}

/// Writes a preface.
pub fn preface(server: &mut Server, stream: u32, preface: &Preface<'_>) {
    let Preface { opening, name, .. } = *preface;
    announce(server, stream, opening, name);
    if matches!(opening, Opening::Play { .. }) {
        server.sample_access(stream, AT_ONCE);
        server.status(stream, AT_ONCE, &Status::DataStart);
    }
    let time = preface.time.wire();
    let metadata = sendable(&preface.info.metadata, preface.rendering);
    server.metadata(stream, time, &metadata);
    if preface.rendering.video
        && let Some(head) = &preface.heads.video
    {
        server.media_message(Kind::Video.type_id(), time, stream, head);
    }
    if preface.rendering.audio
        && let Some(head) = &preface.heads.audio
    {
        server.media_message(Kind::Audio.type_id(), time, stream, head);
    }
}

/// The metadata of the tracks that are sent: a player that is promised video waits for it.
fn sendable(metadata: &[(String, Value)], rendering: Rendering) -> Vec<(String, Value)> {
    const OF_VIDEO: [&str; 5] = [
        "width",
        "height",
        "framerate",
        "videocodecid",
        "videodatarate",
    ];
    const OF_AUDIO: [&str; 5] = [
        "audiocodecid",
        "audiodatarate",
        "audiosamplerate",
        "audiosamplesize",
        "stereo",
    ];
    let sent = |name: &str| {
        (rendering.video || !OF_VIDEO.contains(&name))
            && (rendering.audio || !OF_AUDIO.contains(&name))
    };
    metadata
        .iter()
        .filter(|(name, _)| sent(name))
        .cloned()
        .collect()
}

fn announce(server: &mut Server, stream: u32, opening: Opening, name: &str) {
    let status = |server: &mut Server, status| server.status(stream, AT_ONCE, &status);
    match opening {
        Opening::Play { reset } => {
            begin(server, stream);
            if reset {
                status(server, Status::PlayReset { name });
            }
            status(server, Status::PlayStart { name });
        }
        Opening::Next => {
            begin(server, stream);
            status(server, Status::PlayStart { name });
        }
        Opening::Seek(time) => {
            server.user_control(UserControl::StreamEof(stream));
            begin(server, stream);
            let millis = time.millis();
            status(server, Status::SeekNotify { name, millis });
            status(server, Status::PlayStart { name });
        }
        Opening::Switched => status(server, Status::TransitionComplete { name }),
    }
}

fn begin(server: &mut Server, stream: u32) {
    server.user_control(UserControl::StreamIsRecorded(stream));
    server.user_control(UserControl::StreamBegin(stream));
}

/// A play or seek that no media follows: it leads beyond the end, or was overtaken by another.
pub fn without_media(server: &mut Server, stream: u32, opening: Opening, name: &str) {
    if let Opening::Seek(time) = opening {
        let millis = time.millis();
        server.status(stream, AT_ONCE, &Status::SeekNotify { name, millis });
    } else {
        announce(server, stream, opening, name);
    }
}

/// The end of the last item. StreamEOF first: rtmp2src ends there; ffmpeg at Play.Stop.
///
/// rtmp2src (1.22) throws away the message before StreamEOF where nobody has taken it yet, which
/// would be the last access unit. So a message that means nothing at the end stands between them.
pub fn end(server: &mut Server, stream: u32, name: &str, duration: Option<MediaTime>, bytes: u64) {
    let duration = duration.map_or(0.0, MediaTime::seconds);
    server.sample_access(stream, AT_ONCE);
    server.user_control(UserControl::StreamEof(stream));
    server.status(stream, AT_ONCE, &Status::PlayComplete { duration, bytes });
    server.status(stream, AT_ONCE, &Status::PlayStop { name });
}

/// The end of an item with another behind it.
pub fn next_item(server: &mut Server, stream: u32) {
    server.status(stream, AT_ONCE, &Status::PlaySwitch);
}

/// A play2 was accepted; the switch comes later.
pub fn transition(server: &mut Server, stream: u32, name: &str) {
    let reason = "NetStream.Transition.Success";
    server.status(stream, AT_ONCE, &Status::Transition { name, reason });
}

/// Pause or resume.
pub fn paused(server: &mut Server, stream: u32, name: &str, pause: bool) {
    if pause {
        server.user_control(UserControl::StreamEof(stream));
        server.status(stream, AT_ONCE, &Status::PauseNotify { name });
    } else {
        server.user_control(UserControl::StreamBegin(stream));
        server.status(stream, AT_ONCE, &Status::UnpauseNotify { name });
    }
}

/// A seek cannot be done.
pub fn seek_failed(server: &mut Server, stream: u32, name: &str) {
    server.status(stream, AT_ONCE, &Status::SeekFailed { name });
}

/// A seek is refused, and the play ends with it (rule 9).
pub fn seek_refused(server: &mut Server, stream: u32, name: &str) {
    seek_failed(server, stream, name);
    server.user_control(UserControl::StreamEof(stream));
}

/// A play cannot begin.
pub fn not_played(server: &mut Server, stream: u32, name: &str, failure: Failure) {
    let status = match failure {
        Failure::StreamNotFound => Status::StreamNotFound { name },
        Failure::FileStructureInvalid => Status::FileStructureInvalid { name },
        Failure::NoSupportedTrackFound => Status::NoSupportedTrackFound { name },
        Failure::Failed => Status::PlayFailed { name, reason: None },
    };
    server.status(stream, AT_ONCE, &status);
}

/// A play or play2 is refused, for a reason that the viewer may know.
pub fn refused(server: &mut Server, stream: u32, name: &str, reason: &str) {
    let reason = Some(reason);
    server.status(stream, AT_ONCE, &Status::PlayFailed { name, reason });
}

/// A play that was under way goes no further.
pub fn broken_off(server: &mut Server, stream: u32, name: &str) {
    server.status(stream, AT_ONCE, &Status::PlayFailed { name, reason: None });
    server.user_control(UserControl::StreamEof(stream));
}
