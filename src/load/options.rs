//! What a run is asked to do.

use std::time::Duration;

use super::Target;

/// A run of many players.
#[derive(Debug, Clone)]
pub struct Options {
    /// What they play; at least one.
    pub targets: Vec<Target>,
    /// The s of Zipf's law by which a player chooses among the targets; 0: all alike.
    pub zipf: f64,
    /// What players say in `connect` that they were told to connect to, instead of the address.
    pub tc_url: Option<String>,
    /// How many players.
    pub players: usize,
    /// Over how long a time they start, one after another.
    pub ramp: Duration,
    /// How long they play once all have started.
    pub duration: Duration,
    /// The client buffer that they announce, milliseconds.
    pub buffer: u32,
    /// Where they start.
    pub start: Start,
    /// Length of the streams, milliseconds, where it is known; else it is asked for.
    pub length: Option<u64>,
    /// How often each player seeks.
    pub seek_every: Option<Duration>,
    /// How often each player pauses.
    pub pause_every: Option<Duration>,
    /// How long it then pauses.
    pub pause_for: Duration,
    /// Whether a player that has seen the end plays again.
    pub repeat: bool,
    /// How long an answer may take: to connect, to the first media, to a seek.
    pub timeout: Duration,
    /// Threads that players run on.
    pub threads: usize,
    /// The processes of the server, if they run on this machine.
    pub pids: Vec<u32>,
    /// Where the server tells its metrics, `http://HOST:PORT/PATH`.
    pub metrics: Option<String>,
    /// What choices are made from: the same seed, the same choices.
    pub seed: u64,
}

/// Where players start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// Anywhere, each elsewhere.
    Spread,
    /// At this time, milliseconds.
    At(u64),
}

impl Options {
    /// A client buffer from which on servers send as fast as they can, milliseconds: ten hours.
    pub const UNPACED: u32 = 36_000_000;

    /// Whether players ask for media as fast as it comes.
    pub const fn is_unpaced(&self) -> bool {
        self.buffer >= Self::UNPACED
    }
}
