//! The threads that players run on: each with a runtime, a read buffer and a tally of its own, so
//! that no player wakes another thread.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::options::Options;
use super::player::{self, Stream};
use super::random::Random;
use super::tally::Tally;
use super::zipf::Zipf;

/// What all players of a run share.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) options: Options,
    pub(super) streams: Vec<Stream>,
    pub(super) zipf: Zipf,
    /// When the first player starts.
    pub(super) began: Instant,
}

/// Threads of players.
#[derive(Debug)]
pub(super) struct Crew {
    threads: Vec<JoinHandle<()>>,
    stop: CancellationToken,
    /// Closed when the last thread has ended.
    done: mpsc::Receiver<()>,
}

impl Crew {
    /// Starts a thread for each tally.
    ///
    /// # Errors
    /// The system gives no thread or no runtime.
    pub(super) fn start(plan: &Arc<Plan>, tallies: &[Arc<Tally>]) -> io::Result<Self> {
        let (at_work, done) = mpsc::channel(1);
        let mut crew = Self {
            threads: Vec::new(),
            stop: CancellationToken::new(),
            done,
        };
        for (number, tally) in tallies.iter().enumerate() {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            let (plan, tally, stop) = (Arc::clone(plan), Arc::clone(tally), crew.stop.clone());
            let step = tallies.len();
            let at_work = at_work.clone();
            let work = move || {
                runtime.block_on(work(&plan, &tally, number, step, &stop));
                drop(at_work);
            };
            let thread = std::thread::Builder::new().name(format!("players-{number}"));
            crew.threads.push(thread.spawn(work)?);
        }
        Ok(crew)
    }

    /// Waits until all players have left.
    pub(super) async fn done(&mut self) {
        // Nobody sends: it ends when there is nobody left who could.
        self.done.recv().await;
    }

    /// Sends the players home and waits for them.
    pub(super) fn stop(mut self) {
        self.stop.cancel();
        for thread in self.threads.drain(..) {
            // A thread that panicked has said so; what it counted still stands.
            let _ = thread.join();
        }
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Starts each `step`-th player from `first` on, each at its time, and waits for all.
async fn work(
    plan: &Arc<Plan>,
    tally: &Arc<Tally>,
    first: usize,
    step: usize,
    stop: &CancellationToken,
) {
    let mut players = JoinSet::new();
    for index in (first..plan.options.players).step_by(step.max(1)) {
        let share = index as f64 / plan.options.players.max(1) as f64;
        let at = plan.began + plan.options.ramp.mul_f64(share);
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = tokio::time::sleep_until(at.into()) => {}
        }
        let (plan, tally) = (Arc::clone(plan), Arc::clone(tally));
        players.spawn(async move {
            let mut random = Random::new(plan.options.seed, index as u64);
            let choice = plan.zipf.choose(random.fraction());
            if let Some(stream) = plan.streams.get(choice) {
                player::play(&plan.options, stream, tally, random).await;
            }
        });
        while players.try_join_next().is_some() {}
    }
    tokio::select! {
        () = stop.cancelled() => {}
        () = async { while players.join_next().await.is_some() {} } => {}
    }
}
