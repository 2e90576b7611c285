//! play2: going over from what plays to another object, at a key frame of the other.
//!
//! The other object is opened and its first entry at or after the place looked for. Until that is
//! known nothing more is sent; then what plays goes on up to the entry, and the other takes over.

use std::sync::Arc;

use super::{Context, Entry, Playing, Stream, Switch};
use crate::delivery::job::{self, Opened};
use crate::delivery::meter::{PlayCount, PlayEnd};
use crate::delivery::player::Extent;
use crate::delivery::reply::{self, Opening};
use crate::rtmp::command::{Play, Play2, Reset, Transition};
use crate::units::MediaTime;

impl Stream {
    /// Takes play2.
    pub fn play2(&mut self, cx: &mut Context<'_>, play2: Play2) {
        let play = Play {
            name: play2.stream_name,
            start: play2.start,
            length: play2.length,
            reset: match play2.transition {
                Transition::Append | Transition::AppendAndWait => Reset::Append,
                _ => Reset::Replace,
            },
        };
        match play2.transition {
            Transition::Swap if self.swap_waiting(&play2.old_stream_name, &play) => {
                reply::transition(cx.server, self.id, &play.name);
            }
            Transition::Switch | Transition::Swap if self.is_underway() => {
                self.give_up_switch();
                let after = play2.offset.unwrap_or_default().max(self.reached());
                let viewer = Arc::clone(cx.viewer);
                self.switch_job
                    .start(job::open_to_switch(viewer, play.name.clone(), after));
                self.switch = Some(Switch {
                    play,
                    ready: None,
                    count: PlayCount::start(&cx.viewer.meter),
                });
            }
            Transition::Stop => self.close(cx),
            Transition::Other(_) => {
                self.refuse(cx, &play.name, "no such transition");
            }
            _ => self.play(cx, play),
        }
    }

    /// Forgets a switch, and lets what plays go on to its own end.
    pub(super) fn give_up_switch(&mut self) -> Option<Switch> {
        if let Some(player) = self.player() {
            player.go_on_alone();
        }
        self.switch_job.forget();
        self.switch.take()
    }

    /// Replaces an item that waits in the playlist, if there is one of that name.
    fn swap_waiting(&mut self, old: &str, play: &Play) -> bool {
        if !self.has_room_for(play) {
            return false;
        }
        let waiting = self.playlist.iter_mut().find(|item| item.name == old);
        waiting.is_some_and(|item| {
            *item = play.clone();
            true
        })
    }

    pub(super) fn switchable(
        &mut self,
        cx: &mut Context<'_>,
        opened: Opened,
        at: Option<MediaTime>,
    ) {
        let Some(switch) = &mut self.switch else {
            return;
        };
        let Some(at) = at else {
            let reason = "the stream to switch to has no key frame left";
            reply::refused(cx.server, self.id, &switch.play.name, reason);
            self.give_up_switch();
            return;
        };
        reply::transition(cx.server, self.id, &switch.play.name);
        switch.ready = Some((opened, at));
        match self.player() {
            Some(player) if !player.is_ended() => player.switch_at(at),
            _ => self.go_over(cx),
        }
    }

    /// Goes over to the object that a play2 named.
    pub(super) fn go_over(&mut self, cx: &mut Context<'_>) {
        let Some(Switch {
            play,
            ready: Some((opened, at)),
            count,
        }) = self.switch.take()
        else {
            return;
        };
        if let Some(before) = &mut self.playing {
            before.count.end(PlayEnd::Switched);
        }
        let entry = Entry::new(at, Extent::All, Opening::Switched);
        let playing = Playing {
            play,
            opened,
            entry,
            player: None,
            bytes: 0,
            count,
        };
        self.enter(cx, playing, entry);
    }
}
