//! What a viewer asks of a connection, and which of its streams it is for.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::FutureExt;
use tracing::{debug, info};

use super::{Arriving, Connection, DISABLED, Length, MAX_LENGTHS};
use crate::catalog::name::without_query;
use crate::delivery::job::{self, Slot};
use crate::delivery::rate::Rate;
use crate::delivery::reply;
use crate::delivery::session::{Facts, Happening, Item};
use crate::delivery::stream::{Context, Stream};
use crate::delivery::viewer::Viewer;
use crate::net::seats::Place;
use crate::net::site;
use crate::rtmp::command::Connect;
use crate::rtmp::server::Event;
use crate::rtmp::status::Rejection;
use crate::units::MediaTime;

impl Connection<'_> {
    pub(super) fn event(&mut self, event: Event) {
        match event {
            Event::KeyAgreement(agreement) => self.agree(agreement),
            Event::Connect(connect) => self.connect(&connect),
            Event::StreamLength { transaction, name } => self.stream_length(transaction, name),
            Event::Play { stream, play, .. } => {
                debug!(stream, name = without_query(&play.name), "play");
                if self.may_play(stream, &play.name) {
                    self.with_stream(stream, |stream, cx| stream.play(cx, play));
                }
            }
            Event::Play2 { stream, play, .. } => {
                debug!(stream, name = without_query(&play.stream_name), "play2");
                if self.may_play(stream, &play.stream_name) {
                    self.with_stream(stream, |stream, cx| stream.play2(cx, play));
                }
            }
            Event::Pause {
                stream,
                pause,
                time,
                ..
            } => self.with_stream(stream, |stream, cx| stream.pause(cx, pause, time)),
            Event::Seek { stream, time } => {
                self.with_stream(stream, |stream, cx| stream.seek(cx, time));
            }
            Event::ReceiveAudio { stream, on } => {
                self.with_stream(stream, |stream, cx| stream.receive_audio(cx, on));
            }
            Event::ReceiveVideo { stream, on } => {
                self.with_stream(stream, |stream, cx| stream.receive_video(cx, on));
            }
            Event::BufferLength { stream, millis } => self.set_buffer(stream, millis),
            Event::CloseStream { stream } => {
                self.with_stream(stream, |stream, cx| stream.close(cx));
            }
            Event::DeleteStream { stream } => {
                self.with_stream(stream, |stream, cx| stream.close(cx));
                if let Some(mut stream) = self.streams.remove(stream) {
                    let jobs = stream.jobs().into_iter().filter_map(Slot::take);
                    self.leftovers.extend(jobs);
                }
            }
            Event::Publish { stream, name } => {
                info!(
                    stream,
                    name = without_query(&name),
                    "publishing was refused"
                );
            }
        }
    }

    fn connect(&mut self, connect: &Connect) {
        let refusal = self.account.refusal.map_or(Ok(()), Err);
        let encrypted = self.server.is_encrypted();
        let facts = Facts {
            protocol: self.door.scheme(encrypted),
            ..Facts::new(self.id, self.peer, connect)
        };
        let (routes, shared) = (&self.shared.routes, self.shared);
        let admit = |()| routes.admit(connect, encrypted, &shared.meter, &facts, &shared.observer);
        match refusal.and_then(admit) {
            Ok((viewer, place)) => {
                info!(
                    distribution = %viewer.distribution.id(),
                    app = connect.app(),
                    tc_url = connect.tc_url(),
                    page_url = connect.page_url(),
                    swf_url = connect.swf_url(),
                    flash_ver = connect.flash_ver(),
                    "connect"
                );
                let enforced = routes.enforce_crossdomain;
                match enforced.then(|| site::check(&viewer, connect)).flatten() {
                    None => self.let_in(viewer, place),
                    Some(check) => {
                        self.arriving = Some(Arriving {
                            viewer,
                            place,
                            check,
                        });
                    }
                }
            }
            Err(rejection) => {
                let (app, tc_url) = (connect.app(), connect.tc_url());
                info!(app, tc_url, word = rejection.word(), "connect was refused");
                self.turn_away(rejection, facts);
            }
        }
    }

    /// Takes what the check of an arriving viewer came to.
    pub(super) fn checked(&mut self, checked: Result<(), Rejection>) {
        let Some(Arriving { viewer, place, .. }) = self.arriving.take() else {
            return;
        };
        match checked {
            Ok(()) => self.let_in(viewer, place),
            Err(rejection) => {
                info!(word = rejection.word(), "connect was refused");
                self.turn_away(rejection, Facts::clone(&viewer.session.facts));
            }
        }
    }

    fn let_in(&mut self, viewer: Viewer, place: Place) {
        let rate = Rate::new(viewer.distribution.terms().max_rate, Instant::now());
        let listed = self.shared.sessions.list(&viewer.session);
        self.account.admitted(rate, place, listed);
        self.viewer = Some(Arc::new(viewer));
        self.server.accept_connect();
    }

    fn turn_away(&mut self, rejection: Rejection, facts: Facts) {
        self.shared.observer.turned_away(facts, rejection.word());
        self.account.turned_away(rejection);
        self.server.reject_connect(rejection);
        self.rejected = Some(rejection.word());
    }

    /// Whether a new play may begin; tells the viewer where not.
    fn may_play(&mut self, stream: u32, name: &str) -> bool {
        let viewer = self.viewer.as_ref();
        let reason = if self.shared.stages.is_draining() {
            "the server is stopping"
        } else if viewer.is_some_and(|viewer| !viewer.distribution.terms().enabled)
            || self.leaving.is_some()
        {
            DISABLED
        } else {
            return true;
        };
        self.shared.meter.play_refused();
        reply::refused(&mut self.server, stream, name, reason);
        if let Some(viewer) = viewer {
            let item = Item::new(stream, &viewer.app_rest, name, None);
            viewer.session.tell(Happening::Refused(&item, reason));
        }
        false
    }

    /// Calls a command of a stream. A stream comes into being with its first command; the protocol
    /// core has seen to it that it was created.
    pub(super) fn with_stream(
        &mut self,
        id: u32,
        command: impl FnOnce(&mut Stream, &mut Context<'_>),
    ) {
        let Some(viewer) = &self.viewer else { return };
        let buffer = self.buffer;
        let stream = self.streams.get_or_insert(id, || Stream::new(id, buffer));
        let mut cx = Context {
            viewer,
            server: &mut self.server,
            sender: &mut self.sender,
            rate: &self.account.rate,
            now: Instant::now(),
        };
        command(stream, &mut cx);
    }

    fn set_buffer(&mut self, stream: u32, millis: u32) {
        let buffer = Duration::from_millis(u64::from(millis));
        if stream == 0 {
            self.buffer = buffer;
        } else {
            self.with_stream(stream, |stream, _| stream.set_buffer(buffer));
        }
    }

    fn stream_length(&mut self, transaction: f64, name: String) {
        let Some(viewer) = self.viewer.clone() else {
            return;
        };
        if self.lengths.len() >= MAX_LENGTHS {
            self.tell_length_refused(&name, "too many lengths are asked for at once");
            self.server.stream_length(transaction, None);
            return;
        }
        let opening = job::opened(viewer, name.clone()).map(move |opened| Length {
            transaction,
            name,
            opened,
        });
        self.lengths.push(opening.boxed());
    }

    pub(super) fn answer_length(&mut self, length: Length) {
        let duration = match &length.opened {
            Ok(opened) => opened.object.info().duration,
            Err(error) => {
                self.tell_length_refused(&length.name, &error.to_string());
                None
            }
        };
        let seconds = duration.map(MediaTime::seconds);
        self.server.stream_length(length.transaction, seconds);
    }

    fn tell_length_refused(&self, name: &str, reason: &str) {
        let Some(viewer) = &self.viewer else { return };
        let item = Item::new(0, &viewer.app_rest, name, None);
        let refused = Happening::LengthRefused(&item, reason);
        viewer.session.tell(refused);
    }
}
