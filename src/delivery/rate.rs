//! How fast a viewer may be sent to: an optional cap on the bytes of a second.
//!
//! A token bucket that holds one step (500 ms) of the rate, kept as the one time at which all that
//! was sent will be paid for. What is counted is what the socket took, so that a viewer who reads
//! late saves nothing up, and a run that was cut off costs only what left. It is one for the
//! whole connection: neither a seek nor a second stream begins a new one.
//!
//! In any stretch of time `t` a viewer is sent at most `rate * t` and one step of it; more only
//! where a single message is longer than half a step, for messages go out whole, or where replies
//! that they asked for go out beside the media. The pacer is asked as well, so that the cap only
//! shows where it is below what the pacer gives: in start-up bursts, and to unpaced viewers.
//!
//! Pure: the time comes in with each call. Bytes, and bytes a second.

use std::num::NonZeroU64;
use std::time::{Duration, Instant};

use super::pacer::STEP;

/// What may be owed when a run begins: half of the bucket (a step), so that a timer that comes up to
/// so late costs no throughput, and a viewer is not woken for every message.
const READY: Duration = Duration::from_millis(STEP.as_millis() as u64 / 2);

/// How much a run may hold, and when it may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Bytes at the most; a single message may have more.
    pub most: u32,
    /// Not before this time.
    pub from: Option<Instant>,
}

impl From<u32> for Quota {
    /// So many bytes, at once.
    fn from(most: u32) -> Self {
        Self { most, from: None }
    }
}

/// The cap on one viewer.
#[derive(Debug, Clone)]
pub struct Rate {
    /// Bytes a second; none: no cap.
    cap: Option<NonZeroU64>,
    /// When all that was sent is paid for.
    paid: Instant,
}

impl Rate {
    /// A full bucket of that rate.
    pub fn new(cap: Option<NonZeroU64>, now: Instant) -> Self {
        Self { cap, paid: now }
    }

    /// Takes that the socket took so many bytes.
    pub fn sent(&mut self, now: Instant, bytes: usize) {
        let Some(cap) = self.cap else { return };
        let nanos = (bytes as u128)
            .saturating_mul(NANOS)
            .div_ceil(u128::from(cap.get()));
        let cost = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        let paid = self.paid.max(now).checked_add(cost);
        self.paid = paid.unwrap_or(self.paid);
    }

    /// What a run of at most `most` bytes may be.
    pub fn quota(&self, now: Instant, most: u32) -> Quota {
        let Some(cap) = self.cap else {
            return most.into();
        };
        let owed = self.paid.saturating_duration_since(now);
        if owed > READY {
            return Quota {
                most,
                from: self.paid.checked_sub(READY),
            };
        }
        let room = STEP.saturating_sub(owed).as_nanos();
        let bytes = room.saturating_mul(u128::from(cap.get())) / NANOS;
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        most.min(bytes).into()
    }
}

const NANOS: u128 = 1_000_000_000;

#[cfg(test)]
mod tests;
