//! How a play ends: at its end, at the next item of the playlist, or by a failure.

use tracing::{debug, warn};

use super::{Context, Stream};
use crate::catalog::PlayError;
use crate::catalog::name::without_query;
use crate::delivery::meter::{PlayCount, PlayEnd};
use crate::delivery::reply::{self, Opening};
use crate::origin::Blame;

impl Stream {
    pub(super) fn ended(&mut self, cx: &mut Context<'_>) {
        if self
            .switch
            .as_ref()
            .is_some_and(|switch| switch.ready.is_some())
        {
            return self.go_over(cx);
        }
        // A seek past the end has no media.
        self.awaited = None;
        let Some(playing) = &mut self.playing else {
            return;
        };
        playing.count.end(PlayEnd::Complete);
        let duration = playing.opened.object.info().duration;
        if let Some(next) = self.playlist.pop_front() {
            reply::next_item(cx.server, self.id);
            self.begin(cx, next, Opening::Next);
            self.playing = None;
        } else {
            reply::end(
                cx.server,
                self.id,
                &playing.play.name,
                duration,
                playing.total_bytes(),
            );
        }
    }

    /// Tells the viewer and the log that it goes no further (rule 13).
    pub(super) fn fail(&mut self, cx: &mut Context<'_>, error: &PlayError) {
        let name = self.name().to_owned();
        log_failure(&name, error);
        if let Some(count) = self.count() {
            count.end(error.into());
        }
        let announced = self
            .playing
            .as_ref()
            .is_some_and(|playing| playing.entry.announced || playing.bytes > 0);
        let mut waiting = std::mem::take(&mut self.playlist);
        let was_next = self
            .opening
            .as_ref()
            .is_some_and(|beginning| beginning.opening == Opening::Next);
        let paused = self.paused;
        self.close(cx);
        if announced {
            reply::broken_off(cx.server, self.id, &name);
            return;
        }
        reply::not_played(cx.server, self.id, &name, error.failure());
        self.tell_refusal(cx, &name, &error.to_string());
        // The rest of a playlist does not suffer for one item of it.
        if let Some(next) = waiting.pop_front() {
            self.playlist = waiting;
            self.paused = paused;
            self.begin(cx, next, Opening::Next);
        } else if was_next {
            reply::end(cx.server, self.id, &name, None, 0);
        }
    }

    /// Ends what plays and what waits, at a message end: the distribution is disabled (rule 13).
    pub fn break_off(&mut self, cx: &mut Context<'_>) {
        if self.is_open() {
            self.playlist.clear();
            self.fail(cx, &PlayError::Disabled);
        }
    }

    /// The count of what is being opened, or else plays.
    fn count(&mut self) -> Option<&mut PlayCount> {
        let opening = self.opening.as_mut().map(|beginning| &mut beginning.count);
        let playing = self.playing.as_mut().map(|playing| &mut playing.count);
        opening.or(playing)
    }
}

/// Says in the log that a name was not played, as loudly as somebody has to act on it.
pub(super) fn log_failure(name: &str, error: &PlayError) {
    let name = without_query(name);
    match error.blame() {
        // It was said already, with the reason.
        _ if matches!(error, PlayError::Refused(_)) => {}
        Blame::Viewer => debug!(name, %error, "not played"),
        Blame::Operator | Blame::Origin | Blame::Us => warn!(name, %error, "play failed"),
    }
}
