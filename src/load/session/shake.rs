//! The plain handshake (RTMP 1.0 section 5.2), and what a session says when it opens.
//!
//! The server's answer is not compared with what was sent: some fill in a time of their own, and
//! a load generator has no reason to mind.

use std::sync::Arc;

use super::SessionError;
use crate::rtmp::handshake::BLOCK;

/// The version byte of plain RTMP.
const VERSION: u8 = 3;

/// What every session of a run says first. Shared: a run has thousands of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// The application.
    pub app: Arc<str>,
    /// The URL that it says it was told to connect to.
    pub tc_url: Arc<str>,
}

/// A handshake under way.
#[derive(Debug, Clone)]
pub(super) struct Shake {
    /// S0, S1 and S2 as far as they have arrived.
    reply: Vec<u8>,
}

impl Shake {
    /// Appends C0 and C1.
    pub(super) fn begin(output: &mut Vec<u8>) -> Self {
        output.push(VERSION);
        // Time and zero, then what should be random: a pattern will do, nobody attacks this.
        output.extend_from_slice(&[0; 8]);
        output.extend((8..BLOCK).map(|at| {
            let [.., low] = at.wrapping_mul(167).to_be_bytes();
            low
        }));
        Self { reply: Vec::new() }
    }

    /// Takes what belongs to the handshake; true once C2 was appended and chunks follow.
    pub(super) fn input(
        &mut self,
        input: &mut &[u8],
        output: &mut Vec<u8>,
    ) -> Result<bool, SessionError> {
        const REPLY: usize = 1 + 2 * BLOCK;
        let missing = REPLY.saturating_sub(self.reply.len());
        let (taken, rest) = input.split_at(missing.min(input.len()));
        self.reply.extend_from_slice(taken);
        *input = rest;
        if let Some(version) = self.reply.first().filter(|first| **first != VERSION) {
            return Err(SessionError::Version(*version));
        }
        if self.reply.len() < REPLY {
            return Ok(false);
        }
        output.extend_from_slice(self.reply.get(1..=BLOCK).unwrap_or_default());
        self.reply = Vec::new();
        Ok(true)
    }
}
