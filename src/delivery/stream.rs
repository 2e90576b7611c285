//! One message stream of one viewer: what it plays, what comes after, and what the viewer is told.
//!
//! Brings the pure parts together. Commands come in; work that must wait (opening a name, finding
//! a time, rendering a segment) becomes a job of the stream ([`Slot`]); and [`Stream::step`] either
//! writes replies, hands a run of media to the sender, or says until when to wait.

mod begin;
mod end;
mod media;
mod place;
mod switch;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::ahead::Ahead;
use super::filter::Filter;
use super::job::{Done, Opened, Slot};
use super::media::RunMedia;
use super::meter::{Awaited, Meter, PlayCount};
use super::pacer;
use super::player::{Action, Extent, Player};
use super::rate::Rate;
use super::reply::{self, Opening};
use super::sender::Sender;
use super::session::{Happening, Item, State};
use super::viewer::Viewer;
use crate::catalog::Segment;
use crate::rtmp::command::Play;
use crate::rtmp::server::Server;
use crate::units::MediaTime;

/// Most items that wait in a playlist: more than a player shows.
pub const MAX_PLAYLIST: usize = 256;

/// Most bytes of the names that wait in a playlist. A name with a signed policy has about 1 KiB; it
/// may have as many as a message, and there are several streams.
const MAX_PLAYLIST_BYTES: usize = 64 * 1024;

/// Bytes of a run that is copied for one viewer: the copy is held until it is sent.
const COPY_BYTES: u32 = 128 * 1024;

/// What a step of a stream came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Something was done; there may be more.
    Progress,
    /// Nothing to do before this time.
    Wait(Instant),
    /// Nothing to do until a command or a job.
    Idle,
}

/// What a stream works with while it takes a command or a step.
#[derive(Debug)]
pub struct Context<'a> {
    /// Whose stream it is.
    pub viewer: &'a Arc<Viewer>,
    /// Where replies are written.
    pub server: &'a mut Server,
    /// Where media is sent.
    pub sender: &'a mut Sender<RunMedia>,
    /// How fast.
    pub rate: &'a Rate,
    /// The time now.
    pub now: Instant,
}

/// An object that plays, or has played to its end and can still be sought in.
#[derive(Debug)]
struct Playing {
    play: Play,
    opened: Opened,
    /// Where this stretch of it begins: a play or a seek.
    entry: Entry,
    /// `None` while the segment to begin in is looked for.
    player: Option<Player<Segment>>,
    /// Media bytes of the stretches before this one.
    bytes: u64,
    count: PlayCount,
}

/// A place to begin at, and what the viewer is told there.
#[derive(Debug, Clone, Copy)]
struct Entry {
    time: MediaTime,
    extent: Extent,
    opening: Opening,
    announced: bool,
}

/// A play that is being opened.
#[derive(Debug)]
struct Beginning {
    play: Play,
    /// How it will be announced.
    opening: Opening,
    /// A seek that came meanwhile.
    seek: Option<MediaTime>,
    count: PlayCount,
}

/// A play2 under way: the object to go over to, once it is open, and the time of its first entry
/// there.
#[derive(Debug)]
struct Switch {
    play: Play,
    ready: Option<(Opened, MediaTime)>,
    count: PlayCount,
}

/// One message stream.
pub struct Stream {
    id: u32,
    playlist: VecDeque<Play>,
    /// A play whose name is being opened.
    opening: Option<Beginning>,
    playing: Option<Playing>,
    switch: Option<Switch>,
    filter: Filter,
    /// The filter as it was before the run in flight was copied.
    filter_before: Filter,
    buffer: Duration,
    paused: bool,
    /// A resume that looks for this time.
    rejoining: Option<MediaTime>,
    /// The play or seek whose first media byte has not gone out yet.
    awaited: Option<Awaited>,
    /// What is brought ahead of need.
    ahead: Ahead,
    /// Opening, finding, loading for what plays.
    job: Slot,
    /// The same for what a play2 goes over to.
    switch_job: Slot,
}

impl Stream {
    /// A stream that plays nothing, of a client with that buffer.
    pub fn new(id: u32, buffer: Duration) -> Self {
        Self {
            id,
            playlist: VecDeque::new(),
            opening: None,
            playing: None,
            switch: None,
            filter: Filter::ALL,
            filter_before: Filter::ALL,
            buffer,
            paused: false,
            rejoining: None,
            awaited: None,
            ahead: Ahead::default(),
            job: Slot::default(),
            switch_job: Slot::default(),
        }
    }

