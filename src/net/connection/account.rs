//! What one connection was served, and on what terms: its counts, its rate, its place.
//!
//! What it sent is added up here and counted for all at most once a wake-up, and the rest when the
//! connection is gone, however it went.

use std::sync::Arc;
use std::time::Instant;

use super::Connection;
use super::end::End;
use crate::delivery::meter::{Close, Fault, Meter, Turned};
use crate::delivery::rate::Rate;
use crate::delivery::session::Happening;
use crate::delivery::stream::Stream;
use crate::net::seats::Place;
use crate::net::sessions::Listed;
use crate::rtmp::server::Violation;
use crate::rtmp::status::Rejection;

/// The account of one connection.
#[derive(Debug)]
pub(super) struct Account {
    meter: Arc<Meter>,
    /// How fast it may be sent to.
    pub(super) rate: Rate,
    /// Why it is to be refused at connect, if that was known before.
    pub(super) refusal: Option<Rejection>,
    /// Its place at the distribution.
    place: Option<Place>,
    /// What others see of it, once the viewer was let in.
    listed: Option<Listed>,
    /// Bytes that it was sent in all.
    total: u64,
    /// Bytes that are not counted yet.
    media: u64,
    control: u64,
    /// Message streams that are counted.
    streams: usize,
    /// Since when the socket has taken nothing though media is due.
    blocked: Option<Instant>,
    close: Close,
}

impl Account {
    pub(super) fn new(meter: &Arc<Meter>, refusal: Option<Rejection>, now: Instant) -> Self {
        Self {
            meter: Arc::clone(meter),
            rate: Rate::new(None, now),
            refusal,
            place: None,
            listed: None,
            total: 0,
            media: 0,
            control: 0,
            streams: 0,
            blocked: None,
            close: Close::Other,
        }
    }

    /// Takes that the viewer was let in, on these terms.
    pub(super) fn admitted(&mut self, rate: Rate, place: Place, listed: Listed) {
        self.rate = rate;
        self.place = Some(place);
        listed.session.set_bytes(self.total);
        listed.session.tell(Happening::Connect);
        self.listed = Some(listed);
    }

    fn sent(&mut self, bytes: usize) {
        self.total += bytes as u64;
        if let Some(listed) = &self.listed {
            listed.session.set_bytes(self.total);
        }
    }

    /// Takes that the viewer was turned away.
    pub(super) fn turned_away(&self, rejection: Rejection) {
        let reason = match rejection {
            Rejection::Full => Turned::Full,
            Rejection::AddressFull => Turned::AddressFull,
            Rejection::DistributionFull => Turned::DistributionFull,
            Rejection::DistributionNotFound => Turned::DistributionNotFound,
            Rejection::DistributionTypeMismatch => Turned::DistributionType,
            Rejection::InvalidInstance | Rejection::InvalidUri | Rejection::InvalidApp => {
                Turned::Application
            }
            Rejection::EncryptionDenied => Turned::Encryption,
            Rejection::SiteDenied | Rejection::SiteUnknown => Turned::CrossDomain,
        };
        self.meter.turned(reason).inc();
    }

    /// Takes that the socket took nothing, of media or something else.
    pub(super) fn blocked(&mut self, media: bool, now: Instant) {
        if media {
            self.blocked.get_or_insert(now);
        }
    }

    /// Takes why the connection ends.
    pub(super) fn ends(&mut self, end: &End) {
        self.close = match end {
            End::Closed => Close::Viewer,
            End::Broken(_) => Close::Broken,
            End::Violation(violation) => {
                self.meter.fault(fault(violation)).inc();
                Close::Violation
            }
            End::Rejected(_) => Close::Rejected,
            End::NoConnect(_) => Close::NoConnect,
            End::TooOften => Close::Rejected,
            End::Idle(_) => Close::Idle,
            End::Stalled(_) => Close::Stalled,
            End::Disabled => Close::Disabled,
            End::Ended => Close::Ended,
            End::Drained => Close::Drained,
            End::Stopping => Close::Stopping,
            End::NoKeys => Close::Other,
        };
    }

