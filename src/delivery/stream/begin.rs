//! Beginning to play: open the name, find the place, make the player.

use std::sync::Arc;
use std::time::Duration;

use super::{Beginning, Context, Entry, Playing, Stream};
use crate::catalog::Failure;
use crate::delivery::job::{self, Opened};
use crate::delivery::meter::{PlayCount, PlayEnd};
use crate::delivery::pacer::Pacer;
use crate::delivery::player::{Extent, Player};
use crate::delivery::reply::{self, Opening};
use crate::render::SegmentId;
use crate::rtmp::command::{Length, Play, Reset, Start};
use crate::units::MediaTime;

impl Stream {
    /// Begins to open a play; those that cannot be are told, and the next of the playlist tried.
    pub(super) fn begin(&mut self, cx: &mut Context<'_>, mut play: Play, mut opening: Opening) {
        let mut count = PlayCount::start(&cx.viewer.meter);
        while play.start == Start::LiveOnly {
            count.end(PlayEnd::NotFound);
            reply::not_played(cx.server, self.id, &play.name, Failure::StreamNotFound);
            self.tell_refusal(cx, &play.name, "there are no live streams");
            let Some(next) = self.playlist.pop_front() else {
                if opening == Opening::Next {
                    // A playlist that played has an end, whatever its last item is.
                    reply::end(cx.server, self.id, &play.name, None, 0);
                }
                return;
            };
            (play, opening) = (next, Opening::Next);
            count = PlayCount::start(&cx.viewer.meter);
        }
        self.job
            .start(job::open(Arc::clone(cx.viewer), play.name.clone()));
        self.opening = Some(Beginning {
            play,
            opening,
            seek: None,
            count,
        });
    }

    pub(super) fn opened(&mut self, cx: &mut Context<'_>, opened: Opened) {
        let Some(beginning) = self.opening.take() else {
            return;
        };
        let Beginning {
            play,
            opening,
            seek,
            count,
        } = beginning;
        let start = match play.start {
            Start::At(time) => time,
            Start::VodOrLive | Start::LiveOnly => MediaTime::ZERO,
        };
        let extent = match play.length {
            Length::All => Extent::All,
            Length::Picture => Extent::Picture,
            Length::Millis(length) => Extent::Until(start.plus(length.millis())),
        };
        let entry = match seek {
            None => Entry::new(start, extent, opening),
            Some(time) => {
                reply::without_media(cx.server, self.id, opening, &play.name);
                Entry::new(time, extent, Opening::Seek(time))
            }
        };
        let mut playing = Playing {
            play,
            opened,
            entry,
            player: None,
            bytes: 0,
            count,
        };
        if seek.is_some() {
            // They were told that it plays before they were told of the seek.
            playing.show(cx.viewer, self.id);
        }
        self.enter(cx, playing, entry);
    }

    /// Begins to play an open object somewhere.
    pub(super) fn enter(&mut self, cx: &mut Context<'_>, playing: Playing, entry: Entry) {
        let duration = playing.opened.object.info().duration;
        let find = job::find(cx.viewer, &playing.opened, entry.time);
        let playing = self.playing.insert(Playing { entry, ..playing });
        self.rejoining = None;
        self.ahead.close();
        if duration.is_some_and(|duration| entry.time > duration) {
            reply::without_media(cx.server, self.id, entry.opening, &playing.play.name);
            playing.told(cx.viewer, self.id);
            playing.player = Some(Player::at_end(Pacer::new(self.buffer)));
            self.job.forget();
        } else if entry.time <= MediaTime::ZERO {
            self.job.forget();
            self.found(SegmentId::FIRST);
        } else {
            self.job.start(find);
        }
    }

    pub(super) fn found(&mut self, id: SegmentId) {
        let (buffer, paused) = (self.pace(), self.paused);
        if let Some(time) = self.rejoining.take() {
            if let Some(player) = self.player() {
                player.rejoin(time, id);
            }
            return;
        }
        let Some(playing) = &mut self.playing else {
            return;
        };
        let Entry { time, extent, .. } = playing.entry;
        let mut player = Player::new(id, time, extent, Pacer::new(buffer));
        if paused {
            player.pause_after_picture();
        }
        playing.player = Some(player);
    }

    /// The client buffer that paces the play: none for one that asked not to wait.
    pub(super) fn pace(&self) -> Duration {
        let unpaced = self.playing.as_ref().is_some_and(|playing| {
            matches!(
                playing.play.reset,
                Reset::AppendUnpaced | Reset::ReplaceUnpaced
            )
        });
        if unpaced { Duration::MAX } else { self.buffer }
    }
}