    /// Its message stream id.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Whether media is sent no faster than it is played.
    pub fn is_paced(&self) -> bool {
        !pacer::is_unpaced(self.pace())
    }

    /// Whether it plays or is about to: not ended, and not paused.
    pub fn is_active(&self) -> bool {
        let playing = self.playing.as_ref().is_some_and(|playing| {
            playing
                .player
                .as_ref()
                .is_none_or(|player| !player.is_ended() && !player.is_paused())
        });
        self.opening.is_some() || playing
    }

    /// Whether it plays, is paused, or is about to play: not ended.
    pub fn is_open(&self) -> bool {
        self.opening.is_some() || self.is_underway()
    }

    /// Takes play.
    pub fn play(&mut self, cx: &mut Context<'_>, play: Play) {
        let append = !play.reset.replaces();
        if append && self.is_open() {
            if self.has_room_for(&play) {
                self.playlist.push_back(play);
            } else {
                cx.viewer.meter.play_refused();
                self.refuse(cx, &play.name, "the playlist is full");
            }
            return;
        }
        self.close(cx);
        self.awaited = Some(Awaited::play(cx.now));
        self.begin(cx, play, Opening::Play { reset: !append });
    }

    /// Takes that the socket took the first bytes of a run of this stream, or more of them.
    pub fn media_taken(&mut self, meter: &Meter) {
        if let Some(awaited) = self.awaited.take() {
            awaited.over(meter, Instant::now());
        }
    }

    fn has_room_for(&self, play: &Play) -> bool {
        let waiting: usize = self.playlist.iter().map(|item| item.name.len()).sum();
        self.playlist.len() < MAX_PLAYLIST && waiting + play.name.len() <= MAX_PLAYLIST_BYTES
    }

    /// The socket took nothing for that long.
    pub fn held_up(&mut self, time: Duration) {
        self.ahead.held_up(time);
    }

    /// Takes receiveAudio.
    pub fn receive_audio(&mut self, cx: &mut Context<'_>, on: bool) {
        self.cut(cx);
        self.filter.set_audio(on);
    }

    /// Takes receiveVideo.
    pub fn receive_video(&mut self, cx: &mut Context<'_>, on: bool) {
        self.cut(cx);
        self.filter.set_video(on);
    }

    /// Takes SetBufferLength.
    pub fn set_buffer(&mut self, buffer: Duration) {
        self.buffer = buffer;
        let buffer = self.pace();
        if let Some(player) = self.player() {
            player.set_buffer(buffer);
        }
    }

    /// Ends what plays and empties the playlist.
    pub fn close(&mut self, cx: &mut Context<'_>) {
        self.cut(cx);
        self.job.forget();
        self.switch_job.forget();
        *self = Self {
            filter: self.filter,
            job: std::mem::take(&mut self.job),
            switch_job: std::mem::take(&mut self.switch_job),
            ..Self::new(self.id, self.buffer)
        };
    }

    /// The jobs that the stream waits for, to be polled.
    pub fn jobs(&mut self) -> [&mut Slot; 2] {
        [&mut self.job, &mut self.switch_job]
    }

    /// Takes what a job came to.
    pub fn done(&mut self, cx: &mut Context<'_>, done: Done) {
        match done {
            Done::Opened(Ok(opened)) => self.opened(cx, opened),
            Done::Found(Ok(id)) => self.found(id),
            Done::Loaded(id, Ok(segment)) => {
                if let Some(player) = self.player() {
                    player.supply(cx.now, id, segment);
                }
            }
            Done::Switchable(Ok((opened, at))) => self.switchable(cx, opened, at),
            Done::Switchable(Err(error)) => {
                if let Some(mut switch) = self.give_up_switch() {
                    switch.count.end((&error).into());
                    let name = &switch.play.name;
                    end::log_failure(name, &error);
                    reply::not_played(cx.server, self.id, name, error.failure());
                    self.tell_refusal(cx, name, &error.to_string());
                }
            }
            Done::Opened(Err(error)) | Done::Found(Err(error)) | Done::Loaded(_, Err(error)) => {
                self.fail(cx, &error);
            }
        }
    }

    /// Does one thing. To be called only while the sender is free.
    /// `most`: bytes of a run at the most.
    pub fn step(&mut self, cx: &mut Context<'_>, most: u32) -> Step {
        let most = if self.sends_shared() {
            most
        } else {
            most.min(COPY_BYTES)
        };
        // What is played on meanwhile could lie behind the place to switch at.
        if self
            .switch
            .as_ref()
            .is_some_and(|switch| switch.ready.is_none())
        {
            return Step::Idle;
        }
        let Some(player) = self.player() else {
            return Step::Idle;
        };
        match player.poll(cx.now, cx.rate.quota(cx.now, most)) {
            Action::Need(id) => return self.need(cx, id),
            Action::Preface { time, heads } => self.preface(cx, time, &heads),
            Action::Run(run) => self.send(cx, run),
            Action::Wait(at) => return Step::Wait(at),
            Action::End => self.ended(cx),
            Action::Idle => return Step::Idle,
        }
        Step::Progress
    }

