//! A run from beginning to end: find the servers, look at the idle server, start the players, take
//! samples, stop, sum up.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use rustix::process::{Resource, getrlimit, setrlimit};
use tokio_util::sync::CancellationToken;

use super::crew::{Crew, Plan};
use super::options::{Options, Start};
use super::player::Stream;
use super::probe;
use super::report::{Report, Sample};
use super::session::Opening;
use super::tally::{Rare, Tally};
use super::watch::{self, Watch};
use super::zipf::Zipf;

/// How often figures are taken.
const PERIOD: Duration = Duration::from_millis(250);

/// How many samples are kept. When there are more, every other one is dropped, and from then on
/// they are taken half as often: a day fits as well as a second.
const SAMPLES_MAX: usize = 2400;

/// Every how many samples the server's descriptors are counted.
const THOROUGH: u64 = 20;

/// Descriptors of this process beside the players' sockets.
const SPARE_DESCRIPTORS: u64 = 64;

/// Why there is nothing to report.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// There is nothing to play.
    #[error("there is no stream to play")]
    NoTarget,
    /// The host has no address.
    #[error("cannot find the address of {host}: {source}")]
    Host {
        /// The host.
        host: String,
        /// Why.
        source: io::Error,
    },
    /// More players than this process may have sockets.
    #[error(
        "{players} players need more open files than this process may have ({limit}): raise `ulimit -n`"
    )]
    Descriptors {
        /// How many were asked for.
        players: usize,
        /// How many files may be open.
        limit: u64,
    },
    /// The length of a stream, which spread starts need, cannot be found.
    #[error("cannot find how long {name} is ({why}): say it with --length, or start elsewhere")]
    Length {
        /// The stream.
        name: String,
        /// What went wrong.
        why: String,
    },
    /// The server cannot be watched.
    #[error("cannot see {0}")]
    Watch(String),
    /// The system gives no threads.
    #[error("cannot start threads: {0}")]
    Threads(io::Error),
    /// Cannot happen.
    #[error("{0}")]
    Histogram(#[from] hdrhistogram::CreationError),
}

/// How a run goes.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// Since the first player started.
    pub elapsed: Duration,
    /// How long the run is to last.
    pub total: Duration,
    /// The newest figures.
    pub sample: Sample,
    /// Bytes received in a second, at the moment.
    pub rate: f64,
}

/// Runs. `observe` is told how it goes, several times a second; `stop` ends it early.
///
/// # Errors
/// It could not begin.
pub async fn run(
    options: Options,
    stop: &CancellationToken,
    mut observe: impl FnMut(&Progress),
) -> Result<Report, LoadError> {
    check_descriptors(options.players)?;
    let streams = streams(&options).await?;
    let watch = watch(&options);
    let mut samples = Samples::new(&watch).await?;
    let tallies = (0..options.threads.max(1))
        .map(|_| Tally::new().map(Arc::new))
        .collect::<Result<Vec<_>, _>>()?;
    let started = SystemTime::now();
    let plan = Arc::new(Plan {
        zipf: Zipf::new(streams.len(), options.zipf),
        streams,
        began: Instant::now(),
        options,
    });
    samples.began = plan.began;
    let mut crew = Crew::start(&plan, &tallies).map_err(LoadError::Threads)?;
    let total = plan.options.ramp + plan.options.duration;
    let mut next = plan.began;
    loop {
        next = (next + samples.period).min(plan.began + total);
        let over = tokio::select! {
            biased;
            () = stop.cancelled() => true,
            () = crew.done() => true,
            () = tokio::time::sleep_until(next.into()) => plan.began.elapsed() >= total,
        };
        let progress = samples.take(&watch, &tallies, total, over).await;
        observe(&progress);
        if over {
            break;
        }
    }
    crew.stop();
    let mut rare = Rare::new()?;
    tallies.iter().for_each(|tally| rare.add(&tally.rare()));
    let interrupted = stop.is_cancelled();
    Ok(Report::new(
        &plan.options,
        started,
        interrupted,
        &tallies,
        &rare,
        samples.list,
    ))
}

/// The samples of a run.
struct Samples {
    list: Vec<Sample>,
    period: Duration,
    began: Instant,
    taken: u64,
}

