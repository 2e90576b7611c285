//! Who is connected, to which distribution, and what they may get of it.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use jiff::Timestamp;
use tokio::runtime::Handle;
use tracing::{info, warn};

use super::ahead::Budget;
use super::job::Opened;
use super::meter::{Meter, SignatureFault};
use super::served::{Served, Terms};
use super::session::Session;
use crate::access::{Brake, Grant, Refusal, SignerKeys, verify};
use crate::catalog::name::without_query;
use crate::catalog::{Objects, PlayError, StreamName};
use crate::media::codec::{AudioCodec, VideoCodec};
use crate::media::{MediaError, MediaInfo};
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
    /// The address that they came from, if it is known.
    pub peer: Option<IpAddr>,
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
    /// How many of their names were refused of late.
    pub brake: Mutex<Brake>,
}

impl Viewer {
    /// Opens the object that a stream name means.
    ///
    /// # Errors
    /// There is none, it cannot be read, no track of it may be sent to this viewer, the
    /// distribution is disabled, or the name is not signed as it must be.
    pub async fn open(&self, name: &str) -> Result<Opened, PlayError> {
        let terms = self.terms()?;
        // A name that cannot be a key names no object; it never reaches the origin.
        let name = StreamName::parse(&self.app_rest, name).map_err(|_| PlayError::NotFound)?;
        // Before the origin: whether there is such an object is nobody's business.
        let signers = terms.signers.as_ref();
        let grant = signers.map(|signers| self.verify(&name, signers));
        let grant = grant.transpose()?;
        let object = self
            .objects
            .open(self.distribution.id(), &terms.origin, &name)
            .await?;
        if let Some(grant) = &grant {
            let covers = grant.covers(&object.key().key);
            covers.map_err(|refusal| self.refused(&name.to_string(), refusal))?;
            self.meter.signatures_accepted.inc();
        }
        let rendering = self.rendering(object.info())?;
        Ok(Opened {
            object,
            rendering,
            grant,
        })
    }

    /// Whether what was opened by `name` may be played from another place on (cloudfront.md,
    /// section 3.6).
    ///
    /// # Errors
    /// Its time is over, or its key counts no more.
    pub fn recheck(&self, name: &str, opened: &Opened) -> Result<(), PlayError> {
        let Some(signers) = self.distribution.terms().signers.clone() else {
            return Ok(());
        };
        let grant = opened.grant.as_ref().ok_or(Refusal::Missing);
        let holds = grant.and_then(|grant| grant.check(&signers, Timestamp::now(), self.peer));
        holds.map_err(|refusal| self.refused(without_query(name), refusal))?;
        self.meter.signatures_accepted.inc();
        Ok(())
    }

    /// Names that are verified at the same moment do not yet know of each other's refusal: there
    /// are no more of them than threads.
    fn verify(&self, name: &StreamName, signers: &SignerKeys) -> Result<Arc<Grant>, PlayError> {
        if self.brake().is_on(Instant::now()) {
            // Not a line for each: the log is not the viewer's to fill.
            self.meter.signature_refused(SignatureFault::TooMany).inc();
            return Err(Refusal::TooMany.into());
        }
        let asked = name.asked();
        let query = name.query.as_deref();
        verify(&asked, query, signers, Timestamp::now(), self.peer)
            .map(Arc::new)
            .map_err(|refusal| self.refused(&name.to_string(), refusal))
    }

    /// Counts and logs why a name is refused, which only the operator learns.
    fn refused(&self, name: &str, refusal: Refusal) -> PlayError {
        let fault = SignatureFault::from(&refusal);
        self.meter.signature_refused(fault).inc();
        info!(
            distribution = %self.distribution.id(),
            name,
            peer = self.peer.map(tracing::field::display),
            reason = fault.word(),
            cause = %refusal,
            "a signed name was refused"
        );
        if self.brake().refused(Instant::now()) {
            warn!(
                distribution = %self.distribution.id(),
                peer = self.peer.map(tracing::field::display),
                "so many names of a connection were refused that no more are looked at for now"
            );
        }
        refusal.into()
    }

    fn brake(&self) -> MutexGuard<'_, Brake> {
        // Every change of it is whole.
        self.brake.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What holds for a play that begins now.
    fn terms(&self) -> Result<Arc<Terms>, PlayError> {
        let terms = Arc::clone(&self.distribution.terms());
        terms.enabled.then_some(terms).ok_or(PlayError::Disabled)
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
