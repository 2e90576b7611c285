//! One thing that a viewer did, with all that a row or line says of it.

use std::sync::Arc;
use std::time::SystemTime;

use crate::delivery::session::{Facts, Happening, Item, Session};
use crate::distribution::streaming::Logging;

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A viewer connected.
    Connect,
    /// Their connection ended.
    Disconnect,
    /// A play began.
    Play,
    /// It ended.
    Stop,
    /// It went on elsewhere.
    Seek,
    /// It was paused.
    Pause,
    /// It went on.
    Unpause,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Connect,
        Self::Disconnect,
        Self::Play,
        Self::Stop,
        Self::Seek,
        Self::Pause,
        Self::Unpause,
    ];

    /// As logs write it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Disconnect => "disconnect",
            Self::Play => "play",
            Self::Stop => "stop",
            Self::Seek => "seek",
            Self::Pause => "pause",
            Self::Unpause => "unpause",
        }
    }
}

/// One event.
#[derive(Debug, Clone)]
pub struct Entry {
    /// When.
    pub at: SystemTime,
    /// Who.
    pub facts: Arc<Facts>,
    /// Where its row goes, if anywhere.
    pub logging: Option<Arc<Logging>>,
    /// What.
    pub kind: Kind,
    /// Whether it was refused: then there is no row of it.
    pub refused: bool,
    /// What was played, where that is what it is about.
    pub item: Option<Arc<Item>>,
    /// Bytes sent on the connection so far.
    pub bytes: u64,
    /// Where a seek leads, milliseconds.
    pub position: Option<i64>,
    /// Why it ended or was refused.
    pub reason: Option<Box<str>>,
}

impl Entry {
    /// What happens to a session, now.
    pub fn of(session: &Session, happening: Happening<'_>) -> Self {
        let logging = session.distribution.terms().logging.clone();
        let base = Self {
            bytes: session.bytes(),
            logging,
            ..Self::now(Arc::clone(&session.facts), Kind::Connect)
        };
        let about = |kind, item: &Arc<Item>| Self {
            kind,
            item: Some(Arc::clone(item)),
            ..base.clone()
        };
        match happening {
            Happening::Connect => base,
            Happening::Disconnect(why) => Self {
                kind: Kind::Disconnect,
                reason: Some(why.into()),
                ..base
            },
            Happening::Play(item) => about(Kind::Play, item),
            Happening::Stop(item, why) => Self {
                reason: Some(why.into()),
                ..about(Kind::Stop, item)
            },
            Happening::Seek(item, time) => Self {
                position: Some(time.millis()),
                ..about(Kind::Seek, item)
            },
            Happening::Pause(item) => about(Kind::Pause, item),
            Happening::Unpause(item) => about(Kind::Unpause, item),
            Happening::Refused(item, why) => Self {
                refused: true,
                reason: Some(why.into()),
                ..about(Kind::Play, item)
            },
        }
    }

    /// A viewer who was not let in, now.
    pub fn turned_away(facts: Facts, reason: &str) -> Self {
        Self {
            refused: true,
            reason: Some(reason.into()),
            ..Self::now(Arc::new(facts), Kind::Connect)
        }
    }

    fn now(facts: Arc<Facts>, kind: Kind) -> Self {
        Self {
            at: SystemTime::now(),
            facts,
            logging: None,
            kind,
            refused: false,
            item: None,
            bytes: 0,
            position: None,
            reason: None,
        }
    }

    /// Whether there is a row of it: the status of a row is always OK.
    pub fn is_row(&self) -> bool {
        !self.refused
    }

    /// About how much memory it takes, what it shares with others counted once for each.
    pub fn weight(&self) -> usize {
        let item = self.item.as_ref().map_or(0, |item| {
            item.name.len() + item.query.as_ref().map_or(0, String::len)
        });
        let reason = self.reason.as_ref().map_or(0, |reason| reason.len());
        size_of::<Self>() + size_of::<Facts>() + item + reason
    }

    /// Whole seconds since 1970.
    pub fn seconds(&self) -> i64 {
        let since = self.at.duration_since(SystemTime::UNIX_EPOCH);
        since.map_or(0, |since| {
            i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
        })
    }
}