impl Samples {
    /// With a look at the server before anybody plays.
    async fn new(watch: &Watch) -> Result<Self, LoadError> {
        let server = watch.look(true).await;
        if server.is_none() {
            match watch {
                Watch::Nothing => {}
                Watch::Processes(pids) => {
                    return Err(LoadError::Watch(format!("process {pids:?}")));
                }
                Watch::Metrics(url) => return Err(LoadError::Watch(format!("metrics at {url}"))),
            }
        }
        let first = Sample {
            server,
            tool_cpu_seconds: watch::ourselves().cpu_seconds,
            ..Sample::default()
        };
        Ok(Self {
            list: vec![first],
            period: PERIOD,
            began: Instant::now(),
            taken: 0,
        })
    }

    async fn take(
        &mut self,
        watch: &Watch,
        tallies: &[Arc<Tally>],
        total: Duration,
        last: bool,
    ) -> Progress {
        self.taken += 1;
        let thorough = last || self.taken.is_multiple_of(THOROUGH);
        let before = self.list.last().copied().unwrap_or_default();
        let server = watch.look(thorough).await;
        let elapsed = self.began.elapsed();
        let mut sample = Sample {
            at: elapsed.as_secs_f64(),
            tool_cpu_seconds: watch::ourselves().cpu_seconds,
            server,
            ..Sample::of(tallies)
        };
        if let (Some(seen), Some(old)) = (&mut sample.server, before.server)
            && seen.descriptors == 0
        {
            seen.descriptors = old.descriptors;
        }
        self.keep(sample);
        let bytes = sample.wire_bytes.saturating_sub(before.wire_bytes);
        Progress {
            elapsed,
            total,
            sample,
            rate: bytes as f64 / (sample.at - before.at).max(1e-3),
        }
    }

    fn keep(&mut self, sample: Sample) {
        if self.list.len() >= SAMPLES_MAX {
            let mut number = 0;
            self.list.retain(|_| {
                number += 1;
                number % 2 == 1
            });
            self.period *= 2;
        }
        self.list.push(sample);
    }
}

/// Raises the number of files that this process may open, where it must.
fn check_descriptors(players: usize) -> Result<(), LoadError> {
    let needed = players as u64 + SPARE_DESCRIPTORS;
    let mut limit = getrlimit(Resource::Nofile);
    let enough = |limit: Option<u64>| limit.is_none_or(|limit| limit >= needed);
    if enough(limit.current) {
        return Ok(());
    }
    limit.current = limit.maximum;
    let raised = setrlimit(Resource::Nofile, limit).is_ok();
    if raised && enough(limit.current) {
        return Ok(());
    }
    let limit = limit.maximum.unwrap_or(u64::MAX);
    Err(LoadError::Descriptors { players, limit })
}

fn watch(options: &Options) -> Watch {
    match &options.metrics {
        _ if !options.pids.is_empty() => Watch::Processes(options.pids.clone()),
        Some(url) => Watch::Metrics(url.clone()),
        None => Watch::Nothing,
    }
}

/// The streams with what must be known of them.
async fn streams(options: &Options) -> Result<Vec<Stream>, LoadError> {
    let mut streams = Vec::new();
    for target in &options.targets {
        let address = address(&target.host, target.port).await?;
        let tc_url = options.tc_url.clone().unwrap_or_else(|| target.tc_url());
        let mut stream = Stream {
            address,
            opening: Opening {
                app: target.app.as_str().into(),
                tc_url: tc_url.into(),
            },
            name: target.name.as_str().into(),
            length: options.length,
        };
        if stream.length.is_none() && options.start == Start::Spread {
            let length = probe::length(&stream, options.timeout).await;
            let name = target.name.clone();
            stream.length = Some(length.map_err(|why| LoadError::Length { name, why })?);
        }
        streams.push(stream);
    }
    if streams.is_empty() {
        return Err(LoadError::NoTarget);
    }
    Ok(streams)
}

async fn address(host: &str, port: u16) -> Result<SocketAddr, LoadError> {
    let found = tokio::net::lookup_host((host, port)).await;
    let failed = |source| LoadError::Host {
        host: host.to_owned(),
        source,
    };
    let mut addresses = found.map_err(failed)?;
    let none = || failed(io::ErrorKind::NotFound.into());
    addresses.next().ok_or_else(none)
}
