//! Which messages of a play a viewer wants: audio and video can be switched off and on.

use crate::media::Kind;
use crate::render::Cue;

/// What receiveAudio and receiveVideo have left on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Filter {
    audio: bool,
    video: Video,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Video {
    On,
    Off,
    /// On again from the next key frame: what comes before could not be decoded.
    FromKeyFrame,
}

impl Filter {
    /// Everything is wanted.
    pub const ALL: Self = Self {
        audio: true,
        video: Video::On,
    };

    /// Whether every message passes, so that the shared bytes can be sent.
    pub fn is_open(self) -> bool {
        self == Self::ALL
    }

    /// Takes receiveAudio.
    pub fn set_audio(&mut self, on: bool) {
        self.audio = on;
    }

    /// Takes receiveVideo.
    pub fn set_video(&mut self, on: bool) {
        self.video = match (on, self.video) {
            (false, _) => Video::Off,
            (true, Video::On) => Video::On,
            (true, Video::Off | Video::FromKeyFrame) => Video::FromKeyFrame,
        };
    }

    /// A play or seek begins at a key frame, so that video that waits for one may come.
    pub fn enter(&mut self) {
        if self.video == Video::FromKeyFrame {
            self.video = Video::On;
        }
    }

    /// Whether a message passes. Codec heads and data always do.
    pub fn keeps(&mut self, cue: &Cue) -> bool {
        if cue.head {
            return true;
        }
        match cue.kind {
            Kind::Data => true,
            Kind::Audio => self.audio,
            Kind::Video => {
                if self.video == Video::FromKeyFrame && cue.entry {
                    self.video = Video::On;
                }
                self.video == Video::On
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::MediaTime;

    fn cue(kind: Kind, entry: bool, head: bool) -> Cue {
        Cue {
            time: MediaTime::ZERO,
            offset: 0,
            kind,
            entry,
            head,
        }
    }

    #[test]
    fn video_comes_back_at_the_next_key_frame() {
        let mut filter = Filter::ALL;
        filter.set_video(false);
        assert!(!filter.keeps(&cue(Kind::Video, true, false)));
        assert!(filter.keeps(&cue(Kind::Video, false, true)));
        assert!(filter.keeps(&cue(Kind::Audio, false, false)));
        filter.set_video(true);
        assert!(!filter.is_open());
        assert!(!filter.keeps(&cue(Kind::Video, false, false)));
        assert!(filter.keeps(&cue(Kind::Video, true, false)));
        assert!(filter.keeps(&cue(Kind::Video, false, false)));
        assert!(filter.is_open());
    }

    #[test]
    fn audio_goes_off_and_on_at_once() {
        let mut filter = Filter::ALL;
        filter.set_audio(false);
        assert!(!filter.keeps(&cue(Kind::Audio, false, false)));
        filter.set_audio(true);
        assert!(filter.keeps(&cue(Kind::Audio, false, false)));
        assert!(filter.is_open());
    }

    #[test]
    fn switching_on_what_is_on_changes_nothing() {
        let mut filter = Filter::ALL;
        filter.set_video(true);
        assert!(filter.is_open());
    }
}