    /// Cuts the media in flight off at its message end; the player goes on from there.
    fn cut(&mut self, cx: &mut Context<'_>) {
        let Some((cutoff, media)) = cx.sender.stop(self.id) else {
            return;
        };
        let cue = media.cue_from(cutoff.offset);
        // The key frame at which video was to come back may be among what was cut off. Waiting for
        // another one is right in any case.
        let copied = matches!(media, RunMedia::Copy(_));
        if cutoff.unsent > 0 {
            if copied {
                self.filter = self.filter_before;
            }
            if let Some(player) = self.player() {
                player.take_back(cue, u64::from(cutoff.unsent));
            }
        }
        cx.sender.tidy();
    }

    fn player(&mut self) -> Option<&mut Player<Segment>> {
        self.playing.as_mut()?.player.as_mut()
    }

    fn is_underway(&self) -> bool {
        self.playing.as_ref().is_some_and(|playing| {
            playing
                .player
                .as_ref()
                .is_none_or(|player| !player.is_ended())
        })
    }

    fn reached(&self) -> MediaTime {
        self.playing
            .as_ref()
            .and_then(|playing| playing.player.as_ref())
            .map_or(MediaTime::ZERO, |player| player.pacer.reached())
    }

    /// Name of what plays or is being opened.
    fn name(&self) -> &str {
        let opening = self.opening.as_ref().map(|beginning| &beginning.play);
        let playing = self.playing.as_ref().map(|playing| &playing.play);
        opening.or(playing).map_or("", |play| &play.name)
    }

    /// What plays or is being opened, as others see it.
    fn item(&self, viewer: &Viewer) -> Arc<Item> {
        let playing = self.playing.as_ref().filter(|_| self.opening.is_none());
        match playing.and_then(|playing| playing.count.shown()) {
            Some(showing) => Arc::clone(&showing.item),
            None => Item::new(self.id, &viewer.app_rest, self.name(), None),
        }
    }

    /// Shows how far it is.
    pub fn show(&self) {
        let Some(playing) = &self.playing else { return };
        let Some(showing) = playing.count.shown() else {
            return;
        };
        let state = match &playing.player {
            Some(player) if player.is_ended() => State::Idle,
            _ if self.paused => State::Paused,
            _ => State::Playing,
        };
        showing.set(state, self.reached(), self.buffer);
    }

    /// Tells the viewer and others that a play is refused.
    fn refuse(&self, cx: &mut Context<'_>, name: &str, reason: &str) {
        reply::refused(cx.server, self.id, name, reason);
        self.tell_refusal(cx, name, reason);
    }

    /// Tells others that nothing of this name is played, and why.
    fn tell_refusal(&self, cx: &Context<'_>, name: &str, reason: &str) {
        let item = Item::new(self.id, &cx.viewer.app_rest, name, None);
        cx.viewer.session.tell(Happening::Refused(&item, reason));
    }

    /// Whether this stream's bytes are those that all viewers share.
    fn sends_shared(&self) -> bool {
        self.id == crate::render::STREAM_ID && self.filter.is_open()
    }
}

impl Playing {
    /// Takes that the viewer was told of what begins: the play, and a seek in it. Once an entry.
    fn told(&mut self, viewer: &Viewer, stream: u32) {
        self.show(viewer, stream);
        if let Opening::Seek(time) = self.entry.opening
            && let Some(showing) = self.count.shown()
        {
            viewer.session.tell(Happening::Seek(&showing.item, time));
        }
        self.entry.announced = true;
    }

    fn show(&mut self, viewer: &Viewer, stream: u32) {
        let Self {
            count,
            play,
            opened,
            ..
        } = self;
        let container = opened.object.container();
        count.show(&viewer.session, || {
            Item::new(stream, &viewer.app_rest, &play.name, Some(container))
        });
    }

    fn total_bytes(&self) -> u64 {
        let now = self.player.as_ref().map_or(0, Player::bytes);
        self.bytes.saturating_add(now)
    }
}

impl Entry {
    fn new(time: MediaTime, extent: Extent, opening: Opening) -> Self {
        Self {
            time,
            extent,
            opening,
            announced: false,
        }
    }
}
