//! Refused signatures in the log: who, with which key, and why, and never a secret.
//!
//! Whoever reaches the port can cause them, so of each cause the first is a warning, the second,
//! the fourth, the eighth and so on; the others are for those who look closely.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::http::port::Peer;
use crate::sigv4::Refusal;

/// How often each cause came about.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    unsigned: AtomicU64,
    malformed: AtomicU64,
    skew: AtomicU64,
    unknown: AtomicU64,
    mismatch: AtomicU64,
}

impl Refusals {
    /// Notes a request of `peer` with this key id, where it is known.
    pub(super) fn note(&self, peer: Option<&Peer>, key_id: &str, refusal: &Refusal) {
        let count = match refusal {
            Refusal::Missing | Refusal::Presigned => &self.unsigned,
            Refusal::Skew { .. } => &self.skew,
            Refusal::Mismatch => &self.mismatch,
            _ => &self.malformed,
        };
        say(count, peer, key_id, &refusal.to_string());
    }

    /// Notes a request with a key that does not exist.
    pub(super) fn note_unknown(&self, peer: Option<&Peer>, key_id: &str) {
        say(&self.unknown, peer, key_id, "there is no such access key");
    }
}

fn say(count: &AtomicU64, peer: Option<&Peer>, key_id: &str, cause: &str) {
    let times = count.fetch_add(1, Ordering::Relaxed).saturating_add(1);
    let peer = peer.map(|peer| tracing::field::display(peer.0));
    if times.is_power_of_two() {
        tracing::warn!(peer, key_id = ?key_id, cause, times, "a call of the API was refused");
    } else {
        tracing::debug!(peer, key_id = ?key_id, cause, times, "a call of the API was refused");
    }
}
