//! What is seen of processes from outside: time on the processors, memory, open descriptors.
//!
//! Two ways: `/proc` of processes on this machine (several are added up: nginx has a master and
//! workers), or the metrics that a server tells over HTTP in Prometheus' text form.

mod metrics;
mod process;

use serde::Serialize;

/// What one look has seen.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Seen {
    /// Processor time used so far, user and system, all threads, seconds.
    pub cpu_seconds: f64,
    /// Resident memory, bytes.
    pub rss: u64,
    /// Resident memory that no file backs, bytes; 0 where it is not told.
    pub rss_anon: u64,
    /// Open descriptors; 0 where they are not told or not counted in this look.
    pub descriptors: u64,
}

/// A server to look at.
#[derive(Debug)]
pub(super) enum Watch {
    Nothing,
    Processes(Vec<u32>),
    Metrics(String),
}

impl Watch {
    /// Looks, if there is something to look at. `None` also where it is gone or does not answer.
    /// `thorough`: counts descriptors too, which takes the system long where there are many.
    pub(super) async fn look(&self, thorough: bool) -> Option<Seen> {
        match self {
            Self::Nothing => None,
            Self::Processes(pids) => processes(pids, thorough),
            Self::Metrics(url) => metrics::fetch(url).await,
        }
    }
}

/// This process itself.
pub(super) fn ourselves() -> Seen {
    process::look("self", false).unwrap_or_default()
}

/// All of these processes together; `None` if one is gone.
fn processes(pids: &[u32], thorough: bool) -> Option<Seen> {
    pids.iter().try_fold(Seen::default(), |sum, pid| {
        let seen = process::look(&pid.to_string(), thorough)?;
        Some(Seen {
            cpu_seconds: sum.cpu_seconds + seen.cpu_seconds,
            rss: sum.rss + seen.rss,
            rss_anon: sum.rss_anon + seen.rss_anon,
            descriptors: sum.descriptors + seen.descriptors,
        })
    })
}
