//! The task that makes all changes: takes what waits, lets each rule see the draft, writes what
//! changed as one batch, shows the new state, answers.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::{Notify, mpsc, oneshot, watch};

use super::draft::{Draft, Verdict};
use super::{RegistryError, State};
use crate::store::{Change, Store, StoreError};

/// Requests that wait for the writer; further ones wait for a place. Each holds one document, which
/// the API bounds.
const WAITING: usize = 256;

/// Requests that share a flush. The API's clients come one by one; a fleet's scripts do not.
const BATCH: usize = 64;

/// How requests reach the writer.
pub(super) type Mail = mpsc::Sender<Request>;

/// A rule, and behind it the one who waits.
pub(super) struct Request(Box<dyn FnOnce(&Draft) -> Planned + Send>);

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Request")
    }
}

/// What comes of a request if the batch is kept.
struct Planned {
    change: Option<Change>,
    answer: Box<dyn FnOnce(Result<(), StoreError>) + Send>,
}

/// Which versions are served, told and not yet noted. Holds one entry for each id that somebody
/// deployed since the writer looked.
#[derive(Debug, Default)]
pub(super) struct Deployments {
    told: Mutex<HashMap<String, String>>,
    news: Notify,
}

impl Deployments {
    pub(super) fn tell(&self, id: &str, etag: &str) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.insert(id.to_owned(), etag.to_owned());
        drop(told);
        self.news.notify_one();
    }

    fn take(&self) -> HashMap<String, String> {
        std::mem::take(&mut self.told.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Asks the writer, and waits for its answer.
pub(super) async fn ask<T: Send + 'static>(
    mail: &Mail,
    rule: impl FnOnce(&Draft) -> Verdict<T> + Send + 'static,
) -> Result<T, RegistryError> {
    let (answer, answered) = oneshot::channel();
    let request = Request(Box::new(move |draft| {
        let (outcome, change) = match rule(draft) {
            Ok((value, change)) => (Ok(value), change),
            Err(error) => (Err(error), None),
        };
        Planned {
            change,
            // A refusal too may rest on what the batch was to change.
            answer: Box::new(move |kept| {
                let _ = answer.send(kept.map_err(RegistryError::Store).and(outcome));
            }),
        }
    }));
    let lost = || StoreError::Unavailable("the server stopped, or failed, at this change".into());
    mail.send(request).await.map_err(|_| lost())?;
    answered.await.map_err(|_| lost())?
}

/// Starts the writer. It ends when nobody can ask any more.
pub(super) fn start(
    draft: Draft,
    store: Arc<dyn Store>,
    deployments: Arc<Deployments>,
) -> (Mail, watch::Receiver<Arc<State>>) {
    let (mail, requests) = mpsc::channel(WAITING);
    let (states, watched) = watch::channel(draft.shown());
    let writer = Writer {
        draft,
        store,
        deployments,
        states,
    };
    tokio::spawn(writer.run(requests));
    (mail, watched)
}

struct Writer {
    draft: Draft,
    store: Arc<dyn Store>,
    deployments: Arc<Deployments>,
    states: watch::Sender<Arc<State>>,
}

impl Writer {
    async fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        let deployments = Arc::clone(&self.deployments);
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            tokio::select! {
                taken = requests.recv_many(&mut batch, BATCH) => {
                    if taken == 0 {
                        return;
                    }
                }
                () = deployments.news.notified() => {}
            }
            // First: who told of a deployment and then asks finds it done.
            if self.draft.deploy(deployments.take()) {
                self.show();
            }
            self.make(batch.drain(..)).await;
        }
    }

    async fn make(&mut self, batch: impl Iterator<Item = Request> + Send) {
        self.draft.now = now();
        let mut changes = Vec::new();
        let mut answers = Vec::new();
        for Request(rule) in batch {
            // A rule cannot change the draft, so one that panics takes only its own request along.
            let Ok(planned) = catch_unwind(AssertUnwindSafe(|| rule(&self.draft))) else {
                tracing::error!("a rule of the registry panicked; its request is refused");
                continue;
            };
            if let Some(change) = planned.change {
                self.draft.apply(&change);
                changes.push(change);
            }
            answers.push(planned.answer);
        }
        let kept = self.keep(changes).await;
        for answer in answers {
            answer(kept.clone());
        }
    }

    /// Writes, then shows; or else forgets.
    async fn keep(&mut self, changes: Vec<Change>) -> Result<(), StoreError> {
        if changes.is_empty() {
            return Ok(());
        }
        let kept = self.store.commit(changes).await;
        match &kept {
            Ok(()) => self.show(),
            Err(error) => {
                tracing::error!(%error, "changes of distributions could not be kept");
                let shown = Arc::clone(&self.states.borrow());
                self.draft.reset(shown);
            }
        }
        kept
    }

    fn show(&self) {
        self.states.send_replace(self.draft.shown());
    }
}

/// Milliseconds since 1970; 0 where the clock stands before that.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}
