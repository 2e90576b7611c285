//! One play, counted and told of from its begin to its end, whatever becomes of it.

use std::sync::Arc;

use super::{Meter, PlayEnd};
use crate::catalog::{Failure, PlayError};
use crate::delivery::session::{Happening, Item, Session, Showing};

/// A play that began. It is counted as ended once: as it was told, or as stopped when it is
/// dropped.
#[derive(Debug)]
pub struct PlayCount {
    /// `None` once it has ended.
    meter: Option<Arc<Meter>>,
    /// Once the viewer was told that it begins.
    shown: Option<(Arc<Session>, Arc<Showing>)>,
}

impl PlayCount {
    /// Counts a play that begins.
    pub fn start(meter: &Arc<Meter>) -> Self {
        meter.started.inc();
        meter.underway.inc();
        Self {
            meter: Some(Arc::clone(meter)),
            shown: None,
        }
    }

    /// Takes that the viewer is told that it begins. Nothing happens where they were told before.
    pub fn show(&mut self, session: &Arc<Session>, item: impl FnOnce() -> Arc<Item>) {
        if self.shown.is_none() {
            let showing = Showing::new(item());
            session.shows(&showing);
            self.shown = Some((Arc::clone(session), showing));
        }
    }

    /// What others see of it, once it has begun.
    pub fn shown(&self) -> Option<&Arc<Showing>> {
        self.shown.as_ref().map(|(_, showing)| showing)
    }

    /// Counts its end. Nothing happens where it has ended before: one that is sought in after its
    /// end is still the same play.
    pub fn end(&mut self, end: PlayEnd) {
        if let Some(meter) = self.meter.take() {
            meter.underway.dec();
            meter.ended(end).inc();
            if let Some((session, showing)) = &self.shown {
                session.tell(Happening::Stop(&showing.item, end.word()));
            }
        }
    }
}

impl Drop for PlayCount {
    fn drop(&mut self) {
        self.end(PlayEnd::Stopped);
        if let Some((session, showing)) = &self.shown {
            session.forgets(showing);
        }
    }
}

impl From<Failure> for PlayEnd {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::StreamNotFound => Self::NotFound,
            Failure::FileStructureInvalid => Self::InvalidFile,
            Failure::NoSupportedTrackFound => Self::NoTrack,
            Failure::Failed => Self::Failed,
        }
    }
}

impl From<&PlayError> for PlayEnd {
    fn from(error: &PlayError) -> Self {
        match error {
            PlayError::Refused(_) => Self::Refused,
            error => error.failure().into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::session::testing::{Notes, session};

    #[test]
    fn each_play_ends_once() {
        let meter = Arc::new(Meter::default());
        drop(PlayCount::start(&meter));
        let mut complete = PlayCount::start(&meter);
        assert_eq!(meter.underway.get(), 1);
        complete.end(PlayEnd::Complete);
        complete.end(PlayEnd::Failed);
        drop(complete);
        assert_eq!(meter.underway.get(), 0);
        assert_eq!(meter.started.get(), 2);
        let ends: Vec<u64> = PlayEnd::ALL
            .iter()
            .map(|end| meter.ended(*end).get())
            .collect();
        assert_eq!(ends, [1, 1, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn a_play_that_was_shown_stops_once_and_one_that_was_not_never() {
        let notes = Arc::new(Notes::default());
        let session = session(Arc::clone(&notes) as _);
        let meter = Arc::new(Meter::default());
        let said = |notes: &Notes| std::mem::take(&mut *notes.0.lock().unwrap());
        let mut count = PlayCount::start(&meter);
        count.end(PlayEnd::NotFound);
        drop(count);
        assert!(said(&notes).is_empty());
        let mut count = PlayCount::start(&meter);
        let item = || Item::new(1, "", "mp4:a.mp4", None);
        count.show(&session, item);
        count.show(&session, item);
        assert_eq!(session.showing().len(), 1);
        count.end(PlayEnd::Complete);
        count.end(PlayEnd::Failed);
        assert_eq!(session.showing().len(), 1, "it can be sought in");
        drop(count);
        assert_eq!(said(&notes), ["play a", "stop a complete"]);
        assert!(session.showing().is_empty());
        let mut count = PlayCount::start(&meter);
        count.show(&session, item);
        drop(count);
        assert_eq!(said(&notes), ["play a", "stop a stopped"]);
    }

    #[test]
    fn every_word_is_another_one() {
        fn distinct<T: Copy>(all: &[T], word: fn(T) -> &'static str) {
            let words: std::collections::BTreeSet<_> = all.iter().map(|it| word(*it)).collect();
            assert_eq!(words.len(), all.len());
        }
        distinct(PlayEnd::ALL, PlayEnd::word);
        distinct(super::super::Turned::ALL, super::super::Turned::word);
        distinct(super::super::Close::ALL, super::super::Close::word);
        distinct(super::super::Fault::ALL, super::super::Fault::word);
        let faults = super::super::SignatureFault::ALL;
        distinct(faults, super::super::SignatureFault::word);
    }
}
