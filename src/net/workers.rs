//! The threads that deliver: each has a runtime of its own, and a connection stays on its thread.
//!
//! Delivery is many short wake-ups, each a system call or two. In a runtime whose threads take
//! work from each other, most of those wake-ups wake a second thread too (measured: more futex
//! calls than sends); a thread on its own sleeps in epoll and nowhere else, and its timers, its
//! run queue and its sockets are locked by nobody else. Work that waits for an origin or computes
//! for long runs on the runtime that started the server, not here.

use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use tokio::runtime::{Builder, Handle};
use tokio_util::sync::CancellationToken;

/// The threads that connections are spread over.
#[derive(Debug)]
pub struct Workers {
    workers: Vec<Worker>,
    stop: CancellationToken,
}

#[derive(Debug)]
struct Worker {
    handle: Handle,
    connections: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

/// A connection's place on a worker, until it is dropped.
#[derive(Debug)]
pub struct Assigned(Arc<AtomicUsize>);

impl Drop for Assigned {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Workers {
    /// Starts so many threads; as many as the machine has cores where none are asked for.
    ///
    /// # Errors
    /// The system gives no more threads or descriptors.
    pub fn start(count: Option<NonZeroUsize>) -> io::Result<Self> {
        let cores = || thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let stop = CancellationToken::new();
        let workers = (0..count.unwrap_or_else(cores).get())
            .map(|number| Worker::start(number, stop.clone()))
            .collect::<io::Result<_>>()?;
        Ok(Self { workers, stop })
    }

    /// The worker with the fewest connections, and a place on it for one more.
    pub fn assign(&self) -> Option<(&Handle, Assigned)> {
        let load = |worker: &&Worker| worker.connections.load(Ordering::Relaxed);
        let worker = self.workers.iter().min_by_key(load)?;
        worker.connections.fetch_add(1, Ordering::Relaxed);
        Some((&worker.handle, Assigned(Arc::clone(&worker.connections))))
    }
}

impl Worker {
    fn start(number: usize, stop: CancellationToken) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let thread = thread::Builder::new()
            .name(format!("deliver-{number}"))
            .spawn(move || runtime.block_on(stop.cancelled()))?;
        Ok(Self {
            handle,
            connections: Arc::new(AtomicUsize::new(0)),
            thread: Some(thread),
        })
    }
}

impl Drop for Workers {
    /// Ends the threads, and with them what still runs there. Waits for them, but for this one: the
    /// last that holds the workers may be a connection of theirs.
    fn drop(&mut self) {
        self.stop.cancel();
        let this = thread::current().id();
        for thread in self
            .workers
            .iter_mut()
            .filter_map(|worker| worker.thread.take())
            .filter(|thread| thread.thread().id() != this)
        {
            // One that panicked has said so.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_spread_evenly_and_leave_room_behind() {
        let workers = Workers::start(NonZeroUsize::new(3)).unwrap();
        let mut assigned: Vec<_> = (0..9).map(|_| workers.assign().unwrap().1).collect();
        let loads = |workers: &Workers| -> Vec<usize> {
            let of = |worker: &Worker| worker.connections.load(Ordering::Relaxed);
            workers.workers.iter().map(of).collect()
        };
        assert_eq!(loads(&workers), [3, 3, 3]);
        assigned.truncate(4);
        assert_eq!(loads(&workers), [2, 1, 1]);
        assigned.extend((0..2).map(|_| workers.assign().unwrap().1));
        assert_eq!(loads(&workers), [2, 2, 2]);
    }

    #[test]
    fn a_connection_may_be_the_last_to_hold_them() {
        let workers = Arc::new(Workers::start(NonZeroUsize::new(2)).unwrap());
        let (said, hears) = std::sync::mpsc::channel();
        let (go, gone) = tokio::sync::oneshot::channel();
        let held = Arc::clone(&workers);
        let (handle, _assigned) = workers.assign().unwrap();
        let handle = handle.clone();
        handle.spawn(async move {
            let _ = gone.await;
            drop(held);
            let _ = said.send(());
        });
        drop(workers);
        go.send(()).unwrap();
        assert_eq!(hears.recv(), Ok(()), "it ended without a panic");
    }

    #[test]
    fn what_is_spawned_runs_on_its_own_thread() {
        let workers = Workers::start(NonZeroUsize::new(1)).unwrap();
        let (said, hears) = std::sync::mpsc::channel();
        let (handle, _assigned) = workers.assign().unwrap();
        handle.spawn(async move {
            let _ = said.send(thread::current().name().map(str::to_owned));
        });
        assert_eq!(hears.recv().unwrap().as_deref(), Some("deliver-0"));
    }
}