    fn settle(&mut self, streams: usize) {
        let add = |counter: &prometheus_client::metrics::counter::Counter, bytes: &mut u64| {
            if *bytes > 0 {
                counter.inc_by(std::mem::take(bytes));
            }
        };
        add(&self.meter.media_bytes, &mut self.media);
        add(&self.meter.control_bytes, &mut self.control);
        if streams != self.streams {
            let count = |streams| i64::try_from(streams).unwrap_or(i64::MAX);
            let more = count(streams).saturating_sub(count(self.streams));
            self.meter.streams.inc_by(more);
            self.streams = streams;
        }
    }

    fn unblocked(&mut self, now: Instant) {
        if let Some(since) = self.blocked.take() {
            let seconds = now.saturating_duration_since(since).as_secs_f64();
            self.meter.blocked.inc_by(seconds);
        }
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.unblocked(Instant::now());
        self.settle(0);
        self.meter.closed(self.close).inc();
        // The streams of the connection are gone by now, and have told of their ends.
        if let Some(listed) = self.listed.take() {
            let why = Happening::Disconnect(self.close.word());
            listed.session.tell(why);
        }
    }
}

impl Connection<'_> {
    /// Takes that the socket took so many bytes of what is to be sent next, before the sender is
    /// told of them.
    pub(super) fn took(&mut self, media: bool, bytes: usize, now: Instant) {
        self.account.rate.sent(now, bytes);
        self.account.unblocked(now);
        self.account.sent(bytes);
        if !media {
            self.account.control += bytes as u64;
            return;
        }
        self.account.media += bytes as u64;
        let stream = self.sender.stream().and_then(|id| self.streams.get_mut(id));
        if let Some(stream) = stream {
            stream.media_taken(&self.account.meter);
        }
    }

    /// Counts what was sent since the last wake-up.
    pub(super) fn settle(&mut self) {
        self.account.settle(self.streams.len());
        self.streams.iter().for_each(Stream::show);
    }
}

fn fault(violation: &Violation) -> Fault {
    match violation {
        Violation::Handshake(_) => Fault::Handshake,
        Violation::Chunk(_) => Fault::Chunk,
        Violation::Call { .. } => Fault::Command,
        Violation::Malformed { .. } => Fault::Message,
        Violation::BytesBeforeConnect { .. } | Violation::TooManyStreams { .. } => Fault::Limit,
        Violation::BeforeConnect { .. } | Violation::ConnectTwice { .. } => Fault::Order,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_connection_that_is_gone_has_counted_all_it_was_sent() {
        let meter = Arc::new(Meter::default());
        let now = Instant::now();
        let mut account = Account::new(&meter, None, now);
        account.media = 5;
        account.control = 3;
        account.settle(2);
        assert_eq!(meter.streams.get(), 2);
        account.media = 7;
        account.blocked(false, now);
        assert_eq!(account.blocked, None, "no media was due");
        account.blocked(true, now);
        account.blocked(true, now + Duration::from_secs(1));
        account.unblocked(now + Duration::from_secs(2));
        account.ends(&End::Stalled(Duration::from_secs(1)));
        drop(account);
        assert_eq!(
            (meter.media_bytes.get(), meter.control_bytes.get()),
            (12, 3)
        );
        assert_eq!(meter.streams.get(), 0);
        assert_eq!(meter.blocked.get(), 2.0);
        assert_eq!(meter.closed(Close::Stalled).get(), 1);
    }

    #[test]
    fn faults_are_counted_by_kind() {
        let meter = Arc::new(Meter::default());
        let violations = [
            (Violation::BeforeConnect { at: 1 }, Fault::Order),
            (Violation::BytesBeforeConnect { limit: 1 }, Fault::Limit),
            (Violation::Malformed { type_id: 1, at: 1 }, Fault::Message),
        ];
        for (violation, fault) in violations {
            let mut account = Account::new(&meter, None, Instant::now());
            account.ends(&End::Violation(violation));
            assert_eq!(meter.fault(fault).get(), 1, "{fault:?}");
        }
        assert_eq!(meter.closed(Close::Violation).get(), 3);
    }
}
