//! Commands that change where a viewer is: seek, pause, resume (design.md, rules 9 and 10).

use super::super::job;
use super::super::player::Extent;
use super::super::reply::{self, Opening};
use super::super::session::Happening;
use super::{Awaited, Context, Entry, Playing, Stream};
use crate::units::MediaTime;

impl Stream {
    /// Takes seek.
    pub fn seek(&mut self, cx: &mut Context<'_>, time: MediaTime) {
        if let Some(beginning) = &mut self.opening {
            if let Some(before) = beginning.seek.replace(time) {
                let overtaken = Opening::Seek(before);
                reply::without_media(cx.server, self.id, overtaken, &beginning.play.name);
            }
            return;
        }
        if let Some(switch) = self.give_up_switch() {
            reply::refused(cx.server, self.id, &switch.play.name, "a seek came first");
        }
        if self.playing.is_none() {
            reply::seek_failed(cx.server, self.id, "");
            return;
        }
        self.cut(cx);
        let Some(mut playing) = self.playing.take() else {
            return;
        };
        if let Err(error) = cx.viewer.recheck(&playing.play.name, &playing.opened) {
            playing.count.end((&error).into());
            self.tell_refusal(cx, &playing.play.name, &error.to_string());
            reply::seek_refused(cx.server, self.id, &playing.play.name);
            self.close(cx);
            return;
        }
        self.awaited = Some(Awaited::seek(cx.now));
        if !playing.entry.announced {
            // Overtaken by this one, but everything is answered, in order.
            let opening = playing.entry.opening;
            reply::without_media(cx.server, self.id, opening, &playing.play.name);
            playing.told(cx.viewer, self.id);
        }
        playing.bytes = playing.total_bytes();
        playing.player = None;
        let extent = match playing.entry.extent {
            Extent::Picture => Extent::All,
            extent => extent,
        };
        let opening = Opening::Seek(time);
        self.enter(cx, playing, Entry::new(time, extent, opening));
    }

    /// Takes pause and pauseRaw.
    pub fn pause(&mut self, cx: &mut Context<'_>, pause: bool, time: MediaTime) {
        if self.playing.is_none() && self.opening.is_none() {
            return;
        }
        let changes = self.paused != pause;
        self.paused = pause;
        if pause {
            self.cut(cx);
            self.ahead.close();
            if self.rejoining.take().is_some() {
                self.job.forget();
            }
            if let Some(player) = self.player() {
                player.pause(cx.now);
            }
        } else {
            self.resume(cx, time);
        }
        let name = self.name().to_owned();
        reply::paused(cx.server, self.id, &name, pause);
        // What was never shown, and what is said twice, is nobody's record.
        let shown = self.playing.as_ref().is_some_and(|it| it.entry.announced);
        if changes && shown {
            let item = self.item(cx.viewer);
            let happening = if pause {
                Happening::Pause
            } else {
                Happening::Unpause
            };
            cx.viewer.session.tell(happening(&item));
        }
    }

    fn resume(&mut self, cx: &Context<'_>, time: MediaTime) {
        let Some(Playing {
            opened,
            player: Some(player),
            play,
            ..
        }) = &mut self.playing
        else {
            return;
        };
        // The viewer is at a time before what was sent: they threw their buffer away. That is another
        // place, for which a signed name must hold as for a seek; else it goes on where it stood.
        let back = time > MediaTime::ZERO && time < player.pacer.reached() && player.is_stopped();
        if back && cx.viewer.recheck(&play.name, opened).is_ok() {
            self.rejoining = Some(time);
            let job = job::find(cx.viewer, opened, time);
            self.job.start(job);
        } else {
            player.resume(cx.now);
        }
    }
}
