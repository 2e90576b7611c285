//! How long an origin may take, and how often it is asked again.

use std::time::Duration;

/// Times and counts of reading from an origin over a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tuning {
    /// For a connection to be made, TLS included.
    pub connect_timeout: Duration,
    /// From the request to the head of the answer.
    pub answer_timeout: Duration,
    /// Between two pieces of a body.
    pub idle_timeout: Duration,
    /// How often one read is tried in all.
    pub attempts: u32,
    /// For one read in all, tries and the pauses between them included.
    pub deadline: Duration,
    /// Whether a read that stalls is asked a second time ([`super::Hedged`]).
    pub hedge: bool,
}

impl Tuning {
    /// Default of `connect_timeout`: a round trip around the world takes 0.3 s and a lost SYN is
    /// sent again after 1 s, so that one loss is survived.
    pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
    /// Default of `answer_timeout`: S3 answers in 0.1 to 0.2 s, a busy server on spinning disks in
    /// 1 or 2; a player's buffer is about 3 s.
    pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);
    /// Default of `idle_timeout`: as `answer_timeout`.
    pub const IDLE_TIMEOUT: Duration = Duration::from_secs(3);
    /// Default of `attempts`: the second finds another server behind the same name, the third is
    /// for a restart; more would only add load to an origin that is down.
    pub const ATTEMPTS: u32 = 3;
    /// Default of `deadline`: players give up, or their viewers do, after about 10 s.
    pub const DEADLINE: Duration = Duration::from_secs(10);
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            connect_timeout: Self::CONNECT_TIMEOUT,
            answer_timeout: Self::ANSWER_TIMEOUT,
            idle_timeout: Self::IDLE_TIMEOUT,
            attempts: Self::ATTEMPTS,
            deadline: Self::DEADLINE,
            hedge: true,
        }
    }
}
