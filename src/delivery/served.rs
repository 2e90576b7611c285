//! A distribution as its viewers know it, for as long as one of them is here: what it serves now,
//! and whether they have to go.
//!
//! It changes while it is served. Whoever deploys it puts new terms in the place of the old ones as
//! a whole; a viewer looks at them at each play, without a lock, so that a change holds for the
//! next play on a connection that is open already. To end its connections the distribution counts
//! up ([`Served::send_away`]): a viewer has to go if the count is not what it was when they came,
//! and so one who comes after it was enabled again stays.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use arc_swap::{ArcSwap, Guard};

use crate::access::SignerKeys;
use crate::distribution::Kind;
use crate::distribution::streaming::Logging;
use crate::origin::Origin;

/// What a distribution serves, and to whom.
#[derive(Debug, Clone)]
pub struct Terms {
    /// What it is for.
    pub kind: Kind,
    /// Whether viewers are let in, and new plays begin.
    pub enabled: bool,
    /// Where only signed names may be played, the keys that they may be signed with.
    pub signers: Option<Arc<SignerKeys>>,
    /// Application names, `app/instance`.
    pub apps: Arc<[String]>,
    /// Where its objects are.
    pub origin: Arc<dyn Origin>,
    /// Bytes a second that one viewer may be sent, if that is capped. Taken at connect.
    pub max_rate: Option<NonZeroU64>,
    /// Whether players may connect by RTMPE.
    pub encrypted: bool,
    /// Where its access logs go, if anywhere.
    pub logging: Option<Arc<Logging>>,
}

/// A distribution that is served.
#[derive(Debug)]
pub struct Served {
    id: Arc<str>,
    terms: ArcSwap<Terms>,
    round: AtomicU32,
}

impl Served {
    /// A distribution that is served from now on.
    pub fn new(id: &str, terms: Terms) -> Arc<Self> {
        Arc::new(Self {
            id: id.into(),
            terms: ArcSwap::from_pointee(terms),
            round: AtomicU32::new(0),
        })
    }

    /// Its id.
    pub fn id(&self) -> &Arc<str> {
        &self.id
    }

    /// What it serves now. Not to be held for long.
    pub fn terms(&self) -> Guard<Arc<Terms>> {
        self.terms.load()
    }

    /// What it serves from now on.
    pub fn set_terms(&self, terms: Terms) {
        self.terms.store(Arc::new(terms));
    }

    /// Takes other keys that names may be signed with.
    pub fn set_signers(&self, signers: Option<Arc<SignerKeys>>) {
        let terms = Terms::clone(&self.terms());
        self.set_terms(Terms { signers, ..terms });
    }

    /// Lets nobody in and no play begin from now on.
    pub fn disable(&self) {
        let terms = Terms::clone(&self.terms());
        self.set_terms(Terms {
            enabled: false,
            ..terms
        });
    }

    /// How often it has sent its viewers away.
    pub fn round(&self) -> u32 {
        self.round.load(Ordering::Acquire)
    }

    /// Everybody who is here now has to go. They see it when they are woken.
    pub fn send_away(&self) {
        self.round.fetch_add(1, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::origin::memory::MemoryOrigin;

    #[test]
    fn terms_change_as_a_whole_and_who_comes_after_a_round_stays() {
        let terms = Terms {
            kind: Kind::Streaming,
            enabled: true,
            signers: None,
            apps: Arc::new(["cfx/st".to_owned()]),
            origin: Arc::new(MemoryOrigin::new()),
            max_rate: None,
            encrypted: true,
            logging: None,
        };
        let served = Served::new("E1", terms.clone());
        assert!(served.terms().enabled);
        served.disable();
        assert!(!served.terms().enabled);
        assert_eq!(served.terms().apps[..], ["cfx/st"]);
        let came = served.round();
        served.send_away();
        served.set_terms(terms);
        assert_ne!(served.round(), came);
        assert!(served.terms().enabled);
    }
}
