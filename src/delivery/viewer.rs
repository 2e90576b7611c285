//! Who is connected, to which distribution, and what they may get of it.

use std::collections::HashSet;
use std::sync::Arc;

use tokio::runtime::Handle;

use super::ahead::Budget;
use super::job::Opened;
use super::meter::Meter;
use super::served::Served;
use super::session::Session;
use crate::catalog::{Objects, PlayError, StreamName};
use crate::media::codec::{AudioCodec, VideoCodec};
use crate::media::{MediaError, MediaInfo};
use crate::origin::Origin;
use crate::render::Rendering;

/// Whether codecs are sent that need Enhanced RTMP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EnhancedPolicy {
    /// To every client: ffmpeg and mpv play them without announcing it.
    #[default]
    Always,
    /// To clients whose connect announced the codec.
    Negotiated,
    /// To nobody.
    Never,
}

/// One viewer, once their connect was accepted.
#[derive(Debug)]
pub struct Viewer {
    /// Whose viewer they are. What it serves is looked up at each play, for it may change.
    pub distribution: Arc<Served>,
    /// What others see of the connection.
    pub session: Arc<Session>,
    /// How often the distribution had sent its viewers away when this one came.
    pub round: u32,
    /// How names become objects.
    pub objects: Arc<Objects>,
    /// Where work for this viewer runs that waits or computes: not on the threads that deliver.
    pub background: Handle,
    /// What may be read ahead, over all viewers.
    pub ahead: Budget,
    /// What stood behind the application in the connect: librtmp puts folders there.
    pub app_rest: String,
    /// Which codecs may be sent.
    pub policy: EnhancedPolicy,
    /// FourCCs that the client announced; `*` is every one.
    pub announced: HashSet<String>,
    /// Where what they are served is counted.
    pub meter: Arc<Meter>,
}

impl Viewer {
    /// Opens the object that a stream name means.
    ///
    /// # Errors
    /// There is none, it cannot be read, no track of it may be sent to this viewer, or the
    /// distribution is disabled.
    pub async fn open(&self, name: &str) -> Result<Opened, PlayError> {
        let origin = self.origin()?;
        // A name that cannot be a key names no object; it never reaches the origin.
        let name = StreamName::parse(&self.app_rest, name).map_err(|_| PlayError::NotFound)?;
        let object = self
            .objects
            .open(self.distribution.id(), &origin, &name)
            .await?;
        let rendering = self.rendering(object.info())?;
        Ok(Opened { object, rendering })
    }

    /// Where a play reads from that begins now.
    fn origin(&self) -> Result<Arc<dyn Origin>, PlayError> {
        let terms = self.distribution.terms();
        if !terms.enabled {
            return Err(PlayError::Disabled);
        }
        if terms.signed {
            return Err(PlayError::Signed);
        }
        Ok(Arc::clone(&terms.origin))
    }

    /// Whether the distribution has sent its viewers away since this one came.
    pub fn is_sent_away(&self) -> bool {
        self.distribution.round() != self.round
    }

    fn rendering(&self, info: &MediaInfo) -> Result<Rendering, MediaError> {
        let video = info.video.as_ref();
        let audio = info.audio.as_ref();
        let rendering = Rendering {
            video: video.is_some_and(|codec| self.may_send(video_four_cc(codec))),
            audio: audio.is_some_and(|codec| self.may_send(audio_four_cc(codec))),
        };
        if rendering.video || rendering.audio {
            return Ok(rendering);
        }
        Err(MediaError::NoTrack(
            "its codecs need Enhanced RTMP, which this client did not announce or this server does not send"
                .into(),
        ))
    }

    /// Whether a codec may be sent: `None` is a classic one.
    fn may_send(&self, enhanced: Option<[u8; 4]>) -> bool {
        let Some(four_cc) = enhanced else { return true };
        match self.policy {
            EnhancedPolicy::Always => true,
            EnhancedPolicy::Never => false,
            EnhancedPolicy::Negotiated => {
                self.announced.contains("*")
                    || std::str::from_utf8(&four_cc)
                        .is_ok_and(|four_cc| self.announced.contains(four_cc))
            }
        }
    }
}

fn video_four_cc(codec: &VideoCodec) -> Option<[u8; 4]> {
    (!codec.is_classic()).then(|| codec.fourcc()).flatten()
}

fn audio_four_cc(codec: &AudioCodec) -> Option<[u8; 4]> {
    (!codec.is_classic()).then(|| codec.fourcc()).flatten()
}
