//! One play, counted from its begin to its end, whatever becomes of it.

use std::sync::Arc;

use super::{Meter, PlayEnd};
use crate::catalog::{Failure, PlayError};

/// A play that began. It is counted as ended once: as it was told, or as stopped when it is dropped.
#[derive(Debug)]
pub struct PlayCount {
    /// `None` once it has ended.
    meter: Option<Arc<Meter>>,
}

impl PlayCount {
    /// Counts a play that begins.
    pub fn start(meter: &Arc<Meter>) -> Self {
        meter.started.inc();
        meter.underway.inc();
        Self {
            meter: Some(Arc::clone(meter)),
        }
    }

    /// Counts its end. Nothing happens where it has ended before: one that is sought in after its
    /// end is still the same play.
    pub fn end(&mut self, end: PlayEnd) {
        if let Some(meter) = self.meter.take() {
            meter.underway.dec();
            meter.ended(end).inc();
        }
    }
}

impl Drop for PlayCount {
    fn drop(&mut self) {
        self.end(PlayEnd::Stopped);
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
