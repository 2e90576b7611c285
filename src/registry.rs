//! What there is: streaming distributions, origin access identities, public keys, key groups and
//! tags, and the rules by which they change.
//!
//! Everything is in memory ([`State`], which readers get as it is at one moment) and in the store.
//! One task makes all changes, in the order in which they come: it works on a copy of the state,
//! writes what changed as one batch (however many requests waited), and shows the copy when the
//! store has it. So what was answered is on the disk, and nobody sees what is not. The copy is of
//! maps to shared records, one a batch: for ten thousand distributions a millisecond at the most,
//! less than a flush of most disks (`benches/micro/registry.rs`).
//!
//! A rule (`streaming`, `identity`, `public_key`, `key_group`, `tagging`) looks at the writer's
//! draft and says what changes; it changes nothing itself. So a rule that fails leaves nothing half
//! done, and the next one in the batch sees what those before it changed. Rules: cloudfront.md,
//! sections 5.4 to 5.6 and 6.
//!
//! Whether this edge serves the newest version of a distribution is told by whoever deploys it
//! ([`Registry::deployed`]), and is not kept: after a start it deploys everything anew.

// Rules must not panic: the writer would lose what it holds.
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation
    )
)]

mod calls;
mod claim;
mod draft;
mod error;
mod head;
mod identity;
mod key_group;
mod limits;
mod names;
mod public_key;
mod rules;
mod state;
mod streaming;
mod tagging;
mod writer;

use std::sync::Arc;

use tokio::sync::watch;

pub use error::RegistryError;
pub use rules::{Quotas, Rules};
pub use state::{FixedKeys, Page, State, Status};

use crate::distribution::AccountId;
use crate::distribution::record::StreamingRecord;
use crate::store::{Store, StoreError};
use draft::{Draft, Verdict};
use writer::{Deployments, Mail};

/// What a second create with a known caller reference means: it differs between versions of the API
/// (cloudfront.md, section 5.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// The same settings: what is there is answered; other settings: an error.
    Answered,
    /// An error.
    Refused,
}

/// Who changes something, and in which version of the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    /// Whose account.
    pub account: AccountId,
    /// The version, `2020-05-31`.
    pub version: String,
}

/// What the configuration file has. It is shown beside what is stored, and nobody can change it.
#[derive(Debug, Default)]
pub struct Fixed {
    /// Its streaming distributions.
    pub distributions: Vec<StreamingRecord>,
    /// Ids of its public keys, by the account that they belong to.
    pub keys: FixedKeys,
}

/// All that there is, and how it changes. Cheap to clone; the task that writes ends with the last
/// clone.
#[derive(Debug, Clone)]
pub struct Registry {
    mail: Mail,
    states: watch::Receiver<Arc<State>>,
    deployments: Arc<Deployments>,
}

impl Registry {
    /// Loads what the store has, puts what is `fixed` by the configuration file beside it, and
    /// starts the writer on the current tokio runtime.
    ///
    /// # Errors
    /// The store's; and [`StoreError::Damaged`] where an id stands in both.
    pub async fn open(
        store: Arc<dyn Store>,
        fixed: Fixed,
        rules: Rules,
    ) -> Result<Self, StoreError> {
        let mut draft = Draft::new(rules, fixed.keys);
        for record in store.load().await? {
            draft.put(record);
        }
        for record in fixed.distributions {
            draft.put_fixed(record)?;
        }
        let deployments = Arc::new(Deployments::default());
        let (mail, states) = writer::start(draft, store, Arc::clone(&deployments));
        Ok(Self {
            mail,
            states,
            deployments,
        })
    }

    /// What there is now.
    pub fn state(&self) -> Arc<State> {
        Arc::clone(&self.states.borrow())
    }

    /// Told of each new state. Whoever deploys waits here.
    pub fn watch(&self) -> watch::Receiver<Arc<State>> {
        self.states.clone()
    }

    /// This edge serves distribution `id` as it was in version `etag`: the status becomes Deployed
    /// if that is still the newest. It shows in the state soon after, and before any later change.
    pub fn deployed(&self, id: &str, etag: &str) {
        self.deployments.tell(id, etag);
    }

    /// Puts `rule` before the writer and waits. Dropped before the writer took it, nothing happens;
    /// after that the change is made whether anybody waits or not.
    async fn change<T: Send + 'static>(
        &self,
        rule: impl FnOnce(&Draft) -> Verdict<T> + Send + 'static,
    ) -> Result<T, RegistryError> {
        writer::ask(&self.mail, rule).await
    }
}

/// `arn:aws:cloudfront::ACCOUNT:streaming-distribution/ID`.
pub fn arn(record: &StreamingRecord) -> String {
    let head = &record.head;
    format!(
        "arn:aws:cloudfront::{}:streaming-distribution/{}",
        head.account, head.id
    )
}

#[cfg(test)]
mod tests;
